//! Writes one blob: one PUT, or parts in flight.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter, CreateOptions};
use campusdisk_core::{ErrorKind, IdSource, RandomIds, Result};
use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::bucket::{Bucket, MARK};
use crate::error::Failure;
use crate::retry::Tries;

const WRITE: &str = "write blob";

/// Collects bytes until it is clear whether they fit one PUT, then sends parts.
#[derive(Debug)]
pub(crate) struct S3Writer {
    bucket: Arc<Bucket>,
    key: BlobKey,
    path: Path,
    /// What its objects carry, so that they are known as its own when an answer was lost.
    mark: String,
    waiting: Waiting,
    written_bytes: u64,
    /// Above how many waiting bytes the blob is sent in parts.
    single_put_max_bytes: u64,
    parts: Option<Parts>,
    failed: bool,
}

impl S3Writer {
    pub(crate) fn new(bucket: Arc<Bucket>, key: BlobKey, options: CreateOptions) -> Result<Self> {
        let expected = options.expected_bytes.unwrap_or(0);
        // What is known to need parts need not wait until it no longer fits one PUT.
        let single_put_max_bytes = if expected > bucket.config.single_put_max_bytes {
            0
        } else {
            bucket.config.single_put_max_bytes
        };
        let writer = Self {
            path: bucket.path(&key),
            bucket,
            key,
            mark: format!("{:032x}", RandomIds.random()),
            waiting: Waiting::default(),
            written_bytes: 0,
            single_put_max_bytes,
            parts: None,
            failed: false,
        };
        match writer.check_length(expected) {
            Ok(()) => Ok(writer),
            Err(failure) => Err(failure.during(WRITE, writer.bucket.subject(&key))),
        }
    }

    fn check_length(&self, len_bytes: u64) -> Result<(), Failure> {
        if len_bytes > self.bucket.info.max_blob_bytes {
            let longest = self.bucket.info.max_blob_bytes;
            let says = format!("an object takes at most {longest} bytes (multipart_bytes)");
            return Err(Failure::new(ErrorKind::LimitExceeded, says));
        }
        Ok(())
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), Failure> {
        if self.failed {
            return Err(after_failure());
        }
        // Also what is dropped in the middle of this must not be committed (B8).
        self.failed = true;
        self.written_bytes = self.written_bytes.saturating_add(bytes.len() as u64);
        self.check_length(self.written_bytes)?;
        self.waiting.push(bytes);
        let part_bytes = self.bucket.config.multipart_bytes;
        while self.waiting.len_bytes > self.single_put_max_bytes.max(part_bytes)
            || self.parts.is_some() && self.waiting.len_bytes >= part_bytes
        {
            let part = self.waiting.cut(part_bytes);
            self.send(part).await?;
        }
        self.failed = false;
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> Result<(), Failure> {
        let limit = self.bucket.config.parts_in_flight;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(Parts::begin(&self.bucket, &self.path, marked(&self.mark)).await?),
        };
        parts.wait_below(limit).await?;
        parts.send(part);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        if self.failed {
            return Err(after_failure());
        }
        self.failed = true;
        let rest = self.waiting.cut(u64::MAX);
        if self.parts.is_none() {
            self.put(rest).await?;
        } else {
            if rest.content_length() > 0 {
                self.send(rest).await?;
            }
            self.complete().await?;
        }
        self.check_stored().await
    }

    async fn put(&mut self, payload: PutPayload) -> Result<(), Failure> {
        let mut tries = Tries::new(&self.bucket.config);
        loop {
            let failure = match self.try_put(payload.clone()).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            match failure.kind() {
                ErrorKind::AlreadyExists | ErrorKind::Unavailable => {}
                _ => return Err(failure),
            }
            // An earlier try may have arrived, though its answer did not.
            let failure = match self.found().await {
                Ok(Found::Own { .. }) => return Ok(()),
                Ok(Found::Others) => return Err(taken()),
                // Here anything without a mark may be another's.
                Ok(Found::Unmarked { .. }) => return Err(failure),
                Ok(Found::Nothing) => failure,
                // Nobody knows then, and another PUT does no harm: it has the same bytes and mark.
                Err(unknown) => unknown,
            };
            if !tries.again().await {
                return Err(failure);
            }
        }
    }

    async fn try_put(&mut self, payload: PutPayload) -> Result<(), Failure> {
        let mode = if self.bucket.config.conditional_put {
            PutMode::Create
        } else {
            self.check_free().await?;
            PutMode::Overwrite
        };
        let options = PutOptions {
            mode,
            attributes: marked(&self.mark),
            ..PutOptions::default()
        };
        self.bucket.objects.put_opts(&self.path, payload, options).await?;
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), Failure> {
        let Some(parts) = &mut self.parts else {
            return Ok(());
        };
        parts.wait_below(1).await?;
        // Completion overwrites on some servers whatever the headers say, so the key is looked at before.
        self.check_free().await?;
        let Some(parts) = &mut self.parts else {
            return Ok(());
        };
        let completed = parts.upload.complete().await;
        if let Err(error) = completed {
            // The client sends it again by itself, and a server that did as asked the first time knows no such upload then.
            let own = matches!(self.found().await, Ok(Found::Own { .. }));
            if !own {
                return Err(if_gone(error.into()));
            }
        }
        self.parts = None;
        Ok(())
    }

    async fn check_free(&mut self) -> Result<(), Failure> {
        match self.bucket.stored(&self.path).await? {
            Some(_) => Err(taken()),
            None => Ok(()),
        }
    }

