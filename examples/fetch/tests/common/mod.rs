//! A server that does what a test tells it, and the command against it.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses what it needs, and ends where it can't go on"
)]

mod command;
mod server;

use std::time::Duration;

pub(crate) use self::command::{Fetch, signal};
pub(crate) use self::server::{Answer, Asked, File, Server};

/// How long anything may take before a test counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked what another process did, which tells nobody.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(crate) const MIB: usize = 1024 * 1024;

/// Waits until something holds of another process.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    in_time(what, looking).await;
}

pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}
