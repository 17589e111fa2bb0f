//! The kinds of records a catalog keeps. One struct each, one table each (a content's and an upload's extents are a second).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use bytes::Bytes;
use ipnet::IpNet;

use crate::mount::ObjectRef;
use crate::storage::{BlobKey, StoreName};
use crate::{AccountId, ContentId, DownloadId, DriveId, EntryName, Error, EventId, GroupId, NodeId, Result};
use crate::{ShareId, TicketId, Timestamp, UploadId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The word it is stored and shown as.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(Error::new(crate::ErrorKind::InvalidInput, concat!("is no ", stringify!($name))).on(text)),
                }
            }
        }
    };
}

words! {
    /// What a drive is for.
    DriveKind {
        /// One account's own.
        Personal = "personal",
        /// A department's or course's, with members.
        Departmental = "departmental",
        /// The catalogue of a hall service.
        Service = "service",
    }
}

words! {
    /// What a member may do in a drive; each role includes the ones before it.
    Role {
        /// Read.
        Reader = "reader",
        /// Also create, change and delete.
        Contributor = "contributor",
        /// Also share, purge and manage members.
        Manager = "manager",
    }
}

words! {
    /// File or folder.
    NodeKind {
        /// A file.
        File = "file",
        /// A folder.
        Folder = "folder",
    }
}

words! {
    /// Rough kind of a file, by its media type.
    Category {
        /// `audio/*`.
        Audio = "audio",
        /// `image/*`.
        Image = "image",
        /// `video/*`.
        Video = "video",
        /// Text, PDF, office documents.
        Document = "document",
        /// Everything else, folders too.
        Other = "other",
    }
}

words! {
    /// Where a blob is in its life: leased → live → condemned → gone (no row).
    BlobState {
        /// A writer may be writing it.
        Leased = "leased",
        /// A content or an upload refers to it, or did.
        Live = "live",
        /// Nothing refers to it and nothing ever will; its bytes wait for deletion.
        Condemned = "condemned",
    }
}

words! {
    /// What to do when an upload's name is taken.
    OnConflict {
        /// Take the next free name: `report (2).pdf`.
        Rename = "rename",
        /// Become the file's new version.
        Version = "version",
        /// Refuse.
        Fail = "fail",
    }
}

words! {
    /// What an upload becomes.
    UploadKind {
        /// A file.
        File = "file",
        /// A part of a joined upload (tus concatenation).
        Partial = "partial",
        /// A file joined from parts; takes no bytes of its own.
        Joined = "joined",
    }
}

words! {
    /// How a download stands.
    DownloadOutcome {
        /// Bytes are on their way.
        Running = "running",
        /// Every byte of the content was delivered.
        Completed = "completed",
        /// Some bytes were not delivered, and none are on their way.
        Aborted = "aborted",
    }
}

/// A tree with one root and one quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Its id.
    pub id: DriveId,
    /// What it is for.
    pub kind: DriveKind,
    /// Its name, shown to people.
    pub name: String,
    /// Whose personal drive it is; at most one personal drive for each account (unique).
    pub owner: Option<AccountId>,
    /// Its root folder.
    pub root: NodeId,
    /// How much it may keep; `None` is without limit.
    pub quota_bytes: Option<u64>,
    /// When it was made.
    pub created: Timestamp,
    /// Raised by one with each `Put`.
    pub version: u64,
    /// Counter: the sum of the sizes of all versions of all its files, trash included.
    pub used_bytes: u64,
    /// Counter: what unfinished uploads have reserved.
    pub reserved_bytes: u64,
    /// Counter: raised when a folder moves; two moves at once can't make a cycle.
    pub tree_version: u64,
}

/// Who a membership is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One account.
    Account(AccountId),
    /// Every member of a group.
    Group(GroupId),
}

/// A membership in a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The drive.
    pub drive: DriveId,
    /// Who.
    pub subject: Subject,
    /// What they may do.
    pub role: Role,
}

