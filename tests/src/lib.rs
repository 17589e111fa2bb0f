//! Conformance runs and end-to-end tests of CampusDisk.
