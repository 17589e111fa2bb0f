//! Two instances on one PostgreSQL database that want the same thing at the same moment: one gets it, and nothing is out of joint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::catalog::record::{
    Content, Drive, DriveKind, Lease, Node, NodeKind, Share, TrashMark, Version,
};
use campusdisk_core::catalog::{
    Bound, Bulk, Catalog, Change, ChangeSet, Committed, Counter, Expect, Ledger, Metadata, RecordKey, Sharing,
};
use campusdisk_core::memory::{MemoryChunkCache, MemoryEvents, MemoryIdentity, MemoryStore};
use campusdisk_core::storage::{BlobStore, StoreInfo, StoreName};
use campusdisk_core::{
    AccountId, Actor, CampusDisk, ChangeId, ContentId, Desk, DriveId, EntryName, ErrorKind, IdSource, NodeId,
    NodeUpdate, Policy, PutOptions, RandomIds, Result, Seams, ShareId, SystemClock, Timestamp, TokioSpawner,
};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog};
use campusdisk_tests::counted::node;
use campusdisk_tests::postgres::Schema;
use sqlx::{AssertSqlSafe, Executor, Row};

/// How often each race is run.
const ROUNDS: u32 = 25;
const DRIVE: DriveId = DriveId::from_u128(1);
const ROOT: NodeId = NodeId::from_u128(1);

/// Two databases on one schema, as two processes have them.
struct Two {
    schema: Schema,
    catalogs: [SqlCatalog; 2],
}

impl Two {
    async fn open() -> Self {
        let schema = Schema::fresh().await;
        let open = async || {
            let opened = PostgresDatabase::connect(schema.url(), PostgresOptions::default()).await;
            opened.unwrap().catalog()
        };
        let catalogs = [open().await, open().await];
        Self { schema, catalogs }
    }

    /// With a drive and its root.
    async fn with_drive() -> Self {
        let two = Self::open().await;
        let root = Node {
            parent: None,
            ..folder(ROOT, ROOT, "root")
        };
        two.put(set().with(drive(DRIVE, None)).with(root)).await;
        two
    }

    async fn put(&self, set: ChangeSet) {
        self.catalogs[0].commit(set).await.unwrap();
    }

    /// Commits one set at each, at once; who is asked first changes.
    async fn race(&self, round: u32, sets: [ChangeSet; 2]) -> [Result<Committed>; 2] {
        let [one, other] = sets;
        let mut tasks = Vec::new();
        for (catalog, set) in self.catalogs.iter().zip([one, other]) {
            let catalog = catalog.clone();
            tasks.push(async move { catalog.commit(set).await });
        }
        let other = tokio::spawn(tasks.pop().unwrap());
        let one = tokio::spawn(tasks.pop().unwrap());
        if round.is_multiple_of(2) {
            let (other, one) = tokio::join!(other, one);
            [one.unwrap(), other.unwrap()]
        } else {
            let (one, other) = tokio::join!(one, other);
            [one.unwrap(), other.unwrap()]
        }
    }

    /// Asserts that one of two sets is applied and the other is refused so.
    async fn race_for_one(&self, round: u32, sets: [ChangeSet; 2], refusal: ErrorKind) {
        let outcomes = self.race(round, sets).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 1), "{won:?} {lost:?}");
        let kinds: Vec<_> = lost.into_iter().map(|lost| lost.unwrap_err().kind()).collect();
        assert_eq!(kinds, [refusal]);
    }

    /// Every node lies in a folder that is there, every version is of a node that is there, and counters are what they count.
    async fn assert_sound(&self) {
        let mut connection = self.schema.connect().await;
        for sql in [
            "SELECT count(*) FROM nodes n WHERE parent IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM nodes p WHERE p.id = n.parent AND p.kind = 'folder')",
            "SELECT count(*) FROM versions v WHERE NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = v.node)",
            "SELECT count(*) FROM contents c WHERE refs <> \
             (SELECT count(*) FROM versions v WHERE v.content = c.id)",
        ] {
            let row = connection.fetch_one(AssertSqlSafe(sql)).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), 0, "{sql}");
        }
        for drive in self.catalogs[0].drives(None, 100).await.unwrap() {
            let counted = self.catalogs[1].recount(drive.id).await.unwrap();
            assert_eq!((drive.used_bytes, drive.reserved_bytes), counted);
        }
    }
}

fn set() -> ChangeSet {
    ChangeSet::new(ChangeId::from_u128(RandomIds.random()), Timestamp::from_millis(5))
}

