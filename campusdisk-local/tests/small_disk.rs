//! What happens on a disk that is full or read-only: a real one of 32 MiB, mounted in a namespace of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::storage::{
    BlobKey, BlobRef, BlobStore, CreateOptions, HealthFacts, StoreName, ask_health,
};
use campusdisk_core::{ErrorKind, InstallationId, RandomIds, Result, Span};
use campusdisk_local::{LocalConfig, LocalStore};
use campusdisk_testkit::small_disk::on_a_small_disk;

const MIB: usize = 1 << 20;
async fn store(root: &Path, reserve_bytes: u64) -> LocalStore {
    let name = StoreName::parse("primary").unwrap();
    LocalStore::open(LocalConfig::new(name, root).with_reserve_bytes(reserve_bytes))
        .await
        .unwrap()
}

async fn put(store: &LocalStore, len_bytes: usize) -> Result<BlobRef> {
    let key = BlobKey::generate(&RandomIds);
    let mut writer = store.create(&key, CreateOptions::default()).await?;
    let piece = Bytes::from(vec![7; MIB]);
    for start in (0..len_bytes).step_by(MIB) {
        writer.write(piece.slice(..MIB.min(len_bytes - start))).await?;
    }
    let len_bytes = writer.commit().await?.len_bytes;
    Ok(BlobRef { key, len_bytes })
}

async fn put_until_refused(store: &LocalStore) -> (Vec<BlobRef>, campusdisk_core::Error) {
    let mut blobs = Vec::new();
    loop {
        match put(store, MIB).await {
            Ok(blob) => blobs.push(blob),
            Err(error) => return (blobs, error),
        }
        assert!(blobs.len() <= 32, "a disk of 32 MiB took more");
    }
}

async fn assert_reads(store: &LocalStore, blob: &BlobRef) {
    let reader = store.open(blob).await.unwrap();
    let body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
    let bytes = body.collect(64 * MIB).await.unwrap();
    assert!(bytes.iter().all(|byte| *byte == 7));
}

fn free_bytes(root: &Path) -> u64 {
    let facts = rustix::fs::statvfs(root).unwrap();
    facts.f_bavail * facts.f_frsize
}

#[test]
fn uploads_leave_the_reserve_free_and_deleting_makes_room() {
    on_a_small_disk(
        "uploads_leave_the_reserve_free_and_deleting_makes_room",
        32,
        async |root| {
            let reserve_bytes = 10 * MIB as u64;
            let store = store(root, reserve_bytes).await;
            let (blobs, error) = put_until_refused(&store).await;
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
            assert!(error.message().contains("reserve_bytes"), "{error}");
            assert!(blobs.len() >= 20, "only {} fitted", blobs.len());
            // The last one began above the reserve and took 1 MiB.
            assert!(free_bytes(root) >= reserve_bytes - MIB as u64);
            let big = CreateOptions::default().with_expected_bytes(1 << 30);
            let refused = store.create(&BlobKey::generate(&RandomIds), big).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::LimitExceeded);
            for blob in &blobs {
                assert_reads(&store, blob).await;
            }
            let keys: Vec<_> = blobs.iter().take(3).map(|blob| blob.key).collect();
            let report = store.delete(&keys).await.unwrap();
            assert!(report.iter().all(|entry| entry.outcome.is_ok()));
            put(&store, MIB)
                .await
                .expect("there is room above the reserve again");
        },
    );
}

#[test]
fn a_disk_that_fills_up_in_mid_write_loses_nothing_else() {
    on_a_small_disk(
        "a_disk_that_fills_up_in_mid_write_loses_nothing_else",
        32,
        async |root| {
            let store = store(root, 0).await;
            let kept = put(&store, 4 * MIB).await.unwrap();
            let error = put(&store, 64 * MIB).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
            assert!(error.message().contains("full"), "{error}");
            assert_reads(&store, &kept).await;
            // The failed writer was dropped; its bytes are gone once the pool has closed the file, which the next tasks see.
            while free_bytes(root) < 20 * MIB as u64 {
                store.tidy(Duration::ZERO).await.unwrap();
            }
            let after = put(&store, 16 * MIB).await.unwrap();
            assert_reads(&store, &after).await;
        },
    );
}

