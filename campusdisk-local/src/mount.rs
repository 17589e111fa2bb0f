//! Files of others in a folder of this machine, read where they lie.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::mount::{Mount, MountInfo, ObjectPath, ObjectRef};
use campusdisk_core::storage::{BlobReader, StoreName};
use campusdisk_core::{ByteBody, Error, ErrorKind, Result, Span};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::{Failure, blocking};

const READ: &str = "read object";

/// How much is read at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// How old a file's time of change must be before it is believed. Clocks of file systems go in steps, of which two seconds are
/// the longest: what is written again within the same step has the same time.
const SETTLED: Duration = Duration::from_secs(2);

/// A folder of this machine whose files others write.
///
/// A file is another one when its length or its time of last change (in nanoseconds) is; so whoever changes bytes and sets the time back
/// is not noticed. Symbolic links are followed to files inside the folder, and nowhere else.
///
/// # Cancel safety
/// All of it is cancel safe.
#[derive(Clone, Debug)]
pub struct LocalMount {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    info: MountInfo,
    root: PathBuf,
}

impl LocalMount {
    /// The files below `root`. Does no I/O.
    pub fn new(name: StoreName, root: impl Into<PathBuf>) -> Self {
        Self {
            folder: Arc::new(Folder {
                info: MountInfo::new(name),
                root: root.into(),
            }),
        }
    }
}

#[async_trait]
impl Mount for LocalMount {
    fn info(&self) -> &MountInfo {
        &self.folder.info
    }

    async fn look(&self, path: &ObjectPath) -> Result<ObjectRef> {
        let before = self.facts(path).await?;
        let Some(rest) = unsettled(&before) else {
            return Ok(object_of(path.clone(), &before));
        };
        // A clock that nothing can hurry.
        tokio::time::sleep(rest).await;
        let after = object_of(path.clone(), &self.facts(path).await?);
        if after == object_of(path.clone(), &before) {
            return Ok(after);
        }
        let says = "the file is being written: publish it when it is whole";
        Err(Error::new(ErrorKind::Conflict, says)
            .during("look at object")
            .on(self.folder.subject(path)))
    }

    fn list(&self, folder: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectRef>> {
        let first = folder.map_or_else(String::new, |folder| folder.as_str().to_owned());
        let pages = stream::try_unfold(
            (Arc::clone(&self.folder), vec![first]),
            |(folder, mut waiting)| async move {
                let Some(next) = waiting.pop() else {
                    return Ok::<_, Error>(None);
                };
                let at = Arc::clone(&folder);
                let (files, below) = blocking(move || at.read_folder(&next)).await?;
                waiting.extend(below);
                let files = stream::iter(files.into_iter().map(Ok));
                Ok(Some((files, (folder, waiting))))
            },
        );
        pages.try_flatten().boxed()
    }

    async fn open(&self, object: &ObjectRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(LocalObject {
            folder: Arc::clone(&self.folder),
            object: object.clone(),
        }))
    }
}

impl LocalMount {
    async fn facts(&self, path: &ObjectPath) -> Result<Metadata> {
        let (folder, path) = (Arc::clone(&self.folder), path.clone());
        blocking(move || Ok(folder.open(&path, "look at object", ErrorKind::NotFound)?.1)).await
    }
}

impl Folder {
    /// The file at `path`, which is nowhere but below the root.
    fn open(
        &self,
        path: &ObjectPath,
        operation: &'static str,
        missing: ErrorKind,
    ) -> Result<(File, Metadata)> {
        let failed = |cause: io::Error| {
            let at = self.root.join(path.as_str());
            let gone = matches!(
                cause.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
            );
            if gone && self.root.is_dir() {
                return self.error(missing, operation, path, "there is no such file");
            }
            if gone {
                let says = "the root folder of the mount is not there: is its file system mounted?";
                return self.error(ErrorKind::Unavailable, operation, path, says);
            }
            Failure::new(operation, &self.info.name, self.subject(path), &at, cause).into()
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let open = || {
            let root = rustix::fs::open(&self.root, flags | OFlags::DIRECTORY, Mode::empty())?;
            // Not to wait for the writer of a pipe; it makes no difference to files.
            let flags = flags | OFlags::NONBLOCK;
            rustix::fs::openat2(root, path.as_str(), flags, Mode::empty(), ResolveFlags::BENEATH)
        };
        let file = loop {
            match open() {
                // A folder on the way was renamed just now.
                Err(Errno::AGAIN) => {}
                Err(Errno::XDEV | Errno::LOOP) => {
                    let says = "it is a link that leads out of the mount, or nowhere";
                    return Err(self.error(missing, operation, path, says));
                }
                outcome => break File::from(outcome.map_err(|errno| failed(errno.into()))?),
            }
        };
        let facts = file.metadata().map_err(failed)?;
        if !facts.is_file() {
            return Err(self.error(missing, operation, path, "it is no file"));
        }
        Ok((file, facts))
    }

    /// The files in a folder, and the folders in it; nothing where it is missing.
    fn read_folder(&self, folder: &str) -> Result<(Vec<ObjectRef>, Vec<String>)> {
        let at = self.root.join(folder);
        let failed =
            |cause: io::Error| Error::from(Failure::new("list objects", &self.info.name, folder, &at, cause));
        let entries = match fs::read_dir(&at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.is_dir() => {
                return Ok((Vec::new(), Vec::new()));
            }
            entries => entries.map_err(failed)?,
        };
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let path = name.to_str().and_then(|name| match folder {
                "" => ObjectPath::parse(name).ok(),
                folder => ObjectPath::parse(&format!("{folder}/{name}")).ok(),
            });
            let Some(path) = path else {
                tracing::warn!(mount = %self.info.name, folder, ?name, "a file is left out: its name is no text, or too long");
                continue;
            };
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path.as_str().to_owned());
                continue;
            }
            match self.open(&path, "list objects", ErrorKind::NotFound) {
                Ok((_, facts)) => files.push(object_of(path, &facts)),
                // No file, or gone since the folder was read.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok((files, folders))
    }

