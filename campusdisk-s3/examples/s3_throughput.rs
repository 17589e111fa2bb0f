//! Measures the store against the bare client, in turns: `s3_throughput ENDPOINT ACCESS_KEY SECRET_KEY BUCKET MIB`.
//!
//! The bucket must be there. Every figure is the median of three rounds, in MB/s (10^6 bytes).

use std::time::Instant;

use bytes::Bytes;
use campusdisk_core::storage::StoreName;
use campusdisk_s3::{S3Config, S3Credentials, S3Store};
use campusdisk_testkit::throughput::{self, Figures, PIECE_BYTES};
use futures::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt, WriteMultipart};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 3;

/// (name, `single_put_max_bytes`, blob bytes; 0 means one blob of all)
const WRITES: [(&str, u64, u64); 3] = [
    ("store, one blob, parts of 8 MiB", 8 << 20, 0),
    ("store, blobs of 64 MiB in parts of 8 MiB", 8 << 20, 64 << 20),
    ("store, blobs of 64 MiB in one PUT", 64 << 20, 64 << 20),
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, access_key, secret_key, bucket, mib] = args.as_slice() else {
        return Err("s3_throughput ENDPOINT ACCESS_KEY SECRET_KEY BUCKET MIB".into());
    };
    let total = mib.parse::<u64>()? << 20;
    let bare = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_access_key_id(access_key)
        .with_secret_access_key(secret_key)
        .with_bucket_name(bucket)
        .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout_disabled())
        .build()?;
    let store = |single_put_max_bytes| {
        let credentials = S3Credentials::keys(access_key, secret_key);
        let mut config = S3Config::new(StoreName::parse("primary")?, bucket)
            .with_endpoint(endpoint)
            .with_credentials(credentials)
            .with_allow_http(true)
            .with_prefix("throughput");
        config.single_put_max_bytes = single_put_max_bytes;
        S3Store::connect(config)
    };
    let mut figures = Figures::of_transfers(total);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let path = bare_write(&bare, total).await?;
        figures.note("write: bare client, parts of 8 MiB", started);
        let started = Instant::now();
        bare_read(&bare, &path).await?;
        figures.note("read: bare client, one GET", started);
        bare.delete(&path).await?;
        for (name, single_put_max_bytes, blob_bytes) in WRITES {
            let store = store(single_put_max_bytes)?;
            let blob_bytes = if blob_bytes == 0 {
                total
            } else {
                blob_bytes.min(total)
            };
            let started = Instant::now();
            let blobs = throughput::write(&store, total, blob_bytes).await?;
            figures.note(&format!("write: {name}"), started);
            let started = Instant::now();
            throughput::read(&store, &blobs).await?;
            figures.note(&format!("read: {name}"), started);
            throughput::delete(&store, &blobs).await?;
        }
    }
    figures.print();
    Ok(())
}

async fn bare_write(bare: &AmazonS3, total: u64) -> Outcome<Path> {
    let path = Path::from("throughput/bare");
    let piece = Bytes::from(vec![7; PIECE_BYTES]);
    let mut writer = WriteMultipart::new_with_chunk_size(bare.put_multipart(&path).await?, 8 << 20);
    for _ in 0..total / PIECE_BYTES as u64 {
        writer.wait_for_capacity(4).await?;
        writer.put(piece.clone());
    }
    writer.finish().await?;
    Ok(path)
}

async fn bare_read(bare: &AmazonS3, path: &Path) -> Outcome<()> {
    let mut body = bare.get(path).await?.into_stream();
    while let Some(piece) = body.next().await {
        piece?;
    }
    Ok(())
}
