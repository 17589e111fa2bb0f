//! The bare client as a rival of the store: `s3_raw get KEY`, `s3_raw put KEY FILE`, `s3_raw delete KEY` and `s3_raw sign KEY`.
//!
//! The first two print MB/s (10^6 bytes): `get` throws away what it reads, `put` sends the parts that the store would send. `sign` prints
//! an address by which anybody can read the object for an hour. Server, bucket and keys are taken from `AWS_ENDPOINT`, `AWS_BUCKET`,
//! `AWS_REGION`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ClientOptions, ObjectStoreExt, WriteMultipart};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const PIECE_BYTES: usize = 1 << 20;
const PART_BYTES: usize = 8 << 20;
const PARTS_IN_FLIGHT: usize = 4;
const SIGNED_FOR: Duration = Duration::from_secs(3600);

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let bucket = AmazonS3Builder::from_env()
        .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout_disabled())
        .build()?;
    let started = Instant::now();
    let len_bytes = match args.as_slice() {
        ["get", key] => get(&bucket, &Path::from(*key)).await?,
        ["put", key, file] => put(&bucket, &Path::from(*key), File::open(file)?).await?,
        ["delete", key] => return Ok(bucket.delete(&Path::from(*key)).await?),
        ["sign", key] => {
            let path = Path::from(*key);
            println!("{}", bucket.signed_url(Method::GET, &path, SIGNED_FOR).await?);
            return Ok(());
        }
        _ => return Err("s3_raw get KEY | put KEY FILE | delete KEY | sign KEY".into()),
    };
    println!("{:.1}", len_bytes as f64 / 1e6 / started.elapsed().as_secs_f64());
    Ok(())
}

async fn get(bucket: &AmazonS3, path: &Path) -> Outcome<usize> {
    let mut body = bucket.get(path).await?.into_stream();
    let mut len_bytes = 0;
    while let Some(piece) = body.next().await {
        len_bytes += piece?.len();
    }
    Ok(len_bytes)
}

async fn put(bucket: &AmazonS3, path: &Path, mut file: File) -> Outcome<usize> {
    let upload = bucket.put_multipart(path).await?;
    let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut len_bytes = 0;
    loop {
        let piece = piece_of(&mut file)?;
        if piece.is_empty() {
            break;
        }
        len_bytes += piece.len();
        writer.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        writer.put(piece);
    }
    writer.finish().await?;
    Ok(len_bytes)
}

/// The file is in the page cache, so reading it blocks too shortly to matter.
fn piece_of(file: &mut File) -> std::io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(PIECE_BYTES);
    let len_bytes = file.read(&mut piece)?;
    piece.truncate(len_bytes);
    Ok(piece.freeze())
}
