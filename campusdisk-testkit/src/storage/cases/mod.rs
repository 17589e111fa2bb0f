//! The cases, by the rule they check. A case fails by panicking.
#![expect(clippy::expect_used, reason = "a case is a test and fails by panicking")]

mod commit;
mod delete;
mod drops;
mod list;
mod owner;
mod read;
mod write;

use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore};
use campusdisk_core::{ErrorKind, Result, Span};

pub use self::commit::*;
pub use self::delete::*;
pub use self::drops::*;
pub use self::list::*;
pub use self::owner::*;
pub use self::read::*;
pub use self::write::*;
use super::{listed, read};

/// Asserts that it failed, and as it must.
#[track_caller]
fn assert_fails<T>(result: Result<T>, kind: ErrorKind, what: &str) {
    match result {
        Ok(_) => panic!("{what} succeeded, it must fail with {kind}"),
        Err(error) => assert_eq!(error.kind(), kind, "{what} failed otherwise: {error:?}"),
    }
}

/// Asserts that the blob is there for reading and listing, with these bytes.
async fn assert_whole(store: &dyn BlobStore, key: &BlobKey, bytes: &Bytes) {
    let blob = BlobRef {
        key: *key,
        len_bytes: bytes.len() as u64,
    };
    if let Some(span) = Span::whole(blob.len_bytes) {
        let found = read(store, &blob, span).await.expect("a committed blob reads");
        assert!(found == bytes, "{key} has other bytes than were written");
    }
    let found = listed(store, key.as_str(), None).await.expect("it lists");
    let [found] = found.as_slice() else {
        panic!("{key} is listed {} times", found.len());
    };
    assert_eq!((found.key, found.len_bytes), (*key, blob.len_bytes));
}

/// Asserts that the blob shows neither in reading nor in listing.
async fn assert_invisible(store: &dyn BlobStore, key: &BlobKey) {
    let blob = BlobRef {
        key: *key,
        len_bytes: 1,
    };
    let span = Span::new(0, 1).expect("it is not empty");
    assert_fails(
        read(store, &blob, span).await,
        ErrorKind::NotFound,
        "reading what is not there",
    );
    let found = listed(store, key.as_str(), None).await.expect("it lists");
    assert!(found.is_empty(), "{key} is listed, and must not be");
}

/// Polls a future so many times at most, then drops it; `None` where it was dropped.
///
/// Between two polls other tasks run, but nothing waits: the future is dropped at whatever point it has reached.
async fn cut_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let std::task::Poll::Ready(output) = futures::poll!(&mut future) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
