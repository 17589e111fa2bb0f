//! A connection out of the pool.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::merged;
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Call, Whole};

/// A connection that is used by one task. Unless it was given back it is closed when dropped, which also ends its transaction:
/// after a failure, or in the middle of a statement, its state is not worth guessing.
#[derive(Debug)]
pub(crate) struct Lent {
    connection: PoolConnection<Postgres>,
    answer_limit: Duration,
    stage: Stage,
    is_clean: bool,
}

/// What is under way on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing: a transaction begins with the first statement that needs one.
    Idle,
    /// A transaction that was begun.
    Begun,
    /// The end of a transaction: of one that was begun, or of a statement that is one by itself. Without an answer nobody knows
    /// whether it is committed.
    Committing,
}

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>, answer_limit: Duration) -> Self {
        Self {
            connection,
            answer_limit,
            stage: Stage::Idle,
            is_clean: false,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Runs a query by itself and returns its rows.
    pub(super) async fn read(&mut self, query: Query<'_, Postgres, PgArguments>) -> Outcome<Vec<PgRow>> {
        // All rows are taken: the server commits after it sent them, and only then says that it is ready again.
        in_time(self.answer_limit, query.fetch_all(&mut *self.connection)).await
    }

    /// Runs a statement in the transaction and says how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query<'_, Postgres, PgArguments>) -> Outcome<u64> {
        self.begin().await?;
        let limit = self.answer_limit;
        let done = in_time(limit, query.execute(&mut *self.connection)).await?;
        Ok(done.rows_affected())
    }

    /// Runs a statement in the transaction and returns its rows.
    pub(crate) async fn rows(&mut self, query: Query<'_, Postgres, PgArguments>) -> Outcome<Vec<PgRow>> {
        self.begin().await?;
        self.read(query).await
    }

    /// Runs statements in few calls, and says for each how many rows it read or changed.
    pub(crate) async fn run_many(&mut self, statements: &[Call<'_>]) -> Outcome<Vec<u64>> {
        let mut ran = Vec::with_capacity(statements.len());
        for calls in merged::calls(statements) {
            let (sql, args) = merged::counted(calls);
            let query = sqlx::query_with(AssertSqlSafe(sql), args.for_postgres()?);
            for row in self.rows(query).await? {
                for column in 0..calls.len() {
                    let count: i64 = row.try_get(column)?;
                    ran.push(count.unsigned_abs());
                }
            }
        }
        Ok(ran)
    }

    /// Runs statements that fit one call as one statement, which is a transaction of its own.
    pub(crate) async fn run_whole(&mut self, statements: &[Call<'_>]) -> Outcome<Whole> {
        let calls = merged::calls(statements);
        let (Stage::Idle, [calls]) = (self.stage, calls.as_slice()) else {
            return Ok(Whole::NotOne);
        };
        match self.run_alone(merged::all_or_nothing(calls)).await {
            Ok(()) => Ok(Whole::Done),
            Err(Failure::Refused(_)) => Ok(Whole::Undone),
            Err(failure) => Err(failure),
        }
    }

    /// Runs a statement that commits itself.
    async fn run_alone(&mut self, (sql, args): (String, Args)) -> Outcome<()> {
        let query = sqlx::query_with(AssertSqlSafe(sql), args.for_postgres()?);
        self.stage = Stage::Committing;
        let answer = self.read(query).await;
        if !matches!(answer, Err(Failure::Lost(_))) {
            self.stage = Stage::Idle;
        }
        answer.map(drop)
    }

    /// Commits what was begun, if anything was.
    pub(super) async fn commit(&mut self) -> Outcome<()> {
        if self.stage == Stage::Idle {
            return Ok(());
        }
        self.stage = Stage::Committing;
        self.run("COMMIT").await?;
        self.stage = Stage::Idle;
        Ok(())
    }

    /// Undoes what was begun, if anything was.
    pub(crate) async fn roll_back(&mut self) -> Outcome<()> {
        if self.stage == Stage::Idle {
            return Ok(());
        }
        self.run("ROLLBACK").await?;
        self.stage = Stage::Idle;
        Ok(())
    }

    /// Begins a transaction, unless it is begun.
    async fn begin(&mut self) -> Outcome<()> {
        if self.stage == Stage::Idle {
            self.run("BEGIN").await?;
            self.stage = Stage::Begun;
        }
        Ok(())
    }

    /// Runs a fixed statement without values.
    async fn run(&mut self, sql: &'static str) -> Outcome<()> {
        let limit = self.answer_limit;
        let connection: &mut PgConnection = &mut self.connection;
        in_time(limit, connection.execute(AssertSqlSafe(sql))).await?;
        Ok(())
    }

    /// Gives the connection back: nothing is open on it.
    pub(super) fn give_back(mut self) {
        self.is_clean = true;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_clean {
            self.connection.close_on_drop();
        }
    }
}

async fn in_time<T>(limit: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> Outcome<T> {
    let answer = tokio::time::timeout(limit, answer).await;
    Ok(answer.map_err(|_| Failure::silent())??)
}
