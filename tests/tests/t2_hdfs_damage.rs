//! What a disk or a DataNode does to bytes that lie on HDFS already: replicas damaged or gone, a node that hangs while it is
//! read from; and a quota that leaves no room for more. Wrong bytes never come back, and bytes that can't be had end in an error.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use campusdisk_core::storage::{BlobRef, BlobStore};
use campusdisk_core::{ByteBody, Error, ErrorKind, Span};
use campusdisk_hdfs::{HdfsStore, WritePath};
use campusdisk_testkit::storage::{fresh_key, listed, pattern, put};
use campusdisk_tests::hdfs::{
    HdfsCluster, HdfsNode, assert_same, client, fresh_root, hall_store, on_cluster, path_of, placed, store,
    store_with, unfinished, until,
};
use campusdisk_tests::{Hall, sha256_hex};
use futures::StreamExt as _;

const MIB: usize = 1 << 20;

/// The cluster's blocks, and the parts of a hall's uploads.
const BLOCK_BYTES: usize = 16 * MIB;

/// How long nothing may come before a reader looks elsewhere.
const GAP: Duration = Duration::from_secs(2);

/// More than a reader has asked for at once.
const AHEAD_BYTES: usize = 12 * MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_damaged_on_disk_are_passed_over_for_one_that_is_whole() {
    on_cluster(async |cluster| {
        let (root, store) = store(WritePath::Auto);
        let bytes = pattern(11, 5 * MIB);
        let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        let replicas = replicas(cluster, &path_of(&root, &blob.key)).await;
        let damaged = 3 * MIB + 5;
        // A reader begins with any of the three; with two of them damaged, nearly all of these meet one.
        replicas[..2].iter().for_each(|replica| flip(replica, damaged));
        for _ in 0..8 {
            assert_same(&store, &blob, &bytes).await;
        }
        // Without the third one there are no right bytes, so those above came from it.
        flip(&replicas[2], damaged);
        assert_ends_before(&store, &blob, &bytes[..damaged]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_far_into_a_long_block_is_met_by_a_quick_reader_and_passed_over() {
    on_cluster(async |cluster| {
        let (root, store) = store_with(WritePath::Auto, |config| config.block_size_bytes = 64 << 20);
        let bytes = pattern(14, 40 * MIB);
        let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        let replicas = replicas(cluster, &path_of(&root, &blob.key)).await;
        let damaged = 30 * MIB + 5;
        replicas[..2].iter().for_each(|replica| flip(replica, damaged));
        for _ in 0..4 {
            // Another store knows nothing of DataNodes that failed this one.
            let (_, fresh) = store_with(WritePath::Auto, |config| config.root.clone_from(&root));
            assert_same(&fresh, &blob, &bytes).await;
            assert!(fresh.directly_read_bytes() > bytes.len() as u64 / 2);
        }
        flip(&replicas[2], damaged);
        assert_ends_before(&store, &blob, &bytes[..damaged]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_without_replicas_ends_a_read_in_an_error_and_a_download_in_a_broken_connection() {
    on_cluster(async |cluster| {
        let root = fresh_root("hall");
        let hall = Hall::start_with(&hall_store(&root)).await;
        let ada = hall.account("ada");
        let bytes = pattern(12, 2 * BLOCK_BYTES);
        let node = ada.put(&ada.root().await, "lecture.mp4", bytes.clone()).await;
        let content = format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap());
        // A blob of one block each; the second half of the file loses its own.
        let lost = blob_of(&root, &bytes.slice(BLOCK_BYTES..)).await;
        for replica in replicas(cluster, &lost).await {
            fs::remove_file(replica).unwrap();
        }

        let mut answer = ada.request("GET", &content, &[]).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut got = Vec::new();
        let ended = loop {
            match answer.chunk().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                Ok(None) => break "as if whole",
                Err(_) => break "broken",
            }
        };
        assert_eq!(ended, "broken", "after {} bytes", got.len());
        assert!(got.len() <= BLOCK_BYTES && got[..] == bytes[..got.len()]);
        // Where the lost block is all that is asked for, nothing is sent that looks like an answer.
        let second = [("range", format!("bytes={BLOCK_BYTES}-"))];
        let second = second.each_ref().map(|(name, value)| (*name, value.as_str()));
        match ada.try_send("GET", &content, &second, "").await {
            Ok(answer) => drop(answer.expect(503)),
            Err(error) => assert!(error.is_body() || error.is_decode(), "{error:?}"),
        }
        // What lies elsewhere is as it was.
        let first = [("range", "bytes=5-9")];
        assert_eq!(
            ada.get_with(&content, &first).await.expect(206).body,
            bytes[5..10]
        );
        let removed = client().delete(&lost, false).await;
        assert!(
            removed.unwrap(),
            "or the NameNode would wait for the block after a restart"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_goes_on_when_its_datanode_hangs() {
    on_cluster(async |cluster| {
        let (_, store) = store_with(WritePath::Auto, |config| {
            config.read_gap = GAP;
            // One block, so that one DataNode would give it all.
            config.block_size_bytes = 128 << 20;
        });
        let bytes = pattern(13, 96 * MIB);
        let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        let reader = store.open(&blob).await.unwrap();
        let mut body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
        let mut got = Vec::new();
        while got.len() < bytes.len() / 4 {
            got.extend_from_slice(&body.next().await.unwrap().unwrap());
        }
        let victim = pause_source(cluster, &mut body, &mut got).await;
        let paused = Instant::now();
        while let Some(piece) = body.next().await {
            got.extend_from_slice(&piece.unwrap());
        }
        assert!(victim.is_running() && cluster.lists_as_alive(victim).await);
        assert_eq!(sha256_hex(&got), sha256_hex(&bytes));
        // One gap, and what it takes to learn where else the block is: the DataNode is not asked again.
        assert!(paused.elapsed() < GAP * 3, "it took {:?}", paused.elapsed());
        assert!(store.directly_read_bytes() > bytes.len() as u64 / 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_whose_quota_is_used_up_is_full_and_takes_blobs_again_once_there_is_room() {
    on_cluster(async |cluster| {
        for path in [WritePath::WebHdfs, WritePath::Native] {
            let (root, store) = store(path);
            let kept = pattern(1, 5000);
            let kept_blob = put(&store, &fresh_key(), kept.clone()).await.unwrap();
            // One open block of three replicas, and no second one.
            cluster.set_space_quota(&root, Some(4 * BLOCK_BYTES as u64)).await;
            let big = pattern(2, BLOCK_BYTES + 3 * MIB);
            let failure = put(&store, &fresh_key(), big.clone()).await.unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::LimitExceeded, "{path:?}: {failure:?}");
            assert!(failure.to_string().contains("quota"), "{path:?}: {failure}");
            let client = client();
            until("what was begun is deleted", async || {
                unfinished(&client, &root).await.is_empty()
            })
            .await;
            let there = listed(&store, "", None).await.unwrap();
            assert!(there.len() == 1 && there[0].key == kept_blob.key, "{there:?}");
            assert_same(&store, &kept_blob, &kept).await;
            cluster.set_space_quota(&root, None).await;
            let blob = put(&store, &fresh_key(), big.clone()).await.unwrap();
            assert_same(&store, &blob, &big).await;
        }
    })
    .await;
}

/// The files on the disks of the DataNodes that hold a file of one block.
async fn replicas(cluster: &HdfsCluster, path: &str) -> Vec<PathBuf> {
    until("every DataNode has the block", async || {
        let nodes = cluster.replicas(path).await;
        nodes.iter().all(|nodes| nodes.len() == cluster.data_nodes.len())
    })
    .await;
    let blocks = cluster.blocks(path).await;
    assert_eq!(blocks.len(), 1, "{path} has one block");
    let nodes = cluster.data_nodes.iter();
    nodes.map(|node| node.block_file(blocks[0])).collect()
}

/// The path of the blob on `root` with these bytes.
async fn blob_of(root: &str, bytes: &Bytes) -> String {
    let client = client();
    for file in placed(&client, root).await {
        let reader = client.read(&file.path).await.unwrap();
        if reader.read_range(0, file.length).await.unwrap() == *bytes {
            return file.path;
        }
    }
    panic!("no blob on {root} has these bytes")
}

/// Pauses the DataNode that a body comes from. Connections to others may be left from other tests, so it is the one without which
/// nothing comes.
async fn pause_source<'a>(cluster: &'a HdfsCluster, body: &mut ByteBody, got: &mut Vec<u8>) -> &'a HdfsNode {
    for node in cluster.sources() {
        node.pause();
        let enough = got.len() + AHEAD_BYTES;
        while got.len() < enough {
            match tokio::time::timeout(GAP / 2, body.next()).await {
                Ok(piece) => got.extend_from_slice(&piece.unwrap().unwrap()),
                Err(_) => return node,
            }
        }
        node.resume();
    }
    panic!("bytes come from somewhere");
}

/// That a blob without a whole replica yields no more than `right` bytes, and then says where to look. Deletes it.
async fn assert_ends_before(store: &HdfsStore, blob: &BlobRef, right: &[u8]) {
    let (got, failure) = read_as_far_as_it_goes(store, blob).await;
    assert!(right.starts_with(&got));
    let failure = failure.unwrap();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
    assert!(failure.to_string().contains("hdfs fsck"), "{failure}");
    store.delete(&[blob.key]).await.unwrap();
}

/// Changes one byte of a file.
fn flip(path: &Path, at: usize) {
    let at = at as u64;
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

/// The bytes of a blob before its read ends, and how it ends.
async fn read_as_far_as_it_goes(store: &HdfsStore, blob: &BlobRef) -> (Vec<u8>, Option<Error>) {
    let reader = store.open(blob).await.unwrap();
    let mut body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
    let mut got = Vec::new();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => got.extend_from_slice(&piece),
            Err(error) => return (got, Some(error)),
        }
    }
    (got, None)
}
