//! Entity tags, HTTP dates, and the conditions a request sets (RFC 9110 §8.8 and §13), without any HTTP type.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::{ContentId, Timestamp};

/// An entity tag (RFC 9110 §8.8.3): what tells one state of a thing from another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag {
    weak: bool,
    opaque: Box<[u8]>,
}

impl EntityTag {
    /// The strong tag of a content: its bytes never change, so neither does this, whatever becomes of their layout.
    pub fn of_content(content: ContentId) -> Self {
        Self::strong(&content.to_string())
    }

    /// The strong tag of a node's facts, which is its `version`.
    pub fn of_version(version: u64) -> Self {
        Self::strong(&version.to_string())
    }

    /// The content it stands for, where it is a strong tag made by [`of_content`](Self::of_content).
    pub fn as_content(&self) -> Option<ContentId> {
        self.strong_text()?.parse().ok()
    }

    /// The version it stands for, where it is a strong tag made by [`of_version`](Self::of_version).
    pub fn as_version(&self) -> Option<u64> {
        self.strong_text()?.parse().ok()
    }

    /// Reads one tag, white space around it allowed; `None` when it is no tag or more than one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (tag, rest) = Self::take(text.trim_ascii())?;
        rest.is_empty().then_some(tag)
    }

    /// Strong comparison (§8.8.3.2): both strong and the same characters.
    pub fn is_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison (§8.8.3.2): the same characters.
    pub fn is_weakly(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    fn strong_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.opaque).ok().filter(|_| !self.weak)
    }

    fn strong(opaque: &str) -> Self {
        Self {
            weak: false,
            opaque: opaque.as_bytes().into(),
        }
    }

    /// A tag at the beginning of `text`, and what follows it.
    fn take(text: &[u8]) -> Option<(Self, &[u8])> {
        // `W/` is case-sensitive (§8.8.3).
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|&byte| byte == b'"')?;
        let (opaque, rest) = inner.split_at_checked(end)?;
        // etagc is any visible character but the quote, and obs-text.
        let visible = opaque
            .iter()
            .all(|&byte| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80);
        let tag = Self {
            weak,
            opaque: opaque.into(),
        };
        visible.then_some((tag, rest.get(1..).unwrap_or_default()))
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weak = if self.weak { "W/" } else { "" };
        write!(f, "{weak}\"{}\"", String::from_utf8_lossy(&self.opaque))
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What `If-Match` or `If-None-Match` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: whatever is there.
    Any,
    /// Any of these. Members that are no tags are left out: they match nothing.
    Listed(Vec<EntityTag>),
}

impl EntityTags {
    /// Reads all lines of one header; `None` when there is no line.
    ///
    /// Lines are one list (§5.3), and empty members are skipped (§5.6.1.2).
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut lines = lines.into_iter();
        let first = lines.next()?;
        let mut tags = Vec::new();
        read_tags(first, &mut tags);
        let mut single = true;
        for line in lines {
            single = false;
            read_tags(line, &mut tags);
        }
        if single && first.trim_ascii() == b"*" {
            return Some(Self::Any);
        }
        Some(Self::Listed(tags))
    }

    fn match_strongly(&self, current: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| tag.is_strongly(current)),
        }
    }

    fn match_weakly(&self, current: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| tag.is_weakly(current)),
        }
    }
}

fn read_tags(mut text: &[u8], tags: &mut Vec<EntityTag>) {
    loop {
        text = text.trim_ascii_start();
        if text.is_empty() {
            return;
        }
        // A tag may hold commas, so the list can't be split before its tags are read.
        if let Some((tag, rest)) = EntityTag::take(text) {
            text = rest.trim_ascii_start();
            if text.is_empty() || text.starts_with(b",") {
                tags.push(tag);
            }
        }
        match text.iter().position(|&byte| byte == b',') {
            Some(comma) => text = text.get(comma + 1..).unwrap_or_default(),
            None => return,
        }
    }
}

/// What `If-Range` names (§13.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    /// The range counts while this is the tag, compared strongly.
    Tag(EntityTag),
    /// The range counts while this is exactly the time of the last change.
    Date(Timestamp),
    /// It was neither a tag nor a date: no range counts.
    Unreadable,
}

impl IfRange {
    /// Reads all lines of the header; `None` when there is no line, unreadable when there are several.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>, now: Timestamp) -> Option<Self> {
        let mut lines = lines.into_iter();
        let text = lines.next()?;
        if lines.next().is_some() {
            return Some(Self::Unreadable);
        }
        Some(match (EntityTag::parse(text), parse_http_date(text, now)) {
            (Some(tag), _) => Self::Tag(tag),
            (None, Some(date)) => Self::Date(date),
            (None, None) => Self::Unreadable,
        })
    }

    /// Whether a range of what has these validators may be sent.
    pub fn holds(&self, current: &Validators) -> bool {
        match self {
            Self::Tag(tag) => tag.is_strongly(&current.etag),
            // §13.1.5: only a date that is a strong validator (§8.8.2.2), and only when equal.
            Self::Date(date) => {
                current.date_is_strong && current.modified.map(Timestamp::floor_to_second) == Some(*date)
            }
            Self::Unreadable => false,
        }
    }
}

/// What is compared with the conditions of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// The tag now.
    pub etag: EntityTag,
    /// When it last changed, where that is told to clients.
    pub modified: Option<Timestamp>,
    /// Whether no other state of it was ever current in the same second (§8.8.2.2).
    pub date_is_strong: bool,
}

