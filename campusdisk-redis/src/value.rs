//! How a chunk lies on the server: a head of twelve bytes, then its own.
//!
//! The head is a mark, the chunk's length, and the CRC-32C of key and chunk, numbers with their least byte first. Whatever does not fit it is no chunk:
//! what others wrote, what was cut, what lies under another key than it was kept under.

use bytes::Bytes;
use campusdisk_core::ContentId;

/// How long the head is.
pub(crate) const HEAD_BYTES: usize = 12;

/// Another layout gets another mark.
const MARK: [u8; 4] = *b"CDc1";

/// The keys of one prefix.
#[derive(Debug)]
pub(crate) struct Keys(String);

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self(format!("campusdisk:{prefix}:c:"))
    }

    /// The key of a chunk.
    pub(crate) fn key(&self, content: ContentId, number: u64) -> String {
        format!("{}{content}:{number}", self.0)
    }
}

/// The head of a chunk under its key; `None` where its length has no place in it.
pub(crate) fn head(key: &str, chunk: &[u8]) -> Option<[u8; HEAD_BYTES]> {
    let mut head = [0; HEAD_BYTES];
    let (mark, numbers) = head.split_at_mut(MARK.len());
    let (length, check) = numbers.split_at_mut(4);
    mark.copy_from_slice(&MARK);
    length.copy_from_slice(&u32::try_from(chunk.len()).ok()?.to_le_bytes());
    check.copy_from_slice(&checksum(key, chunk).to_le_bytes());
    Some(head)
}

/// The chunk of a value that was read under `key`, or nothing when it is not whole and of ours.
pub(crate) fn opened(key: &str, value: &Bytes) -> Option<Bytes> {
    let chunk = value.slice(HEAD_BYTES.min(value.len())..);
    (value.get(..HEAD_BYTES)? == head(key, &chunk)?).then_some(chunk)
}

fn checksum(key: &str, chunk: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key.as_bytes()), chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &str, chunk: &[u8]) -> Bytes {
        [&head(key, chunk).unwrap()[..], chunk].concat().into()
    }

    #[test]
    fn a_chunk_comes_out_as_it_went_in() {
        for chunk in [&b""[..], b"x", &[7; 100_000]] {
            assert_eq!(opened("key", &value("key", chunk)).unwrap(), chunk);
        }
    }

    #[test]
    fn what_is_cut_longer_changed_or_elsewhere_is_no_chunk() {
        let whole = value("key", b"some bytes");
        for length in 0..whole.len() {
            assert_eq!(opened("key", &whole.slice(..length)), None, "{length}");
        }
        let longer = [&whole[..], b"!"].concat();
        assert_eq!(opened("key", &longer.into()), None);
        for at in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[at] ^= 1;
            assert_eq!(opened("key", &changed.into()), None, "{at}");
        }
        assert_eq!(opened("other key", &whole), None);
        assert_eq!(
            opened("key", &Bytes::from_static(b"hello, somebody else's text")),
            None
        );
    }

    #[test]
    fn every_chunk_has_a_key_of_its_own() {
        let (one, other) = (Keys::new("one"), Keys::new("other"));
        let content = ContentId::from_u128;
        let keys = [
            one.key(content(1), 1),
            one.key(content(1), 11),
            one.key(content(11), 1),
            other.key(content(1), 1),
        ];
        assert!(keys[0].starts_with("campusdisk:one:c:0"), "{}", keys[0]);
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
