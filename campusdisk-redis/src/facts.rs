//! What a cache counts of itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a cache on Redis did since it was made, for metrics. Each call for a chunk counts in one of the first five, each chunk to keep in one of the
/// next three, once it is known which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisCacheFacts {
    /// Calls that found their chunk.
    pub hits: u64,
    /// Calls that found nothing.
    pub misses: u64,
    /// Calls that found what was no whole chunk of ours.
    pub unusable: u64,
    /// Calls that the server did not answer in time, or refused.
    pub failures: u64,
    /// Calls that were not made, as the breaker was open.
    pub skipped: u64,
    /// Chunks the server took.
    pub kept: u64,
    /// Chunks the server did not take: it was full, or did not answer.
    pub failed_keeps: u64,
    /// Chunks that were not sent: too long, no room in the queue, or the breaker was open.
    pub dropped_keeps: u64,
    /// Chunks that wait to be sent or are being sent, now.
    pub queued_keeps: u64,
    /// Bytes of the chunks that were found.
    pub read_bytes: u64,
    /// Bytes of the chunks the server took.
    pub kept_bytes: u64,
    /// How long the calls that were answered took, all together.
    pub answer_time: Duration,
    /// How long writing the chunks that the server took took, all together.
    pub keep_time: Duration,
    /// Whether the breaker is open: the server is not asked for now.
    pub is_open: bool,
}

/// The counters behind [`RedisCacheFacts`].
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) hits: Count,
    pub(crate) misses: Count,
    pub(crate) unusable: Count,
    pub(crate) failures: Count,
    pub(crate) skipped: Count,
    pub(crate) kept: Count,
    pub(crate) failed_keeps: Count,
    pub(crate) dropped_keeps: Count,
    pub(crate) read_bytes: Count,
    pub(crate) kept_bytes: Count,
    pub(crate) answer_micros: Count,
    pub(crate) keep_micros: Count,
}

impl Counts {
    pub(crate) fn facts(&self, queued_keeps: u64, is_open: bool) -> RedisCacheFacts {
        RedisCacheFacts {
            hits: self.hits.now(),
            misses: self.misses.now(),
            unusable: self.unusable.now(),
            failures: self.failures.now(),
            skipped: self.skipped.now(),
            kept: self.kept.now(),
            failed_keeps: self.failed_keeps.now(),
            dropped_keeps: self.dropped_keeps.now(),
            queued_keeps,
            read_bytes: self.read_bytes.now(),
            kept_bytes: self.kept_bytes.now(),
            answer_time: Duration::from_micros(self.answer_micros.now()),
            keep_time: Duration::from_micros(self.keep_micros.now()),
            is_open,
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.more(1);
    }

    pub(crate) fn more(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn micros(&self, time: Duration) {
        self.more(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
