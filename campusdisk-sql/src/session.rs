//! One connection of either database, behind the few calls that the statements need.

use campusdisk_core::{Error, ErrorKind, Timestamp};
use futures::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Executor as _, Row as _};

use crate::failure::{Failure, Outcome};
use crate::postgres::Lent;

/// The text of a statement: fixed, or put together from fixed parts. Values never are part of it.
pub(crate) type Sql = std::borrow::Cow<'static, str>;

/// A connection on which work is done in one transaction.
#[derive(Debug)]
pub(crate) enum Session {
    Sqlite(SqliteConnection),
    Postgres(Lent),
}

impl Session {
    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: impl Into<Sql>, args: Args) -> Outcome<u64> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(sql, args.for_sqlite()?);
                query.execute(connection).await?.rows_affected()
            }
            Self::Postgres(lent) => {
                let query = sqlx::query_with(sql, args.for_postgres()?);
                lent.execute(query).await?
            }
        })
    }

    /// Runs a statement and returns its rows.
    pub(crate) async fn rows(&mut self, sql: impl Into<Sql>, args: Args) -> Outcome<Vec<Row>> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(sql, args.for_sqlite()?);
                let rows = query.fetch_all(connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(lent) => {
                let query = sqlx::query_with(sql, args.for_postgres()?);
                let rows = lent.rows(query).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a statement that returns at most one row.
    pub(crate) async fn row(&mut self, sql: impl Into<Sql>, args: Args) -> Outcome<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Runs statements in few calls, and says for each how many rows it read or changed. After one that fails no other is
    /// run, and its failure is the answer.
    pub(crate) async fn run_many(&mut self, statements: &[Call<'_>]) -> Outcome<Vec<u64>> {
        let connection = match self {
            Self::Sqlite(connection) => connection,
            Self::Postgres(lent) => return lent.run_many(statements).await,
        };
        let mut ran = Vec::with_capacity(statements.len());
        for some in statements.chunks(STATEMENTS_AT_ONCE) {
            let mut sql = String::with_capacity(some.len() * 200);
            let mut all = Args::new();
            for call in some {
                renumber(call.sql, all.len(), &mut sql);
                sql.push_str("; ");
                all.append(call.args);
            }
            let query = sqlx::query_with(AssertSqlSafe(sql), all.for_sqlite()?);
            let mut answers = connection.fetch_many(query);
            let mut locks = some.iter().map(|call| call.lock);
            let mut read = 0;
            while let Some(answer) = answers.try_next().await? {
                match answer {
                    Either::Right(_) => read += 1,
                    Either::Left(result) => {
                        let read = std::mem::take(&mut read);
                        ran.push(match locks.next().flatten() {
                            Some(_) => read,
                            None => result.rows_affected(),
                        });
                    }
                }
            }
        }
        Ok(ran)
    }

    /// Runs statements as one that is a transaction of its own, where the database can and they fit.
    pub(crate) async fn run_whole(&mut self, statements: &[Call<'_>]) -> Outcome<Whole> {
        match self {
            Self::Sqlite(_) => Ok(Whole::NotOne),
            Self::Postgres(lent) => lent.run_whole(statements).await,
        }
    }

    /// Undoes what was done since the work began.
    pub(crate) async fn undo(&mut self) -> Outcome<()> {
        match self {
            Self::Sqlite(_) => self.execute(UNDO, Args::new()).await.map(drop),
            Self::Postgres(lent) => lent.roll_back().await,
        }
    }

    /// `sql`, keeping the rows it reads as they are until the transaction ends. SQLite has one writer: nothing to lock.
    pub(crate) fn locking(&self, sql: impl Into<Sql>, lock: Lock) -> Sql {
        match self {
            Self::Sqlite(_) => sql.into(),
            Self::Postgres(_) => format!("{}{}", sql.into(), lock.clause()).into(),
        }
    }
}

/// Whom the lock of a row keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Everybody else who locks or changes it.
    Alone,
    /// Who changes it, but not others who only rely on it.
    Shared,
}

impl Lock {
    /// The end of a statement that locks the rows it reads.
    pub(crate) fn clause(self) -> &'static str {
        match self {
            Self::Alone => " FOR UPDATE",
            Self::Shared => " FOR SHARE",
        }
    }
}

/// Marks where the work of one set begins, or marks it again for the next set.
pub(crate) const MARK: &str = "SAVEPOINT work";
pub(crate) const MARK_AGAIN: &str = "RELEASE work; SAVEPOINT work";
pub(crate) const UNDO: &str = "ROLLBACK TO work";

/// How many statements one call takes: more would fill the cache of prepared statements with rare texts.
const STATEMENTS_AT_ONCE: usize = 32;

/// A statement that may run together with others.
#[derive(Clone, Copy)]
pub(crate) struct Call<'s> {
    pub(crate) sql: &'static str,
    pub(crate) args: &'s Args,
    /// How the rows it reads are locked; without, it changes rows.
    pub(crate) lock: Option<Lock>,
    pub(crate) wants: Rows,
    pub(crate) touches: Touches,
}

