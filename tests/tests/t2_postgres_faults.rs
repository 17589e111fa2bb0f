//! What a server does to those who use it: it ends connections, restarts, loses answers, falls silent. Nothing that was
//! acknowledged is lost, nothing is applied twice or by half, and it goes on by itself afterwards.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use campusdisk_accounts::{Accounts, AccountsConfig, AccountsSeams, Administrator, Page, Registrant};
use campusdisk_core::catalog::{Bulk, Catalog, ChangeSet, Committed, Expect, Ledger, Metadata};
use campusdisk_core::{ChangeId, ErrorKind, IdSource, RandomIds, SystemClock, Timestamp};
use campusdisk_sql::{PostgresOptions, SqlCatalog};
use campusdisk_tests::Hall;
use campusdisk_tests::between::Cut;
use campusdisk_tests::counted::{
    COUNTED, Place, counted, counting, counting_at_once, is_there, number, plus_one, set, setting,
};
use campusdisk_tests::postgres::{Schema, server};
use campusdisk_tests::wait::{in_time, until};
use futures::join;
use sqlx::Executor;
use tokio::sync::{RwLock, watch};
use tokio::task::JoinHandle;

/// Held for writing by who restarts the server, and for reading by everybody else.
static SERVER: RwLock<()> = RwLock::const_new(());

