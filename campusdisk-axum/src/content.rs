//! Answers GET and HEAD of a file or an archive: the plan of core, rendered.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use campusdisk_core::{
    Archive, ByteBody, ContentFacts, ContentId, Download, DownloadPlan, EntityTag, IfRange, Span, Timestamp,
    plan,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use crate::body::AnswerBody;
use crate::client::Client;
use crate::conditional;
use crate::digest;
use crate::disposition::{Disposition, content_disposition};
use crate::elsewhere;
use crate::error::{Problem, Result};
use crate::media::{Showing, showing};
use crate::multipart::{Framing, content_range};
use crate::state::AppState;

/// Whether a file is to be shown; saving is what happens otherwise.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ContentQuery {
    pub download: Option<String>,
    pub inline: Option<String>,
}

impl ContentQuery {
    fn disposition(&self) -> Disposition {
        match (&self.inline, &self.download) {
            (Some(_), None) => Disposition::Inline,
            _ => Disposition::Attachment,
        }
    }
}

/// What a request wants said of the bytes.
#[derive(Clone, Copy, Debug)]
struct Wished {
    disposition: Disposition,
    /// Whether it takes their SHA-256.
    digest: bool,
    /// Whether they are shown as text in UTF-8.
    utf8: bool,
}

/// What can be fetched by ranges.
pub(crate) trait Source: Clone + Send + Sync + Unpin + 'static {
    fn about(&self) -> About<'_>;

    /// Whether the time of change stands for these bytes alone.
    fn has_date_of_its_own(&self) -> impl Future<Output = campusdisk_core::Result<bool>> + Send;

    fn open(&self, span: Span) -> impl Future<Output = campusdisk_core::Result<ByteBody>> + Send;

    /// All bytes, of which there may be none.
    fn open_whole(&self) -> impl Future<Output = campusdisk_core::Result<ByteBody>> + Send;

    /// The file that it is, where it is one.
    fn as_file(&self) -> Option<&Download>;
}

/// What an answer says of bytes.
pub(crate) struct About<'a> {
    content_id: ContentId,
    size_bytes: u64,
    modified: Timestamp,
    name: &'a str,
    mime: &'a str,
    sha256: Option<[u8; 32]>,
}

impl Source for Download {
    fn about(&self) -> About<'_> {
        About {
            content_id: self.content_id(),
            size_bytes: self.size_bytes(),
            modified: self.modified(),
            name: self.place().node.name.as_str(),
            mime: self.mime(),
            sha256: self.sha256(),
        }
    }

    async fn has_date_of_its_own(&self) -> campusdisk_core::Result<bool> {
        self.has_date_of_its_own().await
    }

    async fn open(&self, span: Span) -> campusdisk_core::Result<ByteBody> {
        self.open(span).await
    }

    async fn open_whole(&self) -> campusdisk_core::Result<ByteBody> {
        self.open_whole().await
    }

    fn as_file(&self) -> Option<&Download> {
        Some(self)
    }
}

impl Source for Archive {
    fn about(&self) -> About<'_> {
        About {
            content_id: self.content_id(),
            size_bytes: self.size_bytes(),
            modified: self.modified(),
            name: self.name(),
            mime: "application/zip",
            sha256: None,
        }
    }

    async fn has_date_of_its_own(&self) -> campusdisk_core::Result<bool> {
        // It stays the same when something is removed.
        Ok(false)
    }

    async fn open(&self, span: Span) -> campusdisk_core::Result<ByteBody> {
        self.open(span).await
    }

    async fn open_whole(&self) -> campusdisk_core::Result<ByteBody> {
        self.open_whole().await
    }

    fn as_file(&self) -> Option<&Download> {
        None
    }
}

/// The answer to a GET or HEAD of bytes (RFC 9110 §13 to §15).
pub(crate) async fn answer(
    state: &AppState,
    client: &Client,
    download: &impl Source,
    method: &Method,
    headers: &HeaderMap,
    query: &ContentQuery,
) -> Result<Response> {
    let asked = conditional::asked(method, headers, state.disk().now());
    let mut facts = download.about().facts();
    if matches!(asked.if_range, Some(IfRange::Date(_))) {
        facts.validators.date_is_strong = download.has_date_of_its_own().await?;
    }
    let plan = plan(&facts, &asked);
    let wished = Wished {
        disposition: query.disposition(),
        digest: digest::takes_sha256(headers),
        utf8: is_shown_in_utf8(download, query.disposition(), &plan).await?,
    };
    match plan {
        DownloadPlan::Whole => {
            let describe = |headers: &mut HeaderMap| write_headers(download, &facts, wished, headers);
            let is_get = method == Method::GET;
            // What is shown and not saved needs headers that others would not send.
            let is_saved = wished.disposition == Disposition::Attachment;
            if let Some(file) = download.as_file().filter(|_| is_get && is_saved)
                && let Some(answer) =
                    elsewhere::answer(state.options(), file, client, headers, describe).await?
            {
                return Ok(answer);
            }
            let body = match is_get {
                true => download.open_whole().await?,
                false => ByteBody::empty(),
            };
            let mut response = with_body(state, StatusCode::OK, body);
            describe(response.headers_mut());
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, facts.size_bytes.into());
            Ok(response)
        }
        DownloadPlan::Parts(parts) => match parts.as_slice() {
            [part] => one_part(state, download, &facts, wished, *part).await,
            _ => several_parts(state, download, &facts, wished, parts).await,
        },
        DownloadPlan::NotModified => Ok(not_modified(&facts)),
        DownloadPlan::PreconditionFailed => Err(Problem::precondition_failed()),
        DownloadPlan::Unsatisfiable { size_bytes } => Err(unsatisfiable(size_bytes)),
    }
}

