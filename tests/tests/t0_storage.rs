//! Every store that needs no service keeps the storage contract.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::storage::{BlobStore, StoreName};
use campusdisk_local::{LocalConfig, LocalStore};
use campusdisk_testkit::storage::{MemoryHarness, StorageHarness, StorageLimits};
use campusdisk_testkit::storage_conformance;

storage_conformance!(memory, MemoryHarness::fresh());
storage_conformance!(local, LocalHarness::fresh().await);

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
