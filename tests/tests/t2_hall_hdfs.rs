//! A hall on HDFS while the cluster is full, its nodes hang, restart or are killed, or the hall itself is: what people see of it.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use campusdisk_testkit::storage::pattern;
use campusdisk_tests::hdfs::{client, fresh_root, hall_store, on_cluster, unfinished, until};
use campusdisk_tests::redis::OwnRedis;
use campusdisk_tests::{Answer, Client, Hall, Upload, sha256_hex};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use serde_json::json;
use tokio::task::JoinHandle;

const MIB: usize = 1 << 20;

/// The cluster's blocks, and the parts of uploads.
const BLOCK_BYTES: usize = 16 * MIB;

/// A hall whose only store lies on the cluster, and somebody who uses it.
struct Case {
    hall: Hall,
    ada: Client,
    home: String,
    root: String,
}

impl Case {
    /// A hall with more keys of the store, or sections after it.
    async fn start(store: &str) -> Self {
        let root = fresh_root("hall");
        let hall = Hall::start_with(&format!("{}{store}", hall_store(&root))).await;
        let ada = hall.account("ada");
        let home = ada.root().await;
        Self {
            hall,
            ada,
            home,
            root,
        }
    }

    async fn try_put(&self, name: &str, bytes: &Bytes) -> Answer {
        let path = format!("/api/v1/nodes/{}/children/{name}", self.home);
        self.ada.send("PUT", &path, &[], bytes.clone()).await
    }

    /// Puts a file; returns the path of its content.
    async fn put(&self, name: &str, bytes: &Bytes) -> String {
        content(&self.try_put(name, bytes).await.expect(201).id())
    }

    async fn assert_content(&self, path: &str, bytes: &Bytes) {
        let answer = self.ada.get(path).await.expect(200);
        assert_eq!(sha256_hex(&answer.body), sha256_hex(bytes));
    }

    /// Fetches a file while `strike` hits something it may come from, with most of it still to come.
    async fn assert_fetched_through(&self, path: &str, bytes: &Bytes, strike: impl FnOnce()) {
        let mut answer = self.ada.request("GET", path, &[]).send().await.unwrap();
        let mut got = answer.chunk().await.unwrap().unwrap().to_vec();
        assert!(got.len() < bytes.len() / 4, "{} bytes came at once", got.len());
        strike();
        while let Some(piece) = answer.chunk().await.unwrap() {
            got.extend_from_slice(&piece);
        }
        assert_eq!(sha256_hex(&got), sha256_hex(bytes));
    }

    /// Waits until a part of an upload is on its way to the cluster.
    async fn until_a_part_is_sent(&self) {
        let client = client();
        until("a part is on its way", async || {
            !unfinished(&client, &self.root).await.is_empty()
        })
        .await;
    }

    /// Fetches what is missing of a file; says whether it is whole. Until the NameNode is back, nothing is possible but 503 and
    /// an answer that breaks off.
    async fn fetch_rest(&self, content: &str, bytes: &Bytes, got: &mut Vec<u8>) -> bool {
        if got.len() == bytes.len() {
            return true;
        }
        let range = format!("bytes={}-", got.len());
        let request = self.ada.request("GET", content, &[("range", &range)]);
        let mut answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(matches!(status, 206 | 503), "{answer:?}");
        while let Ok(Some(piece)) = answer.chunk().await {
            if status == 206 {
                got.extend_from_slice(&piece);
            }
        }
        got.len() == bytes.len()
    }

    async fn until_nothing_is_unfinished(&self) {
        let client = client();
        until("what was begun is deleted", async || {
            unfinished(&client, &self.root).await.is_empty()
        })
        .await;
    }
}

/// An upload that a client is sending.
struct Sending {
    upload: Upload,
    bytes: Bytes,
    sender: UnboundedSender<std::io::Result<Bytes>>,
    /// The status of its answer, if there was one.
    patch: JoinHandle<Option<u16>>,
}

