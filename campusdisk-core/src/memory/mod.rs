//! Every seam in memory: the embedded default for tests, and the contracts as running code.

mod store;

pub use self::store::MemoryStore;
