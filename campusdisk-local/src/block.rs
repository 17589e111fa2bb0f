//! Memory that bytes wait in until there are enough of them to write.

/// How many bytes go to the disk at once: less makes the hand-over to another thread felt, more only takes memory.
const LEN_BYTES: usize = 1 << 20;
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
    /// An empty block, shorter where no more than `expected_bytes` will come (0: nobody knows).
    pub(crate) fn for_up_to(expected_bytes: u64) -> Self {
        let len_bytes = match usize::try_from(expected_bytes) {
            Ok(expected @ 1..LEN_BYTES) => expected.next_multiple_of(ALIGN_BYTES),
            _ => LEN_BYTES,
        };
        // Fresh memory is zero already, so only what is filled costs anything.
        let memory = vec![0; len_bytes + ALIGN_BYTES].into_boxed_slice();
        Self {
            begin: memory.as_ptr().align_offset(ALIGN_BYTES),
            memory,
            filled_bytes: 0,
        }
    }

    /// Takes as many of `bytes` as there is room for, and gives back the rest.
    pub(crate) fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(bytes.len().min(self.len_bytes() - self.filled_bytes));
        let from = self.begin + self.filled_bytes;
        self.memory[from..from + taken.len()].copy_from_slice(taken);
        self.filled_bytes += taken.len();
        rest
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled_bytes == self.len_bytes()
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + self.filled_bytes]
    }

    pub(crate) fn cleared(mut self) -> Self {
        self.filled_bytes = 0;
        self
    }

    fn len_bytes(&self) -> usize {
        self.memory.len() - ALIGN_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_where_disks_want_it_and_takes_no_more_than_it_holds() {
        for (expected, len) in [(0, LEN_BYTES), (1 << 40, LEN_BYTES), (5000, 8192)] {
            let mut block = Block::for_up_to(expected);
            let bytes = vec![7; len + 5];
            assert_eq!(block.fill(&bytes[..3]).len(), 0);
            assert!(!block.is_full());
            assert_eq!(block.fill(&bytes).len(), 8);
            assert!(block.is_full());
            assert_eq!(block.filled().as_ptr().align_offset(ALIGN_BYTES), 0);
            assert!(block.filled() == &bytes[..len]);
            assert_eq!(block.cleared().filled(), b"");
        }
    }
}
