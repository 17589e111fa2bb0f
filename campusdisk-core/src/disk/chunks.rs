//! Chunks of contents on remote stores: kept once they are asked for repeatedly, and read once for all who wait for them.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::chain::Chain;
use super::shared::Shared;
use crate::catalog::record::Content;
use crate::{ByteBody, CHUNK_BYTES, ContentId, Error, ErrorKind, Policy, Result, Span};

/// How many chunks are remembered as asked for: 256 GiB of them in 1 MiB of memory. Each forgets the one that had its place before, so
/// nothing has to be cleaned up.
const REMEMBERED: usize = 1 << 18;

/// Most chunks read at once for one span.
pub(super) const MOST_AT_ONCE: u64 = 8;

/// What one permit of the room for reads stands for, so that permits of many gigabytes can be counted.
const ROOM_UNIT_BYTES: u64 = 1 << 10;

/// A content's chunk.
type Key = (ContentId, u64);

/// What a chunk is, once it was read.
type Outcome = Option<Result<Bytes>>;

/// A chunk that is being read.
#[derive(Clone, Debug)]
pub(super) struct Reading(watch::Receiver<Outcome>);

impl Reading {
    /// The chunk, once it is there.
    ///
    /// Cancel safe: whoever waits does not drive the read.
    pub(super) async fn chunk(&mut self) -> Result<Bytes> {
        let outcome = self.0.wait_for(Option::is_some).await;
        match outcome.ok().and_then(|outcome| outcome.clone()) {
            Some(outcome) => outcome,
            None => Err(Error::new(
                ErrorKind::Unavailable,
                "the service stops, and what it was reading with it",
            )),
        }
    }
}

/// What this process knows of chunks beside the cache: which were asked for lately, and which are being read.
#[derive(Debug)]
pub(super) struct Chunks {
    asked: Vec<AtomicU32>,
    hasher: RandomState,
    reading: Mutex<HashMap<Key, Reading>>,
    room: Arc<Semaphore>,
}

