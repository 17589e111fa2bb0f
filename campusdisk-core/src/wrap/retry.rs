//! Tries again what failed for a moment and is safe to repeat.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use crate::storage::{
    Abilities, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted, ListedBlob,
    StoreInfo,
};
use crate::{ByteBody, Error, InstallationId, Result, Span};

/// How often and how soon to try again.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RetryOptions {
    /// How many attempts there are in all; 1 never tries again. 4 unless set.
    pub attempts: u32,
    /// The pause before the second attempt; each further one doubles. 100 ms unless set.
    pub first_pause: Duration,
    /// The longest pause. 5 s unless set.
    pub longest_pause: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

impl RetryOptions {
    /// Sets how many attempts there are in all.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the pause before the second attempt.
    #[must_use]
    pub fn with_first_pause(mut self, first_pause: Duration) -> Self {
        self.first_pause = first_pause;
        self
    }

    /// Sets the longest pause.
    #[must_use]
    pub fn with_longest_pause(mut self, longest_pause: Duration) -> Self {
        self.longest_pause = longest_pause;
        self
    }
}

/// A store that repeats calls which failed for a moment ([`Error::is_retryable`]), with growing, random pauses.
///
/// Repeated are `claim`, `create`, `open`, `read`, `delete` (the keys that failed), `list` and `tidy`: done twice they do
/// the same as once. A body that breaks goes on at the byte it had reached, from a reader opened anew, and a listing after
/// the blob it had reached; each step forward earns the full number of attempts again. Never repeated are `write`, `commit`
/// and `abort`: whoever holds the bytes writes them anew under another key; nor is `health`, which is about now.
#[derive(Debug)]
pub struct RetryStore {
    inner: Arc<dyn BlobStore>,
    options: RetryOptions,
}

impl RetryStore {
    /// Repeats calls of `inner`.
    pub fn new(inner: Arc<dyn BlobStore>, options: RetryOptions) -> Self {
        Self { inner, options }
    }
}

#[async_trait]
impl BlobStore for RetryStore {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let mut attempts = Attempts::new(self.options);
        loop {
            match self.inner.claim(installation).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let mut attempts = Attempts::new(self.options);
        loop {
            match self.inner.create(key, options).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let mut attempts = Attempts::new(self.options);
        loop {
            match self.inner.open(blob).await {
                Err(error) if attempts.again(&error).await => {}
                Err(error) => return Err(error),
                Ok(reader) => {
                    return Ok(Box::new(RetryReader(Arc::new(Source {
                        store: Arc::clone(&self.inner),
                        blob: *blob,
                        options: self.options,
                        reader: Mutex::new(reader.into()),
                    }))));
                }
            }
        }
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let mut attempts = Attempts::new(self.options);
        let mut report = loop {
            match self.inner.delete(keys).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => break outcome?,
            }
        };
        loop {
            let failed: Vec<_> = report.iter().filter_map(momentary).collect();
            let Some((_, error)) = failed.first() else {
                return Ok(report);
            };
            if !attempts.again(error).await {
                return Ok(report);
            }
            let keys: Vec<_> = failed.iter().map(|(key, _)| *key).collect();
            // Where the call itself fails now, the report of the last one stands.
            if let Ok(second) = self.inner.delete(&keys).await {
                let slots = report.iter_mut().filter(|entry| momentary(entry).is_some());
                for (slot, entry) in slots.zip(second) {
                    *slot = entry;
                }
            }
        }
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        let listing = Listing {
            inner: self.inner.list(prefix, after),
            store: Arc::clone(&self.inner),
            prefix: prefix.to_owned(),
            after: after.copied(),
            attempts: Attempts::new(self.options),
        };
        stream::unfold(Some(listing), |listing| async { listing?.next().await }).boxed()
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        let mut attempts = Attempts::new(self.options);
        loop {
            match self.inner.tidy(older_than).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    fn abilities(&self) -> Abilities<'_> {
        self.inner.abilities()
    }
}

/// The key and error of an entry that failed for a moment.
fn momentary(entry: &Deleted) -> Option<(BlobKey, Error)> {
    let error = entry.outcome.as_ref().err()?;
    error.is_retryable().then(|| (entry.key, error.clone()))
}

/// The attempts of one call.
#[derive(Clone, Copy, Debug)]
struct Attempts {
    options: RetryOptions,
    made: u32,
}

impl Attempts {
    fn new(options: RetryOptions) -> Self {
        Self { options, made: 1 }
    }

