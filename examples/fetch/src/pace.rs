//! How many connections are worth having: twice as many while that brings more, then one more at a time.

use std::time::Duration;

/// By how much of the rate before each further connection has to raise it, at least.
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
    /// Until the first trial without gain: a short download would be over before one after the other had joined.
    doubles: bool,
    trial: Option<Trial>,
    rest: Duration,
    rests_until: Duration,
}

/// More connections, to see what they bring.
#[derive(Clone, Copy, Debug)]
struct Trial {
    connections_before: usize,
    bytes_per_second_before: f64,
    looks: u32,
}

impl Trial {
    /// The rate from which on they are worth having.
    fn worthwhile(self, connections: usize) -> f64 {
        let gain = GAIN.min(GAIN_OF_ONE / self.connections_before as f64);
        let joined = connections.saturating_sub(self.connections_before);
        self.bytes_per_second_before * (1.0 + gain * joined as f64)
    }
}

impl Pace {
    pub(crate) fn new(first: usize, limit: usize) -> Self {
        Self {
            connections: first.min(limit),
            limit,
            doubles: true,
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
            if bytes_per_second < trial.worthwhile(self.connections) {
                trial.looks += 1;
                if trial.looks >= LOOKS_WITHOUT_GAIN {
                    let before = trial.connections_before;
                    self.go_back(before, now);
                }
                return;
            }
            self.rest = FIRST_REST;
            self.trial = None;
        }
        if self.connections < self.limit && now >= self.rests_until {
            let before = self.connections;
            let more = if self.doubles { before } else { 1 };
            self.connections = self.limit.min(before + more);
            self.trial = Some(Trial {
                connections_before: before,
                bytes_per_second_before: bytes_per_second,
                looks: 0,
            });
        }
    }

    /// The server had too much to do for `open` connections: there are never as many again.
    pub(crate) fn crowded(&mut self, open: usize) {
        self.limit = self.limit.min(open.saturating_sub(1)).max(1);
        self.connections = self.connections.min(self.limit);
        self.doubles = false;
        self.trial = None;
    }

    fn go_back(&mut self, connections: usize, now: Duration) {
        self.connections = connections;
        self.doubles = false;
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
    fn there_are_twice_as_many_at_each_look_while_the_rate_grows_with_them() {
        let mut pace = Pace::new(2, 13);
        assert_eq!(run(&mut pace, 0..6, 50.0, 1e9), [4, 8, 13, 13, 13, 13]);
        let mut many = Pace::new(1, 64);
        run(&mut many, 0..8, 50.0, 1e9);
        assert_eq!(many.connections(), 64);
    }

    #[test]
    fn after_too_many_at_once_one_joins_at_a_time() {
        let mut pace = Pace::new(4, 8);
        // A line for five.
        assert_eq!(
            run(&mut pace, 0..14, 50.0, 250.0),
            [8, 8, 4, 4, 4, 4, 4, 5, 6, 6, 5, 5, 5, 5]
        );
    }

    #[test]
    fn it_goes_back_when_one_more_brings_nothing_and_tries_again_ever_later() {
        let mut pace = Pace::new(2, 8);
        assert_eq!(run(&mut pace, 0..8, 50.0, 100.0), [4, 4, 2, 2, 2, 2, 2, 3]);
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
