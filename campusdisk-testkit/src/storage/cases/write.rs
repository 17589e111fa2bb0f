//! B8 and B13: writing.

use bytes::Bytes;
use campusdisk_core::ErrorKind;
use campusdisk_core::storage::CreateOptions;
use futures::future::join_all;

use super::{assert_fails, assert_invisible, assert_whole};
use crate::storage::{StorageHarness, fresh_key, listed, pattern, put, read};

pub async fn b8_pieces_of_any_size_add_up(harness: &dyn StorageHarness) {
    let store = harness.store();
    let bytes = pattern(1, 400_000);
    let plans: [&[usize]; 4] = [
        &[1, 0, 1, 2, 0, 3],
        &[4096, 4095, 4097],
        &[65_536, 1, 65_535],
        &[300_000, 0, 100_000],
    ];
    for plan in plans {
        let (key, mut at) = (fresh_key(), 0);
        let mut writer = store
            .create(&key, CreateOptions::default())
            .await
            .expect("it opens");
        for len_bytes in plan {
            let piece = bytes.slice(at..at + len_bytes);
            writer.write(piece).await.expect("it takes the piece");
            at += len_bytes;
        }
        let facts = writer.commit().await.expect("it commits");
        assert_eq!(facts.len_bytes, at as u64);
        assert_whole(&*store, &key, &bytes.slice(..at)).await;
    }
}

pub async fn b8_a_big_blob_comes_back_as_written(harness: &dyn StorageHarness) {
    let (store, key) = (harness.store(), fresh_key());
    let bytes = pattern(2, harness.limits().big_blob_bytes);
    let options = CreateOptions::default().with_expected_bytes(bytes.len() as u64);
    let mut writer = store.create(&key, options).await.expect("it opens");
    for start in (0..bytes.len()).step_by(100_003) {
        let piece = bytes.slice(start..bytes.len().min(start + 100_003));
        writer.write(piece).await.expect("it takes the piece");
    }
    writer.commit().await.expect("it commits");
    assert_whole(&*store, &key, &bytes).await;
    let at_once = fresh_key();
    put(&*store, &at_once, bytes.clone())
        .await
        .expect("one piece commits too");
    assert_whole(&*store, &at_once, &bytes).await;
}

pub async fn b8_the_expected_length_is_a_hint(harness: &dyn StorageHarness) {
    let store = harness.store();
    for (expected, len_bytes) in [(10_000, 9_000), (9_000, 10_000), (1 << 20, 0), (0, 10)] {
        let (key, bytes) = (fresh_key(), pattern(3, len_bytes));
        let options = CreateOptions::default().with_expected_bytes(expected);
        let mut writer = store.create(&key, options).await.expect("it opens");
        writer.write(bytes.clone()).await.expect("it takes the bytes");
        writer.commit().await.expect("it commits what it got");
        assert_whole(&*store, &key, &bytes).await;
    }
}

pub async fn b8_a_blob_over_the_limit_is_refused_at_create(harness: &dyn StorageHarness) {
    let (store, key) = (harness.store(), fresh_key());
    let over = store.info().max_blob_bytes + 1;
    let refused = store
        .create(&key, CreateOptions::default().with_expected_bytes(over))
        .await;
    assert_fails(
        refused,
        ErrorKind::LimitExceeded,
        "creating a blob that is too long",
    );
    assert_invisible(&*store, &key).await;
}

pub async fn b8_many_writers_work_at_once(harness: &dyn StorageHarness) {
    let writers = (0..harness.limits().calls_at_once as u64).map(|seed| {
        let store = harness.store();
        tokio::spawn(async move {
            let (key, bytes) = (fresh_key(), pattern(seed, 30_000 + seed as usize));
            let mut writer = store
                .create(&key, CreateOptions::default())
                .await
                .expect("it opens");
            for start in (0..bytes.len()).step_by(7000) {
                let piece = bytes.slice(start..bytes.len().min(start + 7000));
                writer.write(piece).await.expect("it takes the piece");
            }
            writer.commit().await.expect("it commits");
            assert_whole(&*store, &key, &bytes).await;
        })
    });
    for outcome in join_all(writers).await {
        outcome.expect("every writer works");
    }
}

pub async fn b13_an_empty_blob_is_a_blob(harness: &dyn StorageHarness) {
    let store = harness.store();
    let (unwritten, written) = (fresh_key(), fresh_key());
    let writer = store
        .create(&unwritten, CreateOptions::default())
        .await
        .expect("it opens");
    let facts = writer.commit().await.expect("it commits");
    assert_eq!(facts.len_bytes, 0);
    let blob = put(&*store, &written, Bytes::new()).await.expect("it commits");
    for store in [harness.store(), harness.reopen().await.expect("it reopens")] {
        for key in [unwritten, written] {
            assert_whole(&*store, &key, &Bytes::new()).await;
        }
    }
    let first = campusdisk_core::Span::new(0, 1).expect("it is not empty");
    assert_fails(
        read(&*store, &blob, first).await,
        ErrorKind::Corrupt,
        "reading an empty blob",
    );
    let taken = put(&*store, &written, Bytes::new()).await;
    assert_fails(
        taken,
        ErrorKind::AlreadyExists,
        "a second commit of an empty blob",
    );
    store.delete(&[unwritten, written]).await.expect("it deletes");
    assert!(listed(&*store, "", None).await.expect("it lists").is_empty());
}
