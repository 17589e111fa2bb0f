//! What goes wrong in a database, and what it means. The only file that knows sqlx's errors.

use campusdisk_core::{Error, ErrorKind};

/// What a statement returns.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why work on a database did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The work itself is refused; the connection and what else is in the transaction are fine.
    Refused(Error),
    /// The database failed: whatever is in the transaction is lost, and the connection is not to be trusted.
    Broken(Error),
}

impl Failure {
    pub(crate) fn refused(kind: ErrorKind, message: &'static str) -> Self {
        Self::Refused(Error::new(kind, message))
    }

    /// A row that this crate can't have written.
    pub(crate) fn unreadable(what: &'static str) -> Self {
        Self::Refused(Error::new(ErrorKind::Corrupt, "the database holds a row that can't be read").on(what))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::Broken(error) => error,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let known = match &error {
            sqlx::Error::Database(cause) if cause.is_unique_violation() => {
                let taken = "the name, token or id is taken";
                return Self::Refused(Error::new(ErrorKind::AlreadyExists, taken).because(error));
            }
            sqlx::Error::Database(cause) => match cause.code().as_deref().and_then(meaning_of_code) {
                Some(known) => known,
                // Only the statement failed: a fault of ours, but none of its neighbours'.
                None => return Self::Refused(Error::new(INTERNAL.0, INTERNAL.1).because(error)),
            },
            sqlx::Error::PoolTimedOut => (
                ErrorKind::Unavailable,
                "all connections to the database were busy for too long",
            ),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                (ErrorKind::Unavailable, "the database is closed")
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
                (ErrorKind::Unavailable, "the database can't be reached")
            }
            sqlx::Error::ColumnDecode { .. } => {
                (ErrorKind::Corrupt, "the database holds a row that can't be read")
            }
            _ => INTERNAL,
        };
        Self::Broken(Error::new(known.0, known.1).because(error))
    }
}

impl From<sqlx::migrate::MigrateError> for Failure {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(cause) => Self::from(cause),
            other => {
                let newer =
                    "the database's tables are not those of this version; was it opened by a newer one?";
                Self::Broken(Error::new(ErrorKind::Internal, newer).because(other))
            }
        }
    }
}

const INTERNAL: (ErrorKind, &str) = (ErrorKind::Internal, "the database refused a statement");

/// What an extended result code of SQLite or a SQLSTATE of PostgreSQL means for whoever asked, where more than the
/// statement failed.
fn meaning_of_code(code: &str) -> Option<(ErrorKind, &'static str)> {
    // SQLSTATEs have five characters; result codes of SQLite are smaller numbers.
    if code.len() == 5 {
        return meaning_of_sqlstate(code);
    }
    // https://www.sqlite.org/rescode.html: the low byte is the primary code.
    Some(match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(13) => (
            ErrorKind::LimitExceeded,
            "the disk of the database is full: free some space",
        ),
        Ok(11 | 26) => (
            ErrorKind::Corrupt,
            "the database file is damaged or is no database: restore it from its backup",
        ),
        Ok(5 | 6) => (
            ErrorKind::Unavailable,
            "the database is locked by another process for too long",
        ),
        Ok(14) => (
            ErrorKind::Unavailable,
            "the database file can't be opened: does its folder exist, and may this process write there?",
        ),
        Ok(3 | 8 | 23) => (
            ErrorKind::Unavailable,
            "the database file can't be written: look at the permissions of it and its folder",
        ),
        Ok(4 | 9 | 10) => (
            ErrorKind::Unavailable,
            "the disk of the database failed to read or write",
        ),
        Ok(7) => (ErrorKind::LimitExceeded, "the database has no memory left"),
        _ => return None,
    })
}

fn meaning_of_sqlstate(code: &str) -> Option<(ErrorKind, &'static str)> {
    Some(match code.get(..2) {
        Some("53") => (
            ErrorKind::LimitExceeded,
            "the database's disk, memory or connections are used up",
        ),
        Some("40") => (ErrorKind::Conflict, "somebody else changed it first"),
        Some("08" | "57" | "55") => (ErrorKind::Unavailable, "the database can't be reached"),
        Some("XX") => (ErrorKind::Corrupt, "the database is damaged"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_have_a_meaning() {
        for (code, kind) in [
            ("13", Some(ErrorKind::LimitExceeded)),
            ("11", Some(ErrorKind::Corrupt)),
            ("26", Some(ErrorKind::Corrupt)),
            ("5", Some(ErrorKind::Unavailable)),
            ("517", Some(ErrorKind::Unavailable)),
            ("4874", Some(ErrorKind::Unavailable)),
            ("1", None),
            ("1299", None),
            ("53100", Some(ErrorKind::LimitExceeded)),
            ("40001", Some(ErrorKind::Conflict)),
            ("57P01", Some(ErrorKind::Unavailable)),
            ("42601", None),
        ] {
            assert_eq!(meaning_of_code(code).map(|meaning| meaning.0), kind, "{code}");
        }
    }
}
