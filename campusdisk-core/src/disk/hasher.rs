//! Hashing of bytes as they come in, beside the thread that receives them.

use std::sync::Arc;

use bytes::Bytes;
use sha2::Sha256;
use sha2::digest::common::hazmat::SerializableState;
use sha2::digest::{Digest, FixedOutput};
use tokio::sync::{mpsc, oneshot};

use super::checksum::{Check, Checksum};
use crate::catalog::record::HashState;
use crate::{Error, ErrorKind, Result, Spawner};

/// Bytes hashed in place before a thread is worth its hand-over.
const INLINE_BYTES: usize = 512 << 10;
/// Bytes handed over at once.
const BATCH_BYTES: usize = 512 << 10;
/// Batches on their way to the thread.
const QUEUE_BATCHES: usize = 4;

/// SHA-256 (unless left to a job), CRC-32, and the checksums a client sent, over bytes in order.
///
/// Few bytes are hashed where they are, and a CRC-32 alone always is; from [`INLINE_BYTES`] on a blocking thread does it, in
/// batches.
#[derive(Debug)]
pub(super) struct Hasher {
    spawner: Arc<dyn Spawner>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    lane: Lane,
}

#[derive(Debug)]
enum Lane {
    Here(Box<Hashes>),
    There(mpsc::Sender<Order>),
    Lost,
}

#[derive(Debug)]
struct Hashes {
    sha256: Option<Sha256>,
    crc32: crc32fast::Hasher,
    checks: Vec<Check>,
}

enum Order {
    Update(Vec<Bytes>),
    State(oneshot::Sender<HashState>),
    Finish(oneshot::Sender<Result<()>>),
}

impl Hasher {
    /// Goes on from `state`, which was read over the bytes before; the checks begin here.
    pub(super) fn resume(
        spawner: Arc<dyn Spawner>,
        state: &HashState,
        checks: Vec<Checksum>,
    ) -> Result<Self> {
        let sha256 = match &state.sha256 {
            Some(bytes) => Some(restore_sha256(bytes)?),
            None => None,
        };
        let hashes = Hashes {
            sha256,
            // The length only matters for combining, which is done with lengths of its own.
            crc32: crc32fast::Hasher::new_with_initial(state.crc32),
            checks: checks.into_iter().map(Check::new).collect(),
        };
        Ok(Self {
            spawner,
            waiting: Vec::new(),
            waiting_bytes: 0,
            lane: Lane::Here(Box::new(hashes)),
        })
    }

    /// Takes the next bytes.
    pub(super) async fn update(&mut self, bytes: Bytes) -> Result<()> {
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        match &self.lane {
            Lane::Here(hashes) if hashes.are_cheap() => self.flush().await,
            Lane::Here(_) if self.waiting_bytes < INLINE_BYTES => Ok(()),
            Lane::There(_) if self.waiting_bytes < BATCH_BYTES => Ok(()),
            _ => {
                self.move_away();
                self.flush().await
            }
        }
    }

    /// The state over all bytes so far. The answer comes when the thread has got there; bytes may be added meanwhile.
    pub(super) async fn state(&mut self) -> Result<oneshot::Receiver<HashState>> {
        self.flush().await?;
        let (answer, state) = oneshot::channel();
        match &mut self.lane {
            Lane::Here(hashes) => drop(answer.send(hashes.state())),
            Lane::There(lane) => lane.send(Order::State(answer)).await.map_err(|_| lost())?,
            Lane::Lost => return Err(lost()),
        }
        Ok(state)
    }

    /// The state over all bytes, which were the last.
    pub(super) async fn end(mut self) -> Result<HashState> {
        self.state().await?.await.map_err(|_| lost())
    }

    /// Compares the checks with all bytes since [`resume`](Self::resume).
    pub(super) async fn check(&mut self) -> Result<()> {
        self.flush().await?;
        match &mut self.lane {
            Lane::Here(hashes) => hashes.finish_checks(),
            Lane::There(lane) => {
                let (answer, outcome) = oneshot::channel();
                lane.send(Order::Finish(answer)).await.map_err(|_| lost())?;
                outcome.await.map_err(|_| lost())?
            }
            Lane::Lost => Err(lost()),
        }
    }

