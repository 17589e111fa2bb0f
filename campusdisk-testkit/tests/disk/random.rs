//! Random sequences of use-cases, with crashes in between, against the plain model.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use campusdisk_core::catalog::record::Node;
use campusdisk_core::catalog::{ChangeSet, ChildrenQuery};
use campusdisk_core::{
    AppendOptions, Desk, ErrorKind, NodeId, NodeUpdate, Restore, Result, Spawner, Task, UploadId, UploadSpec,
};
use campusdisk_testkit::faulty::Faults;
use campusdisk_testkit::model::{Answer, Handle, Model};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fixture::{Fixture, append, name, policy, put, read, sha256, store_info};

const QUOTA_BYTES: u64 = 12_000;
const STEPS: usize = 60;
/// Seeds are tried until this much time is over, but never fewer than [`FEWEST_SEEDS`].
const TIME: Duration = Duration::from_secs(3);
const FEWEST_SEEDS: u64 = 1;

#[tokio::test]
async fn random_use_cases_with_crashes_between_them_leave_what_the_model_says() {
    let begun = Instant::now();
    let mut seed = 0;
    while seed < FEWEST_SEEDS || begun.elapsed() < TIME {
        let mut run = Run::new(seed).await;
        for step in 0..STEPS {
            run.step(step).await;
        }
        run.fixture.assert_settles().await;
        run.compare("at the end").await;
        seed += 1;
    }
}

/// Tasks that die with the process they stand for.
#[derive(Debug, Default)]
struct Mortal(Mutex<Vec<tokio::task::AbortHandle>>);

impl Mortal {
    fn kill(&self) {
        self.0.lock().unwrap().drain(..).for_each(|task| task.abort());
    }
}