impl Validators {
    /// Validators with a tag alone.
    pub fn of(etag: EntityTag) -> Self {
        Self {
            etag,
            modified: None,
            date_is_strong: false,
        }
    }
}

/// Whether a request reads or changes: a condition that fails has another answer (§13.2.2 step 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// GET or HEAD.
    Read,
    /// Any other method.
    Write,
}

/// What the conditions of a request say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Perform the method.
    Proceed,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client takes it for.
    Failed,
}

/// The conditions of a request. Default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`.
    pub if_match: Option<EntityTags>,
    /// `If-None-Match`.
    pub if_none_match: Option<EntityTags>,
    /// `If-Modified-Since`; left out where it was no date (§13.1.3).
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`; left out where it was no date (§13.1.4).
    pub if_unmodified_since: Option<Timestamp>,
}

impl Preconditions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Compares them with what is there, in the order of §13.2.2; `None` is that nothing is there.
    pub fn verdict(&self, current: Option<&Validators>, purpose: Purpose) -> Verdict {
        let modified = current
            .and_then(|current| current.modified)
            .map(Timestamp::floor_to_second);
        if let Some(tags) = &self.if_match {
            // Step 1. `*` fails where nothing is there (§13.1.1).
            if !current.is_some_and(|current| tags.match_strongly(&current.etag)) {
                return Verdict::Failed;
            }
        } else if let (Some(date), Some(modified)) = (self.if_unmodified_since, modified)
            && modified > date
        {
            // Step 2, only without If-Match.
            return Verdict::Failed;
        }
        if let Some(tags) = &self.if_none_match {
            // Step 3.
            if current.is_some_and(|current| tags.match_weakly(&current.etag)) {
                return match purpose {
                    Purpose::Read => Verdict::NotModified,
                    Purpose::Write => Verdict::Failed,
                };
            }
        } else if let (Purpose::Read, Some(date), Some(modified)) =
            (purpose, self.if_modified_since, modified)
            && modified <= date
        {
            // Step 4, only without If-None-Match, only for GET and HEAD.
            return Verdict::NotModified;
        }
        Verdict::Proceed
    }
}

/// An instant as HTTP writes it, to the second: `Sun, 06 Nov 1994 08:49:37 GMT` (§5.6.7).
pub fn format_http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    // Fails before the year 0 and after 9999, which no clock shows.
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}

/// Reads a date in any of the three forms of §5.6.7, the two obsolete ones included.
///
/// `now` says which century a two-digit year is in: none is more than 50 years ahead.
pub fn parse_http_date(text: &[u8], now: Timestamp) -> Option<Timestamp> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let at = match text.split_once(", ") {
        Some((day, rest)) if SHORT_DAYS.contains(&day) => parse_fixed(rest)?,
        Some((day, rest)) if LONG_DAYS.contains(&day) => parse_rfc850(rest, now)?,
        Some(_) => return None,
        None => parse_asctime(text)?,
    };
    let at = Offset::UTC.to_timestamp(at).ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

const SHORT_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `06 Nov 1994 08:49:37 GMT`
fn parse_fixed(text: &str) -> Option<DateTime> {
    let fields: Vec<_> = text.split(' ').collect();
    match fields.as_slice() {
        [day, month, year, time, "GMT"] => civil(number(year, 4)?, month, number(day, 2)?, time),
        _ => None,
    }
}

/// `06-Nov-94 08:49:37 GMT`
fn parse_rfc850(text: &str, now: Timestamp) -> Option<DateTime> {
    let fields: Vec<_> = text.split([' ', '-']).collect();
    let [day, month, year, time, "GMT"] = fields.as_slice() else {
        return None;
    };
    let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
    let this_year = i32::from(Offset::UTC.to_datetime(now).year());
    let mut year = this_year - this_year % 100 + number(year, 2)?;
    // §5.6.7: what seems more than 50 years ahead is the most recent past year of those digits.
    if year > this_year + 50 {
        year -= 100;
    }
    civil(year, month, number(day, 2)?, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn parse_asctime(text: &str) -> Option<DateTime> {
    let (day, rest) = text.split_at_checked(4)?;
    if !SHORT_DAYS.contains(&day.trim_end()) {
        return None;
    }
    let (month, rest) = rest.split_at_checked(3)?;
    let (date, rest) = rest.split_at_checked(4)?;
    let date = date.strip_prefix(' ')?.strip_suffix(' ')?;
    let date = match date.strip_prefix(' ') {
        Some(digit) => number(digit, 1)?,
        None => number(date, 2)?,
    };
    let (time, year) = rest.split_once(' ')?;
    civil(number(year, 4)?, month, date, time)
}

fn civil(year: i32, month: &str, day: i32, time: &str) -> Option<DateTime> {
    let month = MONTHS.iter().position(|&known| known == month)? + 1;
    let fields: Vec<_> = time.split(':').collect();
    let [hour, minute, second] = fields.as_slice() else {
        return None;
    };
    let second = match number(second, 2)? {
        // A leap second is in the grammar, but not on every clock.
        60 => 59,
        second => second,
    };
    let small = |value: i32| i8::try_from(value).ok();
    DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        small(day)?,
        small(number(hour, 2)?)?,
        small(number(minute, 2)?)?,
        small(second)?,
        0,
    )
    .ok()
}

fn number(text: &str, digits: usize) -> Option<i32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
#[path = "precondition_tests.rs"]
mod tests;
