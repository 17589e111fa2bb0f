//! The store: what is asked of all blobs.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use campusdisk_core::storage::{
    Abilities, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted, ListedBlob,
    StoreInfo, StoreName,
};
use campusdisk_core::{Error, ErrorKind, InstallationId, Result};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::failure::meaning;
use crate::reader::SqliteReader;
use crate::writer::SqliteWriter;

/// How long a statement waits for another process that writes.
const BUSY_LIMIT: Duration = Duration::from_secs(30);
/// How many rows a page of a listing has.
const PAGE_ROWS: i64 = 500;

/// Blobs in one SQLite file. Clones, and other processes on the same file, share it.
///
/// What is committed survives a loss of power too, as far as the disk keeps what it says is synced.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    info: StoreInfo,
    /// One connection: SQLite has one writer, and whoever waits for it waits here, not at a lock.
    writing: SqlitePool,
    reading: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, making it where it is missing.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when it can't be opened, [`Corrupt`](ErrorKind::Corrupt) when it is no
    /// database.
    pub async fn open(name: StoreName, path: &Path) -> Result<Self> {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(BUSY_LIMIT)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY_LIMIT)
                .connect_lazy_with(connect.clone())
        };
        let (writing, reading) = (pool(1), pool(4));
        sqlx::raw_sql(include_str!("schema.sql"))
            .execute(&writing)
            .await
            .map_err(|error| meaning(error).during("open store").on(path.display().to_string()))?;
        Ok(Self {
            // No part need be large where no request is saved by it.
            info: StoreInfo::new(name).with_part_size_bytes(16 << 20),
            writing,
            reading,
        })
    }
}

#[async_trait]
impl BlobStore for SqliteStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    // B12: of two that claim at once SQLite lets one insert; both then read who it was.
    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let claim = async {
            sqlx::query("INSERT INTO owner (one, installation) VALUES (1, ?) ON CONFLICT DO NOTHING")
                .bind(installation.to_string())
                .execute(&self.writing)
                .await?;
            sqlx::query_scalar::<_, String>("SELECT installation FROM owner")
                .fetch_one(&self.writing)
                .await
        };
        let owner = claim
            .await
            .map_err(|error| meaning(error).during("claim store"))?;
        if owner == installation.to_string() {
            return Ok(());
        }
        let text = format!("the store belongs to installation {owner}: give this one a file of its own");
        Err(Error::new(ErrorKind::Conflict, text).during("claim store"))
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let most = self.info.max_blob_bytes;
        // B8: what can't fit is refused before a byte is sent.
        if options.expected_bytes.is_some_and(|expected| expected > most) {
            let text = format!("the store takes blobs of up to {most} bytes");
            return Err(Error::new(ErrorKind::LimitExceeded, text).during("create blob"));
        }
        Ok(Box::new(
            SqliteWriter::begin(self.writing.clone(), *key, now_ms()).await?,
        ))
    }

    // B11: no I/O; whether the blob is there shows when it is read.
    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(SqliteReader::new(self.reading.clone(), *blob)))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let mut report = Vec::with_capacity(keys.len());
        for key in keys {
            let outcome = self.delete_one(key).await;
            report.push(Deleted { key: *key, outcome });
        }
        Deleted::report(report)
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let first = after.map_or_else(String::new, ToString::to_string);
        stream::try_unfold(Some(first), move |after| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let page = store.page(&prefix, &after).await?;
                let next = page.last().map(|blob| blob.key.to_string());
                Ok::<_, Error>(Some((stream::iter(page.into_iter().map(Ok)), next)))
            }
        })
        .try_flatten()
        .boxed()
    }

    // B9: by age alone. A writer's row goes when it commits or gives up, so what has one is a leftover or still open.
    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        let age_ms = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let begun_before_ms = now_ms().saturating_sub(age_ms);
        let tidy = async {
            let mut change = self.writing.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM pieces WHERE writer IN (SELECT id FROM writers WHERE begun_ms <= ?)")
                .bind(begun_before_ms)
                .execute(&mut *change)
                .await?;
            let gone = sqlx::query("DELETE FROM writers WHERE begun_ms <= ?")
                .bind(begun_before_ms)
                .execute(&mut *change)
                .await?;
            change.commit().await?;
            Ok(gone.rows_affected())
        };
        tidy.await.map_err(|error| meaning(error).during("tidy store"))
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::default()
    }
}

impl SqliteStore {
    /// B4: a key that is not there counts as deleted.
    async fn delete_one(&self, key: &BlobKey) -> Result<()> {
        let delete = async {
            let mut change = self.writing.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM pieces WHERE writer = (SELECT writer FROM blobs WHERE key = ?)")
                .bind(key.as_str())
                .execute(&mut *change)
                .await?;
            sqlx::query("DELETE FROM blobs WHERE key = ?")
                .bind(key.as_str())
                .execute(&mut *change)
                .await?;
            change.commit().await
        };
        delete
            .await
            .map_err(|error| meaning(error).during("delete blob").on(key.to_string()))
    }

    /// B7: the blobs after a key; text is compared by its bytes, and so are keys.
    async fn page(&self, prefix: &str, after: &str) -> Result<Vec<ListedBlob>> {
        let rows = sqlx::query_as::<_, (String, i64)>(
            "SELECT key, len_bytes FROM blobs WHERE key > ?1 AND substr(key, 1, length(?2)) = ?2 \
             ORDER BY key LIMIT ?3",
        )
        .bind(after)
        .bind(prefix)
        .bind(PAGE_ROWS)
        .fetch_all(&self.reading)
        .await
        .map_err(|error| meaning(error).during("list blobs"))?;
        rows.into_iter()
            .map(|(key, len_bytes)| {
                Ok(ListedBlob {
                    key: key.parse()?,
                    len_bytes: len_bytes.unsigned_abs(),
                })
            })
            .collect()
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
