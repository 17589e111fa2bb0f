//! Two caches as one: a fast one, and a shared one behind it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ChunkCache, ContentId};

/// Asks a fast cache first, then a shared one.
///
/// What the shared one has is kept in the fast one as well, so that it is asked once. What is to be kept goes to both: the shared one is for other
/// processes, and for this one after a restart. It keeps the contract that both keep, and holds what both hold.
#[derive(Clone, Debug)]
pub struct TieredCache {
    fast: Arc<dyn ChunkCache>,
    shared: Arc<dyn ChunkCache>,
}

impl TieredCache {
    /// `fast`, with `shared` behind it.
    pub fn new(fast: Arc<dyn ChunkCache>, shared: Arc<dyn ChunkCache>) -> Self {
        Self { fast, shared }
    }
}

#[async_trait]
impl ChunkCache for TieredCache {
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes> {
        if let Some(chunk) = self.fast.chunk(content, number).await {
            return Some(chunk);
        }
        let chunk = self.shared.chunk(content, number).await?;
        self.fast.keep(content, number, chunk.clone()).await;
        Some(chunk)
    }

    async fn keep(&self, content: ContentId, number: u64, chunk: Bytes) {
        self.fast.keep(content, number, chunk.clone()).await;
        self.shared.keep(content, number, chunk).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryChunkCache;

    const CONTENT: ContentId = ContentId::from_u128(1);
    const CHUNK: Bytes = Bytes::from_static(b"some bytes");

    fn tiers() -> (Arc<MemoryChunkCache>, Arc<MemoryChunkCache>, TieredCache) {
        let [fast, shared] = [1000, 1000].map(|bytes| Arc::new(MemoryChunkCache::new(bytes)));
        let tiered = TieredCache::new(fast.clone(), shared.clone());
        (fast, shared, tiered)
    }

    #[tokio::test]
    async fn what_is_kept_is_in_both() {
        let (fast, shared, tiered) = tiers();
        assert_eq!(tiered.chunk(CONTENT, 7).await, None);
        tiered.keep(CONTENT, 7, CHUNK).await;
        for cache in [&*fast as &dyn ChunkCache, &*shared, &tiered] {
            assert_eq!(cache.chunk(CONTENT, 7).await, Some(CHUNK), "{cache:?}");
        }
    }

    #[tokio::test]
    async fn what_only_the_shared_one_has_is_found_and_kept_in_the_fast_one() {
        let (fast, shared, tiered) = tiers();
        shared.keep(CONTENT, 7, CHUNK).await;
        assert_eq!(tiered.chunk(CONTENT, 8).await, None);
        assert_eq!(tiered.chunk(CONTENT, 7).await, Some(CHUNK));
        assert_eq!(fast.chunk(CONTENT, 7).await, Some(CHUNK));
        assert_eq!(fast.chunk(CONTENT, 8).await, None);
    }

    #[tokio::test]
    async fn the_shared_one_is_not_asked_for_what_the_fast_one_has() {
        let (fast, shared, tiered) = tiers();
        fast.keep(CONTENT, 7, CHUNK).await;
        shared.keep(CONTENT, 7, Bytes::from_static(b"asked for")).await;
        assert_eq!(tiered.chunk(CONTENT, 7).await, Some(CHUNK));
    }
}
