//! The stores that are measured, by their names in the file that `CAMPUSDISK_BENCH_CONFIG` names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use campusdisk_core::memory::MemoryStore;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions, StoreInfo, StoreName};
use campusdisk_core::{IdSource as _, RandomIds};
use campusdisk_hdfs::{HdfsConfig, HdfsStore};
use campusdisk_local::{LocalConfig, LocalStore};
use campusdisk_s3::{S3Config, S3Credentials, S3Store};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{Fallible, pieces};

/// Names the configuration file.
pub const CONFIG_ENV: &str = "CAMPUSDISK_BENCH_CONFIG";

/// How many blobs are deleted at once.
const DELETED_AT_ONCE: usize = 100;

/// A store under measure. It lies in a folder of its own below what the file names, so that nothing else is touched.
#[derive(Debug)]
pub struct Measured {
    /// Its name in the file.
    pub name: String,
    /// The store.
    pub store: Arc<dyn BlobStore>,
    /// Removed when this is dropped.
    _folder: Option<TempDir>,
}

impl Measured {
    /// Opens every store of the file, or one in memory and one in a temporary folder where no file is named.
    ///
    /// # Errors
    /// When the file can't be read or names what is none, or a store can't be opened.
    pub async fn all() -> Fallible<Vec<Self>> {
        let Some(path) = std::env::var_os(CONFIG_ENV) else {
            return Ok(vec![Self::in_memory()?, Self::in_temporary_folder().await?]);
        };
        let path = PathBuf::from(path);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{} ({CONFIG_ENV}): {error}", path.display()))?;
        let file = File::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut found = Vec::new();
        for (name, settings) in file.stores {
            let store = settings.open(&name).await;
            let store = store.map_err(|error| format!("[stores.{name}]: {error}"))?;
            found.push(Self {
                name,
                store,
                _folder: None,
            });
        }
        Ok(found)
    }

    pub(crate) fn in_memory() -> Fallible<Self> {
        let name = "memory".to_owned();
        Ok(Self {
            store: Arc::new(MemoryStore::new(StoreInfo::new(StoreName::parse(&name)?))),
            name,
            _folder: None,
        })
    }

    async fn in_temporary_folder() -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self {
            name: "local".to_owned(),
            store: local("local", folder.path()).await?,
            _folder: Some(folder),
        })
    }

    /// Writes a blob of `len_bytes` bytes.
    ///
    /// # Errors
    /// What the store says.
    pub async fn put(&self, len_bytes: usize) -> campusdisk_core::Result<BlobRef> {
        let key = BlobKey::generate(&RandomIds);
        let options = CreateOptions::default().with_expected_bytes(len_bytes as u64);
        let mut writer = self.store.create(&key, options).await?;
        for piece in pieces(len_bytes) {
            writer.write(piece).await?;
        }
        let len_bytes = writer.commit().await?.len_bytes;
        Ok(BlobRef { key, len_bytes })
    }

    /// Deletes every blob.
    ///
    /// # Errors
    /// What the store says.
    pub async fn clear(&self) -> campusdisk_core::Result<()> {
        let keys = self.store.list("", None).map_ok(|blob| blob.key);
        let mut batches = keys.try_chunks(DELETED_AT_ONCE);
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| error.1)?;
            for deleted in self.store.delete(&batch).await? {
                deleted.outcome?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    stores: BTreeMap<String, Settings>,
}

impl File {
    fn parse(text: &str) -> Fallible<Self> {
        let file: Self = toml::from_str(text)?;
        if file.stores.is_empty() {
            return Err("it names no store: write [stores.NAME] and its kind".into());
        }
        Ok(file)
    }
}

/// A store, in the words of the hall's configuration.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Settings {
    Memory,
    Local(Local),
    Hdfs(Hdfs),
    S3(S3),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Local {
    path: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hdfs {
    root: String,
    url: Option<String>,
    conf_dir: Option<PathBuf>,
    user: Option<String>,
    principal: Option<String>,
    keytab: Option<PathBuf>,
    replication: Option<u32>,
    sync_blocks: Option<bool>,
    window_bytes: Option<u64>,
    #[serde(default)]
    web_urls: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct S3 {
    bucket: String,
    endpoint: Option<String>,
    region: Option<String>,
    path_style: Option<bool>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    allow_http: bool,
    gets_in_flight: Option<usize>,
    window_bytes: Option<u64>,
}

impl Settings {
    async fn open(self, name: &str) -> Fallible<Arc<dyn BlobStore>> {
        let own = format!("campusdisk-bench-{:08x}", RandomIds.random() as u32);
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new(StoreInfo::new(StoreName::parse(name)?))),
            Self::Local(settings) => local(name, &settings.path.join(own)).await?,
            Self::Hdfs(settings) => Arc::new(HdfsStore::connect(settings.config(name, &own)?)?),
            Self::S3(settings) => Arc::new(S3Store::connect(settings.config(name, &own)?)?),
        })
    }
}

