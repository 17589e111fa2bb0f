//! What all use-cases share: the seams, the caches, the task set.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Facts;
use super::blobs::{Leases, Readers};
use super::chunks::Chunks;
use super::late_hash::LateHashes;
use super::placement::{Placement, PlacementRule};
use super::throttle::Throttles;
use super::tracker::Tracker;
use super::turns::Turns;
use super::upload_writer::Writers;
use super::watch::Watches;
use crate::catalog::record::{Event, Setting};
use crate::catalog::{Catalog, ChangeSet, Committed, Expect, RecordKey};
use crate::memory::{MemoryChunkCache, MemoryEvents};
use crate::mount::Mount;
use crate::storage::{BlobStore, StoreName};
use crate::{
    AccountId, Actor, ChangeId, ChunkCache, Clock, Error, ErrorKind, EventId, EventSink, IdSource, Identity,
    InstallationId, Policy, RandomIds, Result, Spawner, SystemClock, Timestamp, TokioSpawner,
};

/// The parts a service is made of.
#[derive(Clone, Debug)]
pub struct Seams {
    /// The stores by their names.
    pub stores: Vec<Arc<dyn BlobStore>>,
    /// Which of them takes which new bytes: that of the first rule that fits, else the first store.
    pub placement: Vec<PlacementRule>,
    /// The objects of others that files may be of, by the names of their mounts.
    pub mounts: Vec<Arc<dyn Mount>>,
    /// The catalog.
    pub catalog: Arc<dyn Catalog>,
    /// Who is who.
    pub identity: Arc<dyn Identity>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// What is kept in memory.
    pub cache: Arc<dyn ChunkCache>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub ids: Arc<dyn IdSource>,
    /// Where tasks run.
    pub spawner: Arc<dyn Spawner>,
}

impl Seams {
    /// One store, a catalog and an identity, with all else of this process: system clock, tasks on the current tokio runtime, a cache of
    /// 32 MiB and the latest 1,000 events in memory.
    pub fn in_process(
        store: Arc<dyn BlobStore>,
        catalog: Arc<dyn Catalog>,
        identity: Arc<dyn Identity>,
    ) -> Self {
        Self {
            stores: vec![store],
            placement: Vec::new(),
            mounts: Vec::new(),
            catalog,
            identity,
            events: Arc::new(MemoryEvents::new(1000)),
            cache: Arc::new(MemoryChunkCache::new(32 << 20)),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            spawner: Arc::new(TokioSpawner),
        }
    }
}

/// The service. A cheap handle; clones are the same service.
///
/// Use-cases hang at [`drive`](Self::drive) for people with an account and at [`visit`](Self::visit) for visitors of shares. Final
/// commits, the keeping of tails and the ends of downloads run as tasks of the service, so that a request may be dropped at any
/// point; [`shutdown`](Self::shutdown) waits for them.
#[derive(Clone)]
pub struct CampusDisk(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) stores: HashMap<StoreName, Arc<dyn BlobStore>>,
    pub(super) mounts: HashMap<StoreName, Arc<dyn Mount>>,
    pub(super) placement: Placement,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) identity: Arc<dyn Identity>,
    pub(super) events: Arc<dyn EventSink>,
    pub(super) cache: Arc<dyn ChunkCache>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) spawner: Arc<dyn Spawner>,
    pub(super) policy: Policy,
    /// Names this process in leases.
    pub(super) instance: String,
    /// Signs tickets.
    pub(super) ticket_key: [u8; 32],
    pub(super) facts: Facts,
    pub(super) chunks: Chunks,
    pub(super) leases: Leases,
    pub(super) readers: Readers,
    pub(super) writers: Writers,
    pub(super) watches: Watches,
    pub(super) throttles: Throttles,
    pub(super) turns: Turns,
    pub(super) late_hashes: LateHashes,
    pub(super) tracker: Tracker,
    tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
}

const INSTALLATION: &str = "installation";
const TICKET_KEY: &str = "ticket_key";

