//! The store on HDFS against a NameNode and three DataNodes.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::time::{Duration, Instant};

use campusdisk_core::storage::{BlobRef, BlobStore, CreateOptions};
use campusdisk_core::{Error, ErrorKind, IdSource as _, InstallationId, RandomIds, Span};
use campusdisk_hdfs::{HdfsConfig, HdfsStore, WritePath};
use campusdisk_testkit::storage::{StorageHarness, fresh_key, listed, pattern, put, read};
use campusdisk_testkit::storage_conformance;
use campusdisk_tests::hdfs::{HdfsHarness, client, path_of, store, store_with, until};

storage_conformance!(hdfs, HdfsHarness::fresh("/hdfs"));

#[tokio::test]
async fn a_writer_killed_in_mid_write_leaves_a_file_that_tidy_removes() {
    let harness = HdfsHarness::fresh("/hdfs");
    let store = harness.store();
    let mut writer = store
        .create(&fresh_key(), CreateOptions::default())
        .await
        .unwrap();
    writer.write(pattern(1, 3 << 20)).await.unwrap();
    // As a kill would: nothing of the writer runs any more.
    std::mem::forget(writer);
    until("what was written is being sent", async || {
        harness.leftovers().await.unwrap() == 1
    })
    .await;
    assert_eq!(store.tidy(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.tidy(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(harness.leftovers().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_over_several_blocks_and_windows_is_whole() {
    let harness = HdfsHarness::fresh("/hdfs");
    let store = harness.store();
    let bytes = pattern(3, (5 << 20) + 1234);
    let blob = put(&*store, &fresh_key(), bytes.clone()).await.unwrap();
    for (start, end) in [
        (0, bytes.len()),
        ((1 << 20) - 1, (4 << 20) + 1),
        (777, bytes.len() - 1),
    ] {
        let span = Span::new(start as u64, end as u64).unwrap();
        assert!(read(&*store, &blob, span).await.unwrap() == bytes.slice(start..end));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_quick_reader_takes_of_a_long_span_comes_from_the_datanodes_whole() {
    let (_, store) = store(WritePath::Auto);
    // Three blocks of 16 MiB, the last of which ends within a chunk of 512 bytes.
    let bytes = pattern(4, (44 << 20) + 777);
    let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
    for (start, end) in [
        (0, bytes.len()),
        // In the middle of chunks, one byte before and after the end of a block.
        ((1 << 20) - 3, (32 << 20) + 1),
        ((16 << 20) - 1, bytes.len() - 5),
    ] {
        let before = store.directly_read_bytes();
        let span = Span::new(start as u64, end as u64).unwrap();
        assert!(read(&store, &blob, span).await.unwrap() == bytes.slice(start..end));
        let direct = store.directly_read_bytes() - before;
        // Who is quick is known after 8 MiB; the client library may read the last 4 MiB of a block.
        assert!(direct >= 8 << 20, "{direct} of {} bytes", end - start);
    }
}

#[tokio::test]
async fn a_folder_in_a_blobs_place_is_no_missing_blob() {
    let harness = HdfsHarness::fresh("/hdfs");
    let store = harness.store();
    let key = fresh_key();
    let (outer, inner) = key.folders();
    harness
        .plant(&format!("{outer}/{inner}/{key}/inside"), pattern(1, 1))
        .await
        .unwrap();
    let blob = BlobRef { key, len_bytes: 1 };
    let failure = read(&*store, &blob, Span::new(0, 1).unwrap()).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Internal, "{failure:?}");
    assert!(listed(&*store, "", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deleted_blob_lies_in_the_trash_of_its_user_where_that_is_wanted() {
    const HOME: &str = "/user/trash-test";
    let cluster = client();
    cluster.mkdirs(HOME, 0o755, true).await.unwrap();
    cluster.set_owner(HOME, Some("trash-test"), None).await.unwrap();
    let (root, store) = store_with(WritePath::Auto, |config| {
        config.root = format!("{HOME}{}", config.root);
        config.user = Some("trash-test".to_owned());
        config.trash = true;
    });
    store
        .claim(InstallationId::from_u128(RandomIds.random()))
        .await
        .unwrap();
    let bytes = pattern(4, 100_000);
    let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
    for _ in 0..2 {
        let deleted = store.delete(&[blob.key]).await.unwrap();
        assert!(deleted[0].outcome.is_ok(), "{deleted:?}");
    }
    let gone = read(&store, &blob, Span::new(0, 1).unwrap()).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone:?}");
    assert!(listed(&store, "", None).await.unwrap().is_empty());
    let trashed = format!("{HOME}/.Trash/Current{HOME}{}", path_of(&root, &blob.key));
    let file = cluster.read(&trashed).await.unwrap();
    assert_eq!(file.read_range(0, file.file_length()).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_namenode_that_is_not_there_is_unavailable_for_every_call() {
    let mut config = HdfsHarness::config("/hdfs", "/nowhere");
    config.conf_dir = None;
    // Port 9 is the discard service, which nobody runs.
    config.url = Some("hdfs://127.0.0.1:9".to_owned());
    let config = config.with_option("dfs.client.failover.max.attempts", "1");
    assert_every_call_fails(config, Duration::from_secs(8)).await;
}

#[tokio::test]
async fn a_namenode_that_says_nothing_is_unavailable_within_the_limit() {
    // Connections are accepted by the system, and nobody ever reads them: as of a stopped process.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = HdfsHarness::config("/hdfs", "/nowhere");
    config.conf_dir = None;
    config.url = Some(format!("hdfs://{}", silent.local_addr().unwrap()));
    config.rpc_timeout = Duration::from_millis(300);
    assert_every_call_fails(config, Duration::from_secs(10)).await;
}

async fn assert_every_call_fails(config: HdfsConfig, limit: Duration) {
    let store = HdfsStore::connect(config).unwrap();
    let key = fresh_key();
    let blob = BlobRef { key, len_bytes: 5 };
    let started = Instant::now();
    let failures: [Error; 4] = [
        put(&store, &key, pattern(1, 5)).await.unwrap_err(),
        read(&store, &blob, Span::new(0, 5).unwrap()).await.unwrap_err(),
        listed(&store, "", None).await.unwrap_err(),
        store.delete(&[key]).await.unwrap_err(),
    ];
    for failure in failures {
        assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
    }
    assert!(started.elapsed() < limit, "it took {:?}", started.elapsed());
}

#[tokio::test]
async fn a_user_without_rights_is_denied() {
    let harness = HdfsHarness::fresh("/hdfs");
    put(&*harness.store(), &fresh_key(), pattern(1, 5)).await.unwrap();
    let config = HdfsHarness::config("/hdfs", &harness.config.root).with_user("nobody-of-note");
    let store = HdfsStore::connect(config).unwrap();
    let failure = put(&store, &fresh_key(), pattern(1, 5)).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Denied, "{failure:?}");
    let cause = std::error::Error::source(&failure).unwrap().to_string();
    assert!(!cause.contains('\n'), "the cause has no stack trace: {cause}");
    // The answer comes while bytes are still being sent.
    let failure = put(&store, &fresh_key(), pattern(1, 6 << 20)).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Denied, "{failure:?}");
}
