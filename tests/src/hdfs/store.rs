//! Stores on the common cluster, each on a root of its own, and what lies in them.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, resume_unwind};

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobWriter, StoreName};
use campusdisk_core::{IdSource as _, RandomIds, Span};
use campusdisk_hdfs::{HdfsConfig, HdfsStore, WritePath};
use campusdisk_testkit::storage::read;
use futures::FutureExt as _;
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder, HdfsError};
use tokio::sync::Mutex;

use super::HdfsCluster;
use crate::services::{endpoint, text};
use crate::sha256_hex;

const MIB: usize = 1 << 20;

/// The size of the cluster's blocks.
pub(super) const BLOCK_BYTES: u64 = 16 << 20;

/// Whose turn it is to break the cluster.
static CLUSTER: Mutex<()> = Mutex::const_new(());

/// Runs a test on a whole cluster, and makes it whole again whatever happens.
pub async fn on_cluster(test: impl AsyncFnOnce(&HdfsCluster)) {
    let _turn = CLUSTER.lock().await;
    let cluster = HdfsCluster::find();
    cluster.heal().await;
    let outcome = AssertUnwindSafe(test(&cluster)).catch_unwind().await;
    cluster.heal().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// A root that nobody else has.
pub fn fresh_root(case: impl Display) -> String {
    format!("/faults/{case}-{:032x}", RandomIds.random())
}

/// A store on a root of its own, with blocks of the cluster's size.
pub fn store(path: WritePath) -> (String, HdfsStore) {
    store_with(path, |_| {})
}

/// As [`store`], with more settings.
pub fn store_with(path: WritePath, set: impl FnOnce(&mut HdfsConfig)) -> (String, HdfsStore) {
    let root = fresh_root("case");
    let mut config = config_of("/hdfs", &root)
        .with_block_size_bytes(BLOCK_BYTES)
        .with_write_path(path);
    set(&mut config);
    (root, HdfsStore::connect(config).expect("a store"))
}

/// The settings of a store on `root` of the cluster of this endpoint, such as `/hdfs`.
pub(super) fn config_of(cluster: &str, root: &str) -> HdfsConfig {
    let found = endpoint(cluster);
    let config = HdfsConfig::new(StoreName::parse("hdfs").expect("a name"), root)
        .with_url(text(&found, "url"))
        .with_conf_dir(text(&found, "conf_dir"));
    match found["keytab"].as_str() {
        Some(keytab) => config.with_keytab(text(&found, "principal"), keytab),
        None => config,
    }
}

/// The settings of a hall whose only store lies in `root` of the cluster; more keys of the store may follow.
pub fn hall_store(root: &str) -> String {
    let found = endpoint("/hdfs");
    format!(
        "\n[stores.primary]\nkind = \"hdfs\"\nroot = \"{root}\"\nurl = \"{}\"\nconf_dir = \"{}\"\n\
         block_size_bytes = {BLOCK_BYTES}\n",
        text(&found, "url"),
        text(&found, "conf_dir"),
    )
}

/// A client of the cluster that is no store's.
pub fn client() -> Client {
    client_of("/hdfs")
}

pub(super) fn client_of(cluster: &str) -> Client {
    let found = endpoint(cluster);
    let mut builder = ClientBuilder::new()
        .with_url(text(&found, "url"))
        .with_config_dir(text(&found, "conf_dir"));
    if let Some(keytab) = found["keytab"].as_str() {
        builder = builder
            .with_kerberos_principal(text(&found, "principal"))
            .with_kerberos_keytab(keytab);
    }
    builder.build().expect("a client")
}

/// Where a blob of a store on `root` lies.
pub fn path_of(root: &str, key: &BlobKey) -> String {
    let (outer, inner) = key.folders();
    format!("{root}/{outer}/{inner}/{key}")
}

/// The files of writers on `root` that are not done, or never will be.
pub async fn unfinished(client: &Client, root: &str) -> Vec<FileStatus> {
    files_below(client, &format!("{root}/.writing")).await
}

/// The blobs in their places on `root`, and the identity of the store.
pub async fn placed(client: &Client, root: &str) -> Vec<FileStatus> {
    let mut files = files_below(client, root).await;
    files.retain(|file| !file.path.contains("/.writing"));
    files
}

async fn files_below(client: &Client, folder: &str) -> Vec<FileStatus> {
    match client.list_status(folder, true).await {
        Ok(entries) => entries.into_iter().filter(|entry| !entry.isdir).collect(),
        Err(HdfsError::FileNotFound(_)) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// Hands bytes over to a writer, MiB by MiB.
pub async fn write(writer: &mut dyn BlobWriter, bytes: &Bytes) {
    for start in (0..bytes.len()).step_by(MIB) {
        let end = bytes.len().min(start + MIB);
        let written = writer.write(bytes.slice(start..end)).await;
        written.expect("the writer takes it");
    }
}

/// That a blob has these bytes.
pub async fn assert_same(store: &HdfsStore, blob: &BlobRef, bytes: &Bytes) {
    let whole = Span::whole(blob.len_bytes).expect("a span");
    let got = read(store, blob, whole).await.expect("the blob can be read");
    assert_eq!(sha256_hex(&got), sha256_hex(bytes));
}