impl CampusDisk {
    /// Opens the service: reads or makes the installation's identity and claims every store for it.
    ///
    /// Starts no task; see [`run_background`](Self::run_background).
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) without a store, with two stores or mounts of one name, or without one that the catalog knows
    /// blobs of;
    /// [`Conflict`](ErrorKind::Conflict) when a store belongs to another installation, else what catalog and stores say.
    pub async fn open(seams: Seams, policy: Policy) -> Result<Self> {
        let placement = Placement::new(&seams.stores, seams.placement.clone())?;
        let mut stores = HashMap::new();
        for store in &seams.stores {
            let name = store.info().name.clone();
            if stores.insert(name.clone(), store.clone()).is_some() {
                return Err(
                    Error::new(ErrorKind::InvalidInput, "two stores have this name").on(name.to_string())
                );
            }
        }
        let mut mounts = HashMap::new();
        for mount in &seams.mounts {
            let name = mount.info().name.clone();
            if stores.contains_key(&name) || mounts.insert(name.clone(), mount.clone()).is_some() {
                let says = "a mount has the name of a store or of another mount";
                return Err(Error::new(ErrorKind::InvalidInput, says).on(name.to_string()));
            }
        }
        let random = || InstallationId::from_u128(seams.ids.random()).to_string();
        let installation = setting(&seams, INSTALLATION, random()).await?;
        let installation = installation.parse::<InstallationId>().map_err(|cause| {
            Error::new(ErrorKind::Corrupt, "the installation's id can't be read").because(cause)
        })?;
        no_store_is_missing(&seams, |name| {
            stores.contains_key(name) || mounts.contains_key(name)
        })
        .await?;
        let ticket_key = setting(&seams, TICKET_KEY, random() + &random()).await?;
        for store in &seams.stores {
            store.claim(installation).await?;
        }
        let instance = random();
        Ok(Self(Arc::new(Shared {
            facts: Facts::new(&policy),
            chunks: Chunks::new(&policy),
            readers: Readers::new(&policy),
            leases: Leases::default(),
            writers: Writers::default(),
            watches: Watches::default(),
            throttles: Throttles::new(&policy),
            turns: Turns::new(&policy),
            late_hashes: LateHashes::default(),
            tracker: Tracker::new(&policy),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            stores,
            mounts,
            placement,
            catalog: seams.catalog,
            identity: seams.identity,
            events: seams.events,
            cache: seams.cache,
            clock: seams.clock,
            ids: seams.ids,
            spawner: seams.spawner,
            policy,
            instance,
            ticket_key: sha2::Digest::finalize(sha2::Digest::chain_update(
                <sha2::Sha256 as sha2::Digest>::new(),
                ticket_key.as_bytes(),
            ))
            .into(),
        })))
    }

    /// What `actor` may do in the drives they are a member of.
    pub fn drive(&self, actor: Actor) -> Desk {
        Desk {
            shared: self.0.clone(),
            actor,
        }
    }

    /// The limits and periods in force.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The time, by the service's clock.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Starts the periodic work as tasks of the service: the sweep, the relay of events, the watch over running transfers, the records of
    /// downloads.
    ///
    /// Call it once; without it nothing expires, no running transfer is cut, and no download is recorded before the service stops.
    pub fn run_background(&self) {
        let disk = self.clone();
        self.0.every(self.0.policy.sweep_period, move || {
            let disk = disk.clone();
            async move {
                if let Err(error) = disk.sweep().await {
                    tracing::warn!(%error, cause = ?error, "the sweep stopped early and will run again");
                }
            }
        });
        let disk = self.clone();
        self.0.every(self.0.policy.relay_period, move || {
            let disk = disk.clone();
            async move {
                if let Err(error) = disk.relay().await {
                    tracing::warn!(%error, "events wait in the outbox");
                }
            }
        });
        let disk = self.clone();
        self.0.every(self.0.policy.watch_period, move || {
            let disk = disk.clone();
            async move { disk.look_after_transfers().await }
        });
        let disk = self.clone();
        self.0.every(self.0.policy.record_period, move || {
            let disk = disk.clone();
            async move {
                if let Err(error) = disk.record_downloads().await {
                    tracing::warn!(%error, "records of downloads wait for the catalog");
                }
            }
        });
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Stops: running writers keep what they have, downloads end and are recorded, then all tasks of the service end, within `grace`.
    ///
    /// Returns whether everything ended in time. Transfers begun afterwards fail with [`Unavailable`](ErrorKind::Unavailable).
    ///
    /// # Cancel safety
    /// Cancel safe; calling it again goes on waiting.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        self.0.stopping.cancel();
        self.0.writers.seal_all();
        self.0.tasks.close();
        let ended = futures::future::join(self.0.end_downloads(), self.0.tasks.wait());
        tokio::time::timeout(grace, ended).await.is_ok()
    }
}