fn drive(id: DriveId, quota_bytes: Option<u64>) -> Drive {
    Drive {
        id,
        kind: DriveKind::Service,
        name: "drive".to_owned(),
        owner: None,
        root: ROOT,
        quota_bytes,
        created: Timestamp::from_millis(0),
        version: 1,
        used_bytes: 0,
        reserved_bytes: 0,
        tree_version: 0,
    }
}

fn folder(id: NodeId, parent: NodeId, name: &str) -> Node {
    node(DRIVE, id, parent, NodeKind::Folder, name)
}

fn new_id() -> NodeId {
    NodeId::from_u128(RandomIds.random())
}

/// The changes that give a file this version with 10 bytes.
fn version_of(file: &Node) -> [Change; 4] {
    let content = ContentId::from_u128(RandomIds.random());
    [
        Change::from(Content {
            id: content,
            size_bytes: 10,
            crc32: None,
            sha256: None,
            created: Timestamp::from_millis(0),
            layout_version: 1,
            extents: Vec::new(),
            refs: 1,
        }),
        Change::from(Node {
            content: Some(content),
            size_bytes: 10,
            ..file.clone()
        }),
        Change::from(Version {
            node: file.id,
            drive: file.drive,
            number: file.version,
            content,
            size_bytes: 10,
            mime: None,
            created: Timestamp::from_millis(0),
        }),
        Change::Add(Counter::DriveUsed(file.drive), 10, Bound::Quota),
    ]
}

/// A new file with its first version, in a folder that must be there.
fn new_file(file: &Node) -> ChangeSet {
    let parent = file.parent.unwrap();
    let mut set = set().with(Expect::ParentLive(parent, file.drive));
    set.push(Expect::NameFree(parent, file.name.clone()));
    version_of(file).into_iter().for_each(|change| {
        set.push(change);
    });
    set
}

/// A trashed folder with folders, one in the other, and a file in the last of them.
struct Doomed {
    top: Node,
    inner: Node,
    file: Node,
}

impl Doomed {
    async fn in_trash(two: &Two, round: u32) -> Self {
        let top = Node {
            trashed: Some(TrashMark {
                at: Timestamp::from_millis(1),
                expires: Timestamp::from_millis(2),
                by: AccountId::parse("ada").unwrap(),
            }),
            ..folder(new_id(), ROOT, &format!("doomed {round}"))
        };
        let inner = folder(new_id(), top.id, "inner");
        let file = node(DRIVE, new_id(), inner.id, NodeKind::File, "file");
        two.put(set().with(top.clone()).with(inner.clone())).await;
        two.put(new_file(&file)).await;
        Self { top, inner, file }
    }

