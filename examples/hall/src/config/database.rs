//! The database: SQLite in the data folder, or a PostgreSQL server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqliteDatabase, SqliteOptions};
use serde::{Deserialize, Serialize};

use super::Config;
use super::store::SecretText;
use crate::failure::{Failure, Outcome};
use crate::parts::Database;

/// Whoever started a hall should hear within a day that its database does not come.
const LONGEST_WAIT_SECONDS: u64 = 24 * 60 * 60;

/// Pause between two tries to open a database that is waited for.
const WAIT_PAUSE: Duration = Duration::from_secs(1);

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
    pub(crate) wait_seconds: u64,
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
            wait_seconds: 30,
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
        self.explained(self.try_open(config).await)
    }

    /// As [`open`](Self::open), but a server that can't be used yet is waited for, as long as the settings say: it may start at
    /// the same time, and its database may be made by somebody else meanwhile.
    ///
    /// # Errors
    /// Why it can't be opened.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn open_once_there(&self, config: &Config) -> Outcome<Database> {
        let until = Instant::now() + Duration::from_secs(self.wait_seconds);
        loop {
            let opened = self.try_open(config).await;
            let waits = self.postgres_url.is_some() && Instant::now() + WAIT_PAUSE < until;
            match opened {
                Err(error) if waits && error.is_retryable() => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        wait_seconds = self.wait_seconds,
                        "the database can't be used yet and is waited for (database.wait_seconds)"
                    );
                    // Nothing tells when it is there.
                    tokio::time::sleep(WAIT_PAUSE).await;
                }
                opened => return self.explained(opened),
            }
        }
    }

    fn explained(&self, opened: campusdisk_core::Result<Database>) -> Outcome<Database> {
        opened.map_err(|error| match self.postgres_url {
            Some(_) => Failure::from(error).during("database.postgres_url"),
            None => error.into(),
        })
    }

    async fn try_open(&self, config: &Config) -> campusdisk_core::Result<Database> {
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
        Ok(Database::Postgres(PostgresDatabase::connect(url, options).await?))
    }

    pub(super) fn check(&self) -> Outcome {
        if self.wait_seconds > LONGEST_WAIT_SECONDS {
            return Err(Failure::new(format!(
                "database.wait_seconds is at most {LONGEST_WAIT_SECONDS}"
            )));
        }
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
