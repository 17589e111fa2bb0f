//! Buffers that are used again, so that a read neither allocates nor zeroes a chunk.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// How much one read asks for at most.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// What a slow client is read, so that no more than this waits for it.
const PIECE_BYTES: usize = 64 << 10;
/// Below this a fresh allocation is as cheap as a used buffer.
const SMALL_BYTES: usize = 32 << 10;
/// How many buffers of each size wait for use at most: 20 MiB in all.
const IDLE_MAX: usize = 64;

/// Buffers that wait for use.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pieces: Shelf,
    chunks: Shelf,
}

/// Buffers of one size.
type Shelf = Arc<Mutex<Vec<Box<[u8]>>>>;

impl Buffers {
    /// A buffer of at least `want_bytes`, at most one chunk.
    pub(crate) fn take(&self, want_bytes: usize) -> Buffer {
        if want_bytes <= SMALL_BYTES {
            return Buffer::Small(vec![0; want_bytes]);
        }
        let (shelf, size_bytes) = match want_bytes <= PIECE_BYTES {
            true => (&self.pieces, PIECE_BYTES),
            false => (&self.chunks, CHUNK_BYTES),
        };
        let used = shelf.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer::Used(Used {
            bytes: used.unwrap_or_else(|| vec![0; size_bytes].into()),
            len_bytes: 0,
            home: Arc::clone(shelf),
        })
    }
}

/// Bytes to read into.
pub(crate) enum Buffer {
    Small(Vec<u8>),
    Used(Used),
}

impl Buffer {
    /// All of it, for reading into; may hold bytes of an earlier read.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Used(used) => &mut used.bytes,
        }
    }

    /// Its first `len_bytes` bytes, which were just read.
    pub(crate) fn into_bytes(self, len_bytes: usize) -> Bytes {
        match self {
            Self::Small(mut bytes) => {
                bytes.truncate(len_bytes);
                bytes.into()
            }
            Self::Used(mut used) => {
                used.len_bytes = len_bytes;
                Bytes::from_owner(used)
            }
        }
    }
}

/// A buffer that goes home when it is dropped.
pub(crate) struct Used {
    bytes: Box<[u8]>,
    len_bytes: usize,
    home: Shelf,
}

impl AsRef<[u8]> for Used {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len_bytes).unwrap_or_default()
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        let mut idle = self.home.lock().unwrap_or_else(PoisonError::into_inner);
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
        let buffers = Buffers::default();
        for (least, most, shelf) in [
            (SMALL_BYTES + 1, PIECE_BYTES, &buffers.pieces),
            (PIECE_BYTES + 1, CHUNK_BYTES, &buffers.chunks),
        ] {
            let mut first = buffers.take(most);
            first.as_mut_slice().fill(1);
            drop(first.into_bytes(most));
            let mut second = buffers.take(least);
            assert_eq!(second.as_mut_slice().len(), most);
            second.as_mut_slice()[..3].fill(2);
            let bytes = second.into_bytes(3);
            assert_eq!(bytes, [2; 3].as_slice());
            assert!(
                shelf.lock().unwrap().is_empty(),
                "the second take used the first buffer"
            );
            drop(bytes);
            assert_eq!(shelf.lock().unwrap().len(), 1);
        }
    }
}
