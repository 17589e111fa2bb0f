//! A PostgreSQL database, shared by several instances.

mod lent;
mod merged;
mod options;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use campusdisk_core::{Error, IdSource as _, RandomIds, Result};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

pub(crate) use self::lent::Lent;
use self::lent::Stage;
pub use self::options::PostgresOptions;
use crate::catalog::SqlCatalog;
use crate::database::{Answer, Database};
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Session, Sql};
use crate::writer::Work;

/// How long a connection may rest before it is asked whether it lives, instead of trusted.
const TRUSTED_REST: Duration = Duration::from_secs(1);
/// The longest pause before the second try; each later one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// A PostgreSQL database with its connections. Clones share them.
///
/// # What it promises
/// Each change set is a transaction of its own: one statement where that can be, else several between `BEGIN` and `COMMIT`. Its answer
/// comes after the server committed, so it is as durable as the server is set to make it (`fsync` and `synchronous_commit` are on
/// unless somebody turned them off). A server that restarts, a connection that breaks and transactions that meet are tried again,
/// [`tries`](PostgresOptions::tries) times in all; when the answer to a commit is lost, the set's id tells whether it was applied.
#[derive(Clone, Debug)]
pub struct PostgresDatabase(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Apart, so that no read waits for writers that wait for each other.
    writers: PgPool,
    readers: PgPool,
    options: PostgresOptions,
    last_loss: LastLoss,
}

/// When a connection last turned out to be gone: the older ones may be gone too.
#[derive(Clone, Debug, Default)]
struct LastLoss(Arc<Mutex<Option<Instant>>>);

