//! Downloads as they run: requests of one client for one content within the idle window are one.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::delivered::Delivered;
use crate::catalog::ChangeSet;
use crate::catalog::record::{DownloadOutcome, DownloadRecord};
use crate::{AccountId, ContentId, DownloadId, EntryName, NodeId, Policy, ShareId, Span, Timestamp};

/// Most parts of the register; each has a lock of its own.
const SHARDS_MAX: usize = 16;
/// How many downloads make another part worth its lock.
const SHARD_ENTRIES: usize = 1024;
/// How much of a full part ends at once, so that looking for the longest unused is not done for each new one.
const ENDED_AT_ONCE: usize = 16;
/// How long a record that was written before waits for more changes.
const REWRITE_PAUSE: Duration = Duration::from_secs(1);

/// The downloads that run or may go on, and the records that wait for the catalog.
pub(super) struct Tracker {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    shard_entries: usize,
    idle: Duration,
    queue: Mutex<Queue>,
    queued_records: usize,
    lost: AtomicU64,
    /// A set whose answer was lost: sent again as it was, it is applied once.
    pub(super) unanswered: tokio::sync::Mutex<Option<ChangeSet>>,
    looked: Mutex<Option<Timestamp>>,
}

type Shard = HashMap<Key, Arc<Tracked>>;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    client: Client,
    content: ContentId,
}

/// Who downloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    Account(AccountId),
    /// A visitor of a share, as tickets know it.
    Visitor(ShareId, Arc<str>),
}

/// What is downloaded.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) content: ContentId,
    pub(super) size_bytes: u64,
    pub(super) node: NodeId,
    pub(super) name: Name,
}

/// What a download is called.
#[derive(Clone)]
pub(super) enum Name {
    Entry(EntryName),
    Text(Arc<str>),
}

/// One download.
pub(super) struct Tracked {
    key: Key,
    size_bytes: u64,
    /// Whether it waits in the queue.
    queued: AtomicBool,
    state: Mutex<State>,
}

struct State {
    record: DownloadRecord,
    delivered: Delivered,
    /// Bodies under way.
    open: u32,
    /// Whether no request joins it any more.
    over: bool,
    written: bool,
    /// Whether its event is in the outbox, or on its way there.
    told: bool,
}

#[derive(Default)]
struct Queue {
    /// Never written yet.
    fresh: VecDeque<Arc<Tracked>>,
    /// Written before, each with the time when it is written again.
    later: VecDeque<(Timestamp, Arc<Tracked>)>,
}

/// Which records to write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Due,
    All,
}

