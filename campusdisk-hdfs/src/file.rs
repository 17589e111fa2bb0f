//! A file under a fresh name, and its way to its place.

use std::fmt;
use std::sync::Arc;

use campusdisk_core::ErrorKind;

use crate::cluster::Cluster;
use crate::error::Failure;
use crate::pace;

/// Folders are for the store's user alone: what is in them has no names and no owners.
const FOLDER_PERMISSION: u32 = 0o700;

/// A file under a fresh name that is not in its place yet; dropping it deletes it in the background.
pub(crate) struct NewFile {
    cluster: Arc<Cluster>,
    path: String,
    /// Whether there may be something to delete.
    there: bool,
}

impl NewFile {
    /// A name for a file that will be `name`. Every try to send gets another one: a server that hung may still make the
    /// file it was asked for long ago.
    pub(crate) fn fresh(cluster: &Arc<Cluster>, name: impl fmt::Display) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            path: cluster.fresh(name),
            there: true,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Compares the length of the closed file with what was sent, and makes it the sent file.
    pub(crate) async fn sent(self, len_bytes: u64) -> Result<SentFile, Failure> {
        let status = self.cluster.status(&self.path).await?;
        let stored = status.as_ref().map(|status| status.length as u64);
        if stored != Some(len_bytes) {
            let says = format!("{len_bytes} bytes were sent, the file has {stored:?}");
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        Ok(SentFile {
            replication: status.and_then(|status| status.replication).unwrap_or(1),
            file: self,
            len_bytes,
        })
    }
}

impl Drop for NewFile {
    /// Deletes it in the background and as well as it can; `tidy` finds what is left.
    fn drop(&mut self) {
        if !self.there {
            return;
        }
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
            .finish_non_exhaustive()
    }
}

/// A closed file of the right length that is not in its place yet; dropping it deletes it in the background.
#[derive(Debug)]
pub(crate) struct SentFile {
    file: NewFile,
    len_bytes: u64,
    /// How many replicas each block is to have.
    pub(crate) replication: u32,
}

impl SentFile {
    pub(crate) fn path(&self) -> &str {
        &self.file.path
    }

    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Puts it to `target`, in `folder`, which is made when missing.
    pub(crate) async fn place(mut self, folder: &str, target: &str) -> Result<(), Failure> {
        let mut pauses = pace::pauses();
        while let Err(failure) = self.rename_into(folder, target).await {
            if !matches!(failure.kind(), ErrorKind::Unavailable | ErrorKind::NotFound) {
                return Err(failure);
            }
            // The answer may have been lost, by a NameNode that another one takes over from.
            match self.file.cluster.status(self.path()).await {
                Ok(None) if self.is_at(target).await => break,
                Ok(Some(_)) if failure.may_pass() => {}
                _ => return Err(failure),
            }
            // One that is carried out late has the same end, so there may be two.
            let Some(pause) = pauses.next() else {
                return Err(failure);
            };
            // Nobody tells when the cluster takes calls again: it can only be asked again, each time later.
            tokio::time::sleep(pause).await;
        }
        self.file.there = false;
        Ok(())
    }

    /// Deletes it.
    pub(crate) async fn remove(mut self) -> Result<(), Failure> {
        self.file.cluster.delete(&self.file.path).await?;
        self.file.there = false;
        Ok(())
    }

    async fn rename_into(&self, folder: &str, target: &str) -> Result<(), Failure> {
        match self.rename(target).await {
            Err(failure) if failure.is_missing_parent() => {
                self.file
                    .cluster
                    .call(folder, |client, folder| async move {
                        client.mkdirs(&folder, FOLDER_PERMISSION, true).await
                    })
                    .await?;
                self.rename(target).await
            }
            renamed => renamed,
        }
    }

    async fn rename(&self, target: &str) -> Result<(), Failure> {
        let path = self.path();
        self.file
            .cluster
            .call(path, |client, path| {
                let target = target.to_owned();
                async move { client.rename(&path, &target, false).await }
            })
            .await
    }

    /// Whether `target` is this file, whose name is gone: only a rename can have moved it away.
    async fn is_at(&self, target: &str) -> bool {
        let status = self.file.cluster.status(target).await;
        matches!(status, Ok(Some(status)) if status.length as u64 == self.len_bytes)
    }
}
