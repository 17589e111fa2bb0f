//! How a download is done: what a caller may choose, and the limits that are fixed.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result};

/// Most connections that may be asked for.
pub const CONNECTIONS_LIMIT: usize = 64;

/// What is done when there is a file of the final name already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the download fails before it begins.
    #[default]
    Keep,
    /// It is replaced once the new one is whole.
    Replace,
}

/// How a download is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(crate) connections: usize,
    pub(crate) first_connections: usize,
    pub(crate) headers: HeaderMap,
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) existing: Existing,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) tries: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 8,
            first_connections: 2,
            headers: HeaderMap::new(),
            sha256: None,
            existing: Existing::Keep,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            tries: 8,
        }
    }
}

impl Options {
    /// At most this many connections at once: 8 unless set, and from 1 to [`CONNECTIONS_LIMIT`].
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections.clamp(1, CONNECTIONS_LIMIT);
        self
    }

    /// With how many connections it begins, before it looks whether more bring more: 2 unless set.
    pub fn with_first_connections(mut self, connections: usize) -> Self {
        self.first_connections = connections.clamp(1, CONNECTIONS_LIMIT);
        self
    }

    /// Shows this token (`Authorization: Bearer`), to the address's own origin only.
    ///
    /// # Errors
    /// When it holds what no header can.
    pub fn with_token(self, token: &str) -> Result<Self> {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// Sends a header of one's own, to the address's own origin only, in place of an earlier one of the same name.
    ///
    /// # Errors
    /// When it is no header, or one of those that a download needs for itself (`Range`, `If-Range`, `Accept-Encoding`).
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self> {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let key = parsed.map_err(|_| Error::Asked(format!("{name:?} is no name of a header")))?;
        if ["range", "if-range", "accept-encoding"].contains(&key.as_str()) {
            return Err(Error::Asked(format!(
                "the header {name} is made by the download itself"
            )));
        }
        // The value may be a secret, so it is not repeated.
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| Error::Asked(format!("the value of the header {name} holds what no header can")))?;
        value.set_sensitive(true);
        self.headers.insert(key, value);
        Ok(self)
    }

    /// The SHA-256 that the whole must have, whatever the server says.
    pub fn with_sha256(mut self, sha256: [u8; 32]) -> Self {
        self.sha256 = Some(sha256);
        self
    }

    /// What is done with a file of the final name: it is kept unless set.
    pub fn with_existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// How long a connection may take to open: 10 s unless set.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection may go without a byte: 30 s unless set. The whole may take as long as it takes.
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// After how many tries in a row that brought no byte it gives up: 8 unless set, which takes about a minute.
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn a_token_is_never_printed() {
        let options = Options::default().with_token("very-secret").unwrap();
        assert!(!format!("{options:?}").contains("very-secret"));
        let refused = Options::default().with_token("very-secret\n").unwrap_err();
        assert!(!refused.to_string().contains("very-secret"));
    }

    #[test]
    fn headers_that_choose_the_bytes_are_refused() {
        for name in ["Range", "if-range", "Accept-Encoding", "no header"] {
            assert!(Options::default().with_header(name, "x").is_err(), "{name}");
        }
    }
}
