//! What an answer of the server, or its absence, means here. The only file that looks into the client's errors.

use campusdisk_core::{Error, ErrorKind};
use redis::{Client, RedisError};

/// What became of a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What lies under the key is no text of bytes: not of ours.
    Foreign,
    /// The server answered, and refused.
    Refused,
    /// No answer came in time; the connection may be fine.
    Silent,
    /// The connection is of no use any more.
    Gone,
}

impl Fault {
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.code() {
            Some("WRONGTYPE") => Self::Foreign,
            Some(_) => Self::Refused,
            None if error.is_timeout() => Self::Silent,
            None => Self::Gone,
        }
    }
}

/// The error for whoever asks how the server is.
pub(crate) fn explained(error: RedisError, address: &str) -> Error {
    let (kind, says) = classify(&error);
    Error::new(kind, says)
        .during("use Redis at")
        .on(address)
        .because(error)
}

/// No connection was there in time.
pub(crate) fn late(address: &str) -> Error {
    Error::new(ErrorKind::Unavailable, NO_ANSWER)
        .during("use Redis at")
        .on(address)
}

/// The cache was shut down.
pub(crate) fn stopped() -> Error {
    Error::new(ErrorKind::Unavailable, "the cache on Redis is shut down")
}

/// The error of an address that is none. It does not repeat the address, which may hold a password.
pub(crate) fn malformed(url: &str, cause: RedisError) -> Error {
    let is_tls = url.starts_with("rediss:") || url.starts_with("valkeys:");
    let says = match is_tls {
        true => {
            "TLS (rediss://) is not spoken here: use redis:// within a network of its own, or to a tunnel"
        }
        false => "this is no address of Redis, such as redis://:password@host:6379/0",
    };
    Error::invalid("url", says).because(cause)
}

/// Where a client connects to, without user and password.
pub(crate) fn address(client: &Client) -> String {
    client.get_connection_info().addr().to_string()
}

const NO_ANSWER: &str = "it does not answer in time: is it busy, paused, or behind a firewall?";

fn classify(error: &RedisError) -> (ErrorKind, &'static str) {
    let refuses_login = error.kind() == redis::ErrorKind::AuthenticationFailed;
    match error.code() {
        _ if refuses_login => (ErrorKind::Denied, REFUSES_LOGIN),
        Some("NOAUTH" | "WRONGPASS") => (ErrorKind::Denied, REFUSES_LOGIN),
        Some("NOPERM") => (
            ErrorKind::Denied,
            "its user may not do what is needed: PING, GETRANGE, SET and INFO",
        ),
        Some("LOADING") => (ErrorKind::Unavailable, "it is still loading its data"),
        Some("OOM") => (
            ErrorKind::LimitExceeded,
            "it is full and evicts nothing (maxmemory-policy)",
        ),
        Some(_) => (ErrorKind::Unavailable, "it refuses what it is asked"),
        None if error.is_timeout() => (ErrorKind::Unavailable, NO_ANSWER),
        None if error.kind() == redis::ErrorKind::Parse => (
            ErrorKind::Unavailable,
            "what answers there is not Redis: is the port right?",
        ),
        None => (
            ErrorKind::Unavailable,
            "it can't be reached: is it running, and are host and port right?",
        ),
    }
}

const REFUSES_LOGIN: &str = "it refuses the user or the password, or wants one";

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn io(kind: io::ErrorKind) -> RedisError {
        io::Error::from(kind).into()
    }

    #[test]
    fn an_answer_is_told_from_silence_and_from_a_broken_connection() {
        assert_eq!(Fault::of(&io(io::ErrorKind::TimedOut)), Fault::Silent);
        for kind in [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::UnexpectedEof,
        ] {
            assert_eq!(Fault::of(&io(kind)), Fault::Gone, "{kind:?}");
        }
        let parse = (redis::ErrorKind::Parse, "no RESP");
        assert_eq!(Fault::of(&parse.into()), Fault::Gone);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_address() {
        let refused = (
            redis::ErrorKind::AuthenticationFailed,
            "Password authentication failed",
        );
        let error = explained(refused.into(), "cache:6379");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("cache:6379") && error.to_string().contains("password"));
        let error = explained(io(io::ErrorKind::ConnectionRefused), "cache:6379");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("port"), "{error}");
    }
}
