//! Every seam in memory: the embedded default for tests, and the contracts as running code.

mod cache;
mod catalog;
mod events;
mod identity;
mod mount;
mod store;

pub use self::cache::MemoryChunkCache;
pub use self::catalog::MemoryCatalog;
pub use self::events::MemoryEvents;
pub use self::identity::MemoryIdentity;
pub use self::mount::MemoryMount;
pub use self::store::MemoryStore;
