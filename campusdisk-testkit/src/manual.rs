//! A clock and an id source that tests move by hand.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use campusdisk_core::{Clock, IdSource, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock at 2026-09-01T00:00:00Z.
    pub const fn new() -> Self {
        Self(AtomicI64::new(1_788_220_800_000))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(
            i64::try_from(by.as_millis()).unwrap_or(i64::MAX),
            Ordering::SeqCst,
        );
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Numbers that look random, differ from one another, and are the same in every run.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdSource for SequentialIds {
    fn random(&self) -> u128 {
        let step = u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1;
        // An odd factor is a bijection on 128 bits: distinct steps give distinct, spread numbers.
        step.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    }
}
