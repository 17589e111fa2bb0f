//! The catalog seam: everything that is not bytes of blobs.
//!
//! A catalog is a mapping of about a dozen [record kinds](record) onto tables. It is read by concern ([`Metadata`],
//! [`Sharing`], [`Trash`], [`Records`], [`Ledger`]) and written by one call, [`Catalog::commit`], that takes a [`ChangeSet`] of a few
//! primitives. Core computes every use-case into those, so a catalog holds no rules of the domain beyond them.

mod change;
mod query;
pub mod record;

use std::fmt;

use async_trait::async_trait;

pub use self::change::{
    BlobStep, Bound, Bulk, BulkOutcome, Change, ChangeSet, Committed, Counter, Expect, Extension, Record,
    RecordKey,
};
pub use self::query::{
    ChildrenQuery, Cursor, DownloadsQuery, Only, Order, Page, SearchQuery, Sort, SortValue, SweepQuery,
};
use self::record::{
    Blob, Content, DownloadRecord, Drive, Event, Lease, Member, Node, Role, Setting, Share, Subject, Ticket,
    Upload, Version,
};
use crate::storage::{BlobKey, StoreName};
use crate::{
    AccountId, ContentId, DownloadId, DriveId, EntryName, NodeId, Result, ShareId, TicketId, Timestamp,
    UploadId,
};

/// The one way to write, next to the ways to read.
///
/// # Contract
/// * **C1** A change set is applied whole or not at all. Its changes are applied in order, each seeing the ones before.
/// * **C2** The set's id is recorded in the same transaction: the same id again applies nothing and answers
///   [`Committed`] with `replayed`, so a lost answer is safe to retry. Ids are kept for at least a day.
/// * **C3** A failed [`Expect`] fails the set with the kind its documentation names; nothing of it is applied and other sets, also
///   ones committed together with it, are not affected.
/// * **C4** `Ok` is answered only after the changes are durable, as far as the catalog's documentation promises durability.
///   When it can't be known whether they are, the answer is [`Unavailable`](crate::ErrorKind::Unavailable) and the same set may be sent again (C2).
/// * **C5** Reads that begin after `Ok` see the changes.
/// * **C6** Live siblings have distinct [`NameKey`](crate::NameKey)s, whatever the order of commits: the loser gets
///   [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
/// * **C7** A counter never leaves its [`Bound`], whatever the order of commits.
/// * **C8** [`Change::Put`] replaces all fields of a record but its counters; inserting takes the counters too.
/// * **C9** [`BlobStep::Attach`] and [`Change::Extend`] succeed only on a blob that is leased or live, else
///   [`Conflict`](crate::ErrorKind::Conflict); [`BlobStep::Condemn`] only on one with no references that is live or whose lease is over.
#[async_trait]
pub trait Catalog:
    Metadata + Sharing + Trash + Records + Ledger + fmt::Debug + Send + Sync + 'static
{
    /// Applies a change set (C1–C9).
    ///
    /// # Errors
    /// What the set's expectations and bounds name; [`Unavailable`](crate::ErrorKind::Unavailable) when the database can't be reached or its answer was lost.
    ///
    /// # Cancel safety
    /// When dropped, the set is applied whole or not at all; sending it again tells which.
    async fn commit(&self, set: ChangeSet) -> Result<Committed>;
}

/// Reads of drives, nodes, contents and uploads.
///
/// # Contract
/// * **M1** Every list has at most `limit` rows and is one query; the next page begins after the last row's cursor; pages
///   neither repeat nor skip a row that stayed as it was.
/// * **M2** Reads never wait for writers.
/// * **M3** A number that no catalog keeps (above `i64::MAX`) is no mistake of the caller: nothing has it, and what is less than it is
///   everything.
#[async_trait]
pub trait Metadata {
    /// A drive.
    async fn drive(&self, id: DriveId) -> Result<Option<Drive>>;

    /// The drives in which any of `subjects` is a member, each once with the highest role, ordered by drive id.
    async fn drives_of(&self, subjects: &[Subject]) -> Result<Vec<(Drive, Role)>>;

    /// All drives after `after`, ordered by id.
    async fn drives(&self, after: Option<DriveId>, limit: u32) -> Result<Vec<Drive>>;

    /// The members of a drive, ordered by subject.
    async fn members(&self, drive: DriveId) -> Result<Vec<Member>>;

    /// A node, live or trashed.
    async fn node(&self, id: NodeId) -> Result<Option<Node>>;

    /// The live child of `parent` with this name.
    async fn child(&self, parent: NodeId, name: &EntryName) -> Result<Option<Node>>;

    /// A page of the live children of `parent`.
    async fn children(&self, parent: NodeId, query: &ChildrenQuery) -> Result<Vec<Node>>;

    /// The node and its ancestors, from the drive's root down to the node; empty when there is no such node.
    async fn path(&self, id: NodeId) -> Result<Vec<Node>>;

    /// The same, and the node's content with its layout where it has one, all as it was at one moment.
    async fn path_and_content(&self, id: NodeId) -> Result<(Vec<Node>, Option<Content>)>;

    /// Live nodes in the given drives whose folded name contains the query's text and that have no trashed ancestor,
    /// ordered by name key, then id.
    async fn search(&self, query: &SearchQuery) -> Result<Vec<Node>>;

