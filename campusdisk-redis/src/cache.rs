//! The cache itself.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::{BufMut as _, Bytes};
use campusdisk_core::storage::HealthFacts;
use campusdisk_core::{ChunkCache, ContentId, Result, Spawner};
use redis::{RedisError, RedisWrite, ToRedisArgs};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::breaker::Breaker;
use crate::config::RedisOptions;
use crate::connections::Connections;
use crate::error::{self, Fault};
use crate::facts::{Counts, RedisCacheFacts};
use crate::queue::{Keep, Queue};
use crate::value::{self, HEAD_BYTES, Keys};

/// Chunks on a Redis server.
///
/// Two tasks belong to it, one that writes chunks and one that connects again; they end with [`shutdown`](Self::shutdown), or when it is dropped. So does
/// the client library's one task for each connection.
#[derive(Debug)]
pub struct RedisChunkCache {
    shared: Arc<Shared>,
    queue: Queue,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

struct Shared {
    options: RedisOptions,
    address: String,
    keys: Keys,
    breaker: Breaker,
    counts: Counts,
}

impl RedisChunkCache {
    /// Connects, and starts its tasks. Must be called within a tokio runtime.
    ///
    /// A server that can't be reached within [`connect_limit`](RedisOptions::connect_limit) is no error: the cache is empty then, and the server is
    /// tried again. [`health`](Self::health) says what is wrong.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) when the address is none or an option could not work.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn connect(options: RedisOptions, spawner: &dyn Spawner) -> Result<Self> {
        options.check()?;
        let client = options.client()?;
        let (queue, kept) = Queue::new(options.queue_chunks, options.queue_bytes);
        let shared = Arc::new(Shared {
            address: error::address(&client),
            keys: Keys::new(&options.prefix),
            breaker: Breaker::new(client, options.clone()),
            counts: Counts::default(),
            options,
        });
        shared.breaker.try_to_close().await;
        if let Err(reason) = shared.breaker.connections() {
            tracing::warn!(
                error = &reason as &dyn std::error::Error,
                "the cache on Redis is not used until it answers; downloads go on without it"
            );
        }
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let (writing, looking) = (shared.clone(), shared.clone());
        let (stop_writing, stop_looking) = (stopping.clone(), stopping.clone());
        spawner.spawn(Box::pin(tasks.track_future(async move {
            stop_writing.run_until_cancelled(writing.write(kept)).await;
        })));
        spawner.spawn(Box::pin(tasks.track_future(async move {
            stop_looking
                .run_until_cancelled(looking.breaker.look_after())
                .await;
        })));
        tasks.close();
        Ok(Self {
            shared,
            queue,
            tasks,
            stopping,
        })
    }

    /// What it did so far.
    pub fn facts(&self) -> RedisCacheFacts {
        let is_open = self.shared.breaker.connections().is_err();
        self.shared.counts.facts(self.queue.waiting(), is_open)
    }

    /// How the server is: what is not well with one that answers is a reason.
    ///
    /// # Errors
    /// [`Denied`](campusdisk_core::ErrorKind::Denied) when it refuses user or password, else
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable). While the breaker is open, why it is, without a call.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn health(&self) -> Result<HealthFacts> {
        let shared = &self.shared;
        let connections = shared.breaker.connections()?;
        let Some(mut line) = connections.read() else {
            return Ok(HealthFacts::well());
        };
        let asked = redis::cmd("INFO")
            .arg("memory")
            .query_async::<String>(&mut line)
            .await;
        match asked {
            Ok(said) => Ok(memory_health(&said)),
            Err(cause) => match Fault::of(&cause) {
                // It may be forbidden to ask that, and chunks come and go all the same.
                Fault::Refused | Fault::Foreign => Err(error::explained(cause, &shared.address)),
                // Where no chunk is asked for, nobody else would notice, and it would never be connected again.
                fault => {
                    shared.breaker.failed(&connections, fault, cause);
                    let reason = shared.breaker.connections().err();
                    Err(reason.unwrap_or_else(|| error::late(&shared.address)))
                }
            },
        }
    }

    /// Keeps a chunk as [`keep`](ChunkCache::keep) does, but waits until the server has it: for whoever fills the cache and would only overflow the queue.
    ///
    /// Fails as silently; [`facts`](Self::facts) counts it.
    ///
    /// # Cancel safety
    /// When dropped, the chunk is on the server or not.
    pub async fn keep_and_wait(&self, content: ContentId, number: u64, chunk: &Bytes) {
        let shared = &self.shared;
        let fits = u64::try_from(chunk.len()).is_ok_and(|bytes| bytes <= shared.options.max_chunk_bytes);
        match shared.breaker.connections() {
            Ok(connections) if fits => {
                let key = shared.keys.key(content, number);
                shared.write_one(&connections, &key, chunk).await;
            }
            _ => shared.counts.dropped_keeps.one(),
        }
    }

    /// Stops: chunks that wait to be written are dropped, connections are closed, and calls find nothing from now on.
    ///
    /// # Cancel safety
    /// Its tasks end all the same.
    pub async fn shutdown(&self) {
        self.stopping.cancel();
        self.tasks.wait().await;
        self.shared.breaker.stop();
    }
}

