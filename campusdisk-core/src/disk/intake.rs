//! Bytes on their way in: cut into parts, hashed, written to a store.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::checksum::Checksum;
use super::hasher::Hasher;
use super::shared::Shared;
use crate::catalog::record::{Extent, HashState};
use crate::storage::{BlobKey, BlobStore, BlobWriter, CreateOptions};
use crate::{Error, ErrorKind, Result, Timestamp};

/// Takes bytes in order and turns them into committed blobs of the store's part size.
///
/// The first [`tail_bytes`](crate::Policy::tail_bytes) of a part stay in memory before a blob is begun, so that little bytes
/// make no little blobs unless they are the last. While one part is being committed the next one is written.
pub(super) struct Intake {
    shared: Arc<Shared>,
    store: Arc<dyn BlobStore>,
    hasher: Hasher,
    open: Open,
    closing: Option<oneshot::Receiver<Result<Part>>>,
    /// The first bytes, by which the media type is known; empty when the intake goes on after others.
    head: Option<Bytes>,
    /// How many bytes are still expected, where that is known.
    expected_bytes: Option<u64>,
}

enum Open {
    Held {
        pieces: Vec<Bytes>,
        len_bytes: u64,
    },
    Writing {
        writer: Box<dyn BlobWriter>,
        key: BlobKey,
        len_bytes: u64,
        since: Timestamp,
    },
}

/// How many first bytes tell a file's type.
pub(super) const HEAD_BYTES: usize = 4096;

/// A committed blob, and the hashes up to its end.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) extent: Extent,
    pub(super) hash: HashState,
}

/// What is left when no more bytes come.
#[derive(Debug)]
pub(super) struct Rest {
    /// Committed blobs that were not handed out yet, in order.
    pub(super) parts: Vec<Part>,
    /// The last bytes, where they were kept as a tail.
    pub(super) tail: Bytes,
    /// The hashes over everything.
    pub(super) hash: HashState,
    /// The first bytes that this intake took.
    pub(super) head: Bytes,
}

impl Intake {
    /// Goes on after bytes with these hashes, of which `tail` are not in a blob yet (but are hashed).
    pub(super) fn begin(
        shared: Arc<Shared>,
        store: Arc<dyn BlobStore>,
        hash: &HashState,
        tail: Bytes,
        checks: Vec<Checksum>,
        expected_bytes: Option<u64>,
    ) -> Result<Self> {
        let len_bytes = tail.len() as u64;
        let pieces = if tail.is_empty() { Vec::new() } else { vec![tail] };
        Ok(Self {
            hasher: Hasher::resume(shared.spawner.clone(), hash, checks)?,
            store,
            shared,
            open: Open::Held { pieces, len_bytes },
            closing: None,
            head: None,
            expected_bytes,
        })
    }

    /// Takes all of `bytes`. Returns the parts that were committed meanwhile, in order; mostly none.
    pub(super) async fn write(&mut self, mut bytes: Bytes) -> Result<Vec<Part>> {
        let mut committed = Vec::new();
        self.head
            .get_or_insert_with(|| bytes.slice(..bytes.len().min(HEAD_BYTES)));
        if let Some(expected) = &mut self.expected_bytes {
            *expected = expected.saturating_sub(bytes.len() as u64);
        }
        while !bytes.is_empty() {
            let room = self
                .store
                .info()
                .part_size_bytes
                .max(1)
                .saturating_sub(self.open_bytes())
                .max(1);
            let cut = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let piece = bytes.split_to(cut);
            self.hasher.update(piece.clone()).await?;
            self.put(piece, bytes.len() as u64).await?;
            if self.part_is_full() {
                committed.extend(self.close_part().await?);
            }
        }
        Ok(committed)
    }

    /// Ends: the checks must fit, then what is open becomes a blob, or stays a tail where `keep_tail` allows.
    pub(super) async fn finish(mut self, keep_tail: bool) -> Result<Rest> {
        self.hasher.check().await?;
        let hash = self.hasher.state().await?.await.map_err(|_| gone())?;
        let mut parts = Vec::new();
        parts.extend(self.closed().await?);
        let tail = match self.open {
            Open::Held { len_bytes: 0, .. } => Bytes::new(),
            Open::Held { pieces, .. } if keep_tail => pieces.concat().into(),
            Open::Held { pieces, .. } => {
                let extent = self.shared.write_blob(&self.store, pieces).await?;
                parts.push(Part {
                    extent,
                    hash: hash.clone(),
                });
                Bytes::new()
            }
            Open::Writing {
                writer,
                key,
                len_bytes,
                ..
            } => {
                writer.commit().await?;
                parts.push(Part {
                    extent: extent(&self.store, key, len_bytes),
                    hash: hash.clone(),
                });
                Bytes::new()
            }
        };
        Ok(Rest {
            parts,
            tail,
            hash,
            head: self.head.unwrap_or_default(),
        })
    }

