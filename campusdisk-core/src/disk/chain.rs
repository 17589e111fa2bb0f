//! The bytes of a span of a content, from wherever they come.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;

use super::keeping::{Keeping, Way};
use super::shared::Shared;
use super::spent::Budget;
use super::watch::Watch;
use crate::catalog::record::{Content, Extent};
use crate::{ByteBody, ContentId, Error, ErrorKind, Result, Span, Timestamp};

/// Tries without progress before a body breaks.
const TRIES: u32 = 4;
/// Pause before the second try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// The bytes of a span over a content's extents, one after another.
pub(super) struct Chain {
    shared: Arc<Shared>,
    content: Arc<Content>,
    /// Whether the catalog has the content, so that it may have another layout there.
    in_catalog: bool,
    /// What is still to come, in the content.
    left: Option<Span>,
    source: Option<Source>,
    keeping: Option<Keeping>,
    /// The extent that `left` begins in, and where in the content that extent begins.
    extent: usize,
    extent_start: u64,
    tries: u32,
    watch: Option<Watch>,
    budget: Option<Budget>,
}

/// Where the bytes come from that are next.
enum Source {
    Store(ByteBody),
    /// What is left of a chunk.
    Chunk(Bytes),
}

impl Chain {
    /// All of a content, for the service's own work.
    pub(super) fn over(shared: Arc<Shared>, content: Arc<Content>) -> ByteBody {
        Self::whole(shared, content, true)
    }

    /// A span of a content that somebody downloads, from a source that has begun to give it.
    pub(super) async fn opened(shared: Arc<Shared>, content: Arc<Content>, span: Span) -> Result<ByteBody> {
        let mut chain = Self::downloaded(shared, content, span, None);
        chain.open_or_recover().await?;
        Ok(chain.into_body(span.len()))
    }

    /// The same where the bytes are paid for, and a watch may follow; nothing is open yet.
    pub(super) fn downloaded(
        shared: Arc<Shared>,
        content: Arc<Content>,
        span: Span,
        budget: Option<Budget>,
    ) -> Self {
        Self {
            keeping: Keeping::of(&shared, &content, span),
            budget,
            ..Self::new(shared, content, span)
        }
    }

    /// A span of a content for whoever tries again themselves: the first failure is told.
    pub(super) fn tried_once(shared: Arc<Shared>, content: Arc<Content>, span: Span) -> ByteBody {
        let chain = Self {
            tries: TRIES - 1,
            ..Self::new(shared, content, span)
        };
        chain.into_body(span.len())
    }

    /// The body of all that is left: at once where it is all there, else under the watch that `watched` begins.
    pub(super) async fn begin(mut self, span: Span, watched: impl FnOnce() -> Watch) -> Result<ByteBody> {
        self.open_or_recover().await?;
        if let Some(bytes) = self.take_ready(span) {
            return self.pay(bytes.len()).await.map(|()| ByteBody::once(bytes));
        }
        self.watch = Some(watched());
        Ok(self.into_body(span.len()))
    }

    /// All of some extents that are no content's, or not yet.
    pub(super) fn over_extents(shared: Arc<Shared>, extents: Vec<Extent>) -> ByteBody {
        let content = Content {
            id: ContentId::from_u128(0),
            size_bytes: extents.iter().map(|extent| extent.len_bytes).sum(),
            crc32: None,
            sha256: None,
            created: Timestamp::default(),
            layout_version: 0,
            extents,
            refs: 0,
        };
        Self::whole(shared, Arc::new(content), false)
    }

    fn whole(shared: Arc<Shared>, content: Arc<Content>, in_catalog: bool) -> ByteBody {
        let Some(span) = Span::whole(content.size_bytes) else {
            return ByteBody::empty();
        };
        let chain = Self {
            in_catalog,
            ..Self::new(shared, content, span)
        };
        chain.into_body(span.len())
    }

    fn new(shared: Arc<Shared>, content: Arc<Content>, span: Span) -> Self {
        Self {
            shared,
            content,
            in_catalog: true,
            left: Some(span),
            source: None,
            keeping: None,
            extent: 0,
            extent_start: 0,
            tries: 0,
            watch: None,
            budget: None,
        }
    }

    fn into_body(self, len_bytes: u64) -> ByteBody {
        ByteBody::stream(
            len_bytes,
            futures::stream::unfold(self, |mut chain| async move {
                let piece = chain.next().await?;
                Some((piece, chain))
            }),
        )
    }

    async fn next(&mut self) -> Option<Result<Bytes>> {
        if let Some(keeping) = &mut self.keeping {
            keeping.pace.is_back();
        }
        loop {
            let left = self.left?;
            if self.watch.as_ref().is_some_and(Watch::has_ended) {
                self.left = None;
                return Some(Err(Error::new(
                    ErrorKind::Denied,
                    "the right to this file has ended",
                )));
            }
            let piece = match &mut self.source {
                Some(Source::Store(body)) => body.next().await,
                Some(Source::Chunk(rest)) => self
                    .keeping
                    .as_ref()
                    .and_then(|keeping| keeping.piece(rest))
                    .map(Ok),
                None => match self.open_or_recover().await {
                    Ok(()) => continue,
                    Err(error) => return self.stop(error),
                },
            };
            match piece {
                Some(Ok(bytes)) => {
                    if let Err(error) = self.pay(bytes.len()).await {
                        return self.stop(error);
                    }
                    self.went_out(left, bytes.len());
                    return Some(Ok(bytes));
                }
                Some(Err(error)) => {
                    if let Err(error) = self.recover(error).await {
                        return self.stop(error);
                    }
                }
                None => self.source = None,
            }
        }
    }

