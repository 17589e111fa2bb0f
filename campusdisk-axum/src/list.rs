//! Lists: limits, cursors, pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
#[cfg(feature = "accounts")]
use campusdisk_accounts::Page as AccountsPage;
use campusdisk_core::catalog::{Cursor, Sort, SortValue};
use campusdisk_core::{NameKey, NodeId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::error::{Problem, Result};
use crate::state::AppState;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items<T> {
    /// The items.
    pub items: Vec<T>,
    /// The `after` of the next page; null on the last one.
    pub next: Option<String>,
}

impl<T> Items<T> {
    /// A page of a list that is short enough to be read whole; `key` names an item for as long as it is there.
    ///
    /// # Errors
    /// 400 when `after` names no item.
    pub(crate) fn of_all(
        mut items: Vec<T>,
        query: &ListQuery,
        state: &AppState,
        key: impl Fn(&T) -> &str,
    ) -> Result<Self> {
        if let Some(after) = &query.after {
            let place = items
                .iter()
                .position(|item| key(item) == after)
                .ok_or_else(bad_cursor)?;
            items.drain(..=place);
        }
        let limit = query.limit.items(state) as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| key(last).to_owned());
        Ok(Self { items, next })
    }
}

/// How many items a page has at most: 1 to 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limit(Option<u32>);

impl Limit {
    /// The most items of a page.
    pub(crate) const MAX_ITEMS: u32 = 1000;

    /// The number, or the adapter's own where the request does not say.
    pub(crate) fn items(self, state: &AppState) -> u32 {
        self.0
            .unwrap_or(state.options().default_list_items.clamp(1, Self::MAX_ITEMS))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let items = u32::deserialize(deserializer)?;
        if (1..=Self::MAX_ITEMS).contains(&items) {
            return Ok(Self(Some(items)));
        }
        Err(serde::de::Error::custom("limit is not within 1 to 1000"))
    }
}

/// What every list takes.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    pub limit: Limit,
    pub after: Option<String>,
}

#[cfg(feature = "accounts")]
impl ListQuery {
    /// The page of a list of accounts or groups that is asked for.
    pub(crate) fn page(&self, state: &AppState) -> AccountsPage<'_> {
        accounts_page(self.after.as_deref(), self.limit, state)
    }
}

/// What a list takes that can be searched.
#[cfg(feature = "accounts")]
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SearchQuery {
    pub search: Option<String>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

#[cfg(feature = "accounts")]
impl SearchQuery {
    /// The page that is asked for.
    pub(crate) fn page(&self, state: &AppState) -> AccountsPage<'_> {
        accounts_page(self.after.as_deref(), self.limit, state)
    }
}

#[cfg(feature = "accounts")]
fn accounts_page<'a>(after: Option<&'a str>, limit: Limit, state: &AppState) -> AccountsPage<'a> {
    AccountsPage {
        after,
        limit: limit.items(state),
    }
}

