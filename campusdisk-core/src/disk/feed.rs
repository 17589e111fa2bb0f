//! The near end of a transfer in: bytes are handed to a task of the service, its outcome comes back.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{Error, ErrorKind, Result};

/// What goes to the task.
#[derive(Debug)]
pub(super) enum Feed {
    Bytes(Bytes),
    /// The client said all it had to say. A channel that closes without this means it went away.
    End,
}

/// Feeds a task that ends with a `T`.
#[derive(Debug)]
pub(super) struct Feeder<T> {
    feed: mpsc::Sender<Feed>,
    outcome: oneshot::Receiver<Result<T>>,
    /// Why the task ended, once a write was told.
    failed: Option<Error>,
}

/// The far end: what to take, and where to answer.
pub(super) type Fed<T> = (mpsc::Receiver<Feed>, oneshot::Sender<Result<T>>);

impl<T> Feeder<T> {
    /// Both ends, with room for so many pieces between them.
    pub(super) fn new(queue_pieces: usize) -> (Self, Fed<T>) {
        let (feed, pieces) = mpsc::channel(queue_pieces.max(1));
        let (answer, outcome) = oneshot::channel();
        let feeder = Self {
            feed,
            outcome,
            failed: None,
        };
        (feeder, (pieces, answer))
    }

    /// The near end of a task that ended well before it began.
    pub(super) fn done(outcome: T) -> Self {
        let (feeder, (_, answer)) = Self::new(1);
        drop(answer.send(Ok(outcome)));
        feeder
    }

    /// Hands over bytes; waits while the task is slower.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.feed.send(Feed::Bytes(bytes)).await.is_ok() {
            return Ok(());
        }
        let error = match (&mut self.outcome).await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => Error::new(ErrorKind::Conflict, "the transfer was ended by another request"),
            Err(_) => gone(),
        };
        self.failed = Some(error.clone());
        Err(error)
    }

    /// Waits until the task has ended by itself, so that it takes no more.
    pub(super) async fn ended(&self) {
        self.feed.closed().await;
    }

    /// Says that all is said, and waits for the outcome.
    pub(super) async fn finish(self) -> Result<T> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        // A task that ended already has its outcome waiting.
        drop(self.feed.send(Feed::End).await);
        self.outcome.await.map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "the writer of this transfer is gone")
}
