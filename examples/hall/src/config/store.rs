//! Stores: where bytes live, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use campusdisk_core::storage::{BlobStore, StoreName};
use campusdisk_hdfs::{HdfsConfig, HdfsStore, WritePath};
use campusdisk_local::{LocalConfig, LocalStore};
use campusdisk_s3::{S3Config, S3Credentials, S3Encryption, S3Store};
use serde::{Deserialize, Serialize};

use super::Config;
use crate::failure::{Failure, Outcome};

const MIB: u64 = 1 << 20;

/// One store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum StoreSettings {
    Local(LocalSettings),
    Hdfs(HdfsSettings),
    S3(S3Settings),
}

impl StoreSettings {
    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Hdfs(_) => "hdfs",
            Self::S3(_) => "s3",
        }
    }

    /// Opens the store.
    ///
    /// # Errors
    /// What is wrong with its settings, or why it can't be reached where that shows at once.
    pub(crate) async fn open(&self, name: &str, config: &Config) -> Outcome<Arc<dyn BlobStore>> {
        let opened = match self {
            Self::Local(local) => local.open(name, config).await,
            Self::Hdfs(hdfs) => hdfs.open(name, config),
            Self::S3(s3) => s3.open(name),
        };
        opened.map_err(|error| {
            Failure::from(error).during(format_args!("the store \"{name}\" ([stores.{name}])"))
        })
    }
}

type Opened = campusdisk_core::Result<Arc<dyn BlobStore>>;

/// A folder of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LocalSettings {
    pub(crate) path: PathBuf,
    pub(crate) part_size_bytes: u64,
    pub(crate) direct_io: bool,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("blobs"),
            part_size_bytes: 64 * MIB,
            direct_io: true,
        }
    }
}

impl LocalSettings {
    async fn open(&self, name: &str, config: &Config) -> Opened {
        let local = LocalConfig::new(StoreName::parse(name)?, config.below_data(&self.path))
            .with_part_size_bytes(self.part_size_bytes)
            .with_direct_io(self.direct_io)
            .with_reserve_bytes(config.storage.reserve_bytes);
        Ok(Arc::new(LocalStore::open(local).await?))
    }
}

/// A folder of an HDFS cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HdfsSettings {
    pub(crate) root: String,
    pub(crate) url: Option<String>,
    pub(crate) conf_dir: Option<PathBuf>,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) keytab: Option<PathBuf>,
    pub(crate) replication: Option<u32>,
    pub(crate) block_size_bytes: u64,
    pub(crate) window_bytes: u64,
    pub(crate) rpc_timeout_ms: u64,
    pub(crate) read_gap_ms: u64,
    pub(crate) write_gap_ms: u64,
    pub(crate) write_path: WriteWay,
    pub(crate) sync_blocks: bool,
    pub(crate) web_urls: Vec<String>,
    pub(crate) avoid_for_seconds: u64,
    pub(crate) trash: bool,
    pub(crate) spool_dir: PathBuf,
}

/// How blobs are written to HDFS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WriteWay {
    #[default]
    Auto,
    WebHdfs,
    Native,
}

impl From<WriteWay> for WritePath {
    fn from(way: WriteWay) -> Self {
        match way {
            WriteWay::Auto => Self::Auto,
            WriteWay::WebHdfs => Self::WebHdfs,
            WriteWay::Native => Self::Native,
        }
    }
}

impl Default for HdfsSettings {
    fn default() -> Self {
        Self {
            root: "/campusdisk".to_owned(),
            url: None,
            conf_dir: None,
            options: BTreeMap::new(),
            user: None,
            principal: None,
            keytab: None,
            replication: None,
            block_size_bytes: 128 * MIB,
            window_bytes: 4 * MIB,
            rpc_timeout_ms: 10_000,
            read_gap_ms: 5000,
            write_gap_ms: 20_000,
            write_path: WriteWay::Auto,
            sync_blocks: true,
            web_urls: Vec::new(),
            avoid_for_seconds: 660,
            trash: false,
            spool_dir: PathBuf::from("spool"),
        }
    }
}

impl HdfsSettings {
    fn open(&self, name: &str, config: &Config) -> Opened {
        let mut hdfs = self.client(name)?;
        hdfs.spool_dir = config.below_data(&self.spool_dir);
        Ok(Arc::new(HdfsStore::connect(hdfs)?))
    }

