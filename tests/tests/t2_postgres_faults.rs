//! What a server does to those who use it: it ends connections, restarts, loses answers, is full, is locked. Nothing that was
//! acknowledged is lost, nothing is applied twice or by half, and it goes on by itself afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use campusdisk_accounts::{Accounts, AccountsConfig, AccountsSeams, Administrator, Page, Registrant};
use campusdisk_core::catalog::record::{Drive, DriveKind, Setting};
use campusdisk_core::catalog::{
    Bound, Bulk, Catalog, Change, ChangeSet, Committed, Counter, Expect, Ledger, Metadata, RecordKey,
};
use campusdisk_core::{
    ChangeId, DriveId, Error, ErrorKind, IdSource, NodeId, RandomIds, SystemClock, Timestamp,
};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog};
use campusdisk_tests::between::{Between, Cut};
use campusdisk_tests::postgres::{Schema, Server};
use futures::future::join_all;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::task::JoinHandle;

/// Held for writing by who restarts the server, and for reading by everybody else.
static SERVER: RwLock<()> = RwLock::const_new(());

/// How long anything may take before a test counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

const COUNTED: DriveId = DriveId::from_u128(1);
const OTHER: DriveId = DriveId::from_u128(2);

/// A schema with two drives, whose counters count sets.
struct Place {
    schema: Schema,
    _server_stays: RwLockReadGuard<'static, ()>,
}

impl Place {
    async fn new() -> Self {
        let server_stays = SERVER.read().await;
        let schema = with_drives().await;
        Self {
            schema,
            _server_stays: server_stays,
        }
    }

    async fn open(&self, options: PostgresOptions) -> PostgresDatabase {
        PostgresDatabase::connect(self.schema.url(), options)
            .await
            .unwrap()
    }

    async fn open_by(&self, between: &Between, options: PostgresOptions) -> PostgresDatabase {
        PostgresDatabase::connect(&self.schema.url_by(between.port()), options)
            .await
            .unwrap()
    }
}

async fn with_drives() -> Schema {
    let schema = Schema::fresh().await;
    let database = PostgresDatabase::connect(schema.url(), PostgresOptions::default())
        .await
        .unwrap();
    let both = set().with(drive(COUNTED)).with(drive(OTHER));
    database.catalog().commit(both).await.unwrap();
    database.close().await;
    schema
}

fn set() -> ChangeSet {
    ChangeSet::new(ChangeId::from_u128(RandomIds.random()), Timestamp::from_millis(0))
}

fn drive(id: DriveId) -> Drive {
    Drive {
        id,
        kind: DriveKind::Service,
        name: "counted".to_owned(),
        owner: None,
        root: NodeId::from_u128(1),
        quota_bytes: None,
        created: Timestamp::from_millis(0),
        version: 1,
        used_bytes: 0,
        reserved_bytes: 0,
        tree_version: 0,
    }
}

fn setting(key: &str) -> Setting {
    Setting {
        key: key.to_owned(),
        value: "v".to_owned(),
        version: 1,
    }
}

/// Counts one, between two rows that show by themselves when a set is there by half.
fn counting(key: &str) -> ChangeSet {
    set()
        .with(setting(&format!("{key}-first")))
        .with(plus_one(COUNTED))
        .with(setting(&format!("{key}-second")))
}

fn plus_one(drive: DriveId) -> Change {
    Change::Add(Counter::DriveTree(drive), 1, Bound::None)
}

async fn counted(catalog: &SqlCatalog) -> u64 {
    catalog.drive(COUNTED).await.unwrap().unwrap().tree_version
}

