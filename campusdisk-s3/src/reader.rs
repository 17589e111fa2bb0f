//! Reads spans of one blob: one GET each, taken up again where it broke.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobReader, BlobRef};
use campusdisk_core::{ByteBody, ErrorKind, Result, Span};
use futures::stream::{self, BoxStream, Stream};
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStore};

use crate::bucket::Bucket;
use crate::error::Failure;
use crate::retry::Tries;

const READ: &str = "read blob";

type Pieces = BoxStream<'static, Result<Bytes, Failure>>;

#[derive(Clone, Debug)]
pub(crate) struct S3Reader {
    bucket: Arc<Bucket>,
    blob: BlobRef,
}

impl S3Reader {
    pub(crate) fn new(bucket: Arc<Bucket>, blob: BlobRef) -> Self {
        Self { bucket, blob }
    }

    async fn get(&self, range: Range<u64>) -> Result<Pieces, Failure> {
        let path = self.bucket.path(&self.blob.key);
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let answer = self.bucket.objects.get_opts(&path, options).await?;
        if answer.meta.size != self.blob.len_bytes {
            let (is, should) = (answer.meta.size, self.blob.len_bytes);
            let says = format!("the object has {is} bytes instead of {should}");
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        Ok(answer.into_stream().map_err(Failure::from).boxed())
    }

    async fn begin(&self, span: Span) -> Result<Pieces, Failure> {
        if span.end() > self.blob.len_bytes {
            let path = self.bucket.path(&self.blob.key);
            if self.bucket.stored(&path).await?.is_none() {
                return Err(Failure::new(ErrorKind::NotFound, "there is no such object"));
            }
            let says = format!("bytes up to {} were asked of {}", span.end(), self.blob.len_bytes);
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        self.get(span.range()).await
    }
}

#[async_trait]
impl BlobReader for S3Reader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let begun = self.begin(span).await;
        let pieces = begun.map_err(|failure| failure.during(READ, self.bucket.subject(&self.blob.key)))?;
        let transfer = Transfer {
            reader: self.clone(),
            pieces: Some(pieces),
            rest: span.range(),
            tries: None,
        };
        Ok(ByteBody::stream(span.len(), transfer.into_stream()))
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
                Err(failure) => {
                    let subject = transfer.reader.bucket.subject(&transfer.reader.blob.key);
                    Err(failure.during(READ, subject))
                }
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
            tracing::debug!(key = %self.reader.blob.key, at = self.rest.start, "read is taken up again");
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
