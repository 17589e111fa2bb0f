//! Folders as ZIP archives, over a socket, opened by the programs that people have.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use campusdisk_tests::wait::until;
use campusdisk_tests::{Client, Hall, pattern, sha256_hex};
use serde_json::json;

/// What each program prints of an archive: the names in it and the bytes of all files, checked against their checksums.
const PYTHON: &str = "
import hashlib, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
for entry in archive.infolist():
    print(entry.filename, hashlib.sha256(archive.read(entry)).hexdigest())
";

/// A folder of names that programs differ about (as addresses have them), and what should be in its archive: paths and SHA-256.
async fn folder(ada: &Client) -> (String, BTreeMap<String, String>) {
    let root = ada.root().await;
    let marks = ada.folder(&root, "成绩 2026").await;
    let inner = ada.folder(&marks, "b inner").await;
    ada.folder(&marks, "empty").await;
    let mut expected = BTreeMap::from([
        ("成绩 2026/".to_owned(), sha256_hex(b"")),
        ("成绩 2026/b inner/".to_owned(), sha256_hex(b"")),
        ("成绩 2026/empty/".to_owned(), sha256_hex(b"")),
    ]);
    for (folder, name, portable, len) in [
        (&marks, "é ü 学生.pdf", "é ü 学生.pdf", 100_000),
        (&marks, "none", "none", 0),
        (&marks, "who%3F me: \"a*b\".txt", "who_ me_ _a_b_.txt", 10),
        (&inner, "nul.txt", "_nul.txt", 11),
        (&inner, "long", "long", 3 << 20),
    ] {
        let bytes = pattern(len, len as u64);
        let path = if folder == &marks {
            "成绩 2026"
        } else {
            "成绩 2026/b inner"
        };
        expected.insert(format!("{path}/{portable}"), sha256_hex(&bytes));
        ada.put(folder, name, bytes).await;
    }
    (marks, expected)
}

fn run(program: &str, args: &[&str], folder: &Path) -> String {
    let done = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; cargo xtask test installs it"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{program} {args:?}: {said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    said
}

/// The files and folders below a folder, as an archive of it should have them.
fn unpacked(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(below) = waiting.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.insert(format!("{name}/"), sha256_hex(b""));
                waiting.push(path);
            } else {
                found.insert(name, sha256_hex(&fs::read(path).unwrap()));
            }
        }
    }
    found
}

#[tokio::test]
async fn unzip_7z_python_and_java_find_everything_in_the_archive_of_a_folder() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let (marks, expected) = folder(&ada).await;
    let answer = ada
        .get(&format!("/api/v1/nodes/{marks}/content"))
        .await
        .expect(200);
    assert_eq!(answer.header("content-type"), "application/zip");
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("archive.zip");
    fs::write(&archive, &answer.body).unwrap();
    let archive = archive.to_str().unwrap();
    let printed = run("python3", &["-c", PYTHON, archive], place.path());
    let listed: BTreeMap<_, _> = printed
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, hash)| (name.to_owned(), hash.to_owned()))
        .collect();
    assert_eq!(listed, expected);
    for (program, args) in [
        ("unzip", vec!["-q", archive]),
        ("7z", vec!["x", "-y", "-bso0", archive]),
        ("jar", vec!["xf", archive]),
    ] {
        let folder = place.path().join(program);
        fs::create_dir(&folder).unwrap();
        run(program, &args, &folder);
        assert_eq!(unpacked(&folder), expected, "{program}");
    }
}

#[tokio::test]
async fn an_archive_is_resumed_where_it_broke_off_and_not_once_it_is_another() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let (marks, _) = folder(&ada).await;
    let path = format!("/api/v1/nodes/{marks}/content");
    let whole = ada.get(&path).await.expect(200);
    let (tag, len) = (whole.header("etag").to_owned(), whole.body.len());
    let mut got = Vec::new();
    while got.len() < len {
        let end = (got.len() + 1_234_567).min(len) - 1;
        let range = format!("bytes={}-{end}", got.len());
        let headers = [("range", range.as_str()), ("if-range", tag.as_str())];
        let part = ada.get_with(&path, &headers).await.expect(206);
        got.extend_from_slice(&part.body);
    }
    assert_eq!(sha256_hex(&got), sha256_hex(&whole.body));
    ada.put(&marks, "none", "no more").await;
    let headers = [("range", "bytes=100-"), ("if-range", tag.as_str())];
    let other = ada.get_with(&path, &headers).await.expect(200);
    assert!(other.header("etag") != tag && other.body.len() > len);
}

