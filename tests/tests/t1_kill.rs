//! SIGKILL under a mixed load of eight clients, again and again: what was acknowledged is there, nothing half shows, the sums fit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use campusdisk_tests::{Answer, Client, Hall, Upload, pattern, sha256_hex};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::sync::{Notify, watch};

const CLIENTS: u64 = 8;

/// About how long it takes from a file's last bytes to their answer.
const COMMIT_MICROS: u64 = 30_000;

/// How long it takes from a purge to the end of the sweep that deletes the bytes: a little more than the sweep's period.
const SWEEP_MICROS: u64 = 250_000;

/// A lease that is over soon after the last round, and far longer than writing one of these blobs takes.
const CONFIG: &str = "blob_lease_seconds = 15\ntail_bytes = 65536\n";

/// How often the hall is killed: `CAMPUSDISK_KILL_ROUNDS`, 2 unless set.
fn rounds() -> u64 {
    let set = std::env::var("CAMPUSDISK_KILL_ROUNDS").ok();
    set.and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

/// The bytes of a file: made from a seed, so they need not be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bytes {
    len: usize,
    seed: u64,
}

impl Bytes {
    fn make(self) -> Vec<u8> {
        pattern(self.len, self.seed)
    }
}

/// How far the clients of one round are.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    acknowledged: watch::Sender<u64>,
    /// Told when the last bytes of a file are sent.
    last_bytes: Notify,
    /// Told when a file was purged.
    purged: Notify,
}

impl Load {
    /// Waits until so many operations were acknowledged in all.
    async fn reaches(&self, operations: u64) {
        let mut seen = self.acknowledged.subscribe();
        let reached = seen.wait_for(|&all| all >= operations);
        let in_time = tokio::time::timeout(Duration::from_secs(60), reached).await;
        assert!(in_time.is_ok(), "the clients get nothing done");
    }

    /// Waits for the last bytes of a file or, in every other round, for a purge, and then for a moment in which what follows is
    /// somewhere on its way: what is to be whole or not at all is caught in the middle far more often than at any time.
    async fn is_in_the_middle(&self, round: u64, random: &mut StdRng) {
        let (begun, micros) = match round % 2 {
            0 => (&self.last_bytes, COMMIT_MICROS),
            _ => (&self.purged, SWEEP_MICROS),
        };
        let begun = tokio::time::timeout(Duration::from_secs(60), begun.notified()).await;
        assert!(begun.is_ok(), "the clients get nothing done");
        tokio::time::sleep(Duration::from_micros(random.random_range(0..micros))).await;
    }
}

/// One client and what it knows.
struct Worker {
    client: Client,
    root: String,
    random: StdRng,
    made: u64,
    /// What may be under each name: one state when the last change was acknowledged, more when its answer never came.
    files: BTreeMap<String, Vec<Option<Bytes>>>,
    /// Uploads begun: the name, the bytes, and the offset that was acknowledged.
    uploads: Vec<(Upload, String, Bytes, usize)>,
    acknowledged: u64,
}

impl Worker {
    fn new(client: Client, root: String, number: u64) -> Self {
        Self {
            client,
            root,
            random: StdRng::seed_from_u64(number),
            made: 0,
            files: BTreeMap::new(),
            uploads: Vec::new(),
            acknowledged: 0,
        }
    }

    /// Works until told to stop or a request gets no answer.
    async fn work(mut self, load: Arc<Load>) -> Self {
        while !load.stop.load(Ordering::Relaxed) {
            let answered = match self.random.random_range(0..10) {
                0..=3 => self.put_new().await,
                4 => self.overwrite().await,
                5 => self.delete(&load).await,
                6 => self.rename().await,
                7 => self.copy().await,
                _ => self.upload(&load).await,
            };
            if answered.is_none() {
                break;
            }
            self.acknowledged += 1;
            load.acknowledged.send_modify(|all| *all += 1);
        }
        self
    }

    fn fresh(&mut self) -> (String, Bytes) {
        self.made += 1;
        let len = match self.random.random_range(0..4) {
            0 => self.random.random_range(0..100),
            1 => self.random.random_range(0..70_000),
            _ => self.random.random_range(0..700_000),
        };
        (
            format!("f{}", self.made),
            Bytes {
                len,
                seed: self.random.random(),
            },
        )
    }

    fn some_file(&mut self) -> Option<(String, Bytes)> {
        let sure = self.files.iter().filter_map(|(name, states)| match states[..] {
            [Some(bytes)] => Some((name.clone(), bytes)),
            _ => None,
        });
        let sure: Vec<(String, Bytes)> = sure.collect();
        if sure.is_empty() {
            return None;
        }
        let chosen = self.random.random_range(0..sure.len());
        sure.into_iter().nth(chosen)
    }

