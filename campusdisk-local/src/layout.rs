//! Which file is what under a store's root, and how a file gets there for good.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use campusdisk_core::storage::BlobKey;
use campusdisk_core::{IdSource, RandomIds};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

/// The end of a temporary file's name.
const TEMPORARY_SUFFIX: &str = ".part";

/// The paths under one root.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    /// Folders this process knows to be on the disk, by the three letters they stand for.
    durable: Mutex<HashSet<[u8; 3]>>,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            durable: Mutex::new(HashSet::new()),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a blob.
    pub(crate) fn blob(&self, key: &BlobKey) -> PathBuf {
        let mut path = self.folder(key);
        path.push(key.as_str());
        path
    }

    /// The file that says whose the root is.
    pub(crate) fn identity(&self) -> PathBuf {
        self.root.join(".campusdisk/identity")
    }

    /// The folder of temporary files: on the file system of the blobs, or they could not be moved.
    pub(crate) fn temporaries(&self) -> PathBuf {
        self.root.join(".campusdisk/tmp")
    }

    /// A path for a temporary file that nobody else uses.
    pub(crate) fn temporary(&self, what: &str) -> PathBuf {
        let random = RandomIds.random();
        self.temporaries()
            .join(format!("{what}-{random:032x}{TEMPORARY_SUFFIX}"))
    }

    /// Whether a file in the folder of temporary files is one of ours.
    pub(crate) fn is_temporary(name: &str) -> bool {
        let stem = name.strip_suffix(TEMPORARY_SUFFIX);
        stem.and_then(|stem| stem.rsplit_once('-'))
            .is_some_and(|(_, random)| {
                random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    }

    /// Makes the root and what belongs into it.
    pub(crate) fn make_root(&self) -> io::Result<()> {
        make_durably(&self.temporaries())
    }

    /// Fails where the root is gone, as when its disk is not mounted: then a missing file says nothing.
    pub(crate) fn check_root(&self) -> io::Result<()> {
        fs::metadata(self.temporaries()).map(drop)
    }

    /// Moves a synced temporary file to the blob's place, for good and without overwriting.
    ///
    /// Folders are made and synced together with the move: a journalling file system then writes its journal once.
    pub(crate) fn publish(&self, temporary: &Path, key: &BlobKey) -> io::Result<()> {
        let (target, inner) = (self.blob(key), self.folder(key));
        let letters = <[u8; 3]>::try_from(key.as_str().as_bytes().get(..3).unwrap_or_default());
        match rename_new(temporary, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&inner)?;
                if let Ok(letters) = &letters {
                    self.durable().remove(letters);
                }
                rename_new(temporary, &target)?;
            }
            outcome => outcome?,
        }
        sync_folder(&inner)?;
        // A blob in a folder that a crash takes away would be lost, and whoever made the folder, a process killed since
        // perhaps, may not have synced it.
        if !letters.is_ok_and(|letters| self.durable().contains(&letters)) {
            sync_folder(&self.root.join(key.folders().0))?;
            sync_folder(&self.root)?;
            self.durable().extend(letters);
        }
        Ok(())
    }

    fn folder(&self, key: &BlobKey) -> PathBuf {
        let (outer, inner) = key.folders();
        // One allocation for the longest path under the root.
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + 32);
        path.push(&self.root);
        path.push(outer);
        path.push(inner);
        path
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 3]>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renames, but fails with `AlreadyExists` where `to` is taken.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS and some FUSE file systems can't; a hard link never overwrites either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        outcome => Ok(outcome?),
    }
}

/// Makes a folder and those above it that are missing, each on the disk before the next.
fn make_durably(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if parent != Path::new(".") {
        make_durably(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        outcome => outcome?,
    }
    sync_folder(parent)
}

/// Puts the entries of a folder on the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_told_from_a_foreign_one() {
        let layout = Layout::new("/srv".into());
        let path = layout.temporary("0123");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(Layout::is_temporary(name), "{name}");
        for foreign in ["notes.part", "a-b.part", "0123-0123", ".part", "x"] {
            assert!(!Layout::is_temporary(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_rename_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        assert_eq!(
            rename_new(&from, &to).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&to).unwrap(), b"old");
        fs::remove_file(&to).unwrap();
        rename_new(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }
}
