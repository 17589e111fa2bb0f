//! What an operator can set.

use std::fmt;
use std::time::Duration;

use campusdisk_core::storage::StoreName;
use campusdisk_core::{Error, Result};

const MIB: u64 = 1 << 20;

/// S3 refuses parts (but for the last one) below this.
const MIN_MULTIPART_BYTES: u64 = 5 * MIB;

/// S3 refuses single requests above this.
const MAX_REQUEST_BYTES: u64 = 5 << 30;

/// Where the bucket is and how to speak to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct S3Config {
    /// The store's name.
    pub name: StoreName,
    /// The bucket; it must be there already.
    pub bucket: String,
    /// Where the server is, such as `https://s3.campus.example`; `None` means Amazon's for the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for. Servers other than Amazon mostly want `us-east-1`, the default.
    pub region: String,
    /// Whether the bucket stands in the path (`https://host/bucket/key`) rather than in the host's name. Default `true`.
    pub path_style: bool,
    /// How requests are signed.
    pub credentials: S3Credentials,
    /// Names of the store's objects start with this and a `/`; empty means they start at the bucket's root.
    pub prefix: String,
    /// Whether plain `http://` is allowed. Default `false`.
    pub allow_http: bool,
    /// How long connecting may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How long the server may say nothing: between pieces of an answer, and from the start of a request to the first
    /// byte of its answer, sending included. There is no limit on a whole transfer. Default 30 s.
    pub read_timeout: Duration,
    /// How often at most a request is sent again when the server can't be reached, does not answer or answers 5xx, and a
    /// body that broke off is asked for again without a byte in between. Default 10.
    pub max_retries: usize,
    /// How long it is tried again, from the first try or from when a body broke off. Default 15 s: a server may restart meanwhile.
    ///
    /// So where nothing but 5xx is answered, reading ends in `Unavailable` after this and some 2 s, and writing, which looks
    /// once more whether the server did as asked, after twice that; where nothing is answered, both end after twice
    /// `read_timeout`.
    pub retry_timeout: Duration,
    /// How the server is told to encrypt what it stores. Default: not told, so the bucket's own setting holds.
    pub encryption: S3Encryption,
    /// Blobs up to this, or up to one part, go in one PUT and are in memory until it ends. Default 8 MiB.
    pub single_put_max_bytes: u64,
    /// The size of the parts of longer ones, at least 5 MiB. Default 8 MiB.
    pub multipart_bytes: u64,
    /// How many parts of one blob are sent at once; one writer holds this many and one more in memory. Default 4.
    pub parts_in_flight: usize,
    /// How many GETs at once bring one body. One is fastest from a server nearby; several gain where the way is long, or where the
    /// server brings each answer only so fast. Default 1: a span is one GET, however long.
    pub gets_in_flight: usize,
    /// How much each asks for where several are in flight; one body holds up to this many times their number in memory. Default 8 MiB.
    pub window_bytes: u64,
    /// Whether the server honours `If-None-Match: *` on PUT. When not, HEAD asks before each PUT. Default `true`.
    pub conditional_put: bool,
    /// How large the parts of an upload should be, as [`StoreInfo`](campusdisk_core::storage::StoreInfo) says it. Default 64 MiB.
    pub part_size_bytes: u64,
}

/// How the server is told to encrypt what it stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum S3Encryption {
    /// It is told nothing.
    #[default]
    Unasked,
    /// With keys of the server's own (SSE-S3, `AES256`).
    ServerKeys,
    /// With a key of the key management service (SSE-KMS, `aws:kms`).
    Kms {
        /// Which one.
        key_id: String,
    },
}

/// How requests are signed.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum S3Credentials {
    /// From `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and the like, or from the machine's own service.
    #[default]
    Environment,
    /// A fixed pair of keys.
    Keys {
        /// The public half.
        access_key_id: String,
        /// The secret half.
        secret_access_key: String,
    },
    /// Not at all.
    Anonymous,
}

impl S3Credentials {
    /// A fixed pair of keys.
    pub fn keys(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self::Keys {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
        }
    }
}

