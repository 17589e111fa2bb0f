//! Lets only so many calls reach a store at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    ListedBlob, StoreInfo,
};
use crate::{ByteBody, Error, ErrorKind, InstallationId, Result, Span};

/// How much may go on in a store at once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LimitOptions {
    /// Bodies that are being read. 256 unless set.
    pub reads: usize,
    /// Writers that are open. 64 unless set.
    pub writers: usize,
    /// Other calls. 64 unless set.
    pub calls: usize,
    /// How long a call waits for its turn before it fails. 30 s unless set.
    pub wait: Duration,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            reads: 256,
            writers: 64,
            calls: 64,
            wait: Duration::from_secs(30),
        }
    }
}

impl LimitOptions {
    /// Sets how many bodies are read at once.
    #[must_use]
    pub fn with_reads(mut self, reads: usize) -> Self {
        self.reads = reads;
        self
    }

    /// Sets how many writers are open at once.
    #[must_use]
    pub fn with_writers(mut self, writers: usize) -> Self {
        self.writers = writers;
        self
    }

    /// Sets how many other calls run at once.
    #[must_use]
    pub fn with_calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Sets how long a call waits for its turn.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

/// A store that only so many reads, writers and other calls reach at once; the rest wait their turn, first come first
/// served, and fail with [`Unavailable`](ErrorKind::Unavailable) when it takes too long.
///
/// A body holds its turn until it ends or is dropped, a writer until it is committed, aborted or dropped. Each of the three
/// kinds has turns of its own, so that whoever writes what it reads never waits for itself. Listings take no turn,
/// and neither do questions of health: a store that is busy is to be asked how it is.
#[derive(Debug)]
pub struct LimitStore {
    inner: Arc<dyn BlobStore>,
    reads: Turns,
    writers: Turns,
    calls: Turns,
}

impl LimitStore {
    /// Limits what reaches `inner`. A limit of 0 counts as 1.
    pub fn new(inner: Arc<dyn BlobStore>, options: LimitOptions) -> Self {
        let turns = |count: usize, what| Turns {
            permits: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))),
            wait: options.wait,
            what,
        };
        Self {
            reads: turns(options.reads, "reads"),
            writers: turns(options.writers, "writers"),
            calls: turns(options.calls, "calls"),
            inner,
        }
    }
}

#[async_trait]
impl BlobStore for LimitStore {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let _turn = self.calls.take().await?;
        self.inner.claim(installation).await
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let turn = self.writers.take().await?;
        let inner = self.inner.create(key, options).await?;
        Ok(Box::new(LimitWriter { inner, _turn: turn }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let _turn = self.calls.take().await?;
        let inner = self.inner.open(blob).await?;
        let reads = self.reads.clone();
        Ok(Box::new(LimitReader { inner, reads }))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let _turn = self.calls.take().await?;
        self.inner.delete(keys).await
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        self.inner.list(prefix, after)
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        let _turn = self.calls.take().await?;
        self.inner.tidy(older_than).await
    }

    fn abilities(&self) -> Abilities<'_> {
        self.inner.abilities()
    }
}

/// Turns of one kind.
#[derive(Clone, Debug)]
struct Turns {
    permits: Arc<Semaphore>,
    wait: Duration,
    /// The setting that says how many there are.
    what: &'static str,
}

impl Turns {
    async fn take(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.permits).acquire_owned();
        // The semaphore is never closed, so the inner error does not come.
        if let Ok(Ok(turn)) = tokio::time::timeout(self.wait, turn).await {
            return Ok(turn);
        }
        let text = format!(
            "too many {what} at once: none ended within {:?} (limit `{what}` of the store)",
            self.wait,
            what = self.what
        );
        Err(Error::new(ErrorKind::Unavailable, text).during("wait for a turn"))
    }
}

#[derive(Debug)]
struct LimitWriter {
    inner: Box<dyn BlobWriter>,
    _turn: OwnedSemaphorePermit,
}

#[async_trait]
impl BlobWriter for LimitWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.inner.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        let Self { inner, _turn } = *self;
        inner.commit().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { inner, _turn } = *self;
        inner.abort().await
    }
}

#[derive(Debug)]
struct LimitReader {
    inner: Box<dyn BlobReader>,
    reads: Turns,
}

#[async_trait]
impl BlobReader for LimitReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let turn = self.reads.take().await?;
        let body = self.inner.read(span).await?;
        let left_bytes = body.left_bytes();
        let pieces = body.inspect(move |_| {
            // The turn lives as long as the stream does.
            let _ = &turn;
        });
        Ok(ByteBody::stream(left_bytes, pieces))
    }
}
