//! How much of a blob is asked for at once. All of it may lie in memory until it is taken, so it is little for who takes it slowly.

use std::time::Duration;

/// What is asked for at first, and for whoever is slow.
const LEAST_BYTES: u64 = 512 << 10;

/// Who takes less is slow.
const QUICK_BYTES_PER_SECOND: u64 = 8 << 20;

/// Who took this much without being slow is quick. The buffers of connections take some MiB from anybody, which says nothing of who
/// reads at their other end.
const TRUSTED_BYTES: u64 = 8 << 20;

/// What a client seems to take without a pause: for makers of stores that ask for a span in windows.
///
/// Who takes 8 MiB without being slower than 8 MiB/s is quick, until it is slower.
#[derive(Debug)]
pub struct Appetite {
    most_bytes: u64,
    /// What it took since it was last slow.
    quick_bytes: u64,
}

impl Appetite {
    /// Nothing is known yet; never is asked for more than `most_bytes`.
    pub fn new(most_bytes: u64) -> Self {
        Self {
            most_bytes,
            quick_bytes: 0,
        }
    }

    /// Whether it may soon prove quick.
    pub fn is_promising(&self) -> bool {
        self.quick_bytes >= TRUSTED_BYTES / 4
    }

    /// Whether it took much, and quickly.
    pub fn is_quick(&self) -> bool {
        self.quick_bytes >= TRUSTED_BYTES
    }

    /// How many bytes to ask for now: 512 KiB of who is not quick.
    pub fn window_bytes(&self) -> u64 {
        match self.is_quick() {
            true => self.most_bytes,
            false => LEAST_BYTES.min(self.most_bytes),
        }
    }

    /// So much was taken, which the client took this long for, without the time that the cluster needed.
    pub fn took(&mut self, bytes: u64, time: Duration) {
        let quickly = u128::from(bytes) * 1000 >= u128::from(QUICK_BYTES_PER_SECOND) * time.as_millis();
        self.quick_bytes = if quickly {
            self.quick_bytes.saturating_add(bytes)
        } else {
            0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn who_is_quick_is_soon_given_whole_windows_and_who_slows_down_none() {
        let mut appetite = Appetite::new(4 * MIB);
        for _ in 0..16 {
            assert_eq!(appetite.window_bytes(), LEAST_BYTES);
            appetite.took(LEAST_BYTES, Duration::from_millis(1));
        }
        assert_eq!(appetite.window_bytes(), 4 * MIB);
        appetite.took(4 * MIB, Duration::from_millis(500));
        assert_eq!(appetite.window_bytes(), 4 * MIB, "8 MiB a second are quick");
        appetite.took(4 * MIB, Duration::from_millis(501));
        assert_eq!(appetite.window_bytes(), LEAST_BYTES);
    }

    #[test]
    fn what_buffers_take_at_once_makes_nobody_quick() {
        let mut appetite = Appetite::new(4 * MIB);
        for _ in 0..8 {
            appetite.took(LEAST_BYTES, Duration::ZERO);
        }
        assert_eq!(appetite.window_bytes(), LEAST_BYTES);
    }

    #[test]
    fn no_window_is_above_the_largest() {
        let mut appetite = Appetite::new(300_000);
        assert_eq!(appetite.window_bytes(), 300_000);
        appetite.took(100 * MIB, Duration::ZERO);
        assert_eq!(appetite.window_bytes(), 300_000);
    }
}
