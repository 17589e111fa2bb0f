//! A store that fails when told.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    HealthFacts, ListedBlob, StoreHealth, StoreInfo, ask_health,
};
use campusdisk_core::{ByteBody, Error, ErrorKind, InstallationId, Result, Span};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use super::{Fault, Faults, ops};

/// A store around another that fails the calls its [`Faults`] say, and passes on all others.
///
/// After a write that failed it refuses everything but `abort` and drop, as B8 allows.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn BlobStore>,
    faults: Faults,
    told: Option<ToldHealth>,
}

impl FaultyStore {
    /// Lets calls of `inner` fail as `faults` say.
    pub fn new(inner: Arc<dyn BlobStore>, faults: Faults) -> Self {
        Self {
            inner,
            faults,
            told: None,
        }
    }

    /// Gives it the ability to say how it is, and what it says.
    #[must_use]
    pub fn with_health(mut self, told: ToldHealth) -> Self {
        self.told = Some(told);
        self
    }
}

/// What a store says of its health, for a test to set. Clones are the same one.
#[derive(Clone, Debug)]
pub struct ToldHealth(Arc<Mutex<HealthFacts>>);

impl ToldHealth {
    /// The store says this until it is told something else.
    pub fn new(facts: HealthFacts) -> Self {
        Self(Arc::new(Mutex::new(facts)))
    }

    /// From now on, the store says this.
    pub fn set(&self, facts: HealthFacts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    fn facts(&self) -> HealthFacts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs a call that has no halves.
async fn whole<T>(faults: &Faults, op: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
    match faults.strike(op) {
        None => call.await,
        Some(Fault::Hang) => pending().await,
        Some(fault @ Fault::Before(_)) => Err(fault.error(op)),
        Some(fault @ (Fault::After(_) | Fault::HalfWay(_))) => {
            call.await?;
            Err(fault.error(op))
        }
    }
}

#[async_trait]
impl BlobStore for FaultyStore {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        whole(&self.faults, ops::CLAIM, self.inner.claim(installation)).await
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let inner = whole(&self.faults, ops::CREATE, self.inner.create(key, options)).await?;
        Ok(Box::new(FaultyWriter {
            inner,
            faults: self.faults.clone(),
            broken: false,
        }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let inner = whole(&self.faults, ops::OPEN, self.inner.open(blob)).await?;
        Ok(Box::new(FaultyReader {
            inner,
            faults: self.faults.clone(),
        }))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        match self.faults.strike(ops::DELETE) {
            None => self.inner.delete(keys).await,
            Some(Fault::Hang) => pending().await,
            Some(fault @ Fault::Before(_)) => Err(fault.error(ops::DELETE)),
            Some(fault @ Fault::After(_)) => {
                self.inner.delete(keys).await?;
                Err(fault.error(ops::DELETE))
            }
            Some(fault @ Fault::HalfWay(_)) => {
                let (done, left) = keys.split_at(keys.len() / 2);
                let mut report = self.inner.delete(done).await?;
                report.extend(left.iter().map(|key| Deleted {
                    key: *key,
                    outcome: Err(fault.error(ops::DELETE)),
                }));
                Ok(report)
            }
        }
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        broken(
            self.inner.list(prefix, after),
            self.faults.clone(),
            ops::LIST,
            |_| None,
        )
        .boxed()
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        whole(&self.faults, ops::TIDY, self.inner.tidy(older_than)).await
    }

    fn abilities(&self) -> Abilities<'_> {
        let abilities = self.inner.abilities();
        match self.told.is_some() || abilities.health.is_some() {
            true => abilities.with_health(self),
            false => abilities,
        }
    }
}

#[async_trait]
impl StoreHealth for FaultyStore {
    async fn health(&self) -> Result<HealthFacts> {
        let asked = async {
            match &self.told {
                Some(told) => Ok(told.facts()),
                None => ask_health(&*self.inner).await,
            }
        };
        whole(&self.faults, ops::HEALTH, asked).await
    }
}

#[derive(Debug)]
struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    faults: Faults,
    broken: bool,
}

impl FaultyWriter {
    fn check(&self) -> Result<()> {
        if self.broken {
            return Err(Error::new(
                ErrorKind::Internal,
                "an earlier write of this blob failed, so it can only be given up",
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.check()?;
        // Stays so when this future fails or is dropped.
        self.broken = true;
        match self.faults.strike(ops::WRITE) {
            None => self.inner.write(bytes).await?,
            Some(Fault::Hang) => pending().await,
            Some(fault) => {
                let taken = match fault {
                    Fault::After(_) => bytes,
                    Fault::HalfWay(_) => bytes.slice(..bytes.len() / 2),
                    Fault::Before(_) | Fault::Hang => Bytes::new(),
                };
                self.inner.write(taken).await?;
                return Err(fault.error(ops::WRITE));
            }
        }
        self.broken = false;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        self.check()?;
        let Self { inner, faults, .. } = *self;
        whole(&faults, ops::COMMIT, inner.commit()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { inner, faults, .. } = *self;
        whole(&faults, ops::ABORT, inner.abort()).await
    }
}

#[derive(Debug)]
struct FaultyReader {
    inner: Box<dyn BlobReader>,
    faults: Faults,
}

#[async_trait]
impl BlobReader for FaultyReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let body = whole(&self.faults, ops::READ, self.inner.read(span)).await?;
        let left_bytes = body.left_bytes();
        let half = |piece: &Bytes| Some(piece.slice(..piece.len() / 2));
        let pieces = broken(body, self.faults.clone(), ops::PIECE, half);
        Ok(ByteBody::stream(left_bytes, pieces))
    }
}

/// The stream, breaking at the item that is told to.
fn broken<T: Send + 'static>(
    inner: impl Stream<Item = Result<T>> + Send + Unpin + 'static,
    faults: Faults,
    op: &'static str,
    half: fn(&T) -> Option<T>,
) -> impl Stream<Item = Result<T>> + Send + 'static {
    /// What comes next.
    enum Next<S> {
        Item(S),
        Error(Fault),
        End,
    }
    stream::unfold(Next::Item(inner), move |next| {
        let faults = faults.clone();
        async move {
            let mut inner = match next {
                Next::Item(inner) => inner,
                Next::Error(fault) => return Some((Err(fault.error(op)), Next::End)),
                Next::End => return None,
            };
            match faults.strike(op) {
                None => inner.next().await.map(|item| (item, Next::Item(inner))),
                Some(Fault::Hang) => pending().await,
                Some(fault @ Fault::Before(_)) => Some((Err(fault.error(op)), Next::End)),
                Some(fault @ (Fault::After(_) | Fault::HalfWay(_))) => match inner.next().await {
                    Some(Ok(item)) => {
                        let cut = matches!(fault, Fault::HalfWay(_));
                        let item = half(&item).filter(|_| cut).unwrap_or(item);
                        Some((Ok(item), Next::Error(fault)))
                    }
                    _ => Some((Err(fault.error(op)), Next::End)),
                },
            }
        }
    })
}
