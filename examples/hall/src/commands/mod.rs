//! The commands beside `serve`. All of them work while a hall runs on the same data.

pub(crate) mod account;
pub(crate) mod check;
pub(crate) mod check_config;
pub(crate) mod demo;
pub(crate) mod mount;
pub(crate) mod prewarm;
pub(crate) mod store;
pub(crate) mod token;

use std::sync::Arc;
use std::time::Duration;

use campusdisk_axum::AccountsIdentity;
use campusdisk_core::{CampusDisk, ChunkCache};

use crate::config::Config;
use crate::failure::Outcome;
use crate::parts::{self, Records};

/// How long what a command began may take to end.
const LIMIT: Duration = Duration::from_secs(30);

/// Works with the service as it is configured, and ends what that began.
async fn with_disk<T>(
    config: &Config,
    records: &Records,
    work: impl AsyncFnOnce(&CampusDisk) -> Outcome<T>,
) -> Outcome<T> {
    with_disk_and_cache(config, records, parts::memory(config), work).await
}

/// The same over a cache of the command's own.
async fn with_disk_and_cache<T>(
    config: &Config,
    records: &Records,
    cache: Arc<dyn ChunkCache>,
    work: impl AsyncFnOnce(&CampusDisk) -> Outcome<T>,
) -> Outcome<T> {
    let identity = AccountsIdentity::new(records.accounts.clone());
    let stores = parts::open_stores(config).await?;
    let disk = parts::open_disk(config, records, &identity, stores, cache).await?;
    let outcome = work(&disk).await;
    disk.shutdown(LIMIT).await;
    outcome
}
