//! Secrets that are shown once and kept as hashes: session tokens, app tokens, challenges, the setup token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campusdisk_core::IdSource;
use sha2::{Digest as _, Sha256};

/// A secret as its holder sends it: 32 random bytes in the URL-safe base 64 of RFC 4648 §5, perhaps after a prefix.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A fresh secret after `prefix`.
    pub(crate) fn generate(prefix: &str, ids: &dyn IdSource) -> Self {
        let mut bytes = [0; 32];
        let (first, second) = bytes.split_at_mut(16);
        first.copy_from_slice(&ids.random().to_be_bytes());
        second.copy_from_slice(&ids.random().to_be_bytes());
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text to hand over. Whoever has it is whom it belongs to.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a secret: enough to know it again, useless to whoever reads the database.
///
/// The secrets have 256 random bits, so no salt and no slow function is needed; and how much of a hash fits tells nobody
/// how much of a guess does, so hashes need no comparison in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of what somebody sent as a secret.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// A hash read back from where [`as_bytes`](Self::as_bytes) was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_core::RandomIds;

    use super::*;

    #[test]
    fn a_secret_is_32_bytes_and_shows_itself_only_when_asked() {
        let secret = Secret::generate("cdt_", &RandomIds);
        assert_eq!(secret.expose().len(), 4 + 43);
        assert_eq!(format!("{secret:?}{:?}", secret.hash()), "Secret(…)SecretHash(…)");
        assert_eq!(secret.hash(), SecretHash::of(secret.expose()));
        assert_ne!(secret.hash(), Secret::generate("cdt_", &RandomIds).hash());
    }
}
