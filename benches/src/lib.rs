//! Criterion benches of CampusDisk.
