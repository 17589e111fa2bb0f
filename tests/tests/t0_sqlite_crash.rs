//! What SQLite's catalog acknowledged outlives its process, killed at any moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use campusdisk_core::catalog::Catalog;
use campusdisk_core::catalog::record::Setting;
use campusdisk_sql::SqliteDatabase;
use campusdisk_tests::counted::{COUNTED, counted, drive, is_there, plus_one, set};

/// Where the database is, in the process that will be killed.
const DATABASE: &str = "CAMPUSDISK_TEST_CRASH_DATABASE";
const WRITERS: u32 = 8;

fn setting(key: String) -> Setting {
    Setting {
        key,
        // So much that writing takes long enough to be killed in the middle of it.
        value: "x".repeat(60_000),
        version: 1,
    }
}

/// Commits for ever and says of each set that it was acknowledged, until the process is killed.
async fn commit_until_killed(path: &Path, round: &str) {
    let database = SqliteDatabase::open(path).await.unwrap();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (catalog, round) = (database.catalog(), round.to_owned());
            tokio::spawn(async move {
                for number in 0.. {
                    let key = format!("{round}-{writer}-{number}");
                    let both = set()
                        .with(setting(format!("{key}-first")))
                        .with(plus_one(COUNTED))
                        .with(setting(format!("{key}-second")));
                    catalog.commit(both).await.unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acknowledged {key}").unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Starts this test again as the process that commits, kills it after some acknowledgements, and returns all it gave.
fn acknowledged_before_the_kill(path: &Path, round: usize, test: &str) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DATABASE, path)
        .env("CAMPUSDISK_TEST_CRASH_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines {
        // The harness writes before the first one.
        if let Some((_, key)) = line.unwrap().split_once("acknowledged ") {
            acknowledged.push(key.to_owned());
            if acknowledged.len() == 24 + 13 * round {
                // The rest of the lines is what it said before the signal reached it.
                child.kill().unwrap();
            }
        }
    }
    assert_eq!(child.wait().unwrap().signal(), Some(9), "the process was killed");
    acknowledged
}

async fn put_drive(path: &Path) {
    let database = SqliteDatabase::open(path).await.unwrap();
    database
        .catalog()
        .commit(set().with(drive(COUNTED)))
        .await
        .unwrap();
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_kill() {
    if let Some(path) = std::env::var_os(DATABASE) {
        let round = std::env::var("CAMPUSDISK_TEST_CRASH_ROUND").unwrap();
        return commit_until_killed(Path::new(&path), &round).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campusdisk.db");
    put_drive(&path).await;
    let mut sets = 0;
    for round in 0..6 {
        let acknowledged =
            acknowledged_before_the_kill(&path, round, "what_was_acknowledged_outlives_a_kill");
        let database = SqliteDatabase::open(&path).await.unwrap();
        let catalog = database.catalog();
        for key in &acknowledged {
            assert!(is_there(&catalog, key).await, "{key} was acknowledged");
        }
        // Beyond what was acknowledged there may be one set of each writer, whole or not at all.
        for writer in 0..WRITERS {
            let of_writer = format!("{round}-{writer}-");
            let count = acknowledged
                .iter()
                .filter(|key| key.starts_with(&of_writer))
                .count();
            sets += count as u64;
            sets += u64::from(is_there(&catalog, &format!("{of_writer}{count}")).await);
            assert!(!is_there(&catalog, &format!("{of_writer}{}", count + 1)).await);
        }
        assert_eq!(counted(&catalog).await, sets, "each set counted once");
        database.close().await;
    }
}
