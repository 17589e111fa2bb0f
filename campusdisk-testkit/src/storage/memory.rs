//! The suite's footing under a [`MemoryStore`].

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::memory::MemoryStore;
use campusdisk_core::storage::{BlobStore, StoreInfo, StoreName};

use super::{StorageHarness, StorageLimits};

/// A store in memory; reopening it gives a clone on the same root.
#[derive(Debug)]
pub struct MemoryHarness {
    store: MemoryStore,
}

impl MemoryHarness {
    /// An empty store called `memory`.
    ///
    /// # Panics
    /// Never: the name fits.
    #[expect(clippy::expect_used, reason = "the name is a valid literal")]
    pub fn fresh() -> Self {
        let name = StoreName::parse("memory").expect("`memory` is a store name");
        Self {
            store: MemoryStore::new(StoreInfo::new(name)),
        }
    }
}

#[async_trait]
impl StorageHarness for MemoryHarness {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::new(self.store.clone()))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.store.put_foreign(path, bytes);
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        Ok(self.store.object(path))
    }

    async fn leftovers(&self) -> Result<u64> {
        Ok(0)
    }

    fn limits(&self) -> StorageLimits {
        StorageLimits::default()
    }
}
