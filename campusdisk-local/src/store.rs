//! The store: identity, deleting, tidying, and what its readers and writers share.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use campusdisk_core::storage::{
    Abilities, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted, HealthFacts,
    ListedBlob, LocalPath, StoreHealth, StoreInfo,
};
use campusdisk_core::{Error, ErrorKind, InstallationId, Result};
use futures::stream::BoxStream;
use rustix::fs::StatVfs;

use crate::LocalConfig;
use crate::buffers::Buffers;
use crate::error::{Failure, blob_error, blocking};
use crate::layout::{Layout, rename_new, sync_folder};
use crate::list;
use crate::reader::LocalReader;
use crate::writer::LocalWriter;

/// Keeps each blob in a file under one folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

/// What the store, its readers and its writers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) info: StoreInfo,
    pub(crate) layout: Layout,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) direct_io: bool,
    pub(crate) reserve_bytes: u64,
}

impl LocalStore {
    /// Opens the store in its folder, which is made when it is missing.
    ///
    /// Readers and writers use the blocking pool of the tokio runtime they are called on.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) when the folder can't be made or written, [`LimitExceeded`](ErrorKind::LimitExceeded)
    /// when the disk has no room for it.
    pub async fn open(config: LocalConfig) -> Result<Self> {
        let shared = Shared {
            info: StoreInfo::new(config.name).with_part_size_bytes(config.part_size_bytes),
            layout: Layout::new(config.root),
            buffers: Arc::default(),
            direct_io: config.direct_io,
            reserve_bytes: config.reserve_bytes,
        };
        blocking(move || {
            let root = shared.layout.root();
            let name = &shared.info.name;
            shared
                .layout
                .make_root()
                .map_err(|cause| Failure::new("open store", name, name, root, cause))?;
            Ok(Self {
                shared: Arc::new(shared),
            })
        })
        .await
    }
}

#[async_trait]
impl BlobStore for LocalStore {
    fn info(&self) -> &StoreInfo {
        &self.shared.info
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.claim(installation)).await
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let writer = LocalWriter::create(Arc::clone(&self.shared), *key, options).await?;
        Ok(Box::new(writer))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(LocalReader::new(Arc::clone(&self.shared), *blob)))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let (shared, keys) = (Arc::clone(&self.shared), keys.to_vec());
        blocking(move || {
            shared
                .layout
                .check_root()
                .map_err(|_| shared.root_gone("delete blobs"))?;
            Ok(keys.into_iter().map(|key| shared.delete(key)).collect())
        })
        .await
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        list::list(Arc::clone(&self.shared), prefix, after)
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.tidy(older_than)).await
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::default().with_local_path(self).with_health(self)
    }
}

#[async_trait]
impl StoreHealth for LocalStore {
    async fn health(&self) -> Result<HealthFacts> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.health()).await
    }
}

impl LocalPath for LocalStore {
    fn local_path(&self, key: &BlobKey) -> PathBuf {
        self.shared.layout.blob(key)
    }
}

impl Shared {
    /// Fails when `more_bytes` would leave less than the reserve.
    pub(crate) fn check_space(&self, operation: &'static str, key: &BlobKey, more_bytes: u64) -> Result<()> {
        let root = self.layout.root();
        let facts = rustix::fs::statvfs(root)
            .map_err(|cause| Failure::new(operation, &self.info.name, key, root, cause))?;
        let free_bytes = free_bytes(&facts);
        if free_bytes >= self.reserve_bytes.saturating_add(more_bytes) {
            return Ok(());
        }
        let text = self.says_no_room(free_bytes);
        Err(blob_error(ErrorKind::LimitExceeded, operation, key, text))
    }

    pub(crate) fn says_no_room(&self, free_bytes: u64) -> String {
        format!(
            "the disk of store \"{}\" has {free_bytes} bytes free, of which {} stay reserved (reserve_bytes): free space on it",
            self.info.name, self.reserve_bytes
        )
    }