    /// All but where parts lie on their way.
    pub(super) fn client(&self, name: &str) -> campusdisk_core::Result<HdfsConfig> {
        let mut hdfs = HdfsConfig::new(StoreName::parse(name)?, self.root.clone());
        hdfs.url = self.url.clone();
        hdfs.conf_dir = self.conf_dir.clone();
        hdfs.options = self.options.clone().into_iter().collect();
        hdfs.user = self.user.clone();
        hdfs.principal = self.principal.clone();
        hdfs.keytab = self.keytab.clone();
        hdfs.replication = self.replication;
        hdfs.block_size_bytes = self.block_size_bytes;
        hdfs.window_bytes = self.window_bytes;
        hdfs.rpc_timeout = Duration::from_millis(self.rpc_timeout_ms);
        hdfs.read_gap = Duration::from_millis(self.read_gap_ms);
        hdfs.write_gap = Duration::from_millis(self.write_gap_ms);
        hdfs.write_path = self.write_path.into();
        hdfs.sync_blocks = self.sync_blocks;
        hdfs.web_urls = self.web_urls.clone();
        hdfs.avoid_for = Duration::from_secs(self.avoid_for_seconds);
        hdfs.trash = self.trash;
        Ok(hdfs)
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct S3Settings {
    pub(crate) bucket: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) path_style: bool,
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<SecretText>,
    pub(crate) prefix: String,
    pub(crate) allow_http: bool,
    pub(crate) connect_timeout_ms: u64,
    pub(crate) read_timeout_ms: u64,
    pub(crate) max_retries: usize,
    pub(crate) retry_timeout_ms: u64,
    pub(crate) encryption: EncryptionWay,
    pub(crate) encryption_key_id: Option<String>,
    pub(crate) single_put_max_bytes: u64,
    pub(crate) multipart_bytes: u64,
    pub(crate) parts_in_flight: usize,
    pub(crate) gets_in_flight: usize,
    pub(crate) window_bytes: u64,
    pub(crate) conditional_put: bool,
    pub(crate) part_size_bytes: u64,
}

/// How the server is told to encrypt what it stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EncryptionWay {
    #[default]
    None,
    S3,
    Kms,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            bucket: "campusdisk".to_owned(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: true,
            access_key_id: None,
            secret_access_key: None,
            prefix: String::new(),
            allow_http: false,
            connect_timeout_ms: 5000,
            read_timeout_ms: 30_000,
            max_retries: 10,
            retry_timeout_ms: 15_000,
            encryption: EncryptionWay::None,
            encryption_key_id: None,
            single_put_max_bytes: 8 * MIB,
            multipart_bytes: 8 * MIB,
            parts_in_flight: 4,
            gets_in_flight: 1,
            window_bytes: 8 * MIB,
            conditional_put: true,
            part_size_bytes: 64 * MIB,
        }
    }
}

impl S3Settings {
    fn open(&self, name: &str) -> Opened {
        Ok(Arc::new(S3Store::connect(self.client(name)?)?))
    }

    pub(super) fn client(&self, name: &str) -> campusdisk_core::Result<S3Config> {
        let mut s3 = S3Config::new(StoreName::parse(name)?, self.bucket.clone());
        s3.endpoint = self.endpoint.clone();
        s3.region = self.region.clone();
        s3.path_style = self.path_style;
        s3.credentials = self.credentials()?;
        s3.prefix = self.prefix.clone();
        s3.allow_http = self.allow_http;
        s3.connect_timeout = Duration::from_millis(self.connect_timeout_ms);
        s3.read_timeout = Duration::from_millis(self.read_timeout_ms);
        s3.max_retries = self.max_retries;
        s3.retry_timeout = Duration::from_millis(self.retry_timeout_ms);
        s3.encryption = self.encryption()?;
        s3.single_put_max_bytes = self.single_put_max_bytes;
        s3.multipart_bytes = self.multipart_bytes;
        s3.parts_in_flight = self.parts_in_flight;
        s3.gets_in_flight = self.gets_in_flight;
        s3.window_bytes = self.window_bytes;
        s3.conditional_put = self.conditional_put;
        s3.part_size_bytes = self.part_size_bytes;
        Ok(s3)
    }

    fn encryption(&self) -> campusdisk_core::Result<S3Encryption> {
        match (self.encryption, &self.encryption_key_id) {
            (EncryptionWay::None, None) => Ok(S3Encryption::Unasked),
            (EncryptionWay::S3, None) => Ok(S3Encryption::ServerKeys),
            (EncryptionWay::Kms, Some(key_id)) => Ok(S3Encryption::Kms {
                key_id: key_id.clone(),
            }),
            _ => Err(campusdisk_core::Error::invalid(
                "encryption_key_id",
                "goes with encryption = \"kms\": give both or neither",
            )),
        }
    }

    fn credentials(&self) -> campusdisk_core::Result<S3Credentials> {
        match (&self.access_key_id, &self.secret_access_key) {
            (None, None) => Ok(S3Credentials::Environment),
            (Some(id), Some(secret)) => Ok(S3Credentials::keys(id.clone(), secret.0.clone())),
            _ => Err(campusdisk_core::Error::invalid(
                "access_key_id",
                "goes with secret_access_key: give both or neither",
            )),
        }
    }
}

/// A secret of the configuration: never shown, never written back.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretText(pub(super) String);

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
