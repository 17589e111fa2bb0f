//! The command `fetch` against a hall: several connections, the hall's digest, an archive, a kill.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::path::Path;
use std::process::{Command, Output};

use campusdisk_tests::wait::in_time;
use campusdisk_tests::{Client, Hall, binary, pattern, sha256_hex};

const MIB: usize = 1024 * 1024;

/// Downloads into a folder by eight connections, as somebody with a token; returns what the command said.
async fn fetch(folder: &Path, client: &Client, path: &str) -> Output {
    let mut command = Command::new(binary("fetch", "CAMPUSDISK_FETCH_BIN"));
    let token = client.authorization().unwrap().strip_prefix("Bearer ").unwrap();
    command.args(["--start", "8", "--connections", "8", &client.url(path)]);
    command
        .env("FETCH_TOKEN", token)
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(folder);
    let running = tokio::task::spawn_blocking(move || command.output());
    let done = in_time("the download", running).await.unwrap().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{path}: {err}");
    done
}

#[tokio::test]
async fn fetch_gets_a_file_over_eight_connections_and_checks_it_by_the_halls_digest() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let bytes = pattern(64 * MIB, 64);
    let node = ada.put(&ada.root().await, "成绩 2026.bin", bytes.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap());
    let done = fetch(folder.path(), &ada, &path).await;
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "成绩 2026.bin\n");
    let err = String::from_utf8(done.stderr).unwrap();
    assert!(err.contains("SHA-256 as the server says"), "{err}");
    let came = std::fs::read(folder.path().join("成绩 2026.bin")).unwrap();
    assert_eq!(sha256_hex(&came), sha256_hex(&bytes));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn fetch_gets_the_archive_of_a_folder_over_eight_connections() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let marks = ada.folder(&ada.root().await, "marks").await;
    for (name, len) in [("a", 9 * MIB), ("b", 0), ("c", 20 * MIB), ("d", 1000)] {
        ada.put(&marks, name, pattern(len, len as u64)).await;
    }
    let path = format!("/api/v1/nodes/{marks}/content");
    let whole = ada.get(&path).await.expect(200);
    let folder = tempfile::tempdir().unwrap();
    fetch(folder.path(), &ada, &path).await;
    let came = std::fs::read(folder.path().join("marks.zip")).unwrap();
    assert_eq!(sha256_hex(&came), sha256_hex(&whole.body));
}
