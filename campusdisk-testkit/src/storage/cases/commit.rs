//! B1–B3: commit, and what shows when.

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, BlobWriter, CreateOptions};
use campusdisk_core::{ErrorKind, Result, Span};
use futures::future::join_all;

use super::{assert_fails, assert_invisible, assert_whole};
use crate::storage::{StorageHarness, fresh_key, pattern, put, read};

pub async fn b1_an_uncommitted_blob_is_invisible(harness: &dyn StorageHarness) {
    let (store, key, bytes) = (harness.store(), fresh_key(), pattern(1, 70_000));
    let mut writer = store
        .create(&key, CreateOptions::default())
        .await
        .expect("it opens");
    assert_invisible(&*store, &key).await;
    writer.write(bytes.clone()).await.expect("it takes the bytes");
    assert_invisible(&*store, &key).await;
    let other = harness.reopen().await.expect("it reopens");
    assert_invisible(&*other, &key).await;
    writer.commit().await.expect("it commits");
    assert_whole(&*store, &key, &bytes).await;
    assert_whole(&*other, &key, &bytes).await;
}

pub async fn b1_an_aborted_blob_never_shows(harness: &dyn StorageHarness) {
    let (store, key) = (harness.store(), fresh_key());
    let mut writer = store
        .create(&key, CreateOptions::default())
        .await
        .expect("it opens");
    writer
        .write(pattern(1, 70_000))
        .await
        .expect("it takes the bytes");
    writer.abort().await.expect("it gives up");
    assert_invisible(&*store, &key).await;
    assert_eq!(
        harness.leftovers().await.expect("it counts"),
        0,
        "abort frees what it took"
    );
}

pub async fn b1_a_committed_blob_is_whole_for_everybody(harness: &dyn StorageHarness) {
    let (store, key, bytes) = (harness.store(), fresh_key(), pattern(2, 300_001));
    let other = harness.reopen().await.expect("it reopens");
    let blob = put(&*store, &key, bytes.clone()).await.expect("it commits");
    assert_eq!(blob.len_bytes, 300_001, "commit reports the length");
    assert_whole(&*store, &key, &bytes).await;
    assert_whole(&*other, &key, &bytes).await;
}

pub async fn b1_a_reader_beside_a_commit_sees_nothing_or_all(harness: &dyn StorageHarness) {
    let store = harness.store();
    for round in 0..4 {
        let (key, bytes) = (fresh_key(), pattern(round, 200_000));
        let (blob, span) = whole(&key, &bytes);
        let committer = tokio::spawn({
            let (store, bytes) = (harness.store(), bytes.clone());
            async move { put(&*store, &key, bytes).await }
        });
        while !committer.is_finished() {
            match read(&*store, &blob, span).await {
                Ok(found) => assert!(found == bytes, "a blob showed before it was whole"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}"),
            }
            tokio::task::yield_now().await;
        }
        committer.await.expect("it does not panic").expect("it commits");
        assert_whole(&*store, &key, &bytes).await;
    }
}

pub async fn b2_commit_of_a_taken_key_changes_nothing(harness: &dyn StorageHarness) {
    let (store, key, first) = (harness.store(), fresh_key(), pattern(1, 5000));
    put(&*store, &key, first.clone())
        .await
        .expect("the first commits");
    for second in [pattern(2, 5000), pattern(3, 9), Bytes::new()] {
        let taken = put(&*store, &key, second).await;
        assert_fails(taken, ErrorKind::AlreadyExists, "a second commit");
        assert_whole(&*store, &key, &first).await;
    }
    let other = harness.reopen().await.expect("it reopens");
    let taken = put(&*other, &key, pattern(4, 10)).await;
    assert_fails(taken, ErrorKind::AlreadyExists, "a commit after reopening");
    assert_whole(&*other, &key, &first).await;
}

pub async fn b2_of_two_open_writers_of_one_key_the_second_commit_fails(harness: &dyn StorageHarness) {
    let (store, key, first) = (harness.store(), fresh_key(), pattern(1, 5000));
    let mut winner = store
        .create(&key, CreateOptions::default())
        .await
        .expect("it opens");
    winner.write(first.clone()).await.expect("it takes the bytes");
    // A store may refuse the second writer at create already.
    let second = begin(&*store, &key, pattern(2, 7000)).await;
    winner.commit().await.expect("the first commits");
    match second {
        Ok(second) => assert_fails(
            second.commit().await,
            ErrorKind::AlreadyExists,
            "the second commit",
        ),
        Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}"),
    }
    assert_whole(&*store, &key, &first).await;
}

pub async fn b2_of_commits_at_once_exactly_one_wins(harness: &dyn StorageHarness) {
    let (store, key) = (harness.store(), fresh_key());
    let versions: Vec<_> = (1..=4).map(|seed| pattern(seed, 40_000)).collect();
    let racers = versions.iter().map(|bytes| {
        let (store, bytes) = (harness.store(), bytes.clone());
        tokio::spawn(async move { put(&*store, &key, bytes).await })
    });
    let mut winners = Vec::new();
    for (outcome, bytes) in join_all(racers).await.into_iter().zip(&versions) {
        match outcome.expect("it does not panic") {
            Ok(_) => winners.push(bytes),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}"),
        }
    }
    let [winner] = winners.as_slice() else {
        panic!("{} commits of one key succeeded", winners.len());
    };
    assert_whole(&*store, &key, winner).await;
}

pub async fn b3_a_committed_blob_survives_reopening(harness: &dyn StorageHarness) {
    let (key, bytes) = (fresh_key(), pattern(3, 100_003));
    put(&*harness.store(), &key, bytes.clone())
        .await
        .expect("it commits");
    for _ in 0..2 {
        let store = harness.reopen().await.expect("it reopens");
        assert_whole(&*store, &key, &bytes).await;
    }
}

async fn begin(store: &dyn BlobStore, key: &BlobKey, bytes: Bytes) -> Result<Box<dyn BlobWriter>> {
    let mut writer = store.create(key, CreateOptions::default()).await?;
    writer.write(bytes).await?;
    Ok(writer)
}

fn whole(key: &BlobKey, bytes: &Bytes) -> (BlobRef, Span) {
    let len_bytes = bytes.len() as u64;
    let blob = BlobRef { key: *key, len_bytes };
    (blob, Span::whole(len_bytes).expect("the blob is not empty"))
}
