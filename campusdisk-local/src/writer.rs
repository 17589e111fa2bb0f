//! Takes the bytes of one blob and gives them to its file, block by block.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter, CreateOptions};
use campusdisk_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;

use crate::block::Block;
use crate::error::{blob_error, blocking, stopped};
use crate::part::Part;
use crate::store::Shared;

/// Blocks on their way to the file at once: with one the disk rests while the next one is brought, and with two whenever the
/// bytes stop for a moment, as at the end of a part.
const BLOCKS_IN_FLIGHT: usize = 3;

/// Fills one block while the ones before are on their way to the file.
#[derive(Debug)]
pub(crate) struct LocalWriter {
    shared: Arc<Shared>,
    key: BlobKey,
    part: Option<Arc<Part>>,
    expected_bytes: u64,
    block: Option<Block>,
    /// Where `block` goes in the file.
    offset_bytes: u64,
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
            expected_bytes,
            block: None,
            offset_bytes: 0,
            in_flight: VecDeque::new(),
            taken_bytes: 0,
            broken: false,
        })
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let block = self
                .block
                .get_or_insert_with(|| Block::for_up_to(self.expected_bytes));
            rest = block.fill(rest);
            if block.is_full() {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends the block on its way, and goes on with one that has arrived.
    async fn send(&mut self) -> Result<()> {
        let used = match self.in_flight.len() {
            ..BLOCKS_IN_FLIGHT => None,
            _ => self.settle().await?,
        };
        let part = self.part()?;
        let Some(block) = std::mem::replace(&mut self.block, used) else {
            return Ok(());
        };
        let offset_bytes = self.offset_bytes;
        self.offset_bytes += block.filled().len() as u64;
        self.in_flight.push_back(tokio::task::spawn_blocking(move || {
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
        self.take(&bytes).await?;
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
        let (last, offset_bytes, len_bytes) = (self.block.take(), self.offset_bytes, self.taken_bytes);
        blocking(move || {
            if let Some(block) = last {
                part.write(&block, offset_bytes)?;
            }
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
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(part)));
        }
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
