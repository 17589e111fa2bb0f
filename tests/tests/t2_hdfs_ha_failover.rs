//! The store on HDFS while one NameNode takes over from the other. Only in a full run.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::time::Duration;

use campusdisk_core::storage::{BlobRef, BlobStore, CreateOptions, ask_health};
use campusdisk_core::{ErrorKind, Span};
use campusdisk_hdfs::HdfsStore;
use campusdisk_testkit::storage::{fresh_key, pattern, put, read};
use campusdisk_tests::hdfs::{assert_same, on_pair, until, write};
use campusdisk_tests::sha256_hex;
use futures::StreamExt;

const MIB: usize = 1 << 20;

/// Two blocks.
const BLOB_BYTES: usize = 32 * MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_and_a_read_under_way_outlive_a_graceful_failover() {
    on_pair(async |pair| {
        let store = pair.store(|_| {});
        let (active, standby) = pair.active_and_standby().await;
        let (old, new) = (pattern(1, BLOB_BYTES), pattern(2, BLOB_BYTES));
        let blob = put(&store, &fresh_key(), old.clone()).await.unwrap();

        let reader = store.open(&blob).await.unwrap();
        let mut body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
        let mut got = Vec::new();
        let key = fresh_key();
        let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
        write(&mut *writer, &new.slice(..BLOB_BYTES / 2)).await;
        while got.len() < BLOB_BYTES / 2 {
            got.extend_from_slice(&body.next().await.unwrap().unwrap());
        }

        let others = small_blobs(&store, pair.fail_over(active, standby)).await;
        assert!(others > 0, "something was written and read meanwhile");
        assert!(pair.is(active, "standby").await, "it was graceful");

        write(&mut *writer, &new.slice(BLOB_BYTES / 2..)).await;
        let facts = writer.commit().await.unwrap();
        while let Some(piece) = body.next().await {
            got.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(sha256_hex(&got), sha256_hex(&old));
        let written = BlobRef {
            key,
            len_bytes: facts.len_bytes,
        };
        assert_same(&store, &written, &new).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_there_and_more_comes_after_the_active_namenode_is_killed() {
    on_pair(async |pair| {
        let store = pair.store(|_| {});
        let (active, standby) = pair.active_and_standby().await;
        let bytes = pattern(3, BLOB_BYTES);
        let before = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        let key = fresh_key();
        let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
        write(&mut *writer, &bytes.slice(..BLOB_BYTES / 2)).await;

        active.kill();
        let others = small_blobs(&store, pair.fail_over(active, standby)).await;
        assert!(others > 0, "nobody was refused, however long it took");

        write(&mut *writer, &bytes.slice(BLOB_BYTES / 2..)).await;
        let facts = writer.commit().await.unwrap();
        let meanwhile = BlobRef {
            key,
            len_bytes: facts.len_bytes,
        };
        let after = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        for blob in [before, meanwhile, after] {
            assert_same(&store, &blob, &bytes).await;
        }
        let health = ask_health(&store).await.unwrap();
        assert!(health.takes_bytes, "{health:?}");
        assert_eq!(health.figure("live_nodes"), Some(3));

        active.start().await;
        until("the killed one is back", async || {
            pair.is(active, "standby").await
        })
        .await;
        assert!(pair.is(standby, "active").await);
        assert_same(&store, &before, &bytes).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_namenode_hung_the_other_one_is_asked() {
    on_pair(async |pair| {
        let store = pair.store(|config| config.rpc_timeout = Duration::from_secs(2));
        let (active, standby) = pair.active_and_standby().await;
        let bytes = pattern(4, 2 * MIB);
        let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        active.pause();
        pair.fail_over(active, standby).await;
        let whole = Span::whole(blob.len_bytes).unwrap();
        let mut silent = 0;
        while let Err(hung) = read(&store, &blob, whole).await {
            assert_eq!(hung.kind(), ErrorKind::Unavailable, "{hung:?}");
            silent += 1;
            // The new client may begin with the one that hangs, but the next one does not.
            assert!(silent <= 2, "{hung:?}");
        }
        assert!(silent > 0, "it hung");
        assert_same(&store, &blob, &bytes).await;
        let another = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        assert_same(&store, &another, &bytes).await;
        // One that went on would believe itself active until its first edit.
        active.kill();
    })
    .await;
}

/// Writes and reads small blobs, which all must succeed, until `done`, and says how many.
async fn small_blobs(store: &HdfsStore, done: impl Future<Output = ()>) -> u64 {
    let (ended, mut end) = tokio::sync::watch::channel(false);
    let blobs = async {
        let mut count = 0;
        while !*end.borrow_and_update() {
            let bytes = pattern(100 + count, 10_000);
            let blob = put(store, &fresh_key(), bytes.clone()).await.unwrap();
            assert_same(store, &blob, &bytes).await;
            count += 1;
        }
        count
    };
    let done = async {
        done.await;
        ended.send_replace(true);
    };
    tokio::join!(blobs, done).0
}