impl fmt::Debug for S3Credentials {
    /// Never shows the secret half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Keys { access_key_id, .. } => f
                .debug_struct("Keys")
                .field("access_key_id", access_key_id)
                .finish_non_exhaustive(),
            Self::Anonymous => f.write_str("Anonymous"),
        }
    }
}

impl S3Config {
    /// The defaults for `bucket`.
    pub fn new(name: StoreName, bucket: impl Into<String>) -> Self {
        Self {
            name,
            bucket: bucket.into(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: true,
            credentials: S3Credentials::default(),
            prefix: String::new(),
            allow_http: false,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            max_retries: 10,
            retry_timeout: Duration::from_secs(15),
            encryption: S3Encryption::default(),
            single_put_max_bytes: 8 * MIB,
            multipart_bytes: 8 * MIB,
            parts_in_flight: 4,
            gets_in_flight: 1,
            window_bytes: 8 * MIB,
            conditional_put: true,
            part_size_bytes: 64 * MIB,
        }
    }

    /// Sets where the server is.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Sets the region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets how requests are signed.
    #[must_use]
    pub fn with_credentials(mut self, credentials: S3Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets what the names of the store's objects start with.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Allows plain `http://`.
    #[must_use]
    pub fn with_allow_http(mut self, allow_http: bool) -> Self {
        self.allow_http = allow_http;
        self
    }

    /// Sets how the server is told to encrypt.
    #[must_use]
    pub fn with_encryption(mut self, encryption: S3Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// Refuses what S3 would refuse later, or what would make blobs land where nobody looks.
    pub(crate) fn check(&self) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let folders_are_plain = self.prefix.is_empty()
            || self.prefix.split('/').all(|folder| {
                !folder.is_empty() && folder != "." && folder != ".." && folder.bytes().all(plain)
            });
        if self.bucket.is_empty() {
            return Err(Error::invalid("bucket", "a bucket must be named"));
        }
        if !folders_are_plain {
            return Err(Error::invalid(
                "prefix",
                "a prefix is empty or folders of A-Z a-z 0-9 . - _ with one / between them, none at the ends",
            ));
        }
        if !(MIN_MULTIPART_BYTES..=MAX_REQUEST_BYTES).contains(&self.multipart_bytes) {
            return Err(Error::invalid(
                "multipart_bytes",
                "parts are between 5 MiB and 5 GiB",
            ));
        }
        if self.single_put_max_bytes > MAX_REQUEST_BYTES {
            return Err(Error::invalid(
                "single_put_max_bytes",
                "one PUT takes at most 5 GiB",
            ));
        }
        if let S3Encryption::Kms { key_id } = &self.encryption
            && key_id.is_empty()
        {
            return Err(Error::invalid("encryption", "the key must be named"));
        }
        if self.parts_in_flight == 0 {
            return Err(Error::invalid(
                "parts_in_flight",
                "at least one part must be in flight",
            ));
        }
        if self.gets_in_flight == 0 {
            return Err(Error::invalid(
                "gets_in_flight",
                "at least one GET must be in flight",
            ));
        }
        if self.window_bytes == 0 {
            return Err(Error::invalid("window_bytes", "a window has at least one byte"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> S3Config {
        S3Config::new(StoreName::parse("primary").unwrap(), "campus")
    }

    #[test]
    fn the_secret_key_never_shows() {
        let config = config().with_credentials(S3Credentials::keys("AKIA", "hunter2"));
        let shown = format!("{config:?}");
        assert!(shown.contains("AKIA") && !shown.contains("hunter2"));
    }

    #[test]
    fn a_prefix_that_would_be_rewritten_is_refused() {
        for prefix in ["/hall", "hall/", "a//b", "..", "a/../b", "a b", "a%2Fb"] {
            let error = config().with_prefix(prefix).check().unwrap_err();
            assert_eq!(error.field(), Some("prefix"), "{prefix}");
        }
        config().with_prefix("hall/blobs-1").check().unwrap();
        config().check().unwrap();
    }

    #[test]
    fn parts_below_five_mebibytes_are_refused() {
        let mut config = config();
        config.multipart_bytes = 4 * MIB;
        assert_eq!(config.check().unwrap_err().field(), Some("multipart_bytes"));
    }
}
