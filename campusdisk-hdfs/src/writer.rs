//! Writes one blob: a file under a fresh name, then a rename that overwrites nothing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter, CreateOptions};
use campusdisk_core::{ErrorKind, Result};
use hdfs_native::WriteOptions;
use hdfs_native::file::FileWriter;

use crate::cluster::Cluster;
use crate::error::Failure;

/// Folders are for the store's user alone: what is in them has no names and no owners.
const FOLDER_PERMISSION: u32 = 0o700;

/// Files likewise.
const FILE_PERMISSION: u32 = 0o600;

/// The writer of a blob.
#[derive(Debug)]
pub(crate) struct HdfsWriter {
    cluster: Arc<Cluster>,
    key: BlobKey,
    file: NewFile,
}

impl HdfsWriter {
    pub(crate) async fn create(
        cluster: &Arc<Cluster>,
        key: BlobKey,
        options: CreateOptions,
    ) -> Result<Self, Failure> {
        check_length(cluster, options.expected_bytes.unwrap_or(0))?;
        Ok(Self {
            cluster: Arc::clone(cluster),
            key,
            file: NewFile::create(cluster, key).await?,
        })
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let len_bytes = self.file.written_bytes.saturating_add(bytes.len() as u64);
        if let Err(failure) = check_length(&self.cluster, len_bytes) {
            self.file.failed = true;
            return Err(failure);
        }
        self.file.write(bytes).await
    }
}

#[async_trait]
impl BlobWriter for HdfsWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let taken = self.take(bytes).await;
        taken.map_err(|failure| failure.during("write blob", self.cluster.subject(&self.key)))
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        let len_bytes = self.file.written_bytes;
        let (folder, path) = (self.cluster.folder(&self.key), self.cluster.path(&self.key));
        let placed = self.file.place(&folder, &path).await;
        placed.map_err(|failure| failure.during("commit blob", self.cluster.subject(&self.key)))?;
        Ok(BlobFacts::new(len_bytes))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let removed = self.file.remove().await;
        removed.map_err(|failure| failure.during("abort blob", self.cluster.subject(&self.key)))
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

/// A file under a fresh name that is not in its place yet; dropping it deletes it in the background.
pub(crate) struct NewFile {
    cluster: Arc<Cluster>,
    path: String,
    /// `None` once it is closed.
    writer: Option<FileWriter>,
    written_bytes: u64,
    failed: bool,
    /// Whether there may be something to delete.
    there: bool,
}

impl NewFile {
    pub(crate) async fn create(cluster: &Arc<Cluster>, name: impl fmt::Display) -> Result<Self, Failure> {
        let mut file = Self {
            cluster: Arc::clone(cluster),
            path: cluster.fresh(name),
            writer: None,
            written_bytes: 0,
            failed: false,
            // Also when the answer is lost, or the future dropped, the file may have been made.
            there: true,
        };
        let options = WriteOptions {
            block_size: Some(cluster.config.block_size_bytes),
            replication: cluster.config.replication,
            permission: FILE_PERMISSION,
            overwrite: false,
            create_parent: true,
        };
        let path = &file.path;
        let writer = cluster
            .call(|client| async move { client.create(path, options).await })
            .await?;
        file.writer = Some(writer);
        Ok(file)
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let (false, Some(writer)) = (self.failed, &mut self.writer) else {
            return Err(after_failure());
        };
        // Also what is dropped in the middle of this must not be committed (B8).
        self.failed = true;
        let len_bytes = bytes.len() as u64;
        let limit = self.cluster.config.write_gap;
        match tokio::time::timeout(limit, writer.write_bytes(bytes)).await {
            Ok(written) => written?,
            Err(_) => return Err(Failure::silent("write_gap", limit)),
        };
        self.written_bytes += len_bytes;
        self.failed = false;
        Ok(())
    }

    /// Closes it and puts it to `target`, in `folder`, which is made when missing.
    pub(crate) async fn place(mut self, folder: &str, target: &str) -> Result<(), Failure> {
        self.close().await?;
        let status = self.cluster.status(&self.path).await?;
        let stored = status.map(|status| status.length as u64);
        if stored != Some(self.written_bytes) {
            let says = format!("{} bytes were sent, the file has {stored:?}", self.written_bytes);
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        let renamed = match self.rename(target).await {
            Err(failure) if failure.is_missing_parent() => {
                self.cluster
                    .call(|client| async move { client.mkdirs(folder, FOLDER_PERMISSION, true).await })
                    .await?;
                self.rename(target).await
            }
            renamed => renamed,
        };
        match renamed {
            Err(failure) if failure.kind() == ErrorKind::Unavailable && self.is_placed(target).await => {}
            renamed => renamed?,
        }
        self.there = false;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Failure> {
        let (false, Some(mut writer)) = (self.failed, self.writer.take()) else {
            return Err(after_failure());
        };
        let limit = self.cluster.config.write_gap;
        match tokio::time::timeout(limit, writer.close()).await {
            Ok(closed) => Ok(closed?),
            Err(_) => Err(Failure::silent("write_gap", limit)),
        }
    }

    async fn rename(&self, target: &str) -> Result<(), Failure> {
        let path = &self.path;
        self.cluster
            .call(|client| async move { client.rename(path, target, false).await })
            .await
    }

    /// Whether a rename whose answer was lost was done: only it can have moved this name away.
    async fn is_placed(&self, target: &str) -> bool {
        let gone = matches!(self.cluster.status(&self.path).await, Ok(None));
        let length =
            |status: Option<hdfs_native::client::FileStatus>| status.map(|status| status.length as u64);
        gone && self
            .cluster
            .status(target)
            .await
            .is_ok_and(|status| length(status) == Some(self.written_bytes))
    }

    /// Deletes it.
    async fn remove(mut self) -> Result<(), Failure> {
        self.writer = None;
        self.cluster.delete(&self.path).await?;
        self.there = false;
        Ok(())
    }
}

impl Drop for NewFile {
    /// Deletes it in the background and as well as it can; `tidy` finds what is left.
    fn drop(&mut self) {
        if !self.there {
            return;
        }
        self.writer = None;
        let (cluster, path) = (Arc::clone(&self.cluster), std::mem::take(&mut self.path));
        self.cluster.runtime.spawn(async move {
            if let Err(failure) = cluster.delete(&path).await {
                let error = failure.during("delete", path);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an unfinished file stays behind"
                );
            }
        });
    }
}

impl fmt::Debug for NewFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFile")
            .field("path", &self.path)
            .field("written_bytes", &self.written_bytes)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

fn after_failure() -> Failure {
    Failure::new(ErrorKind::Internal, "an earlier write of this blob failed")
}
