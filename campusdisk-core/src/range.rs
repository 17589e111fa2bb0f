//! Byte ranges as requests ask for them (RFC 9110 §14), without any HTTP type.

use crate::Span;

/// The members of a `Range` header, in the order asked: 1 to [`MAX_MEMBERS`](Self::MAX_MEMBERS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSet(Vec<Member>);

/// What a [`RangeSet`] comes to for a given size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// These parts, none empty, no two overlapping or adjacent, in the order asked.
    Parts(Vec<Span>),
    /// Everything: the members ask for more than there is.
    Whole,
    /// No member has a byte in it.
    Unsatisfiable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    /// From a position to the end.
    From(u64),
    /// From a position to a position, both inclusive.
    Between(u64, u64),
    /// The last so many bytes.
    Last(u64),
}

impl RangeSet {
    /// More members than this are not looked at: the whole file is sent instead.
    pub const MAX_MEMBERS: usize = 64;

    /// Reads all lines of the header. `None`, which means that the header is to be ignored (§14.2), when there is no
    /// line or several, when the unit is not `bytes`, when any member is malformed, or when there are too many.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut lines = lines.into_iter();
        let line = lines.next()?;
        if lines.next().is_some() {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?.trim_matches([' ', '\t']);
        let (unit, set) = text.split_once('=')?;
        // §14.1: range units are compared without case.
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut members = Vec::new();
        for text in set.split(',').map(|text| text.trim_matches([' ', '\t'])) {
            // §5.6.1.2: empty members of a list are skipped.
            if text.is_empty() {
                continue;
            }
            if members.len() == Self::MAX_MEMBERS {
                return None;
            }
            members.push(Member::parse(text)?);
        }
        (!members.is_empty()).then_some(Self(members))
    }

    /// What it comes to for something of `size_bytes`.
    pub fn resolve(&self, size_bytes: u64) -> Resolved {
        let spans: Vec<_> = self
            .0
            .iter()
            .filter_map(|member| member.clamp(size_bytes))
            .collect();
        let Some(total) = spans
            .iter()
            .try_fold(0u64, |total, span| total.checked_add(span.len()))
        else {
            return Resolved::Whole;
        };
        // §14.2: many ranges that overlap are either a mistake or an attack; one whole copy is cheaper for both.
        if total > size_bytes {
            return Resolved::Whole;
        }
        if spans.is_empty() {
            return Resolved::Unsatisfiable;
        }
        Resolved::Parts(join(spans))
    }
}

impl Member {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(position(last)?)),
            (first, "") => Some(Self::From(position(first)?)),
            (first, last) => {
                let member = Self::Between(position(first)?, position(last)?);
                // §14.1.1: a last position before the first makes the whole header invalid.
                is_at_most(first, last).then_some(member)
            }
        }
    }

    /// The bytes that are there (§14.1.2).
    fn clamp(self, size_bytes: u64) -> Option<Span> {
        match self {
            Self::From(first) => Span::new(first, size_bytes),
            Self::Between(first, last) => Span::new(first, last.saturating_add(1).min(size_bytes)),
            Self::Last(len) => Span::new(size_bytes.saturating_sub(len), size_bytes),
        }
    }
}

/// A number of any length; what is past 2^64 is past every size all the same.
fn position(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u64::MAX))
}

fn is_at_most(first: &str, last: &str) -> bool {
    let significant = |text: &str| text.trim_start_matches('0').to_owned();
    let (first, last) = (significant(first), significant(last));
    (first.len(), first) <= (last.len(), last)
}

/// Joins what overlaps or is adjacent, at the place of the one asked for first.
fn join(spans: Vec<Span>) -> Vec<Span> {
    let mut parts: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        let touches = |part: &Span| part.start() <= span.end() && span.start() <= part.end();
        let Some(place) = parts.iter().position(touches) else {
            parts.push(span);
            continue;
        };
        // Parts never touch each other, so whatever the joined one touches, the new span touched.
        let mut joined = span;
        parts.retain(|part| {
            let taken = touches(part);
            if taken {
                joined = hull(joined, *part);
            }
            !taken
        });
        parts.insert(place.min(parts.len()), joined);
    }
    parts
}

