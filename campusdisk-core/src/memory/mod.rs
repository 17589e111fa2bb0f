//! Every seam in memory: the embedded default for tests, and the contracts as running code.

mod catalog;
mod store;

pub use self::catalog::MemoryCatalog;
pub use self::store::MemoryStore;
