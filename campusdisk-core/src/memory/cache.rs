//! Chunks of hot contents in this process's memory.

use async_trait::async_trait;
use bytes::Bytes;
use moka::sync::Cache;

use crate::{ChunkCache, ContentId};

/// Keeps chunks up to a number of bytes; those asked for least and longest ago go first.
#[derive(Clone, Debug)]
pub struct MemoryChunkCache(Cache<(ContentId, u64), Bytes>);

impl MemoryChunkCache {
    /// A cache of at most `limit_bytes` bytes of chunks.
    pub fn new(limit_bytes: u64) -> Self {
        let weigh = |_: &(ContentId, u64), chunk: &Bytes| u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(limit_bytes).weigher(weigh).build())
    }
}

#[async_trait]
impl ChunkCache for MemoryChunkCache {
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes> {
        self.0.get(&(content, number))
    }

    async fn keep(&self, content: ContentId, number: u64, chunk: Bytes) {
        self.0.insert((content, number), chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kept_chunk_comes_back_and_the_limit_holds() {
        let cache = MemoryChunkCache::new(1000);
        let content = ContentId::from_u128(1);
        for number in 0..100 {
            cache.keep(content, number, Bytes::from(vec![0; 100])).await;
        }
        cache.0.run_pending_tasks();
        assert!(cache.0.weighted_size() <= 1000 && cache.0.entry_count() > 0);
        cache.keep(content, 7, Bytes::from_static(b"seven")).await;
        assert_eq!(cache.chunk(content, 7).await.as_deref(), Some(&b"seven"[..]));
        assert_eq!(cache.chunk(ContentId::from_u128(2), 7).await, None);
    }
}
