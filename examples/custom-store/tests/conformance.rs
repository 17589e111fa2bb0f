//! The store keeps the storage contract: one test for each case of the suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::storage::{BlobStore, StoreName};
use campusdisk_testkit::storage::{StorageHarness, StorageLimits};
use campusdisk_testkit::storage_conformance;
use custom_store::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

storage_conformance!(sqlite_file, SqliteHarness::fresh().await);

/// A store in a file of its own, and a connection behind its back.
#[derive(Debug)]
struct SqliteHarness {
    folder: tempfile::TempDir,
    store: SqliteStore,
    behind: SqlitePool,
}

impl SqliteHarness {
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path().join("store.db")).await.unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
        let behind = SqlitePool::connect_with(options).await.unwrap();
        // What a stranger keeps in a database is a table.
        sqlx::query("CREATE TABLE strangers (path TEXT PRIMARY KEY, bytes BLOB NOT NULL)")
            .execute(&behind)
            .await
            .unwrap();
        Self {
            folder,
            store,
            behind,
        }
    }
}

async fn open(path: PathBuf) -> Result<SqliteStore> {
    SqliteStore::open(StoreName::parse("sqlite")?, &path).await
}

#[async_trait]
impl StorageHarness for SqliteHarness {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::new(open(self.folder.path().join("store.db")).await?))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        sqlx::query("INSERT INTO strangers (path, bytes) VALUES (?, ?)")
            .bind(path)
            .bind(&bytes[..])
            .execute(&self.behind)
            .await
            .unwrap();
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        let found = sqlx::query_scalar::<_, Vec<u8>>("SELECT bytes FROM strangers WHERE path = ?")
            .bind(path)
            .fetch_optional(&self.behind)
            .await
            .unwrap();
        Ok(found.map(Bytes::from))
    }

    // Writers without a blob, and pieces without either.
    async fn leftovers(&self) -> Result<u64> {
        let count: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM writers) + (SELECT COUNT(DISTINCT writer) FROM pieces \
             WHERE writer NOT IN (SELECT writer FROM blobs) AND writer NOT IN (SELECT id FROM writers))",
        )
        .fetch_one(&self.behind)
        .await
        .unwrap();
        Ok(count.unsigned_abs())
    }

    fn limits(&self) -> StorageLimits {
        // More than a page of a listing; every commit is a sync of the disk.
        StorageLimits::default()
            .with_many_blobs(520)
            .with_calls_at_once(8)
    }
}
