//! Reads spans of one blob: window by window, taken up again where it broke.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::mount::ObjectRef;
use campusdisk_core::storage::{Appetite, BlobReader, BlobRef};
use campusdisk_core::{ByteBody, Error, ErrorKind, Result, Span};
use futures::stream::{self, BoxStream, Stream};
use futures::{StreamExt, TryStreamExt};
use hdfs_native::client::FileStatus;
use hdfs_native::file::FileReader;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::direct::{self, Direct, Places, WantedFile};
use crate::error::Failure;

/// How often reading is taken up again without a byte in between.
const MAX_FRUITLESS: u32 = 4;

/// How often it is taken up again where a DataNode hangs. The file that is opened again may have the same one first: with one of
/// three replicas on it, five times in a row would be one in 243 and break downloads, nine are one in 20,000.
const MAX_HANGING: u32 = 8;

/// How long to wait before that; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

type Pieces = BoxStream<'static, Result<Bytes, Failure>>;

/// The reader of a file. It is opened at the first span and stays open: opening fetches all block locations.
#[derive(Clone, Debug)]
pub(crate) struct HdfsReader {
    cluster: Arc<Cluster>,
    wanted: Arc<Wanted>,
    open: Open,
    places: Places,
}

/// What is read.
#[derive(Debug)]
struct Wanted {
    file: WantedFile,
    operation: &'static str,
    subject: String,
}

impl HdfsReader {
    pub(crate) fn new(cluster: Arc<Cluster>, blob: BlobRef) -> Self {
        let wanted = Wanted {
            file: WantedFile {
                path: cluster.path(&blob.key),
                len_bytes: blob.len_bytes,
                modified_millis: None,
            },
            operation: "read blob",
            subject: cluster.subject(&blob.key),
        };
        Self::of(cluster, wanted)
    }

    /// The reader of somebody else's file, as long as it is as it was.
    pub(crate) fn of_object(cluster: Arc<Cluster>, object: &ObjectRef) -> Self {
        let wanted = Wanted {
            file: WantedFile {
                path: cluster.object_path(&object.path),
                len_bytes: object.len_bytes,
                // A mark that is no time fits no file.
                modified_millis: Some(object.mark.parse().unwrap_or(u64::MAX)),
            },
            operation: "read object",
            subject: cluster.object_subject(&object.path),
        };
        Self::of(cluster, wanted)
    }

    fn of(cluster: Arc<Cluster>, wanted: Wanted) -> Self {
        Self {
            cluster,
            wanted: Arc::new(wanted),
            open: Open::default(),
            places: Places::default(),
        }
    }

    /// Whether a file of somebody else is still the one that is wanted. Asked after the file was opened: blocks never change,
    /// so what it has then stays.
    async fn check_unchanged(&self) -> Result<(), Failure> {
        let Some(modified_millis) = self.wanted.file.modified_millis else {
            return Ok(());
        };
        let status = self.cluster.status(&self.wanted.file.path).await?;
        let same = |status: &FileStatus| {
            !status.isdir
                && status.length as u64 == self.wanted.file.len_bytes
                && status.modification_time == modified_millis
        };
        match status.as_ref().is_some_and(same) {
            true => Ok(()),
            false => Err(self.wanted.changed()),
        }
    }

    /// The open file, which has the right length.
    async fn file(&self) -> Result<Arc<FileReader>, Failure> {
        if let Some(file) = self.open.get() {
            return Ok(file);
        }
        let path = &self.wanted.file.path;
        let opened = self
            .cluster
            .call(path, |client, path| async move { client.read(&path).await })
            .await;
        let is_object = self.wanted.file.modified_millis.is_some();
        let file = match opened {
            Err(failure) if is_object && failure.kind() == ErrorKind::NotFound => {
                return Err(self.wanted.changed());
            }
            opened => opened?,
        };
        let (is, should) = (file.file_length() as u64, self.wanted.file.len_bytes);
        if is != should && is_object {
            return Err(self.wanted.changed());
        }
        if is != should {
            let says = format!("the file has {is} bytes instead of {should}");
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        self.check_unchanged().await?;
        // Two spans that begin at once may both open it; the later one is kept.
        Ok(self.open.set(file))
    }

    /// The next window of `rest`, which lies inside the file: the client library panics past its end.
    async fn window(&self, rest: &Range<u64>, most_bytes: u64) -> Result<Window, Failure> {
        let file = self.file().await?;
        let len_bytes = (rest.end - rest.start).min(most_bytes);
        let (Ok(start), Ok(len)) = (usize::try_from(rest.start), usize::try_from(len_bytes)) else {
            let says = "this machine can't address so far into a file";
            return Err(Failure::new(ErrorKind::Internal, says));
        };
        let pieces = file.read_range_stream(start, len).map_err(Failure::from).boxed();
        Ok(Window::new(Source::Library(pieces), len_bytes))
    }

    /// The next window of `rest`, from a DataNode itself; `None` where the library must read.
    async fn direct_window(&self, direct: &mut Direct, rest: &Range<u64>) -> Option<Window> {
        let (cluster, file) = (&self.cluster, &self.wanted.file);
        let begun = direct.begin(cluster, &self.places, file, rest).await?;
        let len_bytes = begun.len_bytes;
        Some(Window::new(Source::DataNode(begun), len_bytes))
    }

    async fn begin(&self, span: Span) -> Result<(), Failure> {
        match self.open.get() {
            // It may have been opened long ago.
            Some(_) => self.check_unchanged().await?,
            None => drop(self.file().await?),
        }
        let len_bytes = self.wanted.file.len_bytes;
        if span.end() > len_bytes {
            let says = format!("bytes up to {} were asked of {len_bytes}", span.end());
            return Err(Failure::new(ErrorKind::Corrupt, says));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobReader for HdfsReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let begun = self.begin(span).await;
        begun.map_err(|failure| self.wanted.failed(failure))?;
        let transfer = Transfer {
            reader: self.clone(),
            appetite: Appetite::new(self.cluster.config.window_bytes),
            direct: Direct::default(),
            handed_over: None,
            window: None,
            rest: span.range(),
            fruitless: 0,
        };
        Ok(ByteBody::stream(span.len(), transfer.into_stream()))
    }
}

impl Wanted {
    fn changed(&self) -> Failure {
        Failure::new(ErrorKind::Changed, "the file was changed since it was published")
    }

    fn failed(&self, failure: Failure) -> Error {
        failure.during(self.operation, &self.subject)
    }
}

/// The file once it is open, for all spans of one reader.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<Option<Arc<FileReader>>>>);

impl Open {
    fn get(&self) -> Option<Arc<FileReader>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, file: FileReader) -> Arc<FileReader> {
        let file = Arc::new(file);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&file));
        file
    }

    /// Forgets the file: its block locations may be the trouble.
    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Open({})", self.get().is_some())
    }
}

