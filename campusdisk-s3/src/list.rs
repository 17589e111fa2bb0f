//! Lists blobs in the order of their keys, which is the order of their paths.

use std::sync::Arc;

use campusdisk_core::Result;
use campusdisk_core::storage::{BlobKey, ListedBlob};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, future};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::bucket::Bucket;
use crate::error::Failure;

const KEY_BYTES: usize = 26;

pub(crate) fn list(
    bucket: Arc<Bucket>,
    prefix: &str,
    after: Option<&BlobKey>,
) -> BoxStream<'static, Result<ListedBlob>> {
    let fits = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    if prefix.len() > KEY_BYTES || !prefix.bytes().all(fits) {
        return stream::empty().boxed();
    }
    let folder = folder(&bucket, prefix);
    let from = from(&bucket, prefix, after);
    let prefix = prefix.to_owned();
    let subject = bucket.store_subject();
    let listed = match &from {
        Some(from) => bucket.objects.list_with_offset(Some(&folder), from),
        None => bucket.objects.list(Some(&folder)),
    };
    listed
        .map_err(Failure::from)
        // What others put under the prefix is not ours to see (B14).
        .try_filter_map(move |meta| {
            let len_bytes = meta.size;
            let blob = bucket
                .key_at(&meta.location)
                .map(|key| ListedBlob { key, len_bytes });
            future::ready(Ok(blob))
        })
        .try_take_while({
            let prefix = prefix.clone();
            move |blob| {
                let head = blob.key.as_str().get(..prefix.len()).unwrap_or_default();
                future::ready(Ok(head <= prefix.as_str()))
            }
        })
        .try_filter(move |blob| future::ready(blob.key.as_str().starts_with(&prefix)))
        .map_err(move |failure| failure.during("list blobs", &subject))
        .boxed()
}

/// The narrowest folder that holds every key with this prefix.
fn folder(bucket: &Bucket, prefix: &str) -> Path {
    let mut folder = bucket.root();
    for part in [prefix.get(..2), prefix.get(2..3)] {
        match part {
            Some(part) => folder = folder.join(part),
            None => break,
        }
    }
    folder
}

/// A path after which, and not at which, the first key asked for lies.
fn from(bucket: &Bucket, prefix: &str, after: Option<&BlobKey>) -> Option<Path> {
    let after = after.map(|key| bucket.path(key));
    // A whole key as prefix would exclude itself, so its last character is left off.
    let prefix = prefix.get(..KEY_BYTES - 1).unwrap_or(prefix);
    let start = match prefix.len() {
        0 | 2 | 3 => None,
        _ => Some(folder(bucket, prefix).join(prefix)),
    };
    after.max(start)
}
