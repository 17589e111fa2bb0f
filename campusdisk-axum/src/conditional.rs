//! Reads conditions and ranges from headers, and writes validators into them.

use campusdisk_core::{
    Asked, EntityTag, EntityTags, IfRange, Method, Preconditions, RangeSet, Timestamp, Validators,
    format_http_date, parse_http_date,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What a GET or HEAD with these headers asks of a file.
pub(crate) fn asked(method: &http::Method, headers: &HeaderMap, now: Timestamp) -> Asked {
    let head = method == http::Method::HEAD;
    Asked {
        method: if head { Method::Head } else { Method::Get },
        conditions: preconditions(headers, now),
        if_range: IfRange::parse(lines(headers, header::IF_RANGE), now),
        range: RangeSet::parse(lines(headers, header::RANGE)),
    }
}

/// The conditions in these headers.
pub(crate) fn preconditions(headers: &HeaderMap, now: Timestamp) -> Preconditions {
    Preconditions {
        if_match: EntityTags::parse(lines(headers, header::IF_MATCH)),
        if_none_match: EntityTags::parse(lines(headers, header::IF_NONE_MATCH)),
        if_modified_since: date(headers, header::IF_MODIFIED_SINCE, now),
        if_unmodified_since: date(headers, header::IF_UNMODIFIED_SINCE, now),
    }
}

/// Writes `ETag` and, where there is a time, `Last-Modified`.
pub(crate) fn write_validators(validators: &Validators, headers: &mut HeaderMap) {
    headers.insert(header::ETAG, tag_value(&validators.etag));
    if let Some(value) = validators
        .modified
        .and_then(|modified| HeaderValue::try_from(format_http_date(modified)).ok())
    {
        headers.insert(header::LAST_MODIFIED, value);
    }
}

/// A tag of ours as a header's value; ours are plain ASCII.
pub(crate) fn tag_value(tag: &EntityTag) -> HeaderValue {
    HeaderValue::try_from(tag.to_string()).unwrap_or(HeaderValue::from_static("\"\""))
}

fn lines(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

/// A date sent once; several lines are no date (RFC 9110 §5.3: the field is no list).
fn date(headers: &HeaderMap, name: HeaderName, now: Timestamp) -> Option<Timestamp> {
    let mut lines = lines(headers, name);
    let date = parse_http_date(lines.next()?, now)?;
    lines.next().is_none().then_some(date)
}

#[cfg(test)]
mod tests {
    use campusdisk_core::{ContentFacts, ContentId, DownloadPlan, Span, plan};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn planned(headers: &[(HeaderName, &str)]) -> DownloadPlan {
        let facts = ContentFacts::new(EntityTag::of_content(ContentId::from_u128(1)), NOW, 10);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        plan(&facts, &asked(&http::Method::GET, &headers, NOW))
    }

    #[test]
    fn headers_become_a_plan() {
        let own = EntityTag::of_content(ContentId::from_u128(1)).to_string();
        let part = DownloadPlan::Parts(vec![Span::new(1, 3).unwrap()]);
        assert_eq!(planned(&[]), DownloadPlan::Whole);
        assert_eq!(planned(&[(header::RANGE, "bytes=1-2")]), part);
        assert_eq!(
            planned(&[(header::RANGE, "bytes=1-2"), (header::IF_RANGE, &own)]),
            part
        );
        assert_eq!(
            planned(&[(header::IF_NONE_MATCH, &own)]),
            DownloadPlan::NotModified
        );
        assert_eq!(
            planned(&[(header::IF_MATCH, "\"x\"")]),
            DownloadPlan::PreconditionFailed
        );
    }

    #[test]
    fn headers_sent_twice_are_joined_when_they_are_lists_and_ignored_when_not() {
        let own = EntityTag::of_content(ContentId::from_u128(1)).to_string();
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static("\"x\""));
        headers.append(header::IF_NONE_MATCH, own.parse().unwrap());
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        for _ in 0..2 {
            let date = HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT");
            headers.append(header::IF_MODIFIED_SINCE, date);
        }
        let asked = asked(&http::Method::GET, &headers, NOW);
        assert!(matches!(asked.conditions.if_none_match, Some(EntityTags::Listed(tags)) if tags.len() == 2));
        assert_eq!(asked.range, None);
        assert_eq!(asked.conditions.if_modified_since, None);
    }
}