/// What is left of a span, and the window that brings its next bytes.
struct Transfer {
    reader: HdfsReader,
    appetite: Appetite,
    direct: Direct,
    /// When the last piece was handed over.
    handed_over: Option<Instant>,
    window: Option<Window>,
    rest: Range<u64>,
    fruitless: u32,
}

impl Transfer {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        stream::try_unfold(self, |mut transfer| async move {
            match transfer.next().await {
                Ok(Some(piece)) => Ok(Some((piece, transfer))),
                Ok(None) => Ok(None),
                Err(failure) => Err(transfer.reader.wanted.failed(failure)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if let (Some(window), Some(handed_over)) = (&mut self.window, self.handed_over.take()) {
            window.waited += handed_over.elapsed();
        }
        loop {
            let failure = match self.try_next().await {
                Ok(Some(piece)) => {
                    self.handed_over = Some(Instant::now());
                    self.rest.start += piece.len() as u64;
                    self.fruitless = 0;
                    return Ok(Some(piece));
                }
                Ok(None) => return Ok(None),
                Err(failure) => failure,
            };
            let hangs = match self.window.take().map(|window| window.source) {
                // Another one may give it, or else the library, which has the last word.
                Some(Source::DataNode(window)) => {
                    self.direct.give_up(window, &failure);
                    continue;
                }
                Some(Source::Library(_)) => failure.is_of_connection(),
                None => false,
            };
            self.reader.open.forget();
            // A replica that does not fit its checksums is as good as none: another may.
            let passes = matches!(failure.kind(), ErrorKind::Unavailable | ErrorKind::Corrupt);
            let most = if hangs { MAX_HANGING } else { MAX_FRUITLESS };
            if !passes || self.fruitless >= most {
                return Err(failure);
            }
            // Where one hangs, time enough has passed.
            if !hangs {
                tokio::time::sleep(FIRST_PAUSE * (1 << self.fruitless.min(MAX_FRUITLESS))).await;
            }
            self.fruitless += 1;
            tracing::debug!(file = %self.reader.wanted.subject, at = self.rest.start, "read is taken up again");
        }
    }

    async fn try_next(&mut self) -> Result<Option<Bytes>, Failure> {
        let gap = self.reader.cluster.config.read_gap;
        if self.rest.is_empty() {
            return Ok(None);
        }
        let window = match &mut self.window {
            Some(window) => window,
            none => {
                let (reader, rest) = (&self.reader, &self.rest);
                let direct = match self.appetite.is_quick() {
                    true => reader.direct_window(&mut self.direct, rest).await,
                    false => None,
                };
                if self.appetite.is_promising() && direct.is_none() {
                    let file = &reader.wanted.file;
                    self.direct.foresee(&reader.cluster, &reader.places, file, rest);
                }
                none.insert(match direct {
                    Some(window) => window,
                    None => reader.window(rest, self.appetite.window_bytes()).await?,
                })
            }
        };
        let piece = match window.next(gap).await? {
            Some(piece) => piece,
            None => {
                let says = "a block ended early";
                return Err(Failure::new(ErrorKind::Unavailable, says));
            }
        };
        window.left_bytes = window.left_bytes.saturating_sub(piece.len() as u64);
        if window.left_bytes == 0 {
            self.appetite.took(window.len_bytes, window.waited);
            match self.window.take().map(|window| window.source) {
                Some(Source::DataNode(window)) => self.direct.end(window).await,
                // Only a window that was asked for its end gives its connection back, and a body may never be.
                Some(Source::Library(mut pieces)) => {
                    drop(tokio::time::timeout(gap, pieces.next()).await);
                }
                None => {}
            }
        }
        Ok(Some(piece))
    }
}

/// A part of a span that was asked of the cluster at once.
struct Window {
    source: Source,
    len_bytes: u64,
    left_bytes: u64,
    /// How long it lay here, with the client busy.
    waited: Duration,
}

/// Who brings it.
enum Source {
    Library(Pieces),
    DataNode(direct::Window),
}

impl Window {
    fn new(source: Source, len_bytes: u64) -> Self {
        Self {
            source,
            len_bytes,
            left_bytes: len_bytes,
            waited: Duration::ZERO,
        }
    }

    async fn next(&mut self, gap: Duration) -> Result<Option<Bytes>, Failure> {
        let next = async {
            match &mut self.source {
                Source::Library(pieces) => pieces.next().await.transpose(),
                Source::DataNode(window) => window.next().await,
            }
        };
        match tokio::time::timeout(gap, next).await {
            Ok(piece) => piece,
            Err(_) => Err(Failure::silent("read_gap", gap)),
        }
    }
}
