//! SHA-256 of a file while it is written: close behind the place up to which it is whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

/// So much is read at once.
const READ_BYTES: usize = 1024 * 1024;
/// So much is hashed in one stay on the blocking pool, so that an end of the download is noticed.
const STAY_BYTES: u64 = 32 * 1024 * 1024;

/// Hashes a file up to where `whole_bytes` says that it is written, until nobody can say more.
///
/// # Errors
/// When the file can't be read, or is shorter than it was said to be.
pub(crate) async fn follow(file: Arc<File>, mut whole_bytes: watch::Receiver<u64>) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut at = 0;
    loop {
        let end = *whole_bytes.borrow_and_update();
        if at < end {
            let (file, stay_end) = (Arc::clone(&file), end.min(at + STAY_BYTES));
            hash = tokio::task::spawn_blocking(move || hash_range(&file, hash, at, stay_end)).await??;
            at = stay_end;
        } else if whole_bytes.changed().await.is_err() {
            return Ok(hash.finalize().into());
        }
    }
}

pub(crate) fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_range(file: &File, mut hash: Sha256, start: u64, end: u64) -> io::Result<Sha256> {
    let mut buffer = vec![0; READ_BYTES];
    let mut at = start;
    while at < end {
        let want = usize::try_from(end - at).map_or(READ_BYTES, |left| left.min(READ_BYTES));
        let (piece, _) = buffer.split_at_mut(want);
        file.read_exact_at(piece, at)?;
        hash.update(&*piece);
        at += want as u64;
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_hash_of_a_file_that_grows_is_that_of_the_whole() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
        let (written, whole_bytes) = watch::channel(0);
        let hash = tokio::spawn(follow(Arc::clone(&file), whole_bytes));
        for end in [1, 1_500_000, 1_500_000, 3_000_000] {
            file.write_all_at(&bytes[..end], 0).unwrap();
            written.send_replace(end as u64);
            tokio::task::yield_now().await;
        }
        drop(written);
        let expected: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(hash.await.unwrap().unwrap(), expected);
    }

    #[tokio::test]
    async fn a_file_that_is_shorter_than_said_has_no_hash() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let (written, whole_bytes) = watch::channel(1);
        drop(written);
        assert!(follow(file, whole_bytes).await.is_err());
    }
}
