//! Tests of the preconditions: each case of RFC 9110 by name.

use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("now", "2026-11-24T12:00:00Z").unwrap()
}

fn tag(text: &str) -> EntityTag {
    EntityTag::parse(text.as_bytes()).unwrap()
}

fn tags(text: &str) -> Option<EntityTags> {
    EntityTags::parse([text.as_bytes()])
}

fn date(text: &str) -> Option<String> {
    parse_http_date(text.as_bytes(), now()).map(|at| at.to_string())
}

fn file() -> Validators {
    Validators {
        etag: tag("\"a\""),
        modified: Some(Timestamp::parse("m", "2026-01-01T00:00:00.700Z").unwrap()),
        date_is_strong: true,
    }
}

const AT: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const BEFORE: &str = "Wed, 31 Dec 2025 23:59:59 GMT";

fn at(text: &str) -> Option<Timestamp> {
    parse_http_date(text.as_bytes(), now())
}

#[test]
fn the_three_forms_of_a_date_name_one_instant() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
    ] {
        assert_eq!(date(text).as_deref(), Some("1994-11-06T08:49:37.000Z"), "{text}");
    }
}

#[test]
fn a_date_written_is_read_back_to_the_second() {
    let text = format_http_date(Timestamp::from_millis(784_111_777_999));
    assert_eq!(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(at(&text), Some(Timestamp::from_millis(784_111_777_000)));
}

#[test]
fn a_two_digit_year_is_never_more_than_fifty_years_ahead() {
    assert_eq!(
        date("Sunday, 06-Nov-76 08:49:37 GMT").as_deref(),
        Some("2076-11-06T08:49:37.000Z")
    );
    assert_eq!(
        date("Sunday, 06-Nov-77 08:49:37 GMT").as_deref(),
        Some("1977-11-06T08:49:37.000Z")
    );
}

#[test]
fn what_is_no_date_is_refused() {
    for text in [
        "",
        "tomorrow",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "日 Nov  6 08:49:37 1994",
    ] {
        assert_eq!(date(text), None, "{text}");
    }
}

#[test]
fn lists_of_tags_are_read_with_commas_inside_and_gaps_between() {
    assert_eq!(tags("*"), Some(EntityTags::Any));
    assert_eq!(
        tags(" , \"a,b\" ,, W/\"c\",\"\""),
        Some(EntityTags::Listed(vec![
            tag("\"a,b\""),
            tag("W/\"c\""),
            tag("\"\"")
        ]))
    );
    assert_eq!(
        EntityTags::parse([&b"\"a\""[..], b"\"b\""]),
        Some(EntityTags::Listed(vec![tag("\"a\""), tag("\"b\"")]))
    );
    assert_eq!(EntityTags::parse([]), None);
}

#[test]
fn members_that_are_no_tags_match_nothing_and_spoil_no_other() {
    for text in ["a", "w/\"a\"", "\"a", "*, *", "\"a\"x", "\"a b\"", ""] {
        assert_eq!(tags(text), Some(EntityTags::Listed(vec![])), "{text}");
    }
    assert_eq!(tags("x, \"a\""), Some(EntityTags::Listed(vec![tag("\"a\"")])));
}

#[test]
fn if_match_compares_strongly_and_if_none_match_weakly() {
    let matching = |text: &str| Preconditions {
        if_match: tags(text),
        ..Preconditions::default()
    };
    let none_matching = |text: &str| Preconditions {
        if_none_match: tags(text),
        ..Preconditions::default()
    };
    let current = file();
    let read = |conditions: &Preconditions| conditions.verdict(Some(&current), Purpose::Read);
    assert_eq!(read(&matching("\"b\", \"a\"")), Verdict::Proceed);
    assert_eq!(read(&matching("*")), Verdict::Proceed);
    assert_eq!(read(&matching("W/\"a\"")), Verdict::Failed);
    assert_eq!(read(&matching("garbage")), Verdict::Failed);
    assert_eq!(read(&none_matching("W/\"a\"")), Verdict::NotModified);
    assert_eq!(read(&none_matching("*")), Verdict::NotModified);
    assert_eq!(read(&none_matching("\"b\"")), Verdict::Proceed);
}

#[test]
fn a_write_that_must_not_replace_fails_only_where_something_is() {
    let conditions = Preconditions {
        if_none_match: Some(EntityTags::Any),
        ..Preconditions::default()
    };
    assert_eq!(conditions.verdict(None, Purpose::Write), Verdict::Proceed);
    assert_eq!(conditions.verdict(Some(&file()), Purpose::Write), Verdict::Failed);
}

#[test]
fn a_write_that_must_replace_fails_where_nothing_is() {
    for text in ["*", "\"a\""] {
        let conditions = Preconditions {
            if_match: tags(text),
            ..Preconditions::default()
        };
        assert_eq!(conditions.verdict(None, Purpose::Write), Verdict::Failed);
        assert_eq!(
            conditions.verdict(Some(&file()), Purpose::Write),
            Verdict::Proceed
        );
    }
}

#[test]
fn dates_count_to_the_second_and_only_without_their_tags() {
    let current = file();
    let verdict = |conditions: Preconditions| conditions.verdict(Some(&current), Purpose::Read);
    let none = Preconditions::default;
    assert_eq!(
        verdict(Preconditions {
            if_modified_since: at(AT),
            ..none()
        }),
        Verdict::NotModified
    );
    assert_eq!(
        verdict(Preconditions {
            if_modified_since: at(BEFORE),
            ..none()
        }),
        Verdict::Proceed
    );
    assert_eq!(
        verdict(Preconditions {
            if_unmodified_since: at(AT),
            ..none()
        }),
        Verdict::Proceed
    );
    assert_eq!(
        verdict(Preconditions {
            if_unmodified_since: at(BEFORE),
            ..none()
        }),
        Verdict::Failed
    );
    // §13.1.3 and §13.1.4: the tags decide where both are sent.
    assert_eq!(
        verdict(Preconditions {
            if_none_match: tags("\"b\""),
            if_modified_since: at(AT),
            ..none()
        }),
        Verdict::Proceed
    );
    assert_eq!(
        verdict(Preconditions {
            if_match: tags("\"a\""),
            if_unmodified_since: at(BEFORE),
            ..none()
        }),
        Verdict::Proceed
    );
}

#[test]
fn if_modified_since_says_nothing_about_writes() {
    let conditions = Preconditions {
        if_modified_since: at(AT),
        ..Preconditions::default()
    };
    assert_eq!(
        conditions.verdict(Some(&file()), Purpose::Write),
        Verdict::Proceed
    );
}

#[test]
fn a_failed_match_comes_before_not_modified() {
    let conditions = Preconditions {
        if_match: tags("\"b\""),
        if_none_match: tags("\"a\""),
        ..Preconditions::default()
    };
    assert_eq!(conditions.verdict(Some(&file()), Purpose::Read), Verdict::Failed);
}

#[test]
fn if_range_wants_the_exact_strong_validator() {
    let current = file();
    let holds = |text: &str| IfRange::parse([text.as_bytes()], now()).unwrap().holds(&current);
    assert!(holds("\"a\"") && holds(AT) && holds("Thursday, 01-Jan-26 00:00:00 GMT"));
    for text in [
        "W/\"a\"",
        "\"b\"",
        BEFORE,
        "Fri, 02 Jan 2026 00:00:00 GMT",
        "a",
        "",
        "*",
        "\"a\", \"b\"",
    ] {
        assert!(!holds(text), "{text}");
    }
    let twice = IfRange::parse([&b"\"a\""[..], b"\"a\""], now()).unwrap();
    assert_eq!(twice, IfRange::Unreadable);
}

#[test]
fn a_date_shared_by_two_contents_is_no_validator_for_ranges() {
    let mut current = file();
    current.date_is_strong = false;
    assert!(!IfRange::parse([AT.as_bytes()], now()).unwrap().holds(&current));
}

#[test]
fn tags_of_ours_are_known_again_and_weak_ones_are_not_ours() {
    let content = ContentId::from_u128(99);
    assert_eq!(EntityTag::of_content(content).as_content(), Some(content));
    assert_eq!(EntityTag::of_version(7).as_version(), Some(7));
    assert_eq!(tag("W/\"7\"").as_version(), None);
    assert_eq!(tag("\"x\"").as_content(), None);
}

/// A tag as it stands in a header.
fn any_tag() -> impl Strategy<Value = String> {
    (any::<bool>(), "[!#-~\u{80}-\u{ff}]{0,12}").prop_map(|(weak, opaque)| {
        let mark = if weak { "W/" } else { "" };
        format!("{mark}\"{opaque}\"")
    })
}

/// What takes the place of a condition, or nearly.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[A-Z][a-z]{2,8},? [0-9A-Za-z :-]{0,30}( GMT)?".prop_map(String::into_bytes),
        "[ ,*W/\"a-c]{0,40}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_line_makes_a_parser_panic(line in any_line()) {
        let date = parse_http_date(&line, now());
        let tag = EntityTag::parse(&line);
        prop_assert!(date.is_none() || tag.is_none());
        let condition = IfRange::parse([line.as_slice()], now());
        let names_something = date.is_some() || tag.is_some();
        prop_assert!(names_something || !condition.is_some_and(|condition| condition.holds(&file())));
        if let Some(EntityTags::Listed(tags)) = EntityTags::parse([line.as_slice()]) {
            // Each takes two quotes.
            prop_assert!(tags.len() <= line.len() / 2);
        }
    }

    #[test]
    fn every_second_is_written_so_that_it_is_read_back(seconds in 0i64..253_402_300_800) {
        let at = Timestamp::from_millis(seconds * 1000);
        prop_assert_eq!(parse_http_date(format_http_date(at).as_bytes(), now()), Some(at));
    }

    #[test]
    fn every_list_of_tags_is_read_whatever_is_in_them(texts in prop::collection::vec(any_tag(), 1..6), between in "[ \t]?,[ ,]{0,3}") {
        let expected = texts.iter().map(|text| tag(text)).collect();
        prop_assert_eq!(tags(&texts.join(&between)), Some(EntityTags::Listed(expected)));
        let lines = texts.iter().map(String::as_bytes);
        prop_assert_eq!(EntityTags::parse(lines), tags(&texts.join(", ")));
    }
}
