//! The smaller seams: who acts, where tasks run, where events go, what is kept in memory.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;

use crate::catalog::record::{Event, Subject};
use crate::{AccountId, ContentId, GroupId, Result};

/// Who acts now: an account with its groups and roles, as the host's sign-on says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The account.
    pub account: AccountId,
    /// The groups it is in.
    pub groups: Vec<GroupId>,
    /// Whether it administers the installation. This opens no other person's files.
    pub admin: bool,
    /// A name for people; a personal drive is called by it.
    pub display_name: String,
    /// The quota of its personal drive in bytes; `None` takes the policy's.
    pub quota_bytes: Option<u64>,
}

impl Actor {
    /// An ordinary account in no group.
    pub fn new(account: AccountId, display_name: impl Into<String>) -> Self {
        Self {
            account,
            groups: Vec::new(),
            admin: false,
            display_name: display_name.into(),
            quota_bytes: None,
        }
    }

    /// Sets the groups.
    #[must_use]
    pub fn with_groups(mut self, groups: Vec<GroupId>) -> Self {
        self.groups = groups;
        self
    }

    /// Makes it an administrator.
    #[must_use]
    pub fn with_admin(mut self, admin: bool) -> Self {
        self.admin = admin;
        self
    }

    /// Sets the quota of its personal drive.
    #[must_use]
    pub fn with_quota_bytes(mut self, quota_bytes: Option<u64>) -> Self {
        self.quota_bytes = quota_bytes;
        self
    }

    /// What memberships apply to it.
    pub fn subjects(&self) -> Vec<Subject> {
        let groups = self.groups.iter().cloned().map(Subject::Group);
        std::iter::once(Subject::Account(self.account.clone()))
            .chain(groups)
            .collect()
    }
}

/// Knows the accounts. A host with its own login supplies its own.
///
/// # Contract
/// * **N1** `actor` returns the account as it is now, at most a second stale, or `None` when it is gone or locked.
/// * **N2** It is called about once a second for each account with a running transfer and each maker of a visited
///   share, so it should be cheap.
#[async_trait]
pub trait Identity: fmt::Debug + Send + Sync + 'static {
    /// The account as an actor, or `None` when it may not act.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when accounts can't be looked up now; running transfers go on then.
    async fn actor(&self, account: &AccountId) -> Result<Option<Actor>>;
}

/// A future that a [`Spawner`] runs.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs tasks and blocking work.
///
/// # Contract
/// * **S1** A spawned task runs to its end, whatever becomes of the spawner's caller.
/// * **S2** Blocking work runs on a thread where blocking is allowed and does not hold up tasks.
pub trait Spawner: fmt::Debug + Send + Sync + 'static {
    /// Runs a task.
    fn spawn(&self, task: Task);

    /// Runs blocking work.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);
}

/// Spawns on the tokio runtime that is current when it is called.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }
}

/// Where events go after they were committed.
///
/// # Contract
/// * **E1** `publish` returns `Ok` only when the sink keeps the events as well as it ever will; they are then taken out of the outbox.
/// * **E2** Events come at least once, each with the same id every time, each account's in the order of their commits.
#[async_trait]
pub trait EventSink: fmt::Debug + Send + Sync + 'static {
    /// Takes a batch of events.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it can't take them now; they stay in the outbox and come again.
    async fn publish(&self, events: &[Event]) -> Result<()>;
}

/// Keeps chunks of contents that are asked for again and again. Losing any of it is only slower.
///
/// # Contract
/// * **H1** `chunk` returns what was put for this content and number, whole, or nothing.
/// * **H2** Neither call fails or takes longer than a store would; a cache that is down is empty.
/// * **H3** What it holds is bounded in bytes.
#[async_trait]
pub trait ChunkCache: fmt::Debug + Send + Sync + 'static {
    /// The chunk `number` (of 1 MiB, counted within the content).
    async fn chunk(&self, content: ContentId, number: u64) -> Option<Bytes>;

    /// Keeps a chunk, perhaps.
    async fn keep(&self, content: ContentId, number: u64, chunk: Bytes);
}

/// How many bytes a [`ChunkCache`]'s chunks have, but for a content's last.
pub const CHUNK_BYTES: u64 = 1 << 20;
