//! Jobs over what a store holds: moving it to another store while it is used, and reading it against its hashes.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::Instant;

use super::blobs::{Held, attach, detach};
use super::chain::Chain;
use super::shared::{CampusDisk, Shared};
use crate::catalog::record::{Content, Extent, Version};
use crate::catalog::{Expect, RecordKey};
use crate::storage::{BlobStore, StoreName};
use crate::{ContentId, DriveId, Error, ErrorKind, Result};

/// How often one content is tried before its failure is told.
const TRIES: u32 = 5;
/// Pause before the second try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// What a store holds: all of it, or what the files of one drive have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The store.
    pub store: StoreName,
    /// Only what a version of a file in this drive has, trash included.
    pub drive: Option<DriveId>,
}

/// How much a [`Stock`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StockSize {
    /// Contents of which a piece lies in the store.
    pub contents: u64,
    /// The bytes of those pieces.
    pub bytes: u64,
}

/// How a job over a [`Stock`] is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobOptions {
    /// How many bytes are read in a second at most; `None` is as many as there are.
    pub max_bytes_per_second: Option<NonZeroU64>,
    /// How many contents are worked on at once. Default 4.
    pub contents_at_once: usize,
    /// Counts bytes of contents as they are read the first time, for a bar that shows how far the job is.
    pub progress: Arc<AtomicU64>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            max_bytes_per_second: None,
            contents_at_once: 4,
            progress: Arc::default(),
        }
    }
}

impl JobOptions {
    /// Sets how many bytes are read in a second at most.
    #[must_use]
    pub fn with_max_bytes_per_second(mut self, most: Option<NonZeroU64>) -> Self {
        self.max_bytes_per_second = most;
        self
    }
}

/// A content that a job is through with.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobStep {
    /// The content.
    pub content: ContentId,
    /// What became of it.
    pub outcome: Result<Settled>,
}

/// How a job left a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The job's work on it is done.
    Done,
    /// There was nothing left to do: it was purged, or moved by somebody else.
    Gone,
}

/// The steps of a job in the order of their ends. Ends with the first error of the catalog.
pub type JobSteps = BoxStream<'static, Result<JobStep>>;

impl CampusDisk {
    /// How much a stock is.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn stock_size(&self, stock: &Stock) -> Result<StockSize> {
        let (contents, bytes) = self.0.catalog.sum_in(&stock.store, stock.drive).await?;
        Ok(StockSize { contents, bytes })
    }

    /// Moves contents to another store while they are used, one by one: the bytes are copied, the copy is read back and compared
    /// with the content's SHA-256, and then the content's layout changes from the old blobs to the new in one commit. Running
    /// downloads go on over it. The old bytes are deleted by the sweep, after [`purge_delay`](crate::Policy::purge_delay).
    ///
    /// A content that lies in several stores is moved whole. What came into the store meanwhile is moved too. A content that
    /// can't be moved is told as its step's outcome and stays where it is. Nothing is remembered: a job that was stopped, or
    /// killed, is gone on with by beginning it again.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when one of the stores is not configured, or both are the same.
    ///
    /// # Cancel safety
    /// When the stream is dropped, every content lies either where it lay or in the new store; half-made copies are found by the sweep.
    pub fn migrate(&self, stock: Stock, to: &StoreName, options: JobOptions) -> Result<JobSteps> {
        self.check_known(&stock.store)?;
        let target = self.known(to)?.clone();
        if stock.store == *to {
            return Err(Error::invalid("to", "is the store that the contents lie in"));
        }
        let from = stock.store.clone();
        Ok(self.0.clone().job(stock, options, move |shared, id, pace| {
            let (from, target) = (from.clone(), target.clone());
            async move {
                let lies_there =
                    |content: &Content| content.extents.iter().any(|extent| extent.store == from);
                shared.move_content(id, lies_there, &target, &pace).await
            }
        }))
    }

    /// Reads contents and compares them with their SHA-256, or with their CRC-32 while that is not known.
    ///
    /// What does not fit, and what can't be read, is told as its step's outcome; nothing is changed.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when the store is not configured.
    pub fn verify(&self, stock: Stock, options: JobOptions) -> Result<JobSteps> {
        self.check_known(&stock.store)?;
        let verify =
            |shared: Arc<Shared>, id, pace: Arc<Pace>| async move { shared.verify_content(id, &pace).await };
        Ok(self.0.clone().job(stock, options, verify))
    }

    /// Gives a content a new layout: its bytes are copied into few blobs of the primary store and read back, then the old pieces
    /// are let go. Readers go on over the change.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the content is gone, [`Conflict`](ErrorKind::Conflict) when its layout changed meanwhile, else what the stores say.
    ///
    /// # Cancel safety
    /// When dropped, nothing changed but blobs that the sweep finds.
    pub async fn relayout(&self, id: ContentId) -> Result<()> {
        let primary = self.0.placement.primary.clone();
        match self
            .0
            .move_content(id, |_| true, &primary, &Pace::default())
            .await?
        {
            Settled::Done => Ok(()),
            Settled::Gone => Err(Error::not_found()),
        }
    }

    /// Which versions of which files have a content, at most `limit`: what a failed step is about.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn versions_of(&self, content: ContentId, limit: u32) -> Result<Vec<Version>> {
        self.0.catalog.versions_of(content, limit).await
    }

    /// Whether contents may lie in a store or mount of this name.
    fn check_known(&self, name: &StoreName) -> Result<()> {
        match self.0.mounts.contains_key(name) {
            true => Ok(()),
            false => self.known(name).map(drop),
        }
    }

    fn known(&self, store: &StoreName) -> Result<&Arc<dyn BlobStore>> {
        let unknown = || Error::invalid("store", "no store of this name is configured").on(store.to_string());
        self.0.stores.get(store).ok_or_else(unknown)
    }
}