    fn error(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        path: &ObjectPath,
        says: &'static str,
    ) -> Error {
        Error::new(kind, says).during(operation).on(self.subject(path))
    }

    fn subject(&self, path: &ObjectPath) -> String {
        format!("{path} in mount {}", self.info.name)
    }
}

fn object_of(path: ObjectPath, facts: &Metadata) -> ObjectRef {
    ObjectRef {
        path,
        len_bytes: facts.len(),
        mark: format!("{}.{:09}", facts.mtime(), facts.mtime_nsec()),
    }
}

/// How long it takes until the file's time of change can be believed, if it can't yet.
fn unsettled(facts: &Metadata) -> Option<Duration> {
    let age = SystemTime::now().duration_since(facts.modified().ok()?).ok()?;
    SETTLED.checked_sub(age).filter(|rest| !rest.is_zero())
}

#[derive(Clone, Debug)]
struct LocalObject {
    folder: Arc<Folder>,
    object: ObjectRef,
}

#[async_trait]
impl BlobReader for LocalObject {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let this = self.clone();
        let file = blocking(move || this.open()).await?;
        if span.end() > self.object.len_bytes {
            let says = "the span passes the object's end";
            return Err(self.error(ErrorKind::Corrupt, says));
        }
        let windows = stream::try_unfold(
            (self.clone(), file, span.start()),
            move |(this, file, at)| async move {
                let len_bytes = (span.end() - at).min(WINDOW_BYTES);
                if len_bytes == 0 {
                    return Ok(None);
                }
                let (reader, handle) = (this.clone(), Arc::clone(&file));
                let bytes = blocking(move || reader.window(&handle, at, len_bytes)).await?;
                Ok(Some((bytes, (this, file, at + len_bytes))))
            },
        );
        Ok(ByteBody::stream(span.len(), windows))
    }
}

impl LocalObject {
    fn open(&self) -> Result<Arc<File>> {
        let opened = self.folder.open(&self.object.path, READ, ErrorKind::Changed);
        let (file, facts) = opened.map_err(|error| match error.kind() {
            ErrorKind::Changed => self.changed().because(error),
            _ => error,
        })?;
        self.compare(&facts)?;
        Ok(Arc::new(file))
    }

    /// Bytes that were there before the file could have changed: it is looked at after they were read.
    fn window(&self, file: &File, at: u64, len_bytes: u64) -> Result<Bytes> {
        let failed = |cause: io::Error| {
            let path = self.folder.root.join(self.object.path.as_str());
            let subject = self.folder.subject(&self.object.path);
            Error::from(Failure::new(READ, &self.folder.info.name, subject, &path, cause))
        };
        let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or_default()];
        match file.read_exact_at(&mut bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.changed()),
            outcome => outcome.map_err(failed)?,
        }
        self.compare(&file.metadata().map_err(failed)?)?;
        Ok(bytes.into())
    }

    fn compare(&self, facts: &Metadata) -> Result<()> {
        match object_of(self.object.path.clone(), facts) == self.object {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    fn changed(&self) -> Error {
        self.error(ErrorKind::Changed, "the file was changed since it was published")
    }

    fn error(&self, kind: ErrorKind, says: &'static str) -> Error {
        self.folder.error(kind, READ, &self.object.path, says)
    }
}
