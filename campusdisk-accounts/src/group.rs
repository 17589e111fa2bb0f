//! Groups of accounts.

use std::fmt;
use std::sync::Arc;

use campusdisk_core::{GroupId, Result, Timestamp};

use crate::account::{fold, name_text};

/// Accounts that are given rights together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Names it for ever.
    pub id: GroupId,
    /// What people call it; no two groups have the same.
    pub name: GroupName,
    /// When it was made.
    pub created: Timestamp,
}

/// What people call a group; the rules of a [`Username`](crate::Username).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `name`, with the rule that is broken.
    pub fn parse(text: &str) -> Result<Self> {
        name_text("name", text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What decides whether two names are one, and their order.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}
