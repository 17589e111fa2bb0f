//! The bare client as a rival of the store: `hdfs_raw get CONF_DIR PATH`, `hdfs_raw stream CONF_DIR PATH`, `hdfs_raw put CONF_DIR PATH FILE`,
//! `hdfs_raw each CONF_DIR PATH...` and `hdfs_raw list CONF_DIR FOLDER`.
//!
//! Prints MB/s (10^6 bytes). `get` reads ranges of 4 MiB one after the other, `stream` the whole file as one stream, and both throw away what they
//! read; `put` has the block size of the store and the replication of the cluster. `each` opens and reads many files, 64 at once, and prints
//! how many a second. `list` prints length and path of each file below a folder.

use std::fs::File;
use std::io::Read;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use hdfs_native::{Client, ClientBuilder, WriteOptions};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const RANGE_BYTES: usize = 4 << 20;
const PIECE_BYTES: usize = 1 << 20;
const BLOCK_BYTES: u64 = 128 << 20;
const FILES_AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let client = |conf_dir: &str| ClientBuilder::new().with_config_dir(conf_dir).build();
    let (len_bytes, started) = match args.as_slice() {
        ["get", conf_dir, path] => {
            let client = client(conf_dir)?;
            let started = Instant::now();
            (get(&client, path, RANGE_BYTES).await?, started)
        }
        ["stream", conf_dir, path] => {
            let client = client(conf_dir)?;
            let started = Instant::now();
            (get(&client, path, usize::MAX).await?, started)
        }
        ["list", conf_dir, folder] => return list(&client(conf_dir)?, folder).await,
        ["each", conf_dir, paths @ ..] => return each(&client(conf_dir)?, paths).await,
        ["put", conf_dir, path, file] => {
            let (client, file) = (client(conf_dir)?, File::open(file)?);
            let started = Instant::now();
            (put(&client, path, file).await?, started)
        }
        _ => {
            return Err(
                "hdfs_raw get|stream CONF_DIR PATH | put CONF_DIR PATH FILE | each CONF_DIR PATH... | list CONF_DIR FOLDER"
                    .into(),
            );
        }
    };
    println!("{:.1}", len_bytes as f64 / 1e6 / started.elapsed().as_secs_f64());
    Ok(())
}

async fn get(client: &Client, path: &str, range_bytes: usize) -> Outcome<usize> {
    let file = client.read(path).await?;
    let len_bytes = file.file_length();
    for start in (0..len_bytes).step_by(range_bytes) {
        let mut range = Box::pin(file.read_range_stream(start, range_bytes.min(len_bytes - start)));
        while let Some(piece) = range.next().await {
            piece?;
        }
    }
    Ok(len_bytes)
}

async fn each(client: &Client, paths: &[&str]) -> Outcome<()> {
    let started = Instant::now();
    let read = |path: &&str| {
        let (client, path) = (client.clone(), (*path).to_owned());
        tokio::spawn(async move { get(&client, &path, usize::MAX).await })
    };
    let mut reads = stream::iter(paths).map(read).buffer_unordered(FILES_AT_ONCE);
    while let Some(read) = reads.try_next().await? {
        read?;
    }
    println!("{:.1}", paths.len() as f64 / started.elapsed().as_secs_f64());
    Ok(())
}

async fn list(client: &Client, folder: &str) -> Outcome<()> {
    for file in client.list_status(folder, true).await? {
        if !file.isdir {
            println!("{} {}", file.length, file.path);
        }
    }
    Ok(())
}

async fn put(client: &Client, path: &str, mut file: File) -> Outcome<usize> {
    let options = WriteOptions::default().block_size(BLOCK_BYTES);
    let mut writer = client.create(path, options).await?;
    let mut len_bytes = 0;
    loop {
        let piece = piece_of(&mut file)?;
        if piece.is_empty() {
            break;
        }
        len_bytes += piece.len();
        writer.write_bytes(piece).await?;
    }
    writer.close().await?;
    Ok(len_bytes)
}

/// The file is in the page cache, so reading it blocks too shortly to matter.
fn piece_of(file: &mut File) -> std::io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(PIECE_BYTES);
    let len_bytes = file.read(&mut piece)?;
    piece.truncate(len_bytes);
    Ok(piece.freeze())
}
