//! Limits of a server: of connections, of time, of locks; and addresses that lead nowhere. Whoever meets one is told which, and
//! it goes on afterwards.

use std::time::Duration;

use campusdisk_core::catalog::{Catalog, Expect, Ledger, Metadata, RecordKey};
use campusdisk_core::{Error, ErrorKind};
use campusdisk_sql::{PostgresDatabase, PostgresOptions};
use campusdisk_tests::counted::{
    COUNTED, OTHER, Place, counted, counting, is_there, number, plus_one, set, setting,
};
use campusdisk_tests::postgres::Schema;
use campusdisk_tests::wait::{in_time, until};
use futures::future::join_all;
use sqlx::{ConnectOptions, Connection, Executor};

/// Waits for a connection for a short time only.
fn short() -> PostgresOptions {
    PostgresOptions::default().with_acquire_timeout(Duration::from_secs(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_used_up_are_unavailable_and_then_serve_again() {
    let place = Place::fresh().await;
    let database = place.open(short().with_writers(1)).await;
    let catalog = database.catalog();
    let mut holder = place.hold().await;
    let first = tokio::spawn({
        let catalog = catalog.clone();
        async move { catalog.commit(counting("first")).await }
    });
    place.wait_for_waiters(&mut place.schema.connect().await, 1).await;
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
    let place = Place::fresh().await;
    let name = format!("limited_{}", std::process::id());
    place
        .schema
        .run(format!("CREATE DATABASE {name} CONNECTION LIMIT 3"))
        .await;
    let url = place.schema.url_of_database(&name);
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
    let place = Place::fresh().await;
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
        let mut holder = place.hold().await;
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
    let place = Place::fresh().await;
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
    place.wait_for_waiters(&mut watcher, 2).await;
    gate.execute("ROLLBACK").await.unwrap();
    for set in crossing {
        in_time("a set", set).await.unwrap().unwrap();
    }
    until("the deadlock is counted", async || {
        number(&mut watcher, deadlocks.to_owned()).await != before
    })
    .await;
    for drive in [COUNTED, OTHER] {
        let drive = catalog.drive(drive).await.unwrap().unwrap();
        assert_eq!(drive.tree_version, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_make_the_tables_once() {
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
    let place = Place::fresh().await;
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
