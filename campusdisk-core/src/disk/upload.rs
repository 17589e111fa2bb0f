//! Uploads: begin, look, append, give up.

use std::sync::Arc;

use bytes::Bytes;

use super::checksum::Checksum;
use super::feed::Feeder;
use super::place::{Arrival, Condition, Stored, Target, is_lost_race, signed};
use super::shared::{Desk, Shared};
use super::upload_writer::Writer;
use crate::catalog::record::{HashState, Node, OnConflict, Upload, UploadKind};
use crate::catalog::{Bound, Change, Counter, Expect, Page, RecordKey};
use crate::{AccountId, EntryName, Error, ErrorKind, NodeId, Result, ShareId, Timestamp, UploadId};

/// What an upload is to become.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UploadSpec {
    /// A file or a part of one. [`Joined`](UploadKind::Joined) ones are made by [`Desk::join`].
    pub kind: UploadKind,
    /// The folder; the root of the actor's own drive where it is not said.
    pub parent: Option<NodeId>,
    /// Folders to be made on the way.
    pub folders: Vec<EntryName>,
    /// The file's name; needed but for parts.
    pub name: Option<EntryName>,
    /// What to do when the name is taken.
    pub on_conflict: OnConflict,
    /// The declared media type.
    pub mime: Option<String>,
    /// The declared SHA-256: verified before the file appears. Where the actor may already read a file of that
    /// content, the upload is complete at once.
    pub sha256: Option<[u8; 32]>,
    /// The client's own words about it, given back by [`Desk::upload`].
    pub metadata: String,
    /// How many bytes will come; `None` where that is said later.
    pub len_bytes: Option<u64>,
}

impl UploadSpec {
    /// A file of this name in the root of the actor's own drive; what is taken is evaded.
    pub fn file(name: EntryName, len_bytes: Option<u64>) -> Self {
        Self {
            name: Some(name),
            ..Self::partial(len_bytes)
        }
        .with_kind(UploadKind::File)
    }

    /// A part of a joined upload.
    pub fn partial(len_bytes: Option<u64>) -> Self {
        Self {
            kind: UploadKind::Partial,
            parent: None,
            folders: Vec::new(),
            name: None,
            on_conflict: OnConflict::Rename,
            mime: None,
            sha256: None,
            metadata: String::new(),
            len_bytes,
        }
    }

    fn with_kind(mut self, kind: UploadKind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets the folder.
    #[must_use]
    pub fn with_parent(mut self, parent: NodeId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Sets what to do when the name is taken.
    #[must_use]
    pub fn with_on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// Sets the declared SHA-256.
    #[must_use]
    pub fn with_sha256(mut self, sha256: [u8; 32]) -> Self {
        self.sha256 = Some(sha256);
        self
    }
}

/// An upload as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadFacts {
    /// Its id.
    pub id: UploadId,
    /// What it becomes.
    pub kind: UploadKind,
    /// The file's name.
    pub name: Option<EntryName>,
    /// The folder it goes to.
    pub parent: NodeId,
    /// How many bytes will come, once declared.
    pub len_bytes: Option<u64>,
    /// How many bytes are stored.
    pub offset_bytes: u64,
    /// The client's own words about it.
    pub metadata: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
    /// The file it became.
    pub node: Option<NodeId>,
}

/// How to append.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AppendOptions {
    /// The checksum of the bytes to come: they count whole or not at all.
    pub checksum: Option<Checksum>,
    /// The whole length, where it was left open and is known now.
    pub len_bytes: Option<u64>,
    /// How many bytes this append will bring, where that is known: more than fit are refused before any is read.
    pub body_bytes: Option<u64>,
}

/// Where an upload stands after an append.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Appended {
    /// How many bytes are stored.
    pub offset_bytes: u64,
    /// When the upload is given up.
    pub expires: Timestamp,
    /// The file, when these were the last bytes.
    pub node: Option<Node>,
}

/// A running append. Bytes go to a task of the service, so what arrived is kept even when this is dropped.
///
/// # Cancel safety
/// Dropping it means that the client went away: what came is sealed, unless it has a checksum to fit first.
#[derive(Debug)]
pub struct Appending(Feeder<Appended>);

impl Appending {
    pub(super) fn new(feeder: Feeder<Appended>) -> Self {
        Self(feeder)
    }

