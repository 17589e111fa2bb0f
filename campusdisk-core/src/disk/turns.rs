//! How many downloads run at once, for one client and in all, and how fast they may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::shared::Shared;
use super::tracker::Client;
use crate::{ByteBody, CHUNK_BYTES, Error, ErrorKind, Policy, Result, Span};

/// How much of its rate somebody may take ahead, and how long a piece may take: so a lock is noticed soon.
const AHEAD: Duration = Duration::from_millis(250);

/// The least rate that a limit may be, in bytes a second: pieces of a slower body would look like a rest.
const LEAST_RATE: u64 = 64 << 10;

/// The downloads that run.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    clients: Mutex<HashMap<Client, Weak<Own>>>,
}

/// What one client has.
#[derive(Debug)]
struct Own {
    running: Arc<Semaphore>,
    rate: Option<Rate>,
}

/// One download's turn; the next may come once it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    rate: Option<Rate>,
    own: Option<Arc<Own>>,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new(policy: &Policy) -> Self {
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            all: semaphore(policy.max_downloads),
            waiting: semaphore(policy.max_waiting_downloads),
            clients: Mutex::default(),
        }
    }

    /// What `client` has, where anything is limited for each.
    fn own(&self, client: &Client, policy: &Policy) -> Option<Arc<Own>> {
        if policy.max_client_downloads.is_none() && policy.client_bytes_per_second.is_none() {
            return None;
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = clients.get(client).and_then(Weak::upgrade) {
            return Some(own);
        }
        if clients.len() == clients.capacity() {
            clients.retain(|_, own| own.strong_count() > 0);
        }
        let most = policy.max_client_downloads.unwrap_or(Semaphore::MAX_PERMITS);
        let own = Arc::new(Own {
            running: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            rate: policy.client_bytes_per_second.map(Rate::new),
        });
        clients.insert(client.clone(), Arc::downgrade(&own));
        Some(own)
    }
}

impl Shared {
    /// Waits for the turn of a download of `span`: what is at most a chunk is sent before it would have stood in a queue, so it does not wait
    /// and is only held to its rate, where there is one.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when too many wait already, or it waited too long.
    pub(super) async fn turn(&self, client: &Client, span: Span) -> Result<Option<Turn>> {
        let policy = &self.policy;
        let has_rate = policy.client_bytes_per_second.is_some() || policy.download_bytes_per_second.is_some();
        let is_short = span.len() <= CHUNK_BYTES;
        if is_short && !has_rate {
            return Ok(None);
        }
        let own = self.turns.own(client, policy);
        let mut permits = Vec::new();
        if !is_short {
            for semaphore in own.iter().map(|own| &own.running).chain([&self.turns.all]) {
                permits.push(match semaphore.clone().try_acquire_owned() {
                    Ok(permit) => permit,
                    Err(_) => self.wait_for(semaphore).await?,
                });
            }
        }
        Ok(Some(Turn {
            rate: policy.download_bytes_per_second.map(Rate::new),
            own,
            _permits: permits,
        }))
    }

    async fn wait_for(&self, semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
        let busy = || {
            let text = "too many downloads run at once; try again in a moment";
            Error::new(ErrorKind::Unavailable, text)
        };
        let _place = self.turns.waiting.try_acquire().map_err(|_| busy())?;
        let turn = semaphore.clone().acquire_owned();
        match tokio::time::timeout(self.policy.download_wait, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy()),
        }
    }
}

impl Turn {
    /// The body while it has its turn: no faster than it may be.
    pub(super) fn over(self, body: ByteBody) -> ByteBody {
        let len_bytes = body.len_bytes();
        let state = Paced {
            turn: self,
            body,
            rest: Bytes::new(),
        };
        let pieces = futures::stream::unfold(state, |mut paced| async move {
            let piece = paced.next().await?;
            Some((piece, paced))
        });
        ByteBody::stream(len_bytes, pieces)
    }

    fn rates(&self) -> impl Iterator<Item = &Rate> {
        let own = self.own.as_ref().and_then(|own| own.rate.as_ref());
        self.rate.iter().chain(own)
    }
}

struct Paced {
    turn: Turn,
    body: ByteBody,
    /// What is left of a piece that was too long for the rate.
    rest: Bytes,
}

impl Paced {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        for rate in self.turn.rates() {
            tokio::time::sleep_until(rate.free()).await;
        }
        if self.rest.is_empty() {
            self.rest = match self.body.next().await? {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            };
        }
        let most = self.turn.rates().map(Rate::piece_bytes).min();
        let piece = self
            .rest
            .split_to(most.unwrap_or(usize::MAX).min(self.rest.len()));
        self.turn.rates().for_each(|rate| rate.took(piece.len()));
        Some(Ok(piece))
    }
}

/// How fast something may be: the virtual scheduling of the generic cell rate algorithm (ITU-T I.371).
#[derive(Debug)]
struct Rate {
    bytes_per_second: u64,
    /// When all that was taken has been earned.
    earned: Mutex<Instant>,
}

impl Rate {
    fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(LEAST_RATE),
            earned: Mutex::new(Instant::now()),
        }
    }

    /// When more may be taken.
    fn free(&self) -> Instant {
        let earned = *self.earned.lock().unwrap_or_else(PoisonError::into_inner);
        earned.checked_sub(AHEAD).unwrap_or(earned)
    }

    fn took(&self, bytes: usize) {
        let nanos = u128::from(bytes as u64) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut earned = self.earned.lock().unwrap_or_else(PoisonError::into_inner);
        *earned = (*earned).max(Instant::now()) + time;
    }

    /// What is taken at once.
    fn piece_bytes(&self) -> usize {
        let bytes = self.bytes_per_second / (1000 / AHEAD.as_millis() as u64);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_is_as_fast_as_its_rate_and_whole() {
        let bytes = Bytes::from((0..1_000_000).map(|index| index as u8).collect::<Vec<_>>());
        let turn = Turn {
            rate: Some(Rate::new(100_000)),
            own: None,
            _permits: Vec::new(),
        };
        let started = Instant::now();
        let body = turn.over(ByteBody::once(bytes.clone()));
        assert_eq!(body.collect(1 << 20).await.unwrap(), bytes);
        let seconds = started.elapsed().as_secs_f64();
        assert!((9.0..=10.1).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn downloads_of_one_client_share_its_rate() {
        let own = Arc::new(Own {
            running: Arc::new(Semaphore::new(9)),
            rate: Some(Rate::new(100_000)),
        });
        let started = Instant::now();
        let bodies = (0..4).map(|_| {
            let turn = Turn {
                rate: None,
                own: Some(own.clone()),
                _permits: Vec::new(),
            };
            turn.over(ByteBody::once(Bytes::from(vec![1; 100_000])))
                .collect(1 << 20)
        });
        assert!(futures::future::join_all(bodies).await.iter().all(Result::is_ok));
        let seconds = started.elapsed().as_secs_f64();
        assert!((2.5..=4.1).contains(&seconds), "{seconds}");
    }
}
