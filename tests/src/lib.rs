//! What end-to-end tests share: a hall as a process of its own, and clients of it.

#![allow(
    clippy::expect_used,
    reason = "only tests call this, and a test ends where it can't go on"
)]

pub mod between;
mod bytes;
mod client;
pub mod counted;
pub mod ground;
mod hall;
pub mod hdfs;
pub mod http_between;
pub mod mounts;
pub mod nginx;
pub mod postgres;
pub mod process;
mod raw;
pub mod redis;
pub mod s3;
pub mod services;
mod tus;
pub mod wait;

pub use self::bytes::{hex, pattern, sha256_hex};
pub use self::client::{Answer, Client};
pub(crate) use self::hall::signal;
pub use self::hall::{Hall, Said, binary};
pub use self::raw::{Raw, RawAnswer};
pub use self::tus::Upload;
