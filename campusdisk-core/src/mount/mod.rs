//! The seam of mounts: objects that others wrote, read where they lie.

mod path;

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use self::path::ObjectPath;
use crate::Result;
use crate::storage::{BlobReader, StoreName};

/// A read-only store over objects that others wrote, such as the output folder of a Spark job. Its objects are published in
/// place: a content refers to them, and no byte is copied or changed.
///
/// Nobody tells when others change an object. So a content remembers how the object was when it was published, its
/// [`ObjectRef`], and whoever reads it gets those bytes or [`Changed`](crate::ErrorKind::Changed).
///
/// # Contract
/// * **M1** `look` finds the object of now: its length, and a mark that is another one for other bytes. Where there is none,
///   or a folder, it fails with [`NotFound`](crate::ErrorKind::NotFound).
/// * **M2** `list` yields every object below the given folder that is there before the call and neither changed nor deleted
///   during it, once, as `look` finds it; no folders. A folder that is missing is empty.
/// * **M3** A reader yields exactly the bytes of its [`ObjectRef`]. When the object was changed, replaced or deleted since, `open`,
///   `read` or the body fails with [`Changed`](crate::ErrorKind::Changed), also after bytes.
/// * **M4** A span that ends past the object fails with [`Corrupt`](crate::ErrorKind::Corrupt).
/// * **M5** Nothing below the mount's root is ever made, changed or deleted.
/// * **M6** One reader serves many spans at once.
/// * **M7** `info` does no I/O and never changes.
#[async_trait]
pub trait Mount: fmt::Debug + Send + Sync + 'static {
    /// What the mount is.
    fn info(&self) -> &MountInfo;

    /// The object at `path`, as it is now.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) (M1), [`Denied`](crate::ErrorKind::Denied) when it may not be read,
    /// [`Conflict`](crate::ErrorKind::Conflict) when it is being written, [`Unavailable`](crate::ErrorKind::Unavailable) when the
    /// mount can't be reached within its limit.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn look(&self, path: &ObjectPath) -> Result<ObjectRef>;

    /// The objects below a folder, of all when there is none, in no promised order (M2). What has a name that is no
    /// [`ObjectPath`] is left out.
    fn list(&self, folder: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectRef>>;

    /// A reader of one object as it was (M3). That it is another one now may show only when it is read.
    ///
    /// # Errors
    /// As for [`BlobReader::read`], with [`Changed`](crate::ErrorKind::Changed) in the place of
    /// [`NotFound`](crate::ErrorKind::NotFound) and of another length.
    async fn open(&self, object: &ObjectRef) -> Result<Box<dyn BlobReader>>;
}

/// What a mount is. Does not change while it lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MountInfo {
    /// Its name in the configuration, which no store has.
    pub name: StoreName,
    /// Whether bytes cross a network, so that caching pays.
    pub remote: bool,
}

impl MountInfo {
    /// A mount of this name on this machine.
    pub fn new(name: StoreName) -> Self {
        Self { name, remote: false }
    }

    /// Says that bytes cross a network.
    #[must_use]
    pub fn with_remote(mut self, remote: bool) -> Self {
        self.remote = remote;
        self
    }
}

/// An object as it was when somebody looked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// Where it lies.
    pub path: ObjectPath,
    /// How long it is.
    pub len_bytes: u64,
    /// What tells it from what is written there later: a time of change, or an ETag. Only its mount knows what it means.
    pub mark: String,
}
