//! A SQLite file, opened once and shared by everything that keeps rows in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use campusdisk_core::{Error, Result};
use futures::future::BoxFuture;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::catalog::SqlCatalog;
use crate::database::Database;
use crate::failure::Outcome;
use crate::writer::{WriteStats, Writer};

/// How a SQLite file is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How many connections read at once. Default 4.
    pub readers: u32,
    /// How long to wait for a lock that another process holds, or for a free reader. Default 5 s.
    pub busy_timeout: Duration,
    /// How many change sets may wait for the writer; more have to wait to be queued. Default 1,024.
    pub queued_sets: usize,
    /// How many change sets one transaction takes at most. Default 256.
    pub batch_sets: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            queued_sets: 1024,
            batch_sets: 256,
        }
    }
}

impl SqliteOptions {
    /// Sets the number of readers.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers;
        self
    }

    /// Sets how long to wait for locks and readers.
    #[must_use]
    pub fn with_busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Sets how many change sets may wait.
    #[must_use]
    pub fn with_queued_sets(mut self, queued_sets: usize) -> Self {
        self.queued_sets = queued_sets;
        self
    }

    /// Sets how many change sets one transaction takes; 1 commits one by one.
    #[must_use]
    pub fn with_batch_sets(mut self, batch_sets: usize) -> Self {
        self.batch_sets = batch_sets;
        self
    }
}

/// An open SQLite file with its writer and its readers. Clones share them.
#[derive(Clone, Debug)]
pub struct SqliteDatabase(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: SqlitePool,
}

impl SqliteDatabase {
    /// Opens the file, making it and its tables where they are missing.
    ///
    /// # Errors
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable) when the file can't be opened or is locked,
    /// [`Corrupt`](campusdisk_core::ErrorKind::Corrupt) when it is no database or a damaged one,
    /// [`LimitExceeded`](campusdisk_core::ErrorKind::LimitExceeded) when its disk is full.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Opens the file with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = path.as_ref();
        let opened = Self::try_open(path, &options).await;
        opened.map_err(|failure| {
            Error::from(failure)
                .during("open database")
                .on(path.display().to_string())
        })
    }

    async fn try_open(path: &Path, options: &SqliteOptions) -> Outcome<Self> {
        make_private(path).await;
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(options.busy_timeout)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .statement_cache_capacity(256)
            .disable_statement_logging()
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", "-16384")
            // Each checkpoint syncs twice; 32 MiB of log keep that rare against the syncs of commits.
            .pragma("wal_autocheckpoint", "8192")
            .pragma("journal_size_limit", "67108864");
        let mut connection = connect.connect().await?;
        // Not `run`: with its `Acquire` no caller could prove that the future may move between threads.
        migrations().run_direct(None, &mut connection, false).await?;
        connection.close().await?;

        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(options.busy_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(connect.clone().pragma("query_only", "ON"));
        let writer = Writer::start(connect, options.queued_sets, options.batch_sets).await?;
        Ok(Self(Arc::new(Inner { writer, readers })))
    }

    /// The catalog in this file.
    pub fn catalog(&self) -> SqlCatalog {
        SqlCatalog::new(Database::Sqlite(self.clone()))
    }

    /// What the writer did since the file was opened.
    pub fn stats(&self) -> WriteStats {
        self.0.writer.stats()
    }

    /// Finishes the writes that are queued, then closes every connection. Later calls are answered with
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable).
    ///
    /// # Cancel safety
    /// When dropped, the writer still finishes what is queued and ends; nothing that was acknowledged is lost.
    pub async fn close(&self) {
        self.0.writer.close().await;
        // Boxed, or no caller could prove that the future may move between threads.
        let closed: BoxFuture<'_, ()> = Box::pin(self.0.readers.close());
        closed.await;
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.0.writer
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.0.readers
    }
}

/// Makes the file, where it is missing, for its owner's eyes only: it holds names of files and hashes of secrets.
///
/// SQLite gives its log the same rights. What goes wrong here goes wrong again, and is told, when SQLite opens the file.
async fn make_private(path: &Path) {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let _ = options.open(path).await;
}

fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!("./migrations/sqlite");
    // A host may keep its own tables, and its own migrations, in the same file.
    migrations.dangerous_set_table_name("campusdisk_migrations");
    migrations
}