    /// What lies under the key, as far as it concerns this writer.
    async fn found(&mut self) -> Result<Found, Failure> {
        let Some(stored) = self.bucket.stored(&self.path).await? else {
            return Ok(Found::Nothing);
        };
        let len_bytes = stored.len_bytes;
        Ok(match stored.mark {
            Some(mark) if mark == self.mark => Found::Own { len_bytes },
            Some(_) => Found::Others,
            None => Found::Unmarked { len_bytes },
        })
    }

    async fn check_stored(&mut self) -> Result<(), Failure> {
        let says = match self.found().await? {
            Found::Own { len_bytes } | Found::Unmarked { len_bytes } => {
                if len_bytes == self.written_bytes {
                    return Ok(());
                }
                // Nobody may find it: it was never acknowledged.
                self.bucket.objects.delete(&self.path).await?;
                format!(
                    "{} bytes were sent, the server has {len_bytes}",
                    self.written_bytes
                )
            }
            Found::Others => return Err(taken()),
            Found::Nothing => format!("{} bytes were sent, the server has none", self.written_bytes),
        };
        Err(Failure::new(ErrorKind::Corrupt, says))
    }
}

/// What lies under a writer's key.
enum Found {
    Nothing,
    Own {
        len_bytes: u64,
    },
    /// Another writer's.
    Others,
    /// Anybody's: this server keeps no metadata.
    Unmarked {
        len_bytes: u64,
    },
}

#[async_trait]
impl BlobWriter for S3Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let taken = self.take(bytes).await;
        taken.map_err(|failure| failure.during(WRITE, self.bucket.subject(&self.key)))
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobFacts> {
        let finished = self.finish().await;
        finished.map_err(|failure| failure.during("commit blob", self.bucket.subject(&self.key)))?;
        Ok(BlobFacts::new(self.written_bytes))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let Some(parts) = self.parts.take() else {
            return Ok(());
        };
        let aborted = parts.abort().await;
        aborted.map_err(|failure| failure.during("abort blob", self.bucket.subject(&self.key)))
    }
}

impl Drop for S3Writer {
    /// Frees what was sent, in the background and as well as it can; `tidy` finds what is left.
    fn drop(&mut self) {
        let (Some(parts), Ok(runtime)) = (self.parts.take(), Handle::try_current()) else {
            return;
        };
        let subject = self.bucket.subject(&self.key);
        runtime.spawn(async move {
            if let Err(failure) = parts.abort().await {
                let error = failure.during("abort blob", subject);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a multipart upload stays behind"
                );
            }
        });
    }
}

/// A multipart upload and its parts under way.
#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    under_way: JoinSet<Result<(), Failure>>,
}

impl Parts {
    async fn begin(bucket: &Bucket, path: &Path, attributes: Attributes) -> Result<Self, Failure> {
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        Ok(Self {
            upload: bucket.objects.put_multipart_opts(path, options).await?,
            under_way: JoinSet::new(),
        })
    }

    /// Sends a part on a task of its own, so that it goes on while the client is slow.
    fn send(&mut self, part: PutPayload) {
        let sending = self.upload.put_part(part);
        self.under_way.spawn(async move { Ok(sending.await?) });
    }

    /// Waits until fewer than `limit` parts are under way.
    async fn wait_below(&mut self, limit: usize) -> Result<(), Failure> {
        while self.under_way.len() >= limit {
            match self.under_way.join_next().await {
                Some(Ok(sent)) => sent.map_err(if_gone)?,
                Some(Err(_)) => return Err(Failure::new(ErrorKind::Internal, "the task of a part broke")),
                None => break,
            }
        }
        Ok(())
    }

    async fn abort(mut self) -> Result<(), Failure> {
        self.under_way.shutdown().await;
        match self.upload.abort().await.map_err(Failure::from) {
            Err(failure) if failure.kind() != ErrorKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }
}

/// Bytes that are not sent yet, in the pieces they came in.
#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Bytes>,
    len_bytes: u64,
}

impl Waiting {
    fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len_bytes += bytes.len() as u64;
            self.pieces.push_back(bytes);
        }
    }

    /// The first `len_bytes` bytes, or all where there are fewer.
    fn cut(&mut self, len_bytes: u64) -> PutPayload {
        if len_bytes >= self.len_bytes {
            self.len_bytes = 0;
            return mem::take(&mut self.pieces).into_iter().collect();
        }
        let mut taken = Vec::new();
        let mut left = len_bytes;
        while let Some(mut piece) = self.pieces.pop_front() {
            let fits = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let rest = piece.split_off(fits);
            left -= fits as u64;
            taken.push(piece);
            if left == 0 {
                if !rest.is_empty() {
                    self.pieces.push_front(rest);
                }
                break;
            }
        }
        self.len_bytes -= len_bytes;
        taken.into_iter().collect()
    }
}

fn marked(mark: &str) -> Attributes {
    Attributes::from_iter([(MARK, mark.to_owned())])
}

fn taken() -> Failure {
    Failure::new(ErrorKind::AlreadyExists, "the key is taken")
}

/// A missing upload is no missing blob: whoever writes may begin again.
fn if_gone(failure: Failure) -> Failure {
    match failure.kind() {
        ErrorKind::NotFound => Failure::new(
            ErrorKind::Unavailable,
            "the multipart upload is gone: a rule of the bucket, or another hall, aborted it",
        ),
        _ => failure,
    }
}

fn after_failure() -> Failure {
    Failure::new(ErrorKind::Internal, "an earlier write of this blob failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_cut_at_any_byte() {
        let mut waiting = Waiting::default();
        for piece in ["ab", "", "cde", "f"] {
            waiting.push(Bytes::from_static(piece.as_bytes()));
        }
        let mut cut = |len_bytes| Bytes::from(waiting.cut(len_bytes));
        assert_eq!(cut(3), "abc");
        assert_eq!(cut(2), "de");
        assert_eq!(cut(5), "f");
        assert_eq!(cut(5), "");
    }
}
