//! The partial file, what is known of it, and its last step to the final name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::headers::Validator;
use crate::options::Existing;
use crate::spans::Span;

/// `NAME.part`, locked as long as this or anything that writes to it lives, and `NAME.part.json`. All calls block.
#[derive(Debug)]
pub(crate) struct Part {
    file: Arc<File>,
    path: PathBuf,
    state: PathBuf,
    target: PathBuf,
}

/// What `NAME.part.json` holds. What it calls done was synced before it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    pub(crate) size: u64,
    pub(crate) done: Vec<Span>,
}

impl State {
    pub(crate) fn new(url: String, validator: &Validator, size: u64) -> Self {
        let (etag, last_modified) = match validator.clone() {
            Validator::Tag(tag) => (Some(tag), None),
            Validator::Modified(date) => (None, Some(date)),
        };
        Self {
            url,
            etag,
            last_modified,
            size,
            done: Vec::new(),
        }
    }

    /// Whether both are of the same bytes.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        let of = |state: &Self| {
            (
                state.url.clone(),
                state.etag.clone(),
                state.last_modified.clone(),
                state.size,
            )
        };
        of(self) == of(other)
    }
}

impl Part {
    /// Opens the partial file for a final name, or makes it.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is a file of the final name that is to be kept, [`Error::Busy`] when another download has it.
    pub(crate) fn open(target: &Path, existing: Existing) -> Result<Self> {
        if target.is_dir() {
            return Err(Error::file("write", target, io::ErrorKind::IsADirectory.into()));
        }
        if existing == Existing::Keep && target.symlink_metadata().is_ok() {
            return Err(Error::Exists(target.to_path_buf()));
        }
        let path = with_ending(target, ".part");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = opened.map_err(|error| Error::file("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(path)),
            // A file system without locks: then nobody else is kept away.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(Error::file("lock", &path, error)),
        }
        // Another one may have ended between both steps, and what was opened is its whole file by now.
        let is_there = same_file(&file, &path).map_err(|error| Error::file("look at", &path, error))?;
        if !is_there {
            return Err(Error::Busy(path));
        }
        Ok(Self {
            file: Arc::new(file),
            state: with_ending(target, ".part.json"),
            path,
            target: target.to_path_buf(),
        })
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What an earlier run left, if it can be read and the partial file is as it says.
    pub(crate) fn saved(&self) -> Option<State> {
        let text = fs::read(&self.state).ok()?;
        let state: State = serde_json::from_slice(&text).ok()?;
        let length = self.file.metadata().ok()?.len();
        (length == state.size).then_some(state)
    }

    /// Forgets what there was, and makes room for a file of a size.
    pub(crate) fn begin(&self, size: u64) -> Result<()> {
        // First what says that bytes are there, then the bytes.
        remove(&self.state).map_err(|error| Error::file("remove", &self.state, error))?;
        let resized = self.file.set_len(0).and_then(|()| self.file.set_len(size));
        resized.map_err(|error| Error::file("resize", &self.path, error))
    }

    /// Writes down what is done, once it is on the disk.
    pub(crate) fn save(&self, state: &State) -> Result<()> {
        self.file
            .sync_data()
            .map_err(|error| Error::file("sync", &self.path, error))?;
        let new = with_ending(&self.state, ".new");
        let text = serde_json::to_vec(state).map_err(io::Error::from);
        let written = text.and_then(|text| {
            // The address may hold a ticket.
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&text)?;
            file.sync_data()?;
            fs::rename(&new, &self.state)
        });
        written.map_err(|error| Error::file("write", &self.state, error))
    }

    /// Puts the file under its final name, synced, and forgets the rest; returns the name.
    ///
    /// # Errors
    /// [`Error::Exists`] when a file of that name came in the meantime and is to be kept.
    pub(crate) fn finish(&self, existing: Existing) -> Result<PathBuf> {
        self.file
            .sync_all()
            .map_err(|error| Error::file("sync", &self.path, error))?;
        let renamed = match existing {
            Existing::Replace => fs::rename(&self.path, &self.target),
            Existing::Keep => rename_if_free(&self.path, &self.target),
        };
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists(self.target.clone()));
            }
            renamed => renamed.map_err(|error| Error::file("rename to", &self.target, error))?,
        }
        remove(&self.state).map_err(|error| Error::file("remove", &self.state, error))?;
        let folder = self
            .target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Error::file("sync", folder, error))?;
        Ok(self.target.clone())
    }

    /// Forgets what is done and leaves the bytes.
    pub(crate) fn distrust(&self) -> Result<()> {
        remove(&self.state).map_err(|error| Error::file("remove", &self.state, error))
    }

    /// Removes all of it.
    pub(crate) fn discard(&self) -> Result<()> {
        self.distrust()?;
        remove(&self.path).map_err(|error| Error::file("remove", &self.path, error))
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match path.metadata() {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn rename_if_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that can't do it in one step: a look, then the step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match to.symlink_metadata() {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(done: &[(u64, u64)]) -> State {
        let validator = Validator::Tag("\"a\"".to_owned());
        State {
            done: done
                .iter()
                .map(|(start, end)| Span::new(*start, *end).unwrap())
                .collect(),
            ..State::new("http://campus.test/a".to_owned(), &validator, 1000)
        }
    }

    #[test]
    fn what_was_saved_is_there_unless_the_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let part = Part::open(&target, Existing::Keep).unwrap();
        assert_eq!(part.saved(), None);
        part.begin(1000).unwrap();
        part.save(&state(&[(0, 10), (20, 1000)])).unwrap();
        assert_eq!(part.saved(), Some(state(&[(0, 10), (20, 1000)])));
        part.file().set_len(999).unwrap();
        assert_eq!(part.saved(), None);
        fs::write(folder.path().join("a.part.json"), "{\"done\":[[9,1]]}").unwrap();
        assert_eq!(part.saved(), None);
    }

    #[test]
    fn a_second_download_of_the_same_name_is_refused_while_the_first_runs() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let first = Part::open(&target, Existing::Keep).unwrap();
        assert!(matches!(Part::open(&target, Existing::Keep), Err(Error::Busy(_))));
        drop(first);
        assert!(Part::open(&target, Existing::Keep).is_ok());
    }

    #[test]
    fn a_file_of_the_final_name_is_kept_whenever_it_comes_unless_it_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let part = Part::open(&target, Existing::Keep).unwrap();
        fs::write(&target, "mine").unwrap();
        assert!(matches!(part.finish(Existing::Keep), Err(Error::Exists(_))));
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        drop(part);
        assert!(matches!(
            Part::open(&target, Existing::Keep),
            Err(Error::Exists(_))
        ));
        let part = Part::open(&target, Existing::Replace).unwrap();
        part.begin(3).unwrap();
        assert_eq!(part.finish(Existing::Replace).unwrap(), target);
        assert_eq!(fs::read(&target).unwrap(), [0; 3]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