async fn local(name: &str, folder: &Path) -> Fallible<Arc<dyn BlobStore>> {
    let config = LocalConfig::new(StoreName::parse(name)?, folder);
    Ok(Arc::new(LocalStore::open(config).await?))
}

impl Hdfs {
    fn config(self, name: &str, own: &str) -> Fallible<HdfsConfig> {
        let root = format!("{}/{own}", self.root.trim_end_matches('/'));
        let mut config = HdfsConfig::new(StoreName::parse(name)?, root);
        config.url = self.url;
        config.conf_dir = self.conf_dir;
        config.user = self.user;
        config.principal = self.principal;
        config.keytab = self.keytab;
        config.replication = self.replication;
        config.web_urls = self.web_urls;
        config.sync_blocks = self.sync_blocks.unwrap_or(config.sync_blocks);
        config.window_bytes = self.window_bytes.unwrap_or(config.window_bytes);
        Ok(config)
    }
}

impl S3 {
    fn config(self, name: &str, own: &str) -> Fallible<S3Config> {
        let mut config = S3Config::new(StoreName::parse(name)?, self.bucket);
        config.prefix = match self.prefix.as_str() {
            "" => own.to_owned(),
            prefix => format!("{prefix}/{own}"),
        };
        config.endpoint = self.endpoint;
        config.region = self.region.unwrap_or(config.region);
        config.path_style = self.path_style.unwrap_or(config.path_style);
        config.allow_http = self.allow_http;
        config.gets_in_flight = self.gets_in_flight.unwrap_or(config.gets_in_flight);
        config.window_bytes = self.window_bytes.unwrap_or(config.window_bytes);
        config.credentials = match (self.access_key_id, self.secret_access_key) {
            (None, None) => S3Credentials::Environment,
            (Some(id), Some(secret)) => S3Credentials::keys(id, secret),
            _ => return Err("access_key_id goes with secret_access_key: give both or neither".into()),
        };
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_stores_in_the_words_of_the_hall() {
        let text = "[stores.here]\nkind = \"local\"\npath = \"/srv/bench\"\n\
                    [stores.cluster]\nkind = \"hdfs\"\nroot = \"/bench\"\nurl = \"hdfs://namenode:8020\"\n\
                    [stores.bucket]\nkind = \"s3\"\nbucket = \"bench\"\nendpoint = \"http://127.0.0.1:9000\"\nallow_http = true\n";
        let names: Vec<String> = File::parse(text).unwrap().stores.into_keys().collect();
        assert_eq!(names, ["bucket", "cluster", "here"]);
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        let error = File::parse("[stores.here]\nkind = \"local\"\npaht = \"/srv\"\n").unwrap_err();
        assert!(error.to_string().contains("paht"), "{error}");
        assert!(File::parse("[stores]\n").is_err());
    }

    #[test]
    fn each_run_has_a_folder_of_its_own() {
        let text = "[stores.a]\nkind = \"hdfs\"\nroot = \"/bench/\"\n[stores.b]\nkind = \"s3\"\nbucket = \"b\"\nprefix = \"p\"\n";
        for (name, settings) in File::parse(text).unwrap().stores {
            match settings {
                Settings::Hdfs(hdfs) => {
                    assert_eq!(hdfs.config(&name, "own").unwrap().root, "/bench/own");
                }
                Settings::S3(s3) => assert_eq!(s3.config(&name, "own").unwrap().prefix, "p/own"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn what_was_written_is_gone_after_a_clear() {
        for measured in [
            Measured::in_memory().unwrap(),
            Measured::in_temporary_folder().await.unwrap(),
        ] {
            let blob = measured.put(100_000).await.unwrap();
            assert_eq!(blob.len_bytes, 100_000);
            measured.clear().await.unwrap();
            assert_eq!(measured.store.list("", None).count().await, 0);
        }
    }
}
