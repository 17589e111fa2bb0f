//! Joining uploaded parts into one file: lists are joined, no byte moves.

use std::collections::HashSet;
use std::sync::Arc;

use super::place::{Stored, signed};
use super::shared::{Desk, Shared};
use super::upload::{AppendOptions, UploadFacts, UploadSpec, arrival_of, too_large};
use crate::catalog::record::{HashState, Upload, UploadKind};
use crate::catalog::{Bound, Change, Counter, Expect, RecordKey};
use crate::{Error, ErrorKind, Result, UploadId};

impl Desk {
    /// Makes a file of finished parts, in the order given. The parts stay until their time, so that a second join of them works.
    ///
    /// Its SHA-256 is found by a job; a declared one is verified before the file appears.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for anybody else's part, [`InvalidInput`](ErrorKind::InvalidInput) for an unfinished one or for no parts, [`LimitExceeded`](ErrorKind::LimitExceeded) for
    /// too many, [`Corrupt`](ErrorKind::Corrupt) when the bytes are not the declared ones, else as for [`create_upload`](Self::create_upload).
    ///
    /// # Cancel safety
    /// When dropped, the file may or may not appear.
    pub async fn join(&self, spec: UploadSpec, parts: &[UploadId]) -> Result<UploadFacts> {
        let parent = match spec.parent {
            Some(parent) => parent,
            None => self.home().await?.root,
        };
        self.may_write(parent).await?.folder()?;
        for part in parts {
            self.own_upload(*part).await?;
        }
        let spec = UploadSpec {
            kind: UploadKind::Joined,
            ..spec
        };
        let upload = self
            .shared
            .new_upload(&self.actor.account, None, parent, spec)
            .await?;
        self.shared.join(upload, parts).await
    }
}

impl Shared {
    pub(super) async fn join(
        self: &Arc<Self>,
        mut upload: Upload,
        parts: &[UploadId],
    ) -> Result<UploadFacts> {
        if parts.is_empty() {
            return Err(Error::invalid("parts", "there are none"));
        }
        if parts.len() > self.policy.max_join_parts {
            return Err(Error::new(ErrorKind::LimitExceeded, "too many parts"));
        }
        let mut tries = 0;
        loop {
            let rows = self.finished_parts(parts).await?;
            let size_bytes = rows.iter().map(|row| row.offset_bytes).sum();
            if size_bytes > self.policy.max_file_bytes {
                return Err(too_large(self.policy.max_file_bytes));
            }
            upload.len_bytes = Some(size_bytes);
            upload.offset_bytes = size_bytes;
            upload.reserved_bytes = 0;
            match self.join_rows(&upload, &rows).await {
                Err(error) if error.kind() == ErrorKind::Conflict && tries < 8 => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn finished_parts(self: &Arc<Self>, parts: &[UploadId]) -> Result<Vec<Upload>> {
        let mut rows = Vec::with_capacity(parts.len());
        for &part in parts {
            self.take_over(part).await;
            let mut row = self.catalog.upload(part).await?.ok_or_else(Error::not_found)?;
            if row.kind != UploadKind::Partial {
                return Err(Error::invalid("parts", "one of them is no part"));
            }
            if row.len_bytes != Some(row.offset_bytes) {
                return Err(Error::invalid("parts", "one of them is not finished"));
            }
            if !row.tail.is_empty() {
                // Its length was said after its last bytes came, and they were not put into a blob yet.
                let rest = self
                    .append(part, row.offset_bytes, AppendOptions::default())
                    .await?;
                rest.finish().await?;
                row = self.catalog.upload(part).await?.ok_or_else(Error::not_found)?;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    async fn join_rows(self: &Arc<Self>, upload: &Upload, rows: &[Upload]) -> Result<UploadFacts> {
        let extents: Vec<_> = rows.iter().flat_map(|row| row.extents.iter().cloned()).collect();
        let size_bytes = upload.offset_bytes;
        if upload.declared_sha256.is_some() {
            self.verify_declared(upload, &extents).await?;
        }
        let hash = HashState {
            sha256: None,
            crc32: combined_crc32(rows),
        };
        let bytes = Stored::Fresh {
            extents,
            attached: 0,
            size_bytes,
            hash: Some(hash),
            head: None,
        };
        let arrival = arrival_of(upload, bytes)?;
        let placed = self
            .place_file(&arrival, |set, node| {
                let mut seen = HashSet::new();
                // The parts' reservations pass to the file; a part that was joined before has none left.
                for row in rows.iter().filter(|row| seen.insert(row.id)) {
                    set.changes.splice(0..0, pass_on(row));
                }
                set.push(Upload {
                    node: Some(node.id),
                    ..upload.clone()
                });
            })
            .await?;
        self.hash_later(placed.content);
        Ok(Upload {
            node: Some(placed.node.id),
            ..upload.clone()
        }
        .into())
    }
}

/// The changes that take a part's reservation away, provided nobody else did. They come first, so that the quota has room.
fn pass_on(row: &Upload) -> Vec<Change> {
    let mut changes = vec![Change::Expect(Expect::Version(
        RecordKey::Upload(row.id),
        row.version,
    ))];
    if row.reserved_bytes > 0
        && let Ok(reserved) = signed(row.reserved_bytes)
    {
        changes.push(Change::Expect(Expect::UploadAt(
            row.id,
            row.epoch,
            row.offset_bytes,
        )));
        changes.push(Change::Add(
            Counter::DriveReserved(row.drive),
            -reserved,
            Bound::None,
        ));
        changes.push(
            Upload {
                reserved_bytes: 0,
                version: row.version + 1,
                ..row.clone()
            }
            .into(),
        );
    }
    changes
}

fn combined_crc32(rows: &[Upload]) -> u32 {
    let mut whole = crc32fast::Hasher::new();
    for row in rows {
        whole.combine(&crc32fast::Hasher::new_with_initial_len(
            row.hash.crc32,
            row.offset_bytes,
        ));
    }
    whole.finalize()
}