    /// A content with its layout.
    async fn content(&self, id: ContentId) -> Result<Option<Content>>;

    /// The CRC-32 of these contents, where it is known, in any order; what is no content is left out.
    async fn crc32s(&self, contents: &[ContentId]) -> Result<Vec<(ContentId, Option<u32>)>>;

    /// The versions of a file, newest first, those with a number below `before` where given.
    async fn versions(&self, node: NodeId, before: Option<u64>, limit: u32) -> Result<Vec<Version>>;

    /// One version of a file.
    async fn version(&self, node: NodeId, number: u64) -> Result<Option<Version>>;

    /// A content with this SHA-256 and size that a version (so also the current content) of a file in one of `drives` has.
    async fn content_by_sha256(
        &self,
        drives: &[DriveId],
        sha256: &[u8; 32],
        size_bytes: u64,
    ) -> Result<Option<ContentId>>;

    /// An upload with its extents.
    async fn upload(&self, id: UploadId) -> Result<Option<Upload>>;

    /// The unfinished uploads of an account, ordered by id; extents are left empty.
    async fn uploads_of(
        &self,
        account: &AccountId,
        after: Option<UploadId>,
        limit: u32,
    ) -> Result<Vec<Upload>>;
}

/// Reads of shares and tickets. M1 and M2 hold here too.
#[async_trait]
pub trait Sharing {
    /// A share, also an ended one.
    async fn share(&self, id: ShareId) -> Result<Option<Share>>;

    /// The share whose link carries this token, also an ended one.
    async fn share_by_token(&self, token: &str) -> Result<Option<Share>>;

    /// The shares an account made that have not ended, newest (highest id) first, those of `node` and those below `before`
    /// where given.
    async fn shares_of(
        &self,
        maker: &AccountId,
        node: Option<NodeId>,
        before: Option<ShareId>,
        limit: u32,
    ) -> Result<Vec<Share>>;

    /// A ticket.
    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>>;

    /// The ticket of this client in this share.
    async fn ticket_of(&self, share: ShareId, client: &str) -> Result<Option<Ticket>>;
}

/// Reads of the trash. M1 and M2 hold here too.
#[async_trait]
pub trait Trash {
    /// Trashed nodes (roots of what was deleted) of the given drives, latest first; ties by id, highest first. `after` is the last row of
    /// the page before: its time of trashing and its id.
    async fn trashed(
        &self,
        drives: &[DriveId],
        after: Option<(Timestamp, NodeId)>,
        limit: u32,
    ) -> Result<Vec<Node>>;

    /// Trashed nodes whose time is over at `now`, in any order.
    async fn trash_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<Node>>;
}

/// Reads of the records of downloads. M1 and M2 hold here too.
#[async_trait]
pub trait Records {
    /// A record.
    async fn download(&self, id: DownloadId) -> Result<Option<DownloadRecord>>;

    /// The records that the query names, latest (highest id) first.
    async fn downloads(&self, query: &DownloadsQuery) -> Result<Vec<DownloadRecord>>;
}

/// Reads of what the service itself keeps: blobs, leases, settings, the outbox. M1 and M2 hold here too.
#[async_trait]
pub trait Ledger {
    /// The row of a blob.
    async fn blob(&self, store: &StoreName, key: &BlobKey) -> Result<Option<Blob>>;

    /// Blobs that the sweep has to look at.
    async fn blobs(&self, query: &SweepQuery) -> Result<Vec<Blob>>;

    /// Rows of blobs of one store, ordered by key, after `after`.
    async fn blobs_of(&self, store: &StoreName, after: Option<&BlobKey>, limit: u32) -> Result<Vec<Blob>>;

    /// Uploads whose time is over at `now`, in any order, with their extents.
    async fn uploads_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>>;

    /// Contents without SHA-256, ordered by id, after `after`.
    async fn unhashed(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<ContentId>>;

    /// Contents with an extent in the store, ordered by id, after `after`; with a drive only those that a version of a file in
    /// it has.
    async fn contents_in(
        &self,
        store: &StoreName,
        drive: Option<DriveId>,
        after: Option<ContentId>,
        limit: u32,
    ) -> Result<Vec<ContentId>>;

    /// How many contents [`contents_in`](Self::contents_in) lists in all, and the sum of their extents in the store in bytes.
    async fn sum_in(&self, store: &StoreName, drive: Option<DriveId>) -> Result<(u64, u64)>;

    /// The versions that have a content, ordered by node and number.
    async fn versions_of(&self, content: ContentId, limit: u32) -> Result<Vec<Version>>;

    /// The stores that have a row of a blob, ordered by name.
    async fn stores(&self) -> Result<Vec<StoreName>>;

    /// A setting.
    async fn setting(&self, key: &str) -> Result<Option<Setting>>;

    /// A lease.
    async fn lease(&self, name: &str) -> Result<Option<Lease>>;

    /// The oldest events of the outbox, each account's in the order of their commits.
    async fn events(&self, limit: u32) -> Result<Vec<Event>>;

    /// What the drive's counters should be: the sum of its versions' sizes, and of its uploads' reservations.
    async fn recount(&self, drive: DriveId) -> Result<(u64, u64)>;
}
