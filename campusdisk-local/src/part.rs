//! The temporary file of one blob: room for it, writes, a sync, the move into its place.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use campusdisk_core::storage::BlobKey;
use campusdisk_core::{Error, ErrorKind, Result};
use rustix::fs::{Advice, FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::block::Block;
use crate::error::{Failure, blob_error};
use crate::store::Shared;

/// After how many bytes the disk's free space is looked at, and writeback started of what is in the page cache.
const STRIDE_BYTES: u64 = 4 << 20;
/// From which length on a blob is written past the page cache.
const DIRECT_MIN_BYTES: u64 = 4 << 20;

/// The file. Its lock tells `tidy`, also of another process, that its writer lives.
#[derive(Debug)]
pub(crate) struct Part {
    shared: Arc<Shared>,
    key: BlobKey,
    file: File,
    path: PathBuf,
    /// How long the file was made before a byte was written.
    room_bytes: u64,
}

impl Part {
    /// Makes the file for a blob of probably `expected_bytes` (0: nobody knows).
    pub(crate) fn create(shared: Arc<Shared>, key: BlobKey, expected_bytes: u64) -> Result<Self> {
        shared.check_space("create blob", &key, expected_bytes)?;
        let path = shared.layout.temporary(key.as_str());
        let file = create_locked(&path)
            .map_err(|cause| Failure::new("create blob", &shared.info.name, key, &path, cause))?;
        let mut part = Self {
            shared,
            key,
            file,
            path,
            room_bytes: 0,
        };
        if expected_bytes >= DIRECT_MIN_BYTES {
            part.make_room(expected_bytes)
                .map_err(|cause| part.failure("create blob", cause))?;
            if part.shared.direct_io {
                // A file system that can't do it says so here, or at the first write.
                let _ = part.set_direct(true);
            }
        }
        Ok(part)
    }

    /// Takes the blocks of the whole file at once: they lie together then, and a disk that is too full is known before the
    /// client has sent anything.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => self.room_bytes = bytes,
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Writes a block at its place. Others may be written at the same time.
    pub(crate) fn write(&self, block: &Block, offset_bytes: u64) -> Result<()> {
        self.write_at(block.filled(), offset_bytes)
            .map_err(|cause| self.failure("write blob", cause))?;
        let end_bytes = offset_bytes + block.filled().len() as u64;
        let stride = end_bytes / STRIDE_BYTES;
        if stride > offset_bytes / STRIDE_BYTES {
            self.shared.check_space("write blob", &self.key, 0)?;
            if !self.is_direct() {
                self.start_writeback((stride - 1) * STRIDE_BYTES);
            }
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], mut offset_bytes: u64) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write_at(rest, offset_bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    offset_bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not past the page cache: it is the last block's odd length, or a file system that only now says no.
                Err(error) if self.is_direct() && error.kind() == io::ErrorKind::InvalidInput => {
                    self.set_direct(false)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Starts writeback of one stride, so that the sync at the end is short.
    fn start_writeback(&self, from_bytes: u64) {
        // On dirty pages this advice starts their writeback and leaves them cached (measured: 1 GiB is then synced in 10 ms
        // instead of 260). It is only advice, so nothing depends on its answer.
        let len_bytes = NonZeroU64::new(STRIDE_BYTES);
        let _ = rustix::fs::fadvise(&self.file, from_bytes, len_bytes, Advice::DontNeed);
    }

    fn set_direct(&self, direct: bool) -> io::Result<()> {
        let mut flags = rustix::fs::fcntl_getfl(&self.file)?;
        flags.set(OFlags::DIRECT, direct);
        Ok(rustix::fs::fcntl_setfl(&self.file, flags)?)
    }

    fn is_direct(&self) -> bool {
        rustix::fs::fcntl_getfl(&self.file).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
    }

    /// Makes the blob, `len_bytes` long, of what was written, for good.
    pub(crate) fn publish(&self, len_bytes: u64) -> Result<()> {
        let fail = |cause| Error::from(self.failure("commit blob", cause));
        if self.room_bytes > len_bytes {
            self.file.set_len(len_bytes).map_err(fail)?;
        }
        self.file.sync_data().map_err(fail)?;
        let found_bytes = self.file.metadata().map_err(fail)?.len();
        if found_bytes != len_bytes {
            let text = format!("{len_bytes} bytes were written, {found_bytes} arrived in the file");
            return Err(blob_error(ErrorKind::Corrupt, "commit blob", &self.key, text));
        }
        self.shared.layout.publish(&self.path, &self.key).map_err(fail)
    }

    fn failure(&self, operation: &'static str, cause: io::Error) -> Failure {
        Failure::new(operation, &self.shared.info.name, self.key, &self.path, cause)
    }

    /// Removes the name. After a commit, or a second time, there is none to remove.
    pub(crate) fn unlink(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.unlink();
    }
}

fn create_locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        // Where the file system has no locks, `tidy` goes by age alone.
        let _ = file.lock();
        // Between opening and locking a `tidy` of everything may have taken it for a leftover.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}