impl PostgresDatabase {
    /// Connects to the database at `url` (`postgres://user:password@host:port/name`), making its tables where they are missing.
    ///
    /// Its tables are made in the schema that comes first on the user's search path. A pooler between must keep sessions
    /// together: prepared statements and settings belong to a connection.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) when `url` is no such address,
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable) when the database can't be reached, is not there, or refuses the user.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self> {
        let own = ["postgres://", "postgresql://"];
        let parsed = own
            .iter()
            .any(|scheme| url.starts_with(scheme))
            .then(|| url.parse());
        let Some(Ok::<PgConnectOptions, _>(connect)) = parsed else {
            // Without the cause: it may repeat the address, and the address holds a password.
            return Err(Error::invalid(
                "url",
                "is no address like postgres://user:password@host:port/name",
            ));
        };
        let place = format!("{}:{}", connect.get_host(), connect.get_port());
        let opened = Self::try_connect(connect.disable_statement_logging(), options).await;
        opened.map_err(|failure| Error::from(failure).during("connect to database").on(place))
    }

    async fn try_connect(connect: PgConnectOptions, options: PostgresOptions) -> Outcome<Self> {
        // Without the limits of statements: a migration may have much to do.
        let connecting = tokio::time::timeout(options.acquire_timeout, connect.connect());
        let mut connection = connecting.await.map_err(|_| Failure::silent())??;
        // Not `run`: with its `Acquire` no caller could prove that the future may move between threads.
        migrations().run_direct(None, &mut connection, false).await?;
        connection.close().await?;
        let connect = options.set_up(connect).statement_cache_capacity(512);
        let last_loss = LastLoss::default();
        let pool = |connections| {
            last_loss
                .watched(PgPoolOptions::new())
                .max_connections(connections)
                .acquire_timeout(options.acquire_timeout)
                .connect_lazy_with(connect.clone())
        };
        Ok(Self(Arc::new(Inner {
            writers: pool(options.writers.max(1)),
            readers: pool(options.readers.max(1)),
            options,
            last_loss,
        })))
    }

    /// The catalog in this database.
    pub fn catalog(&self) -> SqlCatalog {
        SqlCatalog::new(Database::Postgres(self.clone()))
    }

    /// Closes the connections once they are free.
    pub async fn close(&self) {
        for pool in [&self.0.writers, &self.0.readers] {
            // Boxed, or no caller could prove that the future may move between threads.
            let closed: BoxFuture<'_, ()> = Box::pin(pool.close());
            closed.await;
        }
    }

    /// Reads rows by one query.
    pub(crate) async fn rows(&self, sql: &Sql, args: &Args) -> Result<Vec<PgRow>> {
        let mut tries = 1;
        loop {
            match self.try_rows(sql, args).await {
                Err(failure) => self.pause_before_next(&mut tries, failure).await?,
                Ok(rows) => return Ok(rows),
            }
        }
    }

    async fn try_rows(&self, sql: &Sql, args: &Args) -> Outcome<Vec<PgRow>> {
        let mut lent = self.lend(&self.0.readers).await?;
        let query = sqlx::query_with(AssertSqlSafe(sql.clone()), args.clone().for_postgres()?);
        let rows = lent.read(query).await?;
        lent.give_back();
        Ok(rows)
    }

    /// Does work in a transaction of its own, again where that may help. Dropped before its end, the transaction rolls back, unless its
    /// commit is under way.
    pub(crate) async fn write<T: Answer>(&self, work: Work<T>) -> Result<T> {
        let mut unanswered = None;
        let mut tries = 1;
        loop {
            match self.try_write(&work, &mut unanswered).await {
                // Done before: by the transaction whose commit got no answer, where there was one.
                Ok(answer) if answer.is_replay() => return Ok(unanswered.unwrap_or(answer)),
                Ok(answer) => return Ok(answer),
                Err(failure) => self.pause_before_next(&mut tries, failure).await?,
            }
        }
    }

    /// Does work in one transaction. What it would have answered is in `unanswered` when nobody knows whether it is committed.
    async fn try_write<T: Answer>(&self, work: &Work<T>, unanswered: &mut Option<T>) -> Outcome<T> {
        let mut session = Session::Postgres(self.lend(&self.0.writers).await?);
        let worked = work(&mut session).await;
        let Session::Postgres(mut lent) = session else {
            return worked;
        };
        match worked {
            Ok(answer) => match lent.commit().await {
                Ok(()) => {
                    lent.give_back();
                    Ok(answer)
                }
                Err(failure) => {
                    if !answer.is_replay() {
                        *unanswered = Some(answer);
                    }
                    Err(failure)
                }
            },
            Err(failure) => {
                if lent.stage() == Stage::Committing {
                    *unanswered = Some(T::of_one_statement());
                }
                // Anything else is rolled back too, as its connection is dropped.
                let stands = matches!(failure, Failure::Refused(_) | Failure::Clashed(_));
                if stands && lent.roll_back().await.is_ok() {
                    lent.give_back();
                }
                Err(failure)
            }
        }
    }

    async fn lend(&self, pool: &PgPool) -> Outcome<Lent> {
        Ok(Lent::new(pool.acquire().await?, self.0.options.answer_limit()))
    }

    /// Waits before the next try of what may succeed then.
    ///
    /// # Errors
    /// The failure, when another try would not help or there were enough.
    async fn pause_before_next(&self, tries: &mut u32, failure: Failure) -> Result<()> {
        if let Failure::Lost(_) = failure {
            self.0.last_loss.note();
        }
        let (Failure::Clashed(error) | Failure::Lost(error)) = failure else {
            return Err(failure.into());
        };
        if *tries >= self.0.options.tries {
            return Err(error);
        }
        tracing::debug!(%error, tries, "a transaction is tried again");
        // At random, so that those who met do not meet again.
        let most = FIRST_PAUSE * (1 << (*tries - 1).min(6));
        let share = RandomIds.random() % 1000;
        tokio::time::sleep(most * u32::try_from(share).unwrap_or_default() / 1000).await;
        *tries += 1;
        Ok(())
    }
}

impl LastLoss {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_after(&self, born: Option<Instant>) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| born.is_none_or(|born| born < last))
    }

    /// Has connections asked whether they live, before they are lent, when there is reason to doubt it. Asking always would cost
    /// each transaction another round trip.
    fn watched(&self, options: PgPoolOptions) -> PgPoolOptions {
        let last_loss = self.clone();
        options
            .test_before_acquire(false)
            .before_acquire(move |connection, about| {
                let born = Instant::now().checked_sub(about.age);
                let doubted = about.idle_for > TRUSTED_REST || last_loss.is_after(born);
                Box::pin(async move {
                    if doubted {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
    }
}

fn migrations() -> sqlx::migrate::Migrator {
    let mut migrations = sqlx::migrate!("./migrations/postgres");
    // A host may keep its own tables, and its own migrations, in the same database.
    migrations.dangerous_set_table_name("campusdisk_migrations");
    migrations
}
