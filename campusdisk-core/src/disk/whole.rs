//! Files put in one go: everything or nothing.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::blobs::Held;
use super::checksum::Checksum;
use super::feed::{Feed, Feeder};
use super::intake::{Intake, Part};
use super::place::{Arrival, Condition, Stored, Target};
use super::shared::{Desk, Shared};
use super::upload::too_large;
use super::watch::{Right, Watch};
use crate::catalog::record::{HashState, Node, NodeKind, OnConflict, Role};
use crate::{AccountId, ContentId, DriveId, EntryName, Error, ErrorKind, NodeId, Result};

/// How to put a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PutOptions {
    /// The declared media type.
    pub mime: Option<String>,
    /// How many bytes will come, where that is known.
    pub len_bytes: Option<u64>,
    /// Checksums that the bytes must have.
    pub checksums: Vec<Checksum>,
    /// Refuse when there is a file already.
    pub if_absent: bool,
    /// Refuse unless the file has one of these contents.
    pub if_content: Option<Vec<ContentId>>,
    /// Refuse unless there is a file.
    pub if_present: bool,
}

/// A file that was put.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Put {
    /// The file.
    pub node: Node,
    /// Whether it is new; else it got a new version.
    pub created: bool,
}

/// A running put.
///
/// # Cancel safety
/// Dropping it before [`finish`](Self::finish) stores nothing.
#[derive(Debug)]
pub struct Putting(Feeder<Put>);

impl Putting {
    /// Hands over bytes; waits while the store is slower than the client.
    ///
    /// # Errors
    /// Why the put failed already.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.write(bytes).await
    }

    /// Waits until the put has ended by itself: the next [`write`](Self::write) says why. A client that rests meanwhile can be
    /// told at once.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) {
        self.0.ended().await;
    }

    /// Ends the put: when this returns, the file is there.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) when a checksum does not fit, [`Changed`](ErrorKind::Changed) when a condition does not hold any more,
    /// [`QuotaExceeded`](ErrorKind::QuotaExceeded), else what store and catalog say. Nothing is stored then.
    ///
    /// # Cancel safety
    /// When dropped, the put still ends as a task of the service.
    pub async fn finish(self) -> Result<Put> {
        self.0.finish().await
    }
}

struct Putter {
    shared: Arc<Shared>,
    account: AccountId,
    target: Target,
    drive: DriveId,
    condition: Condition,
    options: PutOptions,
    watch: Watch,
}

impl Desk {
    /// Puts a file into a folder: a new one, or the new version of the one that has the name.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied) for the folder, [`Changed`](ErrorKind::Changed) when a condition does not hold,
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) or [`QuotaExceeded`](ErrorKind::QuotaExceeded) when the announced length has no room, [`AlreadyExists`](ErrorKind::AlreadyExists) when a folder has the name.
    pub async fn put(&self, folder: NodeId, name: EntryName, options: PutOptions) -> Result<Putting> {
        let place = self.may_write(folder).await?.folder()?;
        let existing = self.shared.catalog.child(folder, &name).await?;
        if existing
            .as_ref()
            .is_some_and(|node| node.kind == NodeKind::Folder)
        {
            return Err(Error::new(ErrorKind::AlreadyExists, "a folder has this name"));
        }
        let target = Target::Child {
            parent: folder,
            folders: Vec::new(),
            name,
            on_conflict: OnConflict::Version,
        };
        let right = Right::Account(self.actor.account.clone(), Role::Contributor);
        let drive = place.node.drive;
        self.shared
            .start_put(
                &self.actor.account,
                target,
                drive,
                existing.as_ref(),
                options,
                (right, folder),
            )
            .await
    }

    /// Gives a file a new version.
    ///
    /// # Errors
    /// As for [`put`](Self::put), for the file.
    pub async fn put_content(&self, file: NodeId, options: PutOptions) -> Result<Putting> {
        let place = self.may_write(file).await?;
        if place.node.kind == NodeKind::Folder {
            return Err(Error::new(ErrorKind::InvalidInput, "is a folder, not a file"));
        }
        let right = Right::Account(self.actor.account.clone(), Role::Contributor);
        let (account, target) = (&self.actor.account, Target::Node(file));
        self.shared
            .start_put(
                account,
                target,
                place.node.drive,
                Some(&place.node),
                options,
                (right, file),
            )
            .await
    }
}

