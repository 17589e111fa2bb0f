//! Measures the store against the bare client, in turns: `hdfs_throughput CONF_DIR FOLDER MIB`.
//!
//! Every figure is the median of three rounds, in MB/s (10^6 bytes).

use std::time::Instant;

use bytes::Bytes;
use campusdisk_core::storage::StoreName;
use campusdisk_hdfs::{HdfsConfig, HdfsStore, WritePath};
use campusdisk_testkit::throughput::{self, Figures, PIECE_BYTES};
use futures::StreamExt;
use hdfs_native::{Client, ClientBuilder, WriteOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

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
    let connect = |path| {
        let config = HdfsConfig::new(StoreName::parse("primary")?, folder).with_conf_dir(conf_dir);
        HdfsStore::connect(config.with_write_path(path))
    };
    let (store, native) = (connect(WritePath::WebHdfs)?, connect(WritePath::Native)?);
    let mut figures = Figures::of_transfers(total);
    for _ in 0..ROUNDS {
        let path = format!("{folder}/bare");
        let started = Instant::now();
        bare_write(&bare, &path, total).await?;
        figures.note("write: bare client, one file", started);
        let started = Instant::now();
        bare_read(&bare, &path).await?;
        figures.note("read: bare client, one stream", started);
        bare.delete(&path, false).await?;
        let started = Instant::now();
        let blobs = throughput::write(&store, total, BLOCK_BYTES).await?;
        figures.note("write: store, blobs of one block", started);
        let started = Instant::now();
        throughput::read(&store, &blobs).await?;
        figures.note("read: store, blobs of one block", started);
        throughput::delete(&store, &blobs).await?;
        let started = Instant::now();
        let blobs = throughput::write(&native, total, BLOCK_BYTES).await?;
        figures.note("write: store without HTTP, blobs of one block", started);
        throughput::delete(&native, &blobs).await?;
    }
    figures.print();
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
