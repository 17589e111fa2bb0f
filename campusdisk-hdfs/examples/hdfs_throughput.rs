//! Measures the store against the bare client, in turns: `hdfs_throughput CONF_DIR FOLDER MIB`.
//!
//! Every figure is the median of three rounds, in MB/s (10^6 bytes).

use std::time::Instant;

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions, StoreName};
use campusdisk_core::{RandomIds, Span};
use campusdisk_hdfs::{HdfsConfig, HdfsStore};
use futures::StreamExt;
use hdfs_native::{Client, ClientBuilder, WriteOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const PIECE_BYTES: usize = 256 << 10;
const BLOCK_BYTES: u64 = 128 << 20;
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [conf_dir, folder, mib] = args.as_slice() else {
        return Err("hdfs_throughput CONF_DIR FOLDER MIB".into());
    };
    let total = mib.parse::<u64>()? << 20;
    let bare = ClientBuilder::new().with_config_dir(conf_dir).build()?;
    let config = HdfsConfig::new(StoreName::parse("primary")?, folder).with_conf_dir(conf_dir);
    let store = HdfsStore::connect(config)?;
    let mut figures: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut note = |name, started: Instant| {
        let rate = total as f64 / 1e6 / started.elapsed().as_secs_f64();
        match figures.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rates)) => rates.push(rate),
            None => figures.push((name, vec![rate])),
        }
    };
    for _ in 0..ROUNDS {
        let path = format!("{folder}/bare");
        let started = Instant::now();
        bare_write(&bare, &path, total).await?;
        note("write: bare client, one file", started);
        let started = Instant::now();
        bare_read(&bare, &path).await?;
        note("read: bare client, one stream", started);
        bare.delete(&path, false).await?;
        let started = Instant::now();
        let blobs = write(&store, total).await?;
        note("write: store, blobs of one block", started);
        let started = Instant::now();
        read(&store, &blobs).await?;
        note("read: store, blobs of one block", started);
        let keys: Vec<BlobKey> = blobs.iter().map(|blob| blob.key).collect();
        store.delete(&keys).await?;
    }
    for (name, mut rates) in figures {
        rates.sort_by(f64::total_cmp);
        println!("{:>6.0} MB/s  {name}", rates[rates.len() / 2]);
    }
    Ok(())
}

async fn bare_write(bare: &Client, path: &str, total: u64) -> Outcome<()> {
    let piece = Bytes::from(vec![7; PIECE_BYTES]);
    let options = WriteOptions::default().block_size(BLOCK_BYTES);
    let mut file = bare.create(path, options).await?;
    for _ in 0..total / PIECE_BYTES as u64 {
        file.write_bytes(piece.clone()).await?;
    }
    file.close().await?;
    Ok(())
}

async fn bare_read(bare: &Client, path: &str) -> Outcome<()> {
    let file = bare.read(path).await?;
    let mut body = Box::pin(file.read_range_stream(0, file.file_length()));
    while let Some(piece) = body.next().await {
        piece?;
    }
    Ok(())
}

async fn write(store: &HdfsStore, total: u64) -> Outcome<Vec<BlobRef>> {
    let piece = Bytes::from(vec![7; PIECE_BYTES]);
    let mut blobs = Vec::new();
    for _ in 0..total / BLOCK_BYTES {
        let key = BlobKey::generate(&RandomIds);
        let mut writer = store.create(&key, CreateOptions::default()).await?;
        for _ in 0..BLOCK_BYTES / PIECE_BYTES as u64 {
            writer.write(piece.clone()).await?;
        }
        let len_bytes = writer.commit().await?.len_bytes;
        blobs.push(BlobRef { key, len_bytes });
    }
    Ok(blobs)
}

async fn read(store: &HdfsStore, blobs: &[BlobRef]) -> Outcome<()> {
    for blob in blobs {
        let span = Span::whole(blob.len_bytes).ok_or("an empty blob")?;
        let mut body = store.open(blob).await?.read(span).await?;
        while let Some(piece) = body.next().await {
            piece?;
        }
    }
    Ok(())
}
