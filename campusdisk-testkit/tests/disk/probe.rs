//! Gates that hold a call until a test lets it go, and the catalog and store that pass through them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::catalog::record::{
    Blob, Content, DownloadRecord, Drive, Event, Lease, Member, Node, Role, Setting, Share, Subject, Ticket,
    Upload, Version,
};
use campusdisk_core::catalog::{
    Catalog, Change, ChangeSet, ChildrenQuery, Committed, DownloadsQuery, Ledger, Metadata, Records,
    SearchQuery, Sharing, SweepQuery, Trash,
};
use campusdisk_core::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    ListedBlob, StoreInfo, StoreName,
};
use campusdisk_core::{
    AccountId, ByteBody, ContentId, DownloadId, DriveId, EntryName, InstallationId, NodeId, Result, ShareId,
    Span, TicketId, Timestamp, UploadId,
};
use campusdisk_testkit::faulty::{Fault, Faults};
use futures::stream::BoxStream;
use tokio::sync::{Semaphore, watch};

type Wanted = Box<dyn Fn(&str, &[Change]) -> bool + Send>;

/// Where calls wait. Clones are the same gates.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<Vec<(Wanted, Gate)>>>);

/// Holds one call.
#[derive(Clone)]
pub(crate) struct Gate {
    arrived: watch::Sender<bool>,
    open: Arc<Semaphore>,
}

impl Gates {
    /// Holds the next call of this name.
    pub(crate) fn hold(&self, op: &'static str) -> Gate {
        self.hold_where(move |called, _| called == op)
    }

    /// Holds the next commit with such a change.
    pub(crate) fn hold_commit(&self, wanted: impl Fn(&Change) -> bool + Send + 'static) -> Gate {
        self.hold_where(move |called, changes| called == "commit set" && changes.iter().any(&wanted))
    }

    fn hold_where(&self, wanted: impl Fn(&str, &[Change]) -> bool + Send + 'static) -> Gate {
        let gate = Gate {
            arrived: watch::Sender::new(false),
            open: Arc::new(Semaphore::new(0)),
        };
        self.0.lock().unwrap().push((Box::new(wanted), gate.clone()));
        gate
    }

    async fn pass(&self, op: &str, changes: &[Change]) {
        // Memory answers at once; a real catalog or store lets others run meanwhile.
        tokio::task::yield_now().await;
        let held = {
            let mut gates = self.0.lock().unwrap();
            let found = gates.iter().position(|(wanted, _)| wanted(op, changes));
            found.map(|index| gates.remove(index).1)
        };
        if let Some(gate) = held {
            gate.arrived.send_replace(true);
            drop(gate.open.acquire().await);
        }
    }
}

impl Gate {
    /// Waits until the call has come.
    pub(crate) async fn arrived(&self) {
        self.arrived
            .subscribe()
            .wait_for(|arrived| *arrived)
            .await
            .unwrap();
    }

    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }
}

impl std::fmt::Debug for Gates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gates")
    }
}

/// A catalog whose calls pass gates and may fail: reads under their own names, and once more with `answered` behind it before
/// their answer goes out; commits as `commit set`.
#[derive(Debug)]
pub(crate) struct ProbeCatalog {
    pub(crate) inner: Arc<dyn Catalog>,
    pub(crate) gates: Gates,
    pub(crate) faults: Faults,
}

impl ProbeCatalog {
    async fn read<T>(&self, op: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.gates.pass(op, &[]).await;
        let answer = match self.faults.strike(op) {
            Some(fault) => Err(fault.error(op)),
            None => call.await,
        };
        self.gates.pass(&format!("{op} answered"), &[]).await;
        answer
    }

    async fn apply(&self, set: ChangeSet) -> Result<Committed> {
        let answer = self.inner.commit(set).await;
        // Others may run, and this may be dropped, between the commit and its answer.
        tokio::task::yield_now().await;
        answer
    }
}

#[async_trait]
impl Catalog for ProbeCatalog {
    async fn commit(&self, set: ChangeSet) -> Result<Committed> {
        self.gates.pass("commit set", &set.changes).await;
        match self.faults.strike("commit set") {
            Some(fault @ Fault::Before(_)) => Err(fault.error("commit set")),
            Some(fault) => {
                self.apply(set).await?;
                Err(fault.error("commit set"))
            }
            None => self.apply(set).await,
        }
    }
}

macro_rules! reads {
    ($seam:ident { $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+ }) => {
        #[async_trait]
        impl $seam for ProbeCatalog {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer> {
                self.read(stringify!($name), self.inner.$name($($argument),*)).await
            })+
        }
    };
}

