//! Tasks: work that blocks, and how it is told to stop.

use std::future::pending;
use std::panic::resume_unwind;

use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};

use crate::error::{Error, Result};

/// Comes when the download is to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// One that comes when the sender says `true`.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    pub(crate) fn has_come(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it comes.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn come(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|come| *come).await.is_err() {
            // Nobody is left who could say it.
            pending().await
        }
    }
}

/// Does what blocks on the pool for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ended(error)))
}

/// What it means that a task has no result: it panicked, or the runtime goes down.
pub(crate) fn ended(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Error::Stopped,
    }
}
