//! Chunks on their way to the server: no download waits for that.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Where chunks wait, bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Keep>,
    /// A permit for each byte.
    room: Arc<Semaphore>,
    /// Held by every chunk that waits or is being written.
    waiting: Arc<()>,
}

/// A chunk to be written under its key.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(crate) key: String,
    pub(crate) chunk: Bytes,
    _room: OwnedSemaphorePermit,
    _waits: Arc<()>,
}

impl Queue {
    /// A queue of so many chunks and bytes, and where they come out.
    pub(crate) fn new(chunks: usize, bytes: u64) -> (Self, mpsc::Receiver<Keep>) {
        let (sender, receiver) = mpsc::channel(chunks);
        let permits =
            usize::try_from(bytes).map_or(Semaphore::MAX_PERMITS, |bytes| bytes.min(Semaphore::MAX_PERMITS));
        let room = Arc::new(Semaphore::new(permits));
        let queue = Self {
            sender,
            room,
            waiting: Arc::default(),
        };
        (queue, receiver)
    }

    /// Takes a chunk in, and says whether there was room for it. Its bytes count until it is written.
    pub(crate) fn take(&self, key: String, chunk: Bytes) -> bool {
        let Ok(bytes) = u32::try_from(chunk.len()) else {
            return false;
        };
        let Ok(room) = self.room.clone().try_acquire_many_owned(bytes) else {
            return false;
        };
        let keep = Keep {
            key,
            chunk,
            _room: room,
            _waits: self.waiting.clone(),
        };
        self.sender.try_send(keep).is_ok()
    }

    /// How many chunks wait or are being written.
    pub(crate) fn waiting(&self) -> u64 {
        Arc::strong_count(&self.waiting).saturating_sub(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(bytes: usize) -> Bytes {
        vec![1; bytes].into()
    }

    fn taken(queue: &Queue, bytes: usize) -> bool {
        queue.take("key".to_owned(), chunk(bytes))
    }

    #[test]
    fn what_does_not_fit_in_number_or_bytes_is_refused_until_there_is_room() {
        let (queue, mut receiver) = Queue::new(3, 100);
        assert!(taken(&queue, 60) && !taken(&queue, 41) && taken(&queue, 40));
        assert!(!taken(&queue, 1), "no byte is free");
        assert!(taken(&queue, 0) && !taken(&queue, 0), "three wait");
        assert_eq!(queue.waiting(), 3);
        let first = receiver.try_recv().unwrap();
        assert!(!taken(&queue, 60), "its bytes count until it is written");
        drop(first);
        assert!(taken(&queue, 60));
    }

    #[test]
    fn nothing_is_taken_when_nobody_writes_any_more() {
        let (queue, receiver) = Queue::new(3, 100);
        drop(receiver);
        assert!(!taken(&queue, 100) && !taken(&queue, 100), "and no room is lost");
    }
}
