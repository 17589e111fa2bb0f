//! What the benches share: the stores they run on, by default memory and a temporary folder, else those of a configuration file.

use bytes::Bytes;

pub mod service;
pub mod stores;

/// What goes wrong is told and ends the bench.
pub type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What is sent at once.
const PIECE_BYTES: usize = 64 << 10;

/// So many bytes, as a client sends them.
fn pieces(len_bytes: usize) -> impl Iterator<Item = Bytes> {
    let piece = Bytes::from(vec![7; PIECE_BYTES.min(len_bytes)]);
    (0..len_bytes)
        .step_by(PIECE_BYTES)
        .map(move |start| piece.slice(..PIECE_BYTES.min(len_bytes - start)))
}
