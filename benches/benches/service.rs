//! What the service adds to each store: uploads, downloads from the chunk cache and past it, archives. Which stores: see README.md.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking")]

use std::time::{Duration, Instant};

use campusdisk_benches::service::Service;
use campusdisk_benches::stores::Measured;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Holds everything that is read again here.
const HOT_CACHE_BYTES: u64 = 512 << 20;
/// Holds nothing.
const COLD_CACHE_BYTES: u64 = 1;

const ARCHIVED_FILES: usize = 500;
const ARCHIVED_BYTES: usize = 4 * KIB;

type Services<'a> = [(&'a Measured, Service)];

fn service(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let all = runtime.block_on(Measured::all()).expect("the stores open");
    let open = |measured| {
        let service = runtime.block_on(Service::open(measured, COLD_CACHE_BYTES));
        (measured, service.expect("the service opens"))
    };
    let services: Vec<_> = all.iter().map(open).collect();
    uploads(criterion, &runtime, &services);
    downloads(criterion, &runtime, &services);
    archives(criterion, &runtime, &services);
    for measured in &all {
        runtime.block_on(measured.clear()).expect("its blobs go");
    }
}

fn uploads(criterion: &mut Criterion, runtime: &Runtime, services: &Services<'_>) {
    let mut group = criterion.benchmark_group("upload");
    group.sample_size(10);
    for (measured, service) in services {
        for (label, len_bytes) in [("4KiB", 4 * KIB), ("64MiB", 64 * MIB)] {
            group.throughput(Throughput::Bytes(len_bytes as u64));
            group.bench_function(BenchmarkId::new(&measured.name, label), |bencher| {
                bencher.to_async(runtime).iter_custom(|times| async move {
                    let mut total = Duration::ZERO;
                    for _ in 0..times {
                        let started = Instant::now();
                        let node = service.upload("upload.bin", len_bytes).await;
                        total += started.elapsed();
                        let node = node.expect("it is uploaded").expect("it is whole");
                        // Or the store would fill up.
                        service.remove(node.id).await.expect("it goes");
                    }
                    total
                });
            });
        }
    }
    group.finish();
}

fn downloads(criterion: &mut Criterion, runtime: &Runtime, services: &Services<'_>) {
    for (name, cache_bytes) in [
        ("download_cache_hit", HOT_CACHE_BYTES),
        ("download_cache_miss", COLD_CACHE_BYTES),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        for (measured, service) in services {
            let service = runtime
                .block_on(service.with_cache(cache_bytes))
                .expect("it opens");
            for (label, len_bytes) in [("4KiB", 4 * KIB), ("1MiB", MIB), ("64MiB", 64 * MIB)] {
                let file = format!("{name}-{label}");
                let put = service.put(service.root(), &file, len_bytes);
                let node = runtime.block_on(put).expect("it is put");
                let download = || async {
                    let got = service.download(node).await.expect("it is read");
                    assert_eq!(got, len_bytes as u64);
                };
                // A cache may keep only what is asked for again.
                for _ in 0..3 {
                    runtime.block_on(download());
                }
                group.throughput(Throughput::Bytes(len_bytes as u64));
                group.bench_function(BenchmarkId::new(&measured.name, label), |bencher| {
                    bencher.to_async(runtime).iter(download);
                });
            }
        }
        group.finish();
    }
}

fn archives(criterion: &mut Criterion, runtime: &Runtime, services: &Services<'_>) {
    let folder_of = |service: &Service| {
        let folder = service.folder("archived", ARCHIVED_FILES, ARCHIVED_BYTES);
        runtime.block_on(folder).expect("the folder is made")
    };
    let folders: Vec<_> = services.iter().map(|(_, service)| folder_of(service)).collect();
    let mut group = criterion.benchmark_group("archive_layout_of_500_files");
    group.sample_size(20);
    for ((measured, service), folder) in services.iter().zip(&folders) {
        group.bench_function(BenchmarkId::from_parameter(&measured.name), |bencher| {
            bencher.to_async(runtime).iter(|| async {
                service.archive_layout(*folder).await.expect("it is computed");
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("archive_of_500_files_of_4KiB");
    group.sample_size(10);
    group.throughput(Throughput::Bytes((ARCHIVED_FILES * ARCHIVED_BYTES) as u64));
    for ((measured, service), folder) in services.iter().zip(&folders) {
        group.bench_function(BenchmarkId::from_parameter(&measured.name), |bencher| {
            bencher.to_async(runtime).iter(|| async {
                service.archive(*folder).await.expect("it is read");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, service);
criterion_main!(benches);
