//! What an answer of the server, or its absence, means here. The only file that names the client's errors.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use campusdisk_core::{Error, ErrorKind};
use object_store::client::{HttpError, HttpErrorKind};

/// A request that failed, before it is known what it was for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    says: Cow<'static, str>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// A failure that no error of the client stands behind.
    pub(crate) fn new(kind: ErrorKind, says: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            says: says.into(),
            cause: None,
        }
    }

    /// The server said nothing for as long as `setting` allows.
    pub(crate) fn silent(setting: &'static str, limit: Duration) -> Self {
        let says = format!("the server said nothing for {limit:?} ({setting})");
        Self::new(ErrorKind::Unavailable, says)
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error of an operation on a blob or another thing in this store.
    pub(crate) fn during(self, operation: &'static str, subject: impl fmt::Display) -> Error {
        let error = Error::new(self.kind, self.says)
            .during(operation)
            .on(subject.to_string());
        match self.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        let (kind, says) = classify(&error);
        Self {
            kind,
            says: says.into(),
            cause: Some(Box::new(error)),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let (kind, says) = classify_transport(error.kind());
        Self {
            kind,
            says: says.into(),
            cause: Some(Box::new(error)),
        }
    }
}

/// Codes of S3's error documents that mean something else than their status.
const CODES: [(&str, ErrorKind, &str); 9] = [
    // A missing bucket must never look like a missing blob.
    (
        "NoSuchBucket",
        ErrorKind::Unavailable,
        "the bucket does not exist (bucket)",
    ),
    (
        "QuotaExceeded",
        ErrorKind::LimitExceeded,
        "the bucket's quota is used up",
    ),
    (
        "EntityTooLarge",
        ErrorKind::LimitExceeded,
        "the server takes no object this long",
    ),
    ("StorageFull", ErrorKind::LimitExceeded, "the server is full"),
    (
        "InsufficientStorage",
        ErrorKind::LimitExceeded,
        "the server is full",
    ),
    ("SlowDown", ErrorKind::Unavailable, "the server asks to slow down"),
    (
        "RequestTimeTooSkewed",
        ErrorKind::Denied,
        "this machine's clock differs from the server's",
    ),
    (
        "ConditionalRequestConflict",
        ErrorKind::Unavailable,
        "another request for the key is under way",
    ),
    (
        "OperationAborted",
        ErrorKind::Unavailable,
        "another request for the key is under way",
    ),
];

/// What the client says of an answer that is about other bytes than were asked for.
const OTHER_BYTES: [&str; 5] = [
    "Received non-partial response",
    "Content-Range header not present",
    "Failed to parse value for CONTENT_RANGE",
    "Wanted range starting at",
    "Requested ",
];

const DENIED: &str = "the credentials may not do this (credentials, and the bucket's policy)";
const UNREACHED: &str = "the server can't be reached or broke off (endpoint, connect_timeout, read_timeout)";

fn classify(error: &object_store::Error) -> (ErrorKind, &'static str) {
    let text = chain_text(error);
    if let Some((_, kind, says)) = CODES.iter().find(|(code, ..)| text.contains(code)) {
        return (*kind, says);
    }
    match error {
        object_store::Error::NotFound { .. } => (ErrorKind::NotFound, "there is no such object"),
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => {
            (ErrorKind::AlreadyExists, "the key is taken")
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            (ErrorKind::Denied, DENIED)
        }
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            (ErrorKind::Internal, "the server can't do what is asked of it")
        }
        object_store::Error::Generic { .. } => classify_generic(error, &text),
        _ => (ErrorKind::Internal, "the client of the server failed"),
    }
}

