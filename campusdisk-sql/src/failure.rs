//! What goes wrong in a database, and what it means. The only file that knows sqlx's errors.

use campusdisk_core::{Error, ErrorKind};

/// What a statement returns.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why work on a database did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The work itself is refused; the connection and what else is in the transaction are fine.
    Refused(Error),
    /// The work met somebody else's transaction and was rolled back for it: the same work may go through next time.
    Clashed(Error),
    /// The connection is gone. What was not committed is undone; of a commit under way nobody knows.
    Lost(Error),
    /// The database failed: whatever is in the transaction is lost, and the connection is not to be trusted.
    Broken(Error),
}

impl Failure {
    pub(crate) fn refused(kind: ErrorKind, message: &'static str) -> Self {
        Self::Refused(Error::new(kind, message))
    }

    /// No answer came in time: what becomes of the statement is as unknown as on a connection that broke.
    pub(crate) fn silent() -> Self {
        let message = "the database did not answer in time: is its machine up, and the network between?";
        Self::Lost(Error::new(ErrorKind::Unavailable, message))
    }

    /// A row that this crate can't have written.
    pub(crate) fn unreadable(what: &'static str) -> Self {
        Self::Refused(Error::new(ErrorKind::Corrupt, "the database holds a row that can't be read").on(what))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error)
            | Failure::Clashed(error)
            | Failure::Lost(error)
            | Failure::Broken(error) => error,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let known = match &error {
            sqlx::Error::Database(cause) if cause.is_unique_violation() => Meaning::taken(),
            // Only the statement failed: a fault of ours, but none of its neighbours'.
            sqlx::Error::Database(cause) => {
                let known = cause.code().as_deref().and_then(meaning_of_code);
                known.unwrap_or(Meaning(Reach::Statement, ErrorKind::Internal, REFUSED))
            }
            sqlx::Error::PoolTimedOut => Meaning::unavailable(
                "no connection to the database came free, or could be made, in time: is it up, and does it take as many \
                 connections as are configured?",
            ),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Meaning::unavailable("the database is closed")
            }
            sqlx::Error::Io(_) => Meaning(Reach::Connection, ErrorKind::Unavailable, UNREACHABLE),
            sqlx::Error::Tls(_) => Meaning::unavailable("the database can't be spoken to over TLS"),
            sqlx::Error::ColumnDecode { .. } => Meaning(
                Reach::Transaction,
                ErrorKind::Corrupt,
                "the database holds a row that can't be read",
            ),
            _ => Meaning(Reach::Transaction, ErrorKind::Internal, REFUSED),
        };
        let Meaning(reach, kind, message) = known;
        let error = Error::new(kind, message).because(error);
        match reach {
            Reach::Statement => Self::Refused(error),
            Reach::Clash => Self::Clashed(error),
            Reach::Connection => Self::Lost(error),
            Reach::Transaction => Self::Broken(error),
        }
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

/// How much a failure takes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The work that ran the statement.
    Statement,
    /// The transaction, which may be tried again as it is.
    Clash,
    /// The connection.
    Connection,
    /// The transaction.
    Transaction,
}

/// What a code means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meaning(Reach, ErrorKind, &'static str);

impl Meaning {
    fn taken() -> Self {
        Self(
            Reach::Statement,
            ErrorKind::AlreadyExists,
            "the name, token or id is taken",
        )
    }

    fn unavailable(message: &'static str) -> Self {
        Self(Reach::Transaction, ErrorKind::Unavailable, message)
    }

    fn corrupt(message: &'static str) -> Self {
        Self(Reach::Transaction, ErrorKind::Corrupt, message)
    }

    fn full(message: &'static str) -> Self {
        Self(Reach::Transaction, ErrorKind::LimitExceeded, message)
    }
}

const REFUSED: &str = "the database refused a statement";
const UNREACHABLE: &str = "the database can't be reached";

