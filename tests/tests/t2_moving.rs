//! Files that go from a local disk to HDFS, to a bucket and back, while people read them and the command that moves them is
//! killed again and again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use campusdisk_tests::ground::{on_hdfs, on_s3, section};
use campusdisk_tests::{Client, Hall, Upload, hex, pattern, sha256_hex};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

/// How many bytes the large file has: `CAMPUSDISK_MOVED_MIB`, 64 unless set.
fn large_mib() -> usize {
    let set = std::env::var("CAMPUSDISK_MOVED_MIB").ok();
    set.and_then(|mib| mib.parse().ok()).unwrap_or(64)
}

/// Each piece of the large file is one request.
const PIECE_MIB: usize = 32;

const SMALL_FILES: usize = 30;

/// How often the command is killed on each of the three ways.
const KILLS: [usize; 3] = [4, 3, 3];

fn stores() -> String {
    let [cluster, bucket] =
        [("cluster", on_hdfs()), ("bucket", on_s3())].map(|(name, settings)| section(name, &settings));
    format!("blob_lease_seconds = 20\n[stores.primary]\nkind = \"local\"\n{cluster}{bucket}")
}

/// A large file of pieces, and the SHA-256 of its bytes.
async fn put_large(client: &Client, folder: &str) -> (String, String) {
    let pieces = large_mib().div_ceil(PIECE_MIB);
    let piece_bytes = PIECE_MIB << 20;
    let upload = Upload::create(client, folder, "lecture.mp4", pieces * piece_bytes).await;
    let mut sha256 = Sha256::new();
    for number in 0..pieces {
        let piece = pattern(piece_bytes, number as u64 + 1);
        sha256.update(&piece);
        upload.patch(number * piece_bytes, piece).await.expect(204);
    }
    let listed = client
        .get(&format!("/api/v1/nodes/{folder}/children"))
        .await
        .expect(200);
    let node = listed.json()["items"][0]["id"].as_str().unwrap().to_owned();
    (node, hex(sha256.finalize()))
}

/// The SHA-256 of a file's bytes as they come.
async fn hash_of(client: &Client, node: &str) -> String {
    let path = format!("/api/v1/nodes/{node}/content");
    let answer = client.request("GET", &path, &[]).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let mut sha256 = Sha256::new();
    let mut body = answer.bytes_stream();
    while let Some(piece) = body.next().await {
        sha256.update(piece.unwrap());
    }
    hex(sha256.finalize())
}

/// Reads a file again and again until it is told to stop; every time it must be whole.
struct Reader {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    fn start(client: &Client, node: &str, hash: &str) -> Self {
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn({
            let (stop, reads) = (stop.clone(), reads.clone());
            let (client, node, hash) = (client.clone(), node.to_owned(), hash.to_owned());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(hash_of(&client, &node).await, hash);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, reads, task }
    }

    /// How often the file was read.
    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.reads.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_to_hdfs_to_a_bucket_and_back_while_they_are_read_and_the_command_is_killed_ten_times() {
    let hall = Hall::start_with(&stores()).await;
    let ada = hall.account("ada");
    let home = ada.root().await;
    let (large, hash) = put_large(&ada, &home).await;
    let folder = ada.folder(&home, "small").await;
    let mut small = Vec::new();
    for number in 0..SMALL_FILES {
        let bytes = pattern(10_000 + 7000 * number, number as u64);
        let node = ada.put(&folder, &format!("{number}.bin"), bytes.clone()).await;
        small.push((node["id"].as_str().unwrap().to_owned(), sha256_hex(&bytes)));
    }
    let reader = Reader::start(&ada, &large, &hash);
    let mut kills = 0;
    for ((from, to), times) in [
        ("primary", "cluster"),
        ("cluster", "bucket"),
        ("bucket", "primary"),
    ]
    .into_iter()
    .zip(KILLS)
    {
        let migrate = ["store", "migrate", "--from", from, "--to", to];
        // So slow that a kill meets it in the middle of the large file.
        let slow = [&migrate[..], &["--max-bytes-per-second", "20000000"]].concat();
        for time in 0..times {
            let after = Duration::from_millis(700 + 450 * time as u64);
            kills += usize::from(!hall.run_and_kill(&slow, after).await);
        }
        let begun = Instant::now();
        let said = hall.done(&migrate, "");
        println!("{from} to {to} in {:?}: {said}", begun.elapsed());
        let left = hall.done(&[&migrate[..], &["--dry-run"]].concat(), "");
        assert!(left.starts_with("0 contents"), "{left}");
        for (node, hash) in &small {
            assert_eq!(hash_of(&ada, node).await, *hash);
        }
        let verified = hall.done(&["store", "verify", "--store", to], "");
        assert!(
            verified.contains(&format!("{} contents", SMALL_FILES + 1)),
            "{verified}"
        );
    }
    let reads = reader.end().await;
    println!("the large file was read {reads} times meanwhile");
    assert!(reads > 0);
    assert_eq!(kills, 10, "the command was still at work whenever it was killed");
    assert_eq!(hash_of(&ada, &large).await, hash);
    hall.done(&["check"], "");
    // Half-made copies of the killed commands go too, once their leases are over.
    campusdisk_tests::wait::until("nothing is left in the stores they went through", async || {
        let listed = hall.done(&["store", "list"], "");
        listed.matches("may do without it").count() == 2
    })
    .await;
}
