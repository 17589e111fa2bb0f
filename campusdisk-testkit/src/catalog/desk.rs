//! What every case works with: a catalog, ids in order, and records made with few words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use campusdisk_core::catalog::record::{
    Blob, BlobState, Category, Content, DownloadOutcome, DownloadRecord, Drive, DriveKind, Event, Extent,
    HashState, Node, NodeKind, OnConflict, Share, Ticket, TrashMark, Upload, UploadKind, Version,
};
use campusdisk_core::catalog::{Catalog, Change, ChangeSet, Committed};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{
    AccountId, ChangeId, ContentId, DownloadId, DriveId, EntryName, ErrorKind, EventId, IdSource, NodeId,
    Result, ShareId, TicketId, Timestamp, UploadId,
};

/// A catalog and the means to fill it.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) catalog: Arc<dyn Catalog>,
    numbers: Arc<AtomicU64>,
}

/// A moment, in milliseconds after the first one of the cases.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_788_220_800_000 + millis)
}

pub(super) fn account(name: &str) -> AccountId {
    AccountId::parse(name).expect("cases name accounts well")
}

pub(super) fn name(text: &str) -> EntryName {
    EntryName::parse(text).expect("cases name entries well")
}

pub(super) fn store(text: &str) -> StoreName {
    StoreName::parse(text).expect("cases name stores well")
}

