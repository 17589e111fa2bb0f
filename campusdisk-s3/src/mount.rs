//! Objects of others under a prefix of a bucket, read where they lie.

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_core::mount::{Mount, MountInfo, ObjectPath, ObjectRef};
use campusdisk_core::storage::BlobReader;
use campusdisk_core::{ErrorKind, Result};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, future};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore};

use crate::S3Config;
use crate::bucket::{self, Bucket};
use crate::error::Failure;
use crate::reader::S3Reader;

/// A prefix of a bucket whose objects others write.
///
/// An object is another one when its length or its ETag is; on a server without ETags, when its time of change is, in whole seconds.
///
/// Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct S3Mount {
    bucket: Arc<Bucket>,
    info: MountInfo,
}

impl S3Mount {
    /// The objects under the configuration's prefix. What it says about writing does not count. Does no I/O.
    ///
    /// # Errors
    /// As for [`S3Store::connect`](crate::S3Store::connect).
    pub fn connect(config: S3Config) -> Result<Self> {
        config.check()?;
        let amazon = bucket::amazon(&config)
            .map_err(|failure| failure.during("connect", format!("mount {}", config.name)))?;
        Ok(Self::of(config, Arc::new(amazon)))
    }

    /// A mount over anything `object_store` speaks to, with time limits of its own.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when a setting can't be right.
    pub fn over(config: S3Config, objects: Arc<dyn ObjectStore>) -> Result<Self> {
        config.check()?;
        Ok(Self::of(config, objects))
    }

    fn of(config: S3Config, objects: Arc<dyn ObjectStore>) -> Self {
        Self {
            info: MountInfo::new(config.name.clone()).with_remote(true),
            bucket: Arc::new(Bucket::new(config, objects, None)),
        }
    }

    /// Where an object lies.
    fn path(&self, path: &ObjectPath) -> Result<Path, Failure> {
        let prefix = &self.bucket.config.prefix;
        let whole = match prefix.as_str() {
            "" => path.to_string(),
            prefix => format!("{prefix}/{path}"),
        };
        // A path that S3 could not have in a listing.
        Path::parse(whole).map_err(|_| Failure::new(ErrorKind::NotFound, "there is no such object"))
    }
}

#[async_trait]
impl Mount for S3Mount {
    fn info(&self) -> &MountInfo {
        &self.info
    }

    async fn look(&self, path: &ObjectPath) -> Result<ObjectRef> {
        let found = async {
            let head = GetOptions {
                head: true,
                ..GetOptions::default()
            };
            let answer = self.bucket.objects.get_opts(&self.path(path)?, head).await?;
            Ok::<_, Failure>(answer.meta)
        };
        match found.await {
            Ok(meta) => Ok(object_of(path.clone(), &meta)),
            Err(failure) => Err(failure.during("look at object", subject(&self.bucket, path))),
        }
    }

    fn list(&self, folder: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectRef>> {
        let root = self.bucket.root();
        let below = match folder.map(|folder| self.path(folder)) {
            None => root.clone(),
            Some(Ok(folder)) => folder,
            Some(Err(_)) => return futures::stream::empty().boxed(),
        };
        let subject = format!("mount {}", self.info.name);
        self.bucket
            .objects
            .list(Some(&below))
            .map_err(Failure::from)
            .try_filter_map(move |meta| {
                let object = object_below(&root, &meta);
                if object.is_none() {
                    tracing::warn!(object = %meta.location, "an object is left out: its key is no path");
                }
                future::ready(Ok(object))
            })
            .map_err(move |failure| failure.during("list objects", &subject))
            .boxed()
    }

    async fn open(&self, object: &ObjectRef) -> Result<Box<dyn BlobReader>> {
        let path = self.path(&object.path);
        let path =
            path.map_err(|failure| failure.during("read object", subject(&self.bucket, &object.path)))?;
        Ok(Box::new(S3Reader::of_object(
            Arc::clone(&self.bucket),
            path,
            object,
        )))
    }
}

/// How errors name an object.
pub(crate) fn subject(bucket: &Bucket, path: &ObjectPath) -> String {
    format!("{path} in mount {}", bucket.info.name)
}

/// What tells an object from a later one under its key.
pub(crate) fn mark_of(meta: &ObjectMeta) -> String {
    match meta.e_tag.as_deref().map(|tag| tag.trim_matches('"')) {
        // Listings and answers quote it differently.
        Some(tag) if !tag.is_empty() => tag.to_owned(),
        // Listings know milliseconds, answers only seconds.
        _ => format!("modified {}", meta.last_modified.timestamp()),
    }
}

fn object_of(path: ObjectPath, meta: &ObjectMeta) -> ObjectRef {
    ObjectRef {
        path,
        len_bytes: meta.size,
        mark: mark_of(meta),
    }
}

fn object_below(root: &Path, meta: &ObjectMeta) -> Option<ObjectRef> {
    let path = match root.as_ref() {
        "" => meta.location.as_ref(),
        root => meta.location.as_ref().strip_prefix(root)?.strip_prefix('/')?,
    };
    Some(object_of(ObjectPath::parse(path).ok()?, meta))
}