    /// The error for a blob's file that could not be opened.
    pub(crate) fn missing_or(
        &self,
        operation: &'static str,
        key: &BlobKey,
        path: &Path,
        cause: io::Error,
    ) -> Error {
        if cause.kind() != io::ErrorKind::NotFound {
            return Failure::new(operation, &self.info.name, key, path, cause).into();
        }
        // Without its disk every blob looks deleted.
        match self.layout.check_root() {
            Ok(()) => blob_error(ErrorKind::NotFound, operation, key, "there is no such blob"),
            Err(_) => self.root_gone(operation),
        }
    }

    pub(crate) fn root_gone(&self, operation: &'static str) -> Error {
        let name = &self.info.name;
        let text = format!("the root folder of store \"{name}\" is gone: is its disk mounted?");
        Error::new(ErrorKind::Unavailable, text)
            .during(operation)
            .on(name.as_str())
    }

    fn delete(&self, key: BlobKey) -> Deleted {
        let path = self.layout.blob(&key);
        let outcome = match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(Failure::new("delete blob", &self.info.name, key, &path, cause).into())
            }
            _ => Ok(()),
        };
        Deleted { key, outcome }
    }

    fn tidy(&self, older_than: Duration) -> Result<u64> {
        let folder = self.layout.temporaries();
        let fail = |path: &Path, cause| {
            let name = &self.info.name;
            Error::from(Failure::new("tidy store", name, name, path, cause))
        };
        // Nothing is older than the beginning of time.
        let before = SystemTime::now()
            .checked_sub(older_than)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let mut removed = 0;
        for path in list::leftovers(&folder, before).map_err(|cause| fail(&folder, cause))? {
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(fail(&path, cause)),
            }
        }
        Ok(removed)
    }

    fn claim(&self, installation: InstallationId) -> Result<()> {
        let name = &self.info.name;
        let path = self.layout.identity();
        let fail = |cause| Error::from(Failure::new("claim store", name, name, &path, cause));
        if let Some(owner) = self.owner(&path)? {
            return self.same_owner(owner, installation);
        }
        let temporary = self.layout.temporary("identity");
        let written = write_identity(&temporary, &path, installation);
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&temporary);
        match written {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => match self.owner(&path)? {
                Some(owner) => self.same_owner(owner, installation),
                None => Err(fail(cause)),
            },
            outcome => outcome.map_err(fail),
        }
    }

    fn owner(&self, path: &Path) -> Result<Option<InstallationId>> {
        let name = &self.info.name;
        match fs::read_to_string(path) {
            Ok(text) => match text.trim().strip_prefix("installation ").map(str::parse) {
                Some(Ok(owner)) => Ok(Some(owner)),
                _ => {
                    let text = format!(
                        "the identity file of store \"{name}\" is damaged: restore .campusdisk/identity from a backup"
                    );
                    Err(Error::new(ErrorKind::Corrupt, text)
                        .during("claim store")
                        .on(name.as_str()))
                }
            },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Failure::new("claim store", name, name, path, cause).into()),
        }
    }

    fn same_owner(&self, owner: InstallationId, installation: InstallationId) -> Result<()> {
        if owner == installation {
            return Ok(());
        }
        let name = &self.info.name;
        let text = format!(
            "store \"{name}\" belongs to installation {owner}, this is {installation}: give this one a folder of its own"
        );
        Err(Error::new(ErrorKind::Conflict, text)
            .during("claim store")
            .on(name.as_str()))
    }
}

/// How many bytes there is room for, for whoever is not the system's own user.
pub(crate) fn free_bytes(system: &StatVfs) -> u64 {
    system.f_bavail.saturating_mul(system.f_frsize)
}

fn write_identity(temporary: &Path, path: &Path, installation: InstallationId) -> io::Result<()> {
    let mut file = File::create_new(temporary)?;
    // So that a `tidy` of everything spares it.
    let _ = file.lock();
    writeln!(file, "installation {installation}")?;
    file.sync_all()?;
    rename_new(temporary, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}
