//! Writes one blob: pieces under a number of the writer's own, and at last the row that makes them a blob.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use campusdisk_core::storage::{BlobFacts, BlobKey, BlobWriter};
use campusdisk_core::{Error, ErrorKind, Result};
use sqlx::sqlite::SqlitePool;

use crate::failure::meaning;

/// How many bytes a row of pieces holds.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(crate) struct SqliteWriter {
    writing: SqlitePool,
    key: BlobKey,
    id: i64,
    /// Less than a piece.
    held: BytesMut,
    stored_bytes: u64,
    failed: bool,
}

impl SqliteWriter {
    pub(crate) async fn begin(writing: SqlitePool, key: BlobKey, now_ms: i64) -> Result<Self> {
        // The row comes before the first byte, so that every leftover has one (B9).
        let begun = sqlx::query("INSERT INTO writers (begun_ms) VALUES (?)")
            .bind(now_ms)
            .execute(&writing)
            .await
            .map_err(|error| meaning(error).during("create blob").on(key.to_string()))?;
        Ok(Self {
            writing,
            key,
            id: begun.last_insert_rowid(),
            held: BytesMut::new(),
            stored_bytes: 0,
            failed: false,
        })
    }

    async fn store(&mut self, piece: Bytes) -> Result<()> {
        // Only while the writer has its row, or nobody would ever find the piece.
        let stored = sqlx::query(
            "INSERT INTO pieces (writer, start, bytes) SELECT id, ?2, ?3 FROM writers WHERE id = ?1",
        )
        .bind(self.id)
        .bind(self.stored_bytes.cast_signed())
        .bind(&piece[..])
        .execute(&self.writing)
        .await
        .map_err(|error| meaning(error).during("write blob").on(self.key.to_string()))?;
        if stored.rows_affected() == 0 {
            return Err(tidied_away().during("write blob").on(self.key.to_string()));
        }
        self.stored_bytes += piece.len() as u64;
        Ok(())
    }

    /// One transaction: a commit that is cut off has made the blob or has not (B1), and of two of one key one is made (B2).
    async fn make_visible(&self) -> Result<()> {
        let commit = async {
            let mut change = self.writing.begin_with("BEGIN IMMEDIATE").await?;
            let made = sqlx::query(
                "INSERT INTO blobs (key, writer, len_bytes) SELECT ?1, id, ?3 FROM writers WHERE id = ?2 \
                 ON CONFLICT DO NOTHING",
            )
            .bind(self.key.as_str())
            .bind(self.id)
            .bind(self.stored_bytes.cast_signed())
            .execute(&mut *change)
            .await?;
            sqlx::query(
                "DELETE FROM writers WHERE id = ? AND EXISTS (SELECT 1 FROM blobs WHERE writer = ?1)",
            )
            .bind(self.id)
            .execute(&mut *change)
            .await?;
            change.commit().await?;
            Ok(made.rows_affected() == 1)
        };
        match commit.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.why_not_made().await),
            Err(error) => Err(meaning(error)),
        }
    }

    async fn why_not_made(&self) -> Error {
        let taken = sqlx::query("SELECT 1 FROM blobs WHERE key = ?")
            .bind(self.key.as_str())
            .fetch_optional(&self.writing)
            .await;
        match taken {
            Ok(Some(_)) => Error::new(ErrorKind::AlreadyExists, "a blob with this key is there already"),
            Ok(None) => tidied_away(),
            Err(error) => meaning(error),
        }
    }

    async fn give_up(&self) -> Result<()> {
        let give_up = async {
            let mut change = self.writing.begin_with("BEGIN IMMEDIATE").await?;
            for statement in [
                "DELETE FROM pieces WHERE writer = ?",
                "DELETE FROM writers WHERE id = ?",
            ] {
                sqlx::query(statement).bind(self.id).execute(&mut *change).await?;
            }
            change.commit().await
        };
        give_up
            .await
            .map_err(|error| meaning(error).during("give blob up").on(self.key.to_string()))
    }
}

#[async_trait]
impl BlobWriter for SqliteWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.expect_whole()?;
        // Stays so where a piece fails or this future is dropped: what came of the bytes is not known then (B8).
        self.failed = true;
        self.held.extend_from_slice(&bytes);
        while self.held.len() >= PIECE_BYTES {
            let piece = self.held.split_to(PIECE_BYTES).freeze();
            self.store(piece).await?;
        }
        self.failed = false;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobFacts> {
        self.expect_whole()?;
        let rest = self.held.split().freeze();
        if !rest.is_empty() {
            self.store(rest).await?;
        }
        let on_key = |error: Error| error.during("commit blob").on(self.key.to_string());
        self.make_visible().await.map_err(on_key)?;
        Ok(BlobFacts::new(self.stored_bytes))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.give_up().await
    }
}

impl SqliteWriter {
    fn expect_whole(&self) -> Result<()> {
        if !self.failed {
            return Ok(());
        }
        let text = "an earlier write of this blob failed, so it can only be given up";
        Err(Error::new(ErrorKind::Internal, text).on(self.key.to_string()))
    }
}

fn tidied_away() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "the bytes were tidied away while they were written: tidy only what is older",
    )
}
