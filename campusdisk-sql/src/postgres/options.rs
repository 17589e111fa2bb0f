//! How a PostgreSQL database is used.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// How a PostgreSQL database is connected to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// How many connections write at most; more change sets wait. Default 16.
    pub writers: u32,
    /// How many connections read at most. Default 8.
    pub readers: u32,
    /// How long to wait for a free connection, or for a new one to be made. Default 5 s.
    pub acquire_timeout: Duration,
    /// How long one statement may take before the server cancels it. Default 30 s.
    pub statement_timeout: Duration,
    /// How long one statement may wait for a lock that another transaction holds. Default 10 s.
    pub lock_timeout: Duration,
    /// How often a change set or a query is tried when its transaction met another one or its connection broke. Default 6.
    pub tries: u32,
}

/// How much longer than the server's own limit an answer is waited for: then nobody is there to give one.
const ANSWER_SLACK: Duration = Duration::from_secs(5);

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            writers: 16,
            readers: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            tries: 6,
        }
    }
}

impl PostgresOptions {
    /// Sets the number of connections that write.
    #[must_use]
    pub fn with_writers(mut self, writers: u32) -> Self {
        self.writers = writers;
        self
    }

    /// Sets the number of connections that read.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers;
        self
    }

    /// Sets how long to wait for a connection.
    #[must_use]
    pub fn with_acquire_timeout(mut self, acquire_timeout: Duration) -> Self {
        self.acquire_timeout = acquire_timeout;
        self
    }

    /// Sets how long a statement may take.
    #[must_use]
    pub fn with_statement_timeout(mut self, statement_timeout: Duration) -> Self {
        self.statement_timeout = statement_timeout;
        self
    }

    /// Sets how long a statement may wait for a lock.
    #[must_use]
    pub fn with_lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// Sets how often something is tried; 1 tries nothing again.
    #[must_use]
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Has the server keep the limits of statements, and the isolation that they rely on, on every connection that is made with
    /// `connect`.
    pub(super) fn set_up(&self, connect: PgConnectOptions) -> PgConnectOptions {
        let statement = self.statement_timeout.as_millis();
        let limits = connect.options([
            ("statement_timeout", statement),
            ("lock_timeout", self.lock_timeout.as_millis()),
            // Who is gone without a word must not hold its locks for ever.
            ("idle_in_transaction_session_timeout", statement),
        ]);
        limits.options([
            // Row locks and the order of statements are what sets rely on, whatever the server has as its default: a read after a
            // lock must see what was committed while the lock was waited for.
            ("default_transaction_isolation", "read committed"),
        ])
    }

    /// How long an answer is waited for. The server's own limit is kept by the server, and does not help when that is gone.
    pub(super) fn answer_limit(&self) -> Duration {
        self.statement_timeout + ANSWER_SLACK
    }
}
