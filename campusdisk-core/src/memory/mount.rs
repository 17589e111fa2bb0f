//! Objects of others in memory: the contract of mounts as running code.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::mount::{Mount, MountInfo, ObjectPath, ObjectRef};
use crate::storage::{BlobReader, StoreName};
use crate::{ByteBody, Error, ErrorKind, Result, Span};

/// Objects in memory, which tests write as others would. Clones share them.
///
/// The executable spec of [`Mount`].
#[derive(Clone, Debug)]
pub struct MemoryMount {
    info: MountInfo,
    objects: Arc<Mutex<Objects>>,
}

#[derive(Debug, Default)]
struct Objects {
    by_path: BTreeMap<ObjectPath, (Bytes, u64)>,
    writes: u64,
}

impl MemoryMount {
    /// A mount without objects.
    pub fn new(name: StoreName) -> Self {
        Self {
            info: MountInfo::new(name),
            objects: Arc::default(),
        }
    }

    /// Writes an object, in the place of what was there.
    pub fn write(&self, path: ObjectPath, bytes: Bytes) {
        let mut objects = self.objects();
        objects.writes += 1;
        let written = (bytes, objects.writes);
        objects.by_path.insert(path, written);
    }

    /// Deletes an object.
    pub fn delete(&self, path: &ObjectPath) {
        self.objects().by_path.remove(path);
    }

    /// The bytes of an object.
    pub fn object(&self, path: &ObjectPath) -> Option<Bytes> {
        self.objects().by_path.get(path).map(|(bytes, _)| bytes.clone())
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn as_it_is(path: &ObjectPath, (bytes, write): &(Bytes, u64)) -> ObjectRef {
    ObjectRef {
        path: path.clone(),
        len_bytes: bytes.len() as u64,
        mark: write.to_string(),
    }
}

#[async_trait]
impl Mount for MemoryMount {
    fn info(&self) -> &MountInfo {
        &self.info
    }

    async fn look(&self, path: &ObjectPath) -> Result<ObjectRef> {
        let objects = self.objects();
        let found = objects.by_path.get(path);
        found
            .map(|written| as_it_is(path, written))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such object").on(path.as_str()))
    }

    fn list(&self, folder: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectRef>> {
        let objects = self.objects();
        let wanted = |path: &&ObjectPath| folder.is_none_or(|folder| path.below(folder).is_some());
        let found: Vec<_> = objects
            .by_path
            .iter()
            .filter(|(path, _)| wanted(path))
            .map(|(path, written)| Ok(as_it_is(path, written)))
            .collect();
        stream::iter(found).boxed()
    }

    async fn open(&self, object: &ObjectRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(MemoryObject {
            mount: self.clone(),
            object: object.clone(),
        }))
    }
}

#[derive(Debug)]
struct MemoryObject {
    mount: MemoryMount,
    object: ObjectRef,
}

#[async_trait]
impl BlobReader for MemoryObject {
    async fn read(&self, span: Span) -> Result<ByteBody> {
        let objects = self.mount.objects();
        let path = &self.object.path;
        let now = objects.by_path.get(path);
        let Some((bytes, _)) = now.filter(|written| as_it_is(path, written) == self.object) else {
            let says = "the object was changed since it was published";
            return Err(Error::new(ErrorKind::Changed, says).on(path.as_str()));
        };
        let range = usize::try_from(span.start())
            .ok()
            .zip(usize::try_from(span.end()).ok());
        match range {
            Some((start, end)) if end <= bytes.len() => Ok(ByteBody::once(bytes.slice(start..end))),
            _ => Err(Error::new(ErrorKind::Corrupt, "the span passes the object's end").on(path.as_str())),
        }
    }
}
