//! What a request for a file's bytes is answered with, decided from plain data.

use crate::precondition::{IfRange, Preconditions, Purpose, Validators, Verdict};
use crate::range::{RangeSet, Resolved};
use crate::{EntityTag, Span, Timestamp};

/// What a GET or HEAD of a file answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadPlan {
    /// 200 with everything.
    Whole,
    /// 206 with these parts, in this order; at least one, no two overlapping or adjacent.
    Parts(Vec<Span>),
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416, answered with `Content-Range: bytes */size` (RFC 9110 §15.5.17).
    Unsatisfiable {
        /// The size of the file.
        size_bytes: u64,
    },
}

/// What is known of a content before any of its bytes is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentFacts {
    /// Its tag and time.
    pub validators: Validators,
    /// Its size.
    pub size_bytes: u64,
}

impl ContentFacts {
    /// Facts of a content with this tag, changed at `modified`.
    ///
    /// The time is taken for a strong validator only where [`Validators::date_is_strong`] is set afterwards.
    pub fn new(etag: EntityTag, modified: Timestamp, size_bytes: u64) -> Self {
        let validators = Validators {
            modified: Some(modified),
            ..Validators::of(etag)
        };
        Self {
            validators,
            size_bytes,
        }
    }
}

/// Which of the two methods asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// For the bytes.
    #[default]
    Get,
    /// For what GET would say about them.
    Head,
}

/// What a request asks for. Default is a GET of everything, without conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Its conditions.
    pub conditions: Preconditions,
    /// `If-Range`.
    pub if_range: Option<IfRange>,
    /// `Range`; left out where it is to be ignored (see [`RangeSet::parse`]).
    pub range: Option<RangeSet>,
}

