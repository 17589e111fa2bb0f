//! Mounts: objects of others that may be published in place, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use campusdisk_core::mount::Mount;
use campusdisk_core::storage::StoreName;
use campusdisk_hdfs::HdfsMount;
use campusdisk_local::LocalMount;
use campusdisk_s3::S3Mount;
use serde::{Deserialize, Serialize};

use super::Config;
use super::store::{HdfsSettings, S3Settings, SecretText};
use crate::failure::{Failure, Outcome};

/// One mount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum MountSettings {
    Local(LocalMountSettings),
    Hdfs(HdfsMountSettings),
    S3(S3MountSettings),
}

impl MountSettings {
    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Hdfs(_) => "hdfs",
            Self::S3(_) => "s3",
        }
    }

    /// Opens the mount. Speaks to nobody yet.
    ///
    /// # Errors
    /// What is wrong with its settings.
    pub(crate) fn open(&self, name: &str, config: &Config) -> Outcome<Arc<dyn Mount>> {
        let opened = || -> campusdisk_core::Result<Arc<dyn Mount>> {
            Ok(match self {
                Self::Local(local) => {
                    let root = config.below_data(&local.path);
                    Arc::new(LocalMount::new(StoreName::parse(name)?, root))
                }
                Self::Hdfs(hdfs) => Arc::new(HdfsMount::connect(hdfs.as_store().client(name)?)?),
                Self::S3(s3) => Arc::new(S3Mount::connect(s3.as_store().client(name)?)?),
            })
        };
        opened().map_err(|error| {
            Failure::from(error).during(format_args!("the mount \"{name}\" ([mounts.{name}])"))
        })
    }
}

/// A folder of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalMountSettings {
    pub(crate) path: PathBuf,
}

/// A folder of an HDFS cluster. What has the name of a store's setting means the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HdfsMountSettings {
    pub(crate) root: String,
    pub(crate) url: Option<String>,
    pub(crate) conf_dir: Option<PathBuf>,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) keytab: Option<PathBuf>,
    pub(crate) window_bytes: u64,
    pub(crate) rpc_timeout_ms: u64,
    pub(crate) read_gap_ms: u64,
}

impl Default for HdfsMountSettings {
    fn default() -> Self {
        let store = HdfsSettings::default();
        Self {
            root: "/publish".to_owned(),
            url: store.url,
            conf_dir: store.conf_dir,
            options: store.options,
            user: store.user,
            principal: store.principal,
            keytab: store.keytab,
            window_bytes: store.window_bytes,
            rpc_timeout_ms: store.rpc_timeout_ms,
            read_gap_ms: store.read_gap_ms,
        }
    }
}

impl HdfsMountSettings {
    fn as_store(&self) -> HdfsSettings {
        HdfsSettings {
            root: self.root.clone(),
            url: self.url.clone(),
            conf_dir: self.conf_dir.clone(),
            options: self.options.clone(),
            user: self.user.clone(),
            principal: self.principal.clone(),
            keytab: self.keytab.clone(),
            window_bytes: self.window_bytes,
            rpc_timeout_ms: self.rpc_timeout_ms,
            read_gap_ms: self.read_gap_ms,
            ..HdfsSettings::default()
        }
    }
}

/// A prefix of a bucket. What has the name of a store's setting means the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct S3MountSettings {
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
}

impl Default for S3MountSettings {
    fn default() -> Self {
        let store = S3Settings::default();
        Self {
            bucket: "publish".to_owned(),
            endpoint: store.endpoint,
            region: store.region,
            path_style: store.path_style,
            access_key_id: store.access_key_id,
            secret_access_key: store.secret_access_key,
            prefix: store.prefix,
            allow_http: store.allow_http,
            connect_timeout_ms: store.connect_timeout_ms,
            read_timeout_ms: store.read_timeout_ms,
            max_retries: store.max_retries,
            retry_timeout_ms: store.retry_timeout_ms,
        }
    }
}

impl S3MountSettings {
    fn as_store(&self) -> S3Settings {
        S3Settings {
            bucket: self.bucket.clone(),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            path_style: self.path_style,
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            prefix: self.prefix.clone(),
            allow_http: self.allow_http,
            connect_timeout_ms: self.connect_timeout_ms,
            read_timeout_ms: self.read_timeout_ms,
            max_retries: self.max_retries,
            retry_timeout_ms: self.retry_timeout_ms,
            ..S3Settings::default()
        }
    }
}
