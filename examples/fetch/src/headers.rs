//! What the headers of answers say: ranges, validators, digests, waits.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    AsHeaderName, CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, RETRY_AFTER,
};

use crate::spans::Span;

/// A `Content-Range` in bytes (RFC 9110 §14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    /// Which bytes the answer has; none in an answer 416.
    pub(crate) span: Option<Span>,
    /// The length of the whole, where it is told.
    pub(crate) size: Option<u64>,
}

impl ContentRange {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(text(headers, CONTENT_RANGE)?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (span, size) = rest.trim().split_once('/')?;
        let size = match size {
            "*" => None,
            digits => Some(number(digits)?),
        };
        let span = match span {
            "*" => None,
            span => {
                let (first, last) = span.split_once('-')?;
                Some(Span::new(number(first)?, number(last)?.checked_add(1)?)?)
            }
        };
        let inside = span.zip(size).is_none_or(|(span, size)| span.end <= size);
        (unit.eq_ignore_ascii_case("bytes") && inside).then_some(Self { span, size })
    }
}

/// What says whether the file is still the same, strongly enough for `If-Range` (RFC 9110 §13.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Validator {
    /// A strong entity tag, with its quotes.
    Tag(String),
    /// A `Last-Modified` that is a second older than the answer (§8.8.2.2).
    Modified(String),
}

impl Validator {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let tag = text(headers, ETAG).filter(|tag| tag.starts_with('"'));
        if let Some(tag) = tag {
            return Some(Self::Tag(tag.to_owned()));
        }
        let modified = text(headers, LAST_MODIFIED)?;
        let changed = httpdate::parse_http_date(modified).ok()?;
        let now = httpdate::parse_http_date(text(headers, DATE)?).ok()?;
        let age = now.duration_since(changed).ok()?;
        (age >= Duration::from_secs(1)).then(|| Self::Modified(modified.to_owned()))
    }

    /// Whether an answer to a later request says that the file is another. One that says nothing does not.
    pub(crate) fn is_denied_by(&self, headers: &HeaderMap) -> bool {
        let (name, known) = match self {
            Self::Tag(tag) => (ETAG, tag),
            Self::Modified(date) => (LAST_MODIFIED, date),
        };
        text(headers, name).is_some_and(|said| said != known)
    }

    /// As `If-Range` has it.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Modified(text) => text,
        }
    }
}

/// The SHA-256 of the whole file, where `Repr-Digest` (RFC 9530) has a readable one.
pub(crate) fn repr_sha256(headers: &HeaderMap) -> Option<[u8; 32]> {
    let lines = headers.get_all("repr-digest").iter();
    let members = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let digest = members.filter_map(|member| {
        let (key, value) = member.trim().split_once('=')?;
        let bytes = value.split(';').next()?.trim();
        let coded = bytes.strip_prefix(':')?.strip_suffix(':')?;
        (key == "sha-256").then_some(coded)
    });
    let mut digests = digest.filter_map(|coded| STANDARD.decode(coded).ok()?.try_into().ok());
    // Of members with the same key the last counts (RFC 9651 §3.2).
    digests.next_back()
}

/// How long the server asks to wait (RFC 9110 §10.2.3): seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let said = text(headers, RETRY_AFTER)?.trim();
    if let Some(seconds) = number(said) {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(said).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A header as text, unless it is missing or holds more than ASCII.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).map(HeaderValue::to_str)?.ok()
}

/// Digits only: `parse` would take a plus sign too.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            ((*name).try_into().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_content_range_is_read_only_when_it_makes_sense() {
        let range = |text| ContentRange::parse(text);
        let span = |start, end| Span::new(start, end);
        let found = |span, size| Some(ContentRange { span, size });
        assert_eq!(range("bytes 0-0/10"), found(span(0, 1), Some(10)));
        assert_eq!(range("Bytes 5-9/10"), found(span(5, 10), Some(10)));
        assert_eq!(range("bytes 5-9/*"), found(span(5, 10), None));
        assert_eq!(range("bytes */10"), found(None, Some(10)));
        for wrong in [
            "",
            "bytes",
            "bytes 0-9",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "bytes 0-/10",
            "items 0-9/10",
            "bytes +0-9/10",
            "bytes 0-18446744073709551615/*",
            "bytes 0-9/x",
        ] {
            assert_eq!(range(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_validator_is_a_strong_tag_or_a_date_that_is_old_enough() {
        let (old, now) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT");
        let of = |pairs: &[_]| Validator::of(&headers(pairs));
        let tag = Some(Validator::Tag("\"a\"".to_owned()));
        assert_eq!(of(&[("etag", "\"a\""), ("last-modified", old)]), tag);
        let date = Some(Validator::Modified(old.to_owned()));
        assert_eq!(
            of(&[("etag", "W/\"a\""), ("last-modified", old), ("date", now)]),
            date
        );
        assert_eq!(
            of(&[("last-modified", now), ("date", now)]),
            None,
            "changed in this second"
        );
        assert_eq!(of(&[("last-modified", old)]), None);
        assert_eq!(of(&[("etag", "W/\"a\"")]), None);
    }

    #[test]
    fn another_tag_denies_and_a_missing_one_does_not() {
        let tag = Validator::Tag("\"a\"".to_owned());
        assert!(tag.is_denied_by(&headers(&[("etag", "\"b\"")])));
        assert!(tag.is_denied_by(&headers(&[("etag", "W/\"a\"")])));
        assert!(!tag.is_denied_by(&headers(&[("etag", "\"a\"")])));
        assert!(!tag.is_denied_by(&headers(&[])));
    }

    #[test]
    fn a_digest_is_found_among_others() {
        let coded = STANDARD.encode([7_u8; 32]);
        let digest = |text: &str| repr_sha256(&headers(&[("repr-digest", text)]));
        assert_eq!(digest(&format!("sha-256=:{coded}:")), Some([7; 32]));
        assert_eq!(
            digest(&format!("md5=:AAAA:, sha-256=:{coded}:;x=1 , a=1")),
            Some([7; 32])
        );
        assert_eq!(digest("sha-256=:AAAA:"), None, "too short");
        assert_eq!(digest(&format!("sha-256={coded}")), None);
        assert_eq!(digest(&format!("sha-512=:{coded}:")), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let wait = |text: &str| retry_after(&headers(&[("retry-after", text)]), now);
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            wait("Sunday, 06-Nov-94 08:49:47 GMT"),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:00:00 GMT"),
            Some(Duration::ZERO),
            "over already"
        );
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }
}
