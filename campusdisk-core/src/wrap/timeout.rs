//! Gives every call, every write and every gap inside a body a limit in time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use crate::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    HealthFacts, ListedBlob, StoreHealth, StoreInfo, ask_health,
};
use crate::{ByteBody, Error, ErrorKind, InstallationId, Result, Span};

/// How long a store may take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TimeoutOptions {
    /// For `claim`, `create`, `open`, `health` and `read` until its body begins. 10 s unless set.
    pub call: Duration,
    /// Between two pieces of a body or two blobs of a listing, while somebody waits for them. 10 s unless set.
    pub gap: Duration,
    /// For one `write`. 30 s unless set.
    pub write: Duration,
    /// For `commit` and `abort`. 60 s unless set.
    pub commit: Duration,
    /// For `delete` and `tidy`, which work through many blobs. 10 min unless set.
    pub bulk: Duration,
}

impl Default for TimeoutOptions {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            gap: Duration::from_secs(10),
            write: Duration::from_secs(30),
            commit: Duration::from_secs(60),
            bulk: Duration::from_secs(600),
        }
    }
}

impl TimeoutOptions {
    /// Sets the limit of calls.
    #[must_use]
    pub fn with_call(mut self, call: Duration) -> Self {
        self.call = call;
        self
    }

    /// Sets the limit of gaps.
    #[must_use]
    pub fn with_gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Sets the limit of one write.
    #[must_use]
    pub fn with_write(mut self, write: Duration) -> Self {
        self.write = write;
        self
    }

    /// Sets the limit of commit and abort.
    #[must_use]
    pub fn with_commit(mut self, commit: Duration) -> Self {
        self.commit = commit;
        self
    }

    /// Sets the limit of work on many blobs.
    #[must_use]
    pub fn with_bulk(mut self, bulk: Duration) -> Self {
        self.bulk = bulk;
        self
    }
}

/// A store whose calls fail with [`Unavailable`](ErrorKind::Unavailable) when they take too long.
///
/// A call that ran out of time may still take effect (B9 says what it can leave); after a `write` that did, only `abort` or
/// drop may follow. A body is not timed while nobody asks for its next piece, so a slow client breaks nothing.
#[derive(Debug)]
pub struct TimeoutStore {
    inner: Arc<dyn BlobStore>,
    options: TimeoutOptions,
}

impl TimeoutStore {
    /// Puts limits on `inner`.
    pub fn new(inner: Arc<dyn BlobStore>, options: TimeoutOptions) -> Self {
        Self { inner, options }
    }
}

#[async_trait]
impl BlobStore for TimeoutStore {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let limit = Limit(self.options.call, "claim store");
        limit.on(self.inner.claim(installation)).await
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let limit = Limit(self.options.call, "create blob");
        let inner = limit.on(self.inner.create(key, options)).await?;
        Ok(Box::new(TimeoutWriter {
            inner,
            options: self.options,
            broken: false,
        }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let limit = Limit(self.options.call, "open blob");
        let inner = limit.on(self.inner.open(blob)).await?;
        Ok(Box::new(TimeoutReader {
            inner,
            options: self.options,
        }))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let limit = Limit(self.options.bulk, "delete blobs");
        limit.on(self.inner.delete(keys)).await
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        let limit = Limit(self.options.gap, "list blobs");
        timed(self.inner.list(prefix, after), limit).boxed()
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        let limit = Limit(self.options.bulk, "tidy store");
        limit.on(self.inner.tidy(older_than)).await
    }

    fn abilities(&self) -> Abilities<'_> {
        let abilities = self.inner.abilities();
        match abilities.health {
            Some(_) => abilities.with_health(self),
            None => abilities,
        }
    }
}

#[async_trait]
impl StoreHealth for TimeoutStore {
    async fn health(&self) -> Result<HealthFacts> {
        let limit = Limit(self.options.call, "ask for health");
        limit.on(ask_health(&*self.inner)).await
    }
}

/// How long what may take.
#[derive(Clone, Copy)]
struct Limit(Duration, &'static str);

impl Limit {
    async fn on<T>(self, call: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.0, call).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let text = format!("the store did not answer within {:?}", self.0);
                Err(Error::new(ErrorKind::Unavailable, text).during(self.1))
            }
        }
    }
}

/// The stream, ending with an error where an item takes too long.
fn timed<T: Send + 'static>(
    inner: impl Stream<Item = Result<T>> + Send + Unpin + 'static,
    limit: Limit,
) -> impl Stream<Item = Result<T>> + Send + 'static {
    stream::unfold(Some(inner), move |inner| async move {
        let mut inner = inner?;
        match limit.on(async { Ok(inner.next().await) }).await {
            Ok(item) => item.map(|item| (item, Some(inner))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

#[derive(Debug)]
struct TimeoutWriter {
    inner: Box<dyn BlobWriter>,
    options: TimeoutOptions,
    broken: bool,
}

impl TimeoutWriter {
    fn check(&self) -> Result<()> {
        if self.broken {
            return Err(Error::new(
                ErrorKind::Internal,
                "an earlier write of this blob failed, so it can only be given up",
            )
            .during("write blob"));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for TimeoutWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.check()?;
        // Stays so when this future is dropped, which the inner writer may not survive either.
        self.broken = true;
        let limit = Limit(self.options.write, "write blob");
        limit.on(self.inner.write(bytes)).await?;
        self.broken = false;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        self.check()?;
        let limit = Limit(self.options.commit, "commit blob");
        limit.on(self.inner.commit()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let limit = Limit(self.options.commit, "abort blob");
        limit.on(self.inner.abort()).await
    }
}

#[derive(Debug)]
struct TimeoutReader {
    inner: Box<dyn BlobReader>,
    options: TimeoutOptions,
}

#[async_trait]
impl BlobReader for TimeoutReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let limit = Limit(self.options.call, "read blob");
        let body = limit.on(self.inner.read(span)).await?;
        let limit = Limit(self.options.gap, "read blob");
        Ok(ByteBody::stream(body.left_bytes(), timed(body, limit)))
    }
}