reads!(Metadata {
    fn drive(id: DriveId) -> Option<Drive>;
    fn drives_of(subjects: &[Subject]) -> Vec<(Drive, Role)>;
    fn drives(after: Option<DriveId>, limit: u32) -> Vec<Drive>;
    fn members(drive: DriveId) -> Vec<Member>;
    fn node(id: NodeId) -> Option<Node>;
    fn child(parent: NodeId, name: &EntryName) -> Option<Node>;
    fn children(parent: NodeId, query: &ChildrenQuery) -> Vec<Node>;
    fn path(id: NodeId) -> Vec<Node>;
    fn path_and_content(id: NodeId) -> (Vec<Node>, Option<Content>);
    fn search(query: &SearchQuery) -> Vec<Node>;
    fn content(id: ContentId) -> Option<Content>;
    fn versions(node: NodeId, before: Option<u64>, limit: u32) -> Vec<Version>;
    fn version(node: NodeId, number: u64) -> Option<Version>;
    fn crc32s(contents: &[ContentId]) -> Vec<(ContentId, Option<u32>)>;
    fn content_by_sha256(drives: &[DriveId], sha256: &[u8; 32], size_bytes: u64) -> Option<ContentId>;
    fn upload(id: UploadId) -> Option<Upload>;
    fn uploads_of(account: &AccountId, after: Option<UploadId>, limit: u32) -> Vec<Upload>;
});

reads!(Sharing {
    fn share(id: ShareId) -> Option<Share>;
    fn share_by_token(token: &str) -> Option<Share>;
    fn shares_of(maker: &AccountId, node: Option<NodeId>, before: Option<ShareId>, limit: u32) -> Vec<Share>;
    fn ticket(id: TicketId) -> Option<Ticket>;
    fn ticket_of(share: ShareId, client: &str) -> Option<Ticket>;
});

reads!(Trash {
    fn trashed(drives: &[DriveId], after: Option<(Timestamp, NodeId)>, limit: u32) -> Vec<Node>;
    fn trash_expired(now: Timestamp, limit: u32) -> Vec<Node>;
});

reads!(Records {
    fn download(id: DownloadId) -> Option<DownloadRecord>;
    fn downloads(query: &DownloadsQuery) -> Vec<DownloadRecord>;
});

reads!(Ledger {
    fn blob(store: &StoreName, key: &BlobKey) -> Option<Blob>;
    fn blobs(query: &SweepQuery) -> Vec<Blob>;
    fn blobs_of(store: &StoreName, after: Option<&BlobKey>, limit: u32) -> Vec<Blob>;
    fn uploads_expired(now: Timestamp, limit: u32) -> Vec<Upload>;
    fn unhashed(after: Option<ContentId>, limit: u32) -> Vec<ContentId>;
    fn contents_in(
        store: &StoreName,
        drive: Option<DriveId>,
        after: Option<ContentId>,
        limit: u32
    ) -> Vec<ContentId>;
    fn sum_in(store: &StoreName, drive: Option<DriveId>) -> (u64, u64);
    fn versions_of(content: ContentId, limit: u32) -> Vec<Version>;
    fn stores() -> Vec<StoreName>;
    fn setting(key: &str) -> Option<Setting>;
    fn lease(name: &str) -> Option<Lease>;
    fn events(limit: u32) -> Vec<Event>;
    fn recount(drive: DriveId) -> (u64, u64);
});

/// A store whose calls pass gates, under the names of `faulty::ops`.
#[derive(Debug)]
pub(crate) struct GatedStore {
    pub(crate) inner: Arc<dyn BlobStore>,
    pub(crate) gates: Gates,
}

#[async_trait]
impl BlobStore for GatedStore {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        self.inner.claim(installation).await
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        self.gates.pass("create", &[]).await;
        let (inner, gates) = (self.inner.create(key, options).await?, self.gates.clone());
        Ok(Box::new(GatedWriter { inner, gates }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let (inner, gates) = (self.inner.open(blob).await?, self.gates.clone());
        Ok(Box::new(GatedReader { inner, gates }))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        self.gates.pass("delete", &[]).await;
        self.inner.delete(keys).await
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        self.inner.list(prefix, after)
    }

    async fn tidy(&self, older_than: std::time::Duration) -> Result<u64> {
        self.inner.tidy(older_than).await
    }

    fn abilities(&self) -> Abilities<'_> {
        self.inner.abilities()
    }
}

#[derive(Debug)]
struct GatedWriter {
    inner: Box<dyn BlobWriter>,
    gates: Gates,
}

#[async_trait]
impl BlobWriter for GatedWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.gates.pass("write", &[]).await;
        self.inner.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        self.gates.pass("commit", &[]).await;
        self.inner.commit().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}

#[derive(Debug)]
struct GatedReader {
    inner: Box<dyn BlobReader>,
    gates: Gates,
}

#[async_trait]
impl BlobReader for GatedReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        self.gates.pass("read", &[]).await;
        self.inner.read(span).await
    }
}
