//! The smallest axum application that mounts CampusDisk.
fn main() {}
