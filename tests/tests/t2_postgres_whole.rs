//! Change sets that PostgreSQL applies by one statement each, without a transaction around it: all parts run, what they wait for is
//! looked at again, and what falls short changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use campusdisk_core::catalog::record::{Blob, BlobState, Content, Event, Extent, Node, NodeKind, Version};
use campusdisk_core::catalog::{
    BlobStep, Bound, Catalog, Change, ChangeSet, Counter, Expect, Ledger, Metadata, RecordKey,
};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{ContentId, DriveId, ErrorKind, EventId, IdSource, NodeId, RandomIds, Timestamp};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog};
use campusdisk_tests::between::Between;
use campusdisk_tests::counted::{Place, drive, node, number, plus_one, set, setting};
use campusdisk_tests::wait::in_time;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

const DRIVE: DriveId = DriveId::from_u128(10);
const ROOT: NodeId = NodeId::from_u128(10);
const NEVER: Timestamp = Timestamp::from_millis(0);

/// A file's bytes that are there, and what its last byte commits.
struct Upload {
    blob: Blob,
    content: Content,
    file: Node,
}

impl Upload {
    fn new(name: &str) -> Self {
        let blob = Blob {
            store: StoreName::parse("primary").unwrap(),
            key: BlobKey::generate(&RandomIds),
            state: BlobState::Leased,
            owner: "hall".to_owned(),
            until: NEVER,
            condemned: None,
            object: None,
            refs: 0,
        };
        let content = Content {
            id: ContentId::from_u128(RandomIds.random()),
            size_bytes: 30,
            crc32: None,
            sha256: None,
            created: NEVER,
            layout_version: 1,
            extents: extents(&blob, 3),
            refs: 1,
        };
        let id = NodeId::from_u128(RandomIds.random());
        let file = Node {
            content: Some(content.id),
            size_bytes: 30,
            ..node(DRIVE, id, ROOT, NodeKind::File, name)
        };
        Self { blob, content, file }
    }

    fn set(&self) -> ChangeSet {
        let Self { blob, content, file } = self;
        set()
            .with(blob.clone())
            .with(Expect::ParentLive(ROOT, DRIVE))
            .with(Expect::NameFree(ROOT, file.name.clone()))
            .with(content.clone())
            .with(Change::Blob(blob.store.clone(), blob.key, BlobStep::Attach(3)))
            .with(file.clone())
            .with(Version {
                node: file.id,
                drive: DRIVE,
                number: 1,
                content: content.id,
                size_bytes: 30,
                mime: None,
                created: NEVER,
            })
            .with(Change::Add(Counter::DriveUsed(DRIVE), 30, Bound::Quota))
            .with(event("node.created"))
            .with(event("upload.completed"))
    }

    async fn is_there(&self, catalog: &SqlCatalog) -> bool {
        let blob = catalog.blob(&self.blob.store, &self.blob.key).await.unwrap();
        let live = Blob {
            state: BlobState::Live,
            refs: 3,
            ..self.blob.clone()
        };
        let is_there = blob == Some(live);
        assert!(is_there || blob.is_none());
        let content = catalog.content(self.content.id).await.unwrap();
        assert_eq!(content, is_there.then(|| self.content.clone()));
        let file = catalog.node(self.file.id).await.unwrap();
        assert_eq!(file, is_there.then(|| self.file.clone()));
        let version = catalog.version(self.file.id, 1).await.unwrap();
        assert_eq!(version.is_some(), is_there);
        is_there
    }
}

fn extents(blob: &Blob, count: u64) -> Vec<Extent> {
    let extent = |number| Extent {
        store: blob.store.clone(),
        blob: blob.key,
        blob_len_bytes: 10 * count,
        offset_bytes: 10 * number,
        len_bytes: 10,
    };
    (0..count).map(extent).collect()
}

fn event(kind: &str) -> Event {
    Event {
        id: EventId::from_u128(RandomIds.random()),
        account: None,
        kind: kind.to_owned(),
        payload: "{}".to_owned(),
        at: NEVER,
    }
}

