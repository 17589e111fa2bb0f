//! How fast each store takes and gives bytes, sync included. Which ones: see README.md.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use campusdisk_benches::service::drain;
use campusdisk_benches::stores::Measured;
use campusdisk_core::Span;
use campusdisk_core::storage::BlobRef;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const RANGE_BYTES: u64 = 64 << 10;
const RANGED_BYTES: usize = 64 * MIB;

/// Steps that reach every place of the blob before any again: a prime.
const STEP_BYTES: u64 = 15_485_863;

fn stores(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let all = runtime.block_on(Measured::all()).expect("the stores open");
    writes(criterion, &runtime, &all);
    reads(criterion, &runtime, &all);
    ranges(criterion, &runtime, &all);
    for measured in &all {
        runtime.block_on(measured.clear()).expect("its blobs go");
    }
}

fn writes(criterion: &mut Criterion, runtime: &Runtime, all: &[Measured]) {
    let mut group = criterion.benchmark_group("store_write");
    group.sample_size(10);
    for measured in all {
        for (label, len_bytes) in [("4KiB", 4 * KIB), ("64MiB", 64 * MIB)] {
            group.throughput(Throughput::Bytes(len_bytes as u64));
            group.bench_function(BenchmarkId::new(&measured.name, label), |bencher| {
                bencher.to_async(runtime).iter(|| async {
                    let blob = measured.put(len_bytes).await.expect("it commits");
                    // Measured with it, or the disk would fill up.
                    measured.store.delete(&[blob.key]).await.expect("it deletes");
                });
            });
        }
    }
    group.finish();
}

fn reads(criterion: &mut Criterion, runtime: &Runtime, all: &[Measured]) {
    let mut group = criterion.benchmark_group("store_read_again");
    group.sample_size(20);
    for measured in all {
        for (label, len_bytes) in [("4KiB", 4 * KIB), ("1MiB", MIB), ("64MiB", 64 * MIB)] {
            let blob = runtime.block_on(measured.put(len_bytes)).expect("it commits");
            group.throughput(Throughput::Bytes(len_bytes as u64));
            group.bench_function(BenchmarkId::new(&measured.name, label), |bencher| {
                bencher.to_async(runtime).iter(|| async {
                    assert_eq!(read(measured, blob).await, blob.len_bytes);
                });
            });
        }
    }
    group.finish();
}

/// Opens a blob and reads all of it.
async fn read(measured: &Measured, blob: BlobRef) -> u64 {
    let reader = measured.store.open(&blob).await.expect("it opens");
    let whole = Span::whole(blob.len_bytes).expect("the blob is not empty");
    let body = reader.read(whole).await.expect("it reads");
    drain(body).await.expect("it reads to the end")
}

/// Ranges all over one blob, of a reader that stays open.
fn ranges(criterion: &mut Criterion, runtime: &Runtime, all: &[Measured]) {
    let mut group = criterion.benchmark_group("store_range_of_64KiB");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(RANGE_BYTES));
    for measured in all {
        let blob = runtime.block_on(measured.put(RANGED_BYTES)).expect("it commits");
        let reader = runtime.block_on(measured.store.open(&blob)).expect("it opens");
        let position = AtomicU64::new(0);
        group.bench_function(BenchmarkId::from_parameter(&measured.name), |bencher| {
            bencher.to_async(runtime).iter(|| async {
                let start =
                    position.fetch_add(STEP_BYTES, Ordering::Relaxed) % (blob.len_bytes - RANGE_BYTES);
                let span = Span::new(start, start + RANGE_BYTES).expect("it is not empty");
                let body = reader.read(span).await.expect("it reads");
                assert_eq!(drain(body).await.expect("it reads to the end"), RANGE_BYTES);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, stores);
criterion_main!(benches);
