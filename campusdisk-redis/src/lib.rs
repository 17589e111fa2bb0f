//! CampusDisk's cache of hot chunks on a Redis server, shared by every hall that uses it.
//!
//! It stands behind a cache in memory ([`TieredCache`](campusdisk_core::wrap::TieredCache)): what one process fetched from a remote store,
//! the others, and the same after a restart, take from here.
//!
//! # A cache that is down is empty
//! Nothing here fails a download or holds it up. A call takes [`answer_limit`](RedisOptions::answer_limit) at most; after
//! [`failures_to_open`](RedisOptions::failures_to_open) calls in a row that failed, or one whose connection ended, a circuit breaker opens: calls return
//! at once, while a task tries to connect, every [`rest`](RedisOptions::rest). Chunks to be kept wait in a queue bounded in number and bytes, which a task
//! writes; what does not fit is dropped. [`facts`](RedisChunkCache::facts) counts all of it.
//!
//! # What the server needs
//! * A limit: `maxmemory`, with `maxmemory-policy allkeys-lru` or `allkeys-lfu` on a server of its own, `volatile-lru` or `volatile-lfu` on one that
//!   also holds what must stay. This bounds the cache in bytes (H3). With `noeviction` a full server refuses chunks, which are then not kept.
//!   [`health`](RedisChunkCache::health) tells where it is otherwise.
//! * A user that may use the commands `PING`, `GETRANGE`, `SET` and, for `health`, `INFO`; nothing is persistent, so neither is there need for its disk.
//! * A network that others can't listen to, and a password: bytes of files lie there in the clear, and `rediss://` is not spoken.
//!
//! Chunks end by themselves [`ttl`](RedisOptions::ttl) after they were kept, so purged bytes are gone from here after that time at the latest.
//!
//! # Example: a shared cache behind one in memory
//! ```
//! use std::sync::Arc;
//! use campusdisk_core::memory::MemoryChunkCache;
//! use campusdisk_core::wrap::TieredCache;
//! use campusdisk_core::{ChunkCache, ContentId, TokioSpawner};
//! use campusdisk_redis::{RedisChunkCache, RedisOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> campusdisk_core::Result<()> {
//! let options = RedisOptions::default()
//!     .with_url("redis://:secret@127.0.0.1:1/0")
//!     .with_prefix("hall");
//! let shared = Arc::new(RedisChunkCache::connect(options, &TokioSpawner).await?);
//! let cache: Arc<dyn ChunkCache> = Arc::new(TieredCache::new(
//!     Arc::new(MemoryChunkCache::new(64 << 20)),
//!     shared.clone(),
//! ));
//! // No server is there, which is no error: it has nothing, and memory keeps what it can.
//! let content = ContentId::from_u128(1);
//! assert_eq!(cache.chunk(content, 0).await, None);
//! cache.keep(content, 0, "bytes".into()).await;
//! assert_eq!(cache.chunk(content, 0).await.as_deref(), Some(&b"bytes"[..]));
//! shared.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod breaker;
mod cache;
mod config;
mod connections;
mod error;
mod facts;
mod queue;
mod value;

pub use self::cache::RedisChunkCache;
pub use self::config::RedisOptions;
pub use self::facts::RedisCacheFacts;