/// What happens to the commits of one set, one after the other.
const CUTS: [&[Cut]; 5] = [
    &[Cut::Before],
    &[Cut::During],
    &[Cut::After],
    &[Cut::After, Cut::Before, Cut::During],
    &[Cut::Before, Cut::After, Cut::After],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_before_during_or_after_is_applied_once() {
    let _server_stays = SERVER.read().await;
    let (_place, between, database) = Place::fresh_behind(PostgresOptions::default()).await;
    let catalog = database.catalog();
    let mut sets = 0;
    for cuts in CUTS {
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
    assert_eq!(between.whole(), 0, "COMMIT was cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_of_one_statement_that_is_cut_before_during_or_after_is_applied_once() {
    let _server_stays = SERVER.read().await;
    let (_place, between, database) = Place::fresh_behind(PostgresOptions::default()).await;
    let catalog = database.catalog();
    let mut sets = 0;
    for cuts in CUTS {
        for round in 0..5 {
            let (cut, whole, begun) = (between.cuts(), between.whole(), between.begun());
            cuts.iter().for_each(|cut| between.cut_next(*cut));
            let key = format!("{cuts:?} {round}");
            let same = counting_at_once(&key);
            let committed = catalog.commit(same.clone()).await.unwrap();
            assert_eq!(committed, Committed::default(), "{key}: this call did it");
            assert_eq!(between.cuts() - cut, cuts.len() as u32, "{key}: all were cut");
            assert_eq!(
                between.whole() - whole,
                cuts.len() as u32 + 1,
                "{key}: one statement each"
            );
            // Where it turns out to be applied, its id says so, in a transaction.
            assert!(between.begun() - begun <= 1, "{key}");
            sets += 1;
            assert!(catalog.setting(&key).await.unwrap().is_some());
            assert_eq!(counted(&catalog).await, sets, "{key}: counted once");
            assert!(catalog.commit(same).await.unwrap().replayed);
        }
    }
    assert_eq!(counted(&catalog).await, sets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_of_one_statement_that_is_refused_is_refused_also_when_an_answer_is_lost() {
    let _server_stays = SERVER.read().await;
    let (_place, between, database) = Place::fresh_behind(PostgresOptions::default()).await;
    let catalog = database.catalog();
    for cut in [Cut::Before, Cut::During, Cut::After] {
        let key = format!("{cut:?}");
        let refused = set()
            .with(Expect::TreeVersion(COUNTED, 7))
            .with(setting(&key))
            .with(plus_one(COUNTED));
        between.cut_next(cut);
        let error = catalog.commit(refused).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        assert!(
            error.to_string().contains("folders of the drive were moved"),
            "{error}"
        );
        assert!(catalog.setting(&key).await.unwrap().is_none());
    }
    assert_eq!((between.cuts(), between.whole()), (3, 6));
    assert_eq!(counted(&catalog).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_still_says_what_its_bulk_changes_did() {
    let _server_stays = SERVER.read().await;
    let (_place, between, database) = Place::fresh_behind(PostgresOptions::default()).await;
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
    let _server_stays = SERVER.read().await;
    let (_place, between, database) = Place::fresh_behind(PostgresOptions::default()).await;
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
    let _server_stays = SERVER.read().await;
    // An answer is waited for five seconds longer than the server would take.
    let options = PostgresOptions::default()
        .with_tries(1)
        .with_statement_timeout(Duration::from_millis(200));
    let (_place, between, database) = Place::fresh_behind(options).await;
    let catalog = database.catalog();
    for (number, same) in (1..).zip([counting("silent"), counting_at_once("silent")]) {
        between.cut_next(Cut::Silence);
        let error = in_time("silence", catalog.commit(same.clone()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(between.cuts(), number);
        assert!(catalog.commit(same).await.unwrap().replayed);
        assert_eq!(counted(&catalog).await, u64::from(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_whose_backend_is_ended_in_its_middle_is_applied_once() {
    let _server_stays = SERVER.read().await;
    let place = Place::fresh().await;
    let database = place.open(PostgresOptions::default()).await;
    let catalog = database.catalog();
    for (sets, set) in (1..).zip([counting("ended"), counting_at_once("ended")]) {
        let mut holder = place.hold().await;
        let committing = tokio::spawn({
            let catalog = catalog.clone();
            async move { catalog.commit(set).await }
        });
        let mut watcher = place.schema.connect().await;
        place.wait_for_waiters(&mut watcher, 1).await;
        let own = place.schema.own_backends();
        let ended = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {own} AND wait_event_type = 'Lock'"
        );
        assert_eq!(number(&mut watcher, ended).await, 1, "one was in the middle");
        holder.execute("ROLLBACK").await.unwrap();
        let committed = in_time("the set", committing).await.unwrap().unwrap();
        assert!(!committed.replayed);
        assert_eq!(counted(&catalog).await, sets);
    }
    assert!(is_there(&catalog, "ended").await);
    assert!(catalog.setting("ended").await.unwrap().is_some());
}

/// Eight tasks that commit sets until told to stop.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    acknowledged: watch::Sender<u64>,
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
                            load.acknowledged.send_modify(|count| *count += 1);
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
        let mut acknowledged = self.acknowledged.subscribe();
        let enough = *acknowledged.borrow() + more;
        let there = acknowledged.wait_for(|count| *count >= enough);
        in_time("the load", there).await.unwrap();
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
    let _server_stays = SERVER.read().await;
    let place = Place::fresh().await;
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
    let place = Place::fresh().await;
    let database = place.open(PostgresOptions::default()).await;
    let catalog = database.catalog();
    let server = server();
    let load = Arc::new(Load::default());
    let tasks = load.start(&catalog);
    // As after a crash, and as an operator does it.
    for signal in ["QUIT", "INT", "QUIT"] {
        load.goes_on(30).await;
        server.send(signal);
        until("the server's end", async || !server.is_running()).await;
        // Somebody reads meanwhile, and is answered once the server is back.
        let reading = tokio::spawn({
            let catalog = catalog.clone();
            async move { read_until_answered(&catalog).await }
        });
        server.start().await;
        in_time("a read", reading).await.unwrap();
        load.goes_on(30).await;
    }
    load.end(tasks, &catalog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_whose_server_is_gone_says_503_in_time_and_goes_on_once_it_is_back() {
    let _alone = SERVER.write().await;
    let schema = Schema::fresh().await;
    let database = format!(
        "\n[database]\npostgres_url = \"{}\"\nbusy_timeout_ms = 1000\n",
        schema.url()
    );
    let hall = Hall::start_with(&database).await;
    let (ada, nobody) = (hall.account("ada"), hall.nobody());
    let home = ada.root().await;
    ada.put(&home, "kept", "kept").await;
    let server = server();
    server.send("QUIT");
    until("the server's end", async || !server.is_running()).await;
    let begun = Instant::now();
    let children = format!("/api/v1/nodes/{home}/children");
    let late = format!("{children}/late");
    let (listed, put, ready) = join!(
        ada.get(&children),
        ada.send("PUT", &late, &[], "late"),
        nobody.get("/readyz"),
    );
    let took = begun.elapsed();
    nobody.get("/healthz").await.expect(200);
    server.start().await;
    for answer in [listed, put] {
        let answer = answer.expect_problem(503, "unavailable");
        assert_ne!(answer.header("retry-after"), "", "{:?}", answer.headers);
    }
    ready.expect(503);
    assert!(took < Duration::from_secs(20), "it took {took:?}");
    until("the hall serves again", async || {
        ada.get(&children).await.status == 200
    })
    .await;
    assert_eq!(ada.names(&home).await, ["kept"]);
    ada.put(&home, "late", "late").await;
}

/// A server that recovers may take longer than a connection is waited for.
async fn read_until_answered(catalog: &SqlCatalog) {
    while let Err(error) = catalog.drive(COUNTED).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
}
