//! Whole files coming in by PUT.

use axum::body::Body;
use bytes::Bytes;
use campusdisk_core::{
    EntityTag, EntityTags, Error, ErrorKind, Place, Preconditions, Purpose, Put, PutOptions, Putting,
    Validators, Verdict,
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

use crate::digest;
use crate::error::{Problem, Result, is_of_storage};
use crate::extract::broken_body;

/// Refuses before a byte is read, where what is there shows already that a condition fails.
///
/// # Errors
/// 412.
pub(crate) fn check(conditions: &Preconditions, current: Option<&Place>) -> Result<()> {
    let validators = current.map(validators);
    match conditions.verdict(validators.as_ref(), Purpose::Write) {
        Verdict::Proceed => Ok(()),
        Verdict::Failed | Verdict::NotModified => Err(Problem::precondition_failed()),
    }
}

/// How to put what a request with these headers brings. The conditions hold at the very moment the file changes, too.
///
/// # Errors
/// 400 for malformed digests and for parts of files.
pub(crate) fn options(headers: &HeaderMap, conditions: &Preconditions) -> Result<PutOptions> {
    // RFC 9110 §14.5: a part must not be taken for the whole.
    if headers.contains_key(header::CONTENT_RANGE) {
        return Err(Problem::bad_request(
            "a PUT replaces the whole file; Content-Range can't be honoured",
        ));
    }
    let mut options = PutOptions::default();
    options.mime = text(headers, header::CONTENT_TYPE);
    options.len_bytes = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    options.checksums = digest::checksums(headers)?;
    options.if_absent = conditions.if_none_match == Some(EntityTags::Any);
    match &conditions.if_match {
        Some(EntityTags::Any) => options.if_present = true,
        Some(EntityTags::Listed(tags)) => {
            options.if_content = Some(tags.iter().filter_map(EntityTag::as_content).collect());
        }
        None => {}
    }
    Ok(options)
}

/// Reads a body to its end into a running put.
///
/// # Errors
/// Why nothing is stored.
pub(crate) async fn receive(mut putting: Putting, mut body: Body) -> Result<Put> {
    while let Some(bytes) = next_bytes(&mut body, putting.ended()).await? {
        putting.write(bytes).await.map_err(problem)?;
    }
    putting.finish().await.map_err(problem)
}

/// The next bytes of a body; none at its end. When the transfer `ended` while the client rests, no bytes, so that handing
/// them over shows why.
///
/// # Errors
/// 408 when the client rests too long, 400 when its body breaks.
pub(crate) async fn next_bytes(body: &mut Body, ended: impl Future<Output = ()>) -> Result<Option<Bytes>> {
    tokio::select! {
        biased;
        frame = body.frame() => match frame {
            // Trailers are no bytes.
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Err(broken_body(&error)),
            None => Ok(None),
        },
        () = ended => Ok(Some(Bytes::new())),
    }
}

/// What an error means to who puts a file.
pub(crate) fn problem(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::Changed => Problem::precondition_failed(),
        ErrorKind::Corrupt => Problem::bad_request(
            "the bytes do not have the digest that was sent with them; nothing is stored",
        )
        .with_kind("corrupt"),
        ErrorKind::LimitExceeded => limit_problem(error),
        _ => error.into(),
    }
}

/// A limit of the policy is about this file; one of the storage is about the disk.
pub(crate) fn limit_problem(error: Error) -> Problem {
    match is_of_storage(&error) {
        true => error.into(),
        false => Problem::from(error).with_status(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

fn validators(place: &Place) -> Validators {
    // A folder has no content to compare; its facts stand for it, so that a content's tag never fits.
    let etag = match place.node.content {
        Some(content) => EntityTag::of_content(content),
        None => EntityTag::of_version(place.node.version),
    };
    Validators {
        modified: Some(place.node.modified),
        ..Validators::of(etag)
    }
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}
