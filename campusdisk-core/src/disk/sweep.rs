//! The sweep: what nothing refers to goes away, in its time and in batches.

use std::collections::HashMap;
use std::sync::Arc;

use super::place::is_lost_race;
use super::records::first_id;
use super::shared::{CampusDisk, Shared};
use crate::catalog::record::Blob;
use crate::catalog::{BlobStep, Bulk, Change, RecordKey, SweepQuery};
use crate::storage::{BlobKey, Deleted, StoreName};
use crate::{ErrorKind, Result};

/// What a sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Uploads given up.
    pub uploads: u64,
    /// Trashed nodes purged.
    pub purged: u64,
    /// Blobs condemned.
    pub condemned: u64,
    /// Blobs whose bytes and rows were deleted.
    pub deleted: u64,
    /// Invisible leftovers removed from stores.
    pub leftovers: u64,
    /// Records of downloads deleted.
    pub records: u64,
    /// Contents without SHA-256 that a task begins to hash.
    pub hashing: u64,
}

impl CampusDisk {
    /// Sweeps once: gives up uploads and purges trash whose time is over, condemns blobs that nothing refers to, deletes those
    /// that were condemned long enough ago, removes leftovers of writers from the stores, deletes old records of downloads, and has
    /// some of the contents hashed, by a task, that have no SHA-256 yet.
    ///
    /// Several instances may sweep at once.
    ///
    /// # Errors
    /// What catalog or stores say; what was done stays done, the rest is done by the next sweep.
    ///
    /// # Cancel safety
    /// Cancel safe: every step is whole.
    pub async fn sweep(&self) -> Result<Swept> {
        let shared = &self.0;
        let mut swept = Swept {
            uploads: shared.sweep_uploads().await?,
            ..Swept::default()
        };
        swept.purged = shared.sweep_trash().await?;
        swept.condemned = shared.condemn().await?;
        swept.deleted = shared.delete_condemned().await?;
        for store in shared.stores.values() {
            // Twice the lease: no living writer is that old.
            swept.leftovers += store.tidy(shared.policy.blob_lease * 2).await?;
        }
        swept.hashing = shared.sweep_unhashed().await?;
        swept.records = shared.forget_old().await?;
        Ok(swept)
    }
}

impl Shared {
    /// Forgets old ids of change sets and deletes old records of downloads.
    async fn forget_old(&self) -> Result<u64> {
        let mut count = 0;
        loop {
            let mut set = self.change_set();
            let before = set.at - self.policy.change_memory;
            set.push(Bulk::Forget { before });
            set.push(Bulk::ForgetDownloads {
                before: first_id(set.at - self.policy.records_rest),
                limit: self.policy.batch_rows,
            });
            let committed = self.commit(set).await?;
            let outcome = committed.bulk.last().copied().unwrap_or_default();
            count += outcome.rows;
            if outcome.done || outcome.rows == 0 {
                return Ok(count);
            }
        }
    }

    async fn sweep_uploads(&self) -> Result<u64> {
        let mut count = 0;
        loop {
            let uploads = self
                .catalog
                .uploads_expired(self.now(), self.policy.batch_rows)
                .await?;
            let mut gone = 0;
            for upload in &uploads {
                match self.give_up(upload).await {
                    Ok(()) => gone += 1,
                    // It got on, or was given up by somebody else.
                    Err(error) if is_lost_race(&error) || error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            count += gone;
            if gone == 0 {
                return Ok(count);
            }
        }
    }

    async fn sweep_trash(&self) -> Result<u64> {
        let mut count = 0;
        loop {
            let nodes = self
                .catalog
                .trash_expired(self.now(), self.policy.batch_rows)
                .await?;
            if nodes.is_empty() {
                return Ok(count);
            }
            for node in &nodes {
                self.purge(node).await?;
            }
            count += nodes.len() as u64;
        }
    }

    /// Condemns blobs whose writers are dead and blobs that nothing refers to any more.
    async fn condemn(&self) -> Result<u64> {
        let (now, limit) = (self.now(), self.policy.batch_rows);
        let mut count = 0;
        for query in [SweepQuery::LeaseOver(now, limit), SweepQuery::Unreferenced(limit)] {
            loop {
                let blobs = self.catalog.blobs(&query).await?;
                let condemned = self.condemn_all(&blobs).await?;
                count += condemned;
                if condemned == 0 {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// One set for all, and, when somebody attached one of them meanwhile, one for each.
    async fn condemn_all(&self, blobs: &[Blob]) -> Result<u64> {
        if blobs.is_empty() {
            return Ok(0);
        }
        let now = self.now();
        let condemn = |blob: &Blob| Change::Blob(blob.store.clone(), blob.key, BlobStep::Condemn { now });
        let mut set = self.change_set();
        set.changes.extend(blobs.iter().map(condemn));
        match self.commit(set).await {
            Ok(_) => return Ok(blobs.len() as u64),
            Err(error) if is_lost_race(&error) || error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut count = 0;
        for blob in blobs {
            let mut set = self.change_set();
            set.push(condemn(blob));
            match self.commit(set).await {
                Ok(_) => count += 1,
                Err(error) if is_lost_race(&error) || error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Deletes bytes, then rows: a crash in between leaves a row, and the deletion is done again.
    async fn delete_condemned(&self) -> Result<u64> {
        let before = self.now() - self.policy.purge_delay;
        let mut count = 0;
        loop {
            let blobs = self
                .catalog
                .blobs(&SweepQuery::CondemnedBefore(before, self.policy.batch_rows))
                .await?;
            let mut gone = 0;
            let mut failed = None;
            for (store, keys) in by_store(&blobs) {
                match self.delete_blobs(&store, &keys).await {
                    Ok(deleted) => gone += deleted,
                    // The other stores are swept all the same.
                    Err(error) => failed = Some(error),
                }
            }
            count += gone;
            if gone == 0 {
                return failed.map_or(Ok(count), Err);
            }
        }
    }

    async fn delete_blobs(&self, store: &StoreName, keys: &[BlobKey]) -> Result<u64> {
        let outcomes = match self.mounts.contains_key(store) {
            // The objects are not ours: only the rows go.
            true => keys.iter().map(|&key| Deleted { key, outcome: Ok(()) }).collect(),
            false => Arc::clone(self.store(store)?).delete(keys).await?,
        };
        self.forget_readers(store, outcomes.iter().map(|deleted| deleted.key));
        let mut set = self.change_set();
        for deleted in outcomes {
            match deleted.outcome {
                Ok(()) => {
                    set.push(Change::Delete(RecordKey::Blob(store.clone(), deleted.key)));
                }
                Err(error) => {
                    tracing::warn!(%error, key = %deleted.key, "a condemned blob could not be deleted yet")
                }
            }
        }
        let gone = set.changes.len() as u64;
        if gone > 0 {
            self.commit(set).await?;
        }
        Ok(gone)
    }
}

fn by_store(blobs: &[Blob]) -> HashMap<StoreName, Vec<BlobKey>> {
    let mut stores: HashMap<StoreName, Vec<BlobKey>> = HashMap::new();
    for blob in blobs {
        stores.entry(blob.store.clone()).or_default().push(blob.key);
    }
    stores
}
