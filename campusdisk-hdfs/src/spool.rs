//! The spool of one blob: a file without a name on this machine, filled by the writer and read by who sends it, from its
//! start as often as it takes.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is read at once. Large enough that a step to the blocking pool costs little beside it.
const PIECE_BYTES: u64 = 1 << 20;

/// How many files are kept for the next spools: an upload fills one while another is sent.
const MOST_KEPT: usize = 2;

/// How long they are kept.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// The spools of one folder. A few files are kept when their blobs are done, as it takes several times longer to get pages and blocks for
/// new bytes than to write over old ones.
#[derive(Clone, Debug)]
pub(crate) struct Spools {
    folder: PathBuf,
    kept: Arc<Kept>,
}

impl Spools {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            kept: Arc::default(),
        }
    }

    /// An empty spool in the folder, which is made when missing.
    pub(crate) async fn create(&self) -> io::Result<Spool> {
        let file = match self.kept.take() {
            Some(file) => file,
            None => self.make().await?,
        };
        let file = Unnamed {
            file: Some(file),
            kept: Arc::clone(&self.kept),
        };
        Ok(Spool {
            file: Arc::new(file),
            filled: watch::channel(Filled::default()).0,
        })
    }

    async fn make(&self) -> io::Result<File> {
        let folder = self.folder.clone();
        blocking(move || match tempfile::tempfile_in(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&folder)?;
                tempfile::tempfile_in(&folder)
            }
            made => made,
        })
        .await
    }
}

/// Files that no blob uses, and since when.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(File, Instant)>>);

impl Kept {
    fn take(&self) -> Option<File> {
        self.files().pop().map(|(file, _)| file)
    }

    /// Keeps a file for a while, unless there are enough.
    fn keep(self: &Arc<Self>, file: File, runtime: &Handle) {
        let mut files = self.files();
        if files.len() >= MOST_KEPT {
            drop_where_it_may_block(file, runtime);
            return;
        }
        files.push((file, Instant::now()));
        drop(files);
        let kept = Arc::downgrade(self);
        let deadline = Instant::now() + KEPT_FOR;
        let handle = runtime.clone();
        runtime.spawn(async move {
            // Nothing else tells when nobody wants it: the disk is to have its room back.
            tokio::time::sleep_until(deadline).await;
            if let Some(kept) = kept.upgrade() {
                let old: Vec<_> = kept
                    .files()
                    .extract_if(.., |(_, since)| since.elapsed() >= KEPT_FOR)
                    .collect();
                old.into_iter()
                    .for_each(|(file, _)| drop_where_it_may_block(file, &handle));
            }
        });
    }

    fn files(&self) -> MutexGuard<'_, Vec<(File, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much there is to read, and whether more will come.
#[derive(Clone, Copy, Debug, Default)]
struct Filled {
    len_bytes: u64,
    ended: bool,
}

/// The writing end. Dropping it before [`end`](Self::end) tells readers that the blob was given up.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Arc<Unnamed>,
    filled: watch::Sender<Filled>,
}

impl Spool {
    /// Adds bytes.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped one may write what the next one writes over.
    pub(crate) async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        let (file, at) = (Arc::clone(&self.file), self.len_bytes());
        let end = at + bytes.len() as u64;
        blocking(move || file.get()?.write_all_at(&bytes, at)).await?;
        self.filled.send_modify(|filled| filled.len_bytes = end);
        Ok(())
    }

    /// Says that this was all.
    pub(crate) fn end(&mut self) {
        self.filled.send_modify(|filled| filled.ended = true);
    }

    pub(crate) fn len_bytes(&self) -> u64 {
        self.filled.borrow().len_bytes
    }

    pub(crate) fn reader(&self) -> SpoolReader {
        SpoolReader {
            file: Arc::clone(&self.file),
            filled: self.filled.subscribe(),
        }
    }
}

/// The reading end. Clones read for themselves.
#[derive(Clone, Debug)]
pub(crate) struct SpoolReader {
    file: Arc<Unnamed>,
    filled: watch::Receiver<Filled>,
}

impl SpoolReader {
    /// The next bytes from offset `at`, as soon as there are some; `None` at the end of the blob.
    ///
    /// # Errors
    /// When the disk fails, and when the writer was dropped before the blob's end.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn piece(&mut self, at: u64) -> io::Result<Option<Bytes>> {
        let more = |filled: &Filled| filled.len_bytes > at || filled.ended;
        let filled = match self.filled.wait_for(more).await {
            Ok(filled) => *filled,
            Err(_) => return Err(io::Error::other("the blob was given up by its writer")),
        };
        let len_bytes = filled.len_bytes.saturating_sub(at).min(PIECE_BYTES);
        if len_bytes == 0 {
            return Ok(None);
        }
        let file = Arc::clone(&self.file);
        let piece = blocking(move || {
            let mut piece = BytesMut::zeroed(len_bytes as usize);
            file.get()?.read_exact_at(&mut piece, at)?;
            Ok(piece.freeze())
        });
        piece.await.map(Some)
    }

    /// The length of the blob, once it is known.
    pub(crate) fn whole_bytes(&self) -> Option<u64> {
        let filled = *self.filled.borrow();
        filled.ended.then_some(filled.len_bytes)
    }
}