#[test]
fn a_disk_without_a_free_byte_still_reads_deletes_and_tidies() {
    on_a_small_disk(
        "a_disk_without_a_free_byte_still_reads_deletes_and_tidies",
        32,
        async |root| {
            let store = store(root, 0).await;
            let (kept, gone) = (put(&store, MIB).await.unwrap(), put(&store, MIB).await.unwrap());
            let filler = std::fs::write(root.join("filler"), vec![0; 64 * MIB]);
            assert_eq!(filler.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
            assert_eq!(free_bytes(root), 0);
            let error = put(&store, 1).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
            assert_reads(&store, &kept).await;
            store.tidy(Duration::ZERO).await.unwrap();
            let report = store.delete(&[gone.key]).await.unwrap();
            assert!(report[0].outcome.is_ok());
            put(&store, 1000).await.expect("a deleted blob made room");
        },
    );
}

#[test]
fn a_read_only_disk_is_denied_for_writing_and_good_for_reading() {
    on_a_small_disk(
        "a_read_only_disk_is_denied_for_writing_and_good_for_reading",
        32,
        async |root| {
            let store = store(root, 0).await;
            let blob = put(&store, MIB).await.unwrap();
            let remount = Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(root)
                .status();
            assert!(remount.unwrap().success());
            let error = put(&store, 1).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
            assert!(error.message().contains("read-only"), "{error}");
            let claim = store.claim(InstallationId::from_u128(1)).await;
            assert_eq!(claim.unwrap_err().kind(), ErrorKind::Denied);
            let report = store.delete(&[blob.key]).await.unwrap();
            let outcome = report[0].outcome.as_ref();
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Denied);
            assert_reads(&store, &blob).await;
        },
    );
}

#[test]
fn without_its_disk_a_store_is_unavailable_and_not_empty() {
    on_a_small_disk(
        "without_its_disk_a_store_is_unavailable_and_not_empty",
        32,
        async |root| {
            let store = store(root, 0).await;
            let blob = put(&store, MIB).await.unwrap();
            assert!(
                Command::new("umount")
                    .arg("--lazy")
                    .arg(root)
                    .status()
                    .unwrap()
                    .success()
            );
            let read = store
                .open(&blob)
                .await
                .unwrap()
                .read(Span::new(0, 1).unwrap())
                .await;
            let listed = futures::StreamExt::next(&mut store.list("", None)).await.unwrap();
            let deleted = store.delete(&[blob.key]).await;
            for error in [read.unwrap_err(), listed.unwrap_err(), deleted.unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
                assert!(error.message().contains("mounted"), "{error}");
            }
        },
    );
}

/// That a store takes no bytes, for this reason.
#[track_caller]
fn assert_refuses(facts: &HealthFacts, word: &str) {
    assert!(!facts.takes_bytes, "{facts:?}");
    assert!(
        facts.reasons.len() == 1 && facts.reasons[0].contains(word),
        "{facts:?}"
    );
}

#[test]
fn health_tells_the_room_and_why_no_bytes_are_taken() {
    on_a_small_disk(
        "health_tells_the_room_and_why_no_bytes_are_taken",
        32,
        async |root| {
            let roomy = store(root, 0).await;
            put(&roomy, MIB).await.unwrap();
            let facts = ask_health(&roomy).await.unwrap();
            let free_bytes = free_bytes(root);
            assert!(facts.takes_bytes && facts.reasons.is_empty(), "{facts:?}");
            assert_eq!(facts.free_bytes, Some(free_bytes));
            assert_eq!(facts.total_bytes, Some(32 * MIB as u64));
            let reserved = store(root, free_bytes + 1).await;
            assert_refuses(&ask_health(&reserved).await.unwrap(), "reserve_bytes");

            let filler = std::fs::write(root.join("filler"), vec![0; 64 * MIB]);
            assert_eq!(filler.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
            assert_refuses(&ask_health(&roomy).await.unwrap(), "free space");
            std::fs::remove_file(root.join("filler")).unwrap();
            assert!(ask_health(&roomy).await.unwrap().takes_bytes);

            let remount = |option: &str| {
                let options = format!("remount,{option}");
                let done = Command::new("mount").args(["-o", &options]).arg(root).status();
                assert!(done.unwrap().success());
            };
            // The root of the disk and its two folders, the two of the blob, and the blob.
            remount("nr_inodes=6");
            assert_refuses(&ask_health(&roomy).await.unwrap(), "inodes");
            remount("nr_inodes=100,ro");
            let facts = ask_health(&roomy).await.unwrap();
            assert_refuses(&facts, "read-only");
            assert_eq!(facts.free_bytes, Some(free_bytes));

            let away = Command::new("umount").arg("--lazy").arg(root).status();
            assert!(away.unwrap().success());
            let error = ask_health(&roomy).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.message().contains("mounted"), "{error}");
        },
    );
}
