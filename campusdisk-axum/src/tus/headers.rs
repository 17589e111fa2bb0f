//! The headers of tus 1.0.0, read into data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campusdisk_core::{Algorithm, Checksum, UploadId};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::{Problem, Result};

pub(crate) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(crate) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(crate) const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(crate) const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(crate) const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
pub(crate) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(crate) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(crate) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(crate) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(crate) const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
pub(crate) const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
pub(crate) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// The only version of the protocol there is.
pub(crate) const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
/// The type of what is appended.
pub(crate) const OFFSET_STREAM: &str = "application/offset+octet-stream";
/// Longest `Upload-Metadata` in bytes.
pub(crate) const MAX_METADATA_BYTES: usize = 16 << 10;

/// Refuses other versions of the protocol with the ones we speak.
///
/// # Errors
/// 412.
pub(crate) fn check_version(headers: &HeaderMap) -> Result<()> {
    if headers.get(TUS_RESUMABLE) == Some(&VERSION) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "tus_version",
        "Tus-Resumable has to be 1.0.0",
    )
    .with_header(TUS_VERSION, VERSION))
}

/// The pairs of `Upload-Metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata(Vec<(String, Vec<u8>)>);

impl Metadata {
    /// Reads the header; no header is no pairs.
    ///
    /// # Errors
    /// 400 when it is malformed or names a key twice, 413 when it is too long.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self> {
        let Some(text) = single(headers, UPLOAD_METADATA)? else {
            return Ok(Self::default());
        };
        if text.len() > MAX_METADATA_BYTES {
            return Err(Problem::too_large(format!(
                "Upload-Metadata is longer than {MAX_METADATA_BYTES} bytes"
            )));
        }
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            // A key may stand without a value.
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = STANDARD
                .decode(value.trim())
                .map_err(|_| malformed(&UPLOAD_METADATA))?;
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(malformed(&UPLOAD_METADATA));
            }
            pairs.push((key.to_owned(), value));
        }
        Ok(Self(pairs))
    }

    /// The text of a key, if it is there.
    ///
    /// # Errors
    /// 422 when it is not UTF-8.
    pub(crate) fn text(&self, key: &'static str) -> Result<Option<&str>> {
        let value = self
            .0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value);
        value
            .map(|value| std::str::from_utf8(value).map_err(|_| Problem::invalid(key, "is not UTF-8")))
            .transpose()
    }
}

/// How long an upload will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many bytes.
    Known(u64),
    /// Said with a later PATCH.
    Deferred,
}

impl Length {
    /// Reads `Upload-Length` or `Upload-Defer-Length`, one of which a creation has to have.
    ///
    /// # Errors
    /// 400 with both, with none, or when either is malformed.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self> {
        match (
            number(headers, UPLOAD_LENGTH)?,
            single(headers, UPLOAD_DEFER_LENGTH)?,
        ) {
            (Some(length), None) => Ok(Self::Known(length)),
            (None, Some("1")) => Ok(Self::Deferred),
            (None, Some(_)) => Err(malformed(&UPLOAD_DEFER_LENGTH)),
            _ => Err(Problem::bad_request(
                "exactly one of Upload-Length and Upload-Defer-Length is needed",
            )),
        }
    }

    /// The length, where it is known.
    pub(crate) fn known(self) -> Option<u64> {
        match self {
            Self::Known(length) => Some(length),
            Self::Deferred => None,
        }
    }
}

/// What `Upload-Concat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Concat {
    /// The upload is a part.
    Partial,
    /// The upload is made of these parts.
    Final(Vec<UploadId>),
}

impl Concat {
    /// Reads the header; `None` for an upload that is neither.
    ///
    /// # Errors
    /// 400 when it is malformed or names no part, 404 for a part's address that can't be one of ours.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(text) = single(headers, UPLOAD_CONCAT)? else {
            return Ok(None);
        };
        if text == "partial" {
            return Ok(Some(Self::Partial));
        }
        let parts = text
            .strip_prefix("final;")
            .ok_or_else(|| malformed(&UPLOAD_CONCAT))?;
        let parts = parts
            .split_ascii_whitespace()
            .map(part_id)
            .collect::<Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Err(malformed(&UPLOAD_CONCAT));
        }
        Ok(Some(Self::Final(parts)))
    }
}

/// `Upload-Checksum`.
///
/// # Errors
/// 400 when it is malformed or of an algorithm that we don't speak.
pub(crate) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>> {
    let Some(text) = single(headers, UPLOAD_CHECKSUM)? else {
        return Ok(None);
    };
    let (name, digest) = text.split_once(' ').ok_or_else(|| malformed(&UPLOAD_CHECKSUM))?;
    let algorithm = match name {
        "sha1" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "md5" => Algorithm::Md5,
        _ => {
            return Err(Problem::bad_request(
                "Upload-Checksum is none of sha1, sha256 and md5",
            ));
        }
    };
    let digest = STANDARD
        .decode(digest.trim())
        .map_err(|_| malformed(&UPLOAD_CHECKSUM))?;
    Checksum::new(algorithm, &digest)
        .map(Some)
        .map_err(|_| malformed(&UPLOAD_CHECKSUM))
}

/// A header that is a number of bytes.
///
/// # Errors
/// 400 when it is none.
pub(crate) fn number(headers: &HeaderMap, name: HeaderName) -> Result<Option<u64>> {
    let Some(text) = single(headers, name.clone())? else {
        return Ok(None);
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        // What a catalog can count is half of what the type can.
        Ok(number) if digits && i64::try_from(number).is_ok() => Ok(Some(number)),
        _ => Err(malformed(&name)),
    }
}

