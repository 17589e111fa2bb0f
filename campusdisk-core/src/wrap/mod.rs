//! Wrappers around a store that add one behaviour each; and [`TieredCache`], two caches as one.
//!
//! Those of stores nest; the usual order, from the store outwards, is [`TimeoutStore`], [`RetryStore`], [`LimitStore`],
//! [`TraceStore`]: each attempt has its own time, and a caller waits for its turn once.
//!
//! # Example: a store that waits its turn and tries again
//! ```
//! use std::sync::Arc;
//! use campusdisk_core::storage::BlobStore;
//! use campusdisk_core::wrap::{
//!     LimitOptions, LimitStore, RetryOptions, RetryStore, TimeoutOptions, TimeoutStore, TraceStore,
//! };
//!
//! fn wrapped(store: Arc<dyn BlobStore>) -> Arc<dyn BlobStore> {
//!     let store = Arc::new(TimeoutStore::new(store, TimeoutOptions::default()));
//!     let store = Arc::new(RetryStore::new(store, RetryOptions::default()));
//!     let store = Arc::new(LimitStore::new(store, LimitOptions::default()));
//!     Arc::new(TraceStore::new(store))
//! }
//! ```

mod limit;
mod retry;
mod tiered;
mod timeout;
mod trace;

pub use self::limit::{LimitOptions, LimitStore};
pub use self::retry::{RetryOptions, RetryStore};
pub use self::tiered::TieredCache;
pub use self::timeout::{TimeoutOptions, TimeoutStore};
pub use self::trace::TraceStore;
