//! Buffers that are used again, so that a read neither allocates nor zeroes a chunk.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// How much one read asks for.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// Below this a fresh allocation is as cheap as a used buffer.
const SMALL_BYTES: usize = 32 << 10;
/// How many buffers wait for use at most: 16 MiB.
const IDLE_MAX: usize = 64;

/// Buffers of one chunk that wait for use.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Box<[u8]>>>);

impl Buffers {
    /// A buffer of at least `want_bytes`, at most one chunk.
    pub(crate) fn take(self: &Arc<Self>, want_bytes: usize) -> Buffer {
        if want_bytes <= SMALL_BYTES {
            return Buffer::Small(vec![0; want_bytes]);
        }
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer::Chunk(Chunk {
            bytes: used.unwrap_or_else(|| vec![0; CHUNK_BYTES].into()),
            len_bytes: 0,
            home: Arc::clone(self),
        })
    }
}

/// Bytes to read into.
pub(crate) enum Buffer {
    Small(Vec<u8>),
    Chunk(Chunk),
}

impl Buffer {
    /// All of it, for reading into; may hold bytes of an earlier read.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Chunk(chunk) => &mut chunk.bytes,
        }
    }

    /// Its first `len_bytes` bytes, which were just read.
    pub(crate) fn into_bytes(self, len_bytes: usize) -> Bytes {
        match self {
            Self::Small(mut bytes) => {
                bytes.truncate(len_bytes);
                bytes.into()
            }
            Self::Chunk(mut chunk) => {
                chunk.len_bytes = len_bytes;
                Bytes::from_owner(chunk)
            }
        }
    }
}

/// A buffer that goes home when it is dropped.
pub(crate) struct Chunk {
    bytes: Box<[u8]>,
    len_bytes: usize,
    home: Arc<Buffers>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len_bytes).unwrap_or_default()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut idle = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_shows_only_what_was_read_into_it_and_comes_back() {
        let buffers = Arc::new(Buffers::default());
        let mut first = buffers.take(CHUNK_BYTES);
        first.as_mut_slice().fill(1);
        drop(first.into_bytes(CHUNK_BYTES));
        let mut second = buffers.take(SMALL_BYTES + 1);
        second.as_mut_slice()[..3].fill(2);
        let bytes = second.into_bytes(3);
        assert_eq!(bytes, [2; 3].as_slice());
        assert!(
            buffers.0.lock().unwrap().is_empty(),
            "the second take used the first buffer"
        );
        drop(bytes);
        assert_eq!(buffers.0.lock().unwrap().len(), 1);
    }
}