impl Drop for RedisChunkCache {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

#[async_trait]
impl ChunkCache for RedisChunkCache {
    /// The chunk, or nothing: also when the server does not answer within [`answer_limit`](RedisOptions::answer_limit), and at once while the breaker is
    /// open.
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes> {
        let (shared, counts) = (&self.shared, &self.shared.counts);
        let Ok(connections) = shared.breaker.connections() else {
            counts.skipped.one();
            return None;
        };
        let key = shared.keys.key(content, number);
        let begun = Instant::now();
        match shared.read(&connections, &key).await {
            Ok(value) => {
                counts.answer_micros.micros(begun.elapsed());
                connections.succeeded();
                shared.judge(&key, &value)
            }
            Err(error) => {
                match Fault::of(&error) {
                    Fault::Foreign => {
                        connections.succeeded();
                        counts.unusable.one();
                    }
                    fault => {
                        counts.failures.one();
                        shared.breaker.failed(&connections, fault, error);
                    }
                }
                None
            }
        }
    }

    /// Puts the chunk into the queue, or drops it where there is no room. Does not wait.
    async fn keep(&self, content: ContentId, number: u64, chunk: Bytes) {
        let shared = &self.shared;
        let fits = u64::try_from(chunk.len()).is_ok_and(|bytes| bytes <= shared.options.max_chunk_bytes);
        let is_sent = fits
            && shared.breaker.connections().is_ok()
            && self.queue.take(shared.keys.key(content, number), chunk);
        if !is_sent {
            shared.counts.dropped_keeps.one();
        }
    }
}

impl Shared {
    /// Asks for the value under `key`; nothing is empty.
    async fn read(&self, connections: &Connections, key: &str) -> Result<Bytes, RedisError> {
        let Some(mut line) = connections.read() else {
            return Ok(Bytes::new());
        };
        // Somebody else's value may have any length, and memory is bounded: one byte more than ours shows that it is not ours.
        let last = self.options.max_chunk_bytes.saturating_add(HEAD_BYTES as u64);
        let mut ask = redis::cmd("GETRANGE");
        ask.arg(key).arg(0).arg(last);
        ask.query_async(&mut line).await
    }

    /// What a value that was read under `key` is worth.
    fn judge(&self, key: &str, value: &Bytes) -> Option<Bytes> {
        let chunk = value::opened(key, value);
        match &chunk {
            Some(chunk) => {
                self.counts.hits.one();
                self.counts.read_bytes.more(chunk.len() as u64);
            }
            None if value.is_empty() => self.counts.misses.one(),
            None => self.counts.unusable.one(),
        }
        chunk
    }

    /// Writes what comes out of the queue, one chunk after the other.
    async fn write(&self, mut kept: mpsc::Receiver<Keep>) {
        while let Some(keep) = kept.recv().await {
            match self.breaker.connections() {
                Ok(connections) => self.write_one(&connections, &keep.key, &keep.chunk).await,
                Err(_) => self.counts.dropped_keeps.one(),
            }
        }
    }

    async fn write_one(&self, connections: &Arc<Connections>, key: &str, chunk: &[u8]) {
        let Some(value) = Value::of(key, chunk) else {
            self.counts.dropped_keeps.one();
            return;
        };
        let begun = Instant::now();
        let mut set = redis::cmd("SET");
        set.arg(key).arg(value).arg("EX").arg(self.options.ttl.as_secs());
        match set.exec_async(&mut connections.keep()).await {
            Ok(()) => {
                connections.succeeded();
                self.counts.kept.one();
                self.counts.kept_bytes.more(chunk.len() as u64);
                self.counts.keep_micros.micros(begun.elapsed());
            }
            Err(error) => {
                self.counts.failed_keeps.one();
                match Fault::of(&error) {
                    // It is full, or takes no writes: what it has can be read all the same.
                    Fault::Refused | Fault::Foreign => {
                        tracing::debug!(%error, "Redis did not take a chunk");
                    }
                    fault => self.breaker.failed(connections, fault, error),
                }
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("options", &self.options)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// A chunk behind its head, as one argument of a command.
struct Value<'a> {
    head: [u8; HEAD_BYTES],
    chunk: &'a [u8],
}

impl<'a> Value<'a> {
    fn of(key: &str, chunk: &'a [u8]) -> Option<Self> {
        let head = value::head(key, chunk)?;
        Some(Self { head, chunk })
    }
}

impl ToRedisArgs for Value<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let mut argument = out.bufmut_for_next_arg(HEAD_BYTES + self.chunk.len());
        argument.put_slice(&self.head);
        argument.put_slice(self.chunk);
    }
}

/// What `INFO memory` says of the limit and of what happens at it.
fn memory_health(said: &str) -> HealthFacts {
    let field = |name: &str| {
        let mut lines = said.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    let facts = HealthFacts::well();
    match (field("maxmemory"), field("maxmemory_policy")) {
        (Some("0"), _) => facts.with_reason(
            "Redis has no limit of memory (maxmemory): it grows until the machine has none left",
        ),
        (Some(_), Some("noeviction")) => {
            facts.with_reason("Redis takes no more chunks once it is full (maxmemory-policy noeviction)")
        }
        _ => facts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_limit_or_without_eviction_is_not_well() {
        let said = |limit: &str, policy: &str| {
            let text = format!(
                "# Memory\r\nused_memory:900\r\nmaxmemory:{limit}\r\nmaxmemory_human:1M\r\nmaxmemory_policy:{policy}\r\n"
            );
            memory_health(&text).reasons.concat()
        };
        assert!(said("0", "noeviction").contains("no limit"));
        assert!(said("1048576", "noeviction").contains("noeviction"));
        assert_eq!(said("1048576", "allkeys-lru"), "");
        assert_eq!(memory_health(""), HealthFacts::well());
    }
}
