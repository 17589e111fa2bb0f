//! Guessing made slow: counts of wrong share passwords, and few hashes at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Policy, ShareId, Timestamp};

/// Hashes of passwords at a time; each takes 7 MiB and some 20 ms of a core.
const HASHES: usize = 2;
/// Keys kept in one table before those whose window is over are thrown out.
const TABLE_ENTRIES: usize = 100_000;

pub(super) struct Throttles {
    share: Window<ShareId>,
    address: Window<IpAddr>,
    hashes: Semaphore,
}

impl Throttles {
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            share: Window::new(policy.share_tries_per_hour, Duration::from_secs(60 * 60)),
            address: Window::new(policy.address_tries_per_minute, Duration::from_secs(60)),
            hashes: Semaphore::new(HASHES),
        }
    }

    /// Takes one try, or says how long to wait before there is another.
    pub(super) fn take(&self, share: ShareId, address: IpAddr, now: Timestamp) -> Option<Duration> {
        if let Some(wait) = self.share.take(share, now) {
            return Some(wait);
        }
        let wait = self.address.take(address, now);
        if wait.is_some() {
            self.share.give_back(&share);
        }
        wait
    }

    /// Gives a try back whose password was right.
    pub(super) fn give_back(&self, share: ShareId, address: IpAddr) {
        self.share.give_back(&share);
        self.address.give_back(&address);
    }

    /// Waits for a place among the few hashes at a time.
    pub(super) async fn hashing(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.hashes.acquire().await.ok()
    }
}

/// Counts by key in windows that begin with the first count.
struct Window<K> {
    limit: u32,
    period: Duration,
    counts: Mutex<HashMap<K, (Timestamp, u32)>>,
}

impl<K: Eq + Hash> Window<K> {
    fn new(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            counts: Mutex::default(),
        }
    }

    fn take(&self, key: K, now: Timestamp) -> Option<Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= TABLE_ENTRIES {
            counts.retain(|_, (since, _)| now.since(*since) < self.period);
        }
        let entry = counts.entry(key).or_insert((now, 0));
        if now.since(entry.0) >= self.period {
            *entry = (now, 0);
        }
        if entry.1 >= self.limit {
            return Some(self.period.saturating_sub(now.since(entry.0)));
        }
        entry.1 += 1;
        None
    }

    fn give_back(&self, key: &K) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = counts.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_again_when_its_period_is_over() {
        let window = Window::new(2, Duration::from_secs(60));
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert_eq!(window.take("a", at(0)), None);
        assert_eq!(window.take("a", at(10)), None);
        assert_eq!(window.take("a", at(20)), Some(Duration::from_secs(40)));
        assert_eq!(window.take("b", at(20)), None);
        window.give_back(&"a");
        assert_eq!(window.take("a", at(21)), None);
        assert_eq!(window.take("a", at(22)), Some(Duration::from_secs(38)));
        assert_eq!(window.take("a", at(60)), None);
    }
}