    /// Gives up what is open. Parts that were committed are found by the sweep.
    pub(super) async fn abort(self) {
        if let Open::Writing { writer, .. } = self.open
            && let Err(error) = writer.abort().await
        {
            tracing::debug!(%error, "a given-up part is left to the sweep");
        }
    }

    fn open_bytes(&self) -> u64 {
        match &self.open {
            Open::Held { len_bytes, .. } | Open::Writing { len_bytes, .. } => *len_bytes,
        }
    }

    fn part_is_full(&self) -> bool {
        // A slow client's part is closed early, before the sweep could take its writer for dead.
        let slow = matches!(&self.open, Open::Writing { since, .. }
            if self.shared.now().since(*since) > self.shared.policy.blob_lease / 8);
        slow || self.open_bytes() >= self.store.info().part_size_bytes
    }

    /// Adds `piece` to the open part; `more_bytes` of the same call follow it.
    async fn put(&mut self, piece: Bytes, more_bytes: u64) -> Result<()> {
        match &mut self.open {
            Open::Held { pieces, len_bytes } => {
                *len_bytes += piece.len() as u64;
                pieces.push(piece);
                if *len_bytes < self.shared.policy.tail_bytes as u64 {
                    return Ok(());
                }
                let (pieces, len_bytes) = (std::mem::take(pieces), *len_bytes);
                self.begin_blob(pieces, len_bytes, more_bytes).await
            }
            Open::Writing {
                writer, len_bytes, ..
            } => {
                *len_bytes += piece.len() as u64;
                writer.write(piece).await
            }
        }
    }

    async fn begin_blob(&mut self, pieces: Vec<Bytes>, len_bytes: u64, more_bytes: u64) -> Result<()> {
        let mut options = CreateOptions::default();
        if let Some(expected) = self.expected_bytes {
            let whole = len_bytes + expected + more_bytes;
            options =
                options.with_expected_bytes(whole.min(self.store.info().part_size_bytes.max(len_bytes)));
        }
        let key = self.shared.lease(&self.store.info().name).await?;
        let mut writer = self.store.create(&key, options).await?;
        for piece in pieces {
            writer.write(piece).await?;
        }
        self.open = Open::Writing {
            writer,
            key,
            len_bytes,
            since: self.shared.now(),
        };
        Ok(())
    }

    /// Lets a task commit the open part and begins a new one; returns the part before, once that is committed.
    async fn close_part(&mut self) -> Result<Option<Part>> {
        let before = self.closed().await?;
        let hash = self.hasher.state().await?;
        let open = std::mem::replace(
            &mut self.open,
            Open::Held {
                pieces: Vec::new(),
                len_bytes: 0,
            },
        );
        let (answer, closing) = oneshot::channel();
        let (shared, store) = (self.shared.clone(), self.store.clone());
        self.shared.spawn(async move {
            // Whoever began it may be gone; the sweep finds the blob then.
            drop(answer.send(commit_part(&shared, &store, open, hash).await));
        });
        self.closing = Some(closing);
        Ok(before)
    }

    async fn closed(&mut self) -> Result<Option<Part>> {
        match self.closing.take() {
            Some(closing) => closing.await.map_err(|_| gone())?.map(Some),
            None => Ok(None),
        }
    }
}

async fn commit_part(
    shared: &Shared,
    store: &Arc<dyn BlobStore>,
    open: Open,
    hash: oneshot::Receiver<HashState>,
) -> Result<Part> {
    let extent = match open {
        Open::Held { pieces, .. } => shared.write_blob(store, pieces).await?,
        Open::Writing {
            writer,
            key,
            len_bytes,
            ..
        } => {
            writer.commit().await?;
            extent(store, key, len_bytes)
        }
    };
    Ok(Part {
        extent,
        hash: hash.await.map_err(|_| gone())?,
    })
}

fn extent(store: &Arc<dyn BlobStore>, key: BlobKey, len_bytes: u64) -> Extent {
    let store = store.info().name.clone();
    Extent {
        store,
        blob: key,
        blob_len_bytes: len_bytes,
        offset_bytes: 0,
        len_bytes,
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "a task of the transfer is gone")
}