impl Shared {
    fn job<F>(
        self: Arc<Self>,
        stock: Stock,
        options: JobOptions,
        work: impl Fn(Arc<Self>, ContentId, Arc<Pace>) -> F + Send + Sync + 'static,
    ) -> JobSteps
    where
        F: Future<Output = Result<Settled>> + Send + 'static,
    {
        let at_once = options.contents_at_once.max(1);
        let (pace, work) = (Arc::new(Pace::new(options)), Arc::new(work));
        let contents = contents(self.clone(), stock);
        let step = move |id: ContentId| {
            let (shared, pace, work) = (self.clone(), pace.clone(), work.clone());
            async move {
                let outcome = persist(|| work(shared.clone(), id, pace.clone())).await;
                Ok(JobStep { content: id, outcome })
            }
        };
        contents.map_ok(step).try_buffer_unordered(at_once).boxed()
    }

    /// Copies a content's bytes to `store` and changes its layout, if it is one of `wanted`.
    pub(super) async fn move_content(
        self: &Arc<Self>,
        id: ContentId,
        wanted: impl Fn(&Content) -> bool,
        store: &Arc<dyn BlobStore>,
        pace: &Pace,
    ) -> Result<Settled> {
        let Some(mut content) = self.catalog.content(id).await?.filter(&wanted) else {
            return Ok(Settled::Gone);
        };
        if content.sha256.is_none() {
            self.hash_content(id).await?;
            match self.catalog.content(id).await?.filter(wanted) {
                Some(hashed) => content = hashed,
                None => return Ok(Settled::Gone),
            }
        }
        let body = Chain::over(self.clone(), Arc::new(content.clone()));
        let mut copy = self.rewrite(body, store, pace).await?;
        self.compare_copy(&content, &mut copy, store, pace).await?;
        let extents: Vec<_> = copy.release().into_iter().map(|part| part.extent).collect();
        self.switch_layout(content, &extents).await
    }
    /// Reads a copy back and compares it with its content's SHA-256.
    async fn compare_copy(
        self: &Arc<Self>,
        content: &Content,
        copy: &mut Held,
        store: &Arc<dyn BlobStore>,
        pace: &Pace,
    ) -> Result<()> {
        let mut body = Chain::over_extents(self.clone(), copy.extents());
        let mut hasher = self.hasher()?;
        while let Some(piece) = body.next().await {
            let piece = piece?;
            pace.wait_for(piece.len()).await;
            copy.hold(self, Vec::new()).await?;
            hasher.update(piece).await?;
        }
        if hasher.end().await?.sha256_digest()? == content.sha256 {
            return Ok(());
        }
        let original = Chain::over(self.clone(), Arc::new(content.clone()));
        let original = self.hash_body(original, pace).await?;
        let message = if original.sha256_digest()? == content.sha256 {
            format!(
                "the store {} gave back other bytes than were written",
                store.info().name
            )
        } else {
            "its bytes are not those of its SHA-256".to_owned()
        };
        Err(Error::new(ErrorKind::Corrupt, message).on(format!("content {}", content.id)))
    }

