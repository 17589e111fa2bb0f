//! Identifiers: opaque, 128 bits, written as 26 characters of Crockford's base 32.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result, Timestamp};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;

/// What each byte stands for in the alphabet; beyond it, that it is none of it.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// Makes random numbers for ids and secrets.
///
/// # Contract
/// * **I1** Each call returns 128 bits that can't be guessed from earlier ones (tests may break this on purpose).
/// * **I2** No I/O and no blocking worth naming.
pub trait IdSource: fmt::Debug + Send + Sync + 'static {
    /// 128 random bits.
    fn random(&self) -> u128;
}

/// Ids from the thread's cryptographic generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn random(&self) -> u128 {
        rand::random()
    }
}

/// 128 bits as 26 characters.
pub(crate) fn encode(value: u128) -> String {
    let mut text = [0u8; LENGTH];
    let mut rest = value;
    for slot in text.iter_mut().rev() {
        // Five bits index 32 characters, so the lookup can't miss.
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    text.iter().map(|&byte| char::from(byte)).collect()
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != LENGTH {
        return None;
    }
    text.bytes().enumerate().try_fold(0u128, |value, (index, byte)| {
        let digit = DIGITS[usize::from(byte)];
        // 26 characters hold 130 bits: the first may use only three of its five.
        let most = if index == 0 { 7 } else { 31 };
        (digit <= most).then(|| value << 5 | u128::from(digit))
    })
}

/// A number whose first 48 bits are the time, so that rows made together lie together in an index.
pub(crate) fn time_ordered(now: Timestamp, random: u128) -> u128 {
    let millis = u128::from(now.as_millis().unsigned_abs() & 0xffff_ffff_ffff);
    millis << 80 | random >> 48
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The id with this number.
            pub const fn from_u128(value: u128) -> Self {
                Self(value)
            }

            /// The id as a number.
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// A fresh id that sorts by the time it was made.
            pub fn generate(now: Timestamp, ids: &dyn IdSource) -> Self {
                Self(time_ordered(now, ids.random()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// # Errors
            /// [`NotFound`](crate::ErrorKind::NotFound): a text that is no id names nothing.
            fn from_str(text: &str) -> Result<Self> {
                decode(text).map(Self).ok_or_else(Error::not_found)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(|_| serde::de::Error::custom("is no id"))
            }
        }
    )+};
}

ids! {
    /// Names a drive.
    DriveId,
    /// Names a node, for as long as it exists, wherever it is moved.
    NodeId,
    /// Names the bytes of one file version.
    ContentId,
    /// Names an upload.
    UploadId,
    /// Names a share (its link carries a token, not this).
    ShareId,
    /// Names one visitor's admission to one share.
    TicketId,
    /// Names a download; it begins with the time of its first byte, so that records are in the order in which downloads began.
    DownloadId,
    /// Names an event.
    EventId,
    /// Names a change set.
    ChangeId,
    /// Names one installation of the catalog; every store root carries it.
    InstallationId,
}

/// Names an account. A host that keeps its own logins brings its own.
///
/// 1 to 128 bytes of printable ASCII without white space, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AccountId(std::sync::Arc<str>);

/// Names a group of accounts; the same form as an [`AccountId`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct GroupId(std::sync::Arc<str>);

macro_rules! host_ids {
    ($($name:ident $what:literal),+) => {$(
        impl $name {
            /// Longest id in bytes.
            pub const MAX_BYTES: usize = 128;

            /// Reads an id of the host.
            ///
            /// # Errors
            /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when it is empty, over 128 bytes, or has a byte that is not printable ASCII.
            pub fn parse(text: &str) -> Result<Self> {
                if text.is_empty() || text.len() > Self::MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(Error::invalid($what, "an id is 1 to 128 bytes of printable ASCII without spaces"));
                }
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

host_ids!(AccountId "account", GroupId "group");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_was_written() {
        for value in [0, 1, 31, 32, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let id = NodeId::from_u128(value);
            assert_eq!(id.to_string().parse::<NodeId>().unwrap(), id);
            assert_eq!(id.to_string().len(), LENGTH);
        }
    }

    #[test]
    fn what_is_no_id_names_nothing() {
        for text in [
            "",
            "0",
            "zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "0000000000000000000000000A",
            "0000000000000000000000000/",
        ] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_made_later_sort_later() {
        let early = NodeId::generate(Timestamp::from_millis(1000), &RandomIds);
        let late = NodeId::generate(Timestamp::from_millis(1001), &RandomIds);
        assert!(early < late && early.to_string() < late.to_string());
    }
}
