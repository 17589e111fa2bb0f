//! Who downloads which bytes: every byte has one connection at a time, and is counted once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A rest below this is not worth another request, while bytes come.
const SMALLEST_SPLIT_BYTES: u64 = 128 * 1024;
/// A rest that is done in this time is not worth another request either.
const SHORTEST_SPLIT: Duration = Duration::from_millis(500);
/// Without a byte for so long a connection loses its whole rest to one that has nothing to do.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// A non-empty range of bytes, the end not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64)", into = "(u64, u64)")]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Span {
    pub(crate) fn new(start: u64, end: u64) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    pub(crate) fn len(self) -> u64 {
        self.end - self.start
    }
}

impl TryFrom<(u64, u64)> for Span {
    type Error = &'static str;

    fn try_from((start, end): (u64, u64)) -> Result<Self, Self::Error> {
        Self::new(start, end).ok_or("a span ends after its start")
    }
}

impl From<Span> for (u64, u64) {
    fn from(span: Span) -> Self {
        (span.start, span.end)
    }
}

/// The spans of one file: done, taken by connections, open. Times are counted from the start of the download.
#[derive(Debug)]
pub(crate) struct Spans {
    size: u64,
    /// Written, in order, never touching each other.
    done: Vec<Span>,
    /// Neither done nor taken, in order.
    open: Vec<Span>,
    taken: BTreeMap<usize, Taken>,
}

/// What one connection works on: `start ≤ written ≤ received ≤ end`.
#[derive(Clone, Copy, Debug)]
struct Taken {
    start: u64,
    written: u64,
    received: u64,
    end: u64,
    taken_at: Duration,
    received_at: Duration,
}

impl Spans {
    /// The spans of a file of `size` bytes of which some are done. What lies past the end or overlaps counts once.
    pub(crate) fn new(size: u64, done: &[Span]) -> Self {
        let inside = done
            .iter()
            .filter_map(|span| Span::new(span.start, span.end.min(size)));
        let done = joined(inside.collect());
        let starts = done.iter().map(|span| span.end);
        let ends = done.iter().map(|span| span.start);
        let gaps = [0].into_iter().chain(starts).zip(ends.chain([size]));
        let open = gaps.filter_map(|(start, end)| Span::new(start, end)).collect();
        Self {
            size,
            done,
            open,
            taken: BTreeMap::new(),
        }
    }

    /// Gives a connection that has none a span: the next open one, at most `longest` bytes of it, else half of the
    /// largest rest of another, else the rest of one that stalls. Nothing when there is nothing worth a request.
    pub(crate) fn take(&mut self, connection: usize, longest: u64, now: Duration) -> Option<Span> {
        let span = self.next_open(longest).or_else(|| self.steal(now))?;
        let taken = Taken {
            start: span.start,
            written: span.start,
            received: span.start,
            end: span.end,
            taken_at: now,
            received_at: now,
        };
        self.taken.insert(connection, taken);
        Some(span)
    }

    /// Whether [`take`](Self::take) would give something.
    pub(crate) fn has_work(&self, now: Duration) -> bool {
        !self.open.is_empty() || self.victim(now).is_some()
    }

    /// Says how many of `bytes` that just came are the connection's own: the rest belongs to another by now.
    pub(crate) fn receive(&mut self, connection: usize, bytes: u64, now: Duration) -> u64 {
        let Some(taken) = self.taken.get_mut(&connection) else {
            return 0;
        };
        let own = bytes.min(taken.end - taken.received);
        taken.received += own;
        taken.received_at = now;
        own
    }

    /// The bytes were written that a connection received, so many of them.
    pub(crate) fn wrote(&mut self, connection: usize, bytes: u64) {
        if let Some(taken) = self.taken.get_mut(&connection) {
            taken.written = (taken.written + bytes).min(taken.received);
        }
    }

    /// What a connection has to receive still.
    pub(crate) fn rest(&self, connection: usize) -> Option<Span> {
        let taken = self.taken.get(&connection)?;
        Span::new(taken.received, taken.end)
    }

    /// A connection is through with its span, or gives it up: what it wrote is done, what it did not is open again.
    pub(crate) fn release(&mut self, connection: usize) {
        let Some(taken) = self.taken.remove(&connection) else {
            return;
        };
        if let Some(done) = Span::new(taken.start, taken.written) {
            self.done.push(done);
            self.done = joined(std::mem::take(&mut self.done));
        }
        if let Some(open) = Span::new(taken.written, taken.end) {
            self.open.push(open);
            self.open = joined(std::mem::take(&mut self.open));
        }
    }

