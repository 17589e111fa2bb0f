//! CampusDisk blobs on S3-compatible stores, and on everything else `object_store` speaks to.
//!
//! [`S3Store`] keeps each blob as one object `prefix/ab/c/abc…`. What survives what: a committed blob survives whatever
//! the server promises for an object it acknowledged; nothing of this crate lies between the two.
//!
//! * A blob up to [`single_put_max_bytes`](S3Config::single_put_max_bytes) is one PUT that the server refuses when the
//!   key is taken (`If-None-Match: *`). A longer one is a multipart upload with a few parts in flight; there the
//!   server is asked by HEAD before, since not every server honours the header on completion. Keys are random and used
//!   once, so nothing but a test ever sees the difference.
//! * Every object carries the mark of its writer as metadata. After every commit a HEAD compares length and mark, and when
//!   the answer to a PUT or to the completion was lost, it tells whether the server did as asked. Nothing is taken from
//!   the ETag or from checksums, which servers leave out.
//! * A span is one GET, streamed. When its connection breaks, the rest is asked for from where it stopped. An answer about
//!   other bytes, or about an object of another length, is [`Corrupt`](campusdisk_core::ErrorKind::Corrupt).
//! * What the server can't answer is tried again for [`retry_timeout`](S3Config::retry_timeout), so it may restart meanwhile.
//! * Writers that die leave multipart uploads, which show nowhere but cost space. [`tidy`](campusdisk_core::storage::BlobStore::tidy)
//!   finds them on stores made by [`S3Store::connect`]; a lifecycle rule on the bucket (`AbortIncompleteMultipartUpload`)
//!   does the same where the server has it. A store made by [`S3Store::over`] knows no such list and tidies nothing.
//! * Of its health a server tells nothing but that it answers, so the store has no such ability and is asked for a listing.
//!
//! # Example
//! ```
//! use campusdisk_core::storage::{BlobStore, StoreName};
//! use campusdisk_s3::{S3Config, S3Store};
//!
//! # fn main() -> campusdisk_core::Result<()> {
//! let config = S3Config::new(StoreName::parse("primary")?, "campus")
//!     .with_endpoint("https://s3.campus.example")
//!     .with_prefix("hall");
//! let store = S3Store::connect(config)?;
//! assert!(store.info().remote);
//! # Ok(())
//! # }
//! ```

mod bucket;
mod config;
mod error;
mod list;
mod mount;
mod reader;
mod retry;
mod store;
mod tidy;
mod windows;
mod writer;

pub use self::config::{S3Config, S3Credentials, S3Encryption};
pub use self::mount::S3Mount;
pub use self::store::S3Store;
