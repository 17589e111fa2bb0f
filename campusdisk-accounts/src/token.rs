//! App tokens: secrets for scripts, with scopes and an end.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use campusdisk_core::{AccountId, Error, EventId, IdSource, Result, Timestamp};
use unicode_normalization::UnicodeNormalization;

use crate::SecretHash;

/// What a token may do. An account that signed in has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See and fetch.
    Read,
    /// Store, change, delete.
    Write,
    /// Make and end shares.
    Share,
    /// Change the account's profile, password and tokens.
    Account,
    /// Administer, where the account may.
    Admin,
}

impl Scope {
    /// All scopes, in the order they are written.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Share, Self::Account, Self::Admin];

    /// The word for this scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Share => "share",
            Self::Account => "account",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;

    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `scopes`.
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| {
            Error::invalid(
                "scopes",
                "has a scope that is none of read, write, share, account, admin",
            )
        })
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(0b1_1111);
    /// What a token made over HTTP may unless asked otherwise: read, write, share.
    pub const USUAL: Self = Self(0b111);

    /// The set of these words.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `scopes` when one is none or there are none.
    pub fn parse<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Result<Self> {
        let scopes = words.into_iter().try_fold(Self::default(), |scopes, word| {
            Ok::<_, Error>(scopes.with(word.as_ref().parse()?))
        })?;
        if scopes.is_empty() {
            return Err(Error::invalid("scopes", "is empty"));
        }
        Ok(scopes)
    }

    /// This set and `scope`.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// This set without `scope`.
    #[must_use]
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !scope.bit())
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The set as a number: one bit for each scope, in their order.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// A set read back from where [`bits`](Self::bits) was stored; unknown bits are no scopes.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether `scope` is in it.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of `others` are in it.
    pub const fn contains_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether it has no scope.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its scopes in the order they are written.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scopes {
    /// The words with a space between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, scope)| {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{scope}")
        })
    }
}

/// Names an app token; not the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(EventId);

impl TokenId {
    /// A fresh id that sorts by the time it was made.
    pub fn generate(now: Timestamp, ids: &dyn IdSource) -> Self {
        Self(EventId::generate(now, ids))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TokenId {
    type Err = Error;

    /// # Errors
    /// [`NotFound`](campusdisk_core::ErrorKind::NotFound): a text that is no id names nothing.
    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}

/// What a token is for, in its owner's words: 1 to 128 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName(Arc<str>);

impl TokenName {
    /// Longest name in characters.
    pub const MAX_CHARS: usize = 128;

    /// Reads a name; white space at either end is no part of it.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `name`.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > Self::MAX_CHARS * 4 {
            return Err(Error::invalid("name", "is longer than 128 characters"));
        }
        let text: String = text.trim().nfc().collect();
        match text.chars().count() {
            0 => Err(Error::invalid("name", "is empty")),
            1..=Self::MAX_CHARS if !text.contains(char::is_control) => Ok(Self(text.into())),
            1..=Self::MAX_CHARS => Err(Error::invalid("name", "contains a control character")),
            _ => Err(Error::invalid("name", "is longer than 128 characters")),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An app token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppToken {
    /// Names it to its owner.
    pub id: TokenId,
    /// The hash of the secret.
    pub hash: SecretHash,
    /// Whose it is.
    pub account: AccountId,
    /// What it is for.
    pub name: TokenName,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; without one it ends when it is revoked.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_as_they_are_written() {
        assert_eq!(
            Scopes::parse(["write", "read", "read"]).unwrap().to_string(),
            "read write"
        );
        assert_eq!(Scopes::ALL.to_string(), "read write share account admin");
        assert_eq!(Scopes::USUAL, Scopes::parse(["read", "write", "share"]).unwrap());
        assert!(Scopes::parse(["all"]).is_err() && Scopes::parse::<&str>([]).is_err());
        assert!(Scopes::ALL.contains_all(Scopes::USUAL) && !Scopes::USUAL.contains_all(Scopes::ALL));
    }

    #[test]
    fn a_token_has_a_name_on_one_line() {
        assert_eq!(TokenName::parse(" backup ").unwrap().as_str(), "backup");
        for bad in ["", "  ", "a\nb", &"x".repeat(129)] {
            assert_eq!(TokenName::parse(bad).unwrap_err().field(), Some("name"));
        }
    }
}
