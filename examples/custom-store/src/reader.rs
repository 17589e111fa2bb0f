//! Reads spans of one blob.

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobReader, BlobRef};
use campusdisk_core::{ByteBody, Error, ErrorKind, Result, Span};
use futures::stream;
use sqlx::sqlite::SqlitePool;

use crate::failure::meaning;

#[derive(Clone, Debug)]
pub(crate) struct SqliteReader {
    reading: SqlitePool,
    blob: BlobRef,
}

impl SqliteReader {
    pub(crate) fn new(reading: SqlitePool, blob: BlobRef) -> Self {
        Self { reading, blob }
    }

    fn fail(&self, kind: ErrorKind, text: impl Into<String>) -> Error {
        Error::new(kind, text.into())
            .during("read blob")
            .on(self.blob.key.to_string())
    }

    /// The writer of the blob, where it is as long as it should be (B11).
    async fn writer(&self) -> Result<i64> {
        let found = sqlx::query_as::<_, (i64, i64)>("SELECT writer, len_bytes FROM blobs WHERE key = ?")
            .bind(self.blob.key.as_str())
            .fetch_optional(&self.reading)
            .await
            .map_err(|error| meaning(error).during("read blob"))?;
        match found {
            None => Err(self.fail(ErrorKind::NotFound, "there is no such blob")),
            Some((writer, len_bytes)) if len_bytes.unsigned_abs() == self.blob.len_bytes => Ok(writer),
            Some((_, len_bytes)) => {
                let text = format!("the blob has {len_bytes} bytes, not {}", self.blob.len_bytes);
                Err(self.fail(ErrorKind::Corrupt, text))
            }
        }
    }

    /// What the piece at `start` has from there to `end`.
    async fn piece(&self, writer: i64, start: u64, end: u64) -> Result<Bytes> {
        let row = sqlx::query_as::<_, (i64, Vec<u8>)>(
            "SELECT start, bytes FROM pieces WHERE writer = ? AND start <= ? ORDER BY start DESC LIMIT 1",
        )
        .bind(writer)
        .bind(start.cast_signed())
        .fetch_optional(&self.reading)
        .await
        .map_err(|error| meaning(error).during("read blob"))?;
        // Deleted in the middle of the reading: an error, never a short success (B5).
        let (begins, bytes) =
            row.ok_or_else(|| self.fail(ErrorKind::NotFound, "the blob was deleted while it was read"))?;
        let bytes = Bytes::from(bytes);
        let from = usize::try_from(start - begins.unsigned_abs()).unwrap_or(usize::MAX);
        let most = usize::try_from(end - start).unwrap_or(usize::MAX);
        let to = from.saturating_add(most).min(bytes.len());
        if from >= to {
            return Err(self.fail(ErrorKind::Corrupt, format!("byte {start} of the blob is missing")));
        }
        Ok(bytes.slice(from..to))
    }
}

#[async_trait]
impl BlobReader for SqliteReader {
    // B6: every call has a state of its own.
    async fn read(&self, span: Span) -> Result<ByteBody> {
        if span.end() > self.blob.len_bytes {
            let text = format!(
                "the span ends at {}, the blob at {}",
                span.end(),
                self.blob.len_bytes
            );
            // A missing blob is missing, wherever the span ends.
            self.writer().await?;
            return Err(self.fail(ErrorKind::Corrupt, text));
        }
        let writer = self.writer().await?;
        let (reader, end) = (self.clone(), span.end());
        let pieces = stream::try_unfold(span.start(), move |start| {
            let reader = reader.clone();
            async move {
                if start >= end {
                    return Ok(None);
                }
                let piece = reader.piece(writer, start, end).await?;
                let next = start + piece.len() as u64;
                Ok(Some((piece, next)))
            }
        });
        Ok(ByteBody::stream(span.len(), pieces))
    }
}
