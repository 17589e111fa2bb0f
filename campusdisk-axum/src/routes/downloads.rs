//! Records of downloads: one's own, and everybody's for administrators.

use axum::Json as JsonAnswer;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use campusdisk_core::catalog::record::{DownloadOutcome, DownloadRecord};
use campusdisk_core::{AccountId, CampusDisk, DownloadId, DownloadsFilter, NodeId, Timestamp};
use futures::{StreamExt, stream};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actor::{AdminCaller, Reader};
use crate::csv;
use crate::disposition::{Disposition, content_disposition};
use crate::error::{Problem, ProblemDocument, Result};
use crate::extract::Query;
use crate::list::{Items, Limit, ListQuery, read_plain_cursor};
use crate::state::AppState;

/// How many records are read at once for a CSV.
const CSV_ROWS: u32 = 1000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(own)).routes(routes!(all))
}

/// What the caller downloaded, latest first: one record for all requests for one content with less than ten minutes between them.
#[utoipa::path(
    get, path = "/api/v1/downloads", tag = "records",
    params(("limit" = Option<u32>, Query), ("after" = Option<String>, Query)),
    responses((status = 200, body = Items<DownloadBody>), (status = 400, body = ProblemDocument)),
)]
async fn own(
    State(state): State<AppState>,
    Reader(desk): Reader,
    Query(query): Query<ListQuery>,
) -> Result<JsonAnswer<Items<DownloadBody>>> {
    let before = read_plain_cursor(query.after.as_deref())?;
    let page = desk.downloads(before, query.limit.items(&state)).await?;
    Ok(JsonAnswer(items(&page.items, page.next)))
}

/// What everybody downloaded, latest first.
#[utoipa::path(
    get, path = "/api/v1/admin/downloads", tag = "administration",
    params(
        ("from" = Option<String>, Query, description = "began at this time, or on this day (UTC), or later"),
        ("to" = Option<String>, Query, description = "began before this time, or on this day (UTC) or before"),
        ("account" = Option<String>, Query), ("node" = Option<String>, Query),
        ("format" = Option<String>, Query, description = "`json`, which it is without this, or `csv`, which has no pages"),
        ("bom" = Option<String>, Query, description = "begins the CSV with a byte order mark, by which spreadsheets know UTF-8"),
        ("limit" = Option<u32>, Query), ("after" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = Items<DownloadBody>), (status = 400, body = ProblemDocument), (status = 403, body = ProblemDocument),
    ),
)]
async fn all(
    State(state): State<AppState>,
    AdminCaller(_caller): AdminCaller,
    Query(query): Query<AllQuery>,
) -> Result<Response> {
    let filter = query.filter()?;
    if query.format == Format::Csv {
        return all_as_csv(state.disk().clone(), filter, query.bom.is_some()).await;
    }
    let before = read_plain_cursor(query.after.as_deref())?;
    let limit = query.limit.items(&state);
    let page = state.disk().downloads(&filter, before, limit).await?;
    Ok(JsonAnswer(items(&page.items, page.next)).into_response())
}

