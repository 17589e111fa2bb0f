//! A service over the catalog under test and a store in memory, with a clock that tests move by hand, and calls that fail or wait as told.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::catalog::record::{BlobState, Content, Drive, DriveKind, NodeKind, Role, Subject};
use campusdisk_core::catalog::{Catalog, ChildrenQuery};
use campusdisk_core::memory::{MemoryChunkCache, MemoryEvents, MemoryIdentity, MemoryMount, MemoryStore};
use campusdisk_core::storage::{BlobKey, BlobStore, StoreInfo, StoreName};
use campusdisk_core::{
    AccountId, Actor, AppendOptions, Appended, CampusDisk, Desk, EntryName, ErrorKind, NodeId, Policy,
    PutOptions, RandomIds, Result, Seams, Span, Spawner, TokioSpawner, UploadFacts, UploadId, UploadSpec,
};
use campusdisk_testkit::faulty::{Faults, FaultyStore};
use campusdisk_testkit::manual::ManualClock;
use futures::StreamExt;

use crate::probe::{GatedStore, Gates, ProbeCatalog};

/// Parts of this size let a few kilobytes make several blobs.
pub(crate) const PART_BYTES: u64 = 1000;

pub(crate) struct Fixture {
    pub(crate) disk: CampusDisk,
    pub(crate) seams: Seams,
    pub(crate) catalog: Arc<dyn Catalog>,
    /// Takes new bytes.
    pub(crate) store: Arc<dyn BlobStore>,
    /// Takes what is moved there.
    pub(crate) archive: Arc<dyn BlobStore>,
    /// Objects that others write.
    pub(crate) mount: MemoryMount,
    pub(crate) identity: MemoryIdentity,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: MemoryEvents,
    pub(crate) gates: Gates,
    pub(crate) faults: Faults,
    /// Where the catalog lies, for as long as it is used.
    _place: Box<dyn Any + Send>,
}

pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.tail_bytes = 100;
    policy.purge_delay = Duration::ZERO;
    policy.lease_batch = 4;
    policy.takeover_wait = Duration::from_secs(3);
    policy
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(policy()).await
    }

    pub(crate) async fn with(policy: Policy) -> Self {
        Self::over(policy, Faults::new(), store_info(), Arc::new(TokioSpawner)).await
    }

    /// With faults that the caller keeps, for anomaly loops.
    pub(crate) async fn faulty(policy: Policy, faults: Faults) -> Self {
        Self::over(policy, faults, store_info(), Arc::new(TokioSpawner)).await
    }

    /// `catalog` and `store` are the ones behind faults and gates: what a test looks at by itself neither fails nor waits.
    pub(crate) async fn over(
        policy: Policy,
        faults: Faults,
        info: StoreInfo,
        spawner: Arc<dyn Spawner>,
    ) -> Self {
        let gates = Gates::default();
        let (catalog, place) = crate::catalog().await;
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::new(info).with_piece_bytes(100));
        let archive: Arc<dyn BlobStore> = Arc::new(MemoryStore::new(archive_info()).with_piece_bytes(70));
        let gated = GatedStore {
            inner: store.clone(),
            gates: gates.clone(),
        };
        let probed = ProbeCatalog {
            inner: catalog.clone(),
            gates: gates.clone(),
            faults: faults.clone(),
        };
        let mount = MemoryMount::new(mount_name());
        let identity = MemoryIdentity::default();
        let clock = Arc::new(ManualClock::new());
        let events = MemoryEvents::new(1000);
        let seams = Seams {
            stores: vec![
                Arc::new(FaultyStore::new(Arc::new(gated), faults.clone())),
                Arc::new(FaultyStore::new(archive.clone(), faults.clone())),
            ],
            placement: Vec::new(),
            mounts: vec![Arc::new(mount.clone())],
            catalog: Arc::new(probed),
            identity: Arc::new(identity.clone()),
            events: Arc::new(events.clone()),
            cache: Arc::new(MemoryChunkCache::new(64 << 20)),
            clock: clock.clone(),
            ids: Arc::new(RandomIds),
            spawner,
        };
        let disk = CampusDisk::open(seams.clone(), policy).await.unwrap();
        Self {
            disk,
            seams,
            catalog,
            store,
            archive,
            mount,
            identity,
            clock,
            events,
            gates,
            faults,
            _place: place,
        }
    }

    pub(crate) fn desk(&self, account: &str) -> Desk {
        self.desk_of(Actor::new(AccountId::parse(account).unwrap(), account))
    }

    pub(crate) fn desk_of(&self, actor: Actor) -> Desk {
        self.identity.admit(actor.clone());
        self.disk.drive(actor)
    }

    /// A desk and the root of its own drive.
    pub(crate) async fn alice(&self) -> (Desk, NodeId) {
        let desk = self.desk("alice");
        let root = desk.home().await.unwrap().root;
        (desk, root)
    }

    /// Another drive, which the person manages.
    pub(crate) async fn other_drive(&self, desk: &Desk, quota_bytes: Option<u64>) -> Drive {
        let manager = (Subject::Account(desk.actor().account.clone()), Role::Manager);
        self.disk
            .create_drive(DriveKind::Departmental, "other", quota_bytes, &[manager])
            .await
            .unwrap()
    }

    /// Another instance of the service over the same seams.
    pub(crate) async fn instance(&self) -> CampusDisk {
        let policy = self.disk.policy().clone();
        CampusDisk::open(self.seams.clone(), policy).await.unwrap()
    }

    /// Takes everything back whose time is over once time has passed: uploads stay, what nothing refers to goes.
    pub(crate) async fn settle(&self) {
        for _ in 0..3 {
            self.clock
                .advance(self.disk.policy().blob_lease * 3 + self.disk.policy().purge_delay);
            self.disk.sweep().await.unwrap();
        }
    }

    /// Every counter is the sum of what it counts; every content is whole and lies in live blobs that are in the store.
    pub(crate) async fn assert_sound(&self) {
        let (own, moved) = (self.objects().await, objects_of(&*self.archive).await);
        for drive in self.catalog.drives(None, 1000).await.unwrap() {
            let [(used, counted), (reserved, counted_reserved)] =
                self.disk.check_usage(drive.id).await.unwrap();
            let name = &drive.name;
            assert_eq!((used, reserved), (counted, counted_reserved), "usage of {name}");
            for content in self.contents(&drive).await {
                let sum: u64 = content.extents.iter().map(|extent| extent.len_bytes).sum();
                assert_eq!(
                    sum, content.size_bytes,
                    "the extents of a content add up to its size"
                );
                for extent in &content.extents {
                    let blob = self.catalog.blob(&extent.store, &extent.blob).await.unwrap();
                    let blob = blob.unwrap();
                    assert_eq!(blob.state, BlobState::Live);
                    if extent.store == mount_name() {
                        assert_eq!(blob.object.unwrap().len_bytes, extent.len_bytes);
                        continue;
                    }
                    assert_eq!(blob.object, None);
                    let store = if extent.store == self.archive.info().name {
                        &moved
                    } else {
                        &own
                    };
                    assert_eq!(store.get(&extent.blob), Some(&extent.blob_len_bytes));
                }
            }
        }
    }

    /// Sound, and after some time without a blob that nothing refers to, in the catalog or in the store.
    pub(crate) async fn assert_settles(&self) {
        self.assert_sound().await;
        self.settle().await;
        self.assert_sound().await;
        let rows = self.catalog.blobs_of(&mount_name(), None, 100_000).await.unwrap();
        assert!(rows.iter().all(|blob| blob.refs > 0), "{rows:?}");
        for store in [&self.store, &self.archive] {
            let name = &store.info().name;
            let rows = self.catalog.blobs_of(name, None, 100_000).await.unwrap();
            assert!(
                rows.iter()
                    .all(|blob| blob.state == BlobState::Live && blob.refs > 0)
            );
            let rows: HashSet<_> = rows.iter().map(|blob| blob.key).collect();
            let objects: HashSet<_> = objects_of(&**store).await.into_keys().collect();
            assert_eq!(rows, objects, "{name} holds what the catalog counts as live");
        }
    }

    /// The blobs in the store with their lengths.
    pub(crate) async fn objects(&self) -> BTreeMap<BlobKey, u64> {
        objects_of(&*self.store).await
    }

    async fn contents(&self, drive: &Drive) -> Vec<Content> {
        let mut nodes = self.catalog.trashed(&[drive.id], None, 1000).await.unwrap();
        nodes.extend(self.catalog.node(drive.root).await.unwrap());
        let mut contents = Vec::new();
        while let Some(node) = nodes.pop() {
            if node.kind == NodeKind::Folder {
                let children = self.catalog.children(node.id, &ChildrenQuery::first(1000)).await;
                nodes.extend(children.unwrap());
            }
            for version in self.catalog.versions(node.id, None, 1000).await.unwrap() {
                assert_eq!(version.drive, node.drive);
                contents.push(self.catalog.content(version.content).await.unwrap().unwrap());
            }
        }
        contents
    }
}

