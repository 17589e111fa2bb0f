//! Slows guessing: so many failures in a window, then a wait.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use campusdisk_core::Timestamp;
use tokio::sync::Notify;

use crate::SecretHash;

/// Counts failures per key in a sliding window, in bounded memory.
///
/// Attempts that run count as failures that may still be forgiven, so many at once can't slip through; an attempt that
/// finds the count full of running ones waits for their outcome, so many who know the password are not refused.
#[derive(Debug)]
pub(crate) struct Throttle {
    failures: usize,
    window: Duration,
    max_entries: usize,
    entries: Mutex<HashMap<ThrottleKey, Entry>>,
}

/// Whose failures are counted together; a hash, so that long names take no more room than short ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ThrottleKey(SecretHash);

impl ThrottleKey {
    /// One account from one address.
    pub(crate) fn of(account: &str, address: Option<IpAddr>) -> Self {
        let address = address
            .map(|address| address.to_canonical().to_string())
            .unwrap_or_default();
        Self(SecretHash::of(&format!("{address}\n{account}")))
    }
}

#[derive(Debug, Default)]
struct Entry {
    failed: VecDeque<Timestamp>,
    running: usize,
    settled: Arc<Notify>,
}

/// An attempt that runs. Dropped without [`forgive`](Self::forgive) it counts as failed when it began.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    key: ThrottleKey,
    began: Timestamp,
    forgiven: bool,
}

impl Throttle {
    pub(crate) fn new(failures: u32, window: Duration, max_entries: usize) -> Self {
        Self {
            failures: failures as usize,
            window,
            max_entries,
            entries: Mutex::default(),
        }
    }

    /// Admits an attempt, or says how long to wait.
    pub(crate) async fn begin(&self, key: ThrottleKey, now: Timestamp) -> Result<Attempt<'_>, Duration> {
        loop {
            let settled = {
                let mut entries = self.entries();
                self.make_room(&mut entries, &key, now);
                let entry = entries.entry(key).or_default();
                entry.forget_before(now, self.window);
                match entry.failed.front() {
                    Some(oldest) if entry.failed.len() >= self.failures => {
                        return Err((*oldest + self.window).since(now));
                    }
                    _ if entry.failed.len() + entry.running < self.failures => {
                        entry.running += 1;
                        return Ok(Attempt {
                            throttle: self,
                            key,
                            began: now,
                            forgiven: false,
                        });
                    }
                    // Registered before the lock is let go: an outcome in between is not missed.
                    _ => entry.settled.clone().notified_owned(),
                }
            };
            settled.await;
        }
    }

    /// Keeps the map within its bound: drops what is over, then the entries whose last failure is oldest.
    fn make_room(&self, entries: &mut HashMap<ThrottleKey, Entry>, key: &ThrottleKey, now: Timestamp) {
        if entries.len() < self.max_entries || entries.contains_key(key) {
            return;
        }
        entries.retain(|_, entry| {
            entry.forget_before(now, self.window);
            entry.running > 0 || !entry.failed.is_empty()
        });
        if entries.len() < self.max_entries {
            return;
        }
        // An eighth at a time, so that a full map is not searched at every attempt.
        let mut idle: Vec<_> = entries
            .iter()
            .filter(|(_, entry)| entry.running == 0)
            .map(|(key, entry)| (entry.failed.back().copied(), *key))
            .collect();
        idle.sort_unstable_by_key(|(last, _)| *last);
        idle.truncate(self.max_entries.div_ceil(8));
        for (_, key) in idle {
            entries.remove(&key);
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<ThrottleKey, Entry>> {
        // No code panics while it holds the lock; counts stay usable even if one did.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn forget_before(&mut self, now: Timestamp, window: Duration) {
        // A failure after now was noted before somebody set the clock back; it must not count until then.
        self.failed.retain(|at| *at <= now && now.since(*at) < window);
    }
}

impl Attempt<'_> {
    /// It was no failure.
    pub(crate) fn forgive(mut self) {
        self.forgiven = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut entries = self.throttle.entries();
        let Some(entry) = entries.get_mut(&self.key) else {
            return;
        };
        entry.running = entry.running.saturating_sub(1);
        if !self.forgiven {
            entry.failed.push_back(self.began);
        }
        entry.settled.notify_waiters();
        if entry.running == 0 && entry.failed.is_empty() {
            entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn throttle() -> Throttle {
        Throttle::new(3, Duration::from_secs(60), 8)
    }

    fn key(name: &str) -> ThrottleKey {
        ThrottleKey::of(name, Some([10, 0, 0, 1].into()))
    }

    async fn fail(throttle: &Throttle, key: ThrottleKey, now: Timestamp) {
        drop(throttle.begin(key, now).await.unwrap());
    }

    #[tokio::test]
    async fn the_window_slides_and_says_how_long_to_wait() {
        let throttle = throttle();
        for second in [0, 10, 20] {
            fail(&throttle, key("a"), at(second)).await;
        }
        assert_eq!(
            throttle.begin(key("a"), at(30)).await.unwrap_err(),
            Duration::from_secs(30)
        );
        fail(&throttle, key("a"), at(60)).await;
        assert_eq!(
            throttle.begin(key("a"), at(61)).await.unwrap_err(),
            Duration::from_secs(9)
        );
        fail(&throttle, key("b"), at(61)).await;
        fail(&throttle, ThrottleKey::of("a", None), at(61)).await;
    }

    #[tokio::test]
    async fn a_forgiven_attempt_leaves_nothing() {
        let throttle = throttle();
        for _ in 0..10 {
            throttle.begin(key("a"), at(0)).await.unwrap().forgive();
        }
        assert!(throttle.entries().is_empty());
    }

    #[tokio::test]
    async fn attempts_beside_one_another_wait_for_the_outcome_of_those_before() {
        let throttle = throttle();
        let mut running = Vec::new();
        for _ in 0..3 {
            running.push(throttle.begin(key("a"), at(0)).await.unwrap());
        }
        let settle = async {
            running.pop().unwrap().forgive();
            tokio::task::yield_now().await;
            running.clear();
        };
        let (fourth, ()) = tokio::join!(throttle.begin(key("a"), at(0)), settle);
        drop(fourth.unwrap());
        assert!(throttle.begin(key("a"), at(0)).await.is_err());
    }

    #[tokio::test]
    async fn the_memory_is_bounded_and_the_newest_failures_stay() {
        let throttle = throttle();
        for second in 0..30 {
            fail(&throttle, key(&second.to_string()), at(second)).await;
            assert!(throttle.entries().len() <= 8);
        }
        assert!(throttle.entries().contains_key(&key("29")) && !throttle.entries().contains_key(&key("0")));
    }

    #[tokio::test]
    async fn a_clock_set_back_does_not_lock_anybody_out() {
        let throttle = throttle();
        for _ in 0..3 {
            fail(&throttle, key("a"), at(1_000_000)).await;
        }
        assert!(throttle.begin(key("a"), at(0)).await.is_ok());
    }
}
