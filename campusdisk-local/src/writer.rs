//! Writes one blob: a temporary file, batches, early writeback, sync, a move into place.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter, CreateOptions};
use campusdisk_core::{Error, ErrorKind, Result};
use rustix::fs::Advice;
use tokio::task::JoinHandle;

use crate::error::{Failure, blob_error, blocking, stopped};
use crate::store::Shared;

/// How many bytes go to the file in one task: a hop to the blocking pool is then below 2 % of the work.
const BATCH_BYTES: usize = 1 << 20;
/// Shorter pieces are copied together: kept as they come, each could hold a whole buffer of a connection alive.
const SMALL_BYTES: usize = 16 << 10;
/// After how many bytes writeback is started, and the disk's free space looked at.
const STRIDE_BYTES: u64 = 4 << 20;

/// Takes the bytes of one blob: one batch on its way to the file while the next one fills.
#[derive(Debug)]
pub(crate) struct LocalWriter {
    shared: Arc<Shared>,
    key: BlobKey,
    part: Option<Arc<Part>>,
    pending: Vec<Bytes>,
    /// Small pieces that follow `pending`.
    small: BytesMut,
    pending_bytes: usize,
    taken_bytes: u64,
    progress: Progress,
    in_flight: Option<JoinHandle<Result<Progress>>>,
    /// An earlier write failed or was dropped half-way.
    broken: bool,
}

/// The temporary file. Its lock tells `tidy`, also of another process, that its writer lives.
#[derive(Debug)]
struct Part {
    file: File,
    path: PathBuf,
}

/// How far the file is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    written_bytes: u64,
    /// Up to where writeback was started.
    started_bytes: u64,
}

impl LocalWriter {
    pub(crate) async fn create(shared: Arc<Shared>, key: BlobKey, options: CreateOptions) -> Result<Self> {
        let expected_bytes = options.expected_bytes.unwrap_or(0);
        if expected_bytes > shared.info.max_blob_bytes {
            return Err(too_long(&shared, &key));
        }
        let (shared, part) = blocking(move || {
            shared.check_space("create blob", &key, expected_bytes)?;
            let path = shared.layout.temporary(key.as_str());
            let part = Part::create(&path)
                .map_err(|cause| Failure::new("create blob", &shared.info.name, key, &path, cause))?;
            Ok((shared, part))
        })
        .await?;
        Ok(Self {
            shared,
            key,
            part: Some(Arc::new(part)),
            pending: Vec::new(),
            small: BytesMut::new(),
            pending_bytes: 0,
            taken_bytes: 0,
            progress: Progress::default(),
            in_flight: None,
            broken: false,
        })
    }

    /// Waits for the batch on its way.
    async fn settle(&mut self) -> Result<()> {
        if let Some(batch) = &mut self.in_flight {
            let outcome = batch.await.unwrap_or_else(stopped);
            self.in_flight = None;
            self.progress = outcome?;
        }
        Ok(())
    }

    fn take_pending(&mut self) -> Vec<Bytes> {
        self.end_small();
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending)
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pending.push(self.small.split().freeze());
        }
    }

    /// Sends what is pending on its way.
    async fn send(&mut self) -> Result<()> {
        self.settle().await?;
        let pieces = self.take_pending();
        let (shared, key, progress) = (Arc::clone(&self.shared), self.key, self.progress);
        let part = self.part()?;
        self.in_flight = Some(tokio::task::spawn_blocking(move || {
            part.append(&shared, &key, progress, pieces)
        }));
        Ok(())
    }

    fn part(&self) -> Result<Arc<Part>> {
        match &self.part {
            Some(part) if !self.broken => Ok(Arc::clone(part)),
            _ => Err(blob_error(
                ErrorKind::Internal,
                "write blob",
                &self.key,
                "an earlier write of this blob failed, so it can only be given up",
            )),
        }
    }
}

