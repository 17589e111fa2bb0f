//! CampusDisk blobs on HDFS.
//!
//! [`HdfsStore`] keeps each blob as one file `root/ab/c/abc…`. A writer writes `root/.writing/…`, closes it, compares the
//! length and renames it to its place without overwriting, so a blob is there whole or not at all, and a key can't be
//! taken twice. What survives what: closing waits until the replicas of every block are on the disks of their
//! DataNodes (each block ends with a sync), and renaming until the NameNode has written its journal; so a committed blob
//! survives what the cluster is configured to survive.
//!
//! * Reading is done in windows, so that a slow client holds a window and not the client library's whole queue. Every
//!   wait has a limit, after which the file is opened again and reading goes on where it stopped: a DataNode that dies
//!   under a read costs milliseconds, one that hangs costs [`read_gap`](HdfsConfig::read_gap).
//! * **A DataNode that dies under a write loses that write**: the client library can't replace it in the pipeline, and
//!   new files fail too, mostly, until the NameNode has noticed (10.5 minutes with Hadoop's defaults). The error is
//!   [`Unavailable`](campusdisk_core::ErrorKind::Unavailable); what was written becomes a leftover, and the caller has to
//!   write the blob again under a new key.
//! * No call of the client library to the NameNode has a time limit; here each has
//!   [`rpc_timeout`](HdfsConfig::rpc_timeout). After it expired the connection can't be trusted, so the next call
//!   gets a new client.
//! * Writers that die leave files in `root/.writing`, which [`tidy`](campusdisk_core::storage::BlobStore::tidy) deletes.
//!
//! # Example
//! ```
//! use campusdisk_core::storage::{BlobStore, StoreName};
//! use campusdisk_hdfs::{HdfsConfig, HdfsStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> campusdisk_core::Result<()> {
//! let config = HdfsConfig::new(StoreName::parse("primary")?, "/campusdisk")
//!     .with_url("hdfs://namenode.campus.example:8020")
//!     .with_user("campusdisk");
//! let store = HdfsStore::connect(config)?;
//! assert_eq!(store.info().part_size_bytes, 128 << 20);
//! # Ok(())
//! # }
//! ```

mod cluster;
mod config;
mod error;
mod list;
mod reader;
mod store;
mod tidy;
mod writer;

pub use self::config::HdfsConfig;
pub use self::store::HdfsStore;
