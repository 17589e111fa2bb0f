//! What `/readyz` asks beside the stores.

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_axum::Probe;
use campusdisk_core::Result;
use campusdisk_core::catalog::Catalog;
use campusdisk_core::storage::HealthFacts;
use campusdisk_redis::RedisChunkCache;

/// Whether the database answers.
#[derive(Debug)]
pub(crate) struct DatabaseProbe(pub(crate) Arc<dyn Catalog>);

#[async_trait]
impl Probe for DatabaseProbe {
    fn name(&self) -> &str {
        "database"
    }

    fn required(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<HealthFacts> {
        self.0.setting("installation").await?;
        Ok(HealthFacts::well())
    }
}

/// Whether Redis answers. A hall without it is slower, and nothing else.
#[derive(Debug)]
pub(crate) struct RedisProbe(pub(crate) Arc<RedisChunkCache>);

#[async_trait]
impl Probe for RedisProbe {
    fn name(&self) -> &str {
        "redis"
    }

    fn required(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<HealthFacts> {
        self.0.health().await
    }
}
