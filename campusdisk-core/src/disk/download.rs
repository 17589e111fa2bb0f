//! Downloads: what is there, and its bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;

use super::access::{Place, ReadGrant};
use super::shared::{Desk, Shared};
use super::spent::{Budget, Spent};
use super::watch::{Right, Watch};
use crate::catalog::record::{Content, Extent, Role};
use crate::{ByteBody, CHUNK_BYTES, ContentId, Error, ErrorKind, NodeId, Result, Span, Timestamp, media};

/// Tries without progress before a body breaks.
const TRIES: u32 = 4;
/// Pause before the second try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// A file that somebody may read, and what a client has to know of it before its bytes.
#[derive(Clone)]
pub struct Download {
    shared: Arc<Shared>,
    place: ReadGrant,
    content: Arc<Content>,
    right: Right,
    ticket: Option<Spent>,
}

/// How many versions are looked at to find out whether a date stands for one content.
const VERSIONS_COMPARED: u32 = 100;

impl Download {
    pub(super) fn new(
        shared: Arc<Shared>,
        place: ReadGrant,
        right: Right,
        ticket: Option<Spent>,
    ) -> Result<Self> {
        let content = place.file()?.clone();
        Ok(Self {
            shared,
            place,
            content,
            right,
            ticket,
        })
    }

    /// The file.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The content's id: made once, the base of a strong entity tag.
    pub fn content_id(&self) -> ContentId {
        self.content.id
    }

    /// How many bytes there are.
    pub fn size_bytes(&self) -> u64 {
        self.content.size_bytes
    }

    /// When the file got this content.
    pub fn modified(&self) -> Timestamp {
        self.place.node.modified
    }

    /// Whether no other content of the file ever had [`modified`](Self::modified) to the second, so that this date stands for these
    /// bytes alone (RFC 9110 §8.8.2.2). Asks the catalog only where the file was changed at all; of a file with very many versions
    /// it is not known.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn has_date_of_its_own(&self) -> Result<bool> {
        let node = &self.place.node;
        if node.version == 1 {
            return Ok(true);
        }
        let versions = self
            .shared
            .catalog
            .versions(node.id, None, VERSIONS_COMPARED)
            .await?;
        let second = node.modified.floor_to_second();
        let same = versions
            .iter()
            .filter(|version| version.content != self.content.id)
            .any(|version| version.created.floor_to_second() == second);
        Ok(!same && versions.len() < VERSIONS_COMPARED as usize)
    }

    /// The SHA-256 of the bytes, once known.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.content.sha256
    }

    /// The media type.
    pub fn mime(&self) -> &str {
        self.place.node.mime.as_deref().unwrap_or(media::OCTET_STREAM)
    }

    /// The bytes of `span`.
    ///
    /// The body goes on over failing replicas and changed layouts; when it can't, or when the right to it ends, it breaks.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the content is gone or a ticket's budget used up, [`Unavailable`](ErrorKind::Unavailable) when the store can't be reached.
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    pub async fn open(&self, span: Span) -> Result<ByteBody> {
        if span.end() > self.content.size_bytes {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the span goes past the file's end",
            ));
        }
        let budget = match &self.ticket {
            Some(spent) => Some(spent.budget(self.shared.clone(), span.len()).await?),
            None => None,
        };
        let mut chain = Chain {
            budget,
            ..Chain::new(self.shared.clone(), self.content.clone(), span)
        };
        if let Some(bytes) = chain.cached(span).await? {
            return chain.pay(bytes.len()).await.map(|()| ByteBody::once(bytes));
        }
        chain.open_or_recover().await?;
        if let Some(bytes) = chain.take_ready(span) {
            return chain.pay(bytes.len()).await.map(|()| ByteBody::once(bytes));
        }
        chain.watch = Some(self.shared.watch(self.right.clone(), self.place.node.id));
        Ok(chain.into_body(span.len()))
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A file to read.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not, [`InvalidInput`](ErrorKind::InvalidInput) for a folder.
    pub async fn download(&self, node: NodeId) -> Result<Download> {
        let grant = self.may_read(node).await?;
        let right = Right::Account(self.actor.account.clone(), Role::Reader);
        Download::new(self.shared.clone(), grant, right, None)
    }
}

