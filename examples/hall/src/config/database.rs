//! The database: SQLite in the data folder, or a PostgreSQL server.

use std::path::PathBuf;
use std::time::Duration;

use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqliteDatabase, SqliteOptions};
use serde::{Deserialize, Serialize};

use super::Config;
use super::store::SecretText;
use crate::failure::{Failure, Outcome};
use crate::parts::Database;

/// Where catalog and accounts are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseSettings {
    pub(crate) path: PathBuf,
    /// An address with a user and perhaps a password.
    pub(crate) postgres_url: Option<SecretText>,
    pub(crate) readers: u32,
    pub(crate) writers: u32,
    pub(crate) busy_timeout_ms: u64,
    pub(crate) statement_timeout_ms: u64,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("campusdisk.db"),
            postgres_url: None,
            readers: 4,
            writers: 16,
            busy_timeout_ms: 5000,
            statement_timeout_ms: 30_000,
        }
    }
}

impl DatabaseSettings {
    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self.postgres_url {
            Some(_) => "postgres",
            None => "sqlite",
        }
    }

    /// Opens the database, making its tables where they are missing.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub(crate) async fn open(&self, config: &Config) -> Outcome<Database> {
        let busy = Duration::from_millis(self.busy_timeout_ms);
        let Some(SecretText(url)) = &self.postgres_url else {
            let options = SqliteOptions::default()
                .with_readers(self.readers)
                .with_busy_timeout(busy);
            let opened = SqliteDatabase::open_with(config.below_data(&self.path), options).await;
            return Ok(Database::Sqlite(opened?));
        };
        let options = PostgresOptions::default()
            .with_readers(self.readers)
            .with_writers(self.writers)
            .with_acquire_timeout(busy)
            .with_lock_timeout(busy)
            .with_statement_timeout(Duration::from_millis(self.statement_timeout_ms));
        let opened = PostgresDatabase::connect(url, options).await;
        let opened = opened.map_err(|error| Failure::from(error).during("database.postgres_url"))?;
        Ok(Database::Postgres(opened))
    }

    pub(super) fn check(&self) -> Outcome {
        for (key, value) in [
            ("busy_timeout_ms", self.busy_timeout_ms),
            ("statement_timeout_ms", self.statement_timeout_ms),
        ] {
            // PostgreSQL takes none for no limit at all, and keeps limits in 31 bits.
            if self.postgres_url.is_some() && !(1..=i32::MAX.unsigned_abs().into()).contains(&value) {
                return Err(Failure::new(format!("database.{key} is 1 to {}", i32::MAX)));
            }
        }
        Ok(())
    }
}