/// Whether a text is to be shown whose encoding has to be said: browsers find out by themselves that one is GB 18030, but of what comes
/// by HTTP never that it is UTF-8.
async fn is_shown_in_utf8(
    download: &impl Source,
    disposition: Disposition,
    plan: &DownloadPlan,
) -> Result<bool> {
    let is_shown =
        disposition == Disposition::Inline && matches!(plan, DownloadPlan::Whole | DownloadPlan::Parts(_));
    match download.as_file() {
        Some(file) if is_shown && file.mime().starts_with("text/") => Ok(file.begins_in_utf8().await?),
        _ => Ok(false),
    }
}

async fn one_part(
    state: &AppState,
    download: &impl Source,
    facts: &ContentFacts,
    wished: Wished,
    part: Span,
) -> Result<Response> {
    let mut response = with_body(state, StatusCode::PARTIAL_CONTENT, download.open(part).await?);
    let headers = response.headers_mut();
    write_headers(download, facts, wished, headers);
    headers.insert(header::CONTENT_LENGTH, part.len().into());
    if let Ok(range) = HeaderValue::try_from(content_range(part, facts.size_bytes)) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

/// §15.3.7.2: the ranges stand in the parts, not in the headers.
async fn several_parts(
    state: &AppState,
    download: &impl Source,
    facts: &ContentFacts,
    wished: Wished,
    parts: Vec<Span>,
) -> Result<Response> {
    let framing = Framing::new(&parts, download.about().mime, facts.size_bytes, state.ids());
    let (content_type, len_bytes) = (framing.content_type(), framing.len_bytes());
    // The first is opened before the answer begins, so that what can't be had at all is said with a status.
    let mut first = match parts.first() {
        Some(part) => Some(download.open(*part).await?),
        None => None,
    };
    let (count, source) = (parts.len(), download.clone());
    let body = framing.body(count, move |index| {
        let (opened, part, source) = (first.take(), parts.get(index).copied(), source.clone());
        async move {
            match (opened, part) {
                (Some(body), _) => Ok(body),
                (None, Some(part)) => source.open(part).await,
                (None, None) => Ok(ByteBody::empty()),
            }
        }
    });
    let mut response = with_body(state, StatusCode::PARTIAL_CONTENT, body);
    let headers = response.headers_mut();
    write_headers(download, facts, wished, headers);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, len_bytes.into());
    Ok(response)
}

impl About<'_> {
    fn facts(&self) -> ContentFacts {
        let etag = EntityTag::of_content(self.content_id);
        ContentFacts::new(etag, self.modified, self.size_bytes)
    }
}

fn with_body(state: &AppState, status: StatusCode, bytes: ByteBody) -> Response {
    let mut response = Response::new(AnswerBody::over(bytes, state.options().response_idle));
    *response.status_mut() = status;
    response
}

fn write_headers(download: &impl Source, facts: &ContentFacts, wished: Wished, headers: &mut HeaderMap) {
    let about = download.about();
    conditional::write_validators(&facts.validators, headers);
    write_caching(headers);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mime = match wished.utf8 {
        true => HeaderValue::try_from(format!("{}; charset=utf-8", about.mime)),
        false => HeaderValue::from_str(about.mime),
    };
    headers.insert(
        header::CONTENT_TYPE,
        mime.unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    let disposition = wished.disposition;
    headers.insert(
        header::CONTENT_DISPOSITION,
        content_disposition(disposition, about.name),
    );
    if disposition == Disposition::Inline && showing(about.mime) == Showing::Sandboxed {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox"),
        );
    }
    if let Some(sha256) = about.sha256.filter(|_| wished.digest) {
        headers.insert(digest::REPR_DIGEST, digest::repr_digest(&sha256));
    }
}

/// Rights may end, so a copy is asked about before it is used again, and none is kept for others.
fn write_caching(headers: &mut HeaderMap) {
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
}

/// §15.4.5.
fn not_modified(facts: &ContentFacts) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    conditional::write_validators(&facts.validators, response.headers_mut());
    write_caching(response.headers_mut());
    response.into_response()
}

/// §15.5.17.
fn unsatisfiable(size_bytes: u64) -> Problem {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        "the file has none of the bytes asked for",
    );
    match HeaderValue::try_from(format!("bytes */{size_bytes}")) {
        Ok(range) => problem.with_header(header::CONTENT_RANGE, range),
        Err(_) => problem,
    }
}