/// A file without a name, for one spool. What it has beyond the spool's length is of an earlier one.
#[derive(Debug)]
struct Unnamed {
    file: Option<File>,
    kept: Arc<Kept>,
}

impl Unnamed {
    fn get(&self) -> io::Result<&File> {
        self.file
            .as_ref()
            .ok_or_else(|| io::Error::other("the spool is closed"))
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let (Some(file), Ok(runtime)) = (self.file.take(), Handle::try_current()) {
            self.kept.keep(file, &runtime);
        }
    }
}

/// The last close of a file frees its blocks, which takes tens of milliseconds for a long one.
fn drop_where_it_may_block(file: File, runtime: &Handle) {
    runtime.spawn_blocking(move || drop(file));
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| io::Error::other("the runtime is ending"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rest(reader: &mut SpoolReader, mut at: u64) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = reader.piece(at).await? {
            at += piece.len() as u64;
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn what_is_written_is_read_while_it_comes_and_again_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spools::new(folder.path().join("not/yet")).create().await.unwrap();
        let mut reader = spool.reader();
        let bytes: Vec<u8> = (0..2_500_000u32).map(|number| (number % 251) as u8).collect();
        let reading = tokio::spawn(async move { rest(&mut reader, 0).await });
        for piece in bytes.chunks(100_003) {
            spool.append(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        assert_eq!(spool.reader().whole_bytes(), None);
        spool.end();
        assert!(reading.await.unwrap().unwrap() == bytes);
        assert!(rest(&mut spool.reader(), 100).await.unwrap() == bytes[100..]);
        assert_eq!(spool.reader().whole_bytes(), Some(2_500_000));
    }

    #[tokio::test]
    async fn a_reader_waits_for_bytes_and_hears_when_none_will_come() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spools::new(folder.path().to_owned()).create().await.unwrap();
        spool.append(Bytes::from_static(b"begun")).await.unwrap();
        let mut reader = spool.reader();
        assert_eq!(reader.piece(0).await.unwrap().unwrap(), "begun");
        assert!(futures::poll!(std::pin::pin!(reader.piece(5))).is_pending());
        drop(spool);
        let error = reader.piece(5).await.unwrap_err();
        assert!(error.to_string().contains("given up"), "{error}");
    }

    #[tokio::test]
    async fn a_spool_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spools::new(folder.path().to_owned()).create().await.unwrap();
        spool.append(Bytes::from_static(b"secret")).await.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_used_again_and_never_shows_what_was_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let spools = Spools::new(folder.path().to_owned());
        let mut first = spools.create().await.unwrap();
        first.append(Bytes::from_static(b"of another")).await.unwrap();
        drop(first);
        assert_eq!(spools.kept.files().len(), 1);
        let mut second = spools.create().await.unwrap();
        assert_eq!(spools.kept.files().len(), 0);
        second.append(Bytes::from_static(b"ours")).await.unwrap();
        second.end();
        assert_eq!(rest(&mut second.reader(), 0).await.unwrap(), b"ours");
        // Who still reads it keeps it from others.
        let mut reader = second.reader();
        drop(second);
        assert_eq!(spools.kept.files().len(), 0);
        assert_eq!(reader.piece(0).await.unwrap().unwrap(), "ours");
        drop(reader);
        assert_eq!(spools.kept.files().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn few_files_are_kept_and_not_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let spools = Spools::new(folder.path().to_owned());
        let mut open = Vec::new();
        for _ in 0..=MOST_KEPT {
            open.push(spools.create().await.unwrap());
        }
        drop(open);
        assert_eq!(spools.kept.files().len(), MOST_KEPT);
        let more_than_half = KEPT_FOR * 2 / 3;
        tokio::time::advance(more_than_half).await;
        drop(spools.create().await.unwrap());
        tokio::time::advance(more_than_half).await;
        await_kept(&spools, 1).await;
        tokio::time::advance(more_than_half).await;
        await_kept(&spools, 0).await;
    }

    /// Lets the tasks that wait for the time of a file go on, until so many are left.
    async fn await_kept(spools: &Spools, count: usize) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(spools.kept.files().len(), count);
    }
}
