//! Lists blobs folder by folder: the NameNode lists names in ascending order of their bytes, which is that of keys.

use std::sync::Arc;

use campusdisk_core::storage::{BlobKey, ListedBlob};
use campusdisk_core::{ErrorKind, Result};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, future};
use hdfs_native::client::{FileStatus, ListStatusIterator};

use crate::cluster::{Cluster, name_of};
use crate::error::Failure;

pub(crate) fn list(
    cluster: Arc<Cluster>,
    prefix: &str,
    after: Option<&BlobKey>,
) -> BoxStream<'static, Result<ListedBlob>> {
    let asked = Asked {
        prefix: prefix.to_owned(),
        after: after.copied(),
    };
    let subject = cluster.store_subject();
    let inner = |folder: FileStatus| folder.path;
    let folders = {
        let (cluster, asked) = (Arc::clone(&cluster), asked.clone());
        subfolders(
            &cluster,
            cluster.config.root.clone(),
            String::new(),
            asked.clone(),
        )
        .map_ok(move |outer| {
            let heads = name_of(&outer.path).to_owned();
            subfolders(&cluster, outer.path, heads, asked.clone())
        })
        .try_flatten()
        .map_ok(inner)
    };
    folders
        .map_ok({
            let cluster = Arc::clone(&cluster);
            move |folder| entries(Arc::clone(&cluster), folder)
        })
        .try_flatten()
        .try_filter_map(move |file| future::ready(Ok(blob(&cluster, &asked, &file))))
        .map_err(move |failure| failure.during("list blobs", &subject))
        .boxed()
}

/// What of the keys is asked for.
#[derive(Clone, Debug)]
struct Asked {
    prefix: String,
    after: Option<BlobKey>,
}

impl Asked {
    /// Whether a folder of keys that start with `head` can hold any of them.
    fn may_start_with(&self, head: &str) -> bool {
        let fits = head.starts_with(&self.prefix) || self.prefix.starts_with(head);
        let after = self
            .after
            .as_ref()
            .and_then(|after| after.as_str().get(..head.len()));
        fits && after.is_none_or(|after| head >= after)
    }

    fn wants(&self, key: &BlobKey) -> bool {
        key.as_str().starts_with(&self.prefix) && self.after.is_none_or(|after| *key > after)
    }
}

/// The blob in `file`, if one of this store lies there and is asked for (B14).
fn blob(cluster: &Cluster, asked: &Asked, file: &FileStatus) -> Option<ListedBlob> {
    let key: BlobKey = name_of(&file.path).parse().ok()?;
    let ours = !file.isdir && cluster.path(&key) == file.path && asked.wants(&key);
    ours.then_some(ListedBlob {
        key,
        len_bytes: file.length as u64,
    })
}

/// The folders in `folder` that can hold keys asked for; those in it start with `heads`.
fn subfolders(
    cluster: &Arc<Cluster>,
    folder: String,
    heads: String,
    asked: Asked,
) -> BoxStream<'static, Result<FileStatus, Failure>> {
    entries(Arc::clone(cluster), folder)
        .try_filter(move |entry| {
            let head = format!("{heads}{}", name_of(&entry.path));
            future::ready(entry.isdir && asked.may_start_with(&head))
        })
        .boxed()
}

/// What lies in `folder`, nothing where it is missing: a folder may go while its neighbours are listed.
pub(crate) fn entries(
    cluster: Arc<Cluster>,
    folder: String,
) -> BoxStream<'static, Result<FileStatus, Failure>> {
    let begun: Option<Arc<ListStatusIterator>> = None;
    stream::try_unfold((cluster, folder, begun), |(cluster, folder, begun)| async move {
        let listing = match begun {
            Some(listing) => listing,
            None => Arc::new(cluster.client().0.list_status_iter(&folder, false)),
        };
        let next = cluster
            .call(&folder, |_, _| {
                let listing = Arc::clone(&listing);
                async move { listing.next().await.transpose() }
            })
            .await;
        match next {
            Ok(Some(entry)) => Ok(Some((entry, (cluster, folder, Some(listing))))),
            Ok(None) => Ok(None),
            Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    })
    .boxed()
}