/// All records as they are read, page by page. The first page is read before the answer begins, so that a failure has a status.
async fn all_as_csv(disk: CampusDisk, filter: DownloadsFilter, bom: bool) -> Result<Response> {
    let first = disk.downloads(&filter, None, CSV_ROWS).await?;
    let mark = if bom { csv::BYTE_ORDER_MARK } else { "" };
    let head = format!("{mark}{}", csv::line(COLUMNS)) + &lines(&first.items);
    let rest = stream::try_unfold((disk, filter, first.next), |(disk, filter, next)| async move {
        let Some(before) = next else {
            return Ok::<_, campusdisk_core::Error>(None);
        };
        let page = disk.downloads(&filter, Some(before), CSV_ROWS).await?;
        Ok(Some((Bytes::from(lines(&page.items)), (disk, filter, page.next))))
    });
    let first = stream::iter([Ok::<_, campusdisk_core::Error>(Bytes::from(head))]);
    let mut response = Response::new(Body::from_stream(first.chain(rest)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(csv::MIME));
    let disposition = content_disposition(Disposition::Attachment, "downloads.csv");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn items(records: &[DownloadRecord], next: Option<DownloadId>) -> Items<DownloadBody> {
    Items {
        items: records.iter().map(DownloadBody::from).collect(),
        next: next.map(|id| id.to_string()),
    }
}

#[derive(Debug, Deserialize)]
struct AllQuery {
    from: Option<String>,
    to: Option<String>,
    account: Option<String>,
    node: Option<NodeId>,
    #[serde(default)]
    format: Format,
    bom: Option<String>,
    #[serde(default)]
    limit: Limit,
    after: Option<String>,
}

/// What records are answered as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

impl AllQuery {
    fn filter(&self) -> Result<DownloadsFilter> {
        let account = self.account.as_deref().map(AccountId::parse).transpose();
        let mut filter = DownloadsFilter::default();
        filter.from = self
            .from
            .as_deref()
            .map(|text| edge("from", text, Edge::First))
            .transpose()?;
        filter.to = self
            .to
            .as_deref()
            .map(|text| edge("to", text, Edge::Last))
            .transpose()?;
        filter.account = account.map_err(|_| Problem::bad_request("account is no account's id"))?;
        filter.node = self.node;
        Ok(filter)
    }
}

/// Which end of a day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    First,
    Last,
}

/// A time, or the beginning or end of a day in UTC.
///
/// # Errors
/// 400 when the text is neither.
fn edge(field: &'static str, text: &str, edge: Edge) -> Result<Timestamp> {
    if let Ok(at) = Timestamp::parse(field, text) {
        return Ok(at);
    }
    let begins = Timestamp::parse(field, &format!("{text}T00:00:00Z"));
    let begins = begins.map_err(|_| {
        Problem::bad_request(format!(
            "{field} is neither a time such as 2026-09-01T08:00:00Z nor a day such as 2026-09-01"
        ))
    })?;
    Ok(match edge {
        Edge::First => begins,
        Edge::Last => begins + Duration::from_secs(24 * 60 * 60),
    })
}

/// What one client downloaded of one content, however many requests and ranges that took.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Download)]
struct DownloadBody {
    /// Its id.
    id: String,
    /// The file or folder; of a selection the first one. It may be gone since.
    node: String,
    /// What it was called then.
    name: String,
    /// Whose download it was; null for a visitor of a share.
    account: Option<String>,
    /// The share it came through.
    share: Option<String>,
    /// The client's address at the first request, where it is known.
    address: Option<String>,
    /// When its first byte went out.
    started: String,
    /// When its last byte went out; null while it runs.
    ended: Option<String>,
    /// How many bytes went out, those that went out again included.
    bytes: u64,
    /// How many requests there were.
    requests: u64,
    /// `completed` when every byte was delivered, `running` while bytes are on their way, else `aborted`.
    outcome: &'static str,
}

impl From<&DownloadRecord> for DownloadBody {
    fn from(record: &DownloadRecord) -> Self {
        Self {
            id: record.id.to_string(),
            node: record.node.to_string(),
            name: record.name.clone(),
            account: record.account.as_ref().map(ToString::to_string),
            share: record.share.map(|share| share.to_string()),
            address: record.address.map(|address| address.to_string()),
            started: record.started.to_string(),
            ended: (record.outcome != DownloadOutcome::Running).then(|| record.ended.to_string()),
            bytes: record.sent_bytes,
            requests: record.requests,
            outcome: record.outcome.as_str(),
        }
    }
}

/// The columns of a CSV: the fields of a record.
const COLUMNS: [&str; 11] = [
    "id", "node", "name", "account", "share", "address", "started", "ended", "bytes", "requests", "outcome",
];

fn lines(records: &[DownloadRecord]) -> String {
    records
        .iter()
        .map(|record| line(DownloadBody::from(record)))
        .collect()
}

fn line(record: DownloadBody) -> String {
    csv::line([
        record.id,
        record.node,
        csv::harmless(record.name),
        csv::harmless(record.account.unwrap_or_default()),
        record.share.unwrap_or_default(),
        record.address.unwrap_or_default(),
        record.started,
        record.ended.unwrap_or_default(),
        record.bytes.to_string(),
        record.requests.to_string(),
        record.outcome.to_owned(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_meant_whole_at_either_end() {
        let at = |text, end| edge("to", text, end).unwrap().to_string();
        assert_eq!(at("2026-09-01", Edge::First), "2026-09-01T00:00:00.000Z");
        assert_eq!(at("2026-09-01", Edge::Last), "2026-09-02T00:00:00.000Z");
        for end in [Edge::First, Edge::Last] {
            assert_eq!(at("2026-09-01T08:00:00+08:00", end), "2026-09-01T00:00:00.000Z");
        }
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-09-31",
            "1788220800",
            "2026-09-01T08:00",
        ] {
            assert_eq!(
                edge("from", text, Edge::First).unwrap_err().status().as_u16(),
                400,
                "{text}"
            );
        }
    }
}