    fn child(&self, name: &str) -> String {
        format!("/api/v1/nodes/{}/children/{name}", self.root)
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
        json: bool,
    ) -> Option<Answer> {
        let kind = if json {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let answer = self
            .client
            .try_send(method, path, &[("content-type", kind)], body)
            .await
            .ok()?;
        // Only the end of the hall may break a request; a refusal under this load is a fault.
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        Some(answer)
    }

    async fn id(&self, name: &str) -> Option<String> {
        Some(self.ask("GET", &self.child(name), "", true).await?.id())
    }

    async fn put_new(&mut self) -> Option<()> {
        let (name, bytes) = self.fresh();
        self.files.insert(name.clone(), vec![None, Some(bytes)]);
        self.ask("PUT", &self.child(&name), bytes.make(), false).await?;
        self.files.insert(name, vec![Some(bytes)]);
        Some(())
    }

    async fn overwrite(&mut self) -> Option<()> {
        let Some((name, old)) = self.some_file() else {
            return Some(());
        };
        let (_, new) = self.fresh();
        self.files.insert(name.clone(), vec![Some(old), Some(new)]);
        self.ask("PUT", &self.child(&name), new.make(), false).await?;
        self.files.insert(name, vec![Some(new)]);
        Some(())
    }

    async fn delete(&mut self, load: &Load) -> Option<()> {
        let Some((name, old)) = self.some_file() else {
            return Some(());
        };
        let id = self.id(&name).await?;
        self.files.insert(name.clone(), vec![Some(old), None]);
        self.ask("DELETE", &format!("/api/v1/nodes/{id}"), "", true)
            .await?;
        self.files.insert(name, vec![None]);
        if self.random.random_bool(0.5) {
            self.ask("DELETE", &format!("/api/v1/trash/{id}"), "", true)
                .await?;
            load.purged.notify_waiters();
        }
        Some(())
    }

    async fn rename(&mut self) -> Option<()> {
        let Some((name, bytes)) = self.some_file() else {
            return Some(());
        };
        let id = self.id(&name).await?;
        let (new, _) = self.fresh();
        self.files.insert(name.clone(), vec![Some(bytes), None]);
        self.files.insert(new.clone(), vec![None, Some(bytes)]);
        self.ask(
            "PATCH",
            &format!("/api/v1/nodes/{id}"),
            json!({"name": new}).to_string(),
            true,
        )
        .await?;
        self.files.insert(name, vec![None]);
        self.files.insert(new, vec![Some(bytes)]);
        Some(())
    }

    async fn copy(&mut self) -> Option<()> {
        let Some((name, bytes)) = self.some_file() else {
            return Some(());
        };
        let id = self.id(&name).await?;
        let (new, _) = self.fresh();
        self.files.insert(new.clone(), vec![None, Some(bytes)]);
        let body = json!({"parent": self.root, "name": new}).to_string();
        self.ask("POST", &format!("/api/v1/nodes/{id}/copy"), body, true)
            .await?;
        self.files.insert(new, vec![Some(bytes)]);
        Some(())
    }

    /// Creates an upload and sends pieces of it; sometimes to its end.
    async fn upload(&mut self, load: &Load) -> Option<()> {
        let (name, mut bytes) = self.fresh();
        bytes.len += 1;
        let (length, metadata) = (
            bytes.len.to_string(),
            Upload::metadata(&[("filename", &name), ("parent", &self.root)]),
        );
        let headers = [
            ("tus-resumable", "1.0.0"),
            ("upload-length", length.as_str()),
            ("upload-metadata", metadata.as_str()),
        ];
        // An upload whose creation is not answered stays unfinished: nothing shows.
        let created = self
            .client
            .try_send("POST", "/api/v1/uploads", &headers, "")
            .await
            .ok()?
            .expect(201);
        let upload = Upload::at(&self.client, created.header("location"));
        let whole = bytes.make();
        let piece = self.random.random_range(1..=bytes.len);
        let slot = self.uploads.len();
        self.uploads.push((upload.clone(), name.clone(), bytes, 0));
        for start in (0..bytes.len).step_by(piece) {
            let end = (start + piece).min(bytes.len);
            if end == bytes.len {
                self.files.insert(name.clone(), vec![None, Some(bytes)]);
                load.last_bytes.notify_waiters();
            }
            let offset = start.to_string();
            let headers = [
                ("tus-resumable", "1.0.0"),
                ("content-type", "application/offset+octet-stream"),
                ("upload-offset", offset.as_str()),
            ];
            let sent = self
                .client
                .try_send("PATCH", &upload.path, &headers, whole[start..end].to_vec())
                .await
                .ok()?;
            sent.expect(204);
            self.uploads[slot].3 = end;
            if end < bytes.len && self.random.random_bool(0.2) {
                return Some(());
            }
        }
        self.files.insert(name, vec![Some(bytes)]);
        self.uploads.pop();
        Some(())
    }

    /// Finishes every upload from where HEAD says it is, then compares every file with what it may be.
    async fn verify(&mut self) {
        for (upload, name, bytes, acknowledged) in std::mem::take(&mut self.uploads) {
            let stored = upload.offset().await;
            assert!(
                (acknowledged..=bytes.len).contains(&stored),
                "{name}: {acknowledged} were acknowledged, {stored} are stored"
            );
            if stored < bytes.len {
                let states = self.files.get(&name).cloned().unwrap_or_default();
                let shows = self.client.get(&self.child(&name)).await.status == 200;
                assert!(!shows, "{name} shows half ({states:?})");
                upload
                    .patch(stored, bytes.make()[stored..].to_vec())
                    .await
                    .expect(204);
            }
            self.files.insert(name, vec![Some(bytes)]);
        }
        let mut shown = self.client.names(&self.root).await;
        for (name, mut states) in std::mem::take(&mut self.files) {
            let found = shown
                .iter()
                .position(|shown| *shown == name)
                .map(|at| shown.swap_remove(at));
            let state = match found {
                None => None,
                Some(_) => {
                    let node = self.client.get(&self.child(&name)).await.expect(200).json();
                    let content = format!(
                        "/api/v1/nodes/{}/content",
                        node["id"].as_str().unwrap_or_default()
                    );
                    let stored = self.client.get(&content).await.expect(200);
                    let hash = sha256_hex(&stored.body);
                    assert_eq!(node["sha256"], hash.as_str(), "{name}");
                    let known = states
                        .iter()
                        .flatten()
                        .find(|bytes| sha256_hex(&bytes.make()) == hash);
                    Some(*known.unwrap_or_else(|| panic!("{name} has bytes that nobody sent: {states:?}")))
                }
            };
            assert!(states.contains(&state), "{name} is {state:?}, may be {states:?}");
            states = vec![state];
            self.files.insert(name, states);
        }
        assert!(shown.is_empty(), "nobody made {shown:?}");
    }

    /// Deletes every file for good, and gives up every upload.
    async fn delete_all(&self) {
        for name in self.client.names(&self.root).await {
            let id = self.client.get(&self.child(&name)).await.expect(200).id();
            self.client
                .delete(&format!("/api/v1/nodes/{id}"))
                .await
                .expect(204);
        }
        self.client.delete("/api/v1/trash").await.expect(204);
        let unfinished = self.client.get("/api/v1/uploads?limit=1000").await.expect(200);
        for upload in unfinished.json()["items"].as_array().into_iter().flatten() {
            let id = upload["id"].as_str().unwrap_or_default();
            let path = format!("/api/v1/uploads/{id}");
            let headers = [("tus-resumable", "1.0.0")];
            self.client.send("DELETE", &path, &headers, "").await.expect(204);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_killed_under_load_keeps_what_it_acknowledged() {
    let mut hall = Hall::start_with(CONFIG).await;
    let mut workers = Vec::new();
    for number in 0..CLIENTS {
        let client = hall.account(&format!("client{number}"));
        let root = client.root().await;
        workers.push(Worker::new(client, root, number));
    }
    let mut random = StdRng::seed_from_u64(CLIENTS);
    for round in 0..rounds() {
        let load = Arc::new(Load::default());
        let running: Vec<_> = workers
            .drain(..)
            .map(|worker| tokio::spawn(worker.work(load.clone())))
            .collect();
        load.reaches(25 + 17 * (round % 7)).await;
        load.is_in_the_middle(round, &mut random).await;
        hall.kill9();
        load.stop.store(true, Ordering::Relaxed);
        for worker in running {
            workers.push(worker.await.expect("a client"));
        }
        hall.restart().await;
        for worker in &mut workers {
            worker.verify().await;
        }
        let said = hall.done(&["check"], "");
        let acknowledged: u64 = workers.iter().map(|worker| worker.acknowledged).sum();
        eprintln!(
            "round {round}: {acknowledged} operations acknowledged so far; {}",
            said.replace('\n', "; ")
        );
    }
    assert!(
        workers.iter().all(|worker| worker.acknowledged > 0),
        "a client got nothing done"
    );
    // Nothing is leased or condemned for ever: what dead writers held is swept away.
    comes_to_say(&hall, " 0 leased, 0 condemned;").await;
    for worker in &mut workers {
        worker.verify().await;
    }
    for worker in &workers {
        worker.delete_all().await;
    }
    // No reference outlived what made it: with the last file, the last byte goes.
    comes_to_say(&hall, " 0 live blobs, 0 leased, 0 condemned; 0 bytes").await;
    let said = hall.done(&["check"], "");
    assert!(
        said.contains(&format!("drives: {CLIENTS}, 0 bytes used")),
        "{said}"
    );
}

/// Waits until `hall check` says so.
async fn comes_to_say(hall: &Hall, wanted: &str) {
    let begun = Instant::now();
    loop {
        let said = hall.done(&["check"], "");
        if said.contains(wanted) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{said}");
    }
}
