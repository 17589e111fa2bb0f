//! The storage seam: where bytes live.
//!
//! A store keeps *blobs*: write-once bytes under opaque keys made by this crate. It knows no names, accounts or
//! files; those live in the [catalog](crate::catalog).

mod appetite;
mod health;
mod key;
mod types;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use self::appetite::{Appetite, Pace};
pub use self::health::{Figure, HealthFacts, StoreHealth, ask_health};
pub use self::key::{BlobKey, StoreName};
pub use self::types::{
    Abilities, BlobFacts, BlobRef, CreateOptions, Deleted, ListedBlob, LocalPath, Presign, PresignOptions,
    StoreInfo,
};
use crate::{ByteBody, InstallationId, Result, Span};

/// Where bytes live. The contract is between a store and this crate; users call the service.
///
/// # Contract
/// * **B1** A blob is visible (to `open` + `read`, `list`) only whole, and never before its `commit` is called; to every
///   call that begins after `commit` returned `Ok` it is visible.
/// * **B2** `commit` of a key that exists fails with [`AlreadyExists`](crate::ErrorKind::AlreadyExists) and changes nothing.
/// * **B3** After `commit` returned, the blob survives a crash of this process; the store's documentation says what else
///   it survives.
/// * **B4** `delete` of a missing key counts as deleted. The report has one entry for each key, in the order given.
/// * **B5** `read` yields exactly the span's bytes; a span that ends past the blob fails with
///   [`Corrupt`](crate::ErrorKind::Corrupt), a missing blob with [`NotFound`](crate::ErrorKind::NotFound), at `read` or in the body,
///   never as a short success.
/// * **B6** One reader serves many spans at once.
/// * **B7** `list` yields every blob that was committed before the call and not deleted during it, once, in ascending
///   key order, only keys that start with `prefix` and sort after `after`; uncommitted ones never.
/// * **B8** `write` takes all bytes or fails; after a failed `write` only `abort` or drop may follow. The expected length is
///   a hint: a blob of another length commits all the same. One longer than the store's largest blob fails with
///   [`LimitExceeded`](crate::ErrorKind::LimitExceeded), at `create` where the expected length says so.
/// * **B9** Dropping a writer, or any future of this trait, leaves at most an invisible leftover, which `tidy` removes. It
///   removes nothing younger than asked, and no committed blob; leftovers don't stand in the way of a new writer of the key.
/// * **B10** `info` and `abilities` do no I/O and never change.
/// * **B11** `open` needs no I/O; a blob whose length is not the one in the [`BlobRef`] fails with
///   [`Corrupt`](crate::ErrorKind::Corrupt) on `read`.
/// * **B12** `claim` makes the store the given installation's if nobody's yet, and is `Ok` when it is its already; if it is
///   another's, it fails with [`Conflict`](crate::ErrorKind::Conflict) and changes nothing.
/// * **B13** Empty blobs are allowed: created, committed, listed, deleted like others.
/// * **B14** Objects under the store's root that this contract did not make are neither listed nor deleted nor changed.
/// * **B15** Where the store has the ability, `health` says that new bytes are taken while blobs can be committed; asking changes
///   nothing under the root.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// What the store is: its name, limits and part size.
    fn info(&self) -> &StoreInfo;

    /// Claims the store's root for `installation`, so that two installations never eat each other's bytes.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when it belongs to another, [`Unavailable`](crate::ErrorKind::Unavailable) when it can't be reached,
    /// [`Denied`](crate::ErrorKind::Denied) when it can't be written.
    async fn claim(&self, installation: InstallationId) -> Result<()>;

    /// Starts a blob; nothing is visible until [`BlobWriter::commit`].
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the store can't be reached within its limit,
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when it is full. A taken key may be refused here already, else at commit (B2).
    ///
    /// # Cancel safety
    /// Dropping the future or the writer leaves at most an invisible leftover (B9).
    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>>;

    /// A reader of one blob. Whether the blob is there may show only when it is read.
    ///
    /// # Errors
    /// As for [`BlobReader::read`], where the store looks at once.
    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>>;

    /// Deletes blobs; one entry for each key in the order given.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the store can't be reached at all; failures of single keys are in the report.
    ///
    /// # Cancel safety
    /// When dropped, and after [`Unavailable`](crate::ErrorKind::Unavailable), any part of the keys may be deleted, now or later: a server that
    /// was too slow still does what it was asked. Calling again is safe (B4).
    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>>;

    /// Lists committed blobs by ascending key (B7).
    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>>;

    /// Removes leftovers of writers that were dropped or killed more than `older_than` ago; returns how many.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the store can't be reached.
    async fn tidy(&self, older_than: std::time::Duration) -> Result<u64>;

    /// What this store can do beyond the contract.
    fn abilities(&self) -> Abilities<'_>;
}

/// Takes the bytes of one blob, in order.
#[async_trait]
pub trait BlobWriter: fmt::Debug + Send {
    /// Takes all of `bytes`, or fails (B8). Returns when the writer can take more; the bytes need not have arrived yet.
    ///
    /// # Errors
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when the store is full or the blob too long for it,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it can't be reached within its limit.
    ///
    /// # Cancel safety
    /// Not cancel safe: after a drop only `abort` or drop may follow.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Makes the blob visible, whole and durable (B1–B3).
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) (B2), [`Corrupt`](crate::ErrorKind::Corrupt) when what arrived has another length than
    /// what was written, else as for [`write`](Self::write).
    ///
    /// # Cancel safety
    /// When dropped, and after [`Unavailable`](crate::ErrorKind::Unavailable), the blob may or may not be there, now or later; whoever leased
    /// its key writes again under another one and finds out by sweeping.
    async fn commit(self: Box<Self>) -> Result<BlobFacts>;

    /// Gives the blob up and frees what it took.
    ///
    /// # Errors
    /// As for [`write`](Self::write); the leftover is then found by [`BlobStore::tidy`].
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// Reads spans of one blob.
#[async_trait]
pub trait BlobReader: fmt::Debug + Send + Sync {
    /// The bytes of `span`, streamed.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the blob is gone, [`Corrupt`](crate::ErrorKind::Corrupt) when its length is not the expected
    /// one or the span passes its end, [`Unavailable`](crate::ErrorKind::Unavailable) when the store can't be reached within its limit; all of
    /// these may also come from the body, also after bytes.
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    async fn read(&self, span: Span) -> Result<ByteBody>;
}
