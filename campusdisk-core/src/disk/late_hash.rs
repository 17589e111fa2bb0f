//! Late hashes: the SHA-256 of contents that came without, found by tasks of the service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::chain::Chain;
use super::moving::Pace;
use super::shared::Shared;
use crate::catalog::record::Content;
use crate::catalog::{Expect, RecordKey};
use crate::{ContentId, ErrorKind, Result, Timestamp};

/// How many contents wait for their hash in memory; those beyond are found by the sweep.
const WAITING_MAX: usize = 500;

/// How long a content that could not be read is left alone.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60 * 60);

/// What is done about contents without SHA-256 in this process.
pub(super) struct LateHashes {
    /// One by one: a job must not take the stores from those who wait for an answer.
    turn: Semaphore,
    contents: Mutex<HashMap<ContentId, State>>,
    /// Where the sweep's next look begins, so that contents that can't be read do not hide the others.
    after: Mutex<Option<ContentId>>,
}

enum State {
    Waiting,
    RestsUntil(Timestamp),
}

impl Default for LateHashes {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            contents: Mutex::default(),
            after: Mutex::default(),
        }
    }
}

impl LateHashes {
    fn contents(&self) -> std::sync::MutexGuard<'_, HashMap<ContentId, State>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn after(&self) -> std::sync::MutexGuard<'_, Option<ContentId>> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more may wait. Forgets rests that are over.
    fn room(&self, now: Timestamp) -> usize {
        let mut contents = self.contents();
        contents.retain(|_, state| !matches!(state, State::RestsUntil(until) if *until <= now));
        let waiting = contents.values().filter(|state| matches!(state, State::Waiting));
        WAITING_MAX.saturating_sub(waiting.count())
    }

    /// Whether the content waits from now on, and did not before.
    fn enter(&self, id: ContentId) -> bool {
        let mut contents = self.contents();
        let free = contents.len() < 2 * WAITING_MAX && !contents.contains_key(&id);
        if free {
            contents.insert(id, State::Waiting);
        }
        free
    }
}

impl Shared {
    /// Lets a task find the SHA-256 of a content, unless one does already; says whether. What a crash or too many at once leave
    /// without is found by the sweep.
    pub(super) fn hash_later(self: &Arc<Self>, id: ContentId) -> bool {
        if self.late_hashes.room(self.now()) == 0 || !self.late_hashes.enter(id) {
            return false;
        }
        let shared = self.clone();
        self.spawn(async move {
            let job = async {
                let _turn = shared.late_hashes.turn.acquire().await;
                shared.hash_content(id).await
            };
            let outcome = shared.stopping.run_until_cancelled(job).await;
            let mut contents = shared.late_hashes.contents();
            if let Some(Err(error)) = outcome {
                tracing::warn!(%error, content = %id, "the SHA-256 of a content is still unknown; it is tried again in an hour");
                let until = shared.now() + REST_AFTER_FAILURE;
                contents.insert(id, State::RestsUntil(until));
            } else {
                contents.remove(&id);
            }
        });
        true
    }

    /// Has contents hashed whose job was lost. Looks at as many as may wait, and goes on there the next time.
    pub(super) async fn sweep_unhashed(self: &Arc<Self>) -> Result<u64> {
        let room = self.late_hashes.room(self.now());
        if room == 0 {
            return Ok(0);
        }
        let after = *self.late_hashes.after();
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let found = self.catalog.unhashed(after, limit).await?;
        // After the last page the first one comes again.
        *self.late_hashes.after() = found.get(room - 1).copied();
        Ok(found.iter().filter(|&&id| self.hash_later(id)).count() as u64)
    }

    /// Reads a content and records its SHA-256.
    pub(super) async fn hash_content(self: &Arc<Self>, id: ContentId) -> Result<()> {
        // Another instance may have been faster.
        let unhashed = |content: &Content| content.sha256.is_none();
        let Some(content) = self.catalog.content(id).await?.filter(unhashed) else {
            return Ok(());
        };
        let hash = self
            .hash_body(Chain::over(self.clone(), Arc::new(content)), &Pace::default())
            .await?;
        loop {
            let Some(content) = self.catalog.content(id).await?.filter(unhashed) else {
                return Ok(());
            };
            let mut set = self.change_set();
            set.push(Expect::Version(RecordKey::Content(id), content.layout_version));
            set.push(Content {
                sha256: hash.sha256_digest()?,
                crc32: content.crc32.or(Some(hash.crc32)),
                layout_version: content.layout_version + 1,
                ..content
            });
            match self.commit(set).await {
                // The layout changed meanwhile; the bytes did not.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                outcome => return outcome.map(drop),
            }
        }
    }
}