    /// Pauses and says yes where `error` may pass by itself and attempts are left; else says no at once.
    async fn again(&mut self, error: &Error) -> bool {
        if !error.is_retryable() || self.made >= self.options.attempts {
            return false;
        }
        let doubled = 2u32.saturating_pow(self.made - 1);
        let pause = self.options.first_pause.saturating_mul(doubled);
        let pause = pause.min(self.options.longest_pause);
        self.made += 1;
        // Between half and all of it, so that callers that failed together don't come back together.
        tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        true
    }
}

/// A listing and where it is.
struct Listing {
    inner: BoxStream<'static, Result<ListedBlob>>,
    store: Arc<dyn BlobStore>,
    prefix: String,
    after: Option<BlobKey>,
    attempts: Attempts,
}

impl Listing {
    async fn next(mut self) -> Option<(Result<ListedBlob>, Option<Self>)> {
        loop {
            match self.inner.next().await? {
                Ok(blob) => {
                    self.after = Some(blob.key);
                    self.attempts.made = 1;
                    return Some((Ok(blob), Some(self)));
                }
                Err(error) if self.attempts.again(&error).await => {
                    self.inner = self.store.list(&self.prefix, self.after.as_ref());
                }
                Err(error) => return Some((Err(error), None)),
            }
        }
    }
}

#[derive(Debug)]
struct RetryReader(Arc<Source>);

#[async_trait]
impl BlobReader for RetryReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let mut attempts = Attempts::new(self.0.options);
        let body = self.0.read(span, &mut attempts).await?;
        let resumed = Resumed {
            source: Arc::clone(&self.0),
            body,
            at: span.start(),
            end: span.end(),
            attempts: Attempts::new(self.0.options),
        };
        Ok(ByteBody::stream(span.len(), resumed.pieces()))
    }
}

/// One blob and the reader that serves it until it fails.
#[derive(Debug)]
struct Source {
    store: Arc<dyn BlobStore>,
    blob: BlobRef,
    options: RetryOptions,
    reader: Mutex<Arc<dyn BlobReader>>,
}

impl Source {
    async fn read(&self, span: Span, attempts: &mut Attempts) -> Result<ByteBody> {
        loop {
            let reader = self.reader();
            match reader.read(span).await {
                Err(error) if attempts.again(&error).await => self.renew(attempts).await?,
                outcome => return outcome,
            }
        }
    }

    fn reader(&self) -> Arc<dyn BlobReader> {
        Arc::clone(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the reader: one that failed may hold on to the connection or the locations that made it fail.
    async fn renew(&self, attempts: &mut Attempts) -> Result<()> {
        loop {
            match self.store.open(&self.blob).await {
                Err(error) if attempts.again(&error).await => {}
                Err(error) => return Err(error),
                Ok(reader) => {
                    *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = reader.into();
                    return Ok(());
                }
            }
        }
    }
}

/// A body and where it is.
struct Resumed {
    source: Arc<Source>,
    body: ByteBody,
    at: u64,
    end: u64,
    attempts: Attempts,
}

impl Resumed {
    fn pieces(self) -> impl Stream<Item = Result<bytes::Bytes>> + Send + 'static {
        stream::unfold(Some(self), |resumed| async move {
            let mut resumed = resumed?;
            match resumed.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(resumed))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<bytes::Bytes>> {
        loop {
            match self.body.next().await {
                None => return Ok(None),
                Some(Ok(piece)) => {
                    self.at += piece.len() as u64;
                    self.attempts.made = 1;
                    return Ok(Some(piece));
                }
                Some(Err(error)) => {
                    // Where every byte came before it broke, nothing is missing.
                    let Some(rest) = Span::new(self.at, self.end) else {
                        return Ok(None);
                    };
                    if !self.attempts.again(&error).await {
                        return Err(error);
                    }
                    self.source.renew(&mut self.attempts).await?;
                    self.body = self.source.read(rest, &mut self.attempts).await?;
                }
            }
        }
    }
}