/// What an extended result code of SQLite or a SQLSTATE of PostgreSQL means, where more than the statement failed.
fn meaning_of_code(code: &str) -> Option<Meaning> {
    // SQLSTATEs have five characters; result codes of SQLite are smaller numbers.
    if code.len() == 5 {
        return meaning_of_sqlstate(code);
    }
    // https://www.sqlite.org/rescode.html: the low byte is the primary code.
    Some(match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(13) => Meaning::full("the disk of the database is full: free some space"),
        Ok(11 | 26) => {
            Meaning::corrupt("the database file is damaged or is no database: restore it from its backup")
        }
        Ok(5 | 6) => Meaning::unavailable("the database is locked by another process for too long"),
        Ok(14) => Meaning::unavailable(
            "the database file can't be opened: does its folder exist, and may this process write there?",
        ),
        Ok(3 | 8 | 23) => Meaning::unavailable(
            "the database file can't be written: look at the permissions of it and its folder",
        ),
        Ok(4 | 9 | 10) => Meaning::unavailable("the disk of the database failed to read or write"),
        Ok(7) => Meaning::full("the database has no memory left"),
        _ => return None,
    })
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>: the first two characters are the class.
fn meaning_of_sqlstate(code: &str) -> Option<Meaning> {
    let lost = |message| Meaning(Reach::Connection, ErrorKind::Unavailable, message);
    Some(match (code.get(..2), code) {
        (_, "40003") => lost("the connection to the database broke in a statement"),
        (Some("40"), _) => Meaning(
            Reach::Clash,
            ErrorKind::Unavailable,
            "other changes of the same rows stood in the way again and again",
        ),
        (_, "53300") => Meaning::unavailable(
            "the database takes no more connections: raise its max_connections, or open fewer",
        ),
        (_, "53200") => Meaning::unavailable("the database has no memory left"),
        (Some("53"), _) => Meaning::full("the disk of the database is full: free some space"),
        (_, "55P03") => {
            Meaning::unavailable("another change held what this one needs for longer than lock_timeout")
        }
        (_, "57014") => {
            Meaning::unavailable("a statement took longer than statement_timeout, or was cancelled")
        }
        (_, "25006") => lost("the database is read-only: does the address lead to a replica?"),
        (Some("08" | "57"), _) | (_, "25P03" | "25P04") => lost(UNREACHABLE),
        (Some("28"), _) | (_, "42501") => Meaning::unavailable(
            "the database refuses its user: look at user and password in its address, and at the user's rights",
        ),
        (_, "3D000") => {
            Meaning::unavailable("there is no database of this name on the server: make it first")
        }
        (Some("58"), _) => Meaning::unavailable("the disk of the database failed to read or write"),
        (_, "XX001" | "XX002") => Meaning::corrupt("the database is damaged: restore it from its backup"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_have_a_meaning() {
        use ErrorKind::{Corrupt, LimitExceeded, Unavailable};
        use Reach::{Clash, Connection, Transaction};
        for (code, meaning) in [
            ("13", Some((Transaction, LimitExceeded))),
            ("11", Some((Transaction, Corrupt))),
            ("26", Some((Transaction, Corrupt))),
            ("5", Some((Transaction, Unavailable))),
            ("517", Some((Transaction, Unavailable))),
            ("4874", Some((Transaction, Unavailable))),
            ("1", None),
            ("1299", None),
            // serialization_failure, deadlock_detected
            ("40001", Some((Clash, Unavailable))),
            ("40P01", Some((Clash, Unavailable))),
            // statement_completion_unknown
            ("40003", Some((Connection, Unavailable))),
            // connection_failure
            ("08006", Some((Connection, Unavailable))),
            // admin_shutdown, crash_shutdown, cannot_connect_now
            ("57P01", Some((Connection, Unavailable))),
            ("57P02", Some((Connection, Unavailable))),
            ("57P03", Some((Connection, Unavailable))),
            // idle_in_transaction_session_timeout, read_only_sql_transaction
            ("25P03", Some((Connection, Unavailable))),
            ("25006", Some((Connection, Unavailable))),
            // query_canceled, lock_not_available
            ("57014", Some((Transaction, Unavailable))),
            ("55P03", Some((Transaction, Unavailable))),
            // disk_full, out_of_memory, too_many_connections
            ("53100", Some((Transaction, LimitExceeded))),
            ("53200", Some((Transaction, Unavailable))),
            ("53300", Some((Transaction, Unavailable))),
            // invalid_password, insufficient_privilege, invalid_catalog_name
            ("28P01", Some((Transaction, Unavailable))),
            ("42501", Some((Transaction, Unavailable))),
            ("3D000", Some((Transaction, Unavailable))),
            // io_error, data_corrupted
            ("58030", Some((Transaction, Unavailable))),
            ("XX001", Some((Transaction, Corrupt))),
            // internal_error, syntax_error, no_active_sql_transaction
            ("XX000", None),
            ("42601", None),
            ("25P01", None),
        ] {
            let found = meaning_of_code(code).map(|Meaning(reach, kind, _)| (reach, kind));
            assert_eq!(found, meaning, "{code}");
        }
    }
}