/// The place in a folder's listing after which the next page begins, as text.
pub(crate) fn write_cursor(cursor: &Cursor) -> String {
    let value = match cursor.value {
        SortValue::Name => "n".to_owned(),
        SortValue::Size(size_bytes) => format!("s{size_bytes}"),
        SortValue::Modified(modified) => format!("m{}", modified.as_millis()),
    };
    let mut bytes = value.into_bytes();
    bytes.push(b':');
    bytes.extend_from_slice(cursor.name.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a place in a listing sorted by `sort`.
///
/// # Errors
/// 400 when the text is none.
pub(crate) fn read_cursor(text: &str, sort: Sort) -> Result<Cursor> {
    parse_cursor(text, sort).ok_or_else(bad_cursor)
}

fn parse_cursor(text: &str, sort: Sort) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let colon = bytes.iter().position(|&byte| byte == b':')?;
    let (value, name) = bytes.split_at_checked(colon)?;
    let value = std::str::from_utf8(value).ok()?;
    let (kind, number) = value.split_at_checked(1)?;
    let value = match (sort, kind) {
        (Sort::Name, "n") if number.is_empty() => SortValue::Name,
        (Sort::Size, "s") => {
            SortValue::Size(number.parse().ok().filter(|&size| i64::try_from(size).is_ok())?)
        }
        (Sort::Modified, "m") => SortValue::Modified(Timestamp::from_millis(number.parse().ok()?)),
        _ => return None,
    };
    Some(Cursor {
        value,
        name: NameKey::from_bytes(name.get(1..)?.to_vec()),
    })
}

/// A place in search results, as text.
pub(crate) fn write_name_cursor(name: &NameKey, id: NodeId) -> String {
    let mut bytes = id.to_string().into_bytes();
    bytes.extend_from_slice(name.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a place in search results.
///
/// # Errors
/// 400 when the text is none.
pub(crate) fn read_name_cursor(text: &str) -> Result<(NameKey, NodeId)> {
    let parse = || {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, name) = bytes.split_at_checked(26)?;
        let id = std::str::from_utf8(id).ok()?.parse().ok()?;
        Some((NameKey::from_bytes(name.to_vec()), id))
    };
    parse().ok_or_else(bad_cursor)
}

/// A place in a list by time, as text.
pub(crate) fn write_time_cursor(at: Timestamp, id: NodeId) -> String {
    format!("{}-{id}", at.as_millis())
}

/// Reads a place in a list by time.
///
/// # Errors
/// 400 when the text is none.
pub(crate) fn read_time_cursor(text: &str) -> Result<(Timestamp, NodeId)> {
    let parse = || {
        let (millis, id) = text.rsplit_once('-')?;
        Some((Timestamp::from_millis(millis.parse().ok()?), id.parse().ok()?))
    };
    parse().ok_or_else(bad_cursor)
}

/// Reads a cursor that is an id or a number.
///
/// # Errors
/// 400 when the text is none.
pub(crate) fn read_plain_cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>> {
    text.map(|text| text.parse().map_err(|_| bad_cursor()))
        .transpose()
}

fn bad_cursor() -> Problem {
    Problem::bad_request("after is no cursor of this list")
}

#[cfg(test)]
mod tests {
    use campusdisk_core::EntryName;

    use super::*;

    fn query(text: &str) -> Option<ListQuery> {
        axum::extract::Query::<ListQuery>::try_from_uri(&format!("/?{text}").parse().unwrap())
            .ok()
            .map(|query| query.0)
    }

    #[test]
    fn a_limit_is_within_1_to_1000() {
        assert_eq!(query("").unwrap().limit, Limit(None));
        assert_eq!(query("limit=1").unwrap().limit, Limit(Some(1)));
        assert_eq!(query("limit=1000&after=x").unwrap().limit, Limit(Some(1000)));
        for text in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=ten",
            "limit=",
            "limit=1.5",
            "limit=1&limit=2",
        ] {
            assert!(query(text).is_none(), "{text}");
        }
    }

    #[test]
    fn cursors_are_read_as_they_were_written() {
        let name = EntryName::parse("Ünï:code").unwrap().key();
        for (sort, value) in [
            (Sort::Name, SortValue::Name),
            (Sort::Size, SortValue::Size(12)),
            (Sort::Modified, SortValue::Modified(Timestamp::from_millis(-5))),
        ] {
            let cursor = Cursor {
                value,
                name: name.clone(),
            };
            assert_eq!(read_cursor(&write_cursor(&cursor), sort).unwrap(), cursor);
        }
        let id = NodeId::from_u128(5);
        assert_eq!(
            read_name_cursor(&write_name_cursor(&name, id)).unwrap(),
            (name, id)
        );
        let at = Timestamp::from_millis(-5);
        assert_eq!(read_time_cursor(&write_time_cursor(at, id)).unwrap(), (at, id));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = Cursor {
            value: SortValue::Size(1),
            name: EntryName::parse("a").unwrap().key(),
        };
        assert!(read_cursor(&write_cursor(&cursor), Sort::Name).is_err());
        for text in ["", "!", "AAAA", "bg", "czE6"] {
            let empty_name = text == "czE6";
            assert_eq!(read_cursor(text, Sort::Size).is_ok(), empty_name, "{text}");
            assert!(
                read_name_cursor(text).is_err() && read_time_cursor(text).is_err(),
                "{text}"
            );
        }
        assert!(read_plain_cursor::<u64>(Some("x")).is_err());
    }
}
