//! Writes one blob: into its spool, from which a task sends it, and then to its place.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter, CreateOptions};
use campusdisk_core::{ErrorKind, Result};
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::Cluster;
use crate::error::Failure;
use crate::file::SentFile;
use crate::send;
use crate::spool::Spool;

/// Sending begins with this much, or with the end: a small blob that is given up leaves no trace on the cluster.
const BEGIN_BYTES: u64 = 1 << 20;

/// The writer of a blob.
#[derive(Debug)]
pub(crate) struct HdfsWriter {
    cluster: Arc<Cluster>,
    key: BlobKey,
    spool: Spool,
    sending: Option<Sending>,
    failed: bool,
}

type Sending = AbortOnDropHandle<Result<SentFile, Failure>>;

impl HdfsWriter {
    pub(crate) async fn create(
        cluster: &Arc<Cluster>,
        key: BlobKey,
        options: CreateOptions,
    ) -> Result<Self, Failure> {
        check_length(cluster, options.expected_bytes.unwrap_or(0))?;
        let spool = cluster.spools.create().await;
        Ok(Self {
            cluster: Arc::clone(cluster),
            key,
            spool: spool.map_err(|error| Failure::of_spool(&error))?,
            sending: None,
            failed: false,
        })
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.check_whole()?;
        // Also what is dropped in the middle of this must not be committed (B8).
        self.failed = true;
        let len_bytes = self.spool.len_bytes().saturating_add(bytes.len() as u64);
        check_length(&self.cluster, len_bytes)?;
        let kept = self.spool.append(bytes).await;
        kept.map_err(|error| Failure::of_spool(&error))?;
        // A task can be asked for its outcome once only, and whoever gives the blob up asks too.
        if let Some(mut ended) = self.sending.take_if(|sending| sending.is_finished()) {
            // It can't have ended well before the blob's end.
            drop(sent(&mut ended).await?);
        }
        if self.sending.is_none() && len_bytes >= BEGIN_BYTES {
            self.sending = Some(self.begin());
        }
        self.failed = false;
        Ok(())
    }

    async fn place(mut self) -> Result<BlobFacts, Failure> {
        self.check_whole()?;
        self.spool.end();
        let mut sending = match self.sending.take() {
            Some(sending) => sending,
            None => self.begin(),
        };
        let sent = sent(&mut sending).await?;
        let len_bytes = sent.len_bytes();
        let (folder, path) = (self.cluster.folder(&self.key), self.cluster.path(&self.key));
        sent.place(&folder, &path).await?;
        Ok(BlobFacts::new(len_bytes))
    }

    async fn give_up(mut self) -> Result<(), Failure> {
        let Some(mut sending) = self.sending.take() else {
            return Ok(());
        };
        sending.abort();
        match (&mut sending).await {
            Ok(Ok(sent)) => sent.remove().await,
            // What there was is being deleted.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    fn begin(&self) -> Sending {
        let sending = send::send(
            Arc::clone(&self.cluster),
            self.key.to_string(),
            self.spool.reader(),
        );
        AbortOnDropHandle::new(self.cluster.runtime.spawn(sending))
    }

    fn check_whole(&self) -> Result<(), Failure> {
        if self.failed {
            let says = "an earlier write of this blob failed";
            return Err(Failure::new(ErrorKind::Internal, says));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for HdfsWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let taken = self.take(bytes).await;
        taken.map_err(|failure| failure.during("write blob", self.cluster.subject(&self.key)))
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        let subject = self.cluster.subject(&self.key);
        let placed = self.place().await;
        placed.map_err(|failure| failure.during("commit blob", subject))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let subject = self.cluster.subject(&self.key);
        let given_up = self.give_up().await;
        given_up.map_err(|failure| failure.during("abort blob", subject))
    }
}

async fn sent(sending: &mut Sending) -> Result<SentFile, Failure> {
    match sending.await {
        Ok(sent) => sent,
        Err(error) if error.is_panic() => Err(Failure::new(
            ErrorKind::Internal,
            "the client of the cluster failed",
        )),
        Err(_) => Err(Failure::new(
            ErrorKind::Unavailable,
            "the runtime ended while a blob was sent",
        )),
    }
}

fn check_length(cluster: &Cluster, len_bytes: u64) -> Result<(), Failure> {
    let longest = cluster.info.max_blob_bytes;
    if len_bytes > longest {
        let says = format!("a file takes at most {longest} bytes");
        return Err(Failure::new(ErrorKind::LimitExceeded, says));
    }
    Ok(())
}
