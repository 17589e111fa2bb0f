//! Conformance suites, faulty wrappers, manual clock and ids for CampusDisk.

#[cfg(feature = "accounts")]
pub mod accounts;
pub mod cache;
pub mod catalog;
pub mod faulty;
pub mod manual;
pub mod model;
pub mod mount;
pub mod small_disk;
pub mod storage;
mod suite;
pub mod throughput;
