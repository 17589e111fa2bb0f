//! What SQLite's errors mean to the service.

use campusdisk_core::{Error, ErrorKind};

/// The service decides by the kind: it tries again what is [`Unavailable`](ErrorKind::Unavailable), reports what is
/// [`Corrupt`](ErrorKind::Corrupt), answers 507 where the limit is exceeded. The text is for the operator.
pub(crate) fn meaning(error: sqlx::Error) -> Error {
    // SQLite's primary result codes; the extended ones have them in their lowest byte.
    let code = match &error {
        sqlx::Error::Database(cause) => cause.code().and_then(|code| code.parse::<i32>().ok()),
        _ => None,
    };
    let (kind, text) = match (&error, code.map(|code| code & 0xff)) {
        (_, Some(13)) => (ErrorKind::LimitExceeded, "the disk of the database is full"),
        (_, Some(8 | 23)) => (ErrorKind::Denied, "the database may not be written"),
        (_, Some(11 | 26)) => (ErrorKind::Corrupt, "the database is damaged, or none"),
        (_, Some(5 | 6 | 10 | 14)) => (
            ErrorKind::Unavailable,
            "the database is locked or can't be reached",
        ),
        (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed, _)
        | (sqlx::Error::Io(_), _) => (ErrorKind::Unavailable, "the database has no free connection"),
        _ => (ErrorKind::Internal, "the database refuses a statement"),
    };
    Error::new(kind, text).because(error)
}