#[async_trait]
impl BlobWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.part()?;
        let len_bytes = bytes.len();
        if self.taken_bytes.saturating_add(len_bytes as u64) > self.shared.info.max_blob_bytes {
            self.broken = true;
            return Err(too_long(&self.shared, &self.key));
        }
        self.taken_bytes += len_bytes as u64;
        self.pending_bytes += len_bytes;
        if len_bytes < SMALL_BYTES {
            self.small.extend_from_slice(&bytes);
        } else {
            self.end_small();
            self.pending.push(bytes);
        }
        if self.pending_bytes >= BATCH_BYTES {
            let outcome = self.send().await;
            self.broken = outcome.is_err();
            outcome?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobFacts> {
        let part = self.part()?;
        self.settle().await?;
        // From here on the task below is the only one that holds the file.
        self.part = None;
        let pieces = self.take_pending();
        let (shared, key, progress) = (Arc::clone(&self.shared), self.key, self.progress);
        let taken_bytes = self.taken_bytes;
        blocking(move || {
            part.append(&shared, &key, progress, pieces)?;
            part.publish(&shared, &key, taken_bytes)
        })
        .await?;
        Ok(BlobFacts::new(taken_bytes))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        // Whatever became of the batch, its file goes.
        let _ = self.settle().await;
        let part = self.part.take();
        blocking(move || {
            drop(part);
            Ok(())
        })
        .await
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        let Some(part) = self.part.take() else {
            return;
        };
        // The name goes at once. Freeing the space may take a while for a long file: not on a runtime's thread.
        part.unlink();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(part)));
        }
    }
}

impl Part {
    fn create(path: &std::path::Path) -> io::Result<Self> {
        loop {
            let file = OpenOptions::new().write(true).create_new(true).open(path)?;
            // Where the file system has no locks, `tidy` goes by age alone.
            let _ = file.lock();
            // Between opening and locking a `tidy` of everything may have taken it for a leftover.
            if file.metadata()?.nlink() > 0 {
                return Ok(Self {
                    file,
                    path: path.to_owned(),
                });
            }
        }
    }

    /// Appends `pieces`, and starts writeback of what was written, so that the sync at the end is short.
    fn append(
        &self,
        shared: &Shared,
        key: &BlobKey,
        mut progress: Progress,
        pieces: Vec<Bytes>,
    ) -> Result<Progress> {
        progress.written_bytes += self
            .write_all(&pieces)
            .map_err(|cause| self.failure("write blob", shared, key, cause))?;
        let dirty_bytes = progress.written_bytes - progress.started_bytes;
        if dirty_bytes >= STRIDE_BYTES {
            shared.check_space("write blob", key, 0)?;
            // On dirty pages this advice starts their writeback and leaves them cached (measured: 1 GiB is then synced
            // in 10 ms instead of 260). It is only advice, so nothing depends on its answer.
            let _ = rustix::fs::fadvise(
                &self.file,
                progress.started_bytes,
                NonZeroU64::new(dirty_bytes),
                Advice::DontNeed,
            );
            progress.started_bytes = progress.written_bytes;
        }
        Ok(progress)
    }

    fn write_all(&self, pieces: &[Bytes]) -> io::Result<u64> {
        let mut total = 0;
        // The system takes at most 1,024 slices in one call (IOV_MAX).
        for group in pieces.chunks(1024) {
            let mut slices: Vec<_> = group.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut left = slices.as_mut_slice();
            while !left.is_empty() {
                match (&self.file).write_vectored(left) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        total += count as u64;
                        IoSlice::advance_slices(&mut left, count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(total)
    }

    fn publish(&self, shared: &Shared, key: &BlobKey, len_bytes: u64) -> Result<()> {
        let fail = |cause| Error::from(self.failure("commit blob", shared, key, cause));
        self.file.sync_data().map_err(fail)?;
        let found_bytes = self.file.metadata().map_err(fail)?.len();
        if found_bytes != len_bytes {
            let text = format!("{len_bytes} bytes were written, {found_bytes} arrived in the file");
            return Err(blob_error(ErrorKind::Corrupt, "commit blob", key, text));
        }
        shared.layout.publish(&self.path, key).map_err(fail)
    }

    fn failure(&self, operation: &'static str, shared: &Shared, key: &BlobKey, cause: io::Error) -> Failure {
        Failure::new(operation, &shared.info.name, key, &self.path, cause)
    }

    /// Removes the name. After a commit, or a second time, there is none to remove.
    fn unlink(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.unlink();
    }
}

fn too_long(shared: &Shared, key: &BlobKey) -> Error {
    let text = format!(
        "store \"{}\" takes blobs of up to {} bytes",
        shared.info.name, shared.info.max_blob_bytes
    );
    blob_error(ErrorKind::LimitExceeded, "write blob", key, text)
}
