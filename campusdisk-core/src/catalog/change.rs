//! The few primitives that every use-case is computed into.

use bytes::Bytes;

use super::record::{
    Blob, Content, DownloadRecord, Drive, Event, Extent, HashState, Lease, Member, Node, Setting, Share,
    Subject, Ticket, Upload, Version,
};
use crate::storage::{BlobKey, StoreName};
use crate::{
    ChangeId, ContentId, DownloadId, DriveId, EntryName, EventId, NodeId, ShareId, TicketId, Timestamp,
    UploadId,
};

/// Changes that are applied together, in order.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Its id: the same id twice applies once.
    pub id: ChangeId,
    /// When it was made; recorded with the id.
    pub at: Timestamp,
    /// The changes.
    pub changes: Vec<Change>,
}

impl ChangeSet {
    /// An empty set.
    pub fn new(id: ChangeId, at: Timestamp) -> Self {
        Self {
            id,
            at,
            changes: Vec::new(),
        }
    }

    /// Adds a change.
    pub fn push(&mut self, change: impl Into<Change>) -> &mut Self {
        self.changes.push(change.into());
        self
    }

    /// Adds a change, by value.
    #[must_use]
    pub fn with(mut self, change: impl Into<Change>) -> Self {
        self.changes.push(change.into());
        self
    }
}

/// One primitive change.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a set has about ten changes; boxing each record would cost more than it saves"
)]
pub enum Change {
    /// Fails the set unless something holds.
    Expect(Expect),
    /// Inserts a record, or replaces all of it but its counters (and an upload's extents).
    ///
    /// A live node whose name a live sibling has: [`AlreadyExists`](crate::ErrorKind::AlreadyExists). The same for a second personal drive of an
    /// account, a taken share token, and a second ticket of a client in a share.
    /// A number above `i64::MAX`, the largest a catalog keeps: [`InvalidInput`](crate::ErrorKind::InvalidInput), in [`Extend`](Self::Extend) too.
    /// Replacing a [`Content`] replaces its extents; blob references are not counted by it ([`BlobStep`] does that).
    Put(Record),
    /// Deletes a record, if it is there. An upload's or content's extents go with it; blob references are not counted by it.
    Delete(RecordKey),
    /// Changes a counter within a bound. [`NotFound`](crate::ErrorKind::NotFound) when the record is gone;
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) above `i64::MAX`, the largest number a catalog keeps.
    Add(Counter, i64, Bound),
    /// Moves a blob along its life. [`Conflict`](crate::ErrorKind::Conflict) when it is not there or not in a state for it.
    Blob(StoreName, BlobKey, BlobStep),
    /// Appends to an upload: succeeds only for the writer of the current epoch at the current offset, else
    /// [`Conflict`](crate::ErrorKind::Conflict); [`NotFound`](crate::ErrorKind::NotFound) when the upload is gone.
    Extend(Extension),
    /// Puts an event into the outbox. An id that is in it: [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    Append(Event),
    /// Does something to many rows at once.
    Bulk(Bulk),
}

/// What must hold for a set to be applied. A number that no catalog keeps is never the one there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The record is there with this version (of a content: this layout version; kinds without one have version 0); else
    /// [`Conflict`](crate::ErrorKind::Conflict).
    Version(RecordKey, u64),
    /// There is no such record; else [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    Absent(RecordKey),
    /// No live child of the folder has the name; else [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    NameFree(NodeId, EntryName),
    /// The node is there, a folder, and not itself trashed, else [`NotFound`](crate::ErrorKind::NotFound); and it is in this drive, else
    /// [`Conflict`](crate::ErrorKind::Conflict).
    ParentLive(NodeId, DriveId),
    /// The drive's tree version is this; else [`Conflict`](crate::ErrorKind::Conflict).
    TreeVersion(DriveId, u64),
    /// The upload's epoch and offset are these; else [`Conflict`](crate::ErrorKind::Conflict).
    UploadAt(UploadId, u64, u64),
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the record it holds")]
#[expect(
    clippy::large_enum_variant,
    reason = "records are moved once or twice on their way into the catalog"
)]
pub enum Record {
    Drive(Drive),
    Member(Member),
    Node(Node),
    Version(Version),
    Content(Content),
    Blob(Blob),
    Upload(Upload),
    Share(Share),
    Ticket(Ticket),
    Download(DownloadRecord),
    Lease(Lease),
    Setting(Setting),
}

/// What a record is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the key of the record of that name")]
pub enum RecordKey {
    Drive(DriveId),
    Member(DriveId, Subject),
    Node(NodeId),
    Version(NodeId, u64),
    Content(ContentId),
    Blob(StoreName, BlobKey),
    Upload(UploadId),
    Share(ShareId),
    Ticket(TicketId),
    Download(DownloadId),
    Lease(String),
    Setting(String),
    Event(EventId),
}

/// A number in a record that is only ever added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// `Drive::used_bytes`.
    DriveUsed(DriveId),
    /// `Drive::reserved_bytes`.
    DriveReserved(DriveId),
    /// `Drive::tree_version`.
    DriveTree(DriveId),
    /// `Content::refs`.
    ContentRefs(ContentId),
    /// `Share::downloads`.
    ShareDownloads(ShareId),
    /// `Ticket::granted_bytes`.
    TicketGranted(TicketId),
}

