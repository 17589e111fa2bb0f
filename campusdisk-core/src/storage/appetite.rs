//! How much of a blob is asked for at once. All of it may lie in memory until it is taken, so it is little for who takes it slowly.

use std::time::Duration;

use tokio::time::Instant;

/// What is asked for at first, and for whoever is slow.
const LEAST_BYTES: u64 = 384 << 10;

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

    /// How many bytes to ask for now: 384 KiB for who is not quick.
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

/// How much a client takes before its pace is judged.
const JUDGED_BYTES: u64 = 512 << 10;

/// What the buffers of a connection take from anybody, so that little of it waits in memory.
const FIRST_BYTES: u64 = 1 << 20;

/// What is handed over at once to whoever is quick, or just begins, and to the others.
const QUICK_PIECE_BYTES: usize = 256 << 10;
const SLOW_PIECE_BYTES: usize = 64 << 10;

/// The pace of one client, by how long it lets what it is handed wait: for makers of stores that can choose how much that is.
#[derive(Debug)]
pub struct Pace {
    appetite: Appetite,
    taken_bytes: u64,
    /// What was taken since the pace was judged, and for how long the client let it wait.
    unjudged_bytes: u64,
    waited: Duration,
    handed: Option<Instant>,
}

impl Default for Pace {
    /// Nothing is known yet.
    fn default() -> Self {
        Self {
            appetite: Appetite::new(QUICK_PIECE_BYTES as u64),
            taken_bytes: 0,
            unjudged_bytes: 0,
            waited: Duration::ZERO,
            handed: None,
        }
    }
}

impl Pace {
    /// Whether the client took much, and quickly.
    pub fn is_quick(&self) -> bool {
        self.appetite.is_quick()
    }

    /// How much the client was handed so far.
    pub fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// How much to hand over next: 256 KiB of the first MiB and to whoever is quick, else 64 KiB.
    pub fn piece_bytes(&self) -> usize {
        match self.appetite.is_quick() || self.taken_bytes < FIRST_BYTES {
            true => QUICK_PIECE_BYTES,
            false => SLOW_PIECE_BYTES,
        }
    }

    /// The client asks for more.
    pub fn is_back(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.waited += handed.elapsed();
        }
        if self.unjudged_bytes >= JUDGED_BYTES {
            self.appetite.took(
                std::mem::take(&mut self.unjudged_bytes),
                std::mem::take(&mut self.waited),
            );
        }
    }

    /// The client was handed so much.
    pub fn handed(&mut self, bytes: usize) {
        self.taken_bytes += bytes as u64;
        self.unjudged_bytes += bytes as u64;
        self.handed = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn who_is_quick_is_soon_given_whole_windows_and_who_slows_down_none() {
        let mut appetite = Appetite::new(4 * MIB);
        for _ in 0..TRUSTED_BYTES.div_ceil(LEAST_BYTES) {
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

    #[tokio::test(start_paused = true)]
    async fn after_the_first_mib_only_the_quick_are_handed_much_at_once() {
        let (mut quick, mut slow) = (Pace::default(), Pace::default());
        for _ in 0..4 {
            assert_eq!([quick.piece_bytes(), slow.piece_bytes()], [QUICK_PIECE_BYTES; 2]);
            quick.handed(QUICK_PIECE_BYTES);
            slow.handed(QUICK_PIECE_BYTES);
        }
        assert_eq!([quick.piece_bytes(), slow.piece_bytes()], [SLOW_PIECE_BYTES; 2]);
        for _ in 0..128 {
            quick.is_back();
            quick.handed(SLOW_PIECE_BYTES);
        }
        quick.is_back();
        for _ in 0..128 {
            slow.is_back();
            slow.handed(SLOW_PIECE_BYTES);
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        slow.is_back();
        assert_eq!(quick.piece_bytes(), QUICK_PIECE_BYTES);
        assert_eq!(slow.piece_bytes(), SLOW_PIECE_BYTES);
    }
}
