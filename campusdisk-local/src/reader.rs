//! Reads spans of one blob: from the page cache on the caller's thread, from the disk in the blocking pool.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobReader, BlobRef, Pace};
use campusdisk_core::{ByteBody, Error, ErrorKind, Result, Span};
use futures::{FutureExt, Stream};
use rustix::fs::{Advice, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use crate::buffers::{Buffer, CHUNK_BYTES};
use crate::error::{Failure, blob_error, blocking, drop_elsewhere, stopped};
use crate::store::Shared;

/// How far ahead of a miss the disk is asked to read.
const READ_AHEAD_BYTES: u64 = 4 << 20;

/// Reads spans through one file handle, opened at the first read.
#[derive(Debug)]
pub(crate) struct LocalReader {
    shared: Arc<Shared>,
    blob: BlobRef,
    file: OnceCell<Arc<File>>,
}

impl LocalReader {
    pub(crate) fn new(shared: Arc<Shared>, blob: BlobRef) -> Self {
        Self {
            shared,
            blob,
            file: OnceCell::new(),
        }
    }

    async fn open(&self) -> Result<Arc<File>> {
        let path = self.shared.layout.blob(&self.blob.key);
        // What the system knows without the disk is opened here: a hop to the pool costs ten times as much. Whatever else it
        // answers, the pool finds out.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::openat2(CWD, &path, flags, Mode::empty(), ResolveFlags::CACHED) {
            return self.checked(file.into());
        }
        let (shared, key) = (Arc::clone(&self.shared), self.blob.key);
        let file = blocking(move || {
            File::open(&path).map_err(|cause| shared.missing_or("read blob", &key, &path, cause))
        })
        .await?;
        self.checked(file)
    }

    /// The whole span, where it is one chunk at most and the page cache holds all of it.
    fn cached(&self, file: &File, span: Span) -> Option<Bytes> {
        let want_bytes = usize::try_from(span.len())
            .ok()
            .filter(|&len| len <= CHUNK_BYTES)?;
        let mut buffer = self.shared.buffers.take(want_bytes);
        let count = read_cached(file, wanted(&mut buffer, want_bytes), span.start()).ok()?;
        (count == want_bytes).then(|| buffer.into_bytes(count))
    }

    fn checked(&self, file: File) -> Result<Arc<File>> {
        let facts = file.metadata().map_err(|cause| {
            let path = self.shared.layout.blob(&self.blob.key);
            Failure::new("read blob", &self.shared.info.name, self.blob.key, &path, cause)
        })?;
        if facts.is_file() && facts.len() == self.blob.len_bytes {
            return Ok(Arc::new(file));
        }
        let text = format!(
            "the blob's file has {} bytes, not {}",
            facts.len(),
            self.blob.len_bytes
        );
        Err(blob_error(ErrorKind::Corrupt, "read blob", &self.blob.key, text))
    }
}

#[async_trait]
impl BlobReader for LocalReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let file = self.file.get_or_try_init(|| self.open()).await?;
        if span.end() > self.blob.len_bytes {
            let text = format!(
                "the span ends at {}, the blob at {}",
                span.end(),
                self.blob.len_bytes
            );
            return Err(blob_error(ErrorKind::Corrupt, "read blob", &self.blob.key, text));
        }
        if let Some(bytes) = self.cached(file, span) {
            return Ok(ByteBody::once(bytes));
        }
        let pieces = Pieces {
            shared: Arc::clone(&self.shared),
            blob: self.blob,
            file: Some(Arc::clone(file)),
            at: span.start(),
            end: span.end(),
            from_disk: None,
            pace: Pace::default(),
        };
        Ok(ByteBody::stream(span.len(), pieces))
    }
}

impl Drop for LocalReader {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let_go(file);
        }
    }
}