    async fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        match &mut self.lane {
            Lane::Here(hashes) => batch.iter().for_each(|bytes| hashes.update(bytes)),
            Lane::There(lane) => lane.send(Order::Update(batch)).await.map_err(|_| lost())?,
            Lane::Lost => return Err(lost()),
        }
        Ok(())
    }

    /// Lets a thread go on with the hashes. Dropping the hasher ends it.
    fn move_away(&mut self) {
        match std::mem::replace(&mut self.lane, Lane::Lost) {
            Lane::Here(mut hashes) => {
                let (lane, mut orders) = mpsc::channel(QUEUE_BATCHES);
                self.spawner.spawn_blocking(Box::new(move || {
                    while let Some(order) = orders.blocking_recv() {
                        hashes.obey(order);
                    }
                }));
                self.lane = Lane::There(lane);
            }
            lane => self.lane = lane,
        }
    }
}

impl Hashes {
    /// Whether they take less time than handing the bytes over would.
    fn are_cheap(&self) -> bool {
        self.sha256.is_none() && self.checks.is_empty()
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Update(batch) => batch.iter().for_each(|bytes| self.update(bytes)),
            // Nobody waiting for the answer any more is no error.
            Order::State(answer) => drop(answer.send(self.state())),
            Order::Finish(answer) => drop(answer.send(self.finish_checks())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self.crc32.update(bytes);
        self.checks.iter_mut().for_each(|check| check.update(bytes));
    }

    fn state(&self) -> HashState {
        let sha256 = self.sha256.as_ref().map(|sha256| sha256.serialize().to_vec());
        HashState {
            sha256,
            crc32: self.crc32.clone().finalize(),
        }
    }

    fn finish_checks(&mut self) -> Result<()> {
        self.checks.drain(..).try_for_each(Check::finish)
    }
}

impl HashState {
    /// The state over no bytes, with or without SHA-256.
    pub fn begin(with_sha256: bool) -> Self {
        Self {
            sha256: with_sha256.then(|| Sha256::new().serialize().to_vec()),
            crc32: 0,
        }
    }

    /// The SHA-256 of the bytes that the state was read over.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) when the state can't be read.
    pub fn sha256_digest(&self) -> Result<Option<[u8; 32]>> {
        self.sha256
            .as_deref()
            .map(|state| Ok(restore_sha256(state)?.finalize_fixed().into()))
            .transpose()
    }
}

fn restore_sha256(state: &[u8]) -> Result<Sha256> {
    let broken = || Error::new(ErrorKind::Corrupt, "the saved state of SHA-256 can't be read");
    let state = state.try_into().map_err(|_| broken())?;
    Sha256::deserialize(&state).map_err(|_| broken())
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the hashing thread is gone")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, TokioSpawner};

    async fn hash(pieces: &[Bytes]) -> HashState {
        let mut state = HashState::begin(true);
        // Each piece resumes from the state that the one before left behind.
        for piece in pieces {
            let mut hasher = Hasher::resume(Arc::new(TokioSpawner), &state, Vec::new()).unwrap();
            hasher.update(piece.clone()).await.unwrap();
            state = hasher.state().await.unwrap().await.unwrap();
        }
        state
    }

    #[tokio::test]
    async fn resumed_hashes_equal_hashes_in_one_go() {
        let all = Bytes::from((0..3_000_000u32).map(|number| number as u8).collect::<Vec<_>>());
        let state = hash(&[all.slice(..7), all.slice(7..1_500_001), all.slice(1_500_001..)]).await;
        assert_eq!(state.sha256_digest().unwrap(), Some(Sha256::digest(&all).into()));
        assert_eq!(state.crc32, crc32fast::hash(&all));
    }

    #[tokio::test]
    async fn a_wrong_checksum_is_found_also_on_the_thread() {
        for len in [10, 2_000_000] {
            let bytes = Bytes::from(vec![7u8; len]);
            for (digest, fits) in [(Sha256::digest(&bytes), true), (Sha256::digest(b"other"), false)] {
                let checks = vec![Checksum::new(Algorithm::Sha256, &digest).unwrap()];
                let mut hasher =
                    Hasher::resume(Arc::new(TokioSpawner), &HashState::begin(false), checks).unwrap();
                hasher.update(bytes.clone()).await.unwrap();
                assert_eq!(hasher.check().await.is_ok(), fits);
            }
        }
    }
}
