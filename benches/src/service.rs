//! The service over a store under measure, with everything else in memory, so that what differs is the store.

use std::sync::Arc;

use campusdisk_core::catalog::record::Node;
use campusdisk_core::memory::{MemoryCatalog, MemoryChunkCache, MemoryIdentity};
use campusdisk_core::{
    AccountId, Actor, AppendOptions, ByteBody, CampusDisk, Desk, EntryName, NodeId, Policy, PutOptions,
    Result, Seams, Span, UploadSpec,
};
use futures::StreamExt as _;

use crate::pieces;
use crate::stores::Measured;

/// A service with one person.
#[derive(Debug)]
pub struct Service {
    seams: Seams,
    disk: CampusDisk,
    desk: Desk,
    root: NodeId,
}

impl Service {
    /// Opens one over the store, with a chunk cache of `cache_bytes`.
    ///
    /// # Errors
    /// What store and service say.
    pub async fn open(measured: &Measured, cache_bytes: u64) -> Result<Self> {
        let identity = MemoryIdentity::default();
        identity.admit(person()?);
        let catalog = Arc::new(MemoryCatalog::default());
        let seams = Seams::in_process(measured.store.clone(), catalog, Arc::new(identity));
        Self::over(seams, cache_bytes).await
    }

    /// Another one over the same store and catalog, with a chunk cache of its own.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn with_cache(&self, cache_bytes: u64) -> Result<Self> {
        Self::over(self.seams.clone(), cache_bytes).await
    }

    async fn over(mut seams: Seams, cache_bytes: u64) -> Result<Self> {
        seams.cache = Arc::new(MemoryChunkCache::new(cache_bytes));
        let mut policy = Policy::default();
        policy.purge_delay = std::time::Duration::ZERO;
        let disk = CampusDisk::open(seams.clone(), policy).await?;
        let desk = disk.drive(person()?);
        let root = desk.home().await?.root;
        Ok(Self {
            seams,
            disk,
            desk,
            root,
        })
    }

    /// Uploads a file as a resumable upload of one append.
    ///
    /// # Errors
    /// What the service says.
    pub async fn upload(&self, name: &str, len_bytes: usize) -> Result<Option<Node>> {
        let spec = UploadSpec::file(EntryName::parse(name)?, Some(len_bytes as u64));
        let upload = self.desk.create_upload(spec).await?;
        let mut appending = self.desk.append(upload.id, 0, AppendOptions::default()).await?;
        for piece in pieces(len_bytes) {
            appending.write(piece).await?;
        }
        Ok(appending.finish().await?.node)
    }

    /// Takes a file away, bytes included.
    ///
    /// # Errors
    /// What the service says.
    pub async fn remove(&self, node: NodeId) -> Result<()> {
        self.desk.trash(node, None).await?;
        self.desk.purge(node).await?;
        let (mut condemned, mut deleted) = (0, 0);
        // A sweep deletes what was condemned in a millisecond before it.
        loop {
            let swept = self.disk.sweep().await?;
            condemned += swept.condemned;
            deleted += swept.deleted;
            if deleted >= condemned {
                return Ok(());
            }
        }
    }

    /// Puts a file of `len_bytes` bytes in one go.
    ///
    /// # Errors
    /// What the service says.
    pub async fn put(&self, folder: NodeId, name: &str, len_bytes: usize) -> Result<NodeId> {
        let name = EntryName::parse(name)?;
        let mut putting = self.desk.put(folder, name, PutOptions::default()).await?;
        for piece in pieces(len_bytes) {
            putting.write(piece).await?;
        }
        Ok(putting.finish().await?.node.id)
    }

    /// A folder of so many files of `len_bytes` bytes.
    ///
    /// # Errors
    /// What the service says.
    pub async fn folder(&self, name: &str, files: usize, len_bytes: usize) -> Result<NodeId> {
        let folder = self
            .desk
            .create_folder(self.root, EntryName::parse(name)?)
            .await?;
        for number in 0..files {
            self.put(folder.id, &format!("file-{number:05}.bin"), len_bytes)
                .await?;
        }
        Ok(folder.id)
    }

    /// The root of the person's drive.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Downloads a file, and tells how many bytes came.
    ///
    /// # Errors
    /// What the service says.
    pub async fn download(&self, node: NodeId) -> Result<u64> {
        let download = self.desk.download(node).await?;
        match Span::whole(download.size_bytes()) {
            Some(whole) => drain(download.open(whole).await?).await,
            None => Ok(0),
        }
    }

    /// Computes what an archive of a folder holds and where, and gives its length.
    ///
    /// # Errors
    /// What the service says.
    pub async fn archive_layout(&self, folder: NodeId) -> Result<u64> {
        Ok(self.desk.archive(folder).await?.size_bytes())
    }

    /// Downloads a folder as an archive, and tells how many bytes came.
    ///
    /// # Errors
    /// What the service says.
    pub async fn archive(&self, folder: NodeId) -> Result<u64> {
        let archive = self.desk.archive(folder).await?;
        match Span::whole(archive.size_bytes()) {
            Some(whole) => drain(archive.open(whole).await?).await,
            None => Ok(0),
        }
    }
}

/// Reads a body to its end, and tells how many bytes came.
///
/// # Errors
/// What the body breaks with.
pub async fn drain(mut body: ByteBody) -> Result<u64> {
    let mut total = 0;
    while let Some(piece) = body.next().await {
        total += piece?.len() as u64;
    }
    Ok(total)
}

fn person() -> Result<Actor> {
    Ok(Actor::new(AccountId::parse("bench")?, "Bench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_uploaded_comes_back_through_another_service_and_goes_when_it_is_removed() {
        let measured = Measured::in_memory().unwrap();
        let service = Service::open(&measured, 1).await.unwrap();
        let other = service.with_cache(1 << 20).await.unwrap();
        let node = service.upload("file.bin", 300_000).await.unwrap().unwrap();
        assert_eq!(other.download(node.id).await.unwrap(), 300_000);
        service.remove(node.id).await.unwrap();
        assert_eq!(measured.store.list("", None).count().await, 0);
    }

    #[tokio::test]
    async fn an_archive_has_the_length_that_was_computed() {
        let measured = Measured::in_memory().unwrap();
        let service = Service::open(&measured, 1).await.unwrap();
        let folder = service.folder("folder", 3, 5000).await.unwrap();
        let computed = service.archive_layout(folder).await.unwrap();
        assert!(computed > 15_000);
        assert_eq!(service.archive(folder).await.unwrap(), computed);
    }
}
