//! Conformance suites, faulty wrappers, manual clock and model for CampusDisk.