impl Chunks {
    pub(super) fn new(policy: &Policy) -> Self {
        // Never less than one read needs.
        let room = policy.chunk_reads_bytes.max(MOST_AT_ONCE * CHUNK_BYTES) / ROOM_UNIT_BYTES;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        Self {
            asked: (0..REMEMBERED).map(|_| AtomicU32::new(0)).collect(),
            hasher: RandomState::new(),
            reading: Mutex::default(),
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Remembers that a chunk is asked for, and says whether it was before.
    pub(super) fn ask(&self, content: ContentId, number: u64) -> bool {
        let (place, print) = self.place(content, number);
        place.is_some_and(|place| place.swap(print, Ordering::Relaxed) == print)
    }

    /// Whether a chunk was asked for lately.
    pub(super) fn was_asked(&self, content: ContentId, number: u64) -> bool {
        let (place, print) = self.place(content, number);
        place.is_some_and(|place| place.load(Ordering::Relaxed) == print)
    }

    /// Where a chunk is remembered, and as what. Two chunks may look the same: one of them is then kept a request too early.
    fn place(&self, content: ContentId, number: u64) -> (Option<&AtomicU32>, u32) {
        let hash = self.hasher.hash_one((content, number));
        let (place, print) = (hash & 0xffff_ffff, hash >> 32);
        let place = usize::try_from(place)
            .ok()
            .and_then(|place| self.asked.get(place % REMEMBERED));
        (place, u32::try_from(print).unwrap_or(0) | 1)
    }

    /// Waits until there was room for reading `chunks` chunks.
    ///
    /// Cancel safe.
    pub(super) async fn wait_for_room(&self, chunks: u64) {
        // The semaphore is never closed; whoever comes first afterwards takes the room.
        let _ = self.room.acquire_many(units(chunks * CHUNK_BYTES)).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Reading>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(ROOM_UNIT_BYTES)).unwrap_or(u32::MAX)
}

/// The bytes of a content's chunks.
pub(super) fn span_of(content: &Content, chunks: Range<u64>) -> Option<Span> {
    let at = |number: u64| number.saturating_mul(CHUNK_BYTES).min(content.size_bytes);
    Span::new(at(chunks.start), at(chunks.end))
}

impl Shared {
    /// Whether a content lies in a store across a network, so that its chunks may be kept. Those of a mount never are: others may change the object,
    /// which has to show at once.
    pub(super) fn is_far(&self, content: &Content) -> bool {
        let first = content.extents.first();
        let store = first.and_then(|extent| self.stores.get(&extent.store));
        store.is_some_and(|store| store.info().remote)
    }

    /// A chunk from the cache, if it is there whole.
    pub(super) async fn kept_chunk(&self, content: &Content, number: u64) -> Option<Bytes> {
        let len_bytes = span_of(content, number..number + 1)?.len();
        let chunk = self.cache.chunk(content.id, number).await?;
        (chunk.len() as u64 == len_bytes).then_some(chunk)
    }

    /// Has `chunks` read as one span of the store, in a task of the service, up to the first that somebody else is reading already; each
    /// is kept when it came. Where that is the first, it alone is waited for. `None` when there is no room for more reads.
    pub(super) fn read_chunks(
        self: &Arc<Self>,
        content: &Arc<Content>,
        chunks: Range<u64>,
    ) -> Option<Vec<Reading>> {
        let mut reading = self.chunks.lock();
        if let Some(others) = reading.get(&(content.id, chunks.start)) {
            return Some(vec![others.clone()]);
        }
        let is_free = |number: &u64| !reading.contains_key(&(content.id, *number));
        let end = chunks.start + chunks.clone().take_while(is_free).count() as u64;
        let span = span_of(content, chunks.start..end)?;
        let room = self.chunks.room.clone();
        let room = room.try_acquire_many_owned(units(span.len())).ok()?;
        let (mut claimed, mut readings) = (VecDeque::new(), Vec::new());
        for number in chunks.start..end {
            let (send, receive) = watch::channel(None);
            claimed.push_back((number, send));
            readings.push(Reading(receive.clone()));
            reading.insert((content.id, number), Reading(receive));
        }
        drop(reading);
        let claim = Claim {
            shared: self.clone(),
            content: content.clone(),
            chunks: claimed,
            _room: room,
        };
        self.spawn(async move {
            let stopping = claim.shared.stopping.clone();
            stopping.run_until_cancelled(claim.read(span)).await;
        });
        Some(readings)
    }
}

/// Chunks that one task reads. What it did not come to is no longer waited for once it is dropped.
struct Claim {
    shared: Arc<Shared>,
    content: Arc<Content>,
    chunks: VecDeque<(u64, watch::Sender<Outcome>)>,
    _room: OwnedSemaphorePermit,
}

impl Claim {
    async fn read(mut self, span: Span) {
        let mut body = Chain::tried_once(self.shared.clone(), self.content.clone(), span);
        let mut rest = Bytes::new();
        while let Some(&(number, _)) = self.chunks.front() {
            let len_bytes = span_of(&self.content, number..number + 1).map_or(0, Span::len);
            match take(&mut body, &mut rest, len_bytes).await {
                Ok(chunk) => {
                    // Whoever comes from here on finds it in the cache; whoever came before waits for it.
                    let kept = chunk.clone();
                    self.shared.cache.keep(self.content.id, number, kept).await;
                    self.shared.chunks.lock().remove(&(self.content.id, number));
                    if let Some((_, waiting)) = self.chunks.pop_front() {
                        waiting.send_replace(Some(Ok(chunk)));
                    }
                }
                Err(error) => {
                    for (_, waiting) in &self.chunks {
                        waiting.send_replace(Some(Err(error.clone())));
                    }
                    return;
                }
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut reading = self.shared.chunks.lock();
        for (number, _) in &self.chunks {
            reading.remove(&(self.content.id, *number));
        }
    }
}

/// The next `len_bytes` bytes in memory of their own; `rest` is what was left of a piece, and is then.
async fn take(body: &mut ByteBody, rest: &mut Bytes, len_bytes: u64) -> Result<Bytes> {
    let len_bytes = usize::try_from(len_bytes).unwrap_or(usize::MAX);
    let mut taken = BytesMut::with_capacity(len_bytes);
    while taken.len() < len_bytes {
        if rest.is_empty() {
            *rest = match body.next().await {
                Some(piece) => piece?,
                None => return Err(Error::new(ErrorKind::Truncated, "a chunk ended early")),
            };
        }
        let piece = rest.split_to(rest.len().min(len_bytes - taken.len()));
        taken.extend_from_slice(&piece);
    }
    Ok(taken.freeze())
}
