//! Digests that a client sends with its bytes (`Content-Digest` and `Repr-Digest`, RFC 9530, and `Content-MD5`), and whether it takes
//! ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campusdisk_core::{Algorithm, Checksum};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Problem, Result};

pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The digests that a request's bytes must have. Algorithms we don't know are ignored (RFC 9530 §2).
///
/// # Errors
/// 400 when a header is malformed or a digest has the wrong length.
pub(crate) fn checksums(headers: &HeaderMap) -> Result<Vec<Checksum>> {
    let mut checksums = Vec::new();
    for name in [CONTENT_DIGEST, REPR_DIGEST] {
        // RFC 9651 §4.2: lines of a dictionary are joined by commas.
        for line in headers.get_all(&name) {
            let line = line.to_str().map_err(|_| malformed(&name))?;
            for member in line.split(',') {
                let (key, digest) = parse_member(member).ok_or_else(|| malformed(&name))?;
                if let Some(algorithm) = by_digest_name(key) {
                    checksums.push(checksum(&name, algorithm, &digest)?);
                }
            }
        }
    }
    for line in headers.get_all(&CONTENT_MD5) {
        let digest = STANDARD
            .decode(line.as_bytes())
            .map_err(|_| malformed(&CONTENT_MD5))?;
        checksums.push(checksum(&CONTENT_MD5, Algorithm::Md5, &digest)?);
    }
    Ok(checksums)
}

/// Whether a client takes the SHA-256 of what it fetches: unless it says that it is not acceptable, which is a preference of 0
/// (RFC 9530 §4). A header that is malformed says nothing.
pub(crate) fn takes_sha256(headers: &HeaderMap) -> bool {
    let mut preference = None;
    for line in headers.get_all(&WANT_REPR_DIGEST) {
        for member in line.to_str().unwrap_or_default().split(',') {
            match parse_preference(member) {
                // RFC 9651 §4.2.2: of a key that stands twice, the last value counts.
                Some(("sha-256", wanted)) => preference = Some(wanted),
                Some(_) => {}
                None => return true,
            }
        }
    }
    preference != Some(0)
}

/// The value of `Repr-Digest` for a SHA-256.
pub(crate) fn repr_digest(sha256: &[u8; 32]) -> HeaderValue {
    let text = format!("sha-256=:{}:", STANDARD.encode(sha256));
    // Base 64 is plain ASCII.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn checksum(name: &HeaderName, algorithm: Algorithm, digest: &[u8]) -> Result<Checksum> {
    Checksum::new(algorithm, digest).map_err(|_| malformed(name))
}

/// The names of RFC 9530's registry.
fn by_digest_name(name: &str) -> Option<Algorithm> {
    Some(match name {
        "sha-256" => Algorithm::Sha256,
        "sha-512" => Algorithm::Sha512,
        "sha" => Algorithm::Sha1,
        "md5" => Algorithm::Md5,
        _ => return None,
    })
}

/// One `key=preference`, 0 to 10, with any parameters after it.
fn parse_preference(text: &str) -> Option<(&str, u8)> {
    let (key, value) = parse_pair(text)?;
    let digits = value.split_once(';').map_or(value, |(digits, _)| digits);
    let preference = digits.parse().ok().filter(|preference| *preference <= 10)?;
    // RFC 9651 §3.3.1: a number has no plus before it.
    (!digits.starts_with('+')).then_some((key, preference))
}

/// One `key=:base64:` with any parameters after it.
fn parse_member(text: &str) -> Option<(&str, Vec<u8>)> {
    let (key, value) = parse_pair(text)?;
    let (value, parameters) = value.strip_prefix(':')?.split_once(':')?;
    if !parameters.is_empty() && !parameters.starts_with(';') {
        return None;
    }
    Some((key, STANDARD.decode(value).ok()?))
}

/// One member of a dictionary (RFC 9651 §4.2.2) that has a value.
fn parse_pair(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.trim_matches([' ', '\t']).split_once('=')?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
    (!key.is_empty() && key.bytes().all(fits)).then_some((key, value))
}

