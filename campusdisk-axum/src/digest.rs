//! Digests that a client sends with its bytes: `Content-Digest` and `Repr-Digest` (RFC 9530), `Content-MD5`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campusdisk_core::{Algorithm, Checksum};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Problem, Result};

pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
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

/// One `key=:base64:` with any parameters after it.
fn parse_member(text: &str) -> Option<(&str, Vec<u8>)> {
    let (key, value) = text.trim_matches([' ', '\t']).split_once('=')?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte);
    if key.is_empty() || !key.bytes().all(fits) {
        return None;
    }
    let (value, parameters) = value.strip_prefix(':')?.split_once(':')?;
    if !parameters.is_empty() && !parameters.starts_with(';') {
        return None;
    }
    Some((key, STANDARD.decode(value).ok()?))
}

fn malformed(name: &HeaderName) -> Problem {
    Problem::bad_request(format!("the header {name} is malformed"))
}

#[cfg(test)]
mod tests {
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
    fn a_known_hash_is_told_as_repr_digest() {
        let mut digest = [0; 32];
        digest.copy_from_slice(&STANDARD.decode(SHA256_OF_HELLO).unwrap());
        assert_eq!(repr_digest(&digest), format!("sha-256=:{SHA256_OF_HELLO}:"));
    }
}