/// That and how a node lies in the trash. Only the root of what was deleted is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashMark {
    /// When it was deleted.
    pub at: Timestamp,
    /// When it will be purged; long ago once a purge has begun.
    pub expires: Timestamp,
    /// Who deleted it.
    pub by: AccountId,
}

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// The drive it is in.
    pub drive: DriveId,
    /// Its folder; `None` only for a drive's root.
    pub parent: Option<NodeId>,
    /// File or folder.
    pub kind: NodeKind,
    /// Its name.
    pub name: EntryName,
    /// A file's bytes.
    pub content: Option<ContentId>,
    /// A file's size; 0 for a folder.
    pub size_bytes: u64,
    /// A file's media type.
    pub mime: Option<String>,
    /// Rough kind of a file.
    pub category: Category,
    /// When it was made.
    pub created: Timestamp,
    /// When its content (of a folder: its own facts) last changed.
    pub modified: Timestamp,
    /// Raised by one with each change.
    pub version: u64,
    /// Set while it is the root of something deleted.
    pub trashed: Option<TrashMark>,
}

/// One content a file had or has. The current one is listed too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The file.
    pub node: NodeId,
    /// The drive the file is in (kept right when it moves), so that usage can be summed.
    pub drive: DriveId,
    /// The node's `version` that this content came with.
    pub number: u64,
    /// The bytes.
    pub content: ContentId,
    /// Their number.
    pub size_bytes: u64,
    /// Their media type.
    pub mime: Option<String>,
    /// When it became the file's content.
    pub created: Timestamp,
}

/// A piece of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The store.
    pub store: StoreName,
    /// The blob.
    pub blob: BlobKey,
    /// The length of the whole blob.
    pub blob_len_bytes: u64,
    /// Where in the blob the piece begins.
    pub offset_bytes: u64,
    /// How long the piece is; never 0.
    pub len_bytes: u64,
}

/// The bytes of one file version. Its bytes never change; its layout may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its id; the ETag is made from it.
    pub id: ContentId,
    /// How many bytes; the extents add up to it.
    pub size_bytes: u64,
    /// CRC-32 (IEEE) of the bytes.
    pub crc32: Option<u32>,
    /// SHA-256 of the bytes, once known.
    pub sha256: Option<[u8; 32]>,
    /// When it was made.
    pub created: Timestamp,
    /// Raised by one with each change of the layout; the version for [`Expect::Version`](super::Expect::Version).
    pub layout_version: u64,
    /// Where the bytes lie, in order.
    pub extents: Vec<Extent>,
    /// Counter: how many versions refer to it.
    pub refs: u64,
}

/// The row of a blob, which is there before its bytes and until after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The store.
    pub store: StoreName,
    /// The key.
    pub key: BlobKey,
    /// Where it is in its life.
    pub state: BlobState,
    /// Who leased it: the name of a running instance.
    pub owner: String,
    /// Until when it is leased.
    pub until: Timestamp,
    /// Since when it is condemned.
    pub condemned: Option<Timestamp>,
    /// The object that it is, where its store is a mount.
    pub object: Option<ObjectRef>,
    /// Counter: how many extents of contents and uploads refer to it.
    pub refs: u64,
}

/// The states of the hashes over an upload's first `offset_bytes` bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HashState {
    /// The serialised state of SHA-256; `None` when hashing is left to a job.
    pub sha256: Option<Vec<u8>>,
    /// CRC-32 so far.
    pub crc32: u32,
}