fn malformed(name: &HeaderName) -> Problem {
    Problem::bad_request(format!("the header {name} is malformed"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHA256_OF_HELLO: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    const MD5_OF_HELLO: &str = "XUFAKrxLKna5cZ2REBfFkg==";

    fn read(headers: &[(&'static str, &str)]) -> Option<Vec<Algorithm>> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let checksums = checksums(&headers).ok()?;
        Some(checksums.iter().map(Checksum::algorithm).collect())
    }

    #[test]
    fn digests_of_every_header_are_read() {
        let several = format!("md5=:{MD5_OF_HELLO}:, sha-256=:{SHA256_OF_HELLO}:;q=1");
        assert_eq!(read(&[]), Some(vec![]));
        assert_eq!(
            read(&[("content-digest", &several), ("content-md5", MD5_OF_HELLO)]),
            Some(vec![Algorithm::Md5, Algorithm::Sha256, Algorithm::Md5])
        );
        let sha256 = format!("sha-256=:{SHA256_OF_HELLO}:");
        assert_eq!(read(&[("repr-digest", &sha256)]), Some(vec![Algorithm::Sha256]));
    }

    #[test]
    fn unknown_algorithms_are_ignored() {
        assert_eq!(read(&[("content-digest", "crc32c=:AAAAAA==:")]), Some(vec![]));
    }

    #[test]
    fn malformed_digests_are_refused() {
        for text in [
            "",
            "sha-256",
            "sha-256=abc",
            "sha-256=:abc",
            "sha-256=:!!:",
            "sha-256=:AAAA:",
            "SHA-256=:AAAA:",
            "sha-256=:AAAA:x",
        ] {
            assert_eq!(read(&[("content-digest", text)]), None, "{text}");
        }
        assert_eq!(read(&[("content-md5", "AAAA")]), None);
        assert_eq!(read(&[("content-md5", "é")]), None);
    }

    #[test]
    fn a_client_takes_the_hash_unless_it_says_that_it_is_not_acceptable() {
        let takes = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (WANT_REPR_DIGEST, line.parse().unwrap()));
            takes_sha256(&lines.collect())
        };
        for lines in [
            &[][..],
            &["sha-256=1"],
            &["sha-512=3, sha-256=10, unixsum=0"],
            &["sha-512=10"],
            &["sha-256=0, sha-256=1"],
            &["sha-256=0", "sha-256=2;q=1"],
            &["sha-256=0,"],
            &["sha-256=0, sha-512=11"],
            &["sha-256=0, sha-512=-1"],
            &["sha-256=0, sha-512=+1"],
            &["sha-256=0, ü=1"],
            &["SHA-256=0"],
            &["sha-256=:AAAA:"],
        ] {
            assert!(takes(lines), "{lines:?}");
        }
        for lines in [
            &["sha-256=0"][..],
            &["sha-512=10,\tsha-256=0;q=1"],
            &["sha-256=5", "sha-256=0"],
        ] {
            assert!(!takes(lines), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_a_parser_panic(text in "[ -~\t\u{80}-\u{ff}]{0,60}", key in "(md5|sha-256|sha|x)=[:;A-Za-z0-9+/=]{0,50}") {
            for text in [text, key] {
                let value = HeaderValue::from_str(&text).or_else(|_| HeaderValue::from_bytes(text.as_bytes()));
                let Ok(value) = value else { continue };
                let headers = [CONTENT_DIGEST, REPR_DIGEST, CONTENT_MD5, WANT_REPR_DIGEST].map(|name| (name, value.clone()));
                let headers: HeaderMap = headers.into_iter().collect();
                takes_sha256(&headers);
                if let Ok(checksums) = checksums(&headers) {
                    let members = text.split(',').count();
                    prop_assert!(checksums.len() <= 2 * members + 1);
                }
            }
        }

        #[test]
        fn a_digest_of_ours_is_read_back(sha256: [u8; 32]) {
            let headers = [(REPR_DIGEST, repr_digest(&sha256))].into_iter().collect();
            let read = checksums(&headers).unwrap();
            prop_assert_eq!(read, vec![Checksum::new(Algorithm::Sha256, &sha256).unwrap()]);
        }
    }

    #[test]
    fn a_known_hash_is_told_as_repr_digest() {
        let mut digest = [0; 32];
        digest.copy_from_slice(&STANDARD.decode(SHA256_OF_HELLO).unwrap());
        assert_eq!(repr_digest(&digest), format!("sha-256=:{SHA256_OF_HELLO}:"));
    }
}
