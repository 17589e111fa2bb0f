//! Blob keys for writers, and open readers for downloads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::Mutex;

use super::intake::Part;
use super::shared::Shared;
use crate::catalog::record::{Blob, BlobState, Extent};
use crate::catalog::{BlobStep, Change};
use crate::mount::ObjectRef;
use crate::storage::{BlobKey, BlobReader, BlobRef, BlobStore, CreateOptions, StoreName};
use crate::{Error, ErrorKind, Policy, Result, Timestamp};

/// Leased keys that no writer has taken yet, by store.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<StoreName, Vec<(BlobKey, Timestamp)>>>);

/// Readers that were used lately.
pub(super) struct Readers(Cache<(StoreName, BlobKey), Arc<dyn BlobReader>>);

impl Readers {
    pub(super) fn new(policy: &Policy) -> Self {
        let idle = Duration::from_secs(30);
        Self(
            Cache::builder()
                .max_capacity(policy.open_readers)
                .time_to_idle(idle)
                .build(),
        )
    }
}

impl Shared {
    /// A key that has its row and that no one else writes. Keys are leased in batches: a row before bytes, but not a
    /// commit for each.
    pub(super) async fn lease(&self, store: &StoreName) -> Result<BlobKey> {
        let mut pools = self.leases.0.lock().await;
        let now = self.now();
        let pool = pools.entry(store.clone()).or_default();
        // A key is handed out only while three quarters of its lease are left. A part is open for an eighth, is told of when
        // the next one is closed, and is then attached or held within another eighth.
        pool.retain(|&(_, until)| now + self.policy.blob_lease / 4 * 3 < until);
        if let Some((key, _)) = pool.pop() {
            return Ok(key);
        }
        let until = now + self.policy.blob_lease;
        let mut set = self.change_set();
        let mut fresh = Vec::new();
        for _ in 0..self.policy.lease_batch.max(1) {
            let key = BlobKey::generate(&*self.ids);
            fresh.push((key, until));
            set.push(self.leased(store, key, until));
        }
        self.commit(set).await?;
        *pool = fresh;
        // The batch holds at least one key.
        pool.pop().map(|(key, _)| key).ok_or_else(Error::not_found)
    }

    pub(super) fn leased(&self, store: &StoreName, key: BlobKey, until: Timestamp) -> Blob {
        Blob {
            store: store.clone(),
            key,
            state: BlobState::Leased,
            owner: self.instance.clone(),
            until,
            condemned: None,
            object: None,
            refs: 0,
        }
    }

    /// Begins the leases of `parts` anew; a lost race when the sweep condemned one of them already.
    async fn renew(&self, parts: &[Part]) -> Result<()> {
        let mut set = self.change_set();
        let until = set.at + self.policy.blob_lease;
        for part in parts {
            let (store, key) = (&part.extent.store, part.extent.blob);
            let step = |step| Change::Blob(store.clone(), key, step);
            // Only a blob that is not condemned can be attached, so only such a one is leased again.
            set.push(step(BlobStep::Attach(1)));
            set.push(self.leased(store, key, until));
            set.push(step(BlobStep::Detach(1)));
        }
        self.commit(set).await.map(drop)
    }

    /// Writes `pieces` as one blob.
    pub(super) async fn write_blob(&self, store: &Arc<dyn BlobStore>, pieces: Vec<Bytes>) -> Result<Extent> {
        let name = store.info().name.clone();
        let key = self.lease(&name).await?;
        let len_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut writer = store
            .create(&key, CreateOptions::default().with_expected_bytes(len_bytes))
            .await?;
        for piece in pieces {
            writer.write(piece).await?;
        }
        writer.commit().await?;
        Ok(Extent {
            store: name,
            blob: key,
            blob_len_bytes: len_bytes,
            offset_bytes: 0,
            len_bytes,
        })
    }

    /// A reader of the extent's blob, an open one where there is one.
    pub(super) async fn reader(&self, extent: &Extent) -> Result<Arc<dyn BlobReader>> {
        let key = (extent.store.clone(), extent.blob);
        if let Some(reader) = self.readers.0.get(&key) {
            return Ok(reader);
        }
        let reader: Arc<dyn BlobReader> = match self.mounts.get(&extent.store) {
            Some(mount) => Arc::from(mount.open(&self.object_of(extent).await?).await?),
            None => {
                let blob = BlobRef {
                    key: extent.blob,
                    len_bytes: extent.blob_len_bytes,
                };
                Arc::from(self.store(&extent.store)?.open(&blob).await?)
            }
        };
        self.readers.0.insert(key, reader.clone());
        Ok(reader)
    }

    /// The object of a mount that an extent lies in.
    pub(super) async fn object_of(&self, extent: &Extent) -> Result<ObjectRef> {
        let blob = self.catalog.blob(&extent.store, &extent.blob).await?;
        let blob = blob.ok_or_else(Error::not_found)?;
        blob.object.ok_or_else(|| {
            let says = "the row of a blob in a mount does not say which object it is";
            Error::new(ErrorKind::Corrupt, says).on(extent.blob.as_str())
        })
    }

    /// Forgets readers that failed, or whose blobs are deleted.
    pub(super) fn forget_readers(&self, store: &StoreName, blobs: impl IntoIterator<Item = BlobKey>) {
        for blob in blobs {
            self.readers.0.invalidate(&(store.clone(), blob));
        }
        // Or they would be dropped when others are used, and keep the room of deleted blobs till then.
        self.readers.0.run_pending_tasks();
    }
}

/// Committed parts that nothing refers to yet. Their leases are kept from running out, however long the transfer takes.
pub(super) struct Held {
    parts: Vec<Part>,
    renewed: Timestamp,
}

impl Held {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            parts: Vec::new(),
            renewed: shared.now(),
        }
    }

    pub(super) async fn hold(&mut self, shared: &Shared, parts: Vec<Part>) -> Result<()> {
        self.parts.extend(parts);
        let now = shared.now();
        if now.since(self.renewed) > shared.policy.blob_lease / 8 && !self.parts.is_empty() {
            shared.renew(&self.parts).await?;
            self.renewed = now;
        }
        Ok(())
    }

    /// Where the parts lie.
    pub(super) fn extents(&self) -> Vec<Extent> {
        self.parts.iter().map(|part| part.extent.clone()).collect()
    }

    /// The parts, which the caller now attaches.
    pub(super) fn release(self) -> Vec<Part> {
        self.parts
    }
}

/// One attachment for each extent.
pub(super) fn attach(extents: &[Extent]) -> impl Iterator<Item = Change> + '_ {
    steps(extents, BlobStep::Attach(1))
}

/// One detachment for each extent.
pub(super) fn detach(extents: &[Extent]) -> impl Iterator<Item = Change> + '_ {
    steps(extents, BlobStep::Detach(1))
}

fn steps(extents: &[Extent], step: BlobStep) -> impl Iterator<Item = Change> + '_ {
    extents
        .iter()
        .map(move |extent| Change::Blob(extent.store.clone(), extent.blob, step))
}
