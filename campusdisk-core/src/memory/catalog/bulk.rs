//! Changes of many rows at once.

use std::collections::{BTreeMap, HashSet};

use super::apply::add_within;
use super::state::State;
use crate::catalog::{Bound, Bulk, BulkOutcome};
use crate::{ContentId, DownloadId, DriveId, Error, NodeId, Result, Timestamp};

impl State {
    pub(super) fn bulk(&mut self, bulk: &Bulk, at: Timestamp) -> Result<BulkOutcome> {
        match *bulk {
            Bulk::Purge { root, limit } => Ok(self.purge(root, limit, at)),
            Bulk::Rehome { root, drive } => self.rehome(root, drive),
            Bulk::EndShares { root } => Ok(self.end_shares_below(root, at)),
            Bulk::Recount { drive } => Ok(self.recount_drive(drive)),
            Bulk::Forget { before } => Ok(self.forget(before)),
            Bulk::ForgetDownloads { before, limit } => Ok(self.forget_downloads(before, limit)),
        }
    }

    fn purge(&mut self, root: NodeId, limit: u32, at: Timestamp) -> BulkOutcome {
        if self.nodes.get(&root).is_none_or(|node| node.trashed.is_none()) {
            return BulkOutcome { rows: 0, done: true };
        }
        let mut doomed = self.subtree(root, Below::All);
        let done = doomed.len() <= limit as usize;
        // Folders come before what is in them, so the last ones have nothing under them that stays.
        doomed.reverse();
        doomed.truncate(limit as usize);
        for &id in &doomed {
            self.purge_node(id, at);
        }
        BulkOutcome {
            rows: doomed.len() as u64,
            done,
        }
    }

    fn purge_node(&mut self, id: NodeId, at: Timestamp) {
        let versions: Vec<_> = self
            .versions
            .range((id, 0)..=(id, u64::MAX))
            .map(|(_, version)| version.clone())
            .collect();
        for version in versions {
            self.versions.remove(&(id, version.number));
            self.drives.update(&version.drive, |drive| {
                drive.used_bytes = drive.used_bytes.saturating_sub(version.size_bytes);
            });
            self.release_content(version.content);
        }
        self.end_shares(&HashSet::from([id]), at);
        self.remove_node(id);
    }

    fn end_shares_below(&mut self, root: NodeId, at: Timestamp) -> BulkOutcome {
        let nodes = match self.nodes.contains(&root) {
            true => self.subtree(root, Below::Live).into_iter().collect(),
            false => HashSet::new(),
        };
        BulkOutcome {
            rows: self.end_shares(&nodes, at),
            done: true,
        }
    }

    fn end_shares(&mut self, nodes: &HashSet<NodeId>, at: Timestamp) -> u64 {
        let open: Vec<_> = self
            .shares
            .values()
            .filter(|share| share.ended.is_none() && nodes.contains(&share.node))
            .map(|share| share.id)
            .collect();
        for share in &open {
            self.shares.update(share, |share| {
                share.ended = Some(at);
                share.version += 1;
            });
        }
        open.len() as u64
    }

    fn release_content(&mut self, id: ContentId) {
        let left = self.contents.update(&id, |content| {
            content.refs = content.refs.saturating_sub(1);
            content.refs
        });
        if left != Some(0) {
            return;
        }
        if let Some(content) = self.contents.remove(&id) {
            for extent in content.extents {
                self.blobs.update(&(extent.store, extent.blob), |blob| {
                    blob.refs = blob.refs.saturating_sub(1);
                });
            }
        }
    }

    fn rehome(&mut self, root: NodeId, drive: DriveId) -> Result<BulkOutcome> {
        if !self.nodes.contains(&root) {
            return Ok(BulkOutcome { rows: 0, done: true });
        }
        if !self.drives.contains(&drive) {
            return Err(Error::not_found());
        }
        let mut rows = 0;
        let mut passed: BTreeMap<DriveId, u64> = BTreeMap::new();
        for id in self.subtree(root, Below::All) {
            if self.nodes.get(&id).is_some_and(|node| node.drive != drive) {
                self.nodes.update(&id, |node| {
                    node.drive = drive;
                    node.version += 1;
                });
                rows += 1;
            }
            let numbers: Vec<_> = self
                .versions
                .range((id, 0)..=(id, u64::MAX))
                .filter(|(_, version)| version.drive != drive)
                .map(|(key, _)| *key)
                .collect();
            for key in numbers {
                self.versions.update(&key, |version| {
                    *passed.entry(version.drive).or_default() += version.size_bytes;
                    version.drive = drive;
                });
            }
        }
        for (&from, &bytes) in &passed {
            self.drives.update(&from, |drive| {
                drive.used_bytes = drive.used_bytes.saturating_sub(bytes);
            });
        }
        let bytes = i64::try_from(passed.values().sum::<u64>()).unwrap_or(i64::MAX);
        self.drives
            .update(&drive, |drive| {
                let room = drive
                    .quota_bytes
                    .map(|quota| quota.saturating_sub(drive.reserved_bytes));
                add_within(&mut drive.used_bytes, bytes, Bound::Quota, room)
            })
            .unwrap_or(Ok(()))?;
        Ok(BulkOutcome { rows, done: true })
    }

    fn recount_drive(&mut self, id: DriveId) -> BulkOutcome {
        let (used, reserved) = self.sums_of(id);
        let found = self.drives.update(&id, |drive| {
            drive.used_bytes = used;
            drive.reserved_bytes = reserved;
        });
        BulkOutcome {
            rows: found.map_or(0, |()| 1),
            done: true,
        }
    }

    pub(super) fn sums_of(&self, drive: DriveId) -> (u64, u64) {
        let versions = self.versions.values().filter(|version| version.drive == drive);
        let uploads = self.uploads.values().filter(|upload| upload.drive == drive);
        (
            versions.map(|version| version.size_bytes).sum(),
            uploads.map(|upload| upload.reserved_bytes).sum(),
        )
    }

    fn forget(&mut self, before: Timestamp) -> BulkOutcome {
        let old: Vec<_> = self
            .applied
            .range(..)
            .filter(|&(_, &at)| at < before)
            .map(|(id, _)| *id)
            .collect();
        for id in &old {
            self.applied.remove(id);
        }
        BulkOutcome {
            rows: old.len() as u64,
            done: true,
        }
    }

    fn forget_downloads(&mut self, before: DownloadId, limit: u32) -> BulkOutcome {
        let due: Vec<_> = self.downloads.range(..before).map(|(id, _)| *id).collect();
        let gone = due.len().min(limit as usize);
        for id in due.iter().take(gone) {
            self.downloads.remove(id);
        }
        BulkOutcome {
            rows: gone as u64,
            done: gone == due.len(),
        }
    }

    /// The node and what is under it, each folder before what is in it.
    fn subtree(&self, root: NodeId, below: Below) -> Vec<NodeId> {
        let mut found = vec![root];
        let mut next = 0;
        while let Some(&folder) = found.get(next) {
            let (first, last) = (NodeId::from_u128(0), NodeId::from_u128(u128::MAX));
            found.extend(
                self.children
                    .range((folder, first)..=(folder, last))
                    .map(|(&(_, child), ())| child)
                    .filter(|child| below == Below::All || self.is_unmarked(child)),
            );
            next += 1;
        }
        found
    }

    fn is_unmarked(&self, id: &NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| node.trashed.is_none())
    }
}

/// Which nodes under a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// Trashed ones too.
    All,
    /// None that is trashed itself, nor what is under it.
    Live,
}
