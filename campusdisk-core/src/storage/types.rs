//! What goes through the storage seam.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::{BlobKey, StoreHealth, StoreName};
use crate::{Error, ErrorKind, Result};

/// What a store is. Does not change while it lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Its name in the configuration.
    pub name: StoreName,
    /// How large the parts of an upload should be: one HDFS block, 64 MiB elsewhere.
    pub part_size_bytes: u64,
    /// The largest blob it takes.
    pub max_blob_bytes: u64,
    /// Whether bytes cross a network, so that caching and reading ahead pay.
    pub remote: bool,
}

impl StoreInfo {
    /// A local store of this name with parts of 64 MiB.
    pub fn new(name: StoreName) -> Self {
        Self {
            name,
            part_size_bytes: 64 << 20,
            max_blob_bytes: i64::MAX.unsigned_abs(),
            remote: false,
        }
    }

    /// Sets the part size.
    #[must_use]
    pub fn with_part_size_bytes(mut self, part_size_bytes: u64) -> Self {
        self.part_size_bytes = part_size_bytes;
        self
    }

    /// Sets the largest blob.
    #[must_use]
    pub fn with_max_blob_bytes(mut self, max_blob_bytes: u64) -> Self {
        self.max_blob_bytes = max_blob_bytes;
        self
    }

    /// Says that bytes cross a network.
    #[must_use]
    pub fn with_remote(mut self, remote: bool) -> Self {
        self.remote = remote;
        self
    }
}

/// How to write a blob.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct CreateOptions {
    /// How long it will be, where that is known: lets a store choose how to send it and refuse early when full.
    pub expected_bytes: Option<u64>,
}

impl CreateOptions {
    /// Says how long the blob will be.
    #[must_use]
    pub fn with_expected_bytes(mut self, expected_bytes: u64) -> Self {
        self.expected_bytes = Some(expected_bytes);
        self
    }
}

/// A blob as an extent knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// Its key.
    pub key: BlobKey,
    /// Its length.
    pub len_bytes: u64,
}

/// What was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobFacts {
    /// How many bytes it has.
    pub len_bytes: u64,
}

impl BlobFacts {
    /// A committed blob of this length.
    pub const fn new(len_bytes: u64) -> Self {
        Self { len_bytes }
    }
}

/// What became of one key of a `delete`.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The key.
    pub key: BlobKey,
    /// `Ok` when it is gone (also when it was never there), else why it may still be there.
    pub outcome: Result<(), Error>,
}

impl Deleted {
    /// A report of these keys; the error instead, when the store was reached for none of them: there is nothing to report then.
    ///
    /// # Errors
    /// The first [`Unavailable`](ErrorKind::Unavailable), when every key has one.
    pub fn report(keys: Vec<Self>) -> Result<Vec<Self>> {
        let unreached =
            |one: &Self| matches!(&one.outcome, Err(error) if error.kind() == ErrorKind::Unavailable);
        match keys.first().map(|one| &one.outcome) {
            Some(Err(error)) if keys.iter().all(unreached) => Err(error.clone()),
            _ => Ok(keys),
        }
    }
}

/// One committed blob of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedBlob {
    /// Its key.
    pub key: BlobKey,
    /// Its length.
    pub len_bytes: u64,
}

/// What a store can do beyond the contract. A new ability breaks nobody.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Abilities<'a> {
    /// Blobs are files on this machine.
    pub local_path: Option<&'a dyn LocalPath>,
    /// Clients can be sent to the store with a signed address.
    pub presign: Option<&'a dyn Presign>,
    /// It knows more of how it is than that it answers.
    pub health: Option<&'a dyn StoreHealth>,
}

impl<'a> Abilities<'a> {
    /// With blobs that are files on this machine.
    #[must_use]
    pub fn with_local_path(mut self, local_path: &'a dyn LocalPath) -> Self {
        self.local_path = Some(local_path);
        self
    }

    /// With signed addresses.
    #[must_use]
    pub fn with_presign(mut self, presign: &'a dyn Presign) -> Self {
        self.presign = Some(presign);
        self
    }

    /// With facts about how it is.
    #[must_use]
    pub fn with_health(mut self, health: &'a dyn StoreHealth) -> Self {
        self.health = Some(health);
        self
    }
}

/// Tells where a blob lies on this machine's file system, for a front server that sends files itself.
pub trait LocalPath: std::fmt::Debug + Send + Sync {
    /// The file that holds the blob, whether or not it is there.
    fn local_path(&self, key: &BlobKey) -> PathBuf;
}

/// Signs an address at which anybody may GET a blob for a while.
#[async_trait]
pub trait Presign: std::fmt::Debug + Send + Sync {
    /// An address for the blob.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when credentials can't be had.
    async fn presign_get(&self, key: &BlobKey, options: PresignOptions) -> Result<String>;
}

/// For how long and as what a signed address answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PresignOptions {
    /// How long the address works.
    pub lasts: Duration,
    /// The `Content-Disposition` of the answer.
    pub content_disposition: Option<String>,
    /// The `Content-Type` of the answer.
    pub content_type: Option<String>,
}

impl PresignOptions {
    /// An address that works for `lasts`.
    pub fn new(lasts: Duration) -> Self {
        Self {
            lasts,
            content_disposition: None,
            content_type: None,
        }
    }
}
