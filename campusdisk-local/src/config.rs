//! What an operator sets.

use std::path::PathBuf;

use campusdisk_core::storage::StoreName;

/// Where a local store lies and what it keeps free.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalConfig {
    /// The store's name.
    pub name: StoreName,
    /// The folder that holds the blobs; made when it is missing. All of it on one file system.
    pub root: PathBuf,
    /// How large the parts of an upload should be. 64 MiB unless set.
    pub part_size_bytes: u64,
    /// How much of the disk uploads leave free. 64 MiB unless set.
    pub reserve_bytes: u64,
    /// Whether long blobs are written past the page cache, where the file system can. True unless set.
    pub direct_io: bool,
}

impl LocalConfig {
    /// A store of this name in the folder `root`.
    pub fn new(name: StoreName, root: impl Into<PathBuf>) -> Self {
        Self {
            name,
            root: root.into(),
            part_size_bytes: 64 << 20,
            reserve_bytes: 64 << 20,
            direct_io: true,
        }
    }

    /// Sets the part size.
    #[must_use]
    pub fn with_part_size_bytes(mut self, part_size_bytes: u64) -> Self {
        self.part_size_bytes = part_size_bytes;
        self
    }

    /// Sets how much of the disk uploads leave free.
    #[must_use]
    pub fn with_reserve_bytes(mut self, reserve_bytes: u64) -> Self {
        self.reserve_bytes = reserve_bytes;
        self
    }

    /// Sets whether long blobs are written past the page cache.
    #[must_use]
    pub fn with_direct_io(mut self, direct_io: bool) -> Self {
        self.direct_io = direct_io;
        self
    }
}
