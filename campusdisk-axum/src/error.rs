//! Errors as users see them: `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use campusdisk_core::{Error, ErrorKind};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// What a handler answers with, or why it does not.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

/// A refusal: a status, a word for programs, a sentence for people.
///
/// It is rendered at the edge of the router, where the request's id is known.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: Cow<'static, str>,
    field: Option<&'static str>,
    challenge: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Error>,
}

impl Problem {
    /// A problem of this status and kind that says `detail`.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            field: None,
            challenge: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 400: the request is not what it should look like.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_input", detail)
    }

    /// 422: `field` breaks a rule.
    pub fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", detail);
        problem.field = Some(field);
        problem
    }

    /// 401: nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::unauthenticated_by("sign in first")
    }

    /// 401, with the reason.
    pub(crate) fn unauthenticated_by(detail: &'static str) -> Self {
        // Not Basic: a browser would ask for a password in a window of its own.
        let challenge = HeaderValue::from_static("Bearer realm=\"CampusDisk\"");
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403: this is for others.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this is for administrators")
    }

    /// 404, saying nothing about what might be there.
    pub fn not_found() -> Self {
        Error::not_found().into()
    }

    /// 412.
    pub fn precondition_failed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "it is not what the request's condition takes it for",
        )
    }

    /// 413.
    pub fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// 415.
    pub fn unsupported_media_type(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            detail,
        )
    }

    /// 429 with `Retry-After`.
    pub fn throttled(retry_after: std::time::Duration) -> Self {
        let seconds = retry_after.as_secs_f64().ceil().max(1.0);
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "throttled",
            "too many attempts, wait a little",
        )
        .with_header(header::RETRY_AFTER, number(seconds as u64))
    }

    /// 501: part of the contract, not of this version.
    pub fn not_implemented(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", detail)
    }

    /// The same problem with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same problem with another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// The same problem with a header beside it.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same problem with something to answer before trying again.
    #[must_use]
    pub fn with_challenge(mut self, challenge: String) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its word for programs.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The whole answer, for the request with this id.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let document = ProblemDocument {
            kind_uri: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            kind: self.kind,
            request_id,
            field: self.field,
            challenge: self.challenge.as_deref(),
        };
        // A document of strings and numbers always serialises.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers.iter().cloned());
        response
    }

    /// Tells the log why, for the request with this id. While the service is `stopping`, what can't be done any more is no alarm.
    pub(crate) fn log(&self, request_id: &str, stopping: bool) {
        let Some(cause) = &self.cause else { return };
        let source = std::error::Error::source(cause).map(tracing::field::display);
        if stopping && self.status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::info!(request_id, kind = self.kind, error = %cause, source, "request ended by the stop");
        } else if self.status == StatusCode::SERVICE_UNAVAILABLE && !is_of_storage(cause) {
            tracing::warn!(request_id, kind = self.kind, error = %cause, "request refused for now");
        } else if self.status.is_server_error() {
            tracing::error!(request_id, kind = self.kind, error = %cause, source, "request failed");
        } else {
            tracing::debug!(request_id, kind = self.kind, error = %cause, source, "request refused");
        }
    }
}

/// The members of a problem document.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// Always `about:blank`: `kind` tells problems apart.
    #[serde(rename = "type")]
    kind_uri: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, for a person.
    detail: &'a str,
    /// What is wrong, for a program.
    kind: &'static str,
    /// What the operator finds it by in the log.
    request_id: &'a str,
    /// The field of the request that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// What to answer before trying again, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<&'a str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// The status of each kind of error; a handler that knows better says so with [`Problem::with_status`].
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::Changed => StatusCode::CONFLICT,
            ErrorKind::Denied => StatusCode::FORBIDDEN,
            ErrorKind::QuotaExceeded | ErrorKind::LimitExceeded => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::InvalidInput => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let detail = match error.kind() {
            // What a part of the system says about its failure is for the log, not for the user.
            ErrorKind::Unavailable if is_of_storage(&error) => {
                "a part of the system can't be reached now, try again in a moment".into()
            }
            ErrorKind::Unavailable => Cow::Owned(error.message().to_owned()),
            ErrorKind::LimitExceeded if is_of_storage(&error) => {
                "the storage is full, nothing more is taken in until there is room".into()
            }
            _ if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE => {
                "something went wrong here, the operator finds it by the request_id".into()
            }
            _ => match error.field() {
                Some(field) => format!("{field} {}", error.message()).into(),
                None => Cow::Owned(error.message().to_owned()),
            },
        };
        let mut problem = Self::new(status, error.kind().as_str(), detail);
        problem.field = error.field();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            problem = problem.with_header(header::RETRY_AFTER, number(5));
        }
        problem.cause = Some(error);
        problem
    }
}

/// Whether a store or the catalog met it: in an operation of theirs, or with a cause.
pub(crate) fn is_of_storage(error: &Error) -> bool {
    error.operation().is_some() || std::error::Error::source(error).is_some()
}

fn number(value: u64) -> HeaderValue {
    HeaderValue::from(value)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn rendered(problem: &Problem) -> (Response<()>, serde_json::Value) {
        let (parts, body) = problem.render("r1").into_parts();
        let body = block_on(axum::body::to_bytes(body, 4096)).unwrap();
        (
            Response::from_parts(parts, ()),
            serde_json::from_slice(&body).unwrap(),
        )
    }

    #[test]
    fn each_kind_of_error_has_its_status() {
        for (kind, status) in [
            (ErrorKind::NotFound, 404),
            (ErrorKind::AlreadyExists, 409),
            (ErrorKind::Conflict, 409),
            (ErrorKind::Changed, 409),
            (ErrorKind::Denied, 403),
            (ErrorKind::QuotaExceeded, 507),
            (ErrorKind::LimitExceeded, 507),
            (ErrorKind::InvalidInput, 422),
            (ErrorKind::Truncated, 500),
            (ErrorKind::Corrupt, 500),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Internal, 500),
        ] {
            let problem = Problem::from(Error::new(kind, "text"));
            assert_eq!(problem.status().as_u16(), status, "{kind}");
            assert_eq!(problem.kind(), kind.as_str());
        }
    }

    #[test]
    fn a_problem_document_names_kind_field_and_request() {
        let (response, document) = rendered(&Error::invalid("name", "is empty").into());
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(
            document,
            serde_json::json!({
                "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": "name is empty",
                "kind": "invalid_input", "request_id": "r1", "field": "name",
            })
        );
    }

    #[test]
    fn the_inside_of_a_failure_stays_inside() {
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::Internal,
            ErrorKind::Corrupt,
            ErrorKind::LimitExceeded,
        ] {
            let error =
                Error::new(kind, "NameNode nn1.campus:8020 refused").because(std::io::Error::other("secret"));
            let (_, document) = rendered(&error.into());
            let text = document.to_string();
            assert!(!text.contains("nn1") && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn who_is_to_come_later_is_told_why() {
        let error = Error::new(ErrorKind::Unavailable, "too many downloads run at once");
        let (response, document) = rendered(&error.into());
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(document["detail"], "too many downloads run at once");
    }

    #[test]
    fn waiting_is_said_in_whole_seconds() {
        let (response, _) = rendered(&Problem::throttled(std::time::Duration::from_millis(1200)));
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