impl Sending {
    /// Begins to send what is missing of an upload from `offset` on; the client has handed over nothing yet.
    fn begin(upload: Upload, bytes: &Bytes, offset: usize) -> Self {
        let (sender, receiver) = unbounded();
        let patch = tokio::spawn({
            let (upload, body) = (upload.clone(), reqwest::Body::wrap_stream(receiver));
            async move { Some(upload.try_patch(offset, body).await.ok()?.status) }
        });
        Self {
            upload,
            bytes: bytes.clone(),
            sender,
            patch,
        }
    }

    fn hand_over(&self, range: Range<usize>) {
        for start in range.clone().step_by(MIB) {
            let piece = self.bytes.slice(start..range.end.min(start + MIB));
            // Nobody takes it where the answer came before.
            let _ = self.sender.unbounded_send(Ok(piece));
        }
    }

    /// Ends the body; returns the status of the answer, if there is one.
    async fn end(self) -> (Upload, Option<u16>) {
        drop(self.sender);
        (self.upload, self.patch.await.unwrap())
    }
}

fn content(node: &str) -> String {
    format!("/api/v1/nodes/{node}/content")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_cluster_refuses_uploads_and_they_go_on_once_there_is_room() {
    on_cluster(async |cluster| {
        let case = Case::start("").await;
        let (small, big) = (pattern(1, MIB), pattern(2, 2 * BLOCK_BYTES + 9 * MIB));
        let kept = case.put("kept", &small).await;
        // Three replicas of two parts and of what is kept; a third part has no room while it is open.
        let quota_bytes = 3 * (2 * BLOCK_BYTES + 8 * MIB) as u64;
        cluster.set_space_quota(&case.root, Some(quota_bytes)).await;
        let upload = Upload::create(&case.ada, &case.home, "big", big.len()).await;
        upload
            .patch(0, big.clone())
            .await
            .expect_problem(507, "limit_exceeded");
        let stored = upload.offset().await;
        assert!((BLOCK_BYTES..big.len()).contains(&stored), "{stored}");
        case.try_put("late", &small)
            .await
            .expect_problem(507, "limit_exceeded");
        assert_eq!(case.ada.names(&case.home).await, ["kept"]);
        case.assert_content(&kept, &small).await;
        case.until_nothing_is_unfinished().await;

        cluster.set_space_quota(&case.root, None).await;
        let done = upload.patch(stored, big.slice(stored..)).await.expect(204);
        case.assert_content(&content(done.header("campusdisk-node")), &big)
            .await;
        case.put("late", &small).await;
        case.hall.done(&["check"], "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namenode_that_hangs_fails_what_needs_the_store_and_nothing_else() {
    const RPC_LIMIT: Duration = Duration::from_secs(1);
    on_cluster(async |cluster| {
        let case = Case::start(&format!("rpc_timeout_ms = {}\n", RPC_LIMIT.as_millis())).await;
        let bytes = pattern(3, 2 * MIB);
        let kept = case.put("kept", &bytes).await;
        cluster.name_node.pause();
        let began = Instant::now();
        let of_the_store = async {
            let put = case.try_put("late", &bytes);
            let get = case.ada.get(&kept);
            let (put, get) = futures::join!(put, get);
            (put, get, began.elapsed())
        };
        let of_the_catalog = async {
            let folder = case.ada.folder(&case.home, "folder").await;
            let renamed = json!({"name": "renamed"});
            let path = format!("/api/v1/nodes/{folder}");
            case.ada.patch(&path, renamed).await.expect(200);
            assert_eq!(case.ada.names(&case.home).await, ["kept", "renamed"]);
            case.ada.delete(&path).await.expect(204);
            began.elapsed()
        };
        let ((put, get, took), meanwhile) = futures::join!(of_the_store, of_the_catalog);
        let ready = case.hall.nobody().get("/readyz").await;
        cluster.name_node.resume();
        for answer in [put, get] {
            let answer = answer.expect_problem(503, "unavailable");
            assert_ne!(answer.header("retry-after"), "", "{:?}", answer.headers);
        }
        // A read is tried four times.
        assert!(took < 4 * RPC_LIMIT + Duration::from_secs(4), "it took {took:?}");
        assert!(meanwhile < Duration::from_secs(2), "it took {meanwhile:?}");
        ready.expect(503);
        assert_eq!(case.ada.names(&case.home).await, ["kept"]);
        case.put("late", &bytes).await;
        case.assert_content(&kept, &bytes).await;
        case.hall.nobody().get("/readyz").await.expect(200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_before_a_cluster_in_safe_mode_is_not_ready_and_says_why() {
    on_cluster(async |cluster| {
        let case = Case::start("").await;
        let bytes = pattern(8, MIB);
        let kept = case.put("kept", &bytes).await;
        let nobody = case.hall.nobody();
        let store = async |status| {
            let ready = nobody.get("/readyz").await.expect(status).json();
            let mut parts = ready["parts"].as_array().unwrap().iter();
            parts.find(|part| part["name"] == "primary").cloned().unwrap()
        };
        let well = store(200).await;
        assert!(
            well["up"] == true && well["free_bytes"].as_u64() > Some(0),
            "{well}"
        );
        assert!(
            well["total_bytes"].as_u64() > well["free_bytes"].as_u64(),
            "{well}"
        );
        let live = json!({"name": "live_nodes", "value": cluster.data_nodes.len()});
        assert!(well["figures"].as_array().unwrap().contains(&live), "{well}");

        cluster.set_safe_mode("enter");
        let ailing = store(503).await;
        // What lies there can be read all the same.
        case.assert_content(&kept, &bytes).await;
        case.try_put("late", &bytes)
            .await
            .expect_problem(503, "unavailable");
        cluster.set_safe_mode("leave");
        assert!(ailing["up"] == false && ailing["read_only"] == true, "{ailing}");
        for field in [&ailing["detail"], &ailing["reasons"][0]] {
            let text = field.as_str().unwrap();
            assert!(
                text.contains("safe mode") && text.contains("turned on manually"),
                "{ailing}"
            );
        }
        assert_eq!(store(200).await["reasons"], json!(null));
        case.put("late", &bytes).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namenode_that_restarts_costs_a_transfer_a_resumption_at_most() {
    on_cluster(async |cluster| {
        let case = Case::start("").await;
        let (old, new) = (pattern(4, 6 * BLOCK_BYTES), pattern(5, 6 * BLOCK_BYTES + 77));
        let old_content = case.put("old", &old).await;
        let mut download = case.ada.request("GET", &old_content, &[]).send().await.unwrap();
        let mut got = Vec::new();
        while got.len() < old.len() / 4 {
            got.extend_from_slice(&download.chunk().await.unwrap().unwrap());
        }
        let upload = Upload::create(&case.ada, &case.home, "new", new.len()).await;
        let sending = Sending::begin(upload, &new, 0);
        sending.hand_over(0..new.len() / 2);
        case.until_a_part_is_sent().await;
        assert!(!sending.patch.is_finished());
        cluster.name_node.restart().await;
        sending.hand_over(new.len() / 2..new.len());
        let reading = async {
            // As far as it goes: a download that can't go on breaks off.
            while let Ok(Some(piece)) = download.chunk().await {
                got.extend_from_slice(&piece);
            }
            until("the download ends", async || {
                case.fetch_rest(&old_content, &old, &mut got).await
            })
            .await;
        };
        let (_, (upload, answered)) = futures::join!(reading, sending.end());
        assert!(got == old);
        assert!(matches!(answered, Some(204 | 503)), "{answered:?}");
        if answered != Some(204) {
            until("the upload ends", async || goes_on(&upload, &new).await).await;
        }
        assert_eq!(case.ada.names(&case.home).await, ["new", "old"]);
        let listed = case
            .ada
            .get(&format!("/api/v1/nodes/{}/children", case.home))
            .await;
        let node = listed.expect(200).json()["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        case.assert_content(&content(&node), &new).await;
    })
    .await;
}

/// Sends what is missing of an upload; says whether it is whole. Until the NameNode is back, nothing is possible but 503.
async fn goes_on(upload: &Upload, bytes: &Bytes) -> bool {
    let head = upload.head().await.expect(200);
    let offset: usize = head.header("upload-offset").parse().unwrap();
    let answer = upload.patch(offset, bytes.slice(offset..)).await;
    assert!(matches!(answer.status, 204 | 503), "{answer:?}");
    answer.status == 204
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_that_is_killed_in_mid_upload_goes_on_and_its_leftovers_are_deleted() {
    on_cluster(async |_| {
        let mut case = Case::start("").await;
        let bytes = pattern(6, 4 * BLOCK_BYTES);
        let upload = Upload::create(&case.ada, &case.home, "lecture.mp4", bytes.len()).await;
        let acknowledged = BLOCK_BYTES + 4 * MIB;
        upload.patch(0, bytes.slice(..acknowledged)).await.expect(204);
        let sending = Sending::begin(upload, &bytes, acknowledged);
        sending.hand_over(acknowledged..3 * BLOCK_BYTES);
        case.until_a_part_is_sent().await;
        case.hall.kill9();
        let (upload, answered) = sending.end().await;
        assert_eq!(answered, None);
        let client = client();
        assert!(!unfinished(&client, &case.root).await.is_empty());

        case.hall.restart().await;
        let stored = upload.offset().await;
        assert!((acknowledged..3 * BLOCK_BYTES).contains(&stored), "{stored}");
        let done = upload.patch(stored, bytes.slice(stored..)).await.expect(204);
        let content = content(done.header("campusdisk-node"));
        case.assert_content(&content, &bytes).await;
        assert!(
            !unfinished(&client, &case.root).await.is_empty(),
            "it may be of a writer that lives"
        );

        // Once no writer that lives can be so old, which is after twice the lease.
        let config = case.hall.folder().join("hall.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let short = text.replace("[policy]\n", "[policy]\nblob_lease_seconds = 1\n");
        std::fs::write(&config, short).unwrap();
        case.hall.restart().await;
        case.until_nothing_is_unfinished().await;
        case.assert_content(&content, &bytes).await;
        case.hall.done(&["check"], "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_file_is_served_while_redis_a_datanode_and_the_namenode_are_killed() {
    on_cluster(async |cluster| {
        let mut redis = OwnRedis::start(&["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]).await;
        let url = redis.url();
        let cache = format!("\n[cache]\nmemory_bytes = {}\nredis_url = \"{url}\"\n", 64 * MIB);
        let case = Case::start(&cache).await;
        let bytes = pattern(9, 16 * MIB);
        let hot = case.put("timetable.pdf", &bytes).await;
        let mut pieces = redis.client().await;
        until("every piece lies on Redis", async || {
            case.assert_content(&hot, &bytes).await;
            pieces.keys("campusdisk:hall:c:").await.len() == bytes.len() / MIB
        })
        .await;

        case.assert_fetched_through(&hot, &bytes, || redis.kill()).await;
        case.assert_content(&hot, &bytes).await;
        let victim = &cluster.data_nodes[0];
        case.assert_fetched_through(&hot, &bytes, || victim.kill()).await;
        case.assert_content(&hot, &bytes).await;
        case.assert_fetched_through(&hot, &bytes, || cluster.name_node.kill())
            .await;
        case.assert_content(&hot, &bytes).await;
        assert!(!redis.is_running() && !victim.is_running() && !cluster.name_node.is_running());
        let cold = case.try_put("cold", &bytes).await;
        cold.expect_problem(503, "unavailable");
    })
    .await;
}
