//! Blobs in memory: the storage contract as running code.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    ListedBlob, StoreInfo,
};
use crate::{ByteBody, Error, ErrorKind, InstallationId, Result, Span};

/// Keeps blobs in memory. Clones share one root, as several processes share one folder.
///
/// The executable spec of [`BlobStore`], and the store of tests: everything is gone when the last clone is dropped.
///
/// # Example: a store with parts of 1 KiB
/// ```
/// use campusdisk_core::memory::MemoryStore;
/// use campusdisk_core::storage::{BlobStore, StoreInfo, StoreName};
///
/// # fn main() -> campusdisk_core::Result<()> {
/// let info = StoreInfo::new(StoreName::parse("primary")?).with_part_size_bytes(1024);
/// let store = MemoryStore::new(info).with_capacity_bytes(1 << 20);
/// assert_eq!(store.info().part_size_bytes, 1024);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    info: StoreInfo,
    piece_bytes: usize,
    root: Root,
}

impl MemoryStore {
    /// An empty store of unlimited capacity that is what `info` says.
    pub fn new(info: StoreInfo) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            claimed_by: None,
            used_bytes: 0,
            capacity_bytes: u64::MAX,
        };
        Self {
            info,
            piece_bytes: 64 << 10,
            root: Root(Arc::new(Mutex::new(state))),
        }
    }

    /// Sets how many bytes all objects, open blobs included, may have together; more is refused as a full disk would.
    #[must_use]
    pub fn with_capacity_bytes(self, capacity_bytes: u64) -> Self {
        self.root.state().capacity_bytes = capacity_bytes;
        self
    }

    /// Sets the longest piece a body yields, so that a test sees several pieces of a short blob.
    #[must_use]
    pub fn with_piece_bytes(mut self, piece_bytes: usize) -> Self {
        self.piece_bytes = piece_bytes.max(1);
        self
    }

    /// Puts an object at `path` under the root, as a stranger with access to it would.
    pub fn put_foreign(&self, path: &str, bytes: Bytes) {
        let mut state = self.root.state();
        state.used_bytes += bytes.len() as u64;
        if let Some(replaced) = state.objects.insert(path.to_owned(), bytes) {
            state.used_bytes -= replaced.len() as u64;
        }
    }

    /// The object at `path` under the root, whoever made it.
    pub fn object(&self, path: &str) -> Option<Bytes> {
        self.root.state().objects.get(path).cloned()
    }
}

#[async_trait]
impl BlobStore for MemoryStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let owner = *self.root.state().claimed_by.get_or_insert(installation);
        if owner == installation {
            return Ok(());
        }
        let text = format!("the store belongs to installation {owner}: give this one a store of its own");
        Err(Error::new(ErrorKind::Conflict, text)
            .during("claim store")
            .on(self.info.name.as_str()))
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        if options
            .expected_bytes
            .is_some_and(|expected| expected > self.info.max_blob_bytes)
        {
            return Err(too_long(key, self.info.max_blob_bytes));
        }
        Ok(Box::new(MemoryWriter {
            root: self.root.clone(),
            key: *key,
            max_blob_bytes: self.info.max_blob_bytes,
            written: BytesMut::new(),
            failed: false,
        }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(MemoryReader {
            root: self.root.clone(),
            blob: *blob,
            piece_bytes: self.piece_bytes,
        }))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let mut state = self.root.state();
        let delete = |key: &BlobKey| {
            if let Some(bytes) = state.objects.remove(&path(key)) {
                state.used_bytes -= bytes.len() as u64;
            }
            Deleted {
                key: *key,
                outcome: Ok(()),
            }
        };
        Ok(keys.iter().map(delete).collect())
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(path(key)));
        let state = self.root.state();
        // Paths sort as their keys do: the folders are the key's first letters.
        let found: Vec<_> = state
            .objects
            .range((from, Bound::Unbounded))
            .filter_map(|(path, bytes)| {
                Some(ListedBlob {
                    key: blob_at(path)?,
                    len_bytes: bytes.len() as u64,
                })
            })
            .filter(|blob| blob.key.as_str().starts_with(prefix))
            .map(Ok)
            .collect();
        stream::iter(found).boxed()
    }

    async fn tidy(&self, _older_than: Duration) -> Result<u64> {
        // A dropped writer takes its bytes along.
        Ok(0)
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::default()
    }
}

