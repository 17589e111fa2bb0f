//! Which passwords may be chosen.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use campusdisk_core::{Error, Result};
use unicode_normalization::UnicodeNormalization;

use crate::account::fold;

/// The 3,000 most common passwords of 8 and more characters in each of two published frequency lists, folded and sorted
/// by their bytes. Their sources and licences are named in `common_passwords.LICENSE`.
const COMMON: &str = include_str!("common_passwords.txt");

static COMMON_SET: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());

/// A password that may be chosen: at least 8 characters of any script, at most 1,024 bytes of UTF-8 (so never less than
/// 256 characters), and none of the most common ones. Nothing is cut off, trimmed or demanded of its composition.
///
/// Passwords are compared in Unicode normal form C, as RFC 8265 §4.2 (OpaqueString) and NIST SP 800-63B-4 §3.1.1.2 have
/// it: what two keyboards send for the same text is the same password, and no two different texts become one. A
/// character is a code point of that form.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Fewest characters.
    pub const MIN_CHARS: usize = 8;
    /// Longest password in bytes of UTF-8, as it was sent.
    pub const MAX_BYTES: usize = 1024;

    /// Reads a password that somebody chose, for the request field `field`.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) with the rule that is broken.
    pub fn choose(field: &'static str, text: &str) -> Result<Self> {
        let Some(offered) = OfferedPassword::read(text) else {
            return Err(Error::invalid(field, "is longer than 1024 bytes"));
        };
        if offered.0.chars().count() < Self::MIN_CHARS {
            return Err(Error::invalid(field, "is shorter than 8 characters"));
        }
        if COMMON_SET.contains(fold(&offered.0).as_str()) {
            return Err(Error::invalid(
                field,
                "is one of the most common passwords; choose another",
            ));
        }
        Ok(Self(offered.0))
    }

    /// This password as somebody would offer it.
    pub(crate) fn offer(&self) -> OfferedPassword {
        OfferedPassword(self.0.clone())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password somebody offers to get in: whatever they typed, in the form that is compared.
#[derive(Clone, Default)]
pub(crate) struct OfferedPassword(String);

impl OfferedPassword {
    /// The text in normal form C; none when it is longer than any password can be.
    pub(crate) fn read(text: &str) -> Option<Self> {
        (text.len() <= Password::MAX_BYTES).then(|| Self(text.nfc().collect()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What a password is checked against: an argon2id hash as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as it was stored.
    pub fn from_phc(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<Password> {
        Password::choose("password", text)
    }

    #[test]
    fn eight_characters_of_any_script_with_spaces_are_enough() {
        for text in [
            "correct horse",
            "        ",
            "春眠不覺曉處處聞",
            " lead & trail ",
            "🦆🦆🦆🦆🦆🦆🦆🦆",
        ] {
            assert!(chosen(text).is_ok(), "{text:?}");
        }
        assert!(chosen("sevench").is_err() && chosen("").is_err());
    }

    #[test]
    fn long_passwords_are_whole_or_refused() {
        assert!(chosen(&"字".repeat(341)).is_ok() && chosen(&"🦆".repeat(256)).is_ok());
        assert!(chosen(&"x".repeat(1024)).is_ok() && chosen(&"x".repeat(1025)).is_err());
        assert_ne!(
            chosen(&"x".repeat(1024)).unwrap(),
            chosen(&"x".repeat(1023)).unwrap()
        );
    }

    #[test]
    fn forms_of_one_text_are_one_password_and_spaces_count() {
        assert_eq!(
            chosen("re\u{301}sume\u{301}s").unwrap_err().field(),
            Some("password")
        );
        assert_eq!(
            chosen("re\u{301}sume\u{301} 2026").unwrap(),
            chosen("résumé 2026").unwrap()
        );
        assert_ne!(chosen("a password").unwrap(), chosen(" a password").unwrap());
    }

    #[test]
    fn the_most_common_passwords_are_refused_in_any_case_and_width() {
        for text in [
            "password",
            "12345678",
            "Password1",
            "QWERTYUIOP",
            "ｐａｓｓｗｏｒｄ",
            "1q2w3e4r5t",
        ] {
            assert!(chosen(text).is_err(), "{text}");
        }
        assert!(chosen("password of mine").is_ok());
    }

    #[test]
    fn the_list_holds_3000_folded_sorted_passwords_that_length_alone_would_allow() {
        let lines: Vec<_> = COMMON.lines().collect();
        assert!(lines.len() >= 3_000 && lines.is_sorted());
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() >= Password::MIN_CHARS && fold(line) == **line)
        );
        assert_eq!(COMMON_SET.len(), lines.len());
    }
}
