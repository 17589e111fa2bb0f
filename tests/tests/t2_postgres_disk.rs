//! The service's use-cases over a catalog on PostgreSQL: the tests that it passes over those in memory and on SQLite.
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
use campusdisk_sql::{PostgresDatabase, PostgresOptions};
use campusdisk_tests::postgres::Schema;

/// A fresh catalog, and the schema it lies in.
async fn catalog() -> (Arc<dyn Catalog>, Box<dyn Any + Send>) {
    let schema = Schema::fresh().await;
    let database = PostgresDatabase::connect(schema.url(), PostgresOptions::default())
        .await
        .unwrap();
    (Arc::new(database.catalog()), Box::new(schema))
}
