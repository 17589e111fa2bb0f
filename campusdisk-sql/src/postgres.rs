//! A PostgreSQL database, shared by several instances.

use std::sync::Arc;
use std::time::Duration;

use campusdisk_core::{Error, Result};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::catalog::SqlCatalog;
use crate::database::Database;
use crate::failure::Outcome;
use crate::session::Session;
use crate::writer::Work;

/// How a PostgreSQL database is connected to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// How many connections are open at most. Default 16.
    pub connections: u32,
    /// How long to wait for a free connection. Default 5 s.
    pub acquire_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            acquire_timeout: Duration::from_secs(5),
        }
    }
}

impl PostgresOptions {
    /// Sets the number of connections.
    #[must_use]
    pub fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// Sets how long to wait for a connection.
    #[must_use]
    pub fn with_acquire_timeout(mut self, acquire_timeout: Duration) -> Self {
        self.acquire_timeout = acquire_timeout;
        self
    }
}

/// A PostgreSQL database with its connections. Clones share them.
#[derive(Clone, Debug)]
pub struct PostgresDatabase(Arc<PgPool>);

impl PostgresDatabase {
    /// Connects to the database at `url` (`postgres://user:password@host:port/name`), making its tables where they are missing.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) when `url` is no such address,
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable) when the database can't be reached.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self> {
        let connect: PgConnectOptions = url.parse().map_err(|_| {
            // The cause may repeat the address, and the address holds a password.
            Error::invalid(
                "url",
                "is no address like postgres://user:password@host:port/name",
            )
        })?;
        let opened = Self::try_connect(connect.disable_statement_logging(), &options).await;
        opened.map_err(|failure| Error::from(failure).during("connect to database"))
    }

    async fn try_connect(connect: PgConnectOptions, options: &PostgresOptions) -> Outcome<Self> {
        let mut connection = connect.connect().await?;
        // Not `run`: with its `Acquire` no caller could prove that the future may move between threads.
        migrations().run_direct(None, &mut connection, false).await?;
        connection.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connect.statement_cache_capacity(512));
        Ok(Self(Arc::new(pool)))
    }

    /// The catalog in this database.
    pub fn catalog(&self) -> SqlCatalog {
        SqlCatalog::new(Database::Postgres(self.clone()))
    }

    /// Closes the connections once they are free.
    pub async fn close(&self) {
        // Boxed, or no caller could prove that the future may move between threads.
        let closed: BoxFuture<'_, ()> = Box::pin(self.0.close());
        closed.await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0
    }

    /// Does work in a transaction of its own. Dropped before its end, the transaction rolls back.
    pub(crate) async fn write<T>(&self, work: Work<T>) -> Result<T> {
        Ok(self.try_write(work).await?)
    }

    async fn try_write<T>(&self, work: Work<T>) -> Outcome<T> {
        let mut session = Session::Postgres(self.0.begin().await?);
        let worked = work(&mut session).await;
        if let Session::Postgres(transaction) = session {
            match worked {
                Ok(_) => transaction.commit().await?,
                Err(_) => transaction.rollback().await?,
            }
        }
        worked
    }
}

fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!("./migrations/postgres");
    // A host may keep its own tables, and its own migrations, in the same database.
    migrations.dangerous_set_table_name("campusdisk_migrations");
    migrations
}
