//! Every store that needs no service keeps the storage contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::storage::{BlobStore, StoreName};
use campusdisk_core::wrap::{
    LimitOptions, LimitStore, RetryOptions, RetryStore, TimeoutOptions, TimeoutStore, TraceStore,
};
use campusdisk_local::{LocalConfig, LocalStore};
use campusdisk_testkit::faulty::{Faults, FaultyStore};
use campusdisk_testkit::storage::{MemoryHarness, StorageHarness, StorageLimits, Wrapped};
use campusdisk_testkit::storage_conformance;

storage_conformance!(memory, MemoryHarness::fresh());
storage_conformance!(local, LocalHarness::fresh().await);
storage_conformance!(
    retry,
    Wrapped::new(MemoryHarness::fresh(), |store| {
        Arc::new(RetryStore::new(store, RetryOptions::default()))
    })
);
storage_conformance!(
    timeout,
    Wrapped::new(MemoryHarness::fresh(), |store| {
        Arc::new(TimeoutStore::new(store, TimeoutOptions::default()))
    })
);
storage_conformance!(
    limit,
    Wrapped::new(MemoryHarness::fresh(), |store| {
        let few = LimitOptions::default()
            .with_reads(2)
            .with_writers(2)
            .with_calls(1);
        Arc::new(LimitStore::new(store, few))
    })
);
storage_conformance!(
    trace,
    Wrapped::new(MemoryHarness::fresh(), |store| Arc::new(TraceStore::new(store)))
);
storage_conformance!(
    faulty_without_faults,
    Wrapped::new(MemoryHarness::fresh(), |store| {
        Arc::new(FaultyStore::new(store, Faults::new()))
    })
);
storage_conformance!(
    every_wrapper_around_local,
    Wrapped::new(LocalHarness::fresh().await, |store| {
        let store = Arc::new(TimeoutStore::new(store, TimeoutOptions::default()));
        let store = Arc::new(RetryStore::new(store, RetryOptions::default()));
        let store = Arc::new(LimitStore::new(store, LimitOptions::default()));
        Arc::new(TraceStore::new(store))
    })
);

/// A local store in a temporary folder.
#[derive(Debug)]
struct LocalHarness {
    folder: tempfile::TempDir,
    store: LocalStore,
}

impl LocalHarness {
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await.unwrap();
        Self { folder, store }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

async fn open(root: &Path) -> Result<LocalStore> {
    LocalStore::open(LocalConfig::new(StoreName::parse("local")?, root)).await
}

#[async_trait]
impl StorageHarness for LocalHarness {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::new(open(self.folder.path()).await?))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        Ok(std::fs::read(self.path(path)).ok().map(Bytes::from))
    }

    async fn leftovers(&self) -> Result<u64> {
        let leftovers = std::fs::read_dir(self.path(".campusdisk/tmp")).unwrap();
        Ok(leftovers.count() as u64)
    }

    fn limits(&self) -> StorageLimits {
        StorageLimits::default().with_many_blobs(300)
    }
}
