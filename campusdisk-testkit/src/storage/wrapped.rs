//! The suite's footing under a wrapper around a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::storage::BlobStore;

use super::{StorageHarness, StorageLimits};

/// How a store is wrapped.
pub type Wrap = fn(Arc<dyn BlobStore>) -> Arc<dyn BlobStore>;

/// A harness whose stores are wrapped, so that the suite shows that a wrapper keeps the contract.
pub struct Wrapped<H> {
    inner: H,
    store: Arc<dyn BlobStore>,
    wrap: Wrap,
}

impl<H: StorageHarness> Wrapped<H> {
    /// Wraps every store of `inner`.
    pub fn new(inner: H, wrap: Wrap) -> Self {
        let store = wrap(inner.store());
        Self { inner, store, wrap }
    }
}

impl<H: fmt::Debug> fmt::Debug for Wrapped<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapped")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<H: StorageHarness> StorageHarness for Wrapped<H> {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.store)
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok((self.wrap)(self.inner.reopen().await?))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.inner.plant(path, bytes).await
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        self.inner.planted(path).await
    }

    async fn leftovers(&self) -> Result<u64> {
        self.inner.leftovers().await
    }

    fn limits(&self) -> StorageLimits {
        self.inner.limits()
    }
}