    /// Hands over bytes; waits while the store is slower than the client.
    ///
    /// # Errors
    /// Why the writer ended: the store's or catalog's error, [`Conflict`](ErrorKind::Conflict) when another request took the upload over,
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) past the declared length.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.write(bytes).await
    }

    /// Waits until the append has ended by itself: the next [`write`](Self::write) says why. A client that rests meanwhile can be
    /// told at once.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&self) {
        self.0.ended().await;
    }

    /// Ends the append: everything handed over is stored when this returns, and the last bytes make the file.
    ///
    /// # Errors
    /// As for [`write`](Self::write); [`Corrupt`](ErrorKind::Corrupt) when a checksum does not fit, [`AlreadyExists`](ErrorKind::AlreadyExists) when the name is
    /// taken and the upload refuses that (its bytes are kept; the empty append at the end tries again).
    ///
    /// # Cancel safety
    /// When dropped, the append still ends as a task of the service.
    pub async fn finish(self) -> Result<Appended> {
        self.0.finish().await
    }
}

impl Desk {
    /// Begins an upload. One of no bytes, or of bytes that are known already, is complete at once.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied) for the folder, [`InvalidInput`](ErrorKind::InvalidInput) without a name, [`LimitExceeded`](ErrorKind::LimitExceeded) for too
    /// many bytes, [`QuotaExceeded`](ErrorKind::QuotaExceeded) when they have no room, [`AlreadyExists`](ErrorKind::AlreadyExists) when the name is taken and that is refused.
    ///
    /// # Cancel safety
    /// When dropped, the upload may exist; it is given up in its time.
    pub async fn create_upload(&self, spec: UploadSpec) -> Result<UploadFacts> {
        let parent = match spec.parent {
            Some(parent) => parent,
            None => self.home().await?.root,
        };
        self.may_write(parent).await?.folder()?;
        let upload = self
            .shared
            .new_upload(&self.actor.account, None, parent, spec)
            .await?;
        let readable = match upload.declared_sha256 {
            Some(_) => self.drive_ids().await?,
            None => Vec::new(),
        };
        self.shared.begin_upload(upload, &readable).await
    }

    /// An upload of the actor's own. A running writer is asked to keep what it has first, so that the offset is true.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for anybody else's.
    pub async fn upload(&self, id: UploadId) -> Result<UploadFacts> {
        self.own_upload(id).await?;
        self.shared.take_over(id).await;
        Ok(self.own_upload(id).await?.into())
    }

    /// The actor's unfinished uploads, by id. A page may have fewer than `limit` and still not be the last.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn uploads(&self, after: Option<UploadId>, limit: u32) -> Result<Page<UploadFacts, UploadId>> {
        let rows = self
            .shared
            .catalog
            .uploads_of(&self.actor.account, after, limit.saturating_add(1))
            .await?;
        let page = super::browse::page(rows, limit, |upload| upload.id);
        // What came in through a drop share counts for its maker, but belongs to the visitor.
        let own = page.items.into_iter().filter(|upload| upload.share.is_none());
        Ok(Page {
            items: own.map(UploadFacts::from).collect(),
            next: page.next,
        })
    }

    /// Appends at `offset_bytes`, which must be where the upload stands.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for anybody else's upload, [`Conflict`](ErrorKind::Conflict) at another offset, [`Denied`](ErrorKind::Denied) for a joined one,
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) past its length, [`QuotaExceeded`](ErrorKind::QuotaExceeded) when a length declared now has no room.
    ///
    /// # Cancel safety
    /// Cancel safe: at most the epoch is raised.
    pub async fn append(&self, id: UploadId, offset_bytes: u64, options: AppendOptions) -> Result<Appending> {
        self.own_upload(id).await?;
        self.shared.append(id, offset_bytes, options).await
    }

    /// Gives an upload up: its bytes and its reservation are set free.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for anybody else's.
    pub async fn terminate(&self, id: UploadId) -> Result<()> {
        self.own_upload(id).await?;
        self.shared.terminate(id).await
    }

    pub(super) async fn own_upload(&self, id: UploadId) -> Result<Upload> {
        let upload = self
            .shared
            .catalog
            .upload(id)
            .await?
            .ok_or_else(Error::not_found)?;
        if upload.account != self.actor.account || upload.share.is_some() {
            return Err(Error::not_found());
        }
        Ok(upload)
    }
}

