//! What an operator can set.

use std::fmt;
use std::time::Duration;

use campusdisk_core::{CHUNK_BYTES, Error, Result};
use redis::Client;

use crate::error;

/// Longer values would hold up every other answer of their connection.
const LONGEST_CHUNK_BYTES: u64 = 64 << 20;

const LONGEST_PREFIX: usize = 64;

/// Where the server is and how to speak to it.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Where the server is: `redis://user:password@host:port/database`, each part but the host optional, or `unix:///path?db=0&pass=…`.
    /// Default `redis://127.0.0.1:6379`.
    pub url: String,
    /// What the keys begin with, after `campusdisk:`: 1 to 64 of A-Z a-z 0-9 . - _. Processes that share a catalog share chunks by having the same;
    /// others should have another, so that an operator can tell whose is what. Default `hall`.
    pub prefix: String,
    /// Longer chunks are neither kept nor read, 64 MiB at most. Default 1 MiB, the length of a chunk.
    pub max_chunk_bytes: u64,
    /// How long a chunk stays at most, in whole seconds. Default one day.
    pub ttl: Duration,
    /// How long a call may wait for a chunk. Default 250 ms: about what a store takes.
    pub answer_limit: Duration,
    /// How long writing one chunk may take, for which nobody waits. Default 2 s.
    pub keep_limit: Duration,
    /// How long connecting may take, for which only [`connect`](crate::RedisChunkCache::connect) waits. Default 1 s.
    pub connect_limit: Duration,
    /// Connections that chunks are read by; each brings one after the other. One more is for writing. Default 4.
    pub data_connections: usize,
    /// After so many calls in a row that failed no more are made for a while. Default 3.
    pub failures_to_open: u32,
    /// How long no calls are made before the server is tried again. Default 2 s.
    pub rest: Duration,
    /// Chunks that may wait to be written. Default 256.
    pub queue_chunks: usize,
    /// Bytes of chunks that may wait to be written. Default 32 MiB.
    pub queue_bytes: u64,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            prefix: "hall".to_owned(),
            max_chunk_bytes: CHUNK_BYTES,
            ttl: Duration::from_secs(24 * 60 * 60),
            answer_limit: Duration::from_millis(250),
            keep_limit: Duration::from_secs(2),
            connect_limit: Duration::from_secs(1),
            data_connections: 4,
            failures_to_open: 3,
            rest: Duration::from_secs(2),
            queue_chunks: 256,
            queue_bytes: 32 << 20,
        }
    }
}

impl RedisOptions {
    /// Sets where the server is.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// Sets what the keys begin with.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long chunks may be.
    #[must_use]
    pub fn with_max_chunk_bytes(mut self, max_chunk_bytes: u64) -> Self {
        self.max_chunk_bytes = max_chunk_bytes;
        self
    }

    /// Sets how long a chunk stays at most.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how long a call may wait for a chunk.
    #[must_use]
    pub fn with_answer_limit(mut self, answer_limit: Duration) -> Self {
        self.answer_limit = answer_limit;
        self
    }

    /// Sets how long writing one chunk may take.
    #[must_use]
    pub fn with_keep_limit(mut self, keep_limit: Duration) -> Self {
        self.keep_limit = keep_limit;
        self
    }

    /// Sets how long connecting may take.
    #[must_use]
    pub fn with_connect_limit(mut self, connect_limit: Duration) -> Self {
        self.connect_limit = connect_limit;
        self
    }

    /// Sets how many connections chunks are read by.
    #[must_use]
    pub fn with_data_connections(mut self, data_connections: usize) -> Self {
        self.data_connections = data_connections;
        self
    }

    /// Sets after how many failures in a row, and for how long, no calls are made.
    #[must_use]
    pub fn with_breaker(mut self, failures_to_open: u32, rest: Duration) -> Self {
        self.failures_to_open = failures_to_open;
        self.rest = rest;
        self
    }

    /// Sets how many chunks, and how many bytes of them, may wait to be written.
    #[must_use]
    pub fn with_queue(mut self, queue_chunks: usize, queue_bytes: u64) -> Self {
        self.queue_chunks = queue_chunks;
        self.queue_bytes = queue_bytes;
        self
    }

