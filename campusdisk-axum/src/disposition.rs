//! `Content-Disposition` (RFC 6266, with the encoding of RFC 8187).

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Whether a browser saves a file or shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Save.
    Attachment,
    /// Show.
    Inline,
}

/// RFC 8187 §3.2.1: `attr-char` stays as it is.
const ENCODED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The header's value for a file of this name: an ASCII fallback and the name itself.
pub(crate) fn content_disposition(disposition: Disposition, name: &str) -> HeaderValue {
    let word = match disposition {
        Disposition::Attachment => "attachment",
        Disposition::Inline => "inline",
    };
    let fallback: String = name.chars().map(plain).collect();
    let encoded = utf8_percent_encode(name, &ENCODED);
    let text = format!("{word}; filename=\"{fallback}\"; filename*=UTF-8''{encoded}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(word))
}

/// RFC 6266 appendix D: no escapes, no percent signs, nothing but ASCII in the fallback.
fn plain(character: char) -> char {
    match character {
        '"' | '\\' | '%' => '_',
        ' '..='~' => character,
        _ => '_',
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_given_twice_once_for_old_clients() {
        for (name, expected) in [
            (
                "a b.txt",
                "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt",
            ),
            (
                "成绩.pdf",
                "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E6%88%90%E7%BB%A9.pdf",
            ),
            (
                "q\"uo%41.txt",
                "attachment; filename=\"q_uo_41.txt\"; filename*=UTF-8''q%22uo%2541.txt",
            ),
            (
                "it's (1)*.txt",
                "attachment; filename=\"it's (1)*.txt\"; filename*=UTF-8''it%27s%20%281%29%2A.txt",
            ),
            (
                "a;b=c",
                "attachment; filename=\"a;b=c\"; filename*=UTF-8''a%3Bb%3Dc",
            ),
        ] {
            assert_eq!(content_disposition(Disposition::Attachment, name), expected);
        }
    }

    #[test]
    fn no_name_can_end_the_header() {
        let value = content_disposition(Disposition::Inline, "a\r\nSet-Cookie: x=1\u{7f}");
        assert!(
            value
                .to_str()
                .unwrap()
                .starts_with("inline; filename=\"a__Set-Cookie: x=1_\"")
        );
    }

    proptest! {
        #[test]
        fn every_name_comes_back_and_has_a_plain_stand_in(name in any::<String>()) {
            let value = content_disposition(Disposition::Attachment, &name);
            let rest = value.to_str().unwrap().strip_prefix("attachment; filename=\"").unwrap();
            let (fallback, encoded) = rest.split_once("\"; filename*=UTF-8''").unwrap();
            prop_assert_eq!(percent_decode_str(encoded).decode_utf8().unwrap(), name.as_str());
            prop_assert_eq!(fallback.chars().count(), name.chars().count());
            prop_assert!(!fallback.contains(['"', '\\', '%']));
        }
    }
}
