//! What an account is, and what its texts may be.

use std::fmt;
use std::sync::Arc;

use campusdisk_core::{AccountId, EntryName, Error, Result, Timestamp};
use unicode_normalization::UnicodeNormalization;

use crate::PasswordHash;

/// A person with a login, as everybody who may see it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Names the account for ever.
    pub id: AccountId,
    /// What its owner signs in with.
    pub username: Username,
    /// Where its owner reads mail; no two accounts have the same.
    pub email: Option<Email>,
    /// What others read; the user name until its owner says otherwise.
    pub display_name: DisplayName,
    /// How to call its owner; may be empty.
    pub phone: Phone,
    /// What its owner says of themselves; may be empty.
    pub about: About,
    /// Whether its owner administers the installation.
    pub admin: bool,
    /// Whether it is shut out: no sign-in, no session, no token.
    pub locked: bool,
    /// How much its drive may hold; without one, as much as the installation has.
    pub quota_bytes: Option<u64>,
    /// When it was made.
    pub created: Timestamp,
}

/// An account with what only the store and this crate see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// The account.
    pub account: Account,
    /// What a password is checked against.
    pub password: PasswordHash,
    /// Whether an administrator set the password, so that its owner must choose another.
    pub must_change_password: bool,
    /// Counts the changes of this record.
    pub version: u64,
}

impl AccountRecord {
    /// What a search looks into: user name, display name and address, folded, a line feed between them.
    pub fn search_text(&self) -> String {
        let account = &self.account;
        let email = account.email.as_ref().map(Email::as_str).unwrap_or_default();
        fold(&format!(
            "{}\n{}\n{email}",
            account.username, account.display_name
        ))
    }
}

/// What text is compared by when neither case nor form matters: in Unicode normal form KC and lower case.
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// The name its owner signs in with: 1 to 64 characters and at most 255 bytes that obey the rules of an [`EntryName`],
/// without a colon (RFC 7617 allows none in a user name).
///
/// Stored in normal form C as it was chosen; two names that differ in case or compatibility form only are one name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(Arc<str>);

