//! The resumable upload protocol tus 1.0.0, over uploads of one's own and uploads through a drop share.

pub(crate) mod create;
pub(crate) mod headers;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use campusdisk_core::catalog::record::UploadKind;
use campusdisk_core::{
    Admission, AppendOptions, Appended, Appending, Desk, Error, ErrorKind, Timestamp, UploadFacts, UploadId,
    UploadSpec, Visit, format_http_date,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use self::headers as tus;
use crate::error::{Problem, Result};
use crate::put::{self, next_bytes};
use crate::state::AppState;

pub(crate) const CAMPUSDISK_NODE: HeaderName = HeaderName::from_static("campusdisk-node");

/// Between the metadata and the list of parts in what core keeps for us; no header's value has one.
const SEPARATOR: char = '\n';

/// Whose uploads a request is about.
pub(crate) enum Uploads {
    /// An account's own.
    Own(Desk),
    /// Those that came through a share.
    Dropped(Box<Visit>, Admission),
}

impl Uploads {
    async fn create(&self, spec: UploadSpec) -> Result<UploadFacts, Error> {
        match self {
            Self::Own(desk) => desk.create_upload(spec).await,
            Self::Dropped(visit, admission) => visit.create_upload(admission, spec).await,
        }
    }

    async fn join(&self, spec: UploadSpec, parts: &[UploadId]) -> Result<UploadFacts, Error> {
        match self {
            Self::Own(desk) => desk.join(spec, parts).await,
            Self::Dropped(visit, admission) => visit.join(admission, spec, parts).await,
        }
    }

    async fn find(&self, id: UploadId) -> Result<UploadFacts, Error> {
        match self {
            Self::Own(desk) => desk.upload(id).await,
            Self::Dropped(visit, admission) => visit.upload(admission, id).await,
        }
    }

    async fn append(
        &self,
        id: UploadId,
        offset_bytes: u64,
        options: AppendOptions,
    ) -> Result<Appending, Error> {
        match self {
            Self::Own(desk) => desk.append(id, offset_bytes, options).await,
            Self::Dropped(visit, admission) => visit.append(admission, id, offset_bytes, options).await,
        }
    }

    async fn terminate(&self, id: UploadId) -> Result<(), Error> {
        match self {
            Self::Own(desk) => desk.terminate(id).await,
            Self::Dropped(visit, admission) => visit.terminate(admission, id).await,
        }
    }

    /// Whether the caller may be told what became of the bytes.
    fn tells_nodes(&self) -> bool {
        matches!(self, Self::Own(_))
    }
}

/// OPTIONS: what we speak.
pub(crate) fn describe(state: &AppState) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(tus::TUS_RESUMABLE, tus::VERSION);
    headers.insert(tus::TUS_VERSION, tus::VERSION);
    let extensions =
        "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation";
    headers.insert(tus::TUS_EXTENSION, HeaderValue::from_static(extensions));
    headers.insert(
        tus::TUS_CHECKSUM_ALGORITHM,
        HeaderValue::from_static("sha1,sha256,md5"),
    );
    headers.insert(tus::TUS_MAX_SIZE, state.disk().policy().max_file_bytes.into());
    response
}

