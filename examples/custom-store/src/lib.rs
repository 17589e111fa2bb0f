//! A store of one's own, to be read beside `docs/writing-a-store.md`: blobs in one SQLite file.
//!
//! It is a whole store: the conformance suite of `campusdisk-testkit` passes on it (`tests/conformance.rs`), and
//! `cargo run -p custom-store` keeps a file in it. Who wants a large one takes another: SQLite writes one blob at a time.

mod failure;
mod reader;
mod store;
mod writer;

pub use self::store::SqliteStore;
