//! Every catalog keeps the contract of the seam.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use campusdisk_core::catalog::Catalog;
use campusdisk_core::memory::MemoryCatalog;
use campusdisk_sql::SqliteDatabase;
use campusdisk_testkit::catalog_conformance;

async fn memory() -> (Arc<dyn Catalog>, ()) {
    (Arc::new(MemoryCatalog::new()), ())
}

async fn sqlite() -> (Arc<dyn Catalog>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(folder.path().join("catalog.db"))
        .await
        .unwrap();
    (Arc::new(database.catalog()), folder)
}

catalog_conformance!(memory_catalog, memory);
catalog_conformance!(sqlite_catalog, sqlite);
