//! What is kept of files that are asked for again and again: in memory, and on a Redis that halls share.

use std::sync::Arc;
use std::time::Duration;

use campusdisk_core::TokioSpawner;
use campusdisk_redis::{RedisChunkCache, RedisOptions};
use serde::{Deserialize, Serialize};

use super::store::SecretText;
use crate::failure::{Failure, Outcome};

/// More bring nothing: one server answers them one after the other.
const MOST_CONNECTIONS: usize = 64;

/// The caches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CacheSettings {
    pub(crate) memory_bytes: u64,
    /// An address, perhaps with a password.
    pub(crate) redis_url: Option<SecretText>,
    pub(crate) redis_prefix: String,
    pub(crate) redis_ttl_seconds: u64,
    pub(crate) redis_answer_limit_ms: u64,
    pub(crate) redis_connections: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        let redis = RedisOptions::default();
        Self {
            memory_bytes: 32 << 20,
            redis_url: None,
            redis_prefix: redis.prefix,
            redis_ttl_seconds: redis.ttl.as_secs(),
            redis_answer_limit_ms: u64::try_from(redis.answer_limit.as_millis()).unwrap_or(u64::MAX),
            redis_connections: redis.data_connections,
        }
    }
}

impl CacheSettings {
    /// Opens the cache on Redis, where there is one. A server that is down is no error.
    ///
    /// # Errors
    /// Which setting could not work.
    pub(crate) async fn open_redis(&self) -> Outcome<Option<Arc<RedisChunkCache>>> {
        let Some(SecretText(url)) = &self.redis_url else {
            return Ok(None);
        };
        let options = RedisOptions::default()
            .with_url(url)
            .with_prefix(&self.redis_prefix)
            .with_ttl(Duration::from_secs(self.redis_ttl_seconds))
            .with_answer_limit(Duration::from_millis(self.redis_answer_limit_ms))
            .with_data_connections(self.redis_connections);
        let opened = RedisChunkCache::connect(options, &TokioSpawner).await;
        // What is left to refuse is called as the setting is, but for what comes before it.
        let opened = opened.map_err(|error| Failure::new(format!("cache.redis_{}", Failure::from(error))));
        opened.map(|cache| Some(Arc::new(cache)))
    }

    pub(super) fn check(&self) -> Outcome {
        if self.redis_ttl_seconds == 0 || self.redis_answer_limit_ms == 0 {
            return Err(Failure::new(
                "cache.redis_ttl_seconds and cache.redis_answer_limit_ms are at least 1",
            ));
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.redis_connections) {
            return Err(Failure::new(format!(
                "cache.redis_connections is 1 to {MOST_CONNECTIONS}"
            )));
        }
        Ok(())
    }
}
