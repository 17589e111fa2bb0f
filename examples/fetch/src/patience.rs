//! How long to wait after a failure, and when to give up.

use std::time::Duration;

/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No wait of ours is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Who asks for a longer wait than this is not waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another try after this time.
    Wait(Duration),
    /// Too many tries in a row brought nothing.
    GiveUp { tries: u32 },
    /// The server asks for more time than a download waits.
    TooLong(Duration),
}

/// Counts the failures of all connections of a download since its last byte. Times are counted from its start.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: u32,
    tries: u32,
    received_bytes: u64,
    /// Failures before this tell nothing new: one outage hits all connections.
    waits_until: Duration,
}

impl Patience {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            tries: 0,
            received_bytes: 0,
            waits_until: Duration::ZERO,
        }
    }

    /// A try failed. `received_bytes` is what came by all connections so far: when it grew, counting begins anew.
    /// `chance` in 0..1 spreads the tries of many clients.
    pub(crate) fn failed(
        &mut self,
        received_bytes: u64,
        retry_after: Option<Duration>,
        chance: f64,
        now: Duration,
    ) -> Verdict {
        let asked = retry_after.unwrap_or_default();
        if asked > LONGEST_RETRY_AFTER {
            return Verdict::TooLong(asked);
        }
        if received_bytes != self.received_bytes {
            self.received_bytes = received_bytes;
            self.tries = 0;
            self.waits_until = now;
        }
        if self.tries > 0 && now < self.waits_until {
            return Verdict::Wait(asked.max(self.waits_until - now));
        }
        self.tries += 1;
        if self.tries >= self.limit {
            return Verdict::GiveUp { tries: self.tries };
        }
        let doubled = FIRST_WAIT.saturating_mul(1 << (self.tries - 1).min(16));
        let wait = doubled.min(LONGEST_WAIT).mul_f64(0.5 + chance / 2.0).max(asked);
        self.waits_until = now + wait;
        Verdict::Wait(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Duration = Duration::ZERO;

    #[test]
    fn waits_double_up_to_a_limit_until_it_gives_up() {
        let mut patience = Patience::new(10);
        let mut now = ZERO;
        let mut waits = Vec::new();
        while let Verdict::Wait(wait) = patience.failed(0, None, 1.0, now) {
            waits.push(wait.as_millis());
            now += wait;
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(patience.failed(0, None, 1.0, now), Verdict::GiveUp { tries: 11 });
    }

    #[test]
    fn chance_takes_up_to_half_of_a_wait() {
        let wait = |chance| Patience::new(2).failed(0, None, chance, ZERO);
        assert_eq!(wait(0.0), Verdict::Wait(FIRST_WAIT / 2));
        assert_eq!(wait(1.0), Verdict::Wait(FIRST_WAIT));
    }

    #[test]
    fn a_byte_begins_the_counting_anew() {
        let mut patience = Patience::new(2);
        for byte in 1..100 {
            let verdict = patience.failed(byte, None, 1.0, Duration::from_secs(byte));
            assert_eq!(verdict, Verdict::Wait(FIRST_WAIT));
        }
        assert_eq!(
            patience.failed(99, None, 1.0, Duration::from_secs(100)),
            Verdict::GiveUp { tries: 2 }
        );
    }

    #[test]
    fn one_outage_that_hits_all_connections_counts_once() {
        let mut patience = Patience::new(2);
        for _ in 0..8 {
            assert_eq!(patience.failed(5, None, 1.0, ZERO), Verdict::Wait(FIRST_WAIT));
        }
    }

    #[test]
    fn the_server_may_ask_for_more_time_but_not_for_hours() {
        let asked = |seconds| Patience::new(8).failed(0, Some(Duration::from_secs(seconds)), 1.0, ZERO);
        assert_eq!(asked(60), Verdict::Wait(Duration::from_secs(60)));
        assert_eq!(asked(0), Verdict::Wait(FIRST_WAIT));
        assert_eq!(asked(3600), Verdict::TooLong(Duration::from_secs(3600)));
    }
}
