//! What `/readyz` asks.

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_axum::Probe;
use campusdisk_core::Result;
use campusdisk_core::catalog::Catalog;
use campusdisk_core::storage::BlobStore;
use futures::StreamExt as _;

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

    async fn check(&self) -> Result<()> {
        self.0.setting("installation").await.map(drop)
    }
}

/// Whether a store answers.
#[derive(Debug)]
pub(crate) struct StoreProbe {
    pub(crate) store: Arc<dyn BlobStore>,
    /// What lies in other stores can be had without this one.
    pub(crate) required: bool,
}

#[async_trait]
impl Probe for StoreProbe {
    fn name(&self) -> &str {
        self.store.info().name.as_str()
    }

    fn required(&self) -> bool {
        self.required
    }

    async fn check(&self) -> Result<()> {
        // The first row of a listing, of the last of the folders, so that it stays short in a store of millions.
        self.store.list("zzz", None).next().await.transpose().map(drop)
    }
}
