//! What the reads share: rows to records, records with extents, lists in conditions.

use campusdisk_core::Result;
use campusdisk_core::catalog::record::Extent;

use super::SqlCatalog;
use super::rows;
use super::table::Statements;
use crate::failure::Outcome;
use crate::session::{Args, Columns, Row, Sql};

/// How a row becomes a record.
pub(super) type Decode<T> = fn(&mut Columns<'_>) -> Outcome<T>;

impl SqlCatalog {
    /// The record with this key.
    pub(super) async fn by_key<T>(
        &self,
        table: &'static Statements,
        key: Args,
        decode: Decode<T>,
    ) -> Result<Option<T>> {
        self.first(table.read.as_str(), key, decode).await
    }

    pub(super) async fn first<T>(
        &self,
        sql: impl Into<Sql>,
        args: Args,
        decode: Decode<T>,
    ) -> Result<Option<T>> {
        Ok(self.list(sql, args, decode).await?.into_iter().next())
    }

    pub(super) async fn list<T>(&self, sql: impl Into<Sql>, args: Args, decode: Decode<T>) -> Result<Vec<T>> {
        let rows = self.database.rows(sql, args).await?;
        rows.iter()
            .map(|row| Ok(decode(&mut Columns::of(row))?))
            .collect()
    }
}

/// Joins rows of one record and one extent each: rows of one record follow each other.
pub(super) fn with_extents<T>(
    rows: &[Row],
    decode: Decode<T>,
    same: fn(&T, &T) -> bool,
    extents: fn(&mut T) -> &mut Vec<Extent>,
) -> Outcome<Vec<T>> {
    let mut records: Vec<T> = Vec::new();
    for row in rows {
        let mut row = Columns::of(row);
        let record = decode(&mut row)?;
        let extent = rows::opt_extent(&mut row)?;
        if !records.last().is_some_and(|last| same(last, &record)) {
            records.push(record);
        }
        if let Some(last) = records.last_mut() {
            extents(last).extend(extent);
        }
    }
    Ok(records)
}

/// The columns of an extent with the alias before them.
pub(super) fn extent_columns(alias: &str) -> String {
    let columns: Vec<_> = rows::EXTENT_COLUMNS
        .iter()
        .map(|column| format!("{alias}.{column}"))
        .collect();
    columns.join(", ")
}

/// A statement that is put together while its values are collected.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) args: Args,
}

impl Query {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            args: Args::new(),
        }
    }

    /// Appends text as it is.
    pub(super) fn say(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    /// Appends text, then the placeholder of a value.
    pub(super) fn bind(&mut self, text: &str, value: impl FnOnce(&mut Args)) -> &mut Self {
        self.sql.push_str(text);
        let place = self.place(value);
        self.sql.push_str(&place);
        self
    }

    /// The placeholder of a value, to be used in text.
    pub(super) fn place(&mut self, value: impl FnOnce(&mut Args)) -> String {
        value(&mut self.args);
        format!("${}", self.args.len())
    }

    /// Appends a list of ids in brackets, of one of few lengths.
    pub(super) fn ids(&mut self, ids: &[u128]) -> &mut Self {
        let count = ids.len().next_power_of_two();
        self.sql.push('(');
        self.sql
            .push_str(&crate::session::placeholders(self.args.len(), count));
        self.sql.push(')');
        for index in 0..count {
            self.args.push_id(ids.get(index).or(ids.last()).copied());
        }
        self
    }
}
