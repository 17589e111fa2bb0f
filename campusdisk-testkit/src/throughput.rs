//! Measuring a store against something else, in turns.

use std::time::Instant;

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions};
use campusdisk_core::{RandomIds, Result, Span};
use futures::StreamExt;

/// What is written at once.
pub const PIECE_BYTES: usize = 256 << 10;

/// Rates by name, several of each.
#[derive(Debug)]
pub struct Figures {
    total_bytes: u64,
    rates: Vec<(String, Vec<f64>)>,
}

impl Figures {
    /// Of transfers of so many bytes each.
    pub fn of_transfers(total_bytes: u64) -> Self {
        Self {
            total_bytes,
            rates: Vec::new(),
        }
    }

    /// Notes a transfer that began at `started` and ends now.
    pub fn note(&mut self, name: &str, started: Instant) {
        let rate = self.total_bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
        match self.rates.iter_mut().find(|(known, _)| known == name) {
            Some((_, rates)) => rates.push(rate),
            None => self.rates.push((name.to_owned(), vec![rate])),
        }
    }

    /// Prints the median of each name, in MB/s (10^6 bytes), in the order they first came.
    pub fn print(mut self) {
        for (name, rates) in &mut self.rates {
            rates.sort_by(f64::total_cmp);
            let median = rates.get(rates.len() / 2).copied().unwrap_or_default();
            println!("{median:>6.0} MB/s  {name}");
        }
    }
}

/// Writes blobs of `blob_bytes` one after the other, `total_bytes` together.
///
/// # Errors
/// What the store says.
pub async fn write(store: &dyn BlobStore, total_bytes: u64, blob_bytes: u64) -> Result<Vec<BlobRef>> {
    let piece = Bytes::from(vec![7; PIECE_BYTES]);
    let mut blobs = Vec::new();
    for _ in 0..total_bytes / blob_bytes {
        let key = BlobKey::generate(&RandomIds);
        let mut writer = store.create(&key, CreateOptions::default()).await?;
        for _ in 0..blob_bytes / PIECE_BYTES as u64 {
            writer.write(piece.clone()).await?;
        }
        let len_bytes = writer.commit().await?.len_bytes;
        blobs.push(BlobRef { key, len_bytes });
    }
    Ok(blobs)
}

/// Reads blobs one after the other, each whole.
///
/// # Errors
/// What the store says.
pub async fn read(store: &dyn BlobStore, blobs: &[BlobRef]) -> Result<()> {
    for blob in blobs {
        let Some(span) = Span::whole(blob.len_bytes) else {
            continue;
        };
        let mut body = store.open(blob).await?.read(span).await?;
        while let Some(piece) = body.next().await {
            piece?;
        }
    }
    Ok(())
}

/// Deletes blobs.
///
/// # Errors
/// What the store says.
pub async fn delete(store: &dyn BlobStore, blobs: &[BlobRef]) -> Result<()> {
    let keys: Vec<BlobKey> = blobs.iter().map(|blob| blob.key).collect();
    store.delete(&keys).await.map(drop)
}
