//! The bucket as every part of the store sees it: its client, and where in it things lie.

use std::borrow::Cow;
use std::sync::Arc;

use campusdisk_core::storage::{BlobKey, StoreInfo};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{Attribute, ClientOptions, GetOptions, ObjectStore};

use crate::config::S3Credentials;
use crate::error::Failure;
use crate::retry;
use crate::{S3Config, S3Encryption};

/// S3 takes no more parts for one object.
const MAX_PARTS: u64 = 10_000;

/// S3 takes no longer object.
const MAX_OBJECT_BYTES: u64 = 5 << 40;

/// The metadata that says who wrote an object. Letters only: Azure takes nothing else.
pub(crate) const MARK: Attribute = Attribute::Metadata(Cow::Borrowed("campusdiskwriter"));

/// Says whose the prefix is.
const IDENTITY: &str = "campusdisk-identity";

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) config: S3Config,
    pub(crate) info: StoreInfo,
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Present where the server is known to speak S3: what `object_store` has no common words for.
    pub(crate) amazon: Option<Arc<AmazonS3>>,
}

impl Bucket {
    pub(crate) fn new(
        config: S3Config,
        objects: Arc<dyn ObjectStore>,
        amazon: Option<Arc<AmazonS3>>,
    ) -> Self {
        let longest = (config.multipart_bytes.saturating_mul(MAX_PARTS)).min(MAX_OBJECT_BYTES);
        let info = StoreInfo::new(config.name.clone())
            .with_part_size_bytes(config.part_size_bytes)
            .with_max_blob_bytes(longest)
            .with_remote(true);
        Self {
            config,
            info,
            objects,
            amazon,
        }
    }

    /// Where a blob lies.
    pub(crate) fn path(&self, key: &BlobKey) -> Path {
        let (outer, inner) = key.folders();
        self.root().join(outer).join(inner).join(key.as_str())
    }

    /// Where the identity object lies.
    pub(crate) fn identity(&self) -> Path {
        self.root().join(IDENTITY)
    }

    /// Under what everything of this store lies.
    pub(crate) fn root(&self) -> Path {
        // The prefix is plain, so nothing in it is encoded.
        Path::from(self.config.prefix.as_str())
    }

    /// The key of the blob at `path`, if a blob of this store lies there.
    pub(crate) fn key_at(&self, path: &Path) -> Option<BlobKey> {
        let key: BlobKey = path.filename()?.parse().ok()?;
        (self.path(&key) == *path).then_some(key)
    }

    /// What lies at `path`, or `None` where there is nothing.
    pub(crate) async fn stored(&self, path: &Path) -> Result<Option<Stored>, Failure> {
        let head = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.objects.get_opts(path, head).await.map_err(Failure::from) {
            Ok(answer) => Ok(Some(Stored {
                len_bytes: answer.meta.size,
                mark: answer.attributes.get(&MARK).map(|mark| mark.as_ref().to_owned()),
            })),
            Err(failure) if failure.kind() == campusdisk_core::ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// How errors name a blob.
    pub(crate) fn subject(&self, key: &BlobKey) -> String {
        format!("{key} in store {}", self.info.name)
    }

    /// How errors name the store.
    pub(crate) fn store_subject(&self) -> String {
        format!("store {}", self.info.name)
    }
}

/// What the server says about an object.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) len_bytes: u64,
    /// Who wrote it, where the server keeps metadata.
    pub(crate) mark: Option<String>,
}

/// How long to wait for what, as the client of `object_store` takes it.
pub(crate) fn client_options(config: &S3Config) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(config.connect_timeout)
        .with_read_timeout(config.read_timeout)
        // The limit on a whole request would include its body, whatever its length.
        .with_timeout_disabled()
}

/// A client of the bucket that S3's own protocol is spoken to.
pub(crate) fn amazon(config: &S3Config) -> Result<AmazonS3, Failure> {
    let builder = match &config.credentials {
        S3Credentials::Environment => AmazonS3Builder::from_env(),
        S3Credentials::Anonymous => AmazonS3Builder::new().with_skip_signature(true),
        S3Credentials::Keys {
            access_key_id,
            secret_access_key,
        } => AmazonS3Builder::new()
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key),
    };
    let builder = match &config.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    };
    let builder = match &config.encryption {
        S3Encryption::Unasked => builder,
        S3Encryption::ServerKeys => {
            let setting = "aws_server_side_encryption".parse().map_err(Failure::from)?;
            builder.with_config(setting, "AES256")
        }
        S3Encryption::Kms { key_id } => builder.with_sse_kms_encryption(key_id),
    };
    builder
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(!config.path_style)
        .with_conditional_put(if config.conditional_put {
            S3ConditionalPut::ETagMatch
        } else {
            S3ConditionalPut::Disabled
        })
        .with_client_options(client_options(config))
        .with_retry(retry::of_requests(config))
        .build()
        .map_err(Failure::from)
}