impl Shared {
    pub(super) async fn start_put(
        self: &Arc<Self>,
        account: &AccountId,
        target: Target,
        drive: DriveId,
        existing: Option<&Node>,
        options: PutOptions,
        (right, node): (Right, NodeId),
    ) -> Result<Putting> {
        if self.stopping.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the service is stopping"));
        }
        let condition = condition(&options);
        condition.check(existing)?;
        if options
            .len_bytes
            .is_some_and(|len| len > self.policy.max_file_bytes)
        {
            return Err(too_large(self.policy.max_file_bytes));
        }
        self.check_room(drive, options.len_bytes.unwrap_or(0)).await?;
        let hash = HashState::begin(self.policy.hash_inline);
        let intake = Intake::begin(
            self.clone(),
            self.store_for(drive, options.len_bytes).clone(),
            &hash,
            Bytes::new(),
            options.checksums.clone(),
            options.len_bytes,
        )?;
        let (feeder, (pieces, answer)) = Feeder::new(self.policy.queue_pieces);
        let watch = self.watch(right, node);
        let putter = Putter {
            shared: self.clone(),
            account: account.clone(),
            target,
            drive,
            condition,
            options,
            watch,
        };
        self.spawn(async move {
            // The request may be gone; then nothing was put.
            drop(answer.send(putter.run(intake, pieces).await));
        });
        Ok(Putting(feeder))
    }

    /// Whether the drive has room for so many bytes more, as things stand.
    async fn check_room(&self, drive: DriveId, more_bytes: u64) -> Result<()> {
        let drive = self.catalog.drive(drive).await?.ok_or_else(Error::not_found)?;
        let wanted = drive
            .used_bytes
            .saturating_add(drive.reserved_bytes)
            .saturating_add(more_bytes);
        match drive.quota_bytes {
            Some(quota) if wanted > quota => Err(Error::new(
                ErrorKind::QuotaExceeded,
                "the drive has no room for it",
            )),
            _ => Ok(()),
        }
    }
}

impl Putter {
    async fn run(self, mut intake: Intake, mut pieces: mpsc::Receiver<Feed>) -> Result<Put> {
        match self.take_all(&mut intake, &mut pieces).await {
            Ok((parts, size_bytes)) => self.place(intake, parts, size_bytes).await,
            Err(error) => {
                intake.abort().await;
                Err(error)
            }
        }
    }

    async fn take_all(
        &self,
        intake: &mut Intake,
        pieces: &mut mpsc::Receiver<Feed>,
    ) -> Result<(Vec<Part>, u64)> {
        let (mut parts, mut taken_bytes) = (Held::new(&self.shared), 0u64);
        let limit = self
            .options
            .len_bytes
            .unwrap_or(self.shared.policy.max_file_bytes);
        loop {
            let fed = tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => {
                    return Err(Error::new(ErrorKind::Unavailable, "the service is stopping"));
                }
                () = self.watch.ended() => {
                    return Err(Error::new(ErrorKind::Denied, "the right to put a file here has ended"));
                }
                fed = pieces.recv() => fed,
            };
            let bytes = match fed {
                Some(Feed::Bytes(bytes)) => bytes,
                Some(Feed::End) if self.options.len_bytes.is_some_and(|len| len != taken_bytes) => {
                    return Err(Error::new(
                        ErrorKind::Truncated,
                        "fewer bytes came than were announced",
                    ));
                }
                Some(Feed::End) => return Ok((parts.release(), taken_bytes)),
                None => return Err(Error::new(ErrorKind::Truncated, "the client went away")),
            };
            taken_bytes += bytes.len() as u64;
            if taken_bytes > limit {
                return Err(too_large(limit));
            }
            let committed = intake.write(bytes).await?;
            if !committed.is_empty() && self.options.len_bytes.is_none() {
                self.shared.check_room(self.drive, taken_bytes).await?;
            }
            parts.hold(&self.shared, committed).await?;
        }
    }

    async fn place(self, intake: Intake, mut parts: Vec<Part>, size_bytes: u64) -> Result<Put> {
        let rest = intake.finish(false).await?;
        parts.extend(rest.parts);
        let extents = parts.into_iter().map(|part| part.extent).collect();
        let unhashed = rest.hash.sha256.is_none();
        let bytes = Stored::Fresh {
            extents,
            attached: 0,
            size_bytes,
            hash: Some(rest.hash),
            head: Some(rest.head),
        };
        let arrival = Arrival {
            account: self.account,
            target: self.target,
            mime: self.options.mime,
            bytes,
            condition: self.condition,
            reserved: None,
        };
        let placed = self.shared.place_file(&arrival, |_, _| {}).await?;
        if unhashed {
            self.shared.hash_later(placed.content);
        }
        Ok(Put {
            node: placed.node,
            created: placed.created,
        })
    }
}

fn condition(options: &PutOptions) -> Condition {
    match &options.if_content {
        Some(contents) => Condition::Content(contents.clone()),
        None if options.if_absent => Condition::Absent,
        None if options.if_present => Condition::Present,
        None => Condition::Any,
    }
}