pub(super) fn names(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

/// A piece of a blob.
pub(super) fn extent(blob: &Blob, offset_bytes: u64, len_bytes: u64) -> Extent {
    Extent {
        store: blob.store.clone(),
        blob: blob.key,
        blob_len_bytes: offset_bytes.saturating_add(len_bytes),
        offset_bytes,
        len_bytes,
    }
}

impl IdSource for Desk {
    fn random(&self) -> u128 {
        u128::from(self.numbers.fetch_add(1, Ordering::Relaxed)) + 1
    }
}

impl Desk {
    pub(super) fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self {
            catalog,
            numbers: Arc::default(),
        }
    }

    pub(super) fn set(&self, changes: Vec<Change>) -> ChangeSet {
        let mut set = ChangeSet::new(ChangeId::from_u128(self.random()), at(0));
        set.changes = changes;
        set
    }

    /// Commits changes as one set.
    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<Committed> {
        self.catalog.commit(self.set(changes)).await
    }

    /// Commits changes that must be applied.
    pub(super) async fn apply(&self, changes: Vec<Change>) -> Committed {
        self.commit(changes).await.expect("the set is applied")
    }

    /// Commits one change that must be applied.
    pub(super) async fn put(&self, change: impl Into<Change>) -> Committed {
        self.apply(vec![change.into()]).await
    }

    /// Commits changes that must be refused.
    pub(super) async fn refused(&self, changes: Vec<Change>) -> ErrorKind {
        self.commit(changes).await.expect_err("the set is refused").kind()
    }

    /// A drive without quota and its root folder, committed.
    pub(super) async fn drive(&self) -> Drive {
        self.drive_with_quota(None).await
    }

    pub(super) async fn drive_with_quota(&self, quota_bytes: Option<u64>) -> Drive {
        let drive = self.new_drive(quota_bytes);
        let mut root = self.folder(&drive, "root");
        root.id = drive.root;
        root.parent = None;
        self.apply(vec![drive.clone().into(), root.into()]).await;
        drive
    }

    pub(super) fn new_drive(&self, quota_bytes: Option<u64>) -> Drive {
        Drive {
            id: DriveId::from_u128(self.random()),
            kind: DriveKind::Departmental,
            name: "Physics".to_owned(),
            owner: None,
            root: NodeId::from_u128(self.random()),
            quota_bytes,
            created: at(0),
            version: 1,
            used_bytes: 0,
            reserved_bytes: 0,
            tree_version: 0,
        }
    }

    /// A folder in the root, not committed.
    pub(super) fn folder(&self, drive: &Drive, text: &str) -> Node {
        Node {
            id: NodeId::from_u128(self.random()),
            drive: drive.id,
            parent: Some(drive.root),
            kind: NodeKind::Folder,
            name: name(text),
            content: None,
            size_bytes: 0,
            mime: None,
            category: Category::Other,
            created: at(0),
            modified: at(0),
            version: 1,
            trashed: None,
        }
    }

    /// A file without content in the root, not committed.
    pub(super) fn file(&self, drive: &Drive, text: &str) -> Node {
        Node {
            kind: NodeKind::File,
            mime: Some("text/plain".to_owned()),
            category: Category::Document,
            ..self.folder(drive, text)
        }
    }

    /// A leased blob, not committed.
    pub(super) fn blob(&self) -> Blob {
        Blob {
            store: store("primary"),
            key: BlobKey::generate(self),
            state: BlobState::Leased,
            owner: "hall-1".to_owned(),
            until: at(60_000),
            condemned: None,
            object: None,
            refs: 0,
        }
    }

    /// A content of one extent, not committed.
    pub(super) fn content(&self, blob: &Blob, size_bytes: u64) -> Content {
        Content {
            id: ContentId::from_u128(self.random()),
            size_bytes,
            crc32: None,
            sha256: None,
            created: at(0),
            layout_version: 1,
            extents: vec![extent(blob, 0, size_bytes)],
            refs: 0,
        }
    }

    pub(super) fn version(&self, node: &Node, content: &Content) -> Version {
        Version {
            node: node.id,
            drive: node.drive,
            number: node.version,
            content: content.id,
            size_bytes: content.size_bytes,
            mime: node.mime.clone(),
            created: at(0),
        }
    }

    /// An upload into the root, not committed.
    pub(super) fn upload(&self, drive: &Drive) -> Upload {
        Upload {
            id: UploadId::from_u128(self.random()),
            kind: UploadKind::File,
            account: account("mei"),
            share: None,
            drive: drive.id,
            parent: drive.root,
            folders: Vec::new(),
            name: Some(name("thesis.pdf")),
            on_conflict: OnConflict::Rename,
            mime: None,
            declared_sha256: None,
            metadata: String::new(),
            len_bytes: None,
            offset_bytes: 0,
            tail: Bytes::new(),
            hash: HashState::default(),
            reserved_bytes: 0,
            epoch: 1,
            node: None,
            created: at(0),
            expires: at(1000),
            version: 1,
            extents: Vec::new(),
        }
    }

    /// A record of a download, not committed.
    pub(super) fn download(&self, node: NodeId) -> DownloadRecord {
        DownloadRecord {
            id: DownloadId::from_u128(self.random()),
            node,
            name: "thesis.pdf".to_owned(),
            account: None,
            share: None,
            address: None,
            started: at(0),
            ended: at(0),
            sent_bytes: 0,
            requests: 1,
            outcome: DownloadOutcome::Running,
        }
    }

    pub(super) fn share(&self, node: NodeId) -> Share {
        let id = ShareId::from_u128(self.random());
        Share {
            id,
            token: format!("token-{id}"),
            node,
            maker: account("mei"),
            password: None,
            expires: None,
            max_downloads: None,
            networks: Vec::new(),
            drop: false,
            created: at(0),
            ended: None,
            version: 1,
            downloads: 0,
        }
    }

    pub(super) fn ticket(&self, share: ShareId, client: &str) -> Ticket {
        Ticket {
            id: TicketId::from_u128(self.random()),
            share,
            client: client.to_owned(),
            spent: None,
            budget_bytes: None,
            created: at(0),
            expires: at(1000),
            version: 1,
            granted_bytes: 0,
        }
    }

    pub(super) fn event(&self, owner: Option<&str>, kind: &str) -> Event {
        Event {
            id: EventId::from_u128(self.random()),
            account: owner.map(account),
            kind: kind.to_owned(),
            payload: r#"{"of":"a case"}"#.to_owned(),
            at: at(0),
        }
    }

    pub(super) async fn read_drive(&self, id: DriveId) -> Drive {
        let drive = self.catalog.drive(id).await.expect("the read is answered");
        drive.expect("the drive is there")
    }

    pub(super) async fn read_node(&self, id: NodeId) -> Option<Node> {
        self.catalog.node(id).await.expect("the read is answered")
    }

    pub(super) async fn read_blob(&self, blob: &Blob) -> Option<Blob> {
        let row = self.catalog.blob(&blob.store, &blob.key).await;
        row.expect("the read is answered")
    }

    pub(super) async fn read_content(&self, id: ContentId) -> Option<Content> {
        self.catalog.content(id).await.expect("the read is answered")
    }

    pub(super) async fn read_upload(&self, id: UploadId) -> Option<Upload> {
        self.catalog.upload(id).await.expect("the read is answered")
    }

    /// Sends sets all at once and waits for all answers, which are in the order of the sets.
    pub(super) async fn race(&self, sets: Vec<ChangeSet>) -> Vec<Result<Committed>> {
        let tasks: Vec<_> = sets
            .into_iter()
            .map(|set| {
                let catalog = self.catalog.clone();
                tokio::spawn(async move { catalog.commit(set).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.expect("a commit does not panic"));
        }
        answers
    }
}

/// The node as it lies in the trash.
pub(super) fn trashed(mut node: Node, since: Timestamp, expires: Timestamp) -> Node {
    node.version += 1;
    node.trashed = Some(TrashMark {
        at: since,
        expires,
        by: account("mei"),
    });
    node
}
