//! Names of blobs and of stores.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Error, ErrorKind, IdSource, Result, id};

/// Names a blob in its store: random, made here, single-use, plain lower-case ASCII. No user text reaches a store.
///
/// As text it has 26 characters of `0-9a-z`. Stores spread keys over folders by [`folders`](Self::folders), which keeps
/// every folder under some 10,000 entries for up to 300 million blobs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey([u8; 26]);

impl BlobKey {
    /// A fresh key.
    pub fn generate(ids: &dyn IdSource) -> Self {
        let mut key = [b'0'; 26];
        for (slot, byte) in key.iter_mut().zip(id::encode(ids.random()).bytes()) {
            *slot = byte;
        }
        // The first digit of 128 bits has only 8 values; rotating it to the end fans out over all 32.
        key.rotate_left(1);
        Self(key)
    }

    /// The key as text.
    #[expect(clippy::expect_used, reason = "a key is made of ASCII by both constructors")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a key is ASCII")
    }

    /// The folders a store on a tree of folders puts it in: 1,024 outer ones of 32 inner ones.
    ///
    /// Listing folder by folder in ascending order lists keys in ascending order.
    pub fn folders(&self) -> (&str, &str) {
        let text = self.as_str();
        (
            text.get(..2).unwrap_or_default(),
            text.get(2..3).unwrap_or_default(),
        )
    }
}

impl FromStr for BlobKey {
    type Err = Error;

    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when `text` was not made by [`generate`](Self::generate).
    fn from_str(text: &str) -> Result<Self> {
        let fits = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        match <[u8; 26]>::try_from(text.as_bytes()) {
            Ok(key) if fits => Ok(Self(key)),
            _ => Err(Error::new(ErrorKind::InvalidInput, "is no blob key")),
        }
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobKey({self})")
    }
}

/// Names a store in the configuration and in extents: `primary`, `archive`. 1 to 64 of `a-z 0-9 - _`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(Arc<str>);

impl StoreName {
    /// Longest name in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > Self::MAX_BYTES || !text.bytes().all(plain) {
            return Err(Error::invalid("store", "a store's name is 1 to 64 of a-z, 0-9, - and _").on(text));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RandomIds;

    #[test]
    fn keys_fan_out_over_every_first_letter() {
        let firsts: std::collections::BTreeSet<_> = (0..2000)
            .map(|_| BlobKey::generate(&RandomIds).as_str().as_bytes()[0])
            .collect();
        assert_eq!(firsts.len(), 32);
    }

    #[test]
    fn a_key_reads_as_it_was_written() {
        let key = BlobKey::generate(&RandomIds);
        assert_eq!(key.to_string().parse::<BlobKey>().unwrap(), key);
        assert!("../../../../../../etc/pass".parse::<BlobKey>().is_err());
    }
}
