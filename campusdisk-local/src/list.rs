//! Lists blobs folder by folder, which is key by key.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use campusdisk_core::storage::{BlobKey, ListedBlob};
use campusdisk_core::{Error, Result};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use crate::error::{Failure, blocking};
use crate::store::Shared;

/// Lists; each step reads one innermost folder in the blocking pool, none while nobody asks.
pub(crate) fn list(
    shared: Arc<Shared>,
    prefix: &str,
    after: Option<&BlobKey>,
) -> BoxStream<'static, Result<ListedBlob>> {
    let walk = Walk {
        shared,
        wanted: Wanted {
            prefix: prefix.to_owned(),
            after: after.copied(),
        },
        outers: None,
        inners: Vec::new().into_iter(),
    };
    stream::try_unfold(walk, |walk| blocking(move || walk.next_folder()))
        .map_ok(|found| stream::iter(found.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// Which keys are asked for.
struct Wanted {
    prefix: String,
    after: Option<BlobKey>,
}

impl Wanted {
    /// Whether a folder whose keys all start with `letters` may hold some.
    fn in_folder(&self, letters: &str) -> bool {
        let fits_prefix = letters.starts_with(&self.prefix) || self.prefix.starts_with(letters);
        let from = self.after.as_ref().map(|key| key.as_str());
        let fits_after = from
            .and_then(|key| key.get(..letters.len()))
            .is_none_or(|start| letters >= start);
        fits_prefix && fits_after
    }

    fn key(&self, key: &BlobKey) -> bool {
        key.as_str().starts_with(&self.prefix) && self.after.is_none_or(|after| *key > after)
    }
}

/// Where a listing is.
struct Walk {
    shared: Arc<Shared>,
    wanted: Wanted,
    /// The outer folders to come; not known before the first step.
    outers: Option<std::vec::IntoIter<String>>,
    /// The innermost folders to come of the current outer one, by the three letters they stand for.
    inners: std::vec::IntoIter<String>,
}

impl Walk {
    /// The blobs of the next folder that has some.
    fn next_folder(mut self) -> Result<Option<(Vec<ListedBlob>, Self)>> {
        loop {
            if let Some(letters) = self.inners.next() {
                let found = self.blobs(&letters)?;
                if !found.is_empty() {
                    return Ok(Some((found, self)));
                }
            } else if let Some(outers) = &mut self.outers {
                let Some(outer) = outers.next() else {
                    return Ok(None);
                };
                let path = self.shared.layout.root().join(&outer);
                self.inners = self.folders(&path, 1, &outer)?.into_iter();
            } else {
                let root = self.shared.layout.root();
                self.shared
                    .layout
                    .check_root()
                    .map_err(|_| self.shared.root_gone("list blobs"))?;
                self.outers = Some(self.folders(root, 2, "")?.into_iter());
            }
        }
    }

    /// The wanted folders with names of `length` letters in `path`, ascending, each with `before` in front.
    fn folders(&self, path: &Path, length: usize, before: &str) -> Result<Vec<String>> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut folders = Vec::new();
        for entry in self.entries(path)? {
            if let Some(name) = entry.file_name().to_str()
                && name.len() == length
                && name.bytes().all(plain)
            {
                let letters = format!("{before}{name}");
                if self.wanted.in_folder(&letters) {
                    folders.push(letters);
                }
            }
        }
        folders.sort_unstable();
        Ok(folders)
    }

    /// The wanted blobs in an innermost folder, ascending. Files that are no blobs of this folder are not ours.
    fn blobs(&self, letters: &str) -> Result<Vec<ListedBlob>> {
        let (outer, inner) = letters.split_at(2);
        let path = self.shared.layout.root().join(outer).join(inner);
        let mut found = Vec::new();
        for entry in self.entries(&path)? {
            let Some(key) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if key_letters(&key) != Some(letters) || !self.wanted.key(&key) {
                continue;
            }
            match entry.metadata() {
                Ok(facts) if facts.is_file() => found.push(ListedBlob {
                    key,
                    len_bytes: facts.len(),
                }),
                Ok(_) => {}
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failure(&entry.path(), error)),
            }
        }
        found.sort_unstable_by_key(|blob| blob.key);
        Ok(found)
    }

    fn entries(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let read = || fs::read_dir(path)?.collect::<io::Result<Vec<_>>>();
        match read() {
            Ok(entries) => Ok(entries),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(self.failure(path, error)),
        }
    }

    fn failure(&self, path: &Path, cause: io::Error) -> Error {
        let name = &self.shared.info.name;
        Failure::new("list blobs", name, name, path, cause).into()
    }
}

fn key_letters(key: &BlobKey) -> Option<&str> {
    key.as_str().get(..3)
}

/// The temporary files whose writers are gone and that were last written before `before`.
pub(crate) fn leftovers(folder: &Path, before: std::time::SystemTime) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let ours = entry
            .file_name()
            .to_str()
            .is_some_and(crate::layout::Layout::is_temporary);
        let old = || {
            let changed = entry.metadata().and_then(|facts| facts.modified());
            changed.is_ok_and(|changed| changed <= before)
        };
        if ours && old() && !writer_lives(&entry.path()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Whether a writer holds the file's lock. Where the file system has no locks, nobody does.
fn writer_lives(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else {
        return false;
    };
    matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
}
