//! The storage suite's view of a store on a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::BlobStore;
use campusdisk_core::{IdSource as _, RandomIds, Result};
use campusdisk_hdfs::{HdfsConfig, HdfsStore};
use campusdisk_testkit::storage::{StorageHarness, StorageLimits};
use hdfs_native::{Client, HdfsError, WriteOptions};

use super::store::{client_of, config_of};

/// A root of its own on a cluster, and a client that is not the store's.
#[derive(Debug)]
pub struct HdfsHarness {
    store: Arc<HdfsStore>,
    /// The settings of its store.
    pub config: HdfsConfig,
    client: Client,
}

impl HdfsHarness {
    /// A fresh root on the cluster of this endpoint, such as `/hdfs`.
    ///
    /// # Panics
    /// When it is not running.
    pub fn fresh(cluster: &str) -> Self {
        let config = Self::config(cluster, &format!("/conformance/case-{:032x}", RandomIds.random()));
        Self {
            store: Arc::new(HdfsStore::connect(config.clone()).expect("a store")),
            client: client_of(cluster),
            config,
        }
    }

    /// Settings of a store with small blocks and windows.
    pub fn config(cluster: &str, root: &str) -> HdfsConfig {
        let mut config = config_of(cluster, root).with_block_size_bytes(1 << 20);
        config.window_bytes = 300_000;
        config
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.config.root)
    }
}

#[async_trait]
impl StorageHarness for HdfsHarness {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.store) as _
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::new(HdfsStore::connect(self.config.clone())?))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        let options = WriteOptions::default();
        let mut file = self
            .client
            .create(&self.path(path), options)
            .await
            .expect("the cluster does it");
        file.write_bytes(bytes).await.expect("the cluster does it");
        file.close().await.expect("the cluster does it");
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        match self.client.read(&self.path(path)).await {
            Ok(file) => Ok(Some(
                file.read_range(0, file.file_length())
                    .await
                    .expect("the cluster does it"),
            )),
            Err(HdfsError::RPCError(class, _)) if class == "java.io.FileNotFoundException" => Ok(None),
            Err(error) => panic!("{error}"),
        }
    }

    async fn leftovers(&self) -> Result<u64> {
        match self.client.list_status(&self.path(".writing"), false).await {
            Ok(files) => Ok(files.len() as u64),
            Err(HdfsError::FileNotFound(_)) => Ok(0),
            Err(error) => panic!("{error}"),
        }
    }

    fn limits(&self) -> StorageLimits {
        StorageLimits::remote()
    }
}
