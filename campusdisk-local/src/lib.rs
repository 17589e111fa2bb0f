//! CampusDisk blobs on a local file system, on Linux.
//!
//! A blob is one file, `<root>/<2 letters>/<1 letter>/<key>`, so no folder holds more than some 10,000 of them. It is
//! written under `<root>/.campusdisk/` and moved to its place, without overwriting, once its bytes are on the disk.
//!
//! # What survives
//! After `commit` returned, the blob survives a crash of the process and of the machine, as far as the disk keeps what it
//! says it synced (B3). A `delete` survives a crash of the process; after a crash of the machine within seconds of it the
//! file may be back: an object without a row, which the sweep reports.
//!
//! # Disk full
//! An upload is refused while less than [`reserve_bytes`](LocalConfig::reserve_bytes) would stay free, so that the
//! database beside the blobs can still write and purging still works. Uploads at the same moment may pass it by up to
//! 4 MiB each.
//!
//! [`health`](campusdisk_core::storage::StoreHealth) tells the room of the file system, and that no new bytes are taken while less than the reserve is free,
//! no more files can be made, or the folder can't be written.
//!
//! # Long blobs go past the page cache
//! A blob that is announced with 4 MiB or more gets its room on the disk at once and is written with `O_DIRECT`, where the
//! file system can: that costs half the processor time of writing through the page cache and pushes nothing out of it that
//! people download. So its first reader waits for the disk. [`with_direct_io`](LocalConfig::with_direct_io) turns it off.
//!
//! # Example: a store in a folder
//! ```
//! use campusdisk_core::storage::{BlobStore, StoreName};
//! use campusdisk_local::{LocalConfig, LocalStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> campusdisk_core::Result<()> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let folder = folder.path();
//! let config = LocalConfig::new(StoreName::parse("primary")?, folder).with_reserve_bytes(1 << 20);
//! let store = LocalStore::open(config).await?;
//! assert!(store.abilities().local_path.is_some());
//! # Ok(())
//! # }
//! ```

mod block;
mod buffers;
mod config;
mod error;
mod health;
mod layout;
mod list;
mod mount;
mod part;
mod reader;
mod store;
mod writer;

pub use self::config::LocalConfig;
pub use self::mount::LocalMount;
pub use self::store::LocalStore;
