//! How many connections are worth having: one more while it brings more.

use std::time::Duration;

/// By how much of the rate before one more connection has to raise it, at least.
const GAIN: f64 = 0.1;
/// Or by how much of the average of the connections before, where that is less: of many, one can't bring a tenth.
const GAIN_OF_ONE: f64 = 0.5;
/// After so many looks without gain it goes back; one look may meet a moment of bad luck, or a slow start.
const LOOKS_WITHOUT_GAIN: u32 = 2;
/// How long it leaves it at that before it tries one more again; doubled each time.
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Decides how many connections there should be. Times are counted from the start of the download.
#[derive(Debug)]
pub(crate) struct Pace {
    connections: usize,
    limit: usize,
    trial: Option<Trial>,
    rest: Duration,
    rests_until: Duration,
}

/// One more connection, to see what it brings.
#[derive(Clone, Copy, Debug)]
struct Trial {
    bytes_per_second_before: f64,
    looks: u32,
}

impl Pace {
    pub(crate) fn new(first: usize, limit: usize) -> Self {
        Self {
            connections: first.min(limit),
            limit,
            trial: None,
            rest: FIRST_REST,
            rests_until: Duration::ZERO,
        }
    }

    /// How many connections there should be.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Looks at the rate of all connections together, while each of them receives.
    pub(crate) fn look(&mut self, bytes_per_second: f64, now: Duration) {
        if let Some(trial) = &mut self.trial {
            let others = self.connections.saturating_sub(1).max(1) as f64;
            let gain = GAIN.min(GAIN_OF_ONE / others);
            if bytes_per_second < trial.bytes_per_second_before * (1.0 + gain) {
                trial.looks += 1;
                if trial.looks >= LOOKS_WITHOUT_GAIN {
                    self.go_back(now);
                }
                return;
            }
            self.rest = FIRST_REST;
            self.trial = None;
        }
        if self.connections < self.limit && now >= self.rests_until {
            self.connections += 1;
            self.trial = Some(Trial {
                bytes_per_second_before: bytes_per_second,
                looks: 0,
            });
        }
    }

    /// The server had too much to do for `open` connections: there are never as many again.
    pub(crate) fn crowded(&mut self, open: usize) {
        self.limit = self.limit.min(open.saturating_sub(1)).max(1);
        self.connections = self.connections.min(self.limit);
        self.trial = None;
    }

    fn go_back(&mut self, now: Duration) {
        self.connections -= 1;
        self.trial = None;
        self.rests_until = now + self.rest;
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once a second at a line that gives each connection its share up to what it can carry.
    fn run(pace: &mut Pace, seconds: std::ops::Range<u64>, each: f64, line: f64) -> Vec<usize> {
        seconds
            .map(|second| {
                let rate = (pace.connections() as f64 * each).min(line);
                pace.look(rate, Duration::from_secs(second));
                pace.connections()
            })
            .collect()
    }

    #[test]
    fn one_joins_at_each_look_while_the_rate_grows_with_them() {
        let mut pace = Pace::new(2, 8);
        assert_eq!(run(&mut pace, 0..8, 50.0, 1e9), [3, 4, 5, 6, 7, 8, 8, 8]);
        let mut many = Pace::new(2, 32);
        run(&mut many, 0..40, 50.0, 1e9);
        assert_eq!(many.connections(), 32);
    }

    #[test]
    fn it_goes_back_when_one_more_brings_nothing_and_tries_again_ever_later() {
        let mut pace = Pace::new(2, 8);
        assert_eq!(run(&mut pace, 0..8, 50.0, 100.0), [3, 3, 2, 2, 2, 2, 2, 3]);
        let tried = run(&mut pace, 8..200, 50.0, 100.0);
        let rare = tried.iter().filter(|connections| **connections > 2).count();
        assert!(
            rare <= 12 && tried.iter().all(|connections| *connections <= 3),
            "{tried:?}"
        );
    }

    #[test]
    fn a_crowded_server_gets_fewer_for_good() {
        let mut pace = Pace::new(8, 8);
        pace.crowded(8);
        assert_eq!(pace.connections(), 7);
        pace.crowded(3);
        run(&mut pace, 0..100, 50.0, 1e9);
        assert_eq!(pace.connections(), 2);
        pace.crowded(1);
        assert_eq!(pace.connections(), 1, "one is left always");
    }
}
