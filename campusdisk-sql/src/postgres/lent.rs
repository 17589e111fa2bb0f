//! A connection out of the pool.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::{BEGIN, merged};
use crate::failure::{Failure, Outcome};
use crate::session::Call;

/// A connection that is used by one task. Unless it was given back it is closed when dropped, which also ends its transaction:
/// after a failure, or in the middle of a statement, its state is not worth guessing.
#[derive(Debug)]
pub(crate) struct Lent {
    connection: PoolConnection<Postgres>,
    answer_limit: Duration,
    is_clean: bool,
}

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>, answer_limit: Duration) -> Self {
        Self {
            connection,
            answer_limit,
            is_clean: false,
        }
    }

    /// Runs fixed statements without values.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Outcome<()> {
        let limit = self.answer_limit;
        let connection: &mut PgConnection = &mut self.connection;
        in_time(limit, connection.execute(AssertSqlSafe(sql))).await?;
        Ok(())
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query<'_, Postgres, PgArguments>) -> Outcome<u64> {
        let limit = self.answer_limit;
        let done = in_time(limit, query.execute(&mut *self.connection)).await?;
        Ok(done.rows_affected())
    }

    /// Runs a statement and returns its rows.
    pub(crate) async fn rows(&mut self, query: Query<'_, Postgres, PgArguments>) -> Outcome<Vec<PgRow>> {
        in_time(self.answer_limit, query.fetch_all(&mut *self.connection)).await
    }

    /// Runs statements in few calls, and says for each how many rows it read or changed.
    pub(crate) async fn run_many(&mut self, statements: &[Call<'_>]) -> Outcome<Vec<u64>> {
        let mut ran = Vec::with_capacity(statements.len());
        for calls in merged::calls(statements) {
            let (sql, args) = merged::merged(calls);
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

    /// Rolls the transaction back and begins another one.
    pub(crate) async fn begin_again(&mut self) -> Outcome<()> {
        self.run("ROLLBACK").await?;
        self.run(BEGIN).await
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
