//! The spool of one blob: a file without a name on this machine, filled by the writer and read by who sends it, from its
//! start as often as it takes. Its last bytes lie in memory too, so that who keeps up with the writer reads no file.

use std::collections::VecDeque;
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

/// What is read of the file at once. Large enough that a step to the blocking pool costs little beside it.
const PIECE_BYTES: u64 = 1 << 20;

/// What is written to the file at once, for the same reason.
const BATCH_BYTES: u64 = 512 << 10;

/// How much stays in memory. One blob holds this, and what is being written.
const RECENT_BYTES: u64 = 1 << 20;

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
            shared: Arc::new(Shared {
                file,
                recent: Mutex::default(),
            }),
            filled: watch::channel(Filled::default()).0,
            written_bytes: 0,
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

/// What both ends have.
#[derive(Debug)]
struct Shared {
    file: Unnamed,
    recent: Mutex<Recent>,
}

impl Shared {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last pieces. What was before them is in the file.
#[derive(Debug, Default)]
struct Recent {
    start: u64,
    pieces: VecDeque<Bytes>,
    len_bytes: u64,
}

impl Recent {
    fn push(&mut self, piece: Bytes) {
        self.len_bytes += piece.len() as u64;
        self.pieces.push_back(piece);
    }

    /// The bytes from offset `at` to the end of their piece; `None` where they are not here any more.
    fn piece_at(&self, at: u64) -> Option<Bytes> {
        let mut skip = usize::try_from(at.checked_sub(self.start)?).ok()?;
        for piece in &self.pieces {
            if skip < piece.len() {
                return Some(piece.slice(skip..));
            }
            skip -= piece.len();
        }
        None
    }

    /// The pieces from offset `at` on, which is where one begins.
    fn all_from(&self, at: u64) -> Vec<Bytes> {
        let mut start = self.start;
        let before = |piece: &&Bytes| {
            let is_before = start < at;
            start += piece.len() as u64;
            is_before
        };
        self.pieces.iter().skip_while(before).cloned().collect()
    }

    /// Lets the oldest pieces go until there are not too many, but none that the file has not, which ends at `written_bytes`.
    fn shrink(&mut self, written_bytes: u64) {
        while let Some(oldest) = self.pieces.front().map(|piece| piece.len() as u64)
            && self.len_bytes > RECENT_BYTES
            && self.start + oldest <= written_bytes
        {
            self.pieces.pop_front();
            self.start += oldest;
            self.len_bytes -= oldest;
        }
    }
}

/// The writing end. Dropping it before [`end`](Self::end) tells readers that the blob was given up.
#[derive(Debug)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    filled: watch::Sender<Filled>,
    /// How much is in the file.
    written_bytes: u64,
}

impl Spool {
    /// Adds bytes.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped one may have added them or not.
    pub(crate) async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        let end = self.len_bytes() + bytes.len() as u64;
        self.shared.recent().push(bytes);
        // Readers may have them while they go to the file.
        self.filled.send_modify(|filled| filled.len_bytes = end);
        let start = self.written_bytes;
        if end - start < BATCH_BYTES {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let pieces = shared.recent().all_from(start);
        blocking(move || {
            let (file, mut at) = (shared.file.get()?, start);
            for piece in pieces {
                file.write_all_at(&piece, at)?;
                at += piece.len() as u64;
            }
            Ok(())
        })
        .await?;
        self.written_bytes = end;
        self.shared.recent().shrink(end);
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
            shared: Arc::clone(&self.shared),
            filled: self.filled.subscribe(),
        }
    }
}

/// The reading end. Clones read for themselves.
#[derive(Clone, Debug)]
pub(crate) struct SpoolReader {
    shared: Arc<Shared>,
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
        if filled.len_bytes <= at {
            return Ok(None);
        }
        let recent_start = {
            let recent = self.shared.recent();
            if let Some(piece) = recent.piece_at(at) {
                return Ok(Some(piece));
            }
            recent.start
        };
        let len_bytes = recent_start.saturating_sub(at).min(PIECE_BYTES);
        let shared = Arc::clone(&self.shared);
        let piece = blocking(move || {
            let mut piece = BytesMut::zeroed(len_bytes as usize);
            shared.file.get()?.read_exact_at(&mut piece, at)?;
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
    async fn what_is_read_late_comes_from_the_file_and_the_end_from_memory() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spools::new(folder.path().to_owned()).create().await.unwrap();
        let bytes: Vec<u8> = (0..5_000_000u32).map(|number| (number % 251) as u8).collect();
        // Pieces that are small, and one that is more than stays in memory.
        let (small, large) = bytes.split_at(2_000_003);
        for piece in small.chunks(70_001).chain([large]) {
            spool.append(Bytes::copy_from_slice(piece)).await.unwrap();
            let recent = spool.shared.recent();
            let unwritten = spool.len_bytes() - spool.written_bytes;
            assert!(unwritten < BATCH_BYTES, "{unwritten}");
            assert!(recent.start <= spool.written_bytes);
            assert!(
                recent.len_bytes <= RECENT_BYTES + BATCH_BYTES,
                "{}",
                recent.len_bytes
            );
        }
        spool.append(Bytes::from_static(b"end")).await.unwrap();
        spool.end();
        let whole = [&bytes[..], b"end"].concat();
        for at in [
            0, 1, 70_001, 1_999_999, 2_000_003, 4_999_999, 5_000_000, 5_000_003,
        ] {
            assert!(
                rest(&mut spool.reader(), at).await.unwrap() == whole[at as usize..],
                "{at}"
            );
        }
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
