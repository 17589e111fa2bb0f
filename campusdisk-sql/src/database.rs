//! A database of either kind, as the stores on it see it: reads from a pool, and work in transactions.

use campusdisk_core::Result;
use sqlx::AssertSqlSafe;

use crate::failure::Failure;
use crate::postgres::PostgresDatabase;
use crate::session::{Args, Row, Sql};
use crate::sqlite::SqliteDatabase;
use crate::writer::Work;

/// Where rows are kept.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

/// Remembers the id of a set in the transaction that applies it: `$1` id, `$2` time. No row is changed when it is there.
pub(crate) const RECORD_SET: &str =
    "INSERT INTO applied_sets (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";

/// What work in a transaction came to.
pub(crate) trait Answer: Send + 'static {
    /// Whether the work had been done before, by its id, and this time nothing was.
    fn is_replay(&self) -> bool;

    /// The answer of work that one statement did as a whole, known before it is run.
    fn of_one_statement() -> Self;
}

/// What the two databases write differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Reads rows by one query, without waiting for writers.
    pub(crate) async fn rows(&self, sql: impl Into<Sql>, args: Args) -> Result<Vec<Row>> {
        let sql = sql.into();
        #[cfg(test)]
        crate::catalog::query_plans::note(&sql);
        match self {
            Self::Sqlite(database) => {
                let query = sqlx::query_with(AssertSqlSafe(sql), args.for_sqlite()?);
                let rows = query.fetch_all(database.readers()).await;
                let rows = rows.map_err(Failure::from)?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(database) => {
                let rows = database.rows(&sql, &args).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Does work in a transaction and answers after its commit.
    ///
    /// # Cancel safety
    /// When dropped, the work is done whole or not at all.
    pub(crate) async fn write<T: Answer>(&self, work: Work<T>) -> Result<T> {
        match self {
            Self::Sqlite(database) => database.writer().write(work).await,
            Self::Postgres(database) => database.write(work).await,
        }
    }
}

impl Dialect {
    /// Makes a query walk the index its order asks for. PostgreSQL finds it by its statistics; SQLite has none and may sort.
    pub(crate) fn by_index(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {index}"),
            Self::Postgres => String::new(),
        }
    }

    /// Whether the bytes of the placeholder `part` occur in the bytes of `whole`, as a condition.
    pub(crate) fn contains(self, whole: &str, part: &str) -> String {
        match self {
            Self::Sqlite => format!("instr({whole}, {part}) > 0"),
            Self::Postgres => format!("position({part} in {whole}) > 0"),
        }
    }

    /// The bytes of a name key before its zero: the name in lower case.
    pub(crate) fn folded(self, key: &str) -> String {
        match self {
            Self::Sqlite => format!("substr({key}, 1, instr({key}, x'00') - 1)"),
            Self::Postgres => {
                format!(r"substring({key} from 1 for position('\x00'::bytea in {key}) - 1)")
            }
        }
    }
}