impl Tracker {
    pub(super) fn new(policy: &Policy) -> Self {
        let shards = (policy.tracked_downloads / SHARD_ENTRIES).clamp(1, SHARDS_MAX);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            shard_entries: (policy.tracked_downloads / shards).max(1),
            idle: policy.download_idle,
            queue: Mutex::default(),
            queued_records: policy.queued_records.max(1),
            lost: AtomicU64::new(0),
            unanswered: tokio::sync::Mutex::default(),
            looked: Mutex::default(),
        }
    }

    /// The download that a request is part of, with one more body under way.
    pub(super) fn join(
        &self,
        client: &Client,
        address: Option<IpAddr>,
        target: &Target,
        now: Timestamp,
        id: impl FnOnce() -> DownloadId,
    ) -> Arc<Tracked> {
        let key = Key {
            client: client.clone(),
            content: target.content,
        };
        let mut shard = self.shard(&key);
        if let Some(tracked) = shard.get(&key) {
            if tracked.take_request(now, self.idle) {
                return tracked.clone();
            }
            self.end(tracked, now);
        } else if shard.len() >= self.shard_entries {
            self.make_room(&mut shard, now);
        }
        let tracked = Arc::new(Tracked::new(key.clone(), address, target, now, id()));
        shard.insert(key, tracked.clone());
        tracked
    }

    /// Adds what was delivered, and says whether that was the body's last.
    pub(super) fn report(&self, tracked: &Arc<Tracked>, span: Option<Span>, is_last: bool, now: Timestamp) {
        let mut state = tracked.state();
        if let Some(span) = span {
            state.delivered.add(span);
            state.record.ended = now;
        }
        if is_last {
            state.open = state.open.saturating_sub(1);
        }
        let written = state.written;
        drop(state);
        self.queue_up(tracked, written, now);
    }

    /// Ends the downloads that rested for the idle window. Looks at all of them, but not at every call.
    pub(super) fn end_idle(&self, now: Timestamp) {
        let pause = (self.idle / 60).clamp(Duration::from_millis(500), Duration::from_secs(10));
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.is_some_and(|last| last <= now && now < last + pause) {
                return;
            }
            *looked = Some(now);
        }
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = shard.extract_if(|_, tracked| tracked.state().rested(now, self.idle));
            ended.for_each(|(_, tracked)| self.end(&tracked, now));
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                lost,
                "records of downloads were lost because more waited than queued_records allows; the downloads went on"
            );
        }
    }

    /// Ends all downloads; what is still under way counts as cut short.
    pub(super) fn end_all(&self, now: Timestamp) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for (_, tracked) in shard.drain() {
                tracked.state().open = 0;
                self.end(&tracked, now);
            }
        }
    }

    /// Takes up to `rows` downloads whose records are to be written.
    pub(super) fn take(&self, which: Which, now: Timestamp, rows: usize) -> Vec<Arc<Tracked>> {
        // A clock that was set back must not keep them for longer.
        let is_due = |due: Timestamp| which == Which::All || due <= now || due > now + REWRITE_PAUSE;
        let mut queue = self.queue();
        let mut taken = Vec::new();
        while taken.len() < rows {
            let fresh = queue.fresh.pop_front();
            let next = fresh.or_else(|| Some(queue.later.pop_front_if(|(due, _)| is_due(*due))?.1));
            let Some(next) = next else { break };
            // Before its state is read: what changes from now on is written once more.
            next.queued.store(false, Ordering::Release);
            taken.push(next);
        }
        taken
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let number = self.hasher.hash_one(key) as usize % self.shards.len();
        // A remainder is below what it was divided by.
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_up(&self, tracked: &Arc<Tracked>, written: bool, now: Timestamp) {
        if tracked.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut queue = self.queue();
        if queue.fresh.len() + queue.later.len() >= self.queued_records
            && let Some(oldest) = queue.pop_oldest()
        {
            oldest.queued.store(false, Ordering::Release);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        match written {
            false => queue.fresh.push_back(tracked.clone()),
            true => queue.later.push_back((now + REWRITE_PAUSE, tracked.clone())),
        }
    }

    /// Lets no request join any more.
    fn end(&self, tracked: &Arc<Tracked>, now: Timestamp) {
        let mut state = tracked.state();
        state.over = true;
        let (written, told) = (state.written, state.told);
        drop(state);
        if !told {
            self.queue_up(tracked, written, now);
        }
    }

    /// Ends some of a full part: those that no body is under way of, longest unused first.
    fn make_room(&self, shard: &mut Shard, now: Timestamp) {
        let mut unused: Vec<_> = shard
            .values()
            .map(|tracked| {
                let state = tracked.state();
                (state.open > 0, state.record.ended, tracked.clone())
            })
            .collect();
        unused.sort_unstable_by_key(|(open, ended, _)| (*open, *ended));
        for (.., tracked) in unused.iter().take(self.shard_entries / ENDED_AT_ONCE + 1) {
            shard.remove(&tracked.key);
            self.end(tracked, now);
        }
    }
}

impl Tracked {
    fn new(key: Key, address: Option<IpAddr>, target: &Target, now: Timestamp, id: DownloadId) -> Self {
        let (account, share) = match &key.client {
            Client::Account(account) => (Some(account.clone()), None),
            Client::Visitor(share, _) => (None, Some(*share)),
        };
        let record = DownloadRecord {
            id,
            node: target.node,
            name: target.name.as_str().to_owned(),
            account,
            share,
            address,
            started: now,
            ended: now,
            sent_bytes: 0,
            requests: 1,
            outcome: DownloadOutcome::Running,
        };
        Self {
            key,
            size_bytes: target.size_bytes,
            queued: AtomicBool::new(false),
            state: Mutex::new(State {
                record,
                delivered: Delivered::default(),
                open: 1,
                over: false,
                written: false,
                told: false,
            }),
        }
    }

    /// One more body of a request that is counted already.
    pub(super) fn take_part(&self) {
        let mut state = self.state();
        state.open = state.open.saturating_add(1);
    }

    /// One more request, unless the download is over.
    fn take_request(&self, now: Timestamp, idle: Duration) -> bool {
        let mut state = self.state();
        if state.over || state.rested(now, idle) {
            return false;
        }
        state.record.requests = state.record.requests.saturating_add(1);
        state.open = state.open.saturating_add(1);
        state.record.ended = now;
        true
    }

    /// Its record as it is now, to be written, and the kind of the event that goes out with it.
    pub(super) fn to_be_written(&self) -> (DownloadRecord, Option<&'static str>) {
        let mut state = self.state();
        let outcome = match state.delivered.is_whole(self.size_bytes) {
            true => DownloadOutcome::Completed,
            false if state.open > 0 => DownloadOutcome::Running,
            false => DownloadOutcome::Aborted,
        };
        let event = match outcome {
            DownloadOutcome::Completed => Some("download.completed"),
            DownloadOutcome::Aborted if state.over => Some("download.aborted"),
            _ => None,
        };
        let event = event.filter(|_| !state.told);
        state.written = true;
        state.told |= event.is_some();
        let record = DownloadRecord {
            sent_bytes: state.delivered.sent_bytes(),
            outcome,
            ..state.record.clone()
        };
        (record, event)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the idle window is over.
    fn rested(&self, now: Timestamp, idle: Duration) -> bool {
        self.open == 0 && now.since(self.record.ended) >= idle
    }
}

impl Queue {
    fn pop_oldest(&mut self) -> Option<Arc<Tracked>> {
        let later = |queue: &mut Self| Some(queue.later.pop_front()?.1);
        self.fresh.pop_front().or_else(|| later(self))
    }
}

impl Name {
    fn as_str(&self) -> &str {
        match self {
            Self::Entry(name) => name.as_str(),
            Self::Text(text) => text,
        }
    }
}
