//! How long a page of a folder takes that has very many files, wherever in it the page lies.

use std::path::Path;
use std::time::{Duration, Instant};

use campusdisk_core::NodeId;
use campusdisk_core::catalog::record::Node;
use campusdisk_core::catalog::{ChildrenQuery, Cursor, Metadata, Only, Order, Sort};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog, SqliteDatabase};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::{Fallible, drive};

const PAGE_ROWS: u32 = 200;
/// Rows between cursors that are kept.
const STEP_ROWS: u32 = 1000;
/// How many pages are read of each kind.
const TRIES: usize = 1000;
/// Among how many pages in the middle those are that are read.
const MIDDLE_PAGES: usize = 100;
const SCHEMA: &str = "bench_pages";

/// Prints, for the first page, pages in the middle and the last one by each order, within how many ms 99 of 100 came.
pub(crate) async fn sqlite(folder: &Path, files: u32) -> Fallible<()> {
    let folder = tempfile::tempdir_in(folder)?;
    let path = folder.path().join("bench.db");
    let database = SqliteDatabase::open(&path).await?;
    let catalog = database.catalog();
    let (drive, root) = drive(&catalog, 1).await?;
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
    let numbers = format!(
        "(WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {files}) \
         SELECT n, printf('Document %07d of a student.pdf', n) AS name FROM numbers)"
    );
    let id = "unhex(printf('%032x', 1000000000 + n))";
    let key = "CAST(lower(name) || char(0) || name AS BLOB)";
    let own = |id: u128| format!("x'{id:032x}'");
    let fill = fill(id, &own(drive.as_u128()), &own(root.as_u128()), key, &numbers);
    connection.execute(AssertSqlSafe(fill)).await?;
    connection.close().await?;
    all_orders(&catalog, root, files).await?;
    database.close().await;
    Ok(())
}

/// As [`sqlite`], in a schema of its own that is dropped afterwards.
pub(crate) async fn postgres(url: &str, files: u32) -> Fallible<()> {
    let mut connection = PgConnection::connect(url).await?;
    let again =
        format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}");
    connection.execute(AssertSqlSafe(again)).await?;
    let url = format!("{url}?options[search_path]={SCHEMA}");
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await?;
    let catalog = database.catalog();
    let (drive, root) = drive(&catalog, 1).await?;
    let numbers = format!(
        "(SELECT n, format('Document %s of a student.pdf', lpad(n::text, 7, '0')) AS name \
         FROM generate_series(1::bigint, {files}) AS n)"
    );
    let id = "decode(lpad(to_hex(1000000000 + n), 32, '0'), 'hex')";
    let key = r"convert_to(lower(name), 'UTF8') || '\x00'::bytea || convert_to(name, 'UTF8')";
    let own = |id: u128| format!(r"'\x{id:032x}'::bytea");
    let fill = fill(id, &own(drive.as_u128()), &own(root.as_u128()), key, &numbers);
    connection.execute(AssertSqlSafe(fill)).await?;
    // As the server itself does a minute later.
    connection.execute("VACUUM ANALYZE nodes").await?;
    all_orders(&catalog, root, files).await?;
    database.close().await;
    let drop = format!("DROP SCHEMA {SCHEMA} CASCADE");
    connection.execute(AssertSqlSafe(drop)).await?;
    connection.close().await?;
    Ok(())
}

/// Makes files by SQL: one by one they would take longer than what is measured. Sizes and times are scattered, and many are equal.
fn fill(id: &str, drive: &str, root: &str, key: &str, numbers: &str) -> String {
    format!(
        "INSERT INTO nodes (id, drive, parent, kind, name, name_key, size_bytes, mime, category, created, modified, version) \
         SELECT {id}, {drive}, {root}, 'file', name, {key}, \
         n * 7919 % 50021, 'application/pdf', 'document', 0, n * 7907 % 70001, 1 FROM {numbers} AS numbered"
    )
}

async fn all_orders(catalog: &SqlCatalog, root: NodeId, files: u32) -> Fallible<()> {
    for (name, sort) in [
        ("name", Sort::Name),
        ("size", Sort::Size),
        ("modified", Sort::Modified),
    ] {
        let cursors = cursors(catalog, root, sort, files).await?;
        let middle = cursors.len().saturating_sub(MIDDLE_PAGES) / 2;
        let middle: Vec<_> = cursors
            .iter()
            .skip(middle)
            .take(MIDDLE_PAGES)
            .cloned()
            .map(Some)
            .collect();
        let last: Vec<_> = cursors.last().cloned().map(Some).into_iter().collect();
        for (which, after) in [("first", &[None][..]), ("middle", &middle), ("last", &last)] {
            let took = slowest(catalog, root, sort, after).await?;
            println!("{name} {which} {:.2}", took.as_secs_f64() * 1e3);
        }
    }
    Ok(())
}

fn query(sort: Sort, after: Option<Cursor>, limit: u32) -> ChildrenQuery {
    ChildrenQuery {
        sort,
        order: Order::Ascending,
        only: None::<Only>,
        after,
        limit,
    }
}

/// Reads the whole folder, and keeps a cursor every [`STEP_ROWS`] rows; after the last of them comes the last page.
async fn cursors(catalog: &SqlCatalog, root: NodeId, sort: Sort, files: u32) -> Fallible<Vec<Cursor>> {
    let mut cursors: Vec<Cursor> = Vec::new();
    let mut left = files;
    while left > PAGE_ROWS {
        let limit = STEP_ROWS.min(left - PAGE_ROWS);
        let page = catalog
            .children(root, &query(sort, cursors.last().cloned(), limit))
            .await?;
        if page.len() != usize::try_from(limit)? {
            return Err(format!("a page of {} rows with {left} left", page.len()).into());
        }
        cursors.extend(page.last().map(|node: &Node| Cursor::after(node, sort)));
        left -= limit;
    }
    Ok(cursors)
}

/// Within which time 99 of 100 pages after these cursors come.
async fn slowest(
    catalog: &SqlCatalog,
    root: NodeId,
    sort: Sort,
    after: &[Option<Cursor>],
) -> Fallible<Duration> {
    let mut took = Vec::with_capacity(TRIES);
    for after in after.iter().cycle().take(TRIES) {
        let query = query(sort, after.clone(), PAGE_ROWS);
        let started = Instant::now();
        let page = catalog.children(root, &query).await?;
        took.push(started.elapsed());
        if page.len() != usize::try_from(PAGE_ROWS)? {
            return Err(format!("a page of {} rows", page.len()).into());
        }
    }
    took.sort();
    Ok(took.get(took.len() * 99 / 100).copied().unwrap_or_default())
}
