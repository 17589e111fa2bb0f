//! The service's own reading and writing: hashes of what is stored, merging of pieces, new layouts.

use std::sync::Arc;

use futures::StreamExt;

use super::blobs::{Held, attach, detach};
use super::download::Chain;
use super::hasher::Hasher;
use super::intake::Intake;
use super::shared::{CampusDisk, Shared};
use crate::catalog::record::{Content, Extent, HashState, Upload};
use crate::catalog::{Change, Expect, RecordKey};
use crate::{ByteBody, ContentId, Error, ErrorKind, Result};

impl Shared {
    /// Reads the bytes of an upload and compares them with its declared SHA-256.
    pub(super) async fn verify_declared(self: &Arc<Self>, upload: &Upload, extents: &[Extent]) -> Result<()> {
        let content = Arc::new(as_content(extents.to_vec()));
        let hash = self.hash_body(Chain::over(self.clone(), content)).await?;
        super::upload::check_declared(upload, &hash)
    }

    pub(super) async fn hash_body(&self, mut body: ByteBody) -> Result<HashState> {
        let mut hasher = Hasher::resume(self.spawner.clone(), &HashState::begin(true), Vec::new())?;
        while let Some(piece) = body.next().await {
            hasher.update(piece?).await?;
        }
        let gone = |_| Error::new(ErrorKind::Internal, "the hashing thread is gone");
        hasher.state().await?.await.map_err(gone)
    }

    /// Writes extents again as few blobs of the primary store's part size.
    async fn rewrite(self: &Arc<Self>, extents: Vec<Extent>) -> Result<Vec<Extent>> {
        let mut body = Chain::over(self.clone(), Arc::new(as_content(extents)));
        let none = HashState::begin(false);
        let mut intake = Intake::begin(
            self.clone(),
            &none,
            bytes::Bytes::new(),
            Vec::new(),
            Some(body.len_bytes()),
        )?;
        let mut parts = Held::new(self);
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => parts.hold(self, intake.write(piece).await?).await?,
                Err(error) => {
                    intake.abort().await;
                    return Err(error);
                }
            }
        }
        let mut parts = parts.release();
        parts.extend(intake.finish(false).await?.parts);
        Ok(parts.into_iter().map(|part| part.extent).collect())
    }

    /// How many of an upload's pieces are smaller than a part.
    pub(super) fn small_pieces(&self, upload: &Upload) -> usize {
        upload
            .extents
            .iter()
            .filter(|extent| self.is_small(extent))
            .count()
    }

    fn is_small(&self, extent: &Extent) -> bool {
        extent.len_bytes < self.primary.info().part_size_bytes
    }

    /// Merges an upload's small neighbouring pieces into whole parts, so that it may go on. Whole ones stay as they are.
    pub(super) async fn merge_extents(self: &Arc<Self>, upload: Upload) -> Result<Upload> {
        let mut extents = Vec::new();
        for run in upload
            .extents
            .chunk_by(|one, next| self.is_small(one) && self.is_small(next))
        {
            match run {
                [alone] => extents.push(alone.clone()),
                run => extents.extend(self.rewrite(run.to_vec()).await?),
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

impl CampusDisk {
    /// Gives a content a new layout: its bytes are copied into few blobs of the primary store, then the old pieces are let
    /// go. Readers go on over the change.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the content is gone, [`Conflict`](ErrorKind::Conflict) when its layout changed meanwhile, else what the stores say.
    ///
    /// # Cancel safety
    /// When dropped, nothing changed but blobs that the sweep finds.
    pub async fn relayout(&self, id: ContentId) -> Result<()> {
        let content = self.0.catalog.content(id).await?.ok_or_else(Error::not_found)?;
        let extents = self.0.rewrite(content.extents.clone()).await?;
        let mut set = self.0.change_set();
        set.push(Expect::Version(RecordKey::Content(id), content.layout_version));
        set.changes.extend(attach(&extents));
        set.changes.extend(detach(&content.extents));
        set.push(Content {
            extents,
            layout_version: content.layout_version + 1,
            ..content
        });
        self.0.commit(set).await.map(drop)
    }
}

/// Extents as a content that only the service reads.
fn as_content(extents: Vec<Extent>) -> Content {
    Content {
        id: ContentId::from_u128(0),
        size_bytes: extents.iter().map(|extent| extent.len_bytes).sum(),
        crc32: None,
        sha256: None,
        created: crate::Timestamp::default(),
        layout_version: 0,
        extents,
        refs: 0,
    }
}
