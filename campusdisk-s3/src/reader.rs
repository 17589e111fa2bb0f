//! Reads spans of one blob: by one GET, or by several at once, each taken up again where it broke.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::mount::ObjectRef;
use campusdisk_core::storage::{BlobReader, BlobRef};
use campusdisk_core::{ByteBody, Error, ErrorKind, Result, Span};
use futures::stream::{self, BoxStream, Stream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use crate::bucket::Bucket;
use crate::error::Failure;
use crate::mount;
use crate::retry::Tries;
use crate::windows;

type Pieces = BoxStream<'static, Result<Bytes, Failure>>;

#[derive(Clone, Debug)]
pub(crate) struct S3Reader {
    bucket: Arc<Bucket>,
    wanted: Arc<Wanted>,
}

/// What is read.
#[derive(Debug)]
struct Wanted {
    path: Path,
    len_bytes: u64,
    /// What tells the object of somebody else from a later one; a blob never changes.
    mark: Option<String>,
    operation: &'static str,
    subject: String,
}

impl S3Reader {
    pub(crate) fn new(bucket: Arc<Bucket>, blob: BlobRef) -> Self {
        let wanted = Wanted {
            path: bucket.path(&blob.key),
            len_bytes: blob.len_bytes,
            mark: None,
            operation: "read blob",
            subject: bucket.subject(&blob.key),
        };
        Self {
            bucket,
            wanted: Arc::new(wanted),
        }
    }

    /// The reader of somebody else's object, as long as it is as it was.
    pub(crate) fn of_object(bucket: Arc<Bucket>, path: Path, object: &ObjectRef) -> Self {
        let wanted = Wanted {
            path,
            len_bytes: object.len_bytes,
            mark: Some(object.mark.clone()),
            operation: "read object",
            subject: mount::subject(&bucket, &object.path),
        };
        Self {
            bucket,
            wanted: Arc::new(wanted),
        }
    }

    async fn get(&self, range: Range<u64>) -> Result<Pieces, Failure> {
        let wanted = &self.wanted;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let answer = self.bucket.objects.get_opts(&wanted.path, options).await;
        let answer = answer.map_err(Failure::from);
        // The server says which object the bytes of this very answer are of.
        if let Some(mark) = &wanted.mark {
            let is_same = match &answer {
                Ok(answer) => mount::mark_of(&answer.meta) == *mark && answer.meta.size == wanted.len_bytes,
                // A range that begins past the end of a shorter object, or no object.
                Err(failure) => !matches!(failure.kind(), ErrorKind::NotFound | ErrorKind::Corrupt),
            };
            if !is_same {
                let says = "the object was changed since it was published";
                return Err(Failure::new(ErrorKind::Changed, says));
            }
        }
        let answer = answer?;
        if answer.meta.size != wanted.len_bytes {
            let (is, should) = (answer.meta.size, wanted.len_bytes);
            let says = format!("the object has {is} bytes instead of {should}");
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        Ok(answer.into_stream().map_err(Failure::from).boxed())
    }

    /// The first answer for a span, of which it brings the beginning.
    async fn begin(&self, span: Span, first: Range<u64>) -> Result<Pieces, Failure> {
        let len_bytes = self.wanted.len_bytes;
        if span.end() > len_bytes {
            if self.bucket.stored(&self.wanted.path).await?.is_none() {
                return Err(Failure::new(ErrorKind::NotFound, "there is no such object"));
            }
            let says = format!("bytes up to {} were asked of {len_bytes}", span.end());
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        self.get(first).await
    }

    fn transfer(&self, rest: Range<u64>, pieces: Option<Pieces>) -> Transfer {
        Transfer {
            reader: self.clone(),
            pieces,
            rest,
            tries: None,
        }
    }
}

#[async_trait]
impl BlobReader for S3Reader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let config = &self.bucket.config;
        let mut windows = windows::of(span.range(), config);
        let first = windows.next().unwrap_or_default();
        let begun = self.begin(span, first.clone()).await;
        let pieces = begun.map_err(|failure| self.wanted.failed(failure))?;
        let first = self.transfer(first, Some(pieces));
        if config.gets_in_flight == 1 {
            return Ok(ByteBody::stream(span.len(), first.into_stream()));
        }
        let reader = self.clone();
        let later = windows.map(move |window| reader.transfer(window, None));
        let body = stream::iter(iter::once(first).chain(later))
            .map(|transfer| transfer.into_stream().try_collect::<Vec<_>>())
            .buffered(config.gets_in_flight)
            .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
            .try_flatten();
        Ok(ByteBody::stream(span.len(), body))
    }
}

impl Wanted {
    fn failed(&self, failure: Failure) -> Error {
        failure.during(self.operation, &self.subject)
    }
}

/// What is left of a span, and the GET that brings it.
struct Transfer {
    reader: S3Reader,
    pieces: Option<Pieces>,
    rest: Range<u64>,
    /// Since it broke off, until the next byte.
    tries: Option<Tries>,
}

impl Transfer {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        stream::try_unfold(self, |mut transfer| async move {
            if transfer.rest.is_empty() {
                return Ok(None);
            }
            match transfer.next().await {
                Ok(piece) => Ok(Some((piece, transfer))),
                Err(failure) => Err(transfer.reader.wanted.failed(failure)),
            }
        })
    }

    async fn next(&mut self) -> Result<Bytes, Failure> {
        loop {
            let failure = match self.try_next().await {
                Ok(piece) => {
                    self.rest.start += piece.len() as u64;
                    self.tries = None;
                    return Ok(piece);
                }
                Err(failure) => failure,
            };
            self.pieces = None;
            let config = &self.reader.bucket.config;
            let tries = self.tries.get_or_insert_with(|| Tries::new(config));
            let goes_on = failure.kind() == ErrorKind::Unavailable && tries.again().await;
            if !goes_on {
                return Err(failure);
            }
            tracing::debug!(object = %self.reader.wanted.subject, at = self.rest.start, "read is taken up again");
        }
    }

    async fn try_next(&mut self) -> Result<Bytes, Failure> {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            none => none.insert(self.reader.get(self.rest.clone()).await?),
        };
        let limit = self.reader.bucket.config.read_timeout;
        match tokio::time::timeout(limit, pieces.next()).await {
            Ok(Some(piece)) => piece,
            Ok(None) => Err(Failure::new(
                ErrorKind::Unavailable,
                "the server ended its answer early",
            )),
            Err(_) => Err(Failure::silent("read_timeout", limit)),
        }
    }
}