/// How many bytes the large folder has: `CAMPUSDISK_ARCHIVE_MIB`, 64 MiB unless set.
fn large_bytes() -> usize {
    let set = std::env::var("CAMPUSDISK_ARCHIVE_MIB").ok();
    set.and_then(|mib| mib.parse::<usize>().ok()).unwrap_or(64) << 20
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_folder_that_curl_fetches_and_that_is_cut_three_times_is_byte_for_byte_whole() {
    const FILES: usize = 4;
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let films = ada.folder(&ada.root().await, "films").await;
    let bytes = bytes::Bytes::from(pattern(large_bytes() / FILES, 11));
    for number in 0..FILES {
        ada.put(&films, &format!("{number}.mkv"), bytes.clone()).await;
    }
    let place = tempfile::tempdir().unwrap();
    let address = ada.url(&format!("/api/v1/nodes/{films}/content"));
    let curl = |file: &str| {
        let authorization = format!("authorization: {}", ada.authorization().unwrap());
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail",
            "-H",
            &authorization,
            "-C",
            "-",
            "-o",
            file,
            &address,
        ])
        .current_dir(place.path());
        curl
    };
    let cut = place.path().join("cut.zip");
    let len = || fs::metadata(&cut).map_or(0, |file| file.len());
    let mut before = 0;
    for quarter in 1..=3 {
        // So slow that it can't be done before it is looked at.
        let rate = (large_bytes() / 4).to_string();
        let mut running = curl("cut.zip").args(["--limit-rate", &rate]).spawn().unwrap();
        let enough = (large_bytes() * quarter / 4) as u64;
        until("a part of the archive came", async || len() >= enough).await;
        running.kill().unwrap();
        assert!(!running.wait().unwrap().success(), "it was in the middle");
        assert!(len() > before && len() < large_bytes() as u64);
        before = len();
    }
    let rest = curl("cut.zip").status().unwrap();
    let whole = curl("whole.zip").status().unwrap();
    assert!(rest.success() && whole.success());
    run("cmp", &["cut.zip", "whole.zip"], place.path());
    run("unzip", &["-tq", "cut.zip"], place.path());
}

#[tokio::test]
async fn a_selection_and_a_shared_folder_are_archives_too() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let (marks, _) = folder(&ada).await;
    let one = ada.put(&marks, "same.txt", "one").await;
    let root = ada.root().await;
    let two = ada.put(&root, "same.txt", "two").await;
    let chosen = json!({"nodes": [one["id"], two["id"]]});
    let made = ada.post("/api/v1/archives", chosen).await.expect(201).json();
    let address = ada.resolve("/api/v1/archives", made["url"].as_str().unwrap());
    let answer = ada.get(&address).await.expect(200);
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("selection.zip");
    fs::write(&archive, &answer.body).unwrap();
    run("unzip", &["-q", archive.to_str().unwrap()], place.path());
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    assert_eq!(
        (read("same.txt"), read("same (2).txt")),
        ("one".to_owned(), "two".to_owned())
    );

    let made = ada
        .post(&format!("/api/v1/nodes/{marks}/shares"), json!({}))
        .await
        .expect(201)
        .json();
    let link = format!("/s/{}/content", made["token"].as_str().unwrap());
    let shared = hall.nobody().get(&link).await.expect(200);
    let own = ada
        .get(&format!("/api/v1/nodes/{marks}/content"))
        .await
        .expect(200);
    assert_eq!(sha256_hex(&shared.body), sha256_hex(&own.body));
    assert_eq!(shared.header("etag"), own.header("etag"));
}
