//! What people see when the file, its disk or its lock is not as it should be, and that it comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::Duration;

use campusdisk_core::catalog::record::Setting;
use campusdisk_core::catalog::{Catalog, ChangeSet, Ledger};
use campusdisk_core::{ChangeId, ErrorKind, IdSource, RandomIds, Result, Timestamp};
use campusdisk_sql::{SqlCatalog, SqliteDatabase, SqliteOptions};
use campusdisk_testkit::small_disk::on_a_small_disk;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

fn setting(key: &str, value_bytes: usize) -> Setting {
    Setting {
        key: key.to_owned(),
        value: "v".repeat(value_bytes),
        version: 1,
    }
}

async fn put(catalog: &SqlCatalog, key: &str, value_bytes: usize) -> Result<()> {
    let id = ChangeId::from_u128(RandomIds.random());
    let set = ChangeSet::new(id, Timestamp::from_millis(0)).with(setting(key, value_bytes));
    catalog.commit(set).await.map(drop)
}

async fn has(catalog: &SqlCatalog, key: &str) -> bool {
    catalog.setting(key).await.unwrap().is_some()
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "these are my notes ".repeat(1000)).unwrap();
    let error = SqliteDatabase::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.to_string().contains("notes.txt"), "{error}");
}

#[tokio::test]
async fn a_new_file_and_its_log_are_for_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campusdisk.db");
    let database = SqliteDatabase::open(&path).await.unwrap();
    put(&database.catalog(), "key", 10).await.unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has {mode:o}", entry.file_name());
    }
    database.close().await;
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/campusdisk.db");
    let error = SqliteDatabase::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("missing/campusdisk.db"), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_corrupt_and_nothing_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campusdisk.db");
    let database = SqliteDatabase::open(&path).await.unwrap();
    // One set: a thousand rows fill hundreds of pages after the few that describe the tables.
    let id = ChangeId::from_u128(RandomIds.random());
    let mut set = ChangeSet::new(id, Timestamp::from_millis(0));
    for number in 0..1000 {
        set.push(setting(&format!("key {number}"), 500));
    }
    database.catalog().commit(set).await.unwrap();
    database.close().await;
    let file = fs::File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in pages * 3 / 4..pages {
        file.write_all_at(&[0xff; 4096], page * 4096).unwrap();
    }
    let database = SqliteDatabase::open(&path).await.unwrap();
    let mut damaged = Vec::new();
    for number in 0..1000 {
        let key = format!("key {number}");
        if let Err(error) = database.catalog().setting(&key).await {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            damaged.push(key);
        }
    }
    let key = damaged.first().expect("some rows were on the damaged pages");
    let error = put(&database.catalog(), key, 500).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    database.close().await;
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_and_then_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campusdisk.db");
    let options = SqliteOptions::default().with_busy_timeout(Duration::from_millis(100));
    let database = SqliteDatabase::open_with(&path, options).await.unwrap();
    let catalog = database.catalog();
    put(&catalog, "before", 10).await.unwrap();

    let mut other = SqliteConnectOptions::new()
        .filename(&path)
        .connect()
        .await
        .unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = put(&catalog, "during", 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.is_retryable());
    assert!(has(&catalog, "before").await, "reads go on");
    assert!(!has(&catalog, "during").await);

    other.execute("ROLLBACK").await.unwrap();
    put(&catalog, "after", 10).await.unwrap();
    assert!(has(&catalog, "after").await);
    other.close().await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_closed_database_is_unavailable_and_a_new_one_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campusdisk.db");
    let database = SqliteDatabase::open(&path).await.unwrap();
    let catalog = database.catalog();
    let queued: Vec<_> = (0..50)
        .map(|number| {
            let catalog = catalog.clone();
            tokio::spawn(async move { put(&catalog, &format!("key {number}"), 10).await.is_ok() })
        })
        .collect();
    // Each task has sent its set before the writer is told to stop: they were spawned first, on one thread.
    tokio::task::yield_now().await;
    database.close().await;
    let mut kept = Vec::new();
    for (number, task) in queued.into_iter().enumerate() {
        if task.await.unwrap() {
            kept.push(format!("key {number}"));
        }
    }
    assert_eq!(kept.len(), 50, "what was queued is finished");
    let error = put(&catalog, "late", 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = catalog.setting("late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    database.close().await;

    let again = SqliteDatabase::open(&path).await.unwrap();
    for key in kept {
        assert!(has(&again.catalog(), &key).await);
    }
    again.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_share_the_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(folder.path().join("campusdisk.db"))
        .await
        .unwrap();
    let before = database.stats();
    let clients: Vec<_> = (0..64)
        .map(|client| {
            let catalog = database.catalog();
            tokio::spawn(async move {
                for number in 0..10 {
                    put(&catalog, &format!("{client} {number}"), 10).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let after = database.stats();
    let (sets, commits) = (after.sets - before.sets, after.commits - before.commits);
    assert_eq!(sets, 640);
    assert!(commits * 8 <= sets, "{sets} sets took {commits} commits");
    database.close().await;
}

#[test]
fn a_full_disk_is_a_limit_and_loses_nothing() {
    on_a_small_disk("a_full_disk_is_a_limit_and_loses_nothing", 8, async |folder| {
        let database = SqliteDatabase::open(folder.join("campusdisk.db")).await.unwrap();
        let catalog = database.catalog();
        let ballast = folder.join("ballast");
        fs::write(&ballast, vec![0; 2 << 20]).unwrap();
        let mut kept = 0;
        let error = loop {
            match put(&catalog, &format!("key {kept}"), 100_000).await {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
            assert!(kept < 100, "a disk of 8 MiB took more");
        };
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
        assert!(kept > 5);
        for number in 0..kept {
            assert!(has(&catalog, &format!("key {number}")).await);
        }
        assert!(!has(&catalog, &format!("key {kept}")).await);

        fs::remove_file(&ballast).unwrap();
        put(&catalog, "with room again", 100_000).await.unwrap();
        database.close().await;
        let again = SqliteDatabase::open(folder.join("campusdisk.db")).await.unwrap();
        assert!(has(&again.catalog(), "with room again").await);
        assert!(has(&again.catalog(), "key 0").await);
        again.close().await;
    });
}