impl Username {
    /// Longest name in characters.
    pub const MAX_CHARS: usize = 64;

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `username`, with the rule that is broken.
    pub fn parse(text: &str) -> Result<Self> {
        name_text("username", text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What decides whether two names are one, and their order.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// The rules that names of accounts and of groups share.
pub(crate) fn name_text(field: &'static str, text: &str) -> Result<Arc<str>> {
    let name = EntryName::parse(text).map_err(|error| Error::invalid(field, error.message().to_owned()))?;
    if name.as_str().chars().count() > Username::MAX_CHARS {
        return Err(Error::invalid(field, "is longer than 64 characters"));
    }
    if name.as_str().contains(':') {
        return Err(Error::invalid(field, "contains a colon"));
    }
    Ok(name.as_str().into())
}

/// A mail address, checked for its shape only: text, one `@`, and a domain with a dot or `localhost`; at most 254 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(Arc<str>);

impl Email {
    /// Longest address in bytes (RFC 5321 §4.5.3.1.3 less the angle brackets).
    pub const MAX_BYTES: usize = 254;

    /// Reads an address.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `email`.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |reason| Err(Error::invalid("email", reason));
        if text.len() > Self::MAX_BYTES {
            return refuse("is longer than 254 bytes");
        }
        let bad = |character: char| {
            character.is_whitespace() || character.is_control() || ",;<>\"\\".contains(character)
        };
        if text.chars().any(bad) {
            return refuse("contains a character no plain address has");
        }
        let Some((local, domain)) = text.split_once('@') else {
            return refuse("has no @");
        };
        if local.is_empty() || local.len() > 64 || domain.contains('@') {
            return refuse("is no address such as name@example.edu");
        }
        let labels_are_full = domain.split('.').all(|label| !label.is_empty());
        if !labels_are_full || !(domain.contains('.') || domain == "localhost") {
            return refuse("has no domain such as example.edu");
        }
        Ok(Self(text.nfc().collect::<String>().into()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What decides whether two addresses are one.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident $field:literal $max:literal $lines:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Default)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Longest text in characters.
            pub const MAX_CHARS: usize = $max;

            /// Reads a text; white space at either end is no part of it.
            ///
            /// # Errors
            /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) when it is too long or has control characters.
            pub fn parse(text: &str) -> Result<Self> {
                free_text($field, text, $max, $lines).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}

texts! {
    /// What others read: at most 128 characters on one line.
    DisplayName "display_name" 128 false,
    /// How to call somebody: at most 64 characters on one line.
    Phone "phone" 64 false,
    /// What somebody says of themselves: at most 2,000 characters, several lines allowed.
    About "about" 2_000 true,
}

impl From<&Username> for DisplayName {
    fn from(username: &Username) -> Self {
        Self(username.0.clone())
    }
}

fn free_text(field: &'static str, text: &str, max_chars: usize, lines: bool) -> Result<Arc<str>> {
    // No character has more than four bytes: longer input need not be normalised to be refused. Normalising may
    // lengthen a text, so the count follows it.
    let text: String = if text.len() > max_chars * 4 {
        return Err(too_long(field, max_chars));
    } else {
        text.trim().nfc().collect()
    };
    if text.chars().count() > max_chars {
        return Err(too_long(field, max_chars));
    }
    let allowed =
        |character: char| !character.is_control() || lines && matches!(character, '\n' | '\r' | '\t');
    if !text.chars().all(allowed) {
        return Err(Error::invalid(field, "contains a control character"));
    }
    Ok(text.into())
}

fn too_long(field: &'static str, max_chars: usize) -> Error {
    Error::invalid(field, format!("is longer than {max_chars} characters"))
}

macro_rules! shown {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    )+};
}

shown!(Username, Email, DisplayName, Phone, About);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_script_is_kept_in_normal_form_c() {
        assert_eq!(Username::parse("re\u{301}mi").unwrap().as_str(), "rémi");
        for name in ["张伟", "o'neil", "first last", "a", "A.B@example.edu"] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_differ_in_case_or_width_are_one_name() {
        let key = |text| Username::parse(text).unwrap().key();
        assert_eq!(key("Alice"), key("aLICE"));
        assert_eq!(key("ａｌｉｃｅ"), key("alice"));
        assert_ne!(key("alice"), key("alicé"));
    }

    #[test]
    fn names_that_deceive_or_break_are_refused() {
        let over = "x".repeat(65);
        for name in [
            "",
            " a",
            "a ",
            "a\n",
            "a\0b",
            "a\u{202e}b",
            "a:b",
            "a\u{200b}b",
            "a/b",
            &over,
        ] {
            let error = Username::parse(name).unwrap_err();
            assert_eq!(error.field(), Some("username"), "{name:?}");
        }
        assert!(Username::parse(&"文".repeat(64)).is_ok());
    }

    #[test]
    fn an_address_has_one_at_and_a_domain() {
        for text in ["a@b.c", "王@大学.cn", "x+y@sub.example.edu", "root@localhost"] {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
        let long = format!("a@{}.edu", "b".repeat(250));
        for text in [
            "", "a", "@b.c", "a@", "a@b", "a@b..c", "a@@b.c", "a b@c.d", "a@b.c\n", "a@.c", &long,
        ] {
            assert_eq!(Email::parse(text).unwrap_err().field(), Some("email"), "{text}");
        }
    }

    #[test]
    fn free_texts_are_trimmed_and_limited() {
        assert_eq!(
            DisplayName::parse("  Ada Lovelace ").unwrap().as_str(),
            "Ada Lovelace"
        );
        assert_eq!(About::parse("two\nlines").unwrap().as_str(), "two\nlines");
        assert!(DisplayName::parse("two\nlines").is_err());
        assert!(About::parse(&"文".repeat(2_000)).is_ok() && About::parse(&"文".repeat(2_001)).is_err());
        assert_eq!(Phone::parse(&"1".repeat(65)).unwrap_err().field(), Some("phone"));
    }
}