impl Spawner for Mortal {
    fn spawn(&self, task: Task) {
        self.0.lock().unwrap().push(tokio::spawn(task).abort_handle());
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Folder(Handle, &'static str),
    Put(Handle, &'static str, Bytes),
    Update(Handle, Option<&'static str>, Option<Handle>),
    Copy(Handle, Handle),
    Trash(Handle),
    Restore(Handle, bool),
    Purge(Handle),
    RestoreVersion(Handle, usize),
    Begin(usize, Handle, &'static str, Bytes),
    Send(usize, usize, bool),
    Terminate(usize),
    Sweep,
}

/// What both sides must agree on.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot {
    /// By path: the sizes of a file's versions and the digest of its present bytes; no sizes for a folder.
    tree: BTreeMap<String, (Vec<usize>, [u8; 32])>,
    /// What lies in the trash, with all below it.
    trash: Vec<BTreeMap<String, Vec<usize>>>,
    used_bytes: u64,
    reserved_bytes: u64,
}

struct Run {
    seed: u64,
    fixture: Fixture,
    spawner: Arc<Mortal>,
    desk: Desk,
    model: Model,
    /// The nodes that the model's entries are, kept when they are gone.
    ids: BTreeMap<Handle, NodeId>,
    uploads: BTreeMap<usize, UploadId>,
    rng: StdRng,
}

impl Run {
    async fn new(seed: u64) -> Self {
        let mut policy = policy();
        policy.max_extents = 3;
        policy.batch_rows = 2;
        policy.personal_quota_bytes = Some(QUOTA_BYTES);
        let spawner = Arc::new(Mortal::default());
        let fixture = Fixture::over(policy, Faults::new(), store_info(), spawner.clone()).await;
        let (desk, root) = fixture.alice().await;
        Self {
            seed,
            fixture,
            spawner,
            desk,
            model: Model::new(Some(QUOTA_BYTES)),
            ids: BTreeMap::from([(Model::ROOT, root)]),
            uploads: BTreeMap::new(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    async fn step(&mut self, step: usize) {
        let op = self.choose(step);
        let context = format!("seed {}, step {step}: {op:?}", self.seed);
        if self.rng.random_bool(0.2) {
            self.crash_during(&op, &context).await;
        } else {
            let expected = self.apply(&op);
            let outcome = self.run(&op).await;
            let found = outcome.as_ref().map(drop).map_err(campusdisk_core::Error::kind);
            assert_eq!(found, expected.map(drop), "{context} {outcome:?}");
        }
        self.compare(&context).await;
    }

    fn choose(&mut self, step: usize) -> Op {
        let known = self.ids.len();
        let rng = &mut self.rng;
        // The later entries are more often there.
        let mut handle = || rng.random_range(0..known).max(rng.random_range(0..known) / 2);
        let (one, other) = (handle(), handle());
        let text = ["a", "b", "c.txt"][rng.random_range(0..3)];
        let len = [0, 1, 99, 100, 500, 1000, 1001, 2500][rng.random_range(0..8)];
        let bytes: Bytes = (0..len).map(|_| rng.random_range(0..=255u8)).collect();
        let upload = rng.random_range(0..=step);
        match rng.random_range(0..20) {
            0..3 => Op::Folder(one, text),
            3..6 => Op::Put(one, text, bytes),
            6 => Op::Update(one, Some(text), None),
            7 => Op::Update(one, None, Some(other)),
            8 => Op::Copy(one, other),
            9 | 10 => Op::Trash(one),
            11 => Op::Restore(one, rng.random_bool(0.5)),
            12 => Op::Purge(one),
            13 => Op::RestoreVersion(one, rng.random_range(0..3)),
            14 | 15 => Op::Begin(step, one, text, bytes),
            16..18 => {
                let open = self.uploads.keys().nth(upload % self.uploads.len().max(1));
                Op::Send(open.copied().unwrap_or(upload), len, rng.random_bool(0.5))
            }
            18 => Op::Terminate(self.uploads.keys().next().copied().unwrap_or(upload)),
            _ => Op::Sweep,
        }
    }

    /// What the model answers.
    fn apply(&mut self, op: &Op) -> Answer<()> {
        let model = &mut self.model;
        match op {
            Op::Folder(parent, text) => model.create_folder(*parent, text).map(drop),
            Op::Put(parent, text, bytes) => model.put(*parent, text, bytes.clone()).map(drop),
            Op::Update(handle, text, parent) => model.update(*handle, *text, *parent),
            Op::Copy(handle, parent) => model.copy(*handle, *parent).map(drop),
            Op::Trash(handle) => model.trash(*handle),
            Op::Restore(handle, evade) => model.restore(*handle, *evade),
            Op::Purge(handle) => model.purge(*handle),
            Op::RestoreVersion(handle, index) => match model.entry(*handle) {
                Some(entry) if entry.is_folder() => Err(ErrorKind::NotFound),
                _ => model.restore_version(*handle, *index),
            },
            Op::Begin(number, parent, text, bytes) => {
                model.begin_upload(*number, *parent, text, bytes.clone())
            }
            Op::Send(number, len, _) => match model.upload(*number) {
                Some(upload) => {
                    let to = (upload.offset_bytes + len).min(upload.bytes.len());
                    model.sent(*number, to).map(drop)
                }
                None => Err(ErrorKind::NotFound),
            },
            Op::Terminate(number) => model.terminate(*number),
            Op::Sweep => Ok(()),
        }
    }

    /// What the service answers.
    async fn run(&mut self, op: &Op) -> Result<()> {
        let desk = &self.desk;
        let id = |handle: &Handle| self.ids[handle];
        match op {
            Op::Folder(parent, text) => desk.create_folder(id(parent), name(text)).await.map(drop),
            Op::Put(parent, text, bytes) => put(desk, id(parent), text, bytes).await.map(drop),
            Op::Update(handle, text, parent) => {
                let mut update = NodeUpdate::default();
                update.name = text.map(name);
                update.parent = parent.as_ref().map(id);
                desk.update(id(handle), update).await.map(drop)
            }
            Op::Copy(handle, parent) => desk.copy(id(handle), id(parent), None).await.map(drop),
            Op::Trash(handle) => desk.trash(id(handle), None).await,
            Op::Restore(handle, evade) => {
                let conflict = if *evade { Restore::Rename } else { Restore::Fail };
                desk.restore(id(handle), conflict).await.map(drop)
            }
            Op::Purge(handle) => desk.purge(id(handle)).await,
            Op::RestoreVersion(handle, index) => {
                let page = desk.versions(id(handle), None, 1000).await;
                let numbers: Vec<_> = match page {
                    Ok(page) => page
                        .items
                        .iter()
                        .rev()
                        .map(|(version, _)| version.number)
                        .collect(),
                    Err(_) => Vec::new(),
                };
                let number = numbers.get(*index).copied().unwrap_or(1 << 40);
                desk.restore_version(id(handle), number).await.map(drop)
            }
            Op::Begin(number, parent, text, bytes) => {
                let spec = UploadSpec::file(name(text), Some(bytes.len() as u64)).with_parent(id(parent));
                let begun = desk.create_upload(spec).await?;
                if begun.node.is_none() {
                    self.uploads.insert(*number, begun.id);
                }
                Ok(())
            }
            Op::Send(number, len, checked) => self.send(*number, *len, *checked).await,
            Op::Terminate(number) => match self.uploads.get(number) {
                Some(id) => desk.terminate(*id).await,
                None => Err(campusdisk_core::Error::not_found()),
            },
            Op::Sweep => {
                self.fixture.clock.advance(Duration::from_secs(2 * 60 * 60));
                self.fixture.disk.sweep().await.map(drop)
            }
        }
    }

    async fn send(&self, number: usize, len: usize, checked: bool) -> Result<()> {
        let Some(&id) = self.uploads.get(&number) else {
            return Err(campusdisk_core::Error::not_found());
        };
        let facts = self.desk.upload(id).await?;
        let at = facts.offset_bytes as usize;
        // The model may be ahead already; the bytes of an upload never change.
        let all = self.bytes_of(number, &facts);
        let piece = all.slice(at..(at + len).min(all.len()));
        if !checked {
            return append(&self.desk, id, at as u64, &piece).await.map(drop);
        }
        let mut options = AppendOptions::default();
        let digest = sha256(&piece);
        options.checksum = Some(campusdisk_core::Checksum::new(
            campusdisk_core::Algorithm::Sha256,
            &digest,
        )?);
        let mut appending = self.desk.append(id, at as u64, options).await?;
        for piece in piece.chunks(300) {
            appending.write(Bytes::copy_from_slice(piece)).await?;
        }
        appending.finish().await.map(drop)
    }

    /// Runs an operation for a random while, kills the service and opens it anew; it happened or it did not.
    async fn crash_during(&mut self, op: &Op, context: &str) {
        let polls = self.rng.random_range(0..60);
        let before = self.model.clone();
        let acknowledged = {
            let mut left = polls;
            let mut running = pin!(self.run(op));
            loop {
                if let std::task::Poll::Ready(outcome) = futures::poll!(&mut running) {
                    break outcome.is_ok();
                }
                if left == 0 {
                    break false;
                }
                left -= 1;
                tokio::task::yield_now().await;
            }
        };
        self.spawner.kill();
        // A catalog may finish what it was given before the crash; this waits behind that.
        let barrier = ChangeSet::new(
            campusdisk_core::ChangeId::from_u128(self.rng.random()),
            self.fixture.disk.now(),
        );
        self.fixture.catalog.commit(barrier).await.unwrap();
        self.fixture.disk = self.fixture.instance().await;
        self.desk = self.fixture.disk.drive(self.desk.actor().clone());
        match op {
            // Part of a purge may have happened; the rest is purged when it is asked for again.
            Op::Purge(handle) => {
                let expected = self.apply(op);
                if expected.is_ok()
                    && let Err(error) = self.desk.purge(self.ids[handle]).await
                {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{context}");
                }
            }
            Op::Send(number, len, checked) => self.after_crashed_send(*number, *len, *checked, context).await,
            Op::Begin(number, _, _, bytes) if !bytes.is_empty() => {
                let known: BTreeSet<_> = self.uploads.values().copied().collect();
                let open = self.desk.uploads(None, 1000).await.unwrap().items;
                if let Some(begun) = open.iter().find(|open| !known.contains(&open.id)) {
                    self.uploads.insert(*number, begun.id);
                }
                if self.uploads.contains_key(number) {
                    assert_eq!(self.apply(op), Ok(()), "{context}");
                }
            }
            _ => {
                let applied = self.apply(op).is_ok();
                if self.of_model() != self.of_service().await {
                    assert!(
                        applied && !acknowledged,
                        "{context}: an acknowledged change is lost"
                    );
                    self.model = before;
                }
            }
        }
    }

    async fn after_crashed_send(&mut self, number: usize, len: usize, checked: bool, context: &str) {
        let Some(id) = self.uploads.get(&number) else {
            return;
        };
        let Ok(facts) = self.desk.upload(*id).await else {
            return;
        };
        let Some(open) = self.model.upload(number).cloned() else {
            return;
        };
        let (at, most) = (
            facts.offset_bytes as usize,
            (open.offset_bytes + len).min(open.bytes.len()),
        );
        assert!(
            (open.offset_bytes..=most).contains(&at),
            "{context}: stands at {at}"
        );
        assert!(
            !checked || at == open.offset_bytes || at == most,
            "{context}: counts whole or not at all"
        );
        let answer = self.model.sent(number, at);
        let stays_whole = at == open.bytes.len() && facts.node.is_none();
        assert_eq!(
            answer.is_err(),
            stays_whole,
            "{context}: only a folder that is gone keeps the last byte from making the file"
        );
    }

    /// What the upload sends: known to the model while it is open, else (the model finished it already) from its copy.
    fn bytes_of(&self, number: usize, facts: &campusdisk_core::UploadFacts) -> Bytes {
        let open = self.model.upload(number).map(|open| open.bytes.clone());
        open.unwrap_or_else(|| {
            let len = facts.len_bytes.unwrap() as usize;
            let files = (0..self.ids.len() * 4 + 100).rev();
            let mut files = files.filter_map(|handle| self.model.entry(handle)?.versions.first());
            files.find(|bytes| bytes.len() == len).unwrap().clone()
        })
    }

    /// Both sides agree, and the entries that are new get their ids.
    async fn compare(&mut self, context: &str) {
        assert_eq!(self.of_model(), self.of_service().await, "{context}");
        let mut folders = vec![(Model::ROOT, self.ids[&Model::ROOT])];
        while let Some((folder, id)) = folders.pop() {
            for node in self.listed(id).await {
                let handle = self.model.children(folder)[node.name.as_str()];
                let known = *self.ids.entry(handle).or_insert(node.id);
                assert_eq!(known, node.id, "{context}");
                folders.push((handle, node.id));
            }
        }
        let expected: BTreeSet<_> = self
            .model
            .trashed()
            .iter()
            .map(|handle| self.ids[handle])
            .collect();
        let trashed = self.desk.trashed(None, 1000).await.unwrap().items;
        assert_eq!(
            trashed.iter().map(|node| node.id).collect::<BTreeSet<_>>(),
            expected,
            "{context}"
        );
        for (number, id) in &self.uploads {
            let row = self.fixture.catalog.upload(*id).await.unwrap();
            match self.model.upload(*number) {
                Some(open) => assert_eq!(row.unwrap().offset_bytes as usize, open.offset_bytes, "{context}"),
                None => assert!(row.is_none_or(|row| row.node.is_some()), "{context}"),
            }
        }
        let open = &self.model;
        self.uploads.retain(|number, _| open.upload(*number).is_some());
        self.fixture.assert_sound().await;
    }

    async fn listed(&self, folder: NodeId) -> Vec<Node> {
        let page = self
            .fixture
            .catalog
            .children(folder, &ChildrenQuery::first(1000))
            .await;
        page.unwrap()
    }

    fn of_model(&self) -> Snapshot {
        let sizes = |handle: Handle| -> Vec<usize> {
            let versions = &self.model.entry(handle).unwrap().versions;
            versions.iter().map(Bytes::len).collect()
        };
        let below = |top: Handle| {
            let mut found = BTreeMap::new();
            let mut left = vec![(String::new(), top)];
            while let Some((path, handle)) = left.pop() {
                for (text, child) in self.model.children(handle) {
                    left.push((format!("{path}/{text}"), child));
                }
                found.insert(path, handle);
            }
            found
        };
        let tree = below(Model::ROOT).into_iter().map(|(path, handle)| {
            let present = self.model.entry(handle).unwrap().versions.last().cloned();
            (path, (sizes(handle), sha256(&present.unwrap_or_default())))
        });
        let mut trash: Vec<BTreeMap<_, _>> = self
            .model
            .trashed()
            .into_iter()
            .map(|top| {
                let name = &self.model.entry(top).unwrap().name;
                below(top)
                    .into_iter()
                    .map(|(path, handle)| (format!("{name}{path}"), sizes(handle)))
                    .collect()
            })
            .collect();
        trash.sort();
        Snapshot {
            tree: tree.collect(),
            trash,
            used_bytes: self.model.used_bytes(),
            reserved_bytes: self.model.reserved_bytes(),
        }
    }

    async fn of_service(&self) -> Snapshot {
        let root = self.ids[&Model::ROOT];
        let mut tree = BTreeMap::new();
        for (path, (id, sizes)) in self.below(String::new(), root).await {
            let bytes = match sizes.is_empty() {
                true => Bytes::new(),
                false => read(&self.desk, id).await.unwrap(),
            };
            tree.insert(path, (sizes, sha256(&bytes)));
        }
        let mut trash = Vec::new();
        for node in self.desk.trashed(None, 1000).await.unwrap().items {
            let found = self.below(node.name.as_str().to_owned(), node.id).await;
            trash.push(
                found
                    .into_iter()
                    .map(|(path, (_, sizes))| (path, sizes))
                    .collect(),
            );
        }
        trash.sort();
        let home = self.desk.home().await.unwrap();
        Snapshot {
            tree,
            trash,
            used_bytes: home.used_bytes,
            reserved_bytes: home.reserved_bytes,
        }
    }

    async fn below(&self, top: String, id: NodeId) -> BTreeMap<String, (NodeId, Vec<usize>)> {
        let mut found = BTreeMap::new();
        let mut left = vec![(top, id)];
        while let Some((path, id)) = left.pop() {
            for node in self.listed(id).await {
                left.push((format!("{path}/{}", node.name), node.id));
            }
            let mut versions = self.fixture.catalog.versions(id, None, 1000).await.unwrap();
            versions.reverse();
            let sizes = versions
                .iter()
                .map(|version| version.size_bytes as usize)
                .collect();
            found.insert(path, (id, sizes));
        }
        found
    }
}