/// A resumable transfer in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// What it becomes.
    pub kind: UploadKind,
    /// Whose it is: the account, or the maker of the drop share it came through.
    pub account: AccountId,
    /// The drop share it came through.
    pub share: Option<ShareId>,
    /// The drive it counts against.
    pub drive: DriveId,
    /// The folder it goes to.
    pub parent: NodeId,
    /// Folders to be made on the way from `parent`.
    pub folders: Vec<EntryName>,
    /// The file's name; `None` for parts.
    pub name: Option<EntryName>,
    /// What to do when the name is taken.
    pub on_conflict: OnConflict,
    /// The declared media type.
    pub mime: Option<String>,
    /// The declared SHA-256.
    pub declared_sha256: Option<[u8; 32]>,
    /// The client's metadata as it was sent, to be given back.
    pub metadata: String,
    /// The whole length, once declared.
    pub len_bytes: Option<u64>,
    /// How many bytes are stored, the tail included.
    pub offset_bytes: u64,
    /// The last stored bytes, too few for a blob of their own.
    pub tail: Bytes,
    /// Hashes over the stored bytes.
    pub hash: HashState,
    /// What is reserved of the drive's quota.
    pub reserved_bytes: u64,
    /// Raised by each writer that takes over; a writer of an older epoch can't extend.
    pub epoch: u64,
    /// The file it became.
    pub node: Option<NodeId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
    /// Raised by one with each `Put`.
    pub version: u64,
    /// The stored bytes before the tail. [`Change::Put`](super::Change::Put) of an existing upload leaves them as they are.
    pub extents: Vec<Extent>,
}

/// A link with conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its id.
    pub id: ShareId,
    /// What the link carries; unique.
    pub token: String,
    /// What it shares.
    pub node: NodeId,
    /// Who made it; it never exceeds their rights.
    pub maker: AccountId,
    /// The password's hash (PHC string).
    pub password: Option<String>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// How many downloads it allows.
    pub max_downloads: Option<u32>,
    /// From which networks; empty is from everywhere.
    pub networks: Vec<IpNet>,
    /// Whether visitors put files in instead of reading.
    pub drop: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, or its node deleted.
    pub ended: Option<Timestamp>,
    /// Raised by one with each `Put`.
    pub version: u64,
    /// Counter: how many tickets were spent.
    pub downloads: u64,
}

/// One visitor's admission to one share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// The share.
    pub share: ShareId,
    /// Which client: a secret's hash or an address; unique in its share.
    pub client: String,
    /// When its first content byte went out.
    pub spent: Option<Timestamp>,
    /// How many bytes it may fetch once spent; `None` is without limit.
    pub budget_bytes: Option<u64>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops admitting.
    pub expires: Timestamp,
    /// Raised by one with each `Put`.
    pub version: u64,
    /// Counter: bytes already granted out of the budget.
    pub granted_bytes: u64,
}

/// What one client fetched of one content, however many requests and ranges that took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadRecord {
    /// Its id.
    pub id: DownloadId,
    /// The file or folder that was asked for first; of a selection the first one. It may be gone since.
    pub node: NodeId,
    /// What that was called then.
    pub name: String,
    /// Whose download it was; none for a visitor of a share.
    pub account: Option<AccountId>,
    /// The share it came through.
    pub share: Option<ShareId>,
    /// The client's address at the first request, where it is known.
    pub address: Option<IpAddr>,
    /// When its first byte went out.
    pub started: Timestamp,
    /// When its last byte, so far, went out.
    pub ended: Timestamp,
    /// How many bytes went out, those that went out again included.
    pub sent_bytes: u64,
    /// How many requests there were.
    pub requests: u64,
    /// How it stands.
    pub outcome: DownloadOutcome,
}

/// A fact that happened, waiting to be relayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, the same on every delivery.
    pub id: EventId,
    /// Whose it is; events of one account keep their order.
    pub account: Option<AccountId>,
    /// What happened: `node.created`, `upload.completed`, …
    pub kind: String,
    /// The facts as JSON.
    pub payload: String,
    /// When it happened.
    pub at: Timestamp,
}

/// A named right to do a job alone, with a fencing token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Which instance holds it.
    pub holder: String,
    /// Raised with each new holder.
    pub token: u64,
    /// Until when.
    pub until: Timestamp,
    /// Raised by one with each `Put`.
    pub version: u64,
}

/// A small fact about the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Raised by one with each `Put`.
    pub version: u64,
}