async fn is_there(catalog: &SqlCatalog, key: &str) -> bool {
    let first = catalog.setting(&format!("{key}-first")).await.unwrap();
    let second = catalog.setting(&format!("{key}-second")).await.unwrap();
    assert_eq!(first.is_some(), second.is_some(), "{key}: half a set");
    first.is_some()
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(PATIENCE, future).await;
    in_time.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

async fn number(connection: &mut PgConnection, sql: String) -> i64 {
    let row = connection.fetch_one(AssertSqlSafe(sql)).await.unwrap();
    row.get(0)
}

/// Waits until as many of the connections under test wait for a lock.
async fn wait_for_waiters(place: &Place, connection: &mut PgConnection, count: i64) {
    let own = place.schema.own_backends();
    let waiting = format!("SELECT count(*) FROM pg_stat_activity WHERE {own} AND wait_event_type = 'Lock'");
    in_time("waiting for locks", async {
        while number(connection, waiting.clone()).await < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A transaction of somebody else that holds the row of a drive.
async fn hold_drive(place: &Place) -> PgConnection {
    let mut holder = place.schema.connect().await;
    holder.execute("BEGIN").await.unwrap();
    let lock = "SELECT id FROM drives WHERE id = decode(lpad('1', 32, '0'), 'hex') FOR UPDATE";
    assert_eq!(holder.fetch_all(lock).await.unwrap().len(), 1);
    holder
}

fn short() -> PostgresOptions {
    PostgresOptions::default().with_acquire_timeout(Duration::from_millis(500))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_before_during_or_after_is_applied_once() {
    let place = Place::new().await;
    let between = Between::start(place.schema.port()).await;
    let database = place.open_by(&between, PostgresOptions::default()).await;
    let catalog = database.catalog();
    let mut sets = 0;
    for cuts in [
        vec![Cut::Before],
        vec![Cut::During],
        vec![Cut::After],
        vec![Cut::After, Cut::Before, Cut::During],
        vec![Cut::Before, Cut::After, Cut::After],
    ] {
        for round in 0..5 {
            let before = between.cuts();
            cuts.iter().for_each(|cut| between.cut_next(*cut));
            let key = format!("{cuts:?} {round}");
            let same = counting(&key);
            let committed = catalog.commit(same.clone()).await.unwrap();
            // The first call did it, whichever of its transactions was the one.
            assert!(!committed.replayed, "{key}");
            assert_eq!(between.cuts() - before, cuts.len() as u32, "{key}: all were cut");
            sets += 1;
            assert!(is_there(&catalog, &key).await);
            assert_eq!(counted(&catalog).await, sets, "{key}: counted once");
            assert!(catalog.commit(same).await.unwrap().replayed);
        }
    }
    assert_eq!(counted(&catalog).await, sets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_still_says_what_its_bulk_changes_did() {
    let place = Place::new().await;
    let between = Between::start(place.schema.port()).await;
    let database = place.open_by(&between, PostgresOptions::default()).await;
    let catalog = database.catalog();
    let old = set();
    catalog.commit(old).await.unwrap();
    between.cut_next(Cut::After);
    let later = ChangeSet::new(
        ChangeId::from_u128(RandomIds.random()),
        Timestamp::from_millis(2_000_000),
    );
    let forget = later.with(Bulk::Forget {
        before: Timestamp::from_millis(1_000_000),
    });
    let Committed { replayed, bulk, .. } = catalog.commit(forget).await.unwrap();
    assert_eq!(between.cuts(), 1);
    assert!(!replayed);
    // The set that made the drives, and the one above.
    let rows: Vec<_> = bulk.iter().map(|outcome| (outcome.rows, outcome.done)).collect();
    assert_eq!(rows, [(2, true)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_whose_commit_is_cut_are_changed_once() {
    let place = Place::new().await;
    let between = Between::start(place.schema.port()).await;
    let database = place.open_by(&between, PostgresOptions::default()).await;
    let seams = AccountsSeams {
        store: Arc::new(database.accounts()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    };
    let cheap = AccountsConfig::default()
        .with_argon2_memory_kib(8)
        .with_argon2_passes(1);
    let accounts = Accounts::new(seams, cheap).unwrap();
    for (number, cut) in [Cut::Before, Cut::During, Cut::After].into_iter().enumerate() {
        between.cut_next(cut);
        let registrant = Registrant {
            username: &format!("person {number}"),
            password: "correct horse battery",
            email: None,
        };
        // Applied twice, the name would be taken.
        accounts.register(registrant).await.unwrap();
        assert_eq!(between.cuts(), number as u32 + 1);
    }
    let operator = Administrator::operator();
    let listed = accounts.admin_list(&operator, None, Page::default()).await;
    assert_eq!(listed.unwrap().items.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_unavailable_and_its_answer_is_asked_for_again() {
    let place = Place::new().await;
    let between = Between::start(place.schema.port()).await;
    // An answer is waited for five seconds longer than the server would take.
    let options = PostgresOptions::default()
        .with_tries(1)
        .with_statement_timeout(Duration::from_millis(200));
    let database = place.open_by(&between, options).await;
    let catalog = database.catalog();
    between.cut_next(Cut::Silence);
    let same = counting("silent");
    let error = in_time("silence", catalog.commit(same.clone()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(between.cuts(), 1);
    assert!(catalog.commit(same).await.unwrap().replayed);
    assert_eq!(counted(&catalog).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_whose_backend_is_ended_in_its_middle_is_applied_once() {
    let place = Place::new().await;
    let database = place.open(PostgresOptions::default()).await;
    let catalog = database.catalog();
    let mut holder = hold_drive(&place).await;
    let committing = tokio::spawn({
        let catalog = catalog.clone();
        async move { catalog.commit(counting("ended")).await }
    });
    let mut watcher = place.schema.connect().await;
    wait_for_waiters(&place, &mut watcher, 1).await;
    let own = place.schema.own_backends();
    let ended = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {own} AND wait_event_type = 'Lock'"
    );
    assert_eq!(number(&mut watcher, ended).await, 1, "one was in the middle");
    holder.execute("ROLLBACK").await.unwrap();
    in_time("the set", committing).await.unwrap().unwrap();
    assert!(is_there(&catalog, "ended").await);
    assert_eq!(counted(&catalog).await, 1);
}

/// Eight tasks that commit sets until told to stop.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    begun: AtomicU64,
}

const WRITERS: u64 = 8;

/// The keys of what was acknowledged, and of what was not.
type Told = (Vec<String>, Vec<String>);

impl Load {
    /// Starts the tasks.
    fn start(self: &Arc<Self>, catalog: &SqlCatalog) -> Vec<JoinHandle<Told>> {
        let writer = |writer: u64| {
            let (load, catalog) = (Arc::clone(self), catalog.clone());
            tokio::spawn(async move {
                let (mut known, mut unknown) = (Vec::new(), Vec::new());
                while !load.stop.load(Ordering::SeqCst) {
                    let key = format!("{writer}-{}", load.begun.fetch_add(1, Ordering::SeqCst));
                    match catalog.commit(counting(&key)).await {
                        Ok(committed) => {
                            assert!(!committed.replayed);
                            known.push(key);
                            load.acknowledged.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                            unknown.push(key);
                        }
                    }
                }
                (known, unknown)
            })
        };
        (0..WRITERS).map(writer).collect()
    }

    /// Waits until so many more were acknowledged.
    async fn goes_on(&self, more: u64) {
        let from = self.acknowledged.load(Ordering::SeqCst);
        in_time("the load", async {
            while self.acknowledged.load(Ordering::SeqCst) < from + more {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Ends the tasks, and checks what is there against what they were told.
    async fn end(&self, tasks: Vec<JoinHandle<Told>>, catalog: &SqlCatalog) {
        self.stop.store(true, Ordering::SeqCst);
        let mut there = 0;
        for task in tasks {
            let (known, unknown) = in_time("a writer", task).await.unwrap();
            for key in &known {
                assert!(is_there(catalog, key).await, "{key} was acknowledged");
            }
            there += known.len() as u64;
            for key in unknown {
                there += u64::from(is_there(catalog, &key).await);
            }
        }
        assert_eq!(counted(catalog).await, there, "each set is counted once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_ended_under_load_cost_nothing_that_was_acknowledged() {
    let place = Place::new().await;
    let database = place.open(PostgresOptions::default()).await;
    let catalog = database.catalog();
    let load = Arc::new(Load::default());
    let tasks = load.start(&catalog);
    let mut watcher = place.schema.connect().await;
    let own = place.schema.own_backends();
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {own} AND state <> 'idle'"
    );
    let mut ended = 0;
    for _ in 0..30 {
        load.goes_on(5).await;
        ended += number(&mut watcher, end.clone()).await;
    }
    assert!(ended > 20, "{ended} were in the middle of something");
    load.goes_on(20).await;
    load.end(tasks, &catalog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_under_load_loses_nothing_and_is_found_again() {
    let _alone = SERVER.write().await;
    let schema = with_drives().await;
    let database = PostgresDatabase::connect(schema.url(), PostgresOptions::default())
        .await
        .unwrap();
    let catalog = database.catalog();
    let server = Server::shared();
    let load = Arc::new(Load::default());
    let tasks = load.start(&catalog);
    // As after a crash, and as an operator does it.
    for signal in ["QUIT", "INT", "QUIT"] {
        load.goes_on(30).await;
        server.signal(signal);
        in_time("the server's end", async {
            while server.runs() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        // Somebody reads meanwhile, and is answered once the server is back.
        let reading = tokio::spawn({
            let catalog = catalog.clone();
            async move { read_until_answered(&catalog).await }
        });
        server.start();
        in_time("a read", reading).await.unwrap();
        load.goes_on(30).await;
    }
    load.end(tasks, &catalog).await;
}

/// A server that recovers may take longer than a connection is waited for.
async fn read_until_answered(catalog: &SqlCatalog) {
    while let Err(error) = catalog.drive(COUNTED).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_used_up_are_unavailable_and_then_serve_again() {
    let place = Place::new().await;
    let database = place.open(short().with_writers(1)).await;
    let catalog = database.catalog();
    let mut holder = hold_drive(&place).await;
    let first = tokio::spawn({
        let catalog = catalog.clone();
        async move { catalog.commit(counting("first")).await }
    });
    wait_for_waiters(&place, &mut place.schema.connect().await, 1).await;
    let error = catalog.commit(counting("second")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("came free"), "{error}");
    // Reads have connections of their own.
    assert_eq!(counted(&catalog).await, 0);
    holder.execute("ROLLBACK").await.unwrap();
    in_time("the first", first).await.unwrap().unwrap();
    catalog.commit(counting("third")).await.unwrap();
    assert_eq!(counted(&catalog).await, 2);
    assert!(!is_there(&catalog, "second").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_more_connections_is_unavailable_and_then_serves_again() {
    let place = Place::new().await;
    let name = format!("limited_{}", std::process::id());
    place
        .schema
        .run(format!("CREATE DATABASE {name} CONNECTION LIMIT 3"))
        .await;
    let url = place
        .schema
        .url()
        .split('?')
        .next()
        .and_then(|url| url.rsplit_once('/'))
        .map(|(server, _)| format!("{server}/{name}"))
        .unwrap();
    let database = PostgresDatabase::connect(&url, short()).await.unwrap();
    let catalog = database.catalog();
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut taken = Vec::new();
    while taken.len() < 3 {
        taken.push(options.connect().await.unwrap());
    }
    let full = options.connect().await.unwrap_err();
    let code = full
        .as_database_error()
        .and_then(|error| error.code().map(String::from));
    assert_eq!(code.as_deref(), Some("53300"), "the server is full");
    for error in [
        catalog.commit(set().with(setting("key"))).await.unwrap_err(),
        catalog.setting("key").await.unwrap_err(),
        PostgresDatabase::connect(&url, short()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains("connections"), "{error}");
    }
    for connection in taken {
        connection.close().await.unwrap();
    }
    catalog.commit(set().with(setting("key"))).await.unwrap();
    assert!(catalog.setting("key").await.unwrap().is_some());
    database.close().await;
    place
        .schema
        .run(format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_too_long_is_unavailable_and_says_which_limit() {
    let place = Place::new().await;
    let little = Duration::from_millis(100);
    for (options, limit) in [
        (
            PostgresOptions::default().with_lock_timeout(little),
            "lock_timeout",
        ),
        (
            PostgresOptions::default().with_statement_timeout(little),
            "statement_timeout",
        ),
    ] {
        let database = place.open(options).await;
        let catalog = database.catalog();
        let before = counted(&catalog).await;
        let mut holder = hold_drive(&place).await;
        let same = counting(limit);
        let error = in_time(limit, catalog.commit(same.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains(limit), "{error}");
        holder.execute("ROLLBACK").await.unwrap();
        assert!(!catalog.commit(same).await.unwrap().replayed);
        assert_eq!(counted(&catalog).await, before + 1);
        database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sets_that_wait_for_each_other_are_both_applied() {
    let place = Place::new().await;
    let database = place.open(PostgresOptions::default()).await;
    let catalog = database.catalog();
    catalog
        .commit(set().with(setting("one")).with(setting("two")))
        .await
        .unwrap();
    let mut watcher = place.schema.connect().await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let before = number(&mut watcher, deadlocks.to_owned()).await;
    // Both have one drive and wait at a gate before they take the other.
    let mut gate = place.schema.connect().await;
    gate.execute("BEGIN; SELECT key FROM settings FOR UPDATE")
        .await
        .unwrap();
    let crossing = [(COUNTED, "one", OTHER), (OTHER, "two", COUNTED)].map(|(first, gate, second)| {
        let catalog = catalog.clone();
        let version = Expect::Version(RecordKey::Setting(gate.to_owned()), 1);
        let both = set().with(plus_one(first)).with(version).with(plus_one(second));
        tokio::spawn(async move { catalog.commit(both).await })
    });
    wait_for_waiters(&place, &mut watcher, 2).await;
    gate.execute("ROLLBACK").await.unwrap();
    for set in crossing {
        in_time("a set", set).await.unwrap().unwrap();
    }
    in_time("counting deadlocks", async {
        while number(&mut watcher, deadlocks.to_owned()).await == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    for drive in [COUNTED, OTHER] {
        let drive = catalog.drive(drive).await.unwrap().unwrap();
        assert_eq!(drive.tree_version, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_make_the_tables_once() {
    let _server_stays = SERVER.read().await;
    let schema = Schema::fresh().await;
    let opened =
        join_all((0..6).map(|_| PostgresDatabase::connect(schema.url(), PostgresOptions::default())));
    for (number, database) in opened.await.into_iter().enumerate() {
        let catalog = database.unwrap().catalog();
        let key = number.to_string();
        catalog.commit(set().with(setting(&key))).await.unwrap();
        assert!(catalog.setting("0").await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_nowhere_is_named_without_its_password() {
    let place = Place::new().await;
    let port = place.schema.port();
    let connect =
        async |url: String| -> Error { PostgresDatabase::connect(&url, short()).await.unwrap_err() };
    for (url, hint) in [
        // Port 9 is the discard service, which nobody runs.
        (
            "postgres://campusdisk:secret@127.0.0.1:9/campusdisk".to_owned(),
            "127.0.0.1:9",
        ),
        (
            format!("postgres://campusdisk:secret@127.0.0.1:{port}/nowhere"),
            "no database",
        ),
        (
            format!("postgres://nobody:secret@127.0.0.1:{port}/campusdisk"),
            "user",
        ),
    ] {
        let error = connect(url).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    let error = connect("sqlite:campusdisk.db:secret".to_owned()).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