/// A catalog that is listened to, with a drive of 100 bytes and its root.
struct Heard {
    place: Place,
    between: Between,
    database: PostgresDatabase,
    catalog: SqlCatalog,
}

impl Heard {
    async fn open() -> Self {
        // What waits and is refused is refused at its first try.
        let options = PostgresOptions::default().with_tries(1);
        let (place, between, database) = Place::fresh_behind(options).await;
        let catalog = database.catalog();
        let mut small = drive(DRIVE);
        small.quota_bytes = Some(100);
        let root = node(DRIVE, ROOT, None, NodeKind::Folder, "root");
        catalog.commit(set().with(small).with(root)).await.unwrap();
        Self {
            place,
            between,
            database,
            catalog,
        }
    }

    /// Commits a set by one statement and nothing else.
    async fn commit_whole(&self, set: ChangeSet) {
        let before = (self.between.whole(), self.between.begun());
        self.catalog.commit(set).await.unwrap();
        let after = (self.between.whole(), self.between.begun());
        assert_eq!(after, (before.0 + 1, before.1));
    }

    /// Commits a set while somebody else's transaction, which it has to wait for, runs `sql`, and says how it is refused.
    async fn refused_after(&self, sql: &str, set: ChangeSet) -> ErrorKind {
        let mut other = self.other(sql).await;
        let committing = tokio::spawn({
            let catalog = self.catalog.clone();
            async move { catalog.commit(set).await }
        });
        let mut watcher = self.place.schema.connect().await;
        self.place.wait_for_waiters(&mut watcher, 1).await;
        other.execute("COMMIT").await.unwrap();
        let outcome = in_time("the set", committing).await.unwrap();
        outcome.unwrap_err().kind()
    }

