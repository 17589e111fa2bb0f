//! The store on HDFS while nodes of the cluster die, hang and come back. Three DataNodes and three replicas, so that every
//! node has to do with every blob; and when a node counts as dead is left at Hadoop's defaults.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::time::{Duration, Instant};

use campusdisk_core::storage::{BlobRef, BlobStore, CreateOptions, HealthFacts, ask_health};
use campusdisk_core::{ErrorKind, IdSource as _, InstallationId, RandomIds, Span};
use campusdisk_hdfs::{HdfsStore, WritePath};
use campusdisk_testkit::storage::{fresh_key, listed, pattern, put, read};
use campusdisk_tests::hdfs::{
    HdfsCluster, HdfsNode, assert_same, client, fresh_root, hall_store, on_cluster, path_of, placed, store,
    store_with, unfinished, until, write,
};
use campusdisk_tests::{Hall, Upload, sha256_hex};
use futures::StreamExt;
use futures::future::join_all;

const MIB: usize = 1 << 20;

/// Several blocks of 16 MiB.
const BLOB_BYTES: usize = 96 * MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_datanode_that_takes_an_upload_is_killed_in_the_middle_of_it() {
    on_cluster(async |cluster| {
        let store = upload_while_killing(cluster, WritePath::WebHdfs, BLOB_BYTES, |cluster| {
            cluster.coordinators()[0]
        })
        .await;
        assert!(store.resent() > 0, "what it had taken was lost");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_datanode_behind_it_is_killed_in_the_middle_of_an_upload() {
    on_cluster(async |cluster| {
        let store = upload_while_killing(cluster, WritePath::WebHdfs, BLOB_BYTES, bystander).await;
        assert_eq!(store.resent(), 0, "Hadoop's client went on without it");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_http_an_upload_outlives_a_killed_datanode_too() {
    on_cluster(async |cluster| {
        // Each block must be lucky, so there are few.
        let store = upload_while_killing(cluster, WritePath::Native, 40 * MIB, |cluster| {
            &cluster.data_nodes[0]
        })
        .await;
        assert!(store.resent() > 0, "what was written was lost");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_begin_right_after_a_kill_succeed_at_once() {
    on_cluster(async |cluster| {
        let (root, store) = store(WritePath::Auto);
        let victim = &cluster.data_nodes[1];
        victim.kill();
        assert!(
            cluster.lists_as_alive(victim).await,
            "the NameNode has not noticed"
        );
        let uploads = (0..8).map(|seed| upload_of(&store, seed, 20 * MIB + 4321));
        let together = join_all(uploads).await;
        let resent = store.resent();
        for seed in 8..20 {
            let blob = upload_of(&store, seed, 2 * MIB).await;
            assert_survives(cluster, &root, &blob, victim).await;
        }
        // Whoever met the dead node first told the others.
        let learnt = u64::from(resent == 0);
        assert!(
            store.resent() - resent <= learnt,
            "{} after {resent}",
            store.resent()
        );
        for blob in &together {
            assert_survives(cluster, &root, blob, victim).await;
        }
        assert!(
            cluster.lists_as_alive(victim).await,
            "the NameNode still has not noticed"
        );
        assert_eq!(store.under_replicated(), 0);
    })
    .await;
}

/// One put of its own bytes, which must succeed at its first call and come back the same.
async fn upload_of(store: &HdfsStore, seed: u64, len_bytes: usize) -> BlobRef {
    let bytes = pattern(seed, len_bytes);
    let blob = put(store, &fresh_key(), bytes.clone()).await.unwrap();
    assert_same(store, &blob, &bytes).await;
    blob
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quicker_way_is_left_when_a_datanode_is_killed_in_the_middle_of_it() {
    on_cluster(async |cluster| {
        let store = upload_while_killing(cluster, WritePath::Auto, BLOB_BYTES, |cluster| {
            &cluster.data_nodes[1]
        })
        .await;
        assert!(store.resent() > 0, "what the client library had sent was lost");
        let resent = store.resent();
        for seed in 0..4 {
            upload_of(&store, seed, 2 * MIB).await;
        }
        assert_eq!(store.resent(), resent, "the dead node is known");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_go_on_when_a_datanode_hangs() {
    uploads_while_one_hangs(WritePath::WebHdfs, |cluster| cluster.coordinators()[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_by_the_quicker_way_go_on_when_a_datanode_hangs() {
    uploads_while_one_hangs(WritePath::Auto, |cluster| &cluster.data_nodes[0]).await;
}

async fn uploads_while_one_hangs(path: WritePath, victim: impl Fn(&HdfsCluster) -> &HdfsNode) {
    on_cluster(async |cluster| {
        let (root, store) = store_with(path, |config| {
            config.write_gap = Duration::from_secs(3);
            // One block each: for every block of a file Hadoop's client may wait for the hanging node anew.
            config.block_size_bytes = 64 << 20;
        });
        let uploads = [1, 2].map(|seed| (fresh_key(), pattern(seed, 32 * MIB)));
        let mut writers = Vec::new();
        for (key, bytes) in &uploads {
            let mut writer = store.create(key, CreateOptions::default()).await.unwrap();
            write(&mut *writer, &bytes.slice(..20 * MIB)).await;
            writers.push(writer);
        }
        await_files(&root, 2, 0).await;
        // One of the two writers, or both, speak to this one; it is behind the other.
        let victim = victim(cluster);
        victim.pause();
        let ends = writers
            .into_iter()
            .zip(&uploads)
            .map(async |(mut writer, (_, bytes))| {
                write(&mut *writer, &bytes.slice(20 * MIB..)).await;
                writer.commit().await.unwrap();
            });
        join_all(ends).await;
        assert!(
            cluster.lists_as_alive(victim).await,
            "the NameNode has not noticed"
        );
        for (key, bytes) in &uploads {
            let blob = BlobRef {
                key: *key,
                len_bytes: bytes.len() as u64,
            };
            assert_survives(cluster, &root, &blob, victim).await;
            assert_same(&store, &blob, bytes).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_the_hall_does_not_notice_a_killed_datanode() {
    on_cluster(async |cluster| {
        let root = fresh_root("hall");
        let hall = Hall::start_with(&hall_store(&root)).await;
        let ada = hall.account("ada");
        let bytes = pattern(9, BLOB_BYTES);
        let upload = Upload::create(&ada, &ada.root().await, "lecture.mp4", bytes.len()).await;
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let patch = tokio::spawn({
            let (upload, body) = (upload.clone(), reqwest::Body::wrap_stream(receiver));
            async move { upload.patch(0, body).await }
        });
        let hand_over = |range: std::ops::Range<usize>| {
            for start in range.step_by(MIB) {
                let piece = Ok::<_, std::io::Error>(bytes.slice(start..start + MIB));
                sender.unbounded_send(piece).unwrap();
            }
        };
        hand_over(0..BLOB_BYTES / 2);
        let client = client();
        until("a part is stored", async || {
            let mut parts = placed(&client, &root).await.into_iter();
            parts.any(|file| file.length == 16 * MIB)
        })
        .await;
        assert!(!patch.is_finished());
        let victim = &cluster.data_nodes[2];
        victim.kill();
        hand_over(BLOB_BYTES / 2..BLOB_BYTES);
        sender.close_channel();
        let stored = patch.await.unwrap().expect(204);
        assert_eq!(stored.header("upload-offset"), BLOB_BYTES.to_string());
        assert!(cluster.lists_as_alive(victim).await);
        let entries = ada
            .get(&format!("/api/v1/nodes/{}/children", ada.root().await))
            .await
            .expect(200)
            .json();
        let node = entries["items"][0]["id"].as_str().unwrap();
        let content = ada
            .get(&format!("/api/v1/nodes/{node}/content"))
            .await
            .expect(200);
        assert_eq!(sha256_hex(&content.body), sha256_hex(&bytes));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_goes_on_when_its_datanode_is_killed() {
    on_cluster(async |cluster| {
        let (_, store) = store(WritePath::Auto);
        let bytes = pattern(5, BLOB_BYTES);
        let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        let reader = store.open(&blob).await.unwrap();
        let mut body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
        let mut got = Vec::new();
        while got.len() < BLOB_BYTES / 3 {
            got.extend_from_slice(&body.next().await.unwrap().unwrap());
        }
        let sources = cluster.sources();
        assert!(!sources.is_empty(), "bytes come from somewhere");
        sources[0].kill();
        while let Some(piece) = body.next().await {
            got.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(sha256_hex(&got), sha256_hex(&bytes));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namenode_that_hangs_is_unavailable_until_it_goes_on() {
    const RPC_LIMIT: Duration = Duration::from_secs(2);
    on_cluster(async |cluster| {
        let (_, store) = store_with(WritePath::Auto, |config| config.rpc_timeout = RPC_LIMIT);
        let blob = put(&store, &fresh_key(), pattern(1, 5000)).await.unwrap();
        cluster.name_node.pause();
        let started = Instant::now();
        let failures = [
            put(&store, &fresh_key(), pattern(2, 5000)).await.unwrap_err(),
            put(&store, &fresh_key(), pattern(3, 2 * MIB)).await.unwrap_err(),
            read(&store, &blob, Span::new(0, 5).unwrap()).await.unwrap_err(),
            listed(&store, "", None).await.unwrap_err(),
            store.delete(&[fresh_key()]).await.unwrap_err(),
            store.tidy(Duration::ZERO).await.unwrap_err(),
        ];
        let took = started.elapsed();
        cluster.name_node.resume();
        for failure in &failures {
            assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
        }
        // Reading takes itself up again four times, with up to 1 s between.
        let limit = RPC_LIMIT * (failures.len() as u32 + 4) + Duration::from_secs(5);
        assert!(took < limit, "it took {took:?}");
        let bytes = pattern(4, 5000);
        let blob = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        assert_same(&store, &blob, &bytes).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn safe_mode_is_unavailable_and_named() {
    on_cluster(async |cluster| {
        for path in [WritePath::Auto, WritePath::Native] {
            let (_, store) = store(path);
            let installation = InstallationId::from_u128(RandomIds.random());
            store.claim(installation).await.unwrap();
            cluster.set_safe_mode("enter");
            let claimed = store.claim(installation).await;
            let failure = put(&store, &fresh_key(), pattern(1, 5000)).await.unwrap_err();
            let health = ask_health(&store).await.unwrap();
            cluster.set_safe_mode("leave");
            claimed.expect("a hall may start meanwhile, and what lies there be read");
            assert_eq!(failure.kind(), ErrorKind::Unavailable, "{path:?}: {failure:?}");
            assert!(failure.to_string().contains("safe mode"), "{path:?}: {failure}");
            put(&store, &fresh_key(), pattern(2, 5000)).await.unwrap();
            if path == WritePath::Native {
                assert_eq!(health, HealthFacts::well(), "without HTTP nobody tells more");
                continue;
            }
            assert!(!health.takes_bytes, "{health:?}");
            let reason = health.reasons.join("; ");
            assert!(
                reason.contains("safe mode") && reason.contains("turned on manually"),
                "{reason}"
            );
            let health = ask_health(&store).await.unwrap();
            assert!(health.takes_bytes, "{health:?}");
            let (free, total) = (health.free_bytes.unwrap(), health.total_bytes.unwrap());
            assert!(0 < free && free < total, "{health:?}");
            assert_eq!(health.figure("live_nodes"), Some(cluster.data_nodes.len() as u64));
            assert_eq!(health.figure("dead_nodes"), Some(0), "{health:?}");
            assert_eq!(health.figure("missing_blocks"), Some(0), "{health:?}");
            // How many there are depends on what was written just before.
            assert!(health.figure("under_replicated_blocks").is_some());
        }
    })
    .await;
}

/// Writes a blob and kills a node after a block of it has arrived, when half of it has not been handed over yet.
async fn upload_while_killing(
    cluster: &HdfsCluster,
    path: WritePath,
    len_bytes: usize,
    victim: impl Fn(&HdfsCluster) -> &HdfsNode,
) -> HdfsStore {
    let (root, store) = store(path);
    let bytes = pattern(7, len_bytes);
    let key = fresh_key();
    let mut writer = store.create(&key, CreateOptions::default()).await.unwrap();
    write(&mut *writer, &bytes.slice(..len_bytes / 2)).await;
    await_files(&root, 1, 16 * MIB).await;
    let victim = victim(cluster);
    victim.kill();
    write(&mut *writer, &bytes.slice(len_bytes / 2..)).await;
    writer.commit().await.unwrap();
    assert!(!victim.is_running());
    assert!(
        cluster.lists_as_alive(victim).await,
        "the NameNode has not noticed"
    );
    let blob = BlobRef {
        key,
        len_bytes: bytes.len() as u64,
    };
    assert_same(&store, &blob, &bytes).await;
    if path != WritePath::Native {
        assert_survives(cluster, &root, &blob, victim).await;
        assert_eq!(store.under_replicated(), 0);
    }
    store
}

/// A DataNode that no upload of this process goes to first.
fn bystander(cluster: &HdfsCluster) -> &HdfsNode {
    let busy = cluster.coordinators();
    assert!(!busy.is_empty(), "an upload is under way");
    let mut nodes = cluster.data_nodes.iter();
    nodes
        .find(|node| busy.iter().all(|busy| busy.transfer != node.transfer))
        .unwrap()
}

/// Waits until so many files of unfinished writers under `root` have so many bytes in finished blocks.
async fn await_files(root: &str, files: usize, len_bytes: usize) {
    let client = client();
    until("an upload is under way", async || {
        let found = unfinished(&client, root).await;
        found.iter().filter(|file| file.length >= len_bytes).count() == files
    })
    .await;
}

/// That each block of the blob has two replicas besides those of `victim`.
async fn assert_survives(cluster: &HdfsCluster, root: &str, blob: &BlobRef, victim: &HdfsNode) {
    let blocks = cluster.replicas(&path_of(root, &blob.key)).await;
    assert!(!blocks.is_empty());
    for nodes in blocks {
        let living = nodes.iter().filter(|node| **node != victim.transfer).count();
        assert!(living >= 2, "{nodes:?} without {}", victim.transfer);
    }
}
