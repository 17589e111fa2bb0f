//! Tells `tracing` what a store was asked, how long it took and how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tracing::{Instrument, debug, debug_span, warn};

use crate::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    HealthFacts, ListedBlob, StoreHealth, StoreInfo, StoreName, ask_health,
};
use crate::{ByteBody, Error, InstallationId, Result, Span};

/// A store whose calls are events of `tracing`: `op`, `store`, `key`, `bytes` and `elapsed`, at level debug; failures
/// with `error`, at level warn.
///
/// A body is one event when it ends or is dropped, a writer one when it is committed, aborted or dropped; a listing is one
/// when it ends. Each call also runs in a span `storage` with the same fields, so that events inside it are found.
#[derive(Debug)]
pub struct TraceStore {
    inner: Arc<dyn BlobStore>,
}

impl TraceStore {
    /// Traces `inner`.
    pub fn new(inner: Arc<dyn BlobStore>) -> Self {
        Self { inner }
    }

    fn act(&self, op: &'static str, key: Option<BlobKey>) -> Act {
        Act {
            op,
            store: self.inner.info().name.clone(),
            key,
            bytes: 0,
            started: Instant::now(),
        }
    }
}

#[async_trait]
impl BlobStore for TraceStore {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let act = self.act("claim", None);
        let outcome = self.inner.claim(installation).instrument(act.span()).await;
        act.ended(outcome.as_ref().err());
        outcome
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let act = self.act("create", Some(*key));
        let outcome = self.inner.create(key, options).instrument(act.span()).await;
        act.ended(outcome.as_ref().err());
        Ok(Box::new(TraceWriter {
            inner: Some(outcome?),
            act: Act { op: "write", ..act },
        }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let act = self.act("open", Some(blob.key));
        let outcome = self.inner.open(blob).instrument(act.span()).await;
        act.ended(outcome.as_ref().err());
        Ok(Box::new(TraceReader {
            inner: outcome?,
            store: act.store,
            key: blob.key,
        }))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let act = self.act("delete", None);
        let outcome = self.inner.delete(keys).instrument(act.span()).await;
        act.ended(outcome.as_ref().err());
        for entry in outcome.iter().flatten() {
            Act {
                key: Some(entry.key),
                ..act.clone()
            }
            .ended(entry.outcome.as_ref().err());
        }
        outcome
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        let report = Report {
            act: self.act("list", None),
            failed: None,
            whole: false,
        };
        let inner = self.inner.list(prefix, after);
        stream::unfold((inner, report), |(mut inner, mut report)| async move {
            let item = inner.next().instrument(report.act.span()).await;
            report.whole = item.is_none();
            let item = item?;
            report.failed = item.as_ref().err().cloned();
            Some((item, (inner, report)))
        })
        .boxed()
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        let act = self.act("tidy", None);
        let outcome = self.inner.tidy(older_than).instrument(act.span()).await;
        act.ended(outcome.as_ref().err());
        outcome
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
impl StoreHealth for TraceStore {
    async fn health(&self) -> Result<HealthFacts> {
        let act = self.act("health", None);
        let outcome = ask_health(&*self.inner).instrument(act.span()).await;
        act.ended(outcome.as_ref().err());
        outcome
    }
}

/// What is going on.
#[derive(Clone, Debug)]
struct Act {
    op: &'static str,
    store: StoreName,
    key: Option<BlobKey>,
    bytes: u64,
    started: Instant,
}

impl Act {
    fn span(&self) -> tracing::Span {
        let key = self.key.map(tracing::field::display);
        debug_span!("storage", op = self.op, store = %self.store, key)
    }

    fn ended(&self, error: Option<&Error>) {
        let key = self.key.map(tracing::field::display);
        let (op, store, bytes, elapsed) = (self.op, &self.store, self.bytes, self.started.elapsed());
        match error {
            None => debug!(op, %store, key, bytes, ?elapsed, "storage call"),
            Some(error) => warn!(op, %store, key, bytes, ?elapsed, ?error, "storage call failed"),
        }
    }

    fn dropped(&self) {
        let key = self.key.map(tracing::field::display);
        let (op, store, bytes, elapsed) = (self.op, &self.store, self.bytes, self.started.elapsed());
        debug!(op, %store, key, bytes, ?elapsed, "storage call dropped");
    }
}

/// Speaks when a stream is over, however it came to that.
struct Report {
    act: Act,
    failed: Option<Error>,
    whole: bool,
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.whole || self.failed.is_some() {
            self.act.ended(self.failed.as_ref());
        } else {
            self.act.dropped();
        }
    }
}

#[derive(Debug)]
struct TraceWriter {
    /// `None` once it was committed or aborted.
    inner: Option<Box<dyn BlobWriter>>,
    act: Act,
}

#[async_trait]
impl BlobWriter for TraceWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let Some(inner) = &mut self.inner else {
            return Err(used_up());
        };
        let len_bytes = bytes.len() as u64;
        let outcome = inner.write(bytes).instrument(self.act.span()).await;
        match &outcome {
            Ok(()) => self.act.bytes += len_bytes,
            Err(error) => self.act.ended(Some(error)),
        }
        outcome
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobFacts> {
        let Some(inner) = self.inner.take() else {
            return Err(used_up());
        };
        self.act.op = "commit";
        let outcome = inner.commit().instrument(self.act.span()).await;
        self.act.ended(outcome.as_ref().err());
        outcome
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let Some(inner) = self.inner.take() else {
            return Err(used_up());
        };
        self.act.op = "abort";
        let outcome = inner.abort().instrument(self.act.span()).await;
        self.act.ended(outcome.as_ref().err());
        outcome
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.act.dropped();
        }
    }
}

fn used_up() -> Error {
    Error::new(
        crate::ErrorKind::Internal,
        "the writer was committed or aborted before",
    )
}

#[derive(Debug)]
struct TraceReader {
    inner: Box<dyn BlobReader>,
    store: StoreName,
    key: BlobKey,
}

#[async_trait]
impl BlobReader for TraceReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let act = Act {
            op: "read",
            store: self.store.clone(),
            key: Some(self.key),
            bytes: 0,
            started: Instant::now(),
        };
        let body = match self.inner.read(span).instrument(act.span()).await {
            Ok(body) => body,
            Err(error) => {
                act.ended(Some(&error));
                return Err(error);
            }
        };
        let mut report = Report {
            act,
            failed: None,
            whole: false,
        };
        let left_bytes = body.left_bytes();
        let pieces = body.inspect(move |piece| match piece {
            Ok(piece) => {
                report.act.bytes += piece.len() as u64;
                report.whole = report.act.bytes == left_bytes;
            }
            Err(error) => report.failed = Some(error.clone()),
        });
        Ok(ByteBody::stream(left_bytes, pieces))
    }
}
