//! The CampusDisk catalog on SQLite and PostgreSQL.
//!
//! On SQLite one file holds everything. It is written by one task that commits many change sets in one transaction, so that the
//! price of a durable write is shared, and read by several connections that never wait for it.
//!
//! # Example: a catalog in a file
//! ```
//! # #[tokio::main] async fn main() -> campusdisk_core::Result<()> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let path = folder.path().join("campusdisk.db");
//! use campusdisk_core::catalog::Ledger;
//! use campusdisk_sql::SqliteDatabase;
//!
//! let database = SqliteDatabase::open(&path).await?;
//! let catalog = database.catalog();
//! assert_eq!(catalog.setting("installation").await?, None);
//! database.close().await;
//! # Ok(()) }
//! ```
//!
//! # What it promises
//! Write-ahead log with `synchronous = FULL`: what was answered with `Ok` survives kill -9 and, where the disk keeps what it
//! has synced, loss of power. The file must lie on a local disk. Other processes, such as a command beside a server, may open it
//! too: each waits for the transaction of the other, at most `busy_timeout`.
//!
//! On a PostgreSQL server, which several instances share, each change set is a transaction of its own; see [`PostgresDatabase`].

#[cfg(feature = "accounts")]
mod accounts;
mod catalog;
mod database;
mod failure;
mod postgres;
mod session;
mod sqlite;
mod writer;

#[cfg(feature = "accounts")]
pub use self::accounts::SqlAccountStore;
pub use self::catalog::SqlCatalog;
pub use self::postgres::{PostgresDatabase, PostgresOptions};
pub use self::sqlite::{SqliteDatabase, SqliteOptions};
pub use self::writer::WriteStats;
