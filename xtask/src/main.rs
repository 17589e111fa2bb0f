//! Tests, benches and real services of CampusDisk.
fn main() {}