impl Shared {
    pub(super) async fn new_upload(
        &self,
        account: &AccountId,
        share: Option<ShareId>,
        parent: NodeId,
        spec: UploadSpec,
    ) -> Result<Upload> {
        if spec.kind != UploadKind::Partial && spec.name.is_none() {
            return Err(Error::invalid("filename", "is missing"));
        }
        if spec.len_bytes.is_some_and(|len| len > self.policy.max_file_bytes) {
            return Err(too_large(self.policy.max_file_bytes));
        }
        let place = self.place(parent).await?.ok_or_else(Error::not_found)?;
        if let (OnConflict::Fail, [], Some(name)) = (spec.on_conflict, &*spec.folders, &spec.name)
            && self.catalog.child(parent, name).await?.is_some()
        {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "the folder has an entry of this name",
            ));
        }
        let now = self.now();
        Ok(Upload {
            id: UploadId::from_u128(self.ids.random()),
            kind: spec.kind,
            account: account.clone(),
            share,
            drive: place.node.drive,
            parent,
            folders: spec.folders,
            name: spec.name,
            on_conflict: spec.on_conflict,
            mime: spec.mime,
            declared_sha256: spec.sha256,
            metadata: spec.metadata,
            len_bytes: spec.len_bytes,
            offset_bytes: 0,
            tail: Bytes::new(),
            hash: HashState::begin(self.policy.hash_inline),
            reserved_bytes: spec.len_bytes.unwrap_or(0),
            epoch: 0,
            node: None,
            created: now,
            expires: now + self.policy.upload_rest,
            version: 1,
            extents: Vec::new(),
        })
    }

    /// Reserves and records an upload, or completes it at once.
    pub(super) async fn begin_upload(
        &self,
        upload: Upload,
        readable: &[crate::DriveId],
    ) -> Result<UploadFacts> {
        if let (Some(sha256), Some(len_bytes)) = (&upload.declared_sha256, upload.len_bytes)
            && upload.kind == UploadKind::File
            && let Some(content) = self
                .catalog
                .content_by_sha256(readable, sha256, len_bytes)
                .await?
            // What others may delete tomorrow is no upload: let the bytes come.
            && self.is_ours(content).await?
        {
            let bytes = Stored::Content {
                id: content,
                size_bytes: len_bytes,
            };
            match self.complete_new(upload.clone(), bytes).await {
                // The content, or the folder, was purged meanwhile: let the bytes come.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        if upload.len_bytes == Some(0) && upload.kind == UploadKind::File {
            check_declared(&upload, &upload.hash)?;
            let bytes = Stored::Fresh {
                extents: Vec::new(),
                attached: 0,
                size_bytes: 0,
                hash: Some(upload.hash.clone()),
                head: Some(Bytes::new()),
            };
            return self.complete_new(upload, bytes).await;
        }
        let mut set = self.change_set();
        let reserved = signed(upload.reserved_bytes)?;
        if reserved > 0 {
            set.push(Change::Add(
                Counter::DriveReserved(upload.drive),
                reserved,
                Bound::Quota,
            ));
        }
        set.push(upload.clone());
        self.commit(set).await?;
        Ok(upload.into())
    }

    /// Records an upload together with the file it is.
    async fn complete_new(&self, upload: Upload, bytes: Stored) -> Result<UploadFacts> {
        let mut done = Upload {
            offset_bytes: bytes.size_bytes(),
            reserved_bytes: 0,
            ..upload
        };
        let arrival = arrival_of(&done, bytes)?;
        let record = |node: &Node| Upload {
            node: Some(node.id),
            ..done.clone()
        };
        let placed = self
            .place_file(&arrival, |set, node| {
                set.push(record(node));
            })
            .await?;
        done.node = Some(placed.node.id);
        Ok(done.into())
    }

    pub(super) async fn append(
        self: &Arc<Self>,
        id: UploadId,
        offset_bytes: u64,
        options: AppendOptions,
    ) -> Result<Appending> {
        if self.stopping.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the service is stopping"));
        }
        let mut tries = 0;
        loop {
            self.take_over(id).await;
            let upload = self.catalog.upload(id).await?.ok_or_else(Error::not_found)?;
            check_append(&upload, offset_bytes, &options, self.policy.max_file_bytes)?;
            if let Some(node) = upload.node {
                let node = self.place(node).await?.map(|place| place.node.clone());
                return Ok(Appending::new(Feeder::done(Appended {
                    offset_bytes,
                    expires: upload.expires,
                    node,
                })));
            }
            match self.raise_epoch(upload, &options).await {
                Ok(upload) => return Writer::start(self.clone(), upload, options.checksum),
                Err(error) if is_lost_race(&error) && tries < 4 => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes this process's next writer the only one, and declares the length where that was left open.
    async fn raise_epoch(&self, upload: Upload, options: &AppendOptions) -> Result<Upload> {
        let mut set = self.change_set();
        set.push(Expect::UploadAt(upload.id, upload.epoch, upload.offset_bytes));
        set.push(Expect::Version(RecordKey::Upload(upload.id), upload.version));
        let mut next = Upload {
            epoch: upload.epoch + 1,
            version: upload.version + 1,
            expires: set.at + self.policy.upload_rest,
            ..upload
        };
        if let (None, Some(len_bytes)) = (next.len_bytes, options.len_bytes) {
            let more = signed(len_bytes.saturating_sub(next.reserved_bytes))?;
            set.push(Change::Add(
                Counter::DriveReserved(next.drive),
                more,
                Bound::Quota,
            ));
            next.len_bytes = Some(len_bytes);
            next.reserved_bytes = next.reserved_bytes.max(len_bytes);
        }
        set.push(next.clone());
        self.commit(set).await?;
        Ok(next)
    }

    /// Asks a running writer of this process to keep what it has, and waits for it as long as the policy says.
    pub(super) async fn take_over(&self, id: UploadId) {
        self.writers.seal(id, self.policy.takeover_wait).await;
    }

    pub(super) async fn terminate(&self, id: UploadId) -> Result<()> {
        let mut tries = 0;
        loop {
            self.take_over(id).await;
            let upload = self.catalog.upload(id).await?.ok_or_else(Error::not_found)?;
            match self.give_up(&upload).await {
                Err(error) if is_lost_race(&error) && tries < self.policy.race_tries => tries += 1,
                outcome => return outcome,
            }
        }
    }

    /// Deletes the upload as it was read; a writer that got on since makes this a lost race.
    pub(super) async fn give_up(&self, upload: &Upload) -> Result<()> {
        let mut set = self.change_set();
        set.push(Expect::UploadAt(upload.id, upload.epoch, upload.offset_bytes));
        set.push(Expect::Version(RecordKey::Upload(upload.id), upload.version));
        set.changes.extend(super::blobs::detach(&upload.extents));
        if upload.reserved_bytes > 0 {
            let release = -signed(upload.reserved_bytes)?;
            set.push(Change::Add(
                Counter::DriveReserved(upload.drive),
                release,
                Bound::None,
            ));
        }
        set.push(Change::Delete(RecordKey::Upload(upload.id)));
        self.commit(set).await.map(drop)
    }
}

/// Where the bytes of an upload go.
pub(super) fn arrival_of(upload: &Upload, bytes: Stored) -> Result<Arrival> {
    let name = upload
        .name
        .clone()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "an upload without a name"))?;
    Ok(Arrival {
        account: upload.account.clone(),
        target: Target::Child {
            parent: upload.parent,
            folders: upload.folders.clone(),
            name,
            on_conflict: upload.on_conflict,
        },
        mime: upload.mime.clone(),
        bytes,
        condition: Condition::Any,
        reserved: (upload.reserved_bytes > 0).then_some((upload.drive, upload.reserved_bytes)),
    })
}

