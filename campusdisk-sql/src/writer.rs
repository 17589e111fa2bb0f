//! The one writer of a SQLite file: takes work from a queue and commits as much of it as is there in one transaction.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use campusdisk_core::{Error, ErrorKind, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::failure::{Failure, Outcome};
use crate::session::{Args, MARK, MARK_AGAIN, Session};

/// Work in a transaction: all of it is kept, or none. It may be done again when a transaction came to nothing.
pub(crate) type Work<T> = Box<dyn for<'s> Fn(&'s mut Session) -> BoxFuture<'s, Outcome<T>> + Send + Sync>;

/// How often the writer shared a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteStats {
    /// How many sets of changes are committed.
    pub sets: u64,
    /// How many transactions they took; each waited for the disk once.
    pub commits: u64,
}

/// The queue's end that work goes in at.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    counted: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    sets: AtomicU64,
    commits: AtomicU64,
}

impl Counted {
    fn count(&self, done: &[Done]) {
        let kept = done.iter().filter(|(_, refusal)| refusal.is_none()).count();
        self.sets.fetch_add(kept as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}

impl Writer {
    /// Starts the writer's task.
    pub(crate) async fn start(options: SqliteConnectOptions, queued: usize, batch: usize) -> Outcome<Self> {
        let (queue, jobs) = mpsc::channel(queued.max(1));
        let counted = Arc::new(Counted::default());
        let task = Task {
            jobs,
            session: Some(connect(&options).await?),
            options,
            batch: batch.max(1),
            counted: counted.clone(),
        };
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(tokio::spawn(task.run()))),
            counted,
        })
    }

    /// Does work in a transaction, which it may share with other work, and answers after the commit.
    ///
    /// # Cancel safety
    /// When dropped, the work is done whole or not at all, and others are not affected.
    pub(crate) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Pending {
            work,
            value: None,
            answer,
        });
        let queue = self.locked_queue().clone();
        let queue = queue.ok_or_else(closed)?;
        queue.send(job).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    pub(crate) fn stats(&self) -> WriteStats {
        WriteStats {
            sets: self.counted.sets.load(Ordering::Relaxed),
            commits: self.counted.commits.load(Ordering::Relaxed),
        }
    }

    /// Takes no more work, finishes what is queued, and waits for the task's end.
    pub(crate) async fn close(&self) {
        drop(self.locked_queue().take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of the database ended badly");
        }
    }

    fn locked_queue(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Box<dyn Job>>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the database is closed")
}

async fn connect(options: &SqliteConnectOptions) -> Outcome<Session> {
    Ok(Session::Sqlite(options.connect().await?))
}

/// Work that waits for its turn, and who waits for it.
#[async_trait]
trait Job: Send {
    async fn work(&mut self, session: &mut Session) -> Outcome<()>;
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Pending<T> {
    work: Work<T>,
    value: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

#[async_trait]
impl<T: Send + 'static> Job for Pending<T> {
    async fn work(&mut self, session: &mut Session) -> Outcome<()> {
        self.value = Some((self.work)(session).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { value, answer, .. } = *self;
        // Whoever asked may have stopped waiting.
        let _ = answer.send(outcome.and_then(|()| value.ok_or_else(closed)));
    }
}

struct Task {
    jobs: mpsc::Receiver<Box<dyn Job>>,
    session: Option<Session>,
    options: SqliteConnectOptions,
    batch: usize,
    counted: Arc<Counted>,
}

/// A job that had its turn, and why it was refused, if it was.
type Done = (Box<dyn Job>, Option<Error>);

impl Task {
    async fn run(mut self) {
        while let Some(first) = self.jobs.recv().await {
            let mut done = Vec::new();
            let outcome = self.transact(first, &mut done).await;
            match &outcome {
                Ok(()) => self.counted.count(&done),
                Err(failure) => {
                    tracing::warn!(error = ?failure, sets = done.len(), "a transaction failed");
                    self.abandon().await;
                }
            }
            let outcome = outcome.map_err(Error::from);
            for (job, refusal) in done {
                // What was refused for something that was lost with the transaction might not be refused again.
                job.answer(outcome.clone().and_then(|()| refusal.map_or(Ok(()), Err)));
            }
        }
        if let Some(Session::Sqlite(connection)) = self.session.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database did not close well");
        }
    }

    /// Commits `first` and what else is queued, each under a savepoint. What is refused is undone; all that had its turn is
    /// in `done` and waits for the outcome.
    async fn transact(&mut self, first: Box<dyn Job>, done: &mut Vec<Done>) -> Outcome<()> {
        let session = match begin(&mut self.session, &self.options).await {
            Ok(session) => session,
            Err(broken) => {
                done.push((first, None));
                return Err(broken);
            }
        };
        let (mut next, mut mark) = (Some(first), MARK);
        while let Some(mut job) = next.take() {
            let worked = attempt(session, mark, job.as_mut()).await;
            mark = MARK_AGAIN;
            match worked {
                Ok(refusal) => done.push((job, refusal)),
                Err(broken) => {
                    done.push((job, None));
                    return Err(broken);
                }
            }
            if done.len() < self.batch {
                next = self.jobs.try_recv().ok();
            }
        }
        session.execute("COMMIT", Args::new()).await?;
        Ok(())
    }

    /// Rolls back, and drops the connection: after a failed write or sync its state is not worth guessing.
    async fn abandon(&mut self) {
        if let Some(mut session) = self.session.take() {
            // SQLite may have rolled back by itself; then there is nothing to roll back.
            let _ = session.execute("ROLLBACK", Args::new()).await;
        }
    }
}

/// Begins a transaction on the connection, or on a new one after the last was dropped.
async fn begin<'s>(
    place: &'s mut Option<Session>,
    options: &SqliteConnectOptions,
) -> Outcome<&'s mut Session> {
    let session = match place.take() {
        Some(session) => session,
        None => connect(options).await?,
    };
    let session = place.insert(session);
    session.execute("BEGIN IMMEDIATE", Args::new()).await?;
    Ok(session)
}

/// Gives a job its turn under a savepoint; the answer is why it was refused and undone, if it was.
async fn attempt(session: &mut Session, mark: &'static str, job: &mut dyn Job) -> Outcome<Option<Error>> {
    session.execute(mark, Args::new()).await?;
    // A fault in one job must not end the writer for all others.
    let worked = AssertUnwindSafe(job.work(session)).catch_unwind().await;
    match worked {
        Ok(Ok(())) => Ok(None),
        Ok(Err(Failure::Refused(error))) => {
            session.undo().await?;
            Ok(Some(error))
        }
        Ok(Err(broken)) => Err(broken),
        Err(_) => Err(Failure::Broken(Error::new(
            ErrorKind::Internal,
            "a fault in work on the database",
        ))),
    }
}
