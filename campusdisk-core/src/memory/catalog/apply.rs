//! Applying a change set, one primitive after the other.

use super::numbers::{self, LARGEST};
use super::state::State;
use crate::catalog::record::{BlobState, Node, NodeKind};
use crate::catalog::{BlobStep, Bound, Change, ChangeSet, Committed, Counter, Expect, Extension};
use crate::storage::{BlobKey, StoreName};
use crate::{Error, ErrorKind, Result};

impl State {
    pub(super) fn apply_set(&mut self, set: ChangeSet) -> Result<Committed> {
        if self.applied.contains(&set.id) {
            return Ok(Committed {
                replayed: true,
                bulk: Vec::new(),
            });
        }
        self.applied.insert(set.id, set.at);
        let mut committed = Committed::default();
        for change in set.changes {
            match change {
                Change::Expect(expect) => self.expect(&expect)?,
                Change::Put(record) => {
                    numbers::check(&record)?;
                    self.put(record)?;
                }
                Change::Delete(key) => self.delete(&key),
                Change::Add(counter, delta, bound) => self.add(counter, delta, bound)?,
                Change::Blob(store, key, step) => self.step_blob(&store, key, step)?,
                Change::Extend(extension) => self.extend(extension)?,
                Change::Append(event) => self.append(event)?,
                Change::Bulk(bulk) => committed.bulk.push(self.bulk(&bulk, set.at)?),
            }
        }
        Ok(committed)
    }

    fn expect(&self, expect: &Expect) -> Result<()> {
        let (holds, kind, message) = match expect {
            Expect::Version(key, version) => (
                self.version_of(key) == Some(*version),
                ErrorKind::Conflict,
                "somebody else changed the record",
            ),
            Expect::Absent(key) => (
                self.version_of(key).is_none(),
                ErrorKind::AlreadyExists,
                "the record is there",
            ),
            Expect::NameFree(parent, name) => (
                !self.names.contains(&(*parent, name.key())),
                ErrorKind::AlreadyExists,
                "the folder has an entry of this name",
            ),
            Expect::ParentLive(id, drive) => {
                let is_folder = |node: &&Node| node.kind == NodeKind::Folder && node.trashed.is_none();
                match self.nodes.get(id).filter(is_folder) {
                    Some(folder) => (
                        folder.drive == *drive,
                        ErrorKind::Conflict,
                        "the folder was moved to another drive",
                    ),
                    None => (false, ErrorKind::NotFound, "the folder is not there"),
                }
            }
            Expect::TreeVersion(id, version) => (
                self.drives
                    .get(id)
                    .is_some_and(|drive| drive.tree_version == *version),
                ErrorKind::Conflict,
                "folders of the drive were moved",
            ),
            Expect::UploadAt(id, epoch, offset) => (
                self.uploads
                    .get(id)
                    .is_some_and(|upload| (upload.epoch, upload.offset_bytes) == (*epoch, *offset)),
                ErrorKind::Conflict,
                "the upload went on elsewhere",
            ),
        };
        if holds {
            Ok(())
        } else {
            Err(Error::new(kind, message))
        }
    }

    fn add(&mut self, counter: Counter, delta: i64, bound: Bound) -> Result<()> {
        let outcome = match counter {
            Counter::DriveUsed(id) => self.drives.update(&id, |drive| {
                let room = drive
                    .quota_bytes
                    .map(|quota| quota.saturating_sub(drive.reserved_bytes));
                add_within(&mut drive.used_bytes, delta, bound, room)
            }),
            Counter::DriveReserved(id) => self.drives.update(&id, |drive| {
                let room = drive
                    .quota_bytes
                    .map(|quota| quota.saturating_sub(drive.used_bytes));
                add_within(&mut drive.reserved_bytes, delta, bound, room)
            }),
            Counter::DriveTree(id) => self.drives.update(&id, |drive| {
                add_within(&mut drive.tree_version, delta, bound, None)
            }),
            Counter::ContentRefs(id) => self
                .contents
                .update(&id, |content| add_within(&mut content.refs, delta, bound, None)),
            Counter::ShareDownloads(id) => self
                .shares
                .update(&id, |share| add_within(&mut share.downloads, delta, bound, None)),
            Counter::TicketGranted(id) => self.tickets.update(&id, |ticket| {
                add_within(&mut ticket.granted_bytes, delta, bound, None)
            }),
        };
        outcome.unwrap_or_else(|| Err(Error::not_found()))
    }

    fn step_blob(&mut self, store: &StoreName, key: BlobKey, step: BlobStep) -> Result<()> {
        let stepped = self.blobs.update(&(store.clone(), key), |blob| match step {
            BlobStep::Attach(count) if blob.state != BlobState::Condemned => {
                blob.state = BlobState::Live;
                blob.refs = blob.refs.saturating_add(u64::from(count));
                true
            }
            BlobStep::Detach(count) => match blob.refs.checked_sub(u64::from(count)) {
                Some(refs) => {
                    blob.refs = refs;
                    true
                }
                None => false,
            },
            BlobStep::Condemn { now } => {
                let over = match blob.state {
                    BlobState::Leased => blob.until <= now,
                    BlobState::Live => true,
                    BlobState::Condemned => false,
                };
                let condemned = over && blob.refs == 0;
                if condemned {
                    blob.state = BlobState::Condemned;
                    blob.condemned = Some(now);
                }
                condemned
            }
            BlobStep::Attach(_) => false,
        });
        match stepped {
            Some(true) => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Conflict,
                "the blob is not in a state for this",
            )),
        }
    }

    fn extend(&mut self, extension: Extension) -> Result<()> {
        numbers::check_extension(&extension)?;
        let Some(upload) = self.uploads.get(&extension.upload) else {
            return Err(Error::not_found());
        };
        if (upload.epoch, upload.offset_bytes) != (extension.epoch, extension.from_bytes) {
            return Err(Error::new(ErrorKind::Conflict, "the upload went on elsewhere"));
        }
        for extent in &extension.extents {
            self.step_blob(&extent.store, extent.blob, BlobStep::Attach(1))?;
        }
        self.uploads.update(&extension.upload, |upload| {
            upload.offset_bytes = extension.to_bytes;
            upload.extents.extend(extension.extents);
            upload.tail = extension.tail;
            upload.hash = extension.hash;
            upload.expires = extension.expires;
        });
        Ok(())
    }
}

/// Adds to a number that may go from 0 to its bound; `room` is how far the quota lets it go.
pub(super) fn add_within(value: &mut u64, delta: i64, bound: Bound, room: Option<u64>) -> Result<()> {
    let Some(sum) = value
        .checked_add_signed(delta)
        .filter(|_| delta >= 0 || *value >= delta.unsigned_abs())
    else {
        return Err(Error::new(ErrorKind::Conflict, "the counter would go below zero"));
    };
    match (bound, room) {
        (Bound::Quota, Some(room)) if delta > 0 && sum > room => {
            return Err(Error::new(
                ErrorKind::QuotaExceeded,
                "the drive has no room for it",
            ));
        }
        (Bound::AtMost(most), _) if sum > most => {
            return Err(Error::new(ErrorKind::LimitExceeded, "the limit is reached"));
        }
        _ if sum > LARGEST => return Err(Error::new(ErrorKind::LimitExceeded, "the number is too large")),
        _ => {}
    }
    *value = sum;
    Ok(())
}
