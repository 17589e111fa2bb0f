//! Makes blobs and looks at them, for cases and for tests of stores.

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions, ListedBlob};
use campusdisk_core::{RandomIds, Result, Span};
use futures::TryStreamExt;

/// Bytes that look random and are the same for the same seed; another seed gives others.
pub fn pattern(seed: u64, len_bytes: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len_bytes + 8);
    while bytes.len() < len_bytes {
        // Xorshift: never repeats within any blob of a test, so a shifted read differs from a right one.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len_bytes);
    bytes.into()
}

/// A key nobody has.
pub fn fresh_key() -> BlobKey {
    BlobKey::generate(&RandomIds)
}

/// The key that starts with `prefix` and ends with `number`.
///
/// # Panics
/// When `prefix` holds other than `0-9a-z` or leaves no room.
#[expect(clippy::expect_used, reason = "a wrong prefix is a fault of the test")]
pub fn key(prefix: &str, number: u64) -> BlobKey {
    let digits = 26_usize.saturating_sub(prefix.len());
    format!("{prefix}{number:0digits$}")
        .parse()
        .expect("the prefix is part of a key")
}

/// Writes `bytes` as one blob and commits it.
///
/// # Errors
/// What the store says.
pub async fn put(store: &dyn BlobStore, key: &BlobKey, bytes: Bytes) -> Result<BlobRef> {
    let options = CreateOptions::default().with_expected_bytes(bytes.len() as u64);
    let mut writer = store.create(key, options).await?;
    writer.write(bytes).await?;
    let facts = writer.commit().await?;
    Ok(BlobRef {
        key: *key,
        len_bytes: facts.len_bytes,
    })
}

/// Opens the blob and reads the bytes of `span` to their end.
///
/// # Errors
/// What the store says, at opening, at reading or in the body.
pub async fn read(store: &dyn BlobStore, blob: &BlobRef, span: Span) -> Result<Bytes> {
    let reader = store.open(blob).await?;
    reader.read(span).await?.collect(usize::MAX).await
}

/// Everything the listing yields.
///
/// # Errors
/// What the listing says.
pub async fn listed(store: &dyn BlobStore, prefix: &str, after: Option<&BlobKey>) -> Result<Vec<ListedBlob>> {
    store.list(prefix, after).try_collect().await
}
