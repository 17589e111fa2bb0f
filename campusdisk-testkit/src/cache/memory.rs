//! The suite's footing under a [`MemoryChunkCache`].

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_core::ChunkCache;
use campusdisk_core::memory::MemoryChunkCache;

use super::CacheHarness;

const LIMIT_BYTES: u64 = 8 << 20;

/// A cache in memory of 8 MiB.
#[derive(Debug)]
pub struct MemoryCacheHarness(Arc<MemoryChunkCache>);

impl MemoryCacheHarness {
    /// An empty one.
    pub fn fresh() -> Self {
        Self(Arc::new(MemoryChunkCache::new(LIMIT_BYTES)))
    }
}

#[async_trait]
impl CacheHarness for MemoryCacheHarness {
    fn cache(&self) -> Arc<dyn ChunkCache> {
        self.0.clone()
    }

    fn limit_bytes(&self) -> u64 {
        LIMIT_BYTES
    }

    async fn settle(&self) {}
}