pub(crate) fn store_info() -> StoreInfo {
    StoreInfo::new(StoreName::parse("primary").unwrap()).with_part_size_bytes(PART_BYTES)
}

fn archive_info() -> StoreInfo {
    StoreInfo::new(StoreName::parse("archive").unwrap()).with_part_size_bytes(2 * PART_BYTES + 500)
}

pub(crate) fn mount_name() -> StoreName {
    StoreName::parse("spark").unwrap()
}

/// The blobs in a store with their lengths.
pub(crate) async fn objects_of(store: &dyn BlobStore) -> BTreeMap<BlobKey, u64> {
    let listed: Vec<_> = store.list("", None).collect().await;
    listed
        .into_iter()
        .map(|blob| blob.unwrap())
        .map(|blob| (blob.key, blob.len_bytes))
        .collect()
}

pub(crate) fn name(text: &str) -> EntryName {
    EntryName::parse(text).unwrap()
}

/// Bytes that differ everywhere, so that a misplaced piece shows.
pub(crate) fn pattern(len: usize) -> Bytes {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(bytes)).into()
}

pub(crate) async fn put(desk: &Desk, folder: NodeId, file: &str, bytes: &Bytes) -> Result<NodeId> {
    let mut putting = desk.put(folder, name(file), PutOptions::default()).await?;
    for piece in bytes.chunks(333) {
        putting.write(Bytes::copy_from_slice(piece)).await?;
    }
    Ok(putting.finish().await?.node.id)
}

pub(crate) async fn folder(desk: &Desk, parent: NodeId, text: &str) -> NodeId {
    desk.create_folder(parent, name(text)).await.unwrap().id
}

pub(crate) async fn read(desk: &Desk, file: NodeId) -> Result<Bytes> {
    let download = desk.download(file).await?;
    match Span::whole(download.size_bytes()) {
        Some(span) => download.open(span).await?.collect(1 << 30).await,
        None => Ok(Bytes::new()),
    }
}

/// Begins an upload of a file into the desk's own root.
pub(crate) async fn upload(desk: &Desk, file: &str, len_bytes: Option<u64>) -> Result<UploadFacts> {
    desk.create_upload(UploadSpec::file(name(file), len_bytes)).await
}

/// Appends bytes and ends well.
pub(crate) async fn append(desk: &Desk, id: UploadId, at: u64, bytes: &Bytes) -> Result<Appended> {
    let mut appending = desk.append(id, at, AppendOptions::default()).await?;
    for piece in bytes.chunks(333) {
        appending.write(Bytes::copy_from_slice(piece)).await?;
    }
    appending.finish().await
}

/// A finished part of a joined upload.
pub(crate) async fn part(desk: &Desk, bytes: &Bytes) -> Result<UploadId> {
    let spec = UploadSpec::partial(Some(bytes.len() as u64));
    let part = desk.create_upload(spec).await?.id;
    append(desk, part, 0, bytes).await?;
    Ok(part)
}

/// The names in a folder, in order.
pub(crate) async fn names(desk: &Desk, folder: NodeId) -> Vec<String> {
    let page = desk.children(folder, &ChildrenQuery::first(1000)).await.unwrap();
    page.items
        .iter()
        .map(|node| node.name.as_str().to_owned())
        .collect()
}

/// The kind of the error that something must end with.
pub(crate) fn kind<T: std::fmt::Debug>(outcome: Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}