    /// What is written, in order.
    pub(crate) fn done(&self) -> Vec<Span> {
        let written = self
            .taken
            .values()
            .filter_map(|taken| Span::new(taken.start, taken.written));
        joined(self.done.iter().copied().chain(written).collect())
    }

    /// Up to where all is written.
    pub(crate) fn prefix_bytes(&self) -> u64 {
        let done = self.done();
        let first = done.first().filter(|span| span.start == 0);
        first.map_or(0, |span| span.end)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.prefix_bytes() == self.size
    }

    fn next_open(&mut self, longest: u64) -> Option<Span> {
        let first = self.open.first_mut()?;
        let whole = *first;
        let end = whole.start.saturating_add(longest.max(1)).min(whole.end);
        match Span::new(end, whole.end) {
            Some(rest) => *first = rest,
            None => {
                self.open.remove(0);
            }
        }
        Span::new(whole.start, end)
    }

    fn steal(&mut self, now: Duration) -> Option<Span> {
        let victim = self.victim(now)?;
        let taken = self.taken.get_mut(&victim)?;
        let rest = taken.end - taken.received;
        let left = if rest < SMALLEST_SPLIT_BYTES { 0 } else { rest / 2 };
        let stolen = Span::new(taken.received + left, taken.end);
        taken.end = taken.received + left;
        stolen
    }

    /// Whose rest is to be shared.
    fn victim(&self, now: Duration) -> Option<usize> {
        let worth = self
            .taken
            .iter()
            .filter(|(_, taken)| taken.is_worth_splitting(now));
        let largest = worth.max_by_key(|(_, taken)| taken.end - taken.received);
        let stalled = || self.taken.iter().find(|(_, taken)| taken.is_stalled(now));
        largest.or_else(stalled).map(|(connection, _)| *connection)
    }
}

impl Taken {
    fn is_worth_splitting(&self, now: Duration) -> bool {
        let rest = self.end - self.received;
        let came = self.received - self.start;
        // As long as the rest takes at the speed so far: rest / (came / elapsed), without the division.
        let elapsed = now.saturating_sub(self.taken_at).as_millis();
        let takes_long = elapsed * u128::from(rest) >= SHORTEST_SPLIT.as_millis() * u128::from(came);
        rest >= SMALLEST_SPLIT_BYTES && takes_long
    }

    fn is_stalled(&self, now: Duration) -> bool {
        self.received < self.end && now.saturating_sub(self.received_at) >= STALLED_AFTER
    }
}

/// How many bytes they have, when none overlap.
pub(crate) fn bytes_of(spans: &[Span]) -> u64 {
    spans.iter().copied().map(Span::len).sum()
}

