//! A download in spans: lets connections in, looks how fast they are, writes down what is done.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::client::Client;
use crate::connection;
use crate::error::{Error, Result, Trouble};
use crate::event::Watch;
use crate::headers::Validator;
use crate::job::{Flow, Job, Table};
use crate::options::Options;
use crate::pace::Pace;
use crate::part::{Part, State};
use crate::patience::Patience;
use crate::spans::{Span, Spans, bytes_of};
use crate::task::{Stop, blocking, ended};

/// How often is looked what there is to do.
const TICK: Duration = Duration::from_millis(50);
/// A rate is measured at least so long, and so many times as long as a request waits for its first byte.
const SHORTEST_LOOK: Duration = Duration::from_millis(200);
const FIRST_BYTES_PER_LOOK: u32 = 8;
/// What is done is written down this often, or after so many bytes: the rest, which is not synced yet when the last byte comes, is waited
/// for at the end.
const SAVE_EVERY: Duration = Duration::from_secs(1);
const SAVE_EVERY_BYTES: u64 = 64 * 1024 * 1024;

/// What a download in spans begins with.
pub(crate) struct Beginning {
    pub(crate) client: Arc<Client>,
    pub(crate) part: Arc<Part>,
    pub(crate) validator: Validator,
    /// With what an earlier run left.
    pub(crate) state: State,
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) whole_bytes: watch::Sender<u64>,
}

/// Downloads what is missing. However it ends, no connection writes any more, and what came is written down.
///
/// # Errors
/// What ended it.
pub(crate) async fn run(beginning: Beginning, options: &Options, stop: &Stop) -> Result<(), Trouble> {
    let (end, halt) = Stop::new();
    let spans = Spans::new(beginning.state.size, &beginning.state.done);
    beginning.whole_bytes.send_replace(spans.prefix_bytes());
    let table = Table {
        spans,
        patience: Patience::new(options.tries),
        pace: Pace::new(options.first_connections, options.connections),
        crew: Default::default(),
        received_bytes: 0,
        quiet_until: Duration::ZERO,
        first_byte_after: Duration::ZERO,
    };
    let mut record = Record {
        part: Arc::clone(&beginning.part),
        state: beginning.state,
        saved_at: Instant::now(),
        saving: None,
    };
    let job = Arc::new(Job {
        client: beginning.client,
        part: beginning.part,
        validator: beginning.validator,
        size: record.state.size,
        watch: beginning.watch,
        whole_bytes: beginning.whole_bytes,
        halt,
        started: Instant::now(),
        table: Mutex::new(table),
    });
    let mut connections = JoinSet::new();
    let outcome = conduct(&job, &mut connections, &mut record, stop).await;
    end.send_replace(true);
    while connections.join_next().await.is_some() {}
    let done = job.table().spans.done();
    let saved = record.finish(done).await;
    outcome.and(saved.map_err(Trouble::from))
}

async fn conduct(
    job: &Arc<Job>,
    connections: &mut JoinSet<Result<(), Trouble>>,
    record: &mut Record,
    stop: &Stop,
) -> Result<(), Trouble> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = Look::default();
    loop {
        while let Some(connection) = job.admit() {
            connections.spawn(connection::run(Arc::clone(job), connection));
        }
        if job.table().spans.is_complete() {
            return Ok(());
        }
        tokio::select! {
            () = stop.come() => return Err(Error::Stopped.into()),
            Some(left) = connections.join_next() => left.map_err(ended)??,
            _ = tick.tick() => {
                look.at(job);
                let done = job.table().spans.done();
                record.keep_up(done).await?;
            }
        }
    }
}

/// One measurement of the rate of all connections.
#[derive(Debug, Default)]
struct Look {
    since: Duration,
    received_bytes: u64,
}

impl Look {
    /// Looks, when it was long enough, and all the time every connection received.
    fn at(&mut self, job: &Job) {
        let (now, mut table) = (job.now(), job.table());
        let all_there = table.crew.len() == table.pace.connections();
        let all_flow = table.crew.values().all(|flow| *flow == Flow::Flowing);
        let took = now - self.since;
        let is_steady = all_there && all_flow && table.spans.has_work(now);
        if is_steady && took < SHORTEST_LOOK.max(table.first_byte_after * FIRST_BYTES_PER_LOOK) {
            return;
        }
        if is_steady {
            let bytes = table.received_bytes - self.received_bytes;
            table.pace.look(bytes as f64 / took.as_secs_f64(), now);
        }
        self.since = now;
        self.received_bytes = table.received_bytes;
    }
}

/// Writes down what is done, beside the download.
struct Record {
    part: Arc<Part>,
    /// As it was written last, or will be by the writing that runs.
    state: State,
    saved_at: Instant,
    saving: Option<JoinHandle<Result<()>>>,
}

impl Record {
    /// Begins to write down what is done, unless that was just written or is being written.
    async fn keep_up(&mut self, done: Vec<Span>) -> Result<()> {
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return Ok(());
        }
        self.settle().await?;
        let new_bytes = bytes_of(&done).saturating_sub(bytes_of(&self.state.done));
        let is_due = new_bytes >= SAVE_EVERY_BYTES || self.saved_at.elapsed() >= SAVE_EVERY;
        if is_due && done != self.state.done {
            self.saved_at = Instant::now();
            self.state.done = done;
            let (part, state) = (Arc::clone(&self.part), self.state.clone());
            self.saving = Some(tokio::task::spawn_blocking(move || part.save(&state)));
        }
        Ok(())
    }

    async fn finish(mut self, done: Vec<Span>) -> Result<()> {
        self.settle().await?;
        self.state.done = done;
        blocking(move || self.part.save(&self.state)).await
    }

    async fn settle(&mut self) -> Result<()> {
        match self.saving.take() {
            Some(saving) => saving.await.unwrap_or_else(|error| Err(ended(error))),
            None => Ok(()),
        }
    }
}
