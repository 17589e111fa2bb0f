//! How a store is.

use std::fmt;

use async_trait::async_trait;
use futures::StreamExt as _;

use super::BlobStore;
use crate::Result;

/// Tells how a store is: an ability of stores that know more than that they answer.
#[async_trait]
pub trait StoreHealth: fmt::Debug + Send + Sync {
    /// How the store is now. Changes nothing in it.
    ///
    /// A store that answers and refuses new bytes is not an error but [`refusing`](HealthFacts::refusing): what lies in it can be
    /// read.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the store can't be reached within its limit,
    /// [`Denied`](crate::ErrorKind::Denied) when it does not accept who asks.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn health(&self) -> Result<HealthFacts>;
}

/// How a store is, in plain facts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthFacts {
    /// Whether it takes new bytes, as far as it knows.
    pub takes_bytes: bool,
    /// What is not well, as sentences for the operator. They hold no secret and no address. Never empty where no new bytes
    /// are taken.
    pub reasons: Vec<String>,
    /// How many more bytes there is room for, where that is known. Where each blob is kept several times, each one counts.
    pub free_bytes: Option<u64>,
    /// How many bytes there is room for in all, counted likewise.
    pub total_bytes: Option<u64>,
    /// Further numbers, in the order in which they are to be read.
    pub figures: Vec<Figure>,
}

/// A number with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figure {
    /// What is counted, in words joined by underscores: `live_nodes`.
    pub name: &'static str,
    /// How many there are.
    pub value: u64,
}

impl HealthFacts {
    /// Nothing is known to be wrong.
    pub const fn well() -> Self {
        Self {
            takes_bytes: true,
            reasons: Vec::new(),
            free_bytes: None,
            total_bytes: None,
            figures: Vec::new(),
        }
    }

    /// Says that no new bytes are taken, and why.
    #[must_use]
    pub fn refusing(mut self, reason: impl Into<String>) -> Self {
        self.takes_bytes = false;
        self.with_reason(reason)
    }

    /// Says what is not well; new bytes are taken all the same.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    /// Says what room there is.
    #[must_use]
    pub fn with_room(mut self, free_bytes: Option<u64>, total_bytes: Option<u64>) -> Self {
        self.free_bytes = free_bytes;
        self.total_bytes = total_bytes;
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn with_figure(mut self, name: &'static str, value: u64) -> Self {
        self.figures.push(Figure { name, value });
        self
    }

    /// The number of this name, where the store tells one.
    pub fn figure(&self, name: &str) -> Option<u64> {
        let found = self.figures.iter().find(|figure| figure.name == name);
        found.map(|figure| figure.value)
    }
}

/// How a store is. One without the ability is asked for a listing, which shows only that it answers.
///
/// # Errors
/// As for [`StoreHealth::health`]; of a listing, its own.
///
/// # Cancel safety
/// Cancel safe.
pub async fn ask_health(store: &dyn BlobStore) -> Result<HealthFacts> {
    if let Some(ability) = store.abilities().health {
        return ability.health().await;
    }
    // Of the last of the folders, so that it stays short in a store of millions.
    store.list("zzz", None).next().await.transpose()?;
    Ok(HealthFacts::well())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refuses_says_why_and_who_only_complains_takes_bytes() {
        let refusing = HealthFacts::well().refusing("full").with_reason("old");
        assert!(!refusing.takes_bytes);
        assert_eq!(refusing.reasons, ["full", "old"]);
        let complaining = HealthFacts::well().with_reason("old");
        assert!(complaining.takes_bytes);
    }
}
