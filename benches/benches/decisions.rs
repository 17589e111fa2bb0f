//! What is decided without any store: ranges, plans, and what the chunk cache holds.
#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking")]

use std::hint::black_box;

use bytes::Bytes;
use campusdisk_core::memory::MemoryChunkCache;
use campusdisk_core::{
    Asked, CHUNK_BYTES, ChunkCache, ContentFacts, ContentId, EntityTag, EntityTags, IfRange, RangeSet,
    Resolved, Timestamp, plan,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

const SIZE_BYTES: u64 = 1 << 30;
const MODIFIED: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A `Range` header with so many members, none next to another.
fn header(members: u64) -> String {
    let member = |number: u64| format!("{}-{}", number * 1000, number * 1000 + 499);
    let members: Vec<String> = (0..members).map(member).collect();
    format!("bytes={}", members.join(","))
}

fn ranges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("range_resolution");
    for members in [1, 8, 64] {
        let header = header(members);
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter(|| {
                let set = RangeSet::parse([black_box(header.as_bytes())]).expect("it is a range");
                let resolved = set.resolve(black_box(SIZE_BYTES));
                assert!(matches!(resolved, Resolved::Parts(_)));
                resolved
            });
        });
    }
    group.finish();
}

fn plans(criterion: &mut Criterion) {
    let tag = EntityTag::of_content(ContentId::from_u128(7));
    let facts = ContentFacts::new(tag.clone(), MODIFIED, SIZE_BYTES);
    let tag = tag.to_string();
    let resumed = Asked {
        range: RangeSet::parse([&b"bytes=5000000-"[..]]),
        if_range: IfRange::parse([tag.as_bytes()], MODIFIED),
        ..Asked::default()
    };
    let mut known = Asked::default();
    known.conditions.if_none_match = EntityTags::parse([tag.as_bytes()]);
    let mut group = criterion.benchmark_group("plan");
    for (name, asked) in [
        ("whole", Asked::default()),
        ("resumed", resumed),
        ("not_modified", known),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| plan(black_box(&facts), black_box(&asked)));
        });
    }
    group.finish();
}

fn cache(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime starts");
    let cache = MemoryChunkCache::new(64 * CHUNK_BYTES);
    let content = ContentId::from_u128(1);
    let chunk = Bytes::from(vec![7; CHUNK_BYTES as usize]);
    runtime.block_on(cache.keep(content, 0, chunk.clone()));
    let mut group = criterion.benchmark_group("chunk_cache");
    for (name, number, is_there) in [("hit", 0, true), ("miss", u64::MAX, false)] {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let found = cache.chunk(black_box(content), number).await;
                assert_eq!(found.is_some(), is_there);
            });
        });
    }
    group.throughput(Throughput::Bytes(CHUNK_BYTES));
    group.bench_function("keep_when_full", |bencher| {
        let mut number = 0;
        bencher.iter(|| {
            number += 1;
            runtime.block_on(cache.keep(content, number, chunk.clone()));
        });
    });
    group.finish();
}

criterion_group!(benches, ranges, plans, cache);
criterion_main!(benches);