#[derive(Clone, Debug)]
struct Root(Arc<Mutex<State>>);

struct State {
    objects: BTreeMap<String, Bytes>,
    claimed_by: Option<InstallationId>,
    used_bytes: u64,
    capacity_bytes: u64,
}

impl Root {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics between two changes that belong together, so a poisoned state is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("objects", &self.objects.len())
            .field("used_bytes", &self.used_bytes)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct MemoryWriter {
    root: Root,
    key: BlobKey,
    max_blob_bytes: u64,
    written: BytesMut,
    failed: bool,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.failed {
            return Err(write_failed_before(&self.key));
        }
        let len_bytes = bytes.len() as u64;
        self.failed = true;
        if self.written.len() as u64 + len_bytes > self.max_blob_bytes {
            return Err(too_long(&self.key, self.max_blob_bytes));
        }
        let mut state = self.root.state();
        if state.used_bytes.saturating_add(len_bytes) > state.capacity_bytes {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                "the store is full: delete something or raise its capacity",
            )
            .during("write blob")
            .on(self.key.to_string()));
        }
        state.used_bytes += len_bytes;
        self.written.extend_from_slice(&bytes);
        self.failed = false;
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobFacts> {
        if self.failed {
            return Err(write_failed_before(&self.key));
        }
        let mut state = self.root.state();
        let path = path(&self.key);
        if state.objects.contains_key(&path) {
            drop(state);
            return Err(
                Error::new(ErrorKind::AlreadyExists, "a blob with this key is there already")
                    .during("commit blob")
                    .on(self.key.to_string()),
            );
        }
        let bytes = std::mem::take(&mut self.written).freeze();
        let facts = BlobFacts::new(bytes.len() as u64);
        state.objects.insert(path, bytes);
        drop(state);
        Ok(facts)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.root.state().used_bytes -= self.written.len() as u64;
    }
}

#[derive(Debug)]
struct MemoryReader {
    root: Root,
    blob: BlobRef,
    piece_bytes: usize,
}

#[async_trait]
impl BlobReader for MemoryReader {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let fail = |kind, text: String| {
            Err(Error::new(kind, text)
                .during("read blob")
                .on(self.blob.key.to_string()))
        };
        let Some(bytes) = self.root.state().objects.get(&path(&self.blob.key)).cloned() else {
            return fail(ErrorKind::NotFound, "there is no such blob".to_owned());
        };
        let len_bytes = bytes.len() as u64;
        if len_bytes != self.blob.len_bytes {
            let text = format!("the blob has {len_bytes} bytes, not {}", self.blob.len_bytes);
            return fail(ErrorKind::Corrupt, text);
        }
        let (Ok(start), Ok(end)) = (usize::try_from(span.start()), usize::try_from(span.end())) else {
            return fail(ErrorKind::Corrupt, "the span passes the blob's end".to_owned());
        };
        if end > bytes.len() {
            let text = format!("the span ends at {end}, the blob at {len_bytes}");
            return fail(ErrorKind::Corrupt, text);
        }
        let piece_bytes = self.piece_bytes;
        let pieces = (start..end)
            .step_by(piece_bytes)
            .map(move |from| Ok(bytes.slice(from..end.min(from.saturating_add(piece_bytes)))));
        Ok(ByteBody::stream(span.len(), stream::iter(pieces)))
    }
}

/// Where a blob lies among the objects, foreign ones included.
fn path(key: &BlobKey) -> String {
    let (outer, inner) = key.folders();
    format!("{outer}/{inner}/{key}")
}

/// The key of the blob at this path, or `None` where what lies there is foreign.
fn blob_at(object: &str) -> Option<BlobKey> {
    let key: BlobKey = object.rsplit('/').next()?.parse().ok()?;
    (path(&key) == object).then_some(key)
}

fn too_long(key: &BlobKey, max_blob_bytes: u64) -> Error {
    let text = format!("the store takes blobs of up to {max_blob_bytes} bytes");
    Error::new(ErrorKind::LimitExceeded, text)
        .during("write blob")
        .on(key.to_string())
}

fn write_failed_before(key: &BlobKey) -> Error {
    Error::new(
        ErrorKind::Internal,
        "an earlier write of this blob failed, so it can only be given up",
    )
    .during("write blob")
    .on(key.to_string())
}
