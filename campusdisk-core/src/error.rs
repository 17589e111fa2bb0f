//! The one error type of the library: opaque, cheap to clone, classified by [`ErrorKind`].

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What this crate's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is: what a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such thing, or the actor may not know that there is.
    NotFound,
    /// The name or key is taken.
    AlreadyExists,
    /// Somebody else changed it first; read again and decide again.
    Conflict,
    /// The bytes under a mount or behind a validator are not the ones that were promised.
    Changed,
    /// The actor is known and may see the thing, but may not do this to it.
    Denied,
    /// The drive's quota has no room for it.
    QuotaExceeded,
    /// A limit of the policy, the store or the disk is reached.
    LimitExceeded,
    /// The input breaks a rule; the text says which.
    InvalidInput,
    /// Bytes ended before the promised length.
    Truncated,
    /// Bytes are not what was stored or announced: checksum or length differs.
    Corrupt,
    /// A part of the system can't be reached or did not answer in time; the same call may work later.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// The word for this kind in problem documents and metrics: `not_found`, `quota_exceeded`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Changed => "changed",
            Self::Denied => "denied",
            Self::QuotaExceeded => "quota_exceeded",
            Self::LimitExceeded => "limit_exceeded",
            Self::InvalidInput => "invalid_input",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, what was tried on what, and the cause.
///
/// The message is for the person who asked; the cause (see [`source`](StdError::source)) is for the operator's log
/// and may name hosts. Neither holds a secret.
///
/// # Example: deciding by kind
/// ```
/// use campusdisk_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::QuotaExceeded, "the drive has 3 MiB left, the file needs 5 MiB")
///     .during("create upload")
///     .on("drive 01J…");
/// assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<Cow<'static, str>>,
    subject: Option<String>,
    field: Option<&'static str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            subject: None,
            field: None,
            source: None,
        }))
    }

    /// [`NotFound`](ErrorKind::NotFound), saying nothing about what might be there.
    pub fn not_found() -> Self {
        Self::new(
            ErrorKind::NotFound,
            "there is no such thing, or you may not see it",
        )
    }

    /// [`InvalidInput`](ErrorKind::InvalidInput) in the request field `field`.
    pub fn invalid(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput, message);
        error.inner().field = Some(field);
        error
    }

    /// Names what was tried.
    #[must_use]
    pub fn during(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        self.inner().operation = Some(operation.into());
        self
    }

    /// Names what it was tried on.
    #[must_use]
    pub fn on(mut self, subject: impl Into<String>) -> Self {
        self.inner().subject = Some(subject.into());
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner().source = Some(Arc::from(source.into()));
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Truncated)
    }

    /// The sentence for whoever asked, without operation, subject and cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What was tried, where it was named.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// What it was tried on, where it was named.
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The field of the request that is wrong, where one is.
    pub fn field(&self) -> Option<&'static str> {
        self.0.field
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.0.operation {
            f.write_str(operation)?;
            if let Some(subject) = &self.0.subject {
                write!(f, " {subject}")?;
            }
            f.write_str(": ")?;
        } else if let Some(subject) = &self.0.subject {
            write!(f, "{subject}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}, \"{self}\"", self.0.kind)?;
        if let Some(source) = &self.0.source {
            write!(f, ", {source:?}")?;
        }
        f.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_operation_subject_and_sentence() {
        let error = Error::new(ErrorKind::Unavailable, "no answer within 5 s")
            .during("write blob")
            .on("7Q2");
        assert_eq!(error.to_string(), "write blob 7Q2: no answer within 5 s");
        assert!(error.is_retryable());
    }

    #[test]
    fn a_clone_keeps_its_cause() {
        let cause = std::io::Error::other("disk");
        let error = Error::new(ErrorKind::Internal, "broken").because(cause).clone();
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk"));
    }
}
