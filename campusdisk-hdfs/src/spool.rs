//! The spool of one blob: a file without a name on this machine, filled by the writer and read by who sends it, from its
//! start as often as it takes.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

/// What is read at once. Large enough that a step to the blocking pool costs little beside it.
const PIECE_BYTES: u64 = 1 << 20;

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
    /// An empty spool in `folder`, which is made when missing.
    pub(crate) async fn create(folder: PathBuf) -> io::Result<Self> {
        let file = blocking(move || match tempfile::tempfile_in(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&folder)?;
                tempfile::tempfile_in(&folder)
            }
            made => made,
        })
        .await?;
        Ok(Self {
            file: Arc::new(Unnamed(Some(file))),
            filled: watch::channel(Filled::default()).0,
        })
    }

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

/// A file without a name. The last close frees its blocks, which takes tens of milliseconds for a long one, so it is
/// done where it may block.
#[derive(Debug)]
struct Unnamed(Option<File>);

impl Unnamed {
    fn get(&self) -> io::Result<&File> {
        self.0
            .as_ref()
            .ok_or_else(|| io::Error::other("the spool is closed"))
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        let file = self.0.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(file));
        }
    }
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
        let mut spool = Spool::create(folder.path().join("not/yet")).await.unwrap();
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
        let mut spool = Spool::create(folder.path().to_owned()).await.unwrap();
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
        let mut spool = Spool::create(folder.path().to_owned()).await.unwrap();
        spool.append(Bytes::from_static(b"secret")).await.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
