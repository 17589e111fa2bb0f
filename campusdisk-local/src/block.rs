//! Memory that a disk can take bytes from by itself.

use bytes::Bytes;

/// How many bytes go to the disk at once: less makes the hand-over to another thread felt, more only takes memory.
pub(crate) const LEN_BYTES: usize = 1 << 20;
/// Where memory has to begin that a disk reads by itself: a multiple of every disk's sector.
const ALIGN_BYTES: usize = 4096;

/// A piece of memory that begins where a disk wants it, filled from the front.
#[derive(Debug)]
pub(crate) struct Block {
    /// Never grows, so it stays where it is.
    memory: Box<[u8]>,
    begin: usize,
    filled_bytes: usize,
}

impl Block {
    /// An empty block for so many bytes.
    pub(crate) fn new(len_bytes: usize) -> Self {
        // Fresh memory is zero already, so only what is filled costs anything.
        let memory = vec![0; len_bytes + ALIGN_BYTES].into_boxed_slice();
        Self {
            begin: memory.as_ptr().align_offset(ALIGN_BYTES),
            memory,
            filled_bytes: 0,
        }
    }

    /// Puts `pieces`, for which there must be room, one behind the other.
    pub(crate) fn fill(&mut self, pieces: Vec<Bytes>) {
        for piece in pieces {
            let from = self.begin + self.filled_bytes;
            self.memory[from..from + piece.len()].copy_from_slice(&piece);
            self.filled_bytes += piece.len();
        }
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + self.filled_bytes]
    }

    pub(crate) fn cleared(mut self) -> Self {
        self.filled_bytes = 0;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_where_disks_want_it_and_holds_pieces_one_behind_the_other() {
        for len_bytes in [LEN_BYTES, 5000, 0] {
            let mut block = Block::new(len_bytes);
            let bytes = Bytes::from(
                (0..len_bytes)
                    .map(|number| (number % 251) as u8)
                    .collect::<Vec<_>>(),
            );
            let cut = len_bytes / 3;
            block.fill(vec![bytes.slice(..cut), bytes.slice(cut..)]);
            assert_eq!(block.filled().as_ptr().align_offset(ALIGN_BYTES), 0);
            assert!(block.filled() == bytes);
            assert_eq!(block.cleared().filled(), b"");
        }
    }
}
