//! A service over seams in memory, with a clock and ids that tests move by hand.

use std::sync::Arc;

use bytes::Bytes;
use campusdisk_core::catalog::Catalog;
use campusdisk_core::memory::{MemoryCatalog, MemoryChunkCache, MemoryEvents, MemoryIdentity, MemoryStore};
use campusdisk_core::storage::{BlobStore, StoreInfo, StoreName};
use campusdisk_core::{
    AccountId, Actor, CampusDisk, Desk, EntryName, NodeId, Policy, PutOptions, RandomIds, Result, Seams,
    Span, TokioSpawner,
};
use campusdisk_testkit::manual::ManualClock;

/// Parts of this size let a few kilobytes make several blobs.
pub(crate) const PART_BYTES: u64 = 1000;

pub(crate) struct Fixture {
    pub(crate) disk: CampusDisk,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) store: Arc<dyn BlobStore>,
    pub(crate) identity: MemoryIdentity,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: MemoryEvents,
}

pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.tail_bytes = 100;
    policy.purge_delay = std::time::Duration::ZERO;
    policy
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(policy(), store(), Arc::new(MemoryCatalog::new())).await
    }

    pub(crate) async fn with(policy: Policy, store: Arc<dyn BlobStore>, catalog: Arc<dyn Catalog>) -> Self {
        let identity = MemoryIdentity::default();
        let clock = Arc::new(ManualClock::new());
        let events = MemoryEvents::new(1000);
        let seams = Seams {
            stores: vec![store.clone()],
            catalog: catalog.clone(),
            identity: Arc::new(identity.clone()),
            events: Arc::new(events.clone()),
            cache: Arc::new(MemoryChunkCache::new(1 << 20)),
            clock: clock.clone(),
            ids: Arc::new(RandomIds),
            spawner: Arc::new(TokioSpawner),
        };
        let disk = CampusDisk::open(seams, policy).await.unwrap();
        Self {
            disk,
            catalog,
            store,
            identity,
            clock,
            events,
        }
    }

    pub(crate) fn desk(&self, account: &str) -> Desk {
        let actor = Actor::new(AccountId::parse(account).unwrap(), account);
        self.identity.admit(actor.clone());
        self.disk.drive(actor)
    }

    /// Every blob in the store has a row and every live row its bytes, and no counter is off.
    pub(crate) async fn assert_sound(&self, desk: &Desk) {
        for (drive, _) in desk.drives().await.unwrap() {
            let [(used, counted), (reserved, counted_reserved)] =
                self.disk.check_usage(drive.id).await.unwrap();
            assert_eq!(
                (used, reserved),
                (counted, counted_reserved),
                "usage of {}",
                drive.name
            );
        }
    }
}

pub(crate) fn store() -> Arc<dyn BlobStore> {
    Arc::new(MemoryStore::new(
        StoreInfo::new(StoreName::parse("primary").unwrap()).with_part_size_bytes(PART_BYTES),
    ))
}

pub(crate) fn name(text: &str) -> EntryName {
    EntryName::parse(text).unwrap()
}

/// Bytes that differ everywhere, so that a misplaced piece shows.
pub(crate) fn pattern(len: usize) -> Bytes {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

pub(crate) async fn put(desk: &Desk, folder: NodeId, file: &str, bytes: &Bytes) -> Result<NodeId> {
    let mut putting = desk.put(folder, name(file), PutOptions::default()).await?;
    for piece in bytes.chunks(333) {
        putting.write(Bytes::copy_from_slice(piece)).await?;
    }
    Ok(putting.finish().await?.node.id)
}

pub(crate) async fn read(desk: &Desk, file: NodeId) -> Result<Bytes> {
    let download = desk.download(file).await?;
    match Span::whole(download.size_bytes()) {
        Some(span) => download.open(span).await?.collect(1 << 30).await,
        None => Ok(Bytes::new()),
    }
}