/// The same bytes in order, with what touches or overlaps made one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn span(start: u64, end: u64) -> Span {
        Span::new(start, end).unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Receives and writes so many bytes.
    fn work(spans: &mut Spans, connection: usize, bytes: u64, now: Duration) -> u64 {
        let own = spans.receive(connection, bytes, now);
        spans.wrote(connection, own);
        own
    }

    #[test]
    fn open_spans_are_taken_in_order_and_not_longer_than_asked() {
        let mut spans = Spans::new(10 * MIB, &[span(0, MIB), span(3 * MIB, 4 * MIB)]);
        let mut take = |connection| spans.take(connection, 2 * MIB, seconds(0));
        assert_eq!(take(0), Some(span(MIB, 3 * MIB)));
        assert_eq!(take(1), Some(span(4 * MIB, 6 * MIB)));
        assert_eq!(take(2), Some(span(6 * MIB, 8 * MIB)));
        assert_eq!(take(3), Some(span(8 * MIB, 10 * MIB)));
    }

    #[test]
    fn who_has_nothing_takes_half_of_the_largest_rest() {
        let mut spans = Spans::new(10 * MIB, &[]);
        spans.take(0, 4 * MIB, seconds(0));
        spans.take(1, 6 * MIB, seconds(0));
        work(&mut spans, 1, MIB, seconds(1));
        assert_eq!(spans.take(2, MIB, seconds(1)), Some(span(15 * MIB / 2, 10 * MIB)));
        assert_eq!(spans.rest(1), Some(span(5 * MIB, 15 * MIB / 2)));
        assert_eq!(
            work(&mut spans, 1, 6 * MIB, seconds(2)),
            5 * MIB / 2,
            "what was stolen is another's"
        );
    }

    #[test]
    fn a_rest_that_is_nearly_done_is_left_to_its_connection_unless_it_stalls() {
        let mut spans = Spans::new(10 * MIB, &[]);
        spans.take(0, 10 * MIB, seconds(0));
        work(&mut spans, 0, 9 * MIB, seconds(1));
        assert_eq!(
            spans.take(1, MIB, seconds(1)),
            None,
            "it needs a ninth of a second"
        );
        work(&mut spans, 0, MIB - 1000, seconds(1));
        assert!(!spans.has_work(seconds(2)));
        assert!(spans.has_work(seconds(3)));
        assert_eq!(
            spans.take(1, MIB, seconds(3)),
            Some(span(10 * MIB - 1000, 10 * MIB))
        );
        assert_eq!(work(&mut spans, 0, 1000, seconds(3)), 0);
    }

    #[test]
    fn what_was_received_and_not_written_is_open_again_after_a_release() {
        let mut spans = Spans::new(1000, &[]);
        spans.take(0, 1000, seconds(0));
        spans.receive(0, 600, seconds(0));
        spans.wrote(0, 400);
        assert_eq!(spans.done(), [span(0, 400)]);
        spans.release(0);
        assert_eq!(spans.take(0, 1000, seconds(0)), Some(span(400, 1000)));
    }

    #[test]
    fn an_empty_file_is_complete_and_has_no_work() {
        let spans = Spans::new(0, &[span(0, 7)]);
        assert!(spans.is_complete() && !spans.has_work(seconds(9)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(usize, u64),
        Receive(usize, u64),
        Release(usize),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..5_usize, 1..2 * MIB).prop_map(|(connection, longest)| Step::Take(connection, longest)),
            (0..5_usize, 1..MIB).prop_map(|(connection, bytes)| Step::Receive(connection, bytes)),
            (0..5_usize).prop_map(Step::Release),
            (1..3000_u64).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// What each connection wrote, byte for byte, as the file's ledger.
    #[derive(Default)]
    struct Written(Vec<Span>);

    impl Written {
        fn receive(&mut self, spans: &mut Spans, connection: usize, bytes: u64, now: Duration) {
            let Some(rest) = spans.rest(connection) else {
                return;
            };
            let own = work(spans, connection, bytes, now);
            self.0.extend(Span::new(rest.start, rest.start + own));
        }
    }

    proptest! {
        #[test]
        fn every_byte_is_downloaded_once_whatever_is_taken_stolen_and_given_up(
            size in 0..12 * MIB,
            done in prop::collection::vec((0..12 * MIB, 1..MIB), 0..4),
            steps in steps(),
        ) {
            let done: Vec<Span> = done.into_iter().map(|(start, len)| span(start, start + len)).collect();
            let mut spans = Spans::new(size, &done);
            let mut written = Written(spans.done());
            let mut now = Duration::ZERO;
            for step in steps {
                match step {
                    Step::Take(connection, longest) if spans.rest(connection).is_none() => {
                        spans.release(connection);
                        spans.take(connection, longest, now);
                    }
                    Step::Take(..) => {}
                    Step::Receive(connection, bytes) => {
                        written.receive(&mut spans, connection, bytes, now);
                    }
                    Step::Release(connection) => spans.release(connection),
                    Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                }
                prop_assert_eq!(bytes_of(&spans.done()), bytes_of(&written.0));
            }
            // One connection finishes what is left; those that stalled lose their rests to it.
            for connection in 0..5 {
                spans.release(connection);
            }
            while spans.take(9, MIB, now).is_some() {
                written.receive(&mut spans, 9, u64::MAX, now);
                spans.release(9);
            }
            prop_assert!(spans.is_complete());
            written.0.sort_unstable();
            let ends = written.0.iter().map(|span| span.end);
            let starts = written.0.iter().map(|span| span.start);
            let meeting = [0].into_iter().chain(ends).zip(starts.chain([size]));
            prop_assert!(meeting.into_iter().all(|(end, start)| end == start), "{:?}", written.0);
        }
    }
}