/// How far a counter may go. None goes below 0: that is [`Conflict`](crate::ErrorKind::Conflict).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// No upper bound.
    None,
    /// For a drive's counters: used and reserved bytes together stay within the quota; else
    /// [`QuotaExceeded`](crate::ErrorKind::QuotaExceeded). A change that does not add is always allowed. No bound for other counters.
    Quota,
    /// At most this; else [`LimitExceeded`](crate::ErrorKind::LimitExceeded).
    AtMost(u64),
}

/// A step in a blob's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobStep {
    /// Counts so many more references; the blob was leased or live and is live afterwards (C9).
    Attach(u32),
    /// Counts so many references less; the blob stays live. [`Conflict`](crate::ErrorKind::Conflict) below 0.
    Detach(u32),
    /// Condemns it (C9); `now` is the time that its lease is compared with.
    Condemn {
        /// The time of the sweep.
        now: Timestamp,
    },
}

/// Bytes that an upload gained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The upload.
    pub upload: UploadId,
    /// The writer's epoch.
    pub epoch: u64,
    /// The stored offset before, tail included.
    pub from_bytes: u64,
    /// The stored offset after, tail included.
    pub to_bytes: u64,
    /// The blob pieces to append after the extents that are there; each blob is attached once for each piece (C9).
    pub extents: Vec<Extent>,
    /// The tail afterwards.
    pub tail: Bytes,
    /// The hashes afterwards.
    pub hash: HashState,
    /// When the upload is given up, from now on.
    pub expires: Timestamp,
}

/// Something done to many rows at once. Each says its outcome in [`Committed::bulk`], in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Removes up to `limit` nodes of the tree under a trashed node, what is in a folder before the folder, the node itself
    /// last, with their versions; counts down (to 0 at most) content references, usage of the drive, and, for contents
    /// nothing refers to any more, deletes them and counts down their blobs' references; ends their shares at the set's
    /// time, raising their version. Does nothing (and is done) when the node is not there or not trashed.
    Purge {
        /// The trashed node.
        root: NodeId,
        /// At most so many nodes.
        limit: u32,
    },
    /// Sets the drive id of a folder's whole subtree (nodes and versions), for a move between drives, raises the version of each
    /// node that was in another drive, and passes the usage of the versions on: the new drive's quota holds. Does nothing when the node is not there;
    /// [`NotFound`](crate::ErrorKind::NotFound) without the drive. Its rows are the nodes that were in another drive.
    Rehome {
        /// The moved node.
        root: NodeId,
        /// Its new drive.
        drive: DriveId,
    },
    /// Ends the shares, that have not ended, of a node and of all that lies below it without having been deleted before, at
    /// the set's time, and raises their version. Its rows are those shares. Does nothing when the node is not there.
    EndShares {
        /// The node, live or trashed.
        root: NodeId,
    },
    /// Sets a drive's counters to what [`recount`](super::Ledger::recount) says.
    Recount {
        /// The drive.
        drive: DriveId,
    },
    /// Forgets ids of change sets made before this time.
    Forget {
        /// The time.
        before: Timestamp,
    },
    /// Deletes up to `limit` of the records of downloads with an id below this, lowest first.
    ForgetDownloads {
        /// The id.
        before: DownloadId,
        /// At most so many records.
        limit: u32,
    },
}

/// What a bulk change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BulkOutcome {
    /// How many rows of the main kind it changed or removed.
    pub rows: u64,
    /// Whether nothing is left to do.
    pub done: bool,
}

/// The answer to a commit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Committed {
    /// Whether the set had been applied before, and this call changed nothing. `bulk` is empty then.
    pub replayed: bool,
    /// What each bulk change did, in order.
    pub bulk: Vec<BulkOutcome>,
}

macro_rules! into_change {
    ($($record:ident),+) => {$(
        impl From<$record> for Change {
            fn from(record: $record) -> Self {
                Self::Put(Record::$record(record))
            }
        }
    )+};
}

into_change!(
    Drive, Member, Node, Version, Content, Blob, Upload, Share, Ticket, Lease, Setting
);

impl From<DownloadRecord> for Change {
    fn from(record: DownloadRecord) -> Self {
        Self::Put(Record::Download(record))
    }
}

impl From<Expect> for Change {
    fn from(expect: Expect) -> Self {
        Self::Expect(expect)
    }
}

impl From<Extension> for Change {
    fn from(extension: Extension) -> Self {
        Self::Extend(extension)
    }
}

impl From<Event> for Change {
    fn from(event: Event) -> Self {
        Self::Append(event)
    }
}

impl From<Bulk> for Change {
    fn from(bulk: Bulk) -> Self {
        Self::Bulk(bulk)
    }
}

impl Record {
    /// What the record is found by.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Drive(drive) => RecordKey::Drive(drive.id),
            Self::Member(member) => RecordKey::Member(member.drive, member.subject.clone()),
            Self::Node(node) => RecordKey::Node(node.id),
            Self::Version(version) => RecordKey::Version(version.node, version.number),
            Self::Content(content) => RecordKey::Content(content.id),
            Self::Blob(blob) => RecordKey::Blob(blob.store.clone(), blob.key),
            Self::Upload(upload) => RecordKey::Upload(upload.id),
            Self::Share(share) => RecordKey::Share(share.id),
            Self::Ticket(ticket) => RecordKey::Ticket(ticket.id),
            Self::Download(record) => RecordKey::Download(record.id),
            Self::Lease(lease) => RecordKey::Lease(lease.name.clone()),
            Self::Setting(setting) => RecordKey::Setting(setting.key.clone()),
        }
    }
}
