//! How one span of a content on a remote store goes through the cache.
//!
//! What is asked for the first time passes as the store gives it, in one go, and only the memory of having been asked is left; what is
//! asked for again is read chunk by chunk, kept, and shared by all who wait for it. So a large file that one person fetches washes
//! nothing out of the cache and costs it nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::chunks::{MOST_AT_ONCE, span_of};
use super::shared::Shared;
use crate::catalog::record::Content;
use crate::storage::Pace;
use crate::{CHUNK_BYTES, Result, Span};

/// How much of a span may be read for the cache before its client proved quick.
const TRUSTED_BYTES: u64 = 8 << 20;

/// What a client that did not prove quick is handed of a chunk at once.
const COPIED_BYTES: usize = 64 << 10;

/// Where the next bytes come from.
#[derive(Debug)]
pub(super) enum Way {
    /// A chunk, from the first byte that is wanted on.
    Chunk(Bytes),
    /// The store, for this span; nothing of it is kept.
    Pass(Span),
}

/// The way of one span, and of the client that takes it.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) pace: Pace,
    /// Chunks below this were read for this span already, or are being read.
    read_to: u64,
    /// How many chunks the next read is of: more each time, while none of them is there already.
    at_once: u64,
}

impl Keeping {
    /// Of a span that may be kept, if it may.
    pub(super) fn of(shared: &Shared, content: &Content, span: Span) -> Option<Self> {
        (shared.is_far(content) && span.len() <= shared.policy.kept_span_bytes).then(Self::new)
    }

    fn new() -> Self {
        Self {
            pace: Pace::default(),
            read_to: 0,
            at_once: 1,
        }
    }

    /// Where the first bytes of `left` come from.
    ///
    /// # Errors
    /// Why a chunk could not be read.
    pub(super) async fn way(
        &mut self,
        shared: &Arc<Shared>,
        content: &Arc<Content>,
        left: Span,
    ) -> Result<Way> {
        let number = left.start() / CHUNK_BYTES;
        if let Some(chunk) = shared.kept_chunk(content, number).await {
            shared.chunks.ask(content.id, number);
            if number >= self.read_to {
                self.at_once = 1;
            }
            self.read_ahead(shared, content, number, left);
            return Ok(Way::Chunk(cut(&chunk, number, left)));
        }
        let again = shared.chunks.ask(content.id, number) || content.size_bytes <= CHUNK_BYTES;
        if again && self.may_read() {
            let chunks = number..self.end_of_read(number, left);
            let readings = shared.read_chunks(content, chunks).unwrap_or_default();
            if let Some(mut first) = readings.first().cloned() {
                self.read_to = number + readings.len() as u64;
                let chunk = first.chunk().await?;
                return Ok(Way::Chunk(cut(&chunk, number, left)));
            }
        }
        Ok(Way::Pass(self.passing(shared, content, number, left)))
    }

    fn is_quick(&self) -> bool {
        self.pace.is_quick()
    }

    /// A client that is slow makes nothing be read that it may take minutes for.
    fn may_read(&self) -> bool {
        self.is_quick() || self.pace.taken_bytes() < TRUSTED_BYTES
    }

    fn end_of_read(&mut self, number: u64, left: Span) -> u64 {
        let count = match self.is_quick() {
            true => self.at_once,
            false => 1,
        };
        self.at_once = (self.at_once * 2).min(MOST_AT_ONCE);
        (number + count).min(left.end().div_ceil(CHUNK_BYTES))
    }

    /// Has the next chunks read while these are sent, for who is quick and found none so far.
    fn read_ahead(&mut self, shared: &Arc<Shared>, content: &Arc<Content>, number: u64, left: Span) {
        let is_near = number < self.read_to && self.read_to <= number + self.at_once / 2;
        let end = (self.read_to + self.at_once).min(left.end().div_ceil(CHUNK_BYTES));
        if !is_near || self.at_once < MOST_AT_ONCE || self.read_to >= end || !self.is_quick() {
            return;
        }
        let readings = shared.read_chunks(content, self.read_to..end);
        self.read_to += readings.map_or(0, |readings| readings.len() as u64);
    }

    /// What passes: for a quick client all until a chunk that was asked for before, for a slow one the rest of this chunk.
    fn passing(&self, shared: &Shared, content: &Content, number: u64, left: Span) -> Span {
        let is_new = |number: &u64| !shared.chunks.was_asked(content.id, *number);
        let wanted = number + 1..left.end().div_ceil(CHUNK_BYTES);
        let ahead = match self.may_read() {
            true => wanted.take_while(is_new).count() as u64,
            false => 0,
        };
        let passing = span_of(content, number..number + 1 + ahead);
        passing.and_then(|span| span.intersect(left)).unwrap_or(left)
    }

    /// What passed makes its chunks known.
    pub(super) fn passed(&self, shared: &Shared, content: &Content, piece: Span) {
        for number in piece.start().div_ceil(CHUNK_BYTES)..piece.end().div_ceil(CHUNK_BYTES) {
            shared.chunks.ask(content.id, number);
        }
    }

    /// The next piece of a chunk. A slow client is handed a copy, as what waits for it would hold the whole chunk.
    pub(super) fn piece(&self, rest: &mut Bytes) -> Option<Bytes> {
        if rest.is_empty() {
            return None;
        }
        Some(match self.is_quick() {
            true => rest.split_to(rest.len().min(self.pace.piece_bytes())),
            false => Bytes::copy_from_slice(&rest.split_to(rest.len().min(COPIED_BYTES))),
        })
    }
}

/// What of a chunk is wanted.
fn cut(chunk: &Bytes, number: u64, left: Span) -> Bytes {
    let base = number * CHUNK_BYTES;
    let at = |position: u64| {
        usize::try_from(position.saturating_sub(base))
            .unwrap_or(usize::MAX)
            .min(chunk.len())
    };
    chunk.slice(at(left.start())..at(left.end()))
}