/// HEAD: how far an upload is. True after a crash: what it says is stored.
pub(crate) async fn look(uploads: &Uploads, headers: &HeaderMap, id: UploadId) -> Result<Response> {
    tus::check_version(headers)?;
    let facts = uploads.find(id).await.map_err(problem)?;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(tus::UPLOAD_OFFSET, facts.offset_bytes.into());
    match facts.len_bytes {
        Some(length) => headers.insert(tus::UPLOAD_LENGTH, length.into()),
        None => headers.insert(tus::UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    let (metadata, parts) = facts
        .metadata
        .split_once(SEPARATOR)
        .unwrap_or((&facts.metadata, ""));
    let concat = match facts.kind {
        UploadKind::File => "",
        UploadKind::Partial => "partial",
        UploadKind::Joined => parts,
    };
    for (name, value) in [(tus::UPLOAD_METADATA, metadata), (tus::UPLOAD_CONCAT, concat)] {
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
    }
    write_expires(headers, facts.expires);
    if uploads.tells_nodes() {
        write_node(headers, facts.node.map(|node| node.to_string()));
    }
    Ok(response)
}

/// PATCH: more bytes.
pub(crate) async fn append(
    uploads: &Uploads,
    headers: &HeaderMap,
    id: UploadId,
    body: Body,
) -> Result<Response> {
    tus::check_version(headers)?;
    if !is_offset_stream(headers) {
        return Err(Problem::unsupported_media_type(format!(
            "the body has to be {}",
            tus::OFFSET_STREAM
        )));
    }
    let offset = tus::number(headers, tus::UPLOAD_OFFSET)?
        .ok_or_else(|| Problem::bad_request("the header upload-offset is missing"))?;
    let mut options = append_options(headers)?;
    options.len_bytes = tus::number(headers, tus::UPLOAD_LENGTH)?;
    let appended = receive(uploads, id, offset, options, body).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    write_appended(response.headers_mut(), uploads, &appended);
    Ok(response)
}

/// DELETE: the upload is given up.
pub(crate) async fn terminate(uploads: &Uploads, headers: &HeaderMap, id: UploadId) -> Result<StatusCode> {
    tus::check_version(headers)?;
    uploads.terminate(id).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a body to its end into an upload. When the client goes away, what came stays, unless it has a checksum to fit.
async fn receive(
    uploads: &Uploads,
    id: UploadId,
    offset_bytes: u64,
    options: AppendOptions,
    mut body: Body,
) -> Result<Appended> {
    let mut appending = uploads.append(id, offset_bytes, options).await.map_err(problem)?;
    while let Some(bytes) = next_bytes(&mut body, appending.ended()).await? {
        appending.write(bytes).await.map_err(problem)?;
    }
    appending.finish().await.map_err(problem)
}

fn append_options(headers: &HeaderMap) -> Result<AppendOptions> {
    let mut options = AppendOptions::default();
    options.checksum = tus::checksum(headers)?;
    options.body_bytes = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok());
    Ok(options)
}

fn is_offset_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(tus::OFFSET_STREAM.as_bytes())
    })
}

fn write_appended(headers: &mut HeaderMap, uploads: &Uploads, appended: &Appended) {
    headers.insert(tus::UPLOAD_OFFSET, appended.offset_bytes.into());
    write_expires(headers, appended.expires);
    if uploads.tells_nodes() {
        write_node(headers, appended.node.as_ref().map(|node| node.id.to_string()));
    }
}

fn write_expires(headers: &mut HeaderMap, expires: Timestamp) {
    if let Ok(value) = HeaderValue::try_from(format_http_date(expires)) {
        headers.insert(tus::UPLOAD_EXPIRES, value);
    }
}

fn write_node(headers: &mut HeaderMap, node: Option<String>) {
    if let Some(value) = node.and_then(|node| HeaderValue::try_from(node).ok()) {
        headers.insert(CAMPUSDISK_NODE, value);
    }
}

/// What an error means in the protocol.
fn problem(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::Corrupt => checksum_mismatch(),
        ErrorKind::LimitExceeded => put::limit_problem(error),
        ErrorKind::InvalidInput => Problem::from(error).with_status(StatusCode::BAD_REQUEST),
        // The word of the protocol's users for an upload that must not take another name.
        ErrorKind::AlreadyExists => Problem::from(error).with_kind("exists"),
        _ => error.into(),
    }
}

/// The status of the checksum extension.
fn checksum_mismatch() -> Problem {
    let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
    Problem::new(
        status,
        "checksum_mismatch",
        "the bytes do not have the checksum that was sent with them",
    )
}