    /// So many bytes of `left` are on their way.
    fn went_out(&mut self, left: Span, bytes: usize) {
        let to = left.start() + bytes as u64;
        if let Some(keeping) = &mut self.keeping {
            keeping.pace.handed(bytes);
            if let (Some(Source::Store(_)), Some(piece)) = (&self.source, Span::new(left.start(), to)) {
                keeping.passed(&self.shared, &self.content, piece);
            }
        }
        self.left = left.skip_to(to);
        self.tries = 0;
    }

    fn stop(&mut self, error: Error) -> Option<Result<Bytes>> {
        self.left = None;
        Some(Err(error))
    }

    async fn open_or_recover(&mut self) -> Result<()> {
        while self.left.is_some() {
            match self.open_next().await {
                Ok(()) => return Ok(()),
                Err(error) => self.recover(error).await?,
            }
        }
        Ok(())
    }

    /// Opens the next chunk, or the part of the next extent that is asked for.
    async fn open_next(&mut self) -> Result<()> {
        let Some(mut left) = self.left else { return Ok(()) };
        if let Some(keeping) = &mut self.keeping {
            match keeping.way(&self.shared, &self.content, left).await? {
                Way::Chunk(bytes) => {
                    self.source = Some(Source::Chunk(bytes));
                    return Ok(());
                }
                Way::Pass(span) => left = span,
            }
        }
        let (extent, start) = self.find(left.start())?;
        let whole = Span::new(start, start + extent.len_bytes);
        let inside = whole
            .and_then(|whole| whole.intersect(left))
            .and_then(|span| span.relative_to(start));
        let in_blob = inside.and_then(|span| span.shifted_by(extent.offset_bytes));
        let in_blob = in_blob.ok_or_else(broken_layout)?;
        let body = self.shared.reader(&extent).await?.read(in_blob).await?;
        self.source = Some(Source::Store(body));
        Ok(())
    }

    /// The extent that holds the byte at `position`, and where in the content it begins.
    fn find(&mut self, position: u64) -> Result<(Extent, u64)> {
        while let Some(extent) = self.content.extents.get(self.extent) {
            if position < self.extent_start + extent.len_bytes {
                return Ok((extent.clone(), self.extent_start));
            }
            self.extent_start += extent.len_bytes;
            self.extent += 1;
        }
        Err(broken_layout())
    }

    /// Makes going on at the offset already sent possible, or says why that is impossible.
    async fn recover(&mut self, error: Error) -> Result<()> {
        self.source = None;
        if let Some(extent) = self.content.extents.get(self.extent) {
            self.shared.forget_readers(&extent.store, [extent.blob]);
        }
        self.tries += 1;
        if self.tries >= TRIES {
            return Err(error);
        }
        if self.in_catalog && self.reload(&error).await? {
            return Ok(());
        }
        if !error.is_retryable() {
            return Err(error);
        }
        tracing::debug!(%error, tries = self.tries, "a download goes on after a failure of the store");
        tokio::time::sleep(PAUSE * 2u32.saturating_pow(self.tries - 1)).await;
        Ok(())
    }

    /// A blob that is gone, or is not what it was, may have been replaced: asks the catalog for the layout of now, and says whether
    /// it is another.
    async fn reload(&mut self, error: &Error) -> Result<bool> {
        match self.shared.catalog.content(self.content.id).await {
            Ok(Some(content)) if content.layout_version != self.content.layout_version => {
                self.content = Arc::new(content);
                (self.extent, self.extent_start) = (0, 0);
                Ok(true)
            }
            Ok(Some(_)) => Ok(false),
            Ok(None) => Err(Error::not_found().because(error.clone())),
            Err(_) => Err(error.clone()),
        }
    }

    async fn pay(&mut self, bytes: usize) -> Result<()> {
        match &mut self.budget {
            Some(budget) => budget.pay(bytes as u64).await,
            None => Ok(()),
        }
    }

    /// The span, where all of it was there at once.
    fn take_ready(&mut self, span: Span) -> Option<Bytes> {
        match self.source.take()? {
            Source::Chunk(bytes) if bytes.len() as u64 == span.len() => Some(bytes),
            Source::Store(body) if body.len_bytes() == span.len() => match body.into_ready() {
                Ok(bytes) => Some(bytes),
                Err(body) => {
                    self.source = Some(Source::Store(body));
                    None
                }
            },
            source => {
                self.source = Some(source);
                None
            }
        }
    }
}

fn broken_layout() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "the content's extents do not add up to its size",
    )
}
