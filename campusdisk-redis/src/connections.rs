//! The connections to the server: made together, given up together.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use campusdisk_core::Result;
use futures::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio_util::sync::CancellationToken;

use crate::config::RedisOptions;
use crate::error;

/// Connections that answered once. Chunks are written by one of their own, so that no call waits behind a write.
#[derive(Debug)]
pub(crate) struct Connections {
    reads: Vec<MultiplexedConnection>,
    keeps: MultiplexedConnection,
    next: AtomicUsize,
    /// Failures in a row.
    failures: AtomicU32,
    /// Whether a call succeeded by them.
    proven: AtomicBool,
    /// Set when they are given up.
    given_up: CancellationToken,
}

impl Connections {
    /// Connects within the limit.
    ///
    /// # Errors
    /// What is wrong, as a sentence for the operator.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was connected.
    pub(crate) async fn open(client: &Client, options: &RedisOptions) -> Result<Self> {
        let address = error::address(client);
        let reads = (0..options.data_connections).map(|_| dial(client, options, options.answer_limit));
        let all = futures::future::try_join(try_join_all(reads), dial(client, options, options.keep_limit));
        let (reads, keeps) = tokio::time::timeout(options.connect_limit, all)
            .await
            .map_err(|_| error::late(&address))?
            .map_err(|cause| error::explained(cause, &address))?;
        Ok(Self {
            reads,
            keeps,
            next: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            proven: AtomicBool::new(false),
            given_up: CancellationToken::new(),
        })
    }

    /// The next one for reading.
    pub(crate) fn read(&self) -> Option<MultiplexedConnection> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.reads.get(next % self.reads.len()).cloned()
    }

    /// The one for writing.
    pub(crate) fn keep(&self) -> MultiplexedConnection {
        self.keeps.clone()
    }

    /// Notes that a call succeeded.
    pub(crate) fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Notes that a call failed. Returns how many did in a row.
    pub(crate) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Whether a call succeeded.
    pub(crate) fn are_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Notes that they are given up.
    pub(crate) fn give_up(&self) {
        self.given_up.cancel();
    }

    /// Waits until they are given up.
    pub(crate) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }
}

/// Connects, and asks for an answer: a server that wants a password says so only then.
async fn dial(
    client: &Client,
    options: &RedisOptions,
    answer_limit: Duration,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_limit))
        .set_response_timeout(Some(answer_limit));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    redis::cmd("PING").exec_async(&mut connection).await?;
    Ok(connection)
}
