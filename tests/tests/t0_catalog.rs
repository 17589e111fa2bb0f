//! Every catalog keeps the contract of the seam.

use std::sync::Arc;

use campusdisk_core::catalog::Catalog;
use campusdisk_core::memory::MemoryCatalog;
use campusdisk_testkit::catalog_conformance;

async fn memory() -> (Arc<dyn Catalog>, ()) {
    (Arc::new(MemoryCatalog::new()), ())
}

catalog_conformance!(memory_catalog, memory);
