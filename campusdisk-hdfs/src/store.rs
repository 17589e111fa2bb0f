//! The store: claims, opens, deletes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{
    Abilities, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted, HealthFacts,
    ListedBlob, StoreHealth, StoreInfo,
};
use campusdisk_core::{ErrorKind, InstallationId, Result};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::runtime::Handle;

use crate::HdfsConfig;
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::reader::HdfsReader;
use crate::spool::Spool;
use crate::writer::HdfsWriter;
use crate::{health, list, send, tidy};

/// How many deletions are under way at once.
const DELETES_AT_ONCE: usize = 16;

/// The identity file holds one id and a line feed; what is longer is none.
const MAX_IDENTITY_BYTES: u64 = 256;

/// Blobs in a folder of an HDFS cluster.
///
/// Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct HdfsStore {
    cluster: Arc<Cluster>,
}

impl HdfsStore {
    /// A store on a cluster. Reads the Hadoop configuration, but speaks to nobody yet.
    ///
    /// Its connections live on the runtime this is called in.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when a setting can't be right, or the configuration can't be read;
    /// [`Internal`](ErrorKind::Internal) outside of a tokio runtime.
    pub fn connect(config: HdfsConfig) -> Result<Self> {
        config.check()?;
        let subject = format!("store {}", config.name);
        let runtime = Handle::try_current().map_err(|_| {
            Failure::new(
                ErrorKind::Internal,
                "a store on HDFS is made inside a tokio runtime",
            )
        });
        let cluster = runtime.and_then(|runtime| Cluster::new(config, runtime));
        Ok(Self {
            cluster: Arc::new(cluster.map_err(|failure| failure.during("connect", subject))?),
        })
    }

    /// How many blobs this store and its clones committed with fewer than two replicas on DataNodes known to live. The
    /// cluster makes more when it can; until then one more failure can lose such a blob.
    pub fn under_replicated(&self) -> u64 {
        self.cluster.under_replicated.load(Ordering::Relaxed)
    }

    async fn owner(&self) -> Result<Option<InstallationId>, Failure> {
        let path = self.cluster.identity();
        let Some(status) = self.cluster.status(&path).await? else {
            return Ok(None);
        };
        let unreadable = || {
            Failure::new(
                ErrorKind::Conflict,
                format!("{path} does not say whose the root is"),
            )
        };
        if status.isdir || status.length as u64 > MAX_IDENTITY_BYTES {
            return Err(unreadable());
        }
        let bytes = self
            .cluster
            .call(&path, |client, path| async move {
                let file = client.read(&path).await?;
                file.read_range(0, file.file_length()).await
            })
            .await?;
        let text = String::from_utf8_lossy(&bytes);
        text.trim().parse().map(Some).map_err(|_| unreadable())
    }

    /// How often this store and its clones sent a blob again, from its spool, because nodes of the cluster failed it.
    pub fn resent(&self) -> u64 {
        self.cluster.resent.load(Ordering::Relaxed)
    }

    /// How many bytes this store and its clones took from DataNodes without the client library: long spans of quick readers.
    pub fn directly_read_bytes(&self) -> u64 {
        let nodes = self.cluster.data_nodes.as_ref();
        nodes.map_or(0, |nodes| nodes.read_bytes())
    }

    async fn spooled(&self, text: String) -> io::Result<Spool> {
        let mut spool = self.cluster.spools.create().await?;
        spool.append(Bytes::from(text)).await?;
        spool.end();
        Ok(spool)
    }

    async fn try_claim(&self, installation: InstallationId) -> Result<InstallationId, Failure> {
        if let Some(owner) = self.owner().await? {
            return Ok(owner);
        }
        let spool = self.spooled(format!("{installation}\n")).await;
        let spool = spool.map_err(|error| Failure::of_spool(&error))?;
        let sent = send::send(Arc::clone(&self.cluster), "identity".to_owned(), spool.reader()).await?;
        let (folder, path) = (&self.cluster.config.root, self.cluster.identity());
        match sent.place(folder, &path).await {
            Err(failure) if failure.kind() != ErrorKind::AlreadyExists => return Err(failure),
            // Whoever renamed first is the owner for both.
            _ => {}
        }
        self.owner().await?.ok_or_else(|| {
            Failure::new(
                ErrorKind::Unavailable,
                "the identity file vanished while it was written",
            )
        })
    }
}

#[async_trait]
impl BlobStore for HdfsStore {
    fn info(&self) -> &StoreInfo {
        &self.cluster.info
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let failed = |failure: Failure| failure.during("claim", self.cluster.store_subject());
        self.cluster.check_trash().await.map_err(failed)?;
        let owner = self.try_claim(installation).await.map_err(failed)?;
        if owner == installation {
            return Ok(());
        }
        Err(failed(Failure::new(
            ErrorKind::Conflict,
            format!("the root belongs to installation {owner} (url, root)"),
        )))
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let writer = HdfsWriter::create(&self.cluster, *key, options).await;
        let writer = writer.map_err(|failure| failure.during("create blob", self.cluster.subject(key)))?;
        Ok(Box::new(writer))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(HdfsReader::new(Arc::clone(&self.cluster), *blob)))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let report: Vec<Deleted> = stream::iter(keys.to_vec())
            .map(|key| async move {
                let deleted = self.cluster.discard(&self.cluster.path(&key)).await;
                let failed = |failure: Failure| failure.during("delete blob", self.cluster.subject(&key));
                Deleted {
                    key,
                    outcome: deleted.map_err(failed),
                }
            })
            .buffered(DELETES_AT_ONCE)
            .collect()
            .await;
        Deleted::report(report)
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        list::list(Arc::clone(&self.cluster), prefix, after)
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        tidy::tidy(&self.cluster, older_than)
            .await
            .map_err(|failure| failure.during("tidy", self.cluster.store_subject()))
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::default().with_health(self)
    }
}

#[async_trait]
impl StoreHealth for HdfsStore {
    async fn health(&self) -> Result<HealthFacts> {
        let facts = health::health(&self.cluster).await;
        facts.map_err(|failure| failure.during("ask for health", self.cluster.store_subject()))
    }
}
