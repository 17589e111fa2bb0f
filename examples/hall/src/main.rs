//! A complete hall-of-services server made of CampusDisk.
fn main() {}