fn hull(one: Span, other: Span) -> Span {
    Span::new(one.start().min(other.start()), one.end().max(other.end())).unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn resolve(text: &str, size_bytes: u64) -> Option<Resolved> {
        Some(RangeSet::parse([text.as_bytes()])?.resolve(size_bytes))
    }

    fn parts(ranges: &[(u64, u64)]) -> Option<Resolved> {
        let spans = ranges.iter().map(|&(start, end)| Span::new(start, end).unwrap());
        Some(Resolved::Parts(spans.collect()))
    }

    #[test]
    fn single_ranges_are_clamped() {
        assert_eq!(resolve("bytes=0-0", 10), parts(&[(0, 1)]));
        assert_eq!(resolve("bytes=5-", 10), parts(&[(5, 10)]));
        assert_eq!(resolve("bytes=-3", 10), parts(&[(7, 10)]));
        assert_eq!(resolve("bytes=-30", 10), parts(&[(0, 10)]));
        assert_eq!(resolve("bytes=8-99", 10), parts(&[(8, 10)]));
        assert_eq!(
            resolve("bytes=8-99999999999999999999999999", 10),
            parts(&[(8, 10)])
        );
        assert_eq!(resolve("Bytes=00-0009", 10), parts(&[(0, 10)]));
        assert_eq!(resolve(" bytes= 0-1 ,\t,3-4, ", 10), parts(&[(0, 2), (3, 5)]));
    }

    #[test]
    fn ranges_without_a_byte_are_unsatisfiable() {
        for text in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=-0",
            "bytes=99999999999999999999999999-",
            "bytes=-0,10-,77-99",
        ] {
            assert_eq!(resolve(text, 10), Some(Resolved::Unsatisfiable), "{text}");
        }
        assert_eq!(resolve("bytes=-0,10-,2-3", 10), parts(&[(2, 4)]));
    }

    #[test]
    fn what_is_malformed_is_ignored_as_a_whole() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=--1",
            "bytes=1",
            "bytes=a-b",
            "bytes=2-1",
            "bytes=0-1,2-1",
            "bytes=99999999999999999999999999-99999999999999999999999998",
            "bytes=0-1;2-3",
            "bytes=0 -1",
            "bytes =0-1",
            "bytes=+0-1",
            "bytes=0x0-1",
            "bytes=0-1-2",
            "bytes=٠-١",
            "items=0-1",
            "bytes:0-1",
        ] {
            assert_eq!(resolve(text, 10), None, "{text}");
        }
        assert_eq!(RangeSet::parse([&b"bytes=0-1"[..], b"bytes=0-1"]), None);
        assert_eq!(RangeSet::parse([&b"bytes=0-\xff"[..]]), None);
        assert_eq!(RangeSet::parse([]), None);
    }

    #[test]
    fn sixty_four_members_are_read_and_sixty_five_are_not() {
        let set = |count: usize| format!("bytes={}", vec!["99-"; count].join(",,"));
        assert_eq!(resolve(&set(64), 10), Some(Resolved::Unsatisfiable));
        assert_eq!(resolve(&set(65), 10), None);
    }

    #[test]
    fn members_that_add_up_to_more_than_the_length_give_the_whole() {
        assert_eq!(resolve("bytes=0-9,0-0", 10), Some(Resolved::Whole));
        assert_eq!(resolve("bytes=0-,0-,0-", 10), Some(Resolved::Whole));
        assert_eq!(resolve("bytes=0-4,5-9", 10), parts(&[(0, 10)]));
        assert_eq!(resolve("bytes=0-,-1", u64::MAX), Some(Resolved::Whole));
        assert_eq!(resolve("bytes=0-8,99-", 10), parts(&[(0, 9)]));
    }

    #[test]
    fn parts_come_in_the_order_asked_and_are_never_joined_over_a_gap() {
        assert_eq!(resolve("bytes=6-7,0-1,3-3", 10), parts(&[(6, 8), (0, 2), (3, 4)]));
        assert_eq!(resolve("bytes=6-7,0-1,2-3", 10), parts(&[(6, 8), (0, 4)]));
        assert_eq!(resolve("bytes=0-1,4-5,8-9,2-3", 10), parts(&[(0, 6), (8, 10)]));
    }

    /// What RFC 9110 says, counted byte by byte.
    fn asked_positions(members: &[(Option<u64>, Option<u64>)], size: u64) -> Vec<BTreeSet<u64>> {
        members
            .iter()
            .map(|&(first, last)| {
                (0..size)
                    .filter(|&position| match (first, last) {
                        (Some(first), Some(last)) => first <= position && position <= last,
                        (Some(first), None) => first <= position,
                        (None, Some(len)) => position + len >= size,
                        (None, None) => false,
                    })
                    .collect()
            })
            .collect()
    }

    fn member() -> impl Strategy<Value = (Option<u64>, Option<u64>)> {
        prop_oneof![
            (0u64..40, 0u64..10).prop_map(|(first, more)| (Some(first), Some(first + more))),
            (0u64..40).prop_map(|first| (Some(first), None)),
            (0u64..40).prop_map(|len| (None, Some(len))),
        ]
    }

    proptest! {
        #[test]
        fn a_set_covers_exactly_the_bytes_its_members_name(
            members in prop::collection::vec(member(), 1..8),
            size in 0u64..36,
        ) {
            let text = |(first, last): &(Option<u64>, Option<u64>)| {
                let part = |value: &Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
                format!("{}-{}", part(first), part(last))
            };
            let header = format!("bytes={}", members.iter().map(text).collect::<Vec<_>>().join(", "));
            let asked = asked_positions(&members, size);
            let total: usize = asked.iter().map(BTreeSet::len).sum();
            match resolve(&header, size) {
                Some(Resolved::Unsatisfiable) => prop_assert_eq!(total, 0),
                Some(Resolved::Whole) => prop_assert!(total as u64 > size),
                Some(Resolved::Parts(parts)) => {
                    prop_assert!(total as u64 <= size);
                    let sent: Vec<u64> = parts.iter().flat_map(|part| part.range()).collect();
                    let union: BTreeSet<u64> = asked.iter().flatten().copied().collect();
                    // No byte twice, none missing, none over a gap.
                    prop_assert_eq!(sent.len(), union.len());
                    prop_assert_eq!(sent.iter().copied().collect::<BTreeSet<_>>(), union);
                    // The order asked: each part holds the earliest member that no part before it holds.
                    let firsts: Vec<usize> = parts
                        .iter()
                        .filter_map(|part| asked.iter().position(|set| set.iter().any(|byte| part.range().contains(byte))))
                        .collect();
                    prop_assert!(firsts.is_sorted());
                    for (index, part) in parts.iter().enumerate() {
                        for other in parts.iter().skip(index + 1) {
                            prop_assert!(part.end() < other.start() || other.end() < part.start());
                        }
                    }
                }
                None => prop_assert!(false, "{} is well formed", header),
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(bytes=)?[ ,0-9a-]{0,40}", size in any::<u64>()) {
            let _ = resolve(&text, size);
        }
    }
}