/// How many rows a statement has to read or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Any,
    Exactly(u64),
    /// No number would do.
    Impossible,
}

impl Rows {
    pub(crate) fn are(self, rows: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(count) => rows == count,
            Self::Impossible => false,
        }
    }
}

/// What became of statements that were to be one transaction by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// Each came to what it wants, and all are committed.
    Done,
    /// One did not, and nothing is changed.
    Undone,
    /// They can't be one statement here, and were not run.
    NotOne,
}

/// The tables that a statement looks into and changes; empty for none. A row that goes takes those that refer to it along, and nothing
/// else sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touches {
    pub(crate) reads: &'static str,
    pub(crate) writes: &'static str,
}

impl Touches {
    pub(crate) fn reads(table: &'static str) -> Self {
        Self {
            reads: table,
            writes: "",
        }
    }

    /// Of a statement that looks for the rows it changes.
    pub(crate) fn writes(table: &'static str) -> Self {
        Self {
            reads: table,
            writes: table,
        }
    }

    /// Of a statement that adds rows and looks at none. Keys that are taken fail it whatever it sees, and those of rows that the same
    /// transaction deletes are free.
    pub(crate) fn inserts(table: &'static str) -> Self {
        Self {
            reads: "",
            writes: table,
        }
    }

    /// Whether what `before` changes may show in what this does.
    pub(crate) fn sees(self, before: Self) -> bool {
        !before.writes.is_empty() && self.reads == before.writes
    }
}

/// Appends a statement with its placeholders counted on from `before`.
pub(crate) fn renumber(statement: &str, before: usize, sql: &mut String) {
    let mut parts = statement.split('$');
    sql.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.find(|character: char| !character.is_ascii_digit());
        let (number, rest) = part.split_at(digits.unwrap_or(part.len()));
        sql.push('$');
        match number.parse::<usize>() {
            Ok(number) => sql.push_str(&(before + number).to_string()),
            Err(_) => sql.push_str(number),
        }
        sql.push_str(rest);
    }
}

#[derive(Clone)]
enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

/// What the placeholders `$1`, `$2`, … of a statement stand for.
#[derive(Clone, Default)]
pub(crate) struct Args {
    values: Vec<Value>,
    too_large: bool,
}

impl Args {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many there are: the number of the last placeholder.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn append(&mut self, other: &Self) {
        self.values.extend_from_slice(&other.values);
        self.too_large |= other.too_large;
    }

    pub(crate) fn push_int(&mut self, value: Option<i64>) {
        self.values.push(Value::Int(value));
    }

    pub(crate) fn push_count(&mut self, value: Option<u64>) {
        let small = value.map(i64::try_from);
        self.too_large |= matches!(small, Some(Err(_)));
        self.push_int(small.and_then(Result::ok));
    }

    /// A number to be compared with: one that is too large for a column becomes one that is in none.
    pub(crate) fn push_sought(&mut self, value: u64) {
        self.push_int(Some(i64::try_from(value).unwrap_or(-1)));
    }

    pub(crate) fn push_text(&mut self, value: Option<&str>) {
        self.values.push(Value::Text(value.map(str::to_owned)));
    }

    pub(crate) fn push_blob(&mut self, value: Option<&[u8]>) {
        self.values.push(Value::Blob(value.map(<[u8]>::to_vec)));
    }

    pub(crate) fn push_id(&mut self, value: Option<u128>) {
        // Big-endian bytes sort as the numbers do.
        self.push_blob(value.map(u128::to_be_bytes).as_ref().map(<[u8; 16]>::as_slice));
    }

    pub(crate) fn int(mut self, value: i64) -> Self {
        self.push_int(Some(value));
        self
    }

    pub(crate) fn time(self, value: Timestamp) -> Self {
        self.int(value.as_millis())
    }

    pub(crate) fn opt_time(mut self, value: Option<Timestamp>) -> Self {
        self.push_int(value.map(Timestamp::as_millis));
        self
    }

    pub(crate) fn count(mut self, value: u64) -> Self {
        self.push_count(Some(value));
        self
    }

    pub(crate) fn sought(mut self, value: u64) -> Self {
        self.push_sought(value);
        self
    }

    pub(crate) fn opt_count(mut self, value: Option<u64>) -> Self {
        self.push_count(value);
        self
    }

    pub(crate) fn text(mut self, value: &str) -> Self {
        self.push_text(Some(value));
        self
    }

