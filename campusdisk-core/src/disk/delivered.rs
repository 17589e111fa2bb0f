//! Which bytes of a content were delivered, told in bounded memory.

use crate::Span;

/// Most spans that are told apart, for one download; each takes 16 bytes.
const SPANS_MAX: usize = 128;

/// The set of delivered bytes.
///
/// When it would take more spans than are told apart, the smallest gap is passed over and the set is approximate from then on: it counts as whole when
/// it covers everything *and* as many bytes went out as the content has.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// In order, each with a gap before the next.
    spans: Vec<Span>,
    approximate: bool,
    sent_bytes: u64,
}

impl Delivered {
    pub(super) fn add(&mut self, span: Span) {
        self.sent_bytes = self.sent_bytes.saturating_add(span.len());
        let first = self.spans.partition_point(|known| known.end() < span.start());
        let after = self.spans.partition_point(|known| known.start() <= span.end());
        let touched = self.spans.get(first..after).unwrap_or_default();
        let start = touched
            .first()
            .map_or(span.start(), |known| known.start().min(span.start()));
        let end = touched
            .last()
            .map_or(span.end(), |known| known.end().max(span.end()));
        self.spans.splice(first..after, Span::new(start, end));
        if self.spans.len() > SPANS_MAX {
            self.pass_over_smallest_gap();
        }
    }

    /// How many bytes went out, those that went out again included.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Whether every byte of a content of this size went out.
    pub(super) fn is_whole(&self, size_bytes: u64) -> bool {
        let covers = match self.spans.as_slice() {
            [] => size_bytes == 0,
            [all] => all.start() == 0 && all.end() >= size_bytes,
            _ => false,
        };
        covers && (!self.approximate || self.sent_bytes >= size_bytes)
    }

    fn pass_over_smallest_gap(&mut self) {
        let gaps = self.spans.windows(2).enumerate();
        let smallest = gaps.filter_map(|(index, pair)| match pair {
            [one, next] => Some((
                next.start() - one.end(),
                index,
                Span::new(one.start(), next.end()),
            )),
            _ => None,
        });
        if let Some((_, index, joined)) = smallest.min_by_key(|(gap, ..)| *gap) {
            self.spans.splice(index..index + 2, joined);
            self.approximate = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: usize = 40;

    fn delivered(spans: &[(u64, u64)]) -> Delivered {
        let mut delivered = Delivered::default();
        for &(start, end) in spans {
            delivered.add(Span::new(start, end).unwrap());
        }
        delivered
    }

    #[test]
    fn one_byte_short_is_not_whole_however_often_the_others_went_out() {
        assert!(!delivered(&[(0, 9), (0, 9), (0, 9)]).is_whole(10));
        assert!(!delivered(&[(1, 10), (1, 10)]).is_whole(10));
        assert!(!delivered(&[(0, 5), (6, 10), (0, 5)]).is_whole(10));
        assert!(delivered(&[(6, 10), (0, 5), (5, 6)]).is_whole(10));
        assert!(delivered(&[]).is_whole(0));
        assert!(!delivered(&[]).is_whole(1));
    }

    #[test]
    fn more_spans_than_are_told_apart_are_whole_only_when_as_many_bytes_went_out() {
        let size = 4 * SPANS_MAX as u64;
        let every_other: Vec<_> = (0..size / 2).map(|index| (2 * index, 2 * index + 1)).collect();
        let mut delivered = delivered(&every_other);
        assert_eq!(delivered.spans.len(), SPANS_MAX);
        for &(start, end) in &every_other {
            delivered.add(Span::new(start + 1, end + 1).unwrap());
            assert_eq!(delivered.is_whole(size), end + 1 == size);
        }
    }

    proptest! {
        #[test]
        fn the_set_says_what_a_table_of_bytes_says(spans in prop::collection::vec((0..SIZE, 1..SIZE), 0..20)) {
            let (mut set, mut table) = (Delivered::default(), [false; SIZE]);
            let mut sent = 0;
            for (start, len) in spans {
                let end = (start + len).min(SIZE);
                set.add(Span::new(start as u64, end as u64).unwrap());
                table[start..end].fill(true);
                sent += (end - start) as u64;
                prop_assert_eq!(set.is_whole(SIZE as u64), table.iter().all(|&there| there));
                prop_assert_eq!(set.sent_bytes(), sent);
                prop_assert!(set.spans.windows(2).all(|pair| pair[0].end() < pair[1].start()));
            }
        }
    }
}
