//! Every cache that needs no service keeps the contract of caches.

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_core::ChunkCache;
use campusdisk_core::wrap::TieredCache;
use campusdisk_testkit::cache::{CacheHarness, MemoryCacheHarness};
use campusdisk_testkit::cache_conformance;

cache_conformance!(memory, MemoryCacheHarness::fresh());
cache_conformance!(tiered, Tiered::fresh());

/// A cache behind another.
#[derive(Debug)]
struct Tiered {
    fast: MemoryCacheHarness,
    shared: MemoryCacheHarness,
    cache: TieredCache,
}

impl Tiered {
    fn fresh() -> Self {
        let (fast, shared) = (MemoryCacheHarness::fresh(), MemoryCacheHarness::fresh());
        Self {
            cache: TieredCache::new(fast.cache(), shared.cache()),
            fast,
            shared,
        }
    }
}

#[async_trait]
impl CacheHarness for Tiered {
    fn cache(&self) -> Arc<dyn ChunkCache> {
        Arc::new(self.cache.clone())
    }

    fn limit_bytes(&self) -> u64 {
        self.fast.limit_bytes() + self.shared.limit_bytes()
    }

    async fn settle(&self) {
        self.fast.settle().await;
        self.shared.settle().await;
    }
}