/// The bytes of a span over a content's extents, one after another.
pub(super) struct Chain {
    shared: Arc<Shared>,
    content: Arc<Content>,
    /// Whether the catalog has the content, so that it may have another layout there.
    in_catalog: bool,
    /// What is still to come, in the content.
    left: Option<Span>,
    body: Option<ByteBody>,
    /// The extent that `left` begins in, and where in the content that extent begins.
    extent: usize,
    extent_start: u64,
    tries: u32,
    watch: Option<Watch>,
    budget: Option<Budget>,
}

impl Chain {
    /// All of a content, for the service's own work.
    pub(super) fn over(shared: Arc<Shared>, content: Arc<Content>) -> ByteBody {
        Self::whole(shared, content, true)
    }

    /// A span of a content, from a store that has begun to give it.
    pub(super) async fn opened(shared: Arc<Shared>, content: Arc<Content>, span: Span) -> Result<ByteBody> {
        let mut chain = Self::new(shared, content, span);
        chain.open_or_recover().await?;
        Ok(chain.into_body(span.len()))
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
            body: None,
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
        loop {
            let left = self.left?;
            if self.watch.as_ref().is_some_and(Watch::has_ended) {
                self.left = None;
                return Some(Err(Error::new(
                    ErrorKind::Denied,
                    "the right to this file has ended",
                )));
            }
            let piece = match &mut self.body {
                Some(body) => body.next().await,
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
                    self.left = left.skip_to(left.start() + bytes.len() as u64);
                    self.tries = 0;
                    return Some(Ok(bytes));
                }
                Some(Err(error)) => {
                    if let Err(error) = self.recover(error).await {
                        return self.stop(error);
                    }
                }
                None => self.body = None,
            }
        }
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

    /// Opens the part of the next extent that is asked for.
    async fn open_next(&mut self) -> Result<()> {
        let Some(left) = self.left else { return Ok(()) };
        let (extent, start) = self.find(left.start())?;
        let whole = Span::new(start, start + extent.len_bytes);
        let inside = whole
            .and_then(|whole| whole.intersect(left))
            .and_then(|span| span.relative_to(start));
        let in_blob = inside.and_then(|span| span.shifted_by(extent.offset_bytes));
        let in_blob = in_blob.ok_or_else(broken_layout)?;
        self.body = Some(self.shared.reader(&extent).await?.read(in_blob).await?);
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
        self.body = None;
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

    /// The span, where the store had all of it at once.
    fn take_ready(&mut self, span: Span) -> Option<Bytes> {
        let body = self.body.take()?;
        if body.len_bytes() != span.len() {
            self.body = Some(body);
            return None;
        }
        match body.into_ready() {
            Ok(bytes) => Some(bytes),
            Err(body) => {
                self.body = Some(body);
                None
            }
        }
    }

    /// The span of a small content on a remote store, kept in memory once it was asked for.
    async fn cached(&mut self, span: Span) -> Result<Option<Bytes>> {
        let remote = match self.content.extents.first() {
            Some(extent) => self.shared.is_remote(&extent.store)?,
            None => false,
        };
        if !remote || self.content.size_bytes > CHUNK_BYTES {
            return Ok(None);
        }
        let cut = |all: &Bytes| {
            let start = usize::try_from(span.start()).ok()?;
            let end = usize::try_from(span.end()).ok()?;
            (end <= all.len()).then(|| all.slice(start..end))
        };
        if let Some(all) = self.shared.cache.chunk(self.content.id, 0).await {
            return Ok(cut(&all));
        }
        let limit = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        let all = Self::over(self.shared.clone(), self.content.clone())
            .collect(limit)
            .await?;
        self.shared.cache.keep(self.content.id, 0, all.clone()).await;
        Ok(cut(&all))
    }
}

fn broken_layout() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "the content's extents do not add up to its size",
    )
}
