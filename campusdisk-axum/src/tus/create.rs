//! POST: an upload begins, with its first bytes or without, or is joined from parts.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use campusdisk_core::catalog::record::OnConflict;
use campusdisk_core::{EntryName, UploadFacts, UploadSpec};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::headers::{self as tus, Concat, Length, Metadata};
use super::{
    SEPARATOR, Uploads, append_options, is_offset_stream, problem, receive, write_appended, write_expires,
    write_node,
};
use crate::error::{Problem, Result};
use crate::extract::broken_body;

/// Begins an upload.
pub(crate) async fn create(uploads: &Uploads, headers: &HeaderMap, body: Body) -> Result<Response> {
    tus::check_version(headers)?;
    let has_body = is_offset_stream(headers) && !body.is_end_stream();
    let body = if has_body { body } else { refuse_bytes(body).await? };
    let metadata = Metadata::parse(headers)?;
    let concat = Concat::parse(headers)?;
    if let Some(Concat::Final(parts)) = &concat {
        let mut spec = file_spec(uploads, &metadata, None)?;
        spec.metadata = format!(
            "{}{SEPARATOR}{}",
            raw(headers, tus::UPLOAD_METADATA),
            raw(headers, tus::UPLOAD_CONCAT)
        );
        let facts = uploads.join(spec, parts).await.map_err(problem)?;
        return Ok(created(uploads, &facts));
    }
    let length = Length::parse(headers)?.known();
    let mut spec = match concat {
        Some(Concat::Partial) => partial_spec(uploads, &metadata, length)?,
        _ => file_spec(uploads, &metadata, length)?,
    };
    spec.metadata = raw(headers, tus::UPLOAD_METADATA).to_owned();
    // A malformed checksum is refused before there is an upload.
    let options = append_options(headers)?;
    let facts = uploads.create(spec).await.map_err(problem)?;
    let mut response = created(uploads, &facts);
    if has_body && facts.node.is_none() {
        match receive(uploads, facts.id, 0, options, body).await {
            Ok(appended) => write_appended(response.headers_mut(), uploads, &appended),
            Err(problem) => {
                // The client was never told the address, so nobody could go on with it.
                if let Err(error) = uploads.terminate(facts.id).await {
                    tracing::debug!(%error, "an upload that failed at once is left to expire");
                }
                return Err(problem);
            }
        }
    }
    Ok(response)
}

/// A body of another type has to be empty, which only its end may show.
async fn refuse_bytes(mut body: Body) -> Result<Body> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_body(&error))?;
        if frame.data_ref().is_some_and(|bytes| !bytes.is_empty()) {
            let text = format!("the body has to be {}", tus::OFFSET_STREAM);
            return Err(Problem::unsupported_media_type(text));
        }
    }
    Ok(body)
}

fn created(uploads: &Uploads, facts: &UploadFacts) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    // Relative to …/uploads, wherever that is mounted.
    if let Ok(location) = HeaderValue::try_from(format!("uploads/{}", facts.id)) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(tus::UPLOAD_OFFSET, facts.offset_bytes.into());
    write_expires(headers, facts.expires);
    if uploads.tells_nodes() {
        write_node(headers, facts.node.map(|node| node.to_string()));
    }
    response
}

fn partial_spec(uploads: &Uploads, metadata: &Metadata, len_bytes: Option<u64>) -> Result<UploadSpec> {
    let mut spec = UploadSpec::partial(len_bytes);
    spec.parent = parent(uploads, metadata)?;
    Ok(spec)
}

fn file_spec(uploads: &Uploads, metadata: &Metadata, len_bytes: Option<u64>) -> Result<UploadSpec> {
    let name = metadata
        .text("filename")?
        .ok_or_else(|| Problem::invalid("filename", "is missing in Upload-Metadata"))?;
    let name = named("filename", name)?;
    let mut spec = UploadSpec::file(name.clone(), len_bytes);
    spec.mime = metadata
        .text("filetype")?
        .filter(|mime| !mime.is_empty())
        .map(str::to_owned);
    spec.sha256 = match metadata.text("sha256")? {
        Some(text) => Some(
            tus::hex_sha256(text)
                .ok_or_else(|| Problem::invalid("sha256", "is not 64 hexadecimal digits"))?,
        ),
        None => None,
    };
    // A visitor has no say in where a dropped file goes and what it replaces.
    if let Uploads::Own(_) = uploads {
        spec.parent = parent(uploads, metadata)?;
        spec.folders = folders(metadata, &name)?;
        spec.on_conflict = on_conflict(metadata)?;
    }
    Ok(spec)
}

fn parent(uploads: &Uploads, metadata: &Metadata) -> Result<Option<campusdisk_core::NodeId>> {
    match (uploads, metadata.text("parent")?) {
        (Uploads::Own(_), Some(parent)) => Ok(Some(parent.parse()?)),
        _ => Ok(None),
    }
}

/// The folders on the way to the file: all steps of `relativePath` but the last, which is the file's name.
fn folders(metadata: &Metadata, name: &EntryName) -> Result<Vec<EntryName>> {
    let Some(path) = metadata.text("relativePath")?.filter(|path| !path.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut steps = path
        .split('/')
        .map(|step| named("relativePath", step))
        .collect::<Result<Vec<_>>>()?;
    let last = steps.pop();
    // Some clients send a path of one step that is no path of this file; it names no folder either way.
    if !steps.is_empty() && last.as_ref() != Some(name) {
        return Err(Problem::invalid(
            "relativePath",
            "does not end in the file's name",
        ));
    }
    Ok(steps)
}

fn on_conflict(metadata: &Metadata) -> Result<OnConflict> {
    match metadata.text("on_conflict")? {
        None | Some("") => Ok(OnConflict::Rename),
        Some(word) => word
            .parse()
            .map_err(|_| Problem::invalid("on_conflict", "is none of rename, version and fail")),
    }
}

/// A name in the metadata, blamed on the key it stood under.
fn named(key: &'static str, text: &str) -> Result<EntryName> {
    EntryName::parse(text)
        .map_err(|error| Problem::invalid(key, format!("has a name that {}", error.message())))
}

fn raw(headers: &HeaderMap, name: http::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
