//! B9: what dropped futures and writers leave.

use std::time::Duration;

use campusdisk_core::storage::CreateOptions;

use super::{assert_invisible, assert_whole, cut_after};
use crate::storage::{StorageHarness, fresh_key, listed, pattern, put};

/// Tidies everything and asserts that no leftover stays.
async fn assert_tidied(harness: &dyn StorageHarness) {
    harness.store().tidy(Duration::ZERO).await.expect("it tidies");
    assert_eq!(
        harness.leftovers().await.expect("it counts"),
        0,
        "tidy removes every leftover"
    );
}

pub async fn b9_a_dropped_writer_leaves_only_what_tidy_removes(harness: &dyn StorageHarness) {
    let (store, key, bytes) = (harness.store(), fresh_key(), pattern(1, 200_000));
    for pieces in [0, 1, 3] {
        let mut writer = store
            .create(&key, CreateOptions::default())
            .await
            .expect("it opens");
        for _ in 0..pieces {
            writer.write(bytes.clone()).await.expect("it takes the bytes");
        }
        drop(writer);
        assert_invisible(&*store, &key).await;
    }
    assert!(listed(&*store, "", None).await.expect("it lists").is_empty());
    put(&*store, &key, bytes.clone())
        .await
        .expect("leftovers don't stand in the way of the key");
    assert_tidied(harness).await;
    assert_whole(&*store, &key, &bytes).await;
}

pub async fn b9_tidy_spares_open_writers_and_committed_blobs(harness: &dyn StorageHarness) {
    let (store, open, committed) = (harness.store(), fresh_key(), fresh_key());
    let bytes = pattern(2, 50_000);
    put(&*store, &committed, bytes.clone()).await.expect("it commits");
    let mut writer = store
        .create(&open, CreateOptions::default())
        .await
        .expect("it opens");
    writer.write(bytes.clone()).await.expect("it takes the bytes");
    let hour = Duration::from_secs(3600);
    let removed = harness
        .reopen()
        .await
        .expect("it reopens")
        .tidy(hour)
        .await
        .expect("it tidies");
    assert_eq!(removed, 0, "nothing here is an hour old");
    writer.write(bytes.clone()).await.expect("the writer goes on");
    writer.commit().await.expect("and commits");
    assert_tidied(harness).await;
    assert_whole(&*store, &committed, &bytes).await;
    assert_whole(&*store, &open, &[&bytes[..], &bytes[..]].concat().into()).await;
}

pub async fn b9_a_dropped_write_shows_nothing(harness: &dyn StorageHarness) {
    let store = harness.store();
    let bytes = pattern(3, harness.limits().big_blob_bytes);
    for polls in [1, 2, 5] {
        let key = fresh_key();
        let mut writer = store
            .create(&key, CreateOptions::default())
            .await
            .expect("it opens");
        let _ = cut_after(polls, writer.write(bytes.clone())).await;
        drop(writer);
        assert_invisible(&*store, &key).await;
    }
    assert_tidied(harness).await;
}

pub async fn b9_a_dropped_commit_shows_all_or_nothing(harness: &dyn StorageHarness) {
    let store = harness.store();
    for polls in [1, 2, 3, 10] {
        let (key, bytes) = (fresh_key(), pattern(4, 150_000));
        let mut writer = store
            .create(&key, CreateOptions::default())
            .await
            .expect("it opens");
        writer.write(bytes.clone()).await.expect("it takes the bytes");
        let _ = cut_after(polls, writer.commit()).await;
        // Whoever leased the key finds out what became of it, and clears it away.
        let found = listed(&*store, key.as_str(), None).await.expect("it lists");
        for blob in found {
            assert_eq!(blob.len_bytes, 150_000, "what shows is whole");
            assert_whole(&*store, &key, &bytes).await;
        }
    }
}

pub async fn b9_a_dropped_create_leaves_only_what_tidy_removes(harness: &dyn StorageHarness) {
    let store = harness.store();
    for polls in [1, 2, 4] {
        let key = fresh_key();
        drop(cut_after(polls, store.create(&key, CreateOptions::default())).await);
        assert_invisible(&*store, &key).await;
        let bytes = pattern(5, 100);
        put(&*store, &key, bytes.clone())
            .await
            .expect("the key is still free");
        assert_whole(&*store, &key, &bytes).await;
    }
    let blobs = listed(&*store, "", None).await.expect("it lists");
    assert_eq!(blobs.len(), 3);
}