    pub(crate) fn opt_text(mut self, value: Option<&str>) -> Self {
        self.push_text(value);
        self
    }

    pub(crate) fn blob(mut self, value: &[u8]) -> Self {
        self.push_blob(Some(value));
        self
    }

    pub(crate) fn opt_blob(mut self, value: Option<&[u8]>) -> Self {
        self.push_blob(value);
        self
    }

    pub(crate) fn id(mut self, value: u128) -> Self {
        self.push_id(Some(value));
        self
    }

    pub(crate) fn opt_id(mut self, value: Option<u128>) -> Self {
        self.push_id(value);
        self
    }

    fn check(&self) -> Outcome<()> {
        if self.too_large {
            let message = "a number is above the largest one a catalog keeps, 2^63 - 1";
            return Err(Failure::refused(ErrorKind::InvalidInput, message));
        }
        Ok(())
    }

    pub(crate) fn for_sqlite(self) -> Outcome<SqliteArguments> {
        self.check()?;
        let mut args = SqliteArguments::default();
        for value in self.values {
            match value {
                Value::Int(value) => args.add(value),
                Value::Text(value) => args.add(value),
                Value::Blob(value) => args.add(value),
            }
            .map_err(unencodable)?;
        }
        Ok(args)
    }

    pub(crate) fn for_postgres(self) -> Outcome<PgArguments> {
        self.check()?;
        let mut args = PgArguments::default();
        for value in self.values {
            match value {
                Value::Int(value) => args.add(value),
                Value::Text(value) => args.add(value),
                Value::Blob(value) => args.add(value),
            }
            .map_err(unencodable)?;
        }
        Ok(args)
    }
}

fn unencodable(cause: sqlx::error::BoxDynError) -> Failure {
    let error = Error::new(ErrorKind::Internal, "a value can't be sent to the database");
    Failure::Refused(error.because(cause))
}

/// A row of either database.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Reads a row's columns from the left to the right.
pub(crate) struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

macro_rules! optional_column {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(&mut self) -> Outcome<Option<$type>> {
            let index = self.next;
            self.next += 1;
            Ok(match self.row {
                Row::Sqlite(row) => row.try_get(index)?,
                Row::Postgres(row) => row.try_get(index)?,
            })
        }
    };
}

macro_rules! column {
    ($name:ident, $optional:ident, $type:ty) => {
        optional_column!($optional, $type);

        pub(crate) fn $name(&mut self) -> Outcome<$type> {
            self.$optional()?
                .ok_or_else(|| Failure::unreadable("a column without its value"))
        }
    };
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    column!(int, opt_int, i64);
    column!(text, opt_text, &'r str);
    optional_column!(opt_blob, &'r [u8]);

    pub(crate) fn time(&mut self) -> Outcome<Timestamp> {
        self.int().map(Timestamp::from_millis)
    }

    pub(crate) fn opt_time(&mut self) -> Outcome<Option<Timestamp>> {
        Ok(self.opt_int()?.map(Timestamp::from_millis))
    }

    pub(crate) fn opt_count(&mut self) -> Outcome<Option<u64>> {
        let value = self.opt_int()?.map(u64::try_from);
        value
            .transpose()
            .map_err(|_| Failure::unreadable("a negative count"))
    }

    pub(crate) fn count(&mut self) -> Outcome<u64> {
        self.opt_count()?
            .ok_or_else(|| Failure::unreadable("a count that is missing"))
    }

    pub(crate) fn opt_id(&mut self) -> Outcome<Option<u128>> {
        let Some(bytes) = self.opt_blob()? else {
            return Ok(None);
        };
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| Failure::unreadable("an id that is no id"))?;
        Ok(Some(u128::from_be_bytes(bytes)))
    }

    pub(crate) fn id(&mut self) -> Outcome<u128> {
        self.opt_id()?
            .ok_or_else(|| Failure::unreadable("an id that is missing"))
    }

    /// Text that was made by `Display` of a type and is read by its `FromStr`.
    pub(crate) fn word<T: std::str::FromStr>(&mut self) -> Outcome<T> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| Failure::unreadable("a word that is unknown"))
    }
}

/// `count` placeholders after the first `before` ones, with commas between.
pub(crate) fn placeholders(before: usize, count: usize) -> String {
    let mut text = String::with_capacity(count * 5);
    for number in before + 1..=before + count {
        if number > before + 1 {
            text.push(',');
        }
        text.push('$');
        text.push_str(&number.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_on() {
        let mut sql = String::new();
        renumber("UPDATE a SET b = $2 WHERE c = $1", 0, &mut sql);
        renumber("; SELECT $1, $12", 2, &mut sql);
        assert_eq!(sql, "UPDATE a SET b = $2 WHERE c = $1; SELECT $3, $14");
    }
}
