//! Bytes that somebody else sends: a front server from a file, or the store itself.

use std::path::PathBuf;
use std::sync::Arc;

use super::download::Download;
use super::spent::Spent;
use crate::catalog::record::Extent;
use crate::storage::{BlobStore, PresignOptions, StoreName};
use crate::{Result, Span};

impl Download {
    /// The file on this machine that has these bytes and no others, with the store it lies in; `None` where there is none, or where what is
    /// sent must be counted byte by byte (a share with a limit).
    ///
    /// It stays there for as long as the content does, and the policy's `purge_delay`. A right that ends does not cut what a front server is
    /// sending. Whoever has the file sent calls [`hand_over`](Self::hand_over).
    pub fn local_file(&self) -> Option<(StoreName, PathBuf)> {
        let (extent, store) = self.one_blob()?;
        let local_path = store.abilities().local_path?;
        Some((extent.store.clone(), local_path.local_path(&extent.blob)))
    }

    /// An address at which the store itself sends these bytes to anybody for a while; `None` where it can't, or where what is sent must be counted
    /// byte by byte. As for [`local_file`](Self::local_file), a right that ends does not cut it.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the store's credentials can't be had.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn signed_address(&self, options: PresignOptions) -> Result<Option<String>> {
        let Some((extent, store)) = self.one_blob() else {
            return Ok(None);
        };
        match store.abilities().presign {
            Some(presign) => presign.presign_get(&extent.blob, options).await.map(Some),
            None => Ok(None),
        }
    }

    /// Counts all bytes as delivered, as somebody else sends them: in the download's record, and as a download of the share it comes by.
    ///
    /// # Errors
    /// What the catalog says where it comes by a share.
    ///
    /// # Cancel safety
    /// Cancel safe; a share may then have counted a download that is not recorded.
    pub async fn hand_over(&self) -> Result<()> {
        if let Some(spent) = &self.ticket {
            spent.budget(self.shared.clone(), 0).await?;
        }
        self.request
            .follow_whole(&self.shared, &self.target(), Span::whole(self.size_bytes()));
        Ok(())
    }

    /// The blob that these bytes are, where it is one and all of it.
    fn one_blob(&self) -> Option<(&Extent, &Arc<dyn BlobStore>)> {
        let [extent] = self.content.extents.as_slice() else {
            return None;
        };
        let is_all = extent.offset_bytes == 0 && extent.len_bytes == extent.blob_len_bytes;
        let is_counted = self.ticket.as_ref().is_some_and(Spent::is_limited);
        let store = self.shared.stores.get(&extent.store)?;
        (is_all && !is_counted).then_some((extent, store))
    }
}
