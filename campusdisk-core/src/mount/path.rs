//! Where an object lies in its mount.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Result};

/// The path of an object below its mount's root: names with `/` between them, and never a way out of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath(Arc<str>);

impl ObjectPath {
    /// Longest path in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Reads a path.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when it is empty or too long, begins or ends with `/`, has an empty name, `.` or
    /// `..` in it, or a NUL.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |reason: &'static str| Err(Error::invalid("path", reason).on(text));
        if text.len() > Self::MAX_BYTES {
            return refuse("an object's path has at most 4096 bytes");
        }
        if text.contains('\0') {
            return refuse("an object's path has no NUL");
        }
        if text.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return refuse("an object's path is names with / between them, none of them empty, . or ..");
        }
        Ok(Self(text.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names from the root on; the last is the object's own.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// What follows `folder` and the `/` after it, when it lies below that.
    pub fn below(&self, folder: &Self) -> Option<&str> {
        self.0.strip_prefix(folder.as_str())?.strip_prefix('/')
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_its_mount() {
        for text in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "./a",
            "a\0b",
        ] {
            assert!(ObjectPath::parse(text).is_err(), "{text:?}");
        }
        assert!(ObjectPath::parse(&"a".repeat(4097)).is_err());
        for text in ["a", "2026/期末 成绩.pdf", "..a/b..", "year=2026/part-00000"] {
            assert_eq!(ObjectPath::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn only_what_lies_in_a_folder_is_below_it() {
        let path = |text| ObjectPath::parse(text).unwrap();
        assert_eq!(path("a/b/c").below(&path("a")), Some("b/c"));
        assert_eq!(path("ab/c").below(&path("a")), None);
        assert_eq!(path("a").below(&path("a")), None);
    }
}
