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

#[path = "../../campusdisk-testkit/tests/disk/copying.rs"]
mod copying;
#[path = "../../campusdisk-testkit/tests/disk/fixture.rs"]
mod fixture;
#[path = "../../campusdisk-testkit/tests/disk/housekeeping.rs"]
mod housekeeping;
#[path = "../../campusdisk-testkit/tests/disk/probe.rs"]
mod probe;
#[path = "../../campusdisk-testkit/tests/disk/quota.rs"]
mod quota;
#[path = "../../campusdisk-testkit/tests/disk/races.rs"]
mod races;
#[path = "../../campusdisk-testkit/tests/disk/random.rs"]
mod random;
#[path = "../../campusdisk-testkit/tests/disk/shares.rs"]
mod shares;
#[path = "../../campusdisk-testkit/tests/disk/transfers.rs"]
mod transfers;
#[path = "../../campusdisk-testkit/tests/disk/trash.rs"]
mod trash;
#[path = "../../campusdisk-testkit/tests/disk/tree.rs"]
mod tree;
#[path = "../../campusdisk-testkit/tests/disk/uploads.rs"]
mod uploads;
#[path = "../../campusdisk-testkit/tests/disk/versions.rs"]
mod versions;
#[path = "../../campusdisk-testkit/tests/disk/visits.rs"]
mod visits;

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