    /// Refuses what could not work.
    pub(crate) fn check(&self) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=LONGEST_PREFIX).contains(&self.prefix.len()) || !self.prefix.bytes().all(plain) {
            return Err(Error::invalid(
                "prefix",
                "a prefix is 1 to 64 of A-Z a-z 0-9 . - _",
            ));
        }
        if !(1..=LONGEST_CHUNK_BYTES).contains(&self.max_chunk_bytes) {
            return Err(Error::invalid("max_chunk_bytes", "chunks are 1 byte to 64 MiB"));
        }
        if self.ttl.as_secs() == 0 {
            return Err(Error::invalid("ttl", "a chunk stays for a second at least"));
        }
        let limits = [
            ("answer_limit", self.answer_limit),
            ("keep_limit", self.keep_limit),
            ("connect_limit", self.connect_limit),
            ("rest", self.rest),
        ];
        if let Some((name, _)) = limits.iter().find(|(_, limit)| limit.is_zero()) {
            return Err(Error::invalid(name, "a limit of no time lets nothing through"));
        }
        if self.data_connections == 0 || self.failures_to_open == 0 || self.queue_chunks == 0 {
            return Err(Error::invalid(
                "data_connections",
                "data_connections, failures_to_open and queue_chunks are 1 at least",
            ));
        }
        if self.queue_bytes < self.max_chunk_bytes || self.queue_bytes > u64::from(u32::MAX) {
            return Err(Error::invalid(
                "queue_bytes",
                "the queue has room for one chunk at least, and for 4 GiB at most",
            ));
        }
        Ok(())
    }

    /// The client of the server; connects nothing.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::open(self.url.as_str()).map_err(|cause| error::malformed(&self.url, cause))
    }
}

impl fmt::Debug for RedisOptions {
    /// Shows the address without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Client::open(self.url.as_str()).map(|client| error::address(&client));
        f.debug_struct("RedisOptions")
            .field("address", &address.as_deref().unwrap_or("(malformed)"))
            .field("prefix", &self.prefix)
            .field("max_chunk_bytes", &self.max_chunk_bytes)
            .field("ttl", &self.ttl)
            .field("answer_limit", &self.answer_limit)
            .field("keep_limit", &self.keep_limit)
            .field("connect_limit", &self.connect_limit)
            .field("data_connections", &self.data_connections)
            .field("failures_to_open", &self.failures_to_open)
            .field("rest", &self.rest)
            .field("queue_chunks", &self.queue_chunks)
            .field("queue_bytes", &self.queue_bytes)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_never_shows() {
        for url in [
            "redis://ada:hunter2@cache:6380/1",
            "redis://:hunter2@cache/nonsense",
            "hunter2",
        ] {
            let shown = format!("{:?}", RedisOptions::default().with_url(url));
            assert!(!shown.contains("hunter2") && !shown.contains("ada"), "{shown}");
        }
        let shown = format!(
            "{:?}",
            RedisOptions::default().with_url("redis://:x@cache:6380/1")
        );
        assert!(shown.contains("cache:6380"), "{shown}");
    }

    #[test]
    fn a_malformed_address_is_refused_without_being_repeated() {
        for url in [
            "",
            "hunter2@cache",
            "http://:hunter2@cache",
            "redis://:hunter2@cache/nonsense",
            "redis://:hunter2@cache:nonsense",
        ] {
            let error = RedisOptions::default().with_url(url).client().unwrap_err();
            assert_eq!(error.field(), Some("url"), "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let tls = RedisOptions::default().with_url("rediss://:hunter2@cache");
        let error = tls.client().unwrap_err().to_string();
        assert!(error.contains("TLS"), "{error}");
        for url in [
            "redis://cache",
            "redis://:p%40ss@[::1]:6380/3",
            "unix:///run/redis.sock?db=1",
        ] {
            RedisOptions::default().with_url(url).client().unwrap();
        }
    }

    #[test]
    fn what_could_not_work_is_refused_by_its_name() {
        let usual = RedisOptions::default;
        usual().check().unwrap();
        for (options, field) in [
            (usual().with_prefix(""), "prefix"),
            (usual().with_prefix("a:b"), "prefix"),
            (usual().with_prefix("a".repeat(65)), "prefix"),
            (usual().with_max_chunk_bytes(0), "max_chunk_bytes"),
            (usual().with_max_chunk_bytes(65 << 20), "max_chunk_bytes"),
            (usual().with_ttl(Duration::from_millis(999)), "ttl"),
            (usual().with_answer_limit(Duration::ZERO), "answer_limit"),
            (usual().with_keep_limit(Duration::ZERO), "keep_limit"),
            (usual().with_connect_limit(Duration::ZERO), "connect_limit"),
            (usual().with_breaker(3, Duration::ZERO), "rest"),
            (usual().with_data_connections(0), "data_connections"),
            (usual().with_queue(10, 1000), "queue_bytes"),
        ] {
            assert_eq!(options.check().unwrap_err().field(), Some(field), "{options:?}");
        }
    }
}