    /// Somebody else's transaction.
    async fn other(&self, sql: &str) -> PgConnection {
        let mut other = self.place.schema.connect().await;
        other.execute("BEGIN").await.unwrap();
        let changed = other.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{sql}");
        other
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_end_of_an_upload_commits_is_one_statement() {
    let heard = Heard::open().await;
    let catalog = &heard.catalog;
    let upload = Upload::new("a");
    heard.commit_whole(upload.set()).await;
    assert!(upload.is_there(catalog).await);
    let used = catalog.drive(DRIVE).await.unwrap().unwrap().used_bytes;
    assert_eq!(used, 30);
    let events = catalog.events(10).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["node.created", "upload.completed"]);
    heard.database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extents_are_replaced_by_one_statement() {
    let heard = Heard::open().await;
    let catalog = &heard.catalog;
    let upload = Upload::new("a");
    heard.commit_whole(upload.set()).await;
    for (count, layout_version) in [(7, 2), (2, 3), (0, 4), (3, 5)] {
        let content = Content {
            extents: extents(&upload.blob, count),
            layout_version,
            ..upload.content.clone()
        };
        let key = RecordKey::Content(content.id);
        let expected = set().with(Expect::Version(key, layout_version - 1));
        heard.commit_whole(expected.with(content.clone())).await;
        assert_eq!(catalog.content(content.id).await.unwrap(), Some(content));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_from_which_nothing_is_wanted_run_too() {
    let heard = Heard::open().await;
    let catalog = &heard.catalog;
    heard.commit_whole(set().with(setting("old"))).await;
    let gone = RecordKey::Setting("old".to_owned());
    heard
        .commit_whole(set().with(plus_one(DRIVE)).with(Change::Delete(gone)))
        .await;
    assert!(catalog.setting("old").await.unwrap().is_none());
    heard.commit_whole(set().with(event("alone"))).await;
    assert_eq!(catalog.events(10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_that_falls_short_at_any_place_changes_nothing() {
    let heard = Heard::open().await;
    let catalog = &heard.catalog;
    let there = Upload::new("there");
    heard.commit_whole(there.set()).await;
    let too_much = Change::Add(Counter::DriveUsed(DRIVE), 71, Bound::Quota);
    let elsewhere = Expect::ParentLive(ROOT, DriveId::from_u128(11));
    let new = Upload::new("new");
    let (mut first, mut last) = (new.set(), new.set());
    first.changes.insert(0, elsewhere.into());
    *last.changes.get_mut(7).unwrap() = too_much;
    for (refused, kind) in [
        (first, ErrorKind::Conflict),
        (last, ErrorKind::QuotaExceeded),
        // By a count, and by a unique index.
        (Upload::new("there").set(), ErrorKind::AlreadyExists),
        (set().with(Upload::new("there").file), ErrorKind::AlreadyExists),
    ] {
        let changes = refused.changes.len();
        let error = catalog.commit(refused).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{changes} changes: {error:?}");
    }
    assert!(!new.is_there(catalog).await);
    assert!(there.is_there(catalog).await);
    assert_eq!(catalog.drive(DRIVE).await.unwrap().unwrap().used_bytes, 30);
    heard.commit_whole(new.set()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_set_waited_for_decides_it() {
    let heard = Heard::open().await;
    let catalog = &heard.catalog;
    let upload = Upload::new("a");
    let root = format!("id = decode('{:032x}', 'hex')", ROOT.as_u128());
    // The statement's snapshot is older than each of these.
    for (sql, kind) in [
        (
            format!("UPDATE drives SET used_bytes = 71 WHERE {root}"),
            ErrorKind::QuotaExceeded,
        ),
        (
            format!(
                "INSERT INTO nodes SELECT decode('00', 'hex'), drive, id, 'file', 'a', decode('{}', 'hex'), content, \
                 size_bytes, mime, category, created, modified, version FROM nodes WHERE {root}",
                hex(upload.file.name.key().as_bytes())
            ),
            ErrorKind::AlreadyExists,
        ),
        (
            format!("UPDATE nodes SET trashed_at = 1 WHERE {root}"),
            ErrorKind::NotFound,
        ),
        (format!("DELETE FROM nodes WHERE {root}"), ErrorKind::NotFound),
    ] {
        // Alone, and not what is left of the case before.
        let clean = "UPDATE drives SET used_bytes = 0; DELETE FROM nodes WHERE parent IS NOT NULL; \
            UPDATE nodes SET trashed_at = NULL";
        heard.place.schema.run(clean.to_owned()).await;
        assert_eq!(heard.refused_after(&sql, upload.set()).await, kind, "{sql}");
        assert!(!upload.is_there(catalog).await);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_sees_what_it_waited_for_whatever_the_database_isolates_by_default() {
    let place = Place::fresh().await;
    let name = format!("isolating_{}", std::process::id());
    place.schema.run(format!("CREATE DATABASE {name}")).await;
    let alter = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'");
    place.schema.run(alter).await;
    let url = place.schema.url_of_database(&name);
    // At SERIALIZABLE, what waited for a change would have to be tried again.
    let options = PostgresOptions::default().with_tries(1);
    let database = PostgresDatabase::connect(&url, options).await.unwrap();
    let catalog = database.catalog();
    catalog.commit(set().with(drive(DRIVE))).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    other
        .execute("BEGIN; UPDATE drives SET tree_version = 5")
        .await
        .unwrap();
    let committing = tokio::spawn({
        let catalog = catalog.clone();
        async move { catalog.commit(set().with(plus_one(DRIVE))).await }
    });
    let mut watcher = PgConnection::connect(&url).await.unwrap();
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'"
    );
    in_time("waiting for the lock", async {
        while number(&mut watcher, waiting.clone()).await < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    other.execute("COMMIT").await.unwrap();
    in_time("the set", committing).await.unwrap().unwrap();
    assert_eq!(catalog.drive(DRIVE).await.unwrap().unwrap().tree_version, 6);
    for connection in [other, watcher] {
        connection.close().await.unwrap();
    }
    database.close().await;
    place
        .schema
        .run(format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
}