/// The SHA-256 that a client declares in hexadecimal digits.
pub(crate) fn hex_sha256(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (slot, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>> {
    let mut lines = headers.get_all(&name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    match (line.to_str(), lines.next()) {
        (Ok(text), None) => Ok(Some(text.trim())),
        _ => Err(malformed(&name)),
    }
}

/// The id at the end of a part's address, relative or absolute.
fn part_id(address: &str) -> Result<UploadId> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Ok(last.parse::<UploadId>()?)
}

fn malformed(name: &HeaderName) -> Problem {
    Problem::bad_request(format!("the header {name} is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn status<T>(result: Result<T>) -> u16 {
        result.err().map_or(200, |problem| problem.status().as_u16())
    }

    #[test]
    fn only_version_1_0_0_is_spoken() {
        assert_eq!(status(check_version(&headers(&[(TUS_RESUMABLE, "1.0.0")]))), 200);
        assert_eq!(status(check_version(&headers(&[(TUS_RESUMABLE, "0.2.2")]))), 412);
        assert_eq!(status(check_version(&headers(&[]))), 412);
    }

    #[test]
    fn metadata_is_read_pair_by_pair() {
        let metadata = |text: &str| Metadata::parse(&headers(&[(UPLOAD_METADATA, text)]));
        let read = metadata("filename 5pWw5a2mLnBkZg==,is_confidential, parent YWJj").unwrap();
        assert_eq!(read.text("filename").unwrap(), Some("数学.pdf"));
        assert_eq!(read.text("is_confidential").unwrap(), Some(""));
        assert_eq!(read.text("parent").unwrap(), Some("abc"));
        assert_eq!(read.text("missing").unwrap(), None);
        assert_eq!(metadata("").unwrap(), Metadata::default());
        for text in [
            "filename a b",
            "filename !",
            "a YQ==,a YQ==",
            "filename YQ=",
            "filename YQ",
        ] {
            assert_eq!(status(metadata(text)), 400, "{text}");
        }
        assert_eq!(status(metadata("filename /w==").unwrap().text("filename")), 422);
        assert_eq!(status(metadata(&"a".repeat(MAX_METADATA_BYTES + 1))), 413);
    }

    #[test]
    fn a_length_is_known_or_deferred_and_never_both() {
        let length = |pairs: &[(HeaderName, &str)]| Length::parse(&headers(pairs));
        assert_eq!(length(&[(UPLOAD_LENGTH, "0")]).unwrap(), Length::Known(0));
        assert_eq!(length(&[(UPLOAD_DEFER_LENGTH, "1")]).unwrap(), Length::Deferred);
        for pairs in [
            &[][..],
            &[(UPLOAD_LENGTH, "1"), (UPLOAD_DEFER_LENGTH, "1")],
            &[(UPLOAD_DEFER_LENGTH, "2")],
            &[(UPLOAD_LENGTH, "-1")],
            &[(UPLOAD_LENGTH, "+1")],
            &[(UPLOAD_LENGTH, "1.5")],
            &[(UPLOAD_LENGTH, "")],
            &[(UPLOAD_LENGTH, "9223372036854775808")],
            &[(UPLOAD_LENGTH, "99999999999999999999999")],
            &[(UPLOAD_LENGTH, "1"), (UPLOAD_LENGTH, "1")],
        ] {
            assert_eq!(status(length(pairs)), 400, "{pairs:?}");
        }
    }

    #[test]
    fn parts_are_named_by_relative_or_absolute_addresses() {
        let concat = |text: &str| Concat::parse(&headers(&[(UPLOAD_CONCAT, text)]));
        let id = |number: u128| UploadId::from_u128(number);
        assert_eq!(concat("partial").unwrap(), Some(Concat::Partial));
        let text = format!(
            "final;/api/v1/uploads/{} https://x.example/p/uploads/{}?a=b {}",
            id(1),
            id(2),
            id(3)
        );
        assert_eq!(
            concat(&text).unwrap(),
            Some(Concat::Final(vec![id(1), id(2), id(3)]))
        );
        assert_eq!(Concat::parse(&headers(&[])).unwrap(), None);
        assert_eq!(status(concat("final;")), 400);
        assert_eq!(status(concat("finally")), 400);
        assert_eq!(status(concat("final;/uploads/x")), 404);
    }

    #[test]
    fn checksums_of_three_algorithms_are_read() {
        let read = |text: &str| checksum(&headers(&[(UPLOAD_CHECKSUM, text)]));
        let sha1 = read("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap().unwrap();
        assert_eq!(sha1.algorithm(), Algorithm::Sha1);
        assert_eq!(checksum(&headers(&[])).unwrap(), None);
        for text in [
            "crc32 AAAA",
            "sha1",
            "sha1 !",
            "sha1 AAAA",
            "md5 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        ] {
            assert_eq!(status(read(text)), 400, "{text}");
        }
    }

    #[test]
    fn a_declared_sha256_has_64_hexadecimal_digits() {
        assert_eq!(hex_sha256(&"aB".repeat(32)), Some([0xab; 32]));
        for text in [
            "",
            &"ab".repeat(31),
            &"ab".repeat(33),
            &"+b".repeat(32),
            &"é".repeat(32),
        ] {
            assert_eq!(hex_sha256(text), None, "{text}");
        }
    }
}
