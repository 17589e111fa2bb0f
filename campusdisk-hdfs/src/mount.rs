//! Files of others in a folder of a cluster, read where they lie.

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_core::mount::{Mount, MountInfo, ObjectPath, ObjectRef};
use campusdisk_core::storage::BlobReader;
use campusdisk_core::{ErrorKind, Result};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use hdfs_native::client::FileStatus;
use tokio::runtime::Handle;

use crate::cluster::{Cluster, name_of};
use crate::error::Failure;
use crate::list::entries;
use crate::reader::HdfsReader;
use crate::{HdfsConfig, WritePath};

/// A folder of an HDFS cluster whose files others write, such as the output of Spark jobs.
///
/// A file is another one when its length or its modification time (in milliseconds) is. HDFS changes that when a file is closed, appended
/// to or cut; blocks themselves never change.
///
/// Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct HdfsMount {
    cluster: Arc<Cluster>,
    info: MountInfo,
}

impl HdfsMount {
    /// The files below the configuration's root. What it says about writing does not count. Reads the Hadoop configuration, but speaks
    /// to nobody yet.
    ///
    /// Its connections live on the runtime this is called in.
    ///
    /// # Errors
    /// As for [`HdfsStore::connect`](crate::HdfsStore::connect).
    pub fn connect(mut config: HdfsConfig) -> Result<Self> {
        config.check()?;
        // Nothing is written; it also says whether HTTP may be used.
        config.write_path = WritePath::Auto;
        let info = MountInfo::new(config.name.clone()).with_remote(true);
        let subject = format!("mount {}", config.name);
        let runtime = Handle::try_current().map_err(|_| {
            Failure::new(
                ErrorKind::Internal,
                "a mount on HDFS is made inside a tokio runtime",
            )
        });
        let cluster = runtime.and_then(|runtime| Cluster::new(config, runtime));
        Ok(Self {
            cluster: Arc::new(cluster.map_err(|failure| failure.during("connect", subject))?),
            info,
        })
    }
}

#[async_trait]
impl Mount for HdfsMount {
    fn info(&self) -> &MountInfo {
        &self.info
    }

    async fn look(&self, path: &ObjectPath) -> Result<ObjectRef> {
        let missing = || Failure::new(ErrorKind::NotFound, "there is no such file");
        let found = async {
            let status = self.cluster.status(&self.cluster.object_path(path)).await?;
            status.filter(|status| !status.isdir).ok_or_else(missing)
        };
        match found.await {
            Ok(status) => Ok(object_of(path.clone(), &status)),
            Err(failure) => Err(failure.during("look at object", self.cluster.object_subject(path))),
        }
    }

    fn list(&self, folder: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectRef>> {
        let root = self.cluster.config.root.clone();
        let first = folder.map_or_else(|| root.clone(), |folder| self.cluster.object_path(folder));
        let subject = format!("mount {}", self.info.name);
        let state = (Arc::clone(&self.cluster), vec![first]);
        let folders = stream::try_unfold(state, |(cluster, mut waiting)| async move {
            let Some(next) = waiting.pop() else {
                return Ok::<_, Failure>(None);
            };
            let found: Vec<_> = entries(Arc::clone(&cluster), next).try_collect().await?;
            let (below, files): (Vec<_>, Vec<_>) = found.into_iter().partition(|entry| entry.isdir);
            waiting.extend(below.into_iter().map(|folder| folder.path));
            let files = stream::iter(files.into_iter().map(Ok::<_, Failure>));
            Ok(Some((files, (cluster, waiting))))
        });
        folders
            .try_flatten()
            .try_filter_map(move |status| {
                let object = object_below(&root, &status);
                if object.is_none() {
                    tracing::warn!(
                        file = name_of(&status.path),
                        "a file is left out: its path is too long"
                    );
                }
                futures::future::ready(Ok(object))
            })
            .map_err(move |failure| failure.during("list objects", &subject))
            .boxed()
    }

    async fn open(&self, object: &ObjectRef) -> Result<Box<dyn BlobReader>> {
        let reader = HdfsReader::of_object(Arc::clone(&self.cluster), object);
        Ok(Box::new(reader))
    }
}

fn object_of(path: ObjectPath, status: &FileStatus) -> ObjectRef {
    ObjectRef {
        path,
        len_bytes: status.length as u64,
        mark: status.modification_time.to_string(),
    }
}

fn object_below(root: &str, status: &FileStatus) -> Option<ObjectRef> {
    let path = status.path.strip_prefix(root)?.strip_prefix('/')?;
    Some(object_of(ObjectPath::parse(path).ok()?, status))
}
