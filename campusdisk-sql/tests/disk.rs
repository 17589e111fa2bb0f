//! The service's use-cases over a catalog on SQLite: the tests that it passes over the one in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]
#![allow(
    dead_code,
    reason = "the anomaly loops need paused time, which a database does not keep"
)]

include!("../../campusdisk-testkit/tests/disk/over_a_database.rs");

use std::any::Any;
use std::sync::Arc;

use campusdisk_core::catalog::Catalog;
use campusdisk_sql::SqliteDatabase;

/// A fresh catalog, and the folder it lies in.
async fn catalog() -> (Arc<dyn Catalog>, Box<dyn Any + Send>) {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(folder.path().join("campusdisk.db"))
        .await
        .unwrap();
    (Arc::new(database.catalog()), Box::new(folder))
}