    fn purge(&self) -> ChangeSet {
        set().with(Bulk::Purge {
            root: self.top.id,
            limit: 1000,
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_in_a_folder_that_is_purged_meanwhile() {
    let two = Two::with_drive().await;
    let mut created = 0;
    for round in 0..ROUNDS * 4 {
        let doomed = Doomed::in_trash(&two, round).await;
        let late = node(DRIVE, new_id(), doomed.inner.id, NodeKind::File, "late");
        let [purged, put] = two.race(round, [doomed.purge(), new_file(&late)]).await;
        assert!(purged.unwrap().bulk[0].done);
        match put {
            Ok(_) => created += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}"),
        }
        for id in [doomed.top.id, doomed.inner.id, doomed.file.id, late.id] {
            assert_eq!(two.catalogs[1].node(id).await.unwrap(), None);
        }
    }
    println!("{created} of {} were created first", ROUNDS * 4);
    two.assert_sound().await;
    let drive = two.catalogs[0].drive(DRIVE).await.unwrap().unwrap();
    assert_eq!(drive.used_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_comes_while_its_file_is_purged_is_counted_off_with_it() {
    let two = Two::with_drive().await;
    for round in 0..ROUNDS * 2 {
        let doomed = Doomed::in_trash(&two, round).await;
        let next = Node {
            version: 2,
            ..doomed.file.clone()
        };
        let mut put = set().with(Expect::Version(RecordKey::Node(next.id), 1));
        version_of(&next).into_iter().for_each(|change| {
            put.push(change);
        });
        let [purged, put] = two.race(round, [doomed.purge(), put]).await;
        purged.unwrap();
        if let Err(error) = put {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        }
        assert_eq!(two.catalogs[0].node(next.id).await.unwrap(), None);
    }
    two.assert_sound().await;
    let drive = two.catalogs[0].drive(DRIVE).await.unwrap().unwrap();
    assert_eq!(drive.used_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_moved_out_of_a_folder_that_is_purged_meanwhile_stays() {
    let two = Two::with_drive().await;
    let mut moved_first = 0;
    for round in 0..ROUNDS * 2 {
        let doomed = Doomed::in_trash(&two, round).await;
        let moved = Node {
            parent: Some(ROOT),
            name: EntryName::parse(&format!("kept {round}")).unwrap(),
            version: 2,
            ..doomed.file.clone()
        };
        // The content stays the one of the version that is there.
        let now = two.catalogs[0].node(moved.id).await.unwrap().unwrap();
        let moved = Node {
            content: now.content,
            size_bytes: now.size_bytes,
            ..moved
        };
        let out = set()
            .with(Expect::Version(RecordKey::Node(moved.id), 1))
            .with(Expect::ParentLive(ROOT, moved.drive))
            .with(moved.clone());
        let [purged, out] = two.race(round, [doomed.purge(), out]).await;
        purged.unwrap();
        let found = two.catalogs[1].node(moved.id).await.unwrap();
        match out {
            Ok(_) => {
                assert_eq!(found, Some(moved), "what was moved is there");
                moved_first += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                assert_eq!(found, None);
            }
        }
    }
    println!("{moved_first} of {} were moved first", ROUNDS * 2);
    two.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_name_there_is_one_entry() {
    let two = Two::with_drive().await;
    for round in 0..ROUNDS {
        let name = format!("name {round}");
        let sets = [0, 1].map(|_| new_file(&node(DRIVE, new_id(), ROOT, NodeKind::File, &name)));
        two.race_for_one(round, sets, ErrorKind::AlreadyExists).await;
    }
    two.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_not_spent_twice() {
    let two = Two::open().await;
    for round in 0..ROUNDS {
        let id = DriveId::from_u128(100 + u128::from(round));
        two.put(set().with(drive(id, Some(1000)))).await;
        let counters = [Counter::DriveUsed(id), Counter::DriveReserved(id)];
        // Used and reserved bytes share the room.
        let sets = counters.map(|counter| set().with(Change::Add(counter, 600, Bound::Quota)));
        two.race_for_one(round, sets, ErrorKind::QuotaExceeded).await;
        let drive = two.catalogs[0].drive(id).await.unwrap().unwrap();
        assert_eq!(drive.used_bytes + drive.reserved_bytes, 600);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_downloads_is_not_spent_twice() {
    let two = Two::open().await;
    for round in 0..ROUNDS {
        let id = ShareId::from_u128(100 + u128::from(round));
        let share = Share {
            id,
            token: format!("token {round}"),
            node: ROOT,
            maker: AccountId::parse("ada").unwrap(),
            password: None,
            expires: None,
            max_downloads: Some(1),
            networks: Vec::new(),
            drop: false,
            created: Timestamp::from_millis(0),
            ended: None,
            version: 1,
            downloads: 0,
        };
        two.put(set().with(share)).await;
        let once = || set().with(Change::Add(Counter::ShareDownloads(id), 1, Bound::AtMost(1)));
        two.race_for_one(round, [once(), once()], ErrorKind::LimitExceeded)
            .await;
        let share = two.catalogs[1].share(id).await.unwrap().unwrap();
        assert_eq!(share.downloads, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_taken_by_one() {
    let two = Two::open().await;
    let lease = |version: u64, holder: &str| Lease {
        name: "relay".to_owned(),
        holder: holder.to_owned(),
        token: version,
        until: Timestamp::from_millis(0),
        version,
    };
    let key = || RecordKey::Lease("relay".to_owned());
    // The first time nobody has it, later somebody whose time is over.
    let first = ["one", "other"].map(|holder| set().with(Expect::Absent(key())).with(lease(1, holder)));
    two.race_for_one(0, first, ErrorKind::AlreadyExists).await;
    for round in 1..ROUNDS {
        let version = u64::from(round);
        let sets = ["one", "other"].map(|holder| {
            set()
                .with(Expect::Version(key(), version))
                .with(lease(version + 1, holder))
        });
        two.race_for_one(round, sets, ErrorKind::Conflict).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_set_sent_to_both_is_applied_once() {
    let two = Two::with_drive().await;
    for round in 0..ROUNDS {
        let set = set().with(Change::Add(Counter::DriveTree(DRIVE), 1, Bound::None));
        let outcomes = two.race(round, [set.clone(), set]).await;
        let replays = outcomes
            .into_iter()
            .filter(|outcome| outcome.as_ref().unwrap().replayed);
        assert_eq!(replays.count(), 1);
        let drive = two.catalogs[1].drive(DRIVE).await.unwrap().unwrap();
        assert_eq!(drive.tree_version, u64::from(round) + 1);
    }
}

/// The same person at two instances of the service, each on its own database connections and one store.
async fn desks(two: &Two) -> Vec<(CampusDisk, Desk)> {
    let info = StoreInfo::new(StoreName::parse("primary").unwrap());
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::new(info));
    let identity = MemoryIdentity::default();
    let ada = Actor::new(AccountId::parse("ada").unwrap(), "ada");
    identity.admit(ada.clone());
    let mut desks = Vec::new();
    for catalog in &two.catalogs {
        let seams = Seams {
            stores: vec![store.clone()],
            placement: Vec::new(),
            mounts: Vec::new(),
            catalog: Arc::new(catalog.clone()),
            identity: Arc::new(identity.clone()),
            events: Arc::new(MemoryEvents::new(10)),
            cache: Arc::new(MemoryChunkCache::new(1 << 20)),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            spawner: Arc::new(TokioSpawner),
        };
        let disk = CampusDisk::open(seams, Policy::default()).await.unwrap();
        let desk = disk.drive(ada.clone());
        desks.push((disk, desk));
    }
    desks
}

async fn make_folder(desk: &Desk, parent: NodeId, name: &str) -> NodeId {
    desk.create_folder(parent, EntryName::parse(name).unwrap())
        .await
        .unwrap()
        .id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_moves_that_would_make_a_cycle_make_none() {
    let two = Two::open().await;
    let desks = desks(&two).await;
    let (one, other) = (&desks[0].1, &desks[1].1);
    let root = one.home().await.unwrap().root;
    let mut lost = 0;
    for round in 0..ROUNDS {
        let a = make_folder(one, root, &format!("a {round}")).await;
        let b = make_folder(other, root, &format!("b {round}")).await;
        let (a_below, b_below) = (
            make_folder(one, a, "below").await,
            make_folder(one, b, "below").await,
        );
        let into = |parent| {
            let mut update = NodeUpdate::default();
            update.parent = Some(parent);
            update
        };
        let outcomes = tokio::join!(one.update(a, into(b_below)), other.update(b, into(a_below)));
        let moved = [outcomes.0, outcomes.1];
        for error in moved.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(
                matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound),
                "{error:?}"
            );
            lost += 1;
        }
        assert!(moved.iter().any(Result::is_ok), "one of them went: {moved:?}");
        for node in [a, b, a_below, b_below] {
            let path = tokio::time::timeout(Duration::from_secs(20), two.catalogs[0].path(node)).await;
            let path = path.expect("a path ends").unwrap();
            assert_eq!(
                path.first().map(|top| top.id),
                Some(root),
                "all hangs on the root"
            );
        }
    }
    assert_eq!(lost, ROUNDS, "of each two moves one is refused");
    two.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_put_trashed_and_purged_by_both_leave_sums_that_fit() {
    let two = Two::open().await;
    let desks = desks(&two).await;
    let root = desks[0].1.home().await.unwrap().root;
    let work = desks.iter().enumerate().map(|(who, (_, desk))| {
        let desk = desk.clone();
        tokio::spawn(async move {
            for round in 0..40_u32 {
                let shared = format!("folder {}", round / 4);
                let name = EntryName::parse(&shared).unwrap();
                // Made by who comes first.
                let folder = match desk.create_folder(root, name.clone()).await {
                    Ok(folder) => Ok(folder.id),
                    Err(_) => desk.child(root, &name).await.map(|place| place.node.id),
                };
                let Ok(folder) = folder else { continue };
                let file = EntryName::parse(&format!("file {round}")).unwrap();
                let put = async {
                    let mut putting = desk.put(folder, file, PutOptions::default()).await?;
                    putting.write(Bytes::from(vec![7; 1000 + who])).await?;
                    putting.finish().await
                };
                if let Err(error) = put.await {
                    assert!(
                        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict),
                        "{error:?}"
                    );
                }
                if round % 4 == 3 && desk.trash(folder, None).await.is_ok() {
                    desk.purge(folder).await.unwrap();
                }
            }
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    two.assert_sound().await;
}