/// Compares a declared SHA-256 with the hashed bytes, where both are known.
pub(super) fn check_declared(upload: &Upload, hash: &HashState) -> Result<()> {
    match (upload.declared_sha256, hash.sha256_digest()?) {
        (Some(declared), Some(found)) if declared != found => Err(Error::new(
            ErrorKind::Corrupt,
            "the bytes do not have the SHA-256 that was declared",
        )),
        _ => Ok(()),
    }
}

fn check_append(upload: &Upload, offset_bytes: u64, options: &AppendOptions, max_bytes: u64) -> Result<()> {
    if upload.kind == UploadKind::Joined {
        return Err(Error::new(ErrorKind::Denied, "a joined upload takes no bytes"));
    }
    if offset_bytes != upload.offset_bytes {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the upload stands at {}", upload.offset_bytes),
        ));
    }
    if let (Some(known), Some(declared)) = (upload.len_bytes, options.len_bytes)
        && known != declared
    {
        return Err(Error::invalid("length", "was declared before, and differently"));
    }
    let len_bytes = upload.len_bytes.or(options.len_bytes);
    if len_bytes.is_some_and(|len| len < offset_bytes) {
        return Err(Error::invalid("length", "is shorter than what is stored"));
    }
    let limit = len_bytes.unwrap_or(max_bytes);
    if limit > max_bytes {
        return Err(too_large(max_bytes));
    }
    if options
        .body_bytes
        .is_some_and(|body| body > limit - offset_bytes.min(limit))
    {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            "the body goes past the upload's length",
        ));
    }
    Ok(())
}

pub(super) fn too_large(max_bytes: u64) -> Error {
    Error::new(
        ErrorKind::LimitExceeded,
        format!("files may have at most {max_bytes} bytes"),
    )
}

impl From<Upload> for UploadFacts {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id,
            kind: upload.kind,
            name: upload.name,
            parent: upload.parent,
            len_bytes: upload.len_bytes,
            offset_bytes: upload.offset_bytes,
            metadata: upload.metadata,
            created: upload.created,
            expires: upload.expires,
            node: upload.node,
        }
    }
}
