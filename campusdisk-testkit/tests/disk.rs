//! The service's use-cases over the seams in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

#[path = "disk/anomalies.rs"]
mod anomalies;
#[path = "disk/archives.rs"]
mod archives;
#[path = "disk/copying.rs"]
mod copying;
#[path = "disk/downloads.rs"]
mod downloads;
#[path = "disk/fixture.rs"]
mod fixture;
#[path = "disk/housekeeping.rs"]
mod housekeeping;
#[path = "disk/keeping.rs"]
mod keeping;
#[path = "disk/moved_between.rs"]
mod moved_between;
#[path = "disk/moving.rs"]
mod moving;
#[path = "disk/placement.rs"]
mod placement;
#[path = "disk/probe.rs"]
mod probe;
#[path = "disk/publish.rs"]
mod publish;
#[path = "disk/quota.rs"]
mod quota;
#[path = "disk/races.rs"]
mod races;
#[path = "disk/random.rs"]
mod random;
#[path = "disk/shares.rs"]
mod shares;
#[path = "disk/transfers.rs"]
mod transfers;
#[path = "disk/trash.rs"]
mod trash;
#[path = "disk/tree.rs"]
mod tree;
#[path = "disk/turns.rs"]
mod turns;
#[path = "disk/uploads.rs"]
mod uploads;
#[path = "disk/versions.rs"]
mod versions;
#[path = "disk/visits.rs"]
mod visits;

use std::any::Any;
use std::sync::Arc;

use campusdisk_core::catalog::Catalog;
use campusdisk_core::memory::MemoryCatalog;

/// A fresh catalog, and what keeps its place.
async fn catalog() -> (Arc<dyn Catalog>, Box<dyn Any + Send>) {
    (Arc::new(MemoryCatalog::new()), Box::new(()))
}
