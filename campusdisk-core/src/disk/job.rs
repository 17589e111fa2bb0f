//! The service's own reading and writing: hashes of what is stored, bytes written again, merging of pieces.

use std::sync::Arc;

use futures::StreamExt;

use super::blobs::{Held, attach, detach};
use super::chain::Chain;
use super::hasher::Hasher;
use super::intake::Intake;
use super::moving::Pace;
use super::shared::Shared;
use crate::catalog::record::{Extent, HashState, Upload};
use crate::catalog::{Change, Expect, RecordKey};
use crate::storage::BlobStore;
use crate::{ByteBody, Result};

impl Shared {
    /// Reads the bytes of an upload and compares them with its declared SHA-256.
    pub(super) async fn verify_declared(self: &Arc<Self>, upload: &Upload, extents: &[Extent]) -> Result<()> {
        let body = Chain::over_extents(self.clone(), extents.to_vec());
        let hash = self.hash_body(body, &Pace::default()).await?;
        super::upload::check_declared(upload, &hash)
    }

    pub(super) async fn hash_body(&self, mut body: ByteBody, pace: &Pace) -> Result<HashState> {
        let mut hasher = self.hasher()?;
        while let Some(piece) = body.next().await {
            let piece = piece?;
            pace.get_on(piece.len()).await;
            hasher.update(piece).await?;
        }
        hasher.end().await
    }

    /// Hashes a whole content.
    pub(super) fn hasher(&self) -> Result<Hasher> {
        Hasher::resume(self.spawner.clone(), &HashState::begin(true), Vec::new())
    }

    /// Writes bytes as few blobs of the store's part size. Nothing refers to them yet.
    pub(super) async fn rewrite(
        self: &Arc<Self>,
        mut body: ByteBody,
        store: &Arc<dyn BlobStore>,
        pace: &Pace,
    ) -> Result<Held> {
        let none = HashState::begin(false);
        let mut intake = Intake::begin(
            self.clone(),
            store.clone(),
            &none,
            bytes::Bytes::new(),
            Vec::new(),
            Some(body.len_bytes()),
        )?;
        let mut parts = Held::new(self);
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => {
                    pace.get_on(piece.len()).await;
                    parts.hold(self, intake.write(piece).await?).await?;
                }
                Err(error) => {
                    intake.abort().await;
                    return Err(error);
                }
            }
        }
        parts.hold(self, intake.finish(false).await?.parts).await?;
        Ok(parts)
    }

    /// How many of an upload's pieces are smaller than a part.
    pub(super) fn small_pieces(&self, upload: &Upload) -> usize {
        let part_bytes = self.store_of(upload).info().part_size_bytes;
        let small = |extent: &&Extent| extent.len_bytes < part_bytes;
        upload.extents.iter().filter(small).count()
    }

    /// Merges an upload's small neighbouring pieces into whole parts, so that it may go on. Whole ones stay as they are.
    pub(super) async fn merge_extents(self: &Arc<Self>, upload: Upload) -> Result<Upload> {
        let store = self.store_of(&upload);
        let part_bytes = store.info().part_size_bytes;
        let is_small = |extent: &Extent| extent.len_bytes < part_bytes;
        let mut extents = Vec::new();
        for run in upload
            .extents
            .chunk_by(|one, next| is_small(one) && is_small(next))
        {
            match run {
                [alone] => extents.push(alone.clone()),
                run => {
                    let pieces = Chain::over_extents(self.clone(), run.to_vec());
                    let merged = self.rewrite(pieces, store, &Pace::default()).await?;
                    extents.extend(merged.extents());
                }
            }
        }
        if extents.len() == upload.extents.len() {
            return Ok(upload);
        }
        let mut set = self.change_set();
        // The version too: a join may have taken the reservation over.
        set.push(Expect::Version(RecordKey::Upload(upload.id), upload.version));
        set.push(Expect::UploadAt(upload.id, upload.epoch, upload.offset_bytes));
        set.changes.extend(attach(&extents));
        set.changes.extend(detach(&upload.extents));
        let merged = Upload {
            extents,
            version: upload.version + 1,
            ..upload
        };
        set.push(Change::Delete(RecordKey::Upload(merged.id)));
        set.push(merged.clone());
        self.commit(set).await?;
        Ok(merged)
    }
}
