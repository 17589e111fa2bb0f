//! A span cut into windows, each for a GET of its own.

use std::iter;
use std::ops::Range;

use crate::S3Config;

/// The first window. Each later one is twice as long, up to the longest: first bytes come soon, and many requests are made for none.
const FIRST_BYTES: u64 = 512 << 10;

/// The windows of `span`, one after another: itself, unless several GETs may be in flight.
pub(crate) fn of(span: Range<u64>, config: &S3Config) -> impl Iterator<Item = Range<u64>> + Send + use<> {
    let (first_bytes, most_bytes) = match config.gets_in_flight {
        1 => (u64::MAX, u64::MAX),
        _ => (FIRST_BYTES.min(config.window_bytes), config.window_bytes),
    };
    let (mut rest, mut next_bytes) = (span, first_bytes);
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.start.saturating_add(next_bytes).min(rest.end);
        let window = rest.start..end;
        rest.start = end;
        next_bytes = next_bytes.saturating_mul(2).min(most_bytes);
        Some(window)
    })
}

#[cfg(test)]
mod tests {
    use campusdisk_core::storage::StoreName;

    use super::*;

    fn cut(span: Range<u64>, gets_in_flight: usize, window_bytes: u64) -> Vec<Range<u64>> {
        let mut config = S3Config::new(StoreName::parse("primary").unwrap(), "campus");
        config.gets_in_flight = gets_in_flight;
        config.window_bytes = window_bytes;
        of(span, &config).collect()
    }

    #[test]
    fn one_get_brings_all() {
        let all = 7..1 << 40;
        assert_eq!(cut(all.clone(), 1, 1000), std::slice::from_ref(&all));
    }

    #[test]
    fn windows_grow_to_the_longest_and_leave_nothing_out() {
        const KIB: u64 = 1 << 10;
        let windows = cut(0..4000 * KIB, 2, 1024 * KIB);
        let ends = [512, 1536, 2560, 3584, 4000];
        let starts = [0, 512, 1536, 2560, 3584];
        let wanted: Vec<_> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| start * KIB..end * KIB)
            .collect();
        assert_eq!(windows, wanted);
        assert_eq!(cut(5..25, 4, 10), [5..15, 15..25]);
    }
}