/// Decides what a GET or HEAD of `facts` answers, in the order of RFC 9110 §13.2.2. Does no I/O.
///
/// # Example: resuming after the file has changed gives all of the new one
/// ```
/// use campusdisk_core::{Asked, ContentFacts, ContentId, DownloadPlan, EntityTag, IfRange, RangeSet, Timestamp, plan};
///
/// let etag = EntityTag::of_content(ContentId::from_u128(2));
/// let facts = ContentFacts::new(etag, Timestamp::from_millis(0), 100);
/// let asked = Asked {
///     if_range: IfRange::parse([&b"\"of the old one\""[..]], Timestamp::from_millis(0)),
///     range: RangeSet::parse([&b"bytes=50-"[..]]),
///     ..Asked::default()
/// };
/// assert_eq!(plan(&facts, &asked), DownloadPlan::Whole);
/// ```
pub fn plan(facts: &ContentFacts, asked: &Asked) -> DownloadPlan {
    // Steps 1 to 4.
    match asked.conditions.verdict(Some(&facts.validators), Purpose::Read) {
        Verdict::Failed => return DownloadPlan::PreconditionFailed,
        Verdict::NotModified => return DownloadPlan::NotModified,
        Verdict::Proceed => {}
    }
    // §14.2: a range counts for GET only. An empty file has no bytes to choose from.
    let Some(range) = asked
        .range
        .as_ref()
        .filter(|_| asked.method == Method::Get && facts.size_bytes > 0)
    else {
        return DownloadPlan::Whole;
    };
    // Step 5: §13.1.5, a condition on the range alone.
    if asked
        .if_range
        .as_ref()
        .is_some_and(|condition| !condition.holds(&facts.validators))
    {
        return DownloadPlan::Whole;
    }
    match range.resolve(facts.size_bytes) {
        Resolved::Parts(parts) => DownloadPlan::Parts(parts),
        Resolved::Whole => DownloadPlan::Whole,
        Resolved::Unsatisfiable => DownloadPlan::Unsatisfiable {
            size_bytes: facts.size_bytes,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precondition::{EntityTags, format_http_date, parse_http_date};
    use crate::{ContentId, Span};

    const MODIFIED: Timestamp = Timestamp::from_millis(1_767_225_600_700);

    fn facts(size_bytes: u64) -> ContentFacts {
        let mut facts = ContentFacts::new(
            EntityTag::of_content(ContentId::from_u128(7)),
            MODIFIED,
            size_bytes,
        );
        facts.validators.date_is_strong = true;
        facts
    }

    fn own_tag() -> String {
        EntityTag::of_content(ContentId::from_u128(7)).to_string()
    }

    fn ranged(range: &str) -> Asked {
        Asked {
            range: RangeSet::parse([range.as_bytes()]),
            ..Asked::default()
        }
    }

    fn with_if_range(mut asked: Asked, text: &str) -> Asked {
        asked.if_range = IfRange::parse([text.as_bytes()], MODIFIED);
        asked
    }

    fn part(start: u64, end: u64) -> DownloadPlan {
        DownloadPlan::Parts(vec![Span::new(start, end).unwrap()])
    }

    #[test]
    fn without_a_range_the_whole_file_comes() {
        assert_eq!(plan(&facts(10), &Asked::default()), DownloadPlan::Whole);
        assert_eq!(plan(&facts(10), &ranged("garbage")), DownloadPlan::Whole);
    }

    #[test]
    fn a_range_past_the_end_is_unsatisfiable() {
        assert_eq!(
            plan(&facts(10), &ranged("bytes=10-")),
            DownloadPlan::Unsatisfiable { size_bytes: 10 }
        );
    }

    #[test]
    fn an_empty_file_answers_whole_whatever_the_range() {
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-6,7-8"] {
            assert_eq!(plan(&facts(0), &ranged(range)), DownloadPlan::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_on_head_is_ignored() {
        let asked = Asked {
            method: Method::Head,
            ..ranged("bytes=99-")
        };
        assert_eq!(plan(&facts(10), &asked), DownloadPlan::Whole);
    }

    #[test]
    fn if_range_with_an_old_etag_gives_the_whole_new_file() {
        let asked = ranged("bytes=1-2");
        assert_eq!(
            plan(&facts(10), &with_if_range(asked.clone(), "\"old\"")),
            DownloadPlan::Whole
        );
        assert_eq!(
            plan(&facts(10), &with_if_range(asked.clone(), &own_tag())),
            part(1, 3)
        );
        let weak = format!("W/{}", own_tag());
        assert_eq!(
            plan(&facts(10), &with_if_range(asked, &weak)),
            DownloadPlan::Whole
        );
    }

    #[test]
    fn if_range_with_the_exact_date_gives_the_range() {
        let asked = ranged("bytes=1-2");
        let exact = format_http_date(MODIFIED);
        assert_eq!(
            plan(&facts(10), &with_if_range(asked.clone(), &exact)),
            part(1, 3)
        );
        let later = "Fri, 02 Jan 2026 00:00:00 GMT";
        assert_eq!(
            plan(&facts(10), &with_if_range(asked, later)),
            DownloadPlan::Whole
        );
    }

    #[test]
    fn an_old_if_range_beats_an_unsatisfiable_range() {
        let asked = with_if_range(ranged("bytes=99-"), "\"old\"");
        assert_eq!(plan(&facts(10), &asked), DownloadPlan::Whole);
    }

    #[test]
    fn conditions_come_before_ranges() {
        let mut asked = ranged("bytes=99-");
        asked.conditions.if_none_match = EntityTags::parse([own_tag().as_bytes()]);
        assert_eq!(plan(&facts(10), &asked), DownloadPlan::NotModified);
        asked.conditions.if_match = EntityTags::parse([&b"\"other\""[..]]);
        assert_eq!(plan(&facts(10), &asked), DownloadPlan::PreconditionFailed);
    }

    #[test]
    fn not_modified_counts_to_the_second() {
        let mut asked = Asked::default();
        asked.conditions.if_modified_since = parse_http_date(format_http_date(MODIFIED).as_bytes(), MODIFIED);
        assert_eq!(plan(&facts(10), &asked), DownloadPlan::NotModified);
        asked.method = Method::Head;
        assert_eq!(plan(&facts(10), &asked), DownloadPlan::NotModified);
    }
}
