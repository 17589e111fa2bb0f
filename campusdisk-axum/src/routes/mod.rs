//! The routes, by concern.

#[cfg(feature = "accounts")]
pub(crate) mod accounts;
#[cfg(feature = "accounts")]
pub(crate) mod admin;
pub(crate) mod content;
pub(crate) mod downloads;
pub(crate) mod drives;
pub(crate) mod drop_uploads;
#[cfg(feature = "accounts")]
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod nodes;
pub(crate) mod reserved;
pub(crate) mod search;
#[cfg(feature = "accounts")]
pub(crate) mod session;
#[cfg(feature = "accounts")]
pub(crate) mod sessions;
pub(crate) mod shares;
pub(crate) mod trash;
pub(crate) mod uploads;
pub(crate) mod versions;
pub(crate) mod visit;
