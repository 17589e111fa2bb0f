//! Takes the bytes of one blob and gives them to its file, block by block.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter, CreateOptions};
use campusdisk_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;

use crate::block::{self, Block};
use crate::error::{blob_error, blocking, drop_elsewhere, stopped};
use crate::part::Part;
use crate::store::Shared;

/// Blocks on their way to the file at once: with one the disk rests while the next one is brought, and with two whenever the
/// bytes stop for a moment, as at the end of a part.
const BLOCKS_IN_FLIGHT: usize = 3;

/// Shorter pieces are copied together: kept as they come, each could hold a whole buffer of a connection alive.
const SMALL_BYTES: usize = 16 << 10;

/// Fills one block while the ones before are on their way to the file.
#[derive(Debug)]
pub(crate) struct LocalWriter {
    shared: Arc<Shared>,
    key: BlobKey,
    part: Option<Arc<Part>>,
    pending: Vec<Bytes>,
    /// Small pieces that follow `pending`.
    small: BytesMut,
    pending_bytes: usize,
    /// Where what is pending goes in the file.
    offset_bytes: u64,
    /// A block that has arrived.
    used: Option<Block>,
    in_flight: VecDeque<JoinHandle<Result<Block>>>,
    taken_bytes: u64,
    /// An earlier write failed or was dropped half-way.
    broken: bool,
}

impl LocalWriter {
    pub(crate) async fn create(shared: Arc<Shared>, key: BlobKey, options: CreateOptions) -> Result<Self> {
        let expected_bytes = options.expected_bytes.unwrap_or(0);
        if expected_bytes > shared.info.max_blob_bytes {
            return Err(too_long(&shared, &key));
        }
        let of_part = Arc::clone(&shared);
        let part = blocking(move || Part::create(of_part, key, expected_bytes)).await?;
        Ok(Self {
            shared,
            key,
            part: Some(Arc::new(part)),
            pending: Vec::new(),
            small: BytesMut::new(),
            pending_bytes: 0,
            offset_bytes: 0,
            used: None,
            in_flight: VecDeque::new(),
            taken_bytes: 0,
            broken: false,
        })
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room_bytes = block::LEN_BYTES - self.pending_bytes;
            self.push(bytes.split_to(bytes.len().min(room_bytes)));
            if self.pending_bytes == block::LEN_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    fn push(&mut self, piece: Bytes) {
        self.pending_bytes += piece.len();
        if piece.len() < SMALL_BYTES {
            self.small.extend_from_slice(&piece);
        } else {
            self.end_small();
            self.pending.push(piece);
        }
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pending.push(self.small.split().freeze());
        }
    }

    fn take_pending(&mut self) -> Vec<Bytes> {
        self.end_small();
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending)
    }

    /// Sends a block of what is pending on its way.
    async fn send(&mut self) -> Result<()> {
        if self.in_flight.len() >= BLOCKS_IN_FLIGHT {
            self.used = self.settle().await?;
        }
        let part = self.part()?;
        let used = self.used.take();
        let pieces = self.take_pending();
        let offset_bytes = self.offset_bytes;
        self.offset_bytes += block::LEN_BYTES as u64;
        self.in_flight.push_back(tokio::task::spawn_blocking(move || {
            let mut block = used.unwrap_or_else(|| Block::new(block::LEN_BYTES));
            block.fill(pieces);
            part.write(&block, offset_bytes)?;
            Ok(block.cleared())
        }));
        Ok(())
    }

    /// Waits for the first block on its way, if there is one.
    async fn settle(&mut self) -> Result<Option<Block>> {
        let Some(write) = self.in_flight.front_mut() else {
            return Ok(None);
        };
        let outcome = write.await.unwrap_or_else(stopped);
        self.in_flight.pop_front();
        outcome.map(Some)
    }

    fn part(&self) -> Result<Arc<Part>> {
        self.part.clone().ok_or_else(|| given_up(&self.key))
    }
}

#[async_trait]
impl BlobWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(given_up(&self.key));
        }
        let taken_bytes = self.taken_bytes.saturating_add(bytes.len() as u64);
        if taken_bytes > self.shared.info.max_blob_bytes {
            return Err(too_long(&self.shared, &self.key));
        }
        self.taken_bytes = taken_bytes;
        self.take(bytes).await?;
        self.broken = false;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobFacts> {
        if self.broken {
            return Err(given_up(&self.key));
        }
        while self.settle().await?.is_some() {}
        let part = self.part()?;
        // From here on the task below is the only one that holds the file.
        self.part = None;
        let (last_bytes, last) = (self.pending_bytes, self.take_pending());
        let (offset_bytes, len_bytes) = (self.offset_bytes, self.taken_bytes);
        blocking(move || {
            let mut block = Block::new(last_bytes);
            block.fill(last);
            part.write(&block, offset_bytes)?;
            part.publish(len_bytes)
        })
        .await?;
        Ok(BlobFacts::new(len_bytes))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        // Whatever became of the blocks, their file goes.
        while !self.in_flight.is_empty() {
            let _ = self.settle().await;
        }
        let part = self.part.take();
        blocking(move || {
            drop(part);
            Ok(())
        })
        .await
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        let Some(part) = self.part.take() else {
            return;
        };
        // The name goes at once. Freeing the space may take a while for a long file: not on a runtime's thread.
        part.unlink();
        drop_elsewhere(part);
    }
}

fn given_up(key: &BlobKey) -> Error {
    let text = "an earlier write of this blob failed, so it can only be given up";
    blob_error(ErrorKind::Internal, "write blob", key, text)
}

fn too_long(shared: &Shared, key: &BlobKey) -> Error {
    let text = format!(
        "store \"{}\" takes blobs of up to {} bytes",
        shared.info.name, shared.info.max_blob_bytes
    );
    blob_error(ErrorKind::LimitExceeded, "write blob", key, text)
}
