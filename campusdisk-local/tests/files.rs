//! What other hands and dead processes do to the files of a store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions, LocalPath, StoreName};
use campusdisk_core::{ErrorKind, InstallationId, RandomIds, Span};
use campusdisk_local::{LocalConfig, LocalStore};
use futures::StreamExt;

const HOUR: Duration = Duration::from_secs(3600);

async fn store(root: &Path) -> LocalStore {
    let name = StoreName::parse("primary").unwrap();
    LocalStore::open(LocalConfig::new(name, root)).await.unwrap()
}

async fn put(store: &LocalStore, bytes: Vec<u8>) -> BlobRef {
    let key = BlobKey::generate(&RandomIds);
    let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
    writer.write(Bytes::from(bytes)).await.unwrap();
    let len_bytes = writer.commit().await.unwrap().len_bytes;
    BlobRef { key, len_bytes }
}

/// The one temporary file of the store.
fn temporary(root: &Path) -> std::path::PathBuf {
    let mut found = std::fs::read_dir(root.join(".campusdisk/tmp")).unwrap();
    found.next().unwrap().unwrap().path()
}

#[tokio::test]
async fn a_file_cut_in_mid_read_is_corrupt_and_never_short() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let blob = put(&store, vec![1; 4 << 20]).await;
    let reader = store.open(&blob).await.unwrap();
    let mut body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
    body.next().await.unwrap().unwrap();
    let file = OpenOptions::new().write(true).open(store.local_path(&blob.key));
    file.unwrap().set_len(1 << 20).unwrap();
    let error = loop {
        match body.next().await.expect("it does not end as if whole") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_long_blob_is_whole_whatever_length_was_expected_and_however_it_is_written() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    const MIB: usize = 1 << 20;
    for direct_io in [true, false] {
        let config = LocalConfig::new(StoreName::parse("primary").unwrap(), folder.path());
        let store = LocalStore::open(config.with_direct_io(direct_io)).await.unwrap();
        for (len, expected) in [
            (9 * MIB + 1, 9 * MIB + 1),
            (8 * MIB, 8 * MIB),
            (5 * MIB + 4096, 64 * MIB),
            (9 * MIB + 4097, 4 * MIB),
            (0, 5 * MIB),
        ] {
            let bytes: Vec<u8> = (0..len).map(|number| (number % 251) as u8).collect();
            let key = BlobKey::generate(&RandomIds);
            let options = CreateOptions::default().with_expected_bytes(expected as u64);
            let mut writer = store.create(&key, options).await.unwrap();
            for piece in bytes.chunks(70_001) {
                writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            assert_eq!(writer.commit().await.unwrap().len_bytes, len as u64);
            let path = store.local_path(&key);
            assert!(std::fs::read(&path).unwrap() == bytes, "{len} of {expected}");
            let taken_bytes = std::os::unix::fs::MetadataExt::blocks(&path.metadata().unwrap()) * 512;
            assert!(
                taken_bytes <= (len + MIB) as u64,
                "{len} bytes take {taken_bytes} of the disk"
            );
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_cached_come_from_the_disk() {
    // Not the system's temporary folder, which may be in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = store(folder.path()).await;
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|number| (number % 251) as u8).collect();
    let blob = put(&store, bytes.clone()).await;
    let file = File::open(store.local_path(&blob.key)).unwrap();
    let reader = store.open(&blob).await.unwrap();
    for (start, end) in [(0, 3_000_001), (1_000_000, 1_000_001), (2_999_990, 3_000_001)] {
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let mut byte = [0];
        let cached = rustix::io::preadv2(
            &file,
            &mut [std::io::IoSliceMut::new(&mut byte)],
            start,
            rustix::io::ReadWriteFlags::NOWAIT,
        );
        assert_eq!(
            cached,
            Err(rustix::io::Errno::AGAIN),
            "nothing is cached at {start}"
        );
        let body = reader.read(Span::new(start, end).unwrap()).await.unwrap();
        let found = body.collect(bytes.len()).await.unwrap();
        assert!(found == bytes[start as usize..end as usize], "{start}..{end}");
    }
}

#[test]
fn a_killed_process_loses_no_committed_blob_and_leaves_nothing_that_shows() {
    const ROOT: &str = "CAMPUSDISK_TEST_KILLED_ROOT";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(root) = std::env::var_os(ROOT) {
        return runtime.block_on(commit_for_ever(Path::new(&root)));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_killed_process_loses_no_committed_blob_and_leaves_nothing_that_shows")
        .env(ROOT, folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let committed: Vec<BlobKey> = lines
        .filter_map(|line| line.unwrap().strip_prefix("committed ")?.parse().ok())
        .take(20)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(committed.len(), 20, "it was killed while it went on");
    runtime.block_on(async {
        let store = store(folder.path()).await;
        // The second writer of the killed process was open all the time.
        assert!(store.tidy(Duration::ZERO).await.unwrap() >= 1);
        let listed: Vec<_> = store.list("", None).map(|blob| blob.unwrap()).collect().await;
        for key in &committed {
            assert!(listed.iter().any(|blob| blob.key == *key), "{key} is lost");
        }
        for blob in listed {
            let path = store.local_path(&blob.key);
            assert!(
                std::fs::read(path).unwrap() == vec![1; 100_000],
                "half a blob shows"
            );
        }
    });
}

async fn commit_for_ever(root: &Path) {
    let store = store(root).await;
    let open = BlobKey::generate(&RandomIds);
    let mut open = store.create(&open, CreateOptions::default()).await.unwrap();
    loop {
        open.write(Bytes::from_static(b"never committed")).await.unwrap();
        println!("committed {}", put(&store, vec![1; 100_000]).await.key);
    }
}

#[tokio::test]
async fn a_file_of_another_length_at_commit_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let key = BlobKey::generate(&RandomIds);
    let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
    for _ in 0..3 {
        writer.write(Bytes::from(vec![1; 1 << 20])).await.unwrap();
    }
    let file = OpenOptions::new().write(true).open(temporary(folder.path()));
    file.unwrap().set_len(10 << 20).unwrap();
    let error = writer.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(store.list("", None).next().await.is_none());
}

#[tokio::test]
async fn tidy_removes_what_a_dead_process_left_and_spares_an_old_writer_that_lives() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let key = BlobKey::generate(&RandomIds);
    let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
    let long_ago = SystemTime::now() - 2 * HOUR;
    let living = temporary(folder.path());
    File::open(&living).unwrap().set_modified(long_ago).unwrap();
    // A killed process leaves the file and the system takes its lock away.
    let temporaries = folder.path().join(".campusdisk/tmp");
    let dead = temporaries.join(format!("{key}-{}.part", "0".repeat(32)));
    let young = temporaries.join(format!("{key}-{}.part", "1".repeat(32)));
    let foreign = temporaries.join("notes.part");
    for path in [&dead, &young, &foreign] {
        std::fs::write(path, "half a blob").unwrap();
    }
    for path in [&dead, &foreign] {
        File::open(path).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(store.tidy(HOUR).await.unwrap(), 1);
    assert!(!dead.exists() && young.exists() && foreign.exists());
    writer.write(Bytes::from_static(b"still here")).await.unwrap();
    writer.commit().await.expect("its file was spared");
    assert_eq!(store.tidy(Duration::ZERO).await.unwrap(), 1);
    assert!(!young.exists() && foreign.exists());
}

#[tokio::test]
async fn an_emptied_folder_that_somebody_removed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let first: BlobKey = "0a100000000000000000000000".parse().unwrap();
    let second: BlobKey = "0a100000000000000000000001".parse().unwrap();
    for key in [first, second] {
        let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
        writer.write(Bytes::from_static(b"x")).await.unwrap();
        writer.commit().await.unwrap();
        store.delete(&[key]).await.unwrap();
        std::fs::remove_dir_all(folder.path().join("0a")).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_identity_is_nobodys_and_refuses_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    std::fs::write(folder.path().join(".campusdisk/identity"), "").unwrap();
    let error = store.claim(InstallationId::from_u128(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_root_that_is_a_file_says_so_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let config = LocalConfig::new(StoreName::parse("primary").unwrap(), path);
    let error = LocalStore::open(config).await.unwrap_err();
    assert_eq!(error.operation(), Some("open store"));
}