    /// Lets a content lie in these extents from now on, whose blobs are held.
    async fn switch_layout(&self, mut content: Content, extents: &[Extent]) -> Result<Settled> {
        loop {
            let mut set = self.change_set();
            let key = RecordKey::Content(content.id);
            set.push(Expect::Version(key, content.layout_version));
            set.changes.extend(attach(extents));
            set.changes.extend(detach(&content.extents));
            set.push(Content {
                extents: extents.to_vec(),
                layout_version: content.layout_version + 1,
                ..content.clone()
            });
            let error = match self.commit(set).await {
                Err(error) if error.kind() == ErrorKind::Conflict => error,
                outcome => return outcome.map(|_| Settled::Done),
            };
            match self.catalog.content(content.id).await? {
                None => return Ok(Settled::Gone),
                // Its hash was recorded meanwhile; its bytes lie where they lay.
                Some(now)
                    if now.layout_version != content.layout_version && now.extents == content.extents =>
                {
                    content = now;
                }
                Some(_) => return Err(error),
            }
        }
    }

    async fn verify_content(self: &Arc<Self>, id: ContentId, pace: &Pace) -> Result<Settled> {
        let Some(content) = self.catalog.content(id).await? else {
            return Ok(Settled::Gone);
        };
        let (sha256, crc32) = (content.sha256, content.crc32);
        let hash = self
            .hash_body(Chain::over(self.clone(), Arc::new(content)), pace)
            .await;
        let hash = match hash {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Purged while it was read, or a blob is lost.
                let is_there = self.catalog.content(id).await?.is_some();
                return if is_there { Err(error) } else { Ok(Settled::Gone) };
            }
            hash => hash?,
        };
        let fits = match sha256 {
            Some(sha256) => hash.sha256_digest()? == Some(sha256),
            None => crc32.is_none_or(|crc32| crc32 == hash.crc32),
        };
        if fits {
            return Ok(Settled::Done);
        }
        let says = "its bytes are not those of its checksum";
        Err(Error::new(ErrorKind::Corrupt, says).on(format!("content {id}")))
    }
}

/// The contents of a stock, page by page.
fn contents(shared: Arc<Shared>, stock: Stock) -> impl Stream<Item = Result<ContentId>> + Send {
    let pages = stream::try_unfold((shared, stock, None), async |(shared, stock, after)| {
        let limit = shared.policy.batch_rows;
        let page = shared
            .catalog
            .contents_in(&stock.store, stock.drive, after, limit)
            .await?;
        let Some(last) = page.last().copied() else {
            return Ok(None);
        };
        let page = stream::iter(page.into_iter().map(Ok));
        Ok(Some((page, (shared, stock, Some(last)))))
    });
    pages.try_flatten()
}

/// Does something again while it fails of what may pass.
async fn persist<T, F: Future<Output = Result<T>>>(work: impl Fn() -> F) -> Result<T> {
    for tried in 0..TRIES - 1 {
        match work().await {
            Err(error) if error.is_retryable() || error.kind() == ErrorKind::Conflict => {
                tracing::debug!(%error, "a content is tried again");
                // A store that restarts needs some time, and nothing tells when it is back.
                tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
            }
            outcome => return outcome,
        }
    }
    work().await
}

/// How fast a job reads, and how much it has read.
#[derive(Debug)]
pub(super) struct Pace {
    max_bytes_per_second: Option<NonZeroU64>,
    begun: Instant,
    read_bytes: AtomicU64,
    progress: Arc<AtomicU64>,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(JobOptions::default())
    }
}

impl Pace {
    fn new(options: JobOptions) -> Self {
        Self {
            max_bytes_per_second: options.max_bytes_per_second,
            begun: Instant::now(),
            read_bytes: AtomicU64::new(0),
            progress: options.progress,
        }
    }

    /// Counts bytes of a content that were read the first time, and waits as for all.
    pub(super) async fn get_on(&self, bytes: usize) {
        self.progress.fetch_add(bytes as u64, Ordering::Relaxed);
        self.wait_for(bytes).await;
    }

    /// Waits until so many bytes more may have been read.
    async fn wait_for(&self, bytes: usize) {
        let Some(most) = self.max_bytes_per_second else {
            return;
        };
        let read = self.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let millis = u128::from(read) * 1000 / u128::from(most.get());
        let due = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        // What was asked for is a speed.
        tokio::time::sleep_until(self.begun + due).await;
    }
}
