//! A non-empty range of bytes.

use std::ops::Range;

/// A non-empty byte range inside some size: `start <= last`, both inclusive as in RFC 9110 §14.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    start: u64,
    end: u64,
}

impl Span {
    /// The bytes `start..end`, or `None` where that is empty.
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if start < end {
            Some(Self { start, end })
        } else {
            None
        }
    }

    /// All bytes of something of `size_bytes`, or `None` where it is empty.
    pub const fn whole(size_bytes: u64) -> Option<Self> {
        Self::new(0, size_bytes)
    }

    /// Position of the first byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Position after the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Position of the last byte.
    pub const fn last(self) -> u64 {
        self.end - 1
    }

    /// How many bytes it covers; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// What both cover, if anything.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// What is left of it from `position` on, if anything.
    pub fn skip_to(self, position: u64) -> Option<Self> {
        Self::new(self.start.max(position), self.end)
    }

    /// The same bytes counted from `start - base` instead, for a piece that begins at `base`.
    ///
    /// Returns `None` where the span begins before `base`.
    pub fn relative_to(self, base: u64) -> Option<Self> {
        Some(Self {
            start: self.start.checked_sub(base)?,
            end: self.end.checked_sub(base)?,
        })
    }

    /// The same bytes counted from `base` more, or `None` where positions would exceed 2^64.
    pub fn shifted_by(self, base: u64) -> Option<Self> {
        Some(Self {
            start: self.start.checked_add(base)?,
            end: self.end.checked_add(base)?,
        })
    }

    /// As a half-open range.
    pub const fn range(self) -> Range<u64> {
        self.start..self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_span_cannot_be_made() {
        assert_eq!(Span::new(5, 5), None);
        assert_eq!(Span::whole(0), None);
        assert_eq!(
            Span::whole(3).map(|span| (span.start(), span.last(), span.len())),
            Some((0, 2, 3))
        );
    }
}
