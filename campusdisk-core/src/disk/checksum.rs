//! Checksums that a client sends along with bytes.

use sha2::Digest;

use crate::{Error, ErrorKind, Result};

/// A digest algorithm that clients may check bytes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5 (RFC 1321): finds accidents, not forgery.
    Md5,
    /// SHA-1 (RFC 3174): finds accidents, not forgery.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

impl Algorithm {
    /// How many bytes a digest has.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// What bytes should digest to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

impl Checksum {
    /// A checksum.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when `digest` has not the algorithm's length.
    pub fn new(algorithm: Algorithm, digest: &[u8]) -> Result<Self> {
        if digest.len() != algorithm.digest_bytes() {
            return Err(Error::invalid(
                "checksum",
                "has not the length of its algorithm's digests",
            ));
        }
        Ok(Self {
            algorithm,
            digest: digest.to_vec(),
        })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Digests bytes as they pass, to compare with a [`Checksum`] at the end.
#[derive(Debug)]
pub(super) struct Check {
    expected: Checksum,
    state: State,
}

#[derive(Debug)]
enum State {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Check {
    pub(super) fn new(expected: Checksum) -> Self {
        let state = match expected.algorithm {
            Algorithm::Md5 => State::Md5(Digest::new()),
            Algorithm::Sha1 => State::Sha1(Digest::new()),
            Algorithm::Sha256 => State::Sha256(Digest::new()),
            Algorithm::Sha512 => State::Sha512(Digest::new()),
        };
        Self { expected, state }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Md5(state) => state.update(bytes),
            State::Sha1(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        let digest = match self.state {
            State::Md5(state) => state.finalize().to_vec(),
            State::Sha1(state) => state.finalize().to_vec(),
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
        };
        if digest == self.expected.digest {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Corrupt,
            "the bytes do not have the checksum that was sent with them",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bytes_that_were_meant_pass() {
        let expected = Checksum::new(Algorithm::Sha256, &sha2::Sha256::digest(b"hello")).unwrap();
        let mut check = Check::new(expected.clone());
        check.update(b"hel");
        check.update(b"lo");
        assert!(check.finish().is_ok());
        assert_eq!(
            Check::new(expected).finish().unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        assert!(Checksum::new(Algorithm::Md5, b"short").is_err());
    }
}
