//! How fast the local store takes and gives bytes, sync included.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking")]

use bytes::Bytes;
use campusdisk_core::storage::{BlobKey, BlobRef, BlobStore, CreateOptions, StoreName};
use campusdisk_core::{RandomIds, Result, Span};
use campusdisk_local::{LocalConfig, LocalStore};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use tokio::runtime::Runtime;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

async fn put(store: &LocalStore, len_bytes: usize) -> Result<BlobRef> {
    let key = BlobKey::generate(&RandomIds);
    let options = CreateOptions::default().with_expected_bytes(len_bytes as u64);
    let mut writer = store.create(&key, options).await?;
    let piece = Bytes::from(vec![7; len_bytes.min(64 * KIB)]);
    for _ in 0..len_bytes / piece.len() {
        writer.write(piece.clone()).await?;
    }
    let len_bytes = writer.commit().await?.len_bytes;
    Ok(BlobRef { key, len_bytes })
}

async fn read(store: &LocalStore, blob: BlobRef) -> Result<u64> {
    let reader = store.open(&blob).await?;
    let whole = Span::whole(blob.len_bytes).expect("the blob is not empty");
    let mut body = reader.read(whole).await?;
    let mut total = 0;
    while let Some(piece) = body.next().await {
        total += piece?.len() as u64;
    }
    Ok(total)
}

fn local(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let name = StoreName::parse("bench").expect("it is a store name");
    let store = runtime
        .block_on(LocalStore::open(LocalConfig::new(name, folder.path())))
        .expect("the store opens");

    let mut writes = criterion.benchmark_group("local_write");
    writes.sample_size(10);
    for (label, len_bytes) in [("4KiB", 4 * KIB), ("64MiB", 64 * MIB)] {
        writes.throughput(Throughput::Bytes(len_bytes as u64));
        writes.bench_function(BenchmarkId::from_parameter(label), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let blob = put(&store, len_bytes).await.expect("it commits");
                // Measured with it, or the disk would fill up.
                store.delete(&[blob.key]).await.expect("it deletes");
            });
        });
    }
    writes.finish();

    let mut reads = criterion.benchmark_group("local_read_cached");
    for (label, len_bytes) in [("4KiB", 4 * KIB), ("1MiB", MIB), ("64MiB", 64 * MIB)] {
        let blob = runtime.block_on(put(&store, len_bytes)).expect("it commits");
        reads.throughput(Throughput::Bytes(len_bytes as u64));
        reads.bench_function(BenchmarkId::from_parameter(label), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let total = read(&store, blob).await.expect("it reads");
                assert_eq!(total, blob.len_bytes);
            });
        });
    }
    reads.finish();
}

criterion_group!(benches, local);
criterion_main!(benches);