/// The client keeps status codes in a type of its own, so that only its text shows them.
fn classify_generic(error: &object_store::Error, text: &str) -> (ErrorKind, &'static str) {
    if let Some(transport) = transport(error) {
        return classify_transport(transport.kind());
    }
    match status(text) {
        Some(416) => (ErrorKind::Corrupt, "the object is shorter than it should be"),
        Some(404) => (ErrorKind::NotFound, "there is no such object"),
        Some(401 | 403) => (ErrorKind::Denied, DENIED),
        Some(413 | 507) => (ErrorKind::LimitExceeded, "the server takes no more"),
        Some(408 | 429 | 500..=599) => (ErrorKind::Unavailable, "the server can't answer now"),
        Some(300..=399) => (
            ErrorKind::Internal,
            "the server sends elsewhere (endpoint, region)",
        ),
        Some(_) => (ErrorKind::Internal, "the server refused the request"),
        None if text.contains("redirect without LOCATION") => (
            ErrorKind::Internal,
            "the server sends elsewhere (endpoint, region)",
        ),
        None if OTHER_BYTES.iter().any(|says| text.contains(says)) => (
            ErrorKind::Corrupt,
            "the server answered with other bytes than it was asked for",
        ),
        None if text.contains("AccessDenied") => (ErrorKind::Denied, DENIED),
        None if text.contains("InternalError") => (ErrorKind::Unavailable, "the server can't answer now"),
        None if text.contains("NoSuchKey") => (ErrorKind::NotFound, "there is no such object"),
        None => (ErrorKind::Internal, "the server's answer makes no sense"),
    }
}

fn classify_transport(kind: HttpErrorKind) -> (ErrorKind, &'static str) {
    match kind {
        HttpErrorKind::Timeout => (
            ErrorKind::Unavailable,
            "the server did not answer in time (connect_timeout, read_timeout)",
        ),
        _ => (ErrorKind::Unavailable, UNREACHED),
    }
}

fn transport<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a HttpError> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<HttpError>() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

fn chain_text(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    while let Some(error) = current {
        text.push_str(" / ");
        text.push_str(&error.to_string());
        current = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    fn not_found(text: &str) -> object_store::Error {
        object_store::Error::NotFound {
            path: "ab/c/abc".to_owned(),
            source: text.to_owned().into(),
        }
    }

    fn answered(status: &str) -> object_store::Error {
        generic(&format!(
            "Server returned non-2xx status code: {status}: <Error/>"
        ))
    }

    #[test]
    fn every_answer_has_its_kind() {
        let taken = object_store::Error::AlreadyExists {
            path: String::new(),
            source: "412".into(),
        };
        let denied = object_store::Error::PermissionDenied {
            path: String::new(),
            source: "403".into(),
        };
        let over_quota = object_store::Error::PermissionDenied {
            path: String::new(),
            source: "status code: 403 Forbidden: <Code>QuotaExceeded</Code>".into(),
        };
        let cut_off = object_store::Error::Generic {
            store: "S3",
            source: Box::new(HttpError::new(
                HttpErrorKind::Connect,
                std::io::Error::other("connection refused"),
            )),
        };
        let table = [
            (not_found("<Code>NoSuchKey</Code>"), ErrorKind::NotFound),
            (not_found("<Code>NoSuchBucket</Code>"), ErrorKind::Unavailable),
            (taken, ErrorKind::AlreadyExists),
            (denied, ErrorKind::Denied),
            (over_quota, ErrorKind::LimitExceeded),
            (cut_off, ErrorKind::Unavailable),
            (answered("416 Range Not Satisfiable"), ErrorKind::Corrupt),
            (answered("503 Service Unavailable"), ErrorKind::Unavailable),
            (answered("429 Too Many Requests"), ErrorKind::Unavailable),
            (answered("507 Insufficient Storage"), ErrorKind::LimitExceeded),
            (answered("400 Bad Request"), ErrorKind::Internal),
            (answered("301 Moved Permanently"), ErrorKind::Internal),
            (generic("Error deleting ab: code AccessDenied"), ErrorKind::Denied),
            (generic("Requested 0..9, got 1..9"), ErrorKind::Corrupt),
            (
                generic("Received non-partial response when range requested"),
                ErrorKind::Corrupt,
            ),
            (generic("something new"), ErrorKind::Internal),
        ];
        for (error, kind) in table {
            let text = error.to_string();
            assert_eq!(Failure::from(error).kind(), kind, "{text}");
        }
    }

    #[test]
    fn an_error_says_what_was_tried_and_keeps_its_cause() {
        let error = Failure::from(answered("503 Slow")).during("write blob", "abc in store primary");
        assert_eq!(
            error.to_string(),
            "write blob abc in store primary: the server can't answer now"
        );
        assert!(error.source().is_some() && error.is_retryable());
    }
}
