//! The parts of a hall, opened as the configuration says.

use std::sync::Arc;

use campusdisk_accounts::{AccountStore, Accounts, AccountsSeams};
use campusdisk_axum::AccountsIdentity;
use campusdisk_core::catalog::Catalog;
use campusdisk_core::memory::{MemoryChunkCache, MemoryEvents};
use campusdisk_core::mount::Mount;
use campusdisk_core::storage::BlobStore;
use campusdisk_core::wrap::TieredCache;
use campusdisk_core::{CampusDisk, ChunkCache, RandomIds, Seams, SystemClock, TokioSpawner};
use campusdisk_redis::RedisChunkCache;
use campusdisk_sql::{PostgresDatabase, SqliteDatabase};

use crate::config::Config;
use crate::data_lock;
use crate::failure::{Failure, Outcome};
use crate::metrics::Metrics;

/// An open database of either kind.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

impl Database {
    fn catalog(&self) -> Arc<dyn Catalog> {
        match self {
            Self::Sqlite(database) => Arc::new(database.catalog()),
            Self::Postgres(database) => Arc::new(database.catalog()),
        }
    }

    fn accounts(&self) -> Arc<dyn AccountStore> {
        match self {
            Self::Sqlite(database) => Arc::new(database.accounts()),
            Self::Postgres(database) => Arc::new(database.accounts()),
        }
    }

    /// Finishes what is queued and closes every connection.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

/// The database and what lies in it.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) database: Database,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) accounts: Accounts,
}

impl Records {
    /// Opens the database, making it where it is missing.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub(crate) async fn open(config: &Config) -> Outcome<Self> {
        data_lock::make_folder(&config.data)?;
        Self::over(config.database.open(config).await?, config)
    }

    /// As [`open`](Self::open), but a database that can't be used yet is waited for.
    ///
    /// # Errors
    /// Why it can't be opened.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn open_once_there(config: &Config) -> Outcome<Self> {
        data_lock::make_folder(&config.data)?;
        Self::over(config.database.open_once_there(config).await?, config)
    }

    fn over(database: Database, config: &Config) -> Outcome<Self> {
        let seams = AccountsSeams {
            store: database.accounts(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        };
        let accounts = Accounts::new(seams, config.accounts.clone())
            .map_err(|error| Failure::from(error).during("in [accounts]"))?;
        Ok(Self {
            catalog: database.catalog(),
            accounts,
            database,
        })
    }
}

/// Opens every store, the primary one first.
///
/// # Errors
/// Which store can't be opened, and why.
pub(crate) async fn open_stores(config: &Config) -> Outcome<Vec<Arc<dyn BlobStore>>> {
    let primary = &config.storage.primary;
    let mut named: Vec<_> = config.stores.iter().collect();
    named.sort_by_key(|(name, _)| *name != primary);
    let mut stores = Vec::new();
    for (name, settings) in named {
        stores.push(settings.open(name, config).await?);
    }
    Ok(stores)
}

/// Opens every mount.
fn open_mounts(config: &Config) -> Outcome<Vec<Arc<dyn Mount>>> {
    let mounts = config.mounts.iter();
    mounts
        .map(|(name, settings)| settings.open(name, config))
        .collect()
}

/// Refuses a configuration without a store or mount that blobs lie in.
///
/// # Errors
/// Which store is missing and what to do, or why that can't be known.
pub(crate) async fn check_stores_in_use(config: &Config, records: &Records) -> Outcome {
    let used = records.catalog.stores().await?;
    match used
        .iter()
        .find(|name| !config.stores.contains_key(name.as_str()) && !config.mounts.contains_key(name.as_str()))
    {
        Some(name) => Err(Failure::new(format!(
            "blobs lie in the store \"{name}\", but there is no [stores.{name}] (nor a [mounts.{name}], if it was a mount): bring it back, and \
             move what lies in it with `hall store migrate --from {name} --to ANOTHER`; `hall store list` says when the configuration may do \
             without it"
        ))),
        None => Ok(()),
    }
}

/// Opens the service over its parts.
///
/// # Errors
/// When a store belongs to another installation or can't be reached, or one that blobs lie in is missing.
pub(crate) async fn open_disk(
    config: &Config,
    records: &Records,
    identity: &AccountsIdentity,
    stores: Vec<Arc<dyn BlobStore>>,
    cache: Arc<dyn ChunkCache>,
) -> Outcome<CampusDisk> {
    check_stores_in_use(config, records).await?;
    let seams = Seams {
        stores,
        placement: config.storage.rules()?,
        mounts: open_mounts(config)?,
        catalog: records.catalog.clone(),
        identity: Arc::new(identity.clone()),
        events: Arc::new(MemoryEvents::new(config.events.kept)),
        cache,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        spawner: Arc::new(TokioSpawner),
    };
    Ok(CampusDisk::open(seams, config.policy.policy()).await?)
}

/// The cache in memory alone, which is enough for whoever serves nobody.
pub(crate) fn memory(config: &Config) -> Arc<dyn ChunkCache> {
    Arc::new(MemoryChunkCache::new(config.cache.memory_bytes))
}

/// The cache in memory, with that on Redis behind it where there is one, each counted.
pub(crate) fn cache(
    config: &Config,
    redis: Option<Arc<RedisChunkCache>>,
    metrics: &Metrics,
) -> Arc<dyn ChunkCache> {
    let memory = metrics.counted("memory", memory(config));
    match redis {
        Some(redis) => Arc::new(TieredCache::new(memory, metrics.counted("redis", redis))),
        None => memory,
    }
}
