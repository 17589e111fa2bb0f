//! Conformance suites, faulty wrappers, manual clock and ids for CampusDisk.

pub mod manual;
pub mod storage;