/// The pieces of one span.
struct Pieces {
    shared: Arc<Shared>,
    blob: BlobRef,
    /// `None` once it is let go of.
    file: Option<Arc<File>>,
    at: u64,
    end: u64,
    from_disk: Option<JoinHandle<(Buffer, io::Result<usize>)>>,
    /// How quickly they are taken: what a slow client was handed lies in memory for long.
    pace: Pace,
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let file = match &self.file {
            Some(file) if self.at < self.end => Arc::clone(file),
            _ => return Poll::Ready(None),
        };
        let left_bytes = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let want_bytes = left_bytes.min(CHUNK_BYTES).min(self.pace.piece_bytes());
        if self.from_disk.is_none() {
            self.pace.is_back();
            let mut buffer = self.shared.buffers.take(want_bytes);
            match read_cached(&file, wanted(&mut buffer, want_bytes), self.at) {
                Ok(count) => return Poll::Ready(Some(self.deliver(buffer, Ok(count)))),
                Err(_) => self.from_disk = Some(self.fetch(file, buffer, want_bytes)),
            }
        }
        let Some(task) = &mut self.from_disk else {
            return Poll::Ready(None);
        };
        let outcome = ready!(task.poll_unpin(context));
        self.from_disk = None;
        let piece = match outcome {
            Ok((buffer, outcome)) => self.deliver(buffer, outcome),
            Err(cause) => stopped(cause),
        };
        Poll::Ready(Some(piece))
    }
}

impl Pieces {
    /// Reads where it may block, and has the disk read on behind it meanwhile.
    fn fetch(
        &self,
        file: Arc<File>,
        mut buffer: Buffer,
        want_bytes: usize,
    ) -> JoinHandle<(Buffer, io::Result<usize>)> {
        let at = self.at;
        let ahead_bytes = (self.end - at).min(READ_AHEAD_BYTES);
        tokio::task::spawn_blocking(move || {
            // Only advice, so nothing depends on its answer.
            let _ = rustix::fs::fadvise(&file, at, NonZeroU64::new(ahead_bytes), Advice::WillNeed);
            let outcome = loop {
                match file.read_at(wanted(&mut buffer, want_bytes), at) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    outcome => break outcome,
                }
            };
            (buffer, outcome)
        })
    }

    fn deliver(&mut self, buffer: Buffer, outcome: io::Result<usize>) -> Result<Bytes> {
        let key = &self.blob.key;
        match outcome {
            Ok(0) => {
                let text = format!("the blob's file ends at {}, it was cut from outside", self.at);
                Err(blob_error(ErrorKind::Corrupt, "read blob", key, text))
            }
            Ok(count) => {
                self.at += count as u64;
                self.pace.handed(count);
                Ok(buffer.into_bytes(count))
            }
            Err(cause) => {
                let path = self.shared.layout.blob(key);
                Err(Error::from(Failure::new(
                    "read blob",
                    &self.shared.info.name,
                    key,
                    &path,
                    cause,
                )))
            }
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let_go(file);
        }
    }
}

/// Closes the file if nobody else has it. Whoever closes a deleted file last frees its room, which takes long for a large one
/// (measured: 60 ms for 256 MiB), so that is done in the blocking pool.
fn let_go(file: Arc<File>) {
    let Some(file) = Arc::into_inner(file) else {
        return;
    };
    if file.metadata().is_ok_and(|facts| facts.nlink() == 0) {
        drop_elsewhere(file);
    }
}

fn wanted(buffer: &mut Buffer, want_bytes: usize) -> &mut [u8] {
    let slice = buffer.as_mut_slice();
    let len_bytes = slice.len().min(want_bytes);
    slice.split_at_mut(len_bytes).0
}

/// Reads what the page cache holds, or fails at once.
fn read_cached(file: &File, into: &mut [u8], at: u64) -> Result<usize, Errno> {
    rustix::io::preadv2(file, &mut [IoSliceMut::new(into)], at, ReadWriteFlags::NOWAIT)
}
