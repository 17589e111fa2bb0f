//! Bytes that are read into the cache ahead of need.

use std::sync::Arc;

use super::chunks::MOST_AT_ONCE;
use super::shared::{CampusDisk, Shared};
use crate::catalog::record::{Content, NodeKind};
use crate::{CHUNK_BYTES, Error, NodeId, Result};

/// What [`CampusDisk::prewarm`] came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warmed {
    /// Files in stores across a network; others, and those of mounts, are not kept and left out.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many bytes of these were read now; the rest was in the cache already.
    pub read_bytes: u64,
}

impl CampusDisk {
    /// Reads a file, or all files below a folder, into the cache, so that their first downloads find them there.
    ///
    /// What is more than the cache holds pushes out what was read before it: warm no more than that.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the node is not there or in the trash, else what catalog and store say; files before
    /// the failure stay in the cache.
    ///
    /// # Cancel safety
    /// Cancel safe; chunks that are being read are still kept.
    pub async fn prewarm(&self, node: NodeId) -> Result<Warmed> {
        let place = self.0.place(node).await?.ok_or_else(Error::not_found)?;
        let mut warmed = Warmed::default();
        let mut folders = match &place.content {
            Some(content) => {
                self.0.warm(content, &mut warmed).await?;
                Vec::new()
            }
            None => vec![place.node.id],
        };
        while let Some(folder) = folders.pop() {
            for child in self.0.all_children(folder, usize::MAX).await? {
                match (child.kind, child.content) {
                    (NodeKind::Folder, _) => folders.push(child.id),
                    (NodeKind::File, Some(id)) => {
                        // A file that was purged meanwhile is no file to warm.
                        if let Some(content) = self.0.catalog.content(id).await? {
                            self.0.warm(&Arc::new(content), &mut warmed).await?;
                        }
                    }
                    (NodeKind::File, None) => {}
                }
            }
        }
        Ok(warmed)
    }
}

impl Shared {
    async fn warm(self: &Arc<Self>, content: &Arc<Content>, warmed: &mut Warmed) -> Result<()> {
        if !self.is_far(content) {
            return Ok(());
        }
        warmed.files += 1;
        warmed.bytes += content.size_bytes;
        let end = content.size_bytes.div_ceil(CHUNK_BYTES);
        let mut number = 0;
        while number < end {
            // Whoever asks for it the first time then finds that it was asked for before.
            self.chunks.ask(content.id, number);
            if self.kept_chunk(content, number).await.is_some() {
                number += 1;
                continue;
            }
            let chunks = number..end.min(number + MOST_AT_ONCE);
            let Some(readings) = self.read_chunks(content, chunks) else {
                self.chunks.wait_for_room(MOST_AT_ONCE).await;
                continue;
            };
            for mut reading in readings {
                self.chunks.ask(content.id, number);
                warmed.read_bytes += reading.chunk().await?.len() as u64;
                number += 1;
            }
        }
        Ok(())
    }
}