impl Shared {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn change_set(&self) -> ChangeSet {
        let now = self.now();
        ChangeSet::new(ChangeId::generate(now, &*self.ids), now)
    }

    /// Commits, and forgets what is cached of what it changed. Lost answers are asked for again by the set's id.
    pub(super) async fn commit(&self, set: ChangeSet) -> Result<Committed> {
        let mut pause = Duration::from_millis(20);
        for _ in 0..3 {
            match self.catalog.commit(set.clone()).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tokio::time::sleep(pause).await;
                    pause *= 4;
                }
                answer => {
                    self.facts.forget(&set);
                    return answer;
                }
            }
        }
        let answer = self.catalog.commit(set.clone()).await;
        self.facts.forget(&set);
        answer
    }

    /// Runs a task that outlives its caller and that [`CampusDisk::shutdown`] waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner.spawn(Box::pin(self.tasks.track_future(task)));
    }

    /// Runs `work` again and again until the service stops.
    fn every<F>(&self, period: Duration, work: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let stopping = self.stopping.clone();
        self.spawn(async move {
            while stopping
                .run_until_cancelled(tokio::time::sleep(period))
                .await
                .is_some()
            {
                work().await;
            }
        });
    }

    pub(super) fn store(&self, name: &StoreName) -> Result<&Arc<dyn BlobStore>> {
        self.stores.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "the store is not configured any more, but files lie in it",
            )
            .on(name.to_string())
        })
    }

    /// What only this installation can say of `parts`, one after the other, for one purpose.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub(super) fn signature(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.ticket_key).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// An event of now, with its facts as JSON.
    pub(super) fn event(&self, account: &AccountId, kind: &'static str, facts: &serde_json::Value) -> Event {
        let at = self.now();
        Event {
            id: EventId::generate(at, &*self.ids),
            account: Some(account.clone()),
            kind: kind.to_owned(),
            payload: facts.to_string(),
            at,
        }
    }
}

impl fmt::Debug for CampusDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CampusDisk")
            .field("stores", &self.0.stores.keys())
            .finish_non_exhaustive()
    }
}

/// What one actor may do. Made by [`CampusDisk::drive`].
///
/// Whatever the actor may not see is [`NotFound`](ErrorKind::NotFound), exactly as if it were not there; what they may see but not
/// do is [`Denied`](ErrorKind::Denied).
#[derive(Clone)]
pub struct Desk {
    pub(super) shared: Arc<Shared>,
    pub(super) actor: Actor,
}

impl Desk {
    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

/// Refuses to begin without a store that blobs lie in, or are on their way into or out of.
async fn no_store_is_missing(seams: &Seams, is_there: impl Fn(&StoreName) -> bool) -> Result<()> {
    let used = seams.catalog.stores().await?;
    match used.into_iter().find(|name| !is_there(name)) {
        Some(name) => Err(Error::new(
            ErrorKind::InvalidInput,
            "the store is not configured any more, but blobs lie in it",
        )
        .on(name.to_string())),
        None => Ok(()),
    }
}

/// Reads a setting, making it first where it is missing; of two makers at once one wins and both read the same.
async fn setting(seams: &Seams, key: &str, fresh: String) -> Result<String> {
    if let Some(found) = seams.catalog.setting(key).await? {
        return Ok(found.value);
    }
    let now = seams.clock.now();
    let set = ChangeSet::new(ChangeId::generate(now, &*seams.ids), now)
        .with(Expect::Absent(RecordKey::Setting(key.to_owned())))
        .with(Setting {
            key: key.to_owned(),
            value: fresh,
            version: 1,
        });
    match seams.catalog.commit(set).await {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = seams.catalog.setting(key).await?;
    Ok(found
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a setting vanished").on(key))?
        .value)
}
