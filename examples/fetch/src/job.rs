//! What the connections of one download share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::client::Client;
use crate::error::{Error, Passing, Trouble};
use crate::event::{Event, Watch};
use crate::headers::Validator;
use crate::pace::Pace;
use crate::part::Part;
use crate::patience::{Patience, Verdict};
use crate::spans::{Span, Spans};
use crate::task::Stop;

/// What the connections of one download share.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) client: Arc<Client>,
    pub(crate) part: Arc<Part>,
    pub(crate) validator: Validator,
    pub(crate) size: u64,
    pub(crate) watch: Arc<dyn Watch>,
    /// Up to where the file is whole.
    pub(crate) whole_bytes: watch::Sender<u64>,
    /// Ends all connections.
    pub(crate) halt: Stop,
    pub(crate) started: Instant,
    pub(crate) table: Mutex<Table>,
}

/// What changes while they work.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) spans: Spans,
    pub(crate) patience: Patience,
    pub(crate) pace: Pace,
    /// Who is there.
    pub(crate) crew: BTreeMap<usize, Flow>,
    pub(crate) received_bytes: u64,
    /// Before this the server wants no request.
    pub(crate) quiet_until: Duration,
    /// How long the last request waited for its first byte.
    pub(crate) first_byte_after: Duration,
}

/// How it is with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// No byte came yet, or not since a failure.
    Waiting,
    /// Bytes come.
    Flowing,
    /// It does not count any more; its number is free once it is gone.
    Leaving,
}

/// What a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It asks for this.
    Ask(Span),
    /// It waits.
    Wait(Duration),
    /// It leaves: there is nothing for it to do, or there are too many.
    Leave,
}

impl Job {
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the start of the download.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Lets another connection in, where one is wanted and has something to do; returns its number.
    pub(crate) fn admit(&self) -> Option<usize> {
        let (now, mut table) = (self.now(), self.table());
        let open = table.open();
        let wanted = open == 0 || (open < table.pace.connections() && now >= table.quiet_until);
        if !wanted || !table.spans.has_work(now) {
            return None;
        }
        let connection = (0..).find(|number| !table.crew.contains_key(number))?;
        table.crew.insert(connection, Flow::Waiting);
        drop(table);
        self.watch.happened(Event::Joined { connection });
        Some(connection)
    }

    /// What a connection without a span does.
    pub(crate) fn next(&self, connection: usize, longest: u64) -> Next {
        let (now, mut table) = (self.now(), self.table());
        if self.halt.has_come() || table.open() > table.pace.connections() {
            // In the same step as the look, or two would leave where one is too many.
            table.crew.insert(connection, Flow::Leaving);
            return Next::Leave;
        }
        if now < table.quiet_until {
            return Next::Wait(table.quiet_until - now);
        }
        let Some(span) = table.spans.take(connection, longest, now) else {
            return Next::Leave;
        };
        drop(table);
        let Span { start, end } = span;
        self.watch.happened(Event::Took {
            connection,
            start,
            end,
        });
        Next::Ask(span)
    }

    /// Bytes came; returns how many of them are the connection's own.
    pub(crate) fn receive(&self, connection: usize, bytes: u64) -> u64 {
        let (now, mut table) = (self.now(), self.table());
        let own = table.spans.receive(connection, bytes, now);
        table.received_bytes += own;
        if let Some(flow) = table.crew.get_mut(&connection) {
            *flow = Flow::Flowing;
        }
        drop(table);
        self.watch.happened(Event::Received {
            connection,
            bytes: own,
        });
        own
    }

    /// Bytes were written.
    pub(crate) fn wrote(&self, connection: usize, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let mut table = self.table();
        table.spans.wrote(connection, bytes);
        self.whole_bytes.send_replace(table.spans.prefix_bytes());
    }

    /// A connection is through with its span, or gave it up.
    pub(crate) fn release(&self, connection: usize) {
        self.table().spans.release(connection);
    }

    /// A connection is gone.
    pub(crate) fn leave(&self, connection: usize) {
        self.table().crew.remove(&connection);
        self.watch.happened(Event::Left { connection });
    }

    /// A request failed; says what the connection, which has no span any more, does.
    pub(crate) fn failed(&self, connection: usize, passing: Passing) -> Result<Next, Trouble> {
        let (now, mut table) = (self.now(), self.table());
        let open = table.open();
        let asked = passing.retry_after.unwrap_or_default();
        if passing.crowded && open > 1 {
            table.pace.crowded(open);
            table.crew.insert(connection, Flow::Leaving);
            table.quiet_until = table.quiet_until.max(now + asked);
            drop(table);
            let why = format!("{}; connections: {} instead of {open}", passing.why, open - 1);
            self.watch.happened(Event::Waits { why, wait: asked });
            return Ok(Next::Leave);
        }
        if let Some(flow) = table.crew.get_mut(&connection) {
            *flow = Flow::Waiting;
        }
        let received_bytes = table.received_bytes;
        let verdict = table
            .patience
            .failed(received_bytes, passing.retry_after, rand::random(), now);
        drop(table);
        let wait = self.client.judge(verdict, &passing.why)?;
        let why = passing.why;
        self.watch.happened(Event::Waits { why, wait });
        Ok(Next::Wait(wait))
    }
}

impl Table {
    /// How many connections there are, without those on their way out.
    pub(crate) fn open(&self) -> usize {
        self.crew.values().filter(|flow| **flow != Flow::Leaving).count()
    }
}

impl Client {
    /// How long to wait by this verdict, or that it is over.
    pub(crate) fn judge(&self, verdict: Verdict, why: &str) -> Result<Duration, Error> {
        let (url, why) = (self.shown(), why.to_owned());
        match verdict {
            Verdict::Wait(wait) => Ok(wait),
            Verdict::GiveUp { tries } => Err(Error::Unreachable { url, tries, why }),
            Verdict::TooLong(wait) => Err(Error::Later { url, wait, why }),
        }
    }
}
