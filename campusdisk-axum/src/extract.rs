//! Extractors that refuse with a problem and nothing else.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::error::{Problem, Result};
use crate::state::AppState;

/// A JSON body. Bodies too long are refused before they are read where they say how long they are.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        check_json_type(request.headers())?;
        parse(&read_small(request.into_body(), state).await?).map(Self)
    }
}

/// A JSON body that may be missing, and is the default then.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = read_small(body, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        check_json_type(&parts.headers)?;
        parse(&body).map(Self)
    }
}

/// The query of the request's target. Names it does not know are no matter.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| Problem::bad_request(format!("the query does not fit: {}", error.body_text())))
    }
}

/// Decoded segments of the request's path. Bad percent-encoding is refused, not repaired.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        match path {
            _ if !is_well_encoded(&parts.uri) => Err(badly_encoded()),
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => Err(badly_encoded()),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

/// All of a body that has at most as many bytes, and takes at most as long, as a small one may.
///
/// # Errors
/// 413 when it is longer, 408 when it takes longer, 400 when it breaks.
pub(crate) async fn read_small(body: Body, state: &AppState) -> Result<Bytes> {
    let options = state.options();
    let reading = collect(body, options.max_json_bytes);
    // A client that sends a byte now and then never rests for long, so the whole has a limit too.
    tokio::time::timeout(options.small_body_time, reading)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

async fn collect(body: Body, max_bytes: usize) -> Result<Bytes> {
    match Limited::new(body, max_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(format!(
            "the body is longer than {max_bytes} bytes"
        ))),
        Err(error) => Err(broken_body(&*error)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the JSON body does not fit: {error}")))
}

fn timed_out() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        "the request's body took too long",
    )
}

/// Why a request's body could not be read to its end.
pub(crate) fn broken_body(error: &(dyn std::error::Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let rested = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
        if rested {
            return timed_out();
        }
        cause = error.source();
    }
    Problem::bad_request("the request's body ended early").with_kind("truncated")
}

fn check_json_type(headers: &HeaderMap) -> Result<()> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::unsupported_media_type(
        "the body has to be application/json",
    ))
}

/// Whether each `%` in the path begins an escape (RFC 3986 §2.1).
fn is_well_encoded(uri: &Uri) -> bool {
    let mut rest = uri.path().as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {
                rest = rest.get(at + 3..).unwrap_or_default()
            }
            _ => return false,
        }
    }
    true
}

fn badly_encoded() -> Problem {
    Problem::invalid("path", "is not percent-encoded UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percent_sign_begins_an_escape() {
        for (path, fits) in [
            ("/a", true),
            ("/%20%E6%88%90", true),
            ("/%", false),
            ("/%2", false),
            ("/%zz", false),
            ("/%41%4", false),
            ("/%25zz", true),
        ] {
            assert_eq!(is_well_encoded(&path.parse().unwrap()), fits, "{path}");
        }
    }

    #[test]
    fn only_json_is_read_as_json() {
        for (value, fits) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("text/json+json", false),
        ] {
            let headers = [(header::CONTENT_TYPE, value.parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(check_json_type(&headers).is_ok(), fits, "{value}");
        }
        assert!(check_json_type(&HeaderMap::new()).is_ok());
    }

    #[tokio::test]
    async fn a_body_too_long_is_refused() {
        let read = |max_bytes| collect(Body::from("12345"), max_bytes);
        assert_eq!(read(5).await.unwrap(), "12345");
        assert_eq!(read(4).await.unwrap_err().status().as_u16(), 413);
    }
}
