//! The cases of caches. A case fails by panicking.

use std::time::{Duration, Instant};

use bytes::Bytes;
use campusdisk_core::{CHUNK_BYTES, ContentId};
use futures::FutureExt as _;
use futures::future::join_all;

use super::CacheHarness;
use crate::storage::pattern;

/// How often a chunk is kept before it must be found: a cache may choose what it keeps, but not refuse for ever what is asked for again and again.
const TRIES: usize = 100;

/// Longer than any store takes for a chunk.
const SOON: Duration = Duration::from_secs(5);

/// A content of the suite.
fn content(number: u64) -> ContentId {
    ContentId::from_u128(u128::from(number) << 64 | 7)
}

/// The bytes of a chunk, which no other has.
fn bytes_of(content: u64, number: u64, len_bytes: usize) -> Bytes {
    pattern(content << 20 | number << 1 | 1, len_bytes)
}

/// Keeps the chunk and asks for it until it is there.
async fn keep_until_found(harness: &dyn CacheHarness, of: ContentId, number: u64, chunk: &Bytes) {
    let cache = harness.cache();
    for _ in 0..TRIES {
        cache.keep(of, number, chunk.clone()).await;
        harness.settle().await;
        if let Some(found) = cache.chunk(of, number).await {
            assert!(
                found == *chunk,
                "chunk {number} of {} bytes came back as other {} bytes",
                chunk.len(),
                found.len()
            );
            return;
        }
    }
    panic!(
        "chunk {number} of {} bytes was never found, though kept {TRIES} times",
        chunk.len()
    );
}

pub async fn h1_what_was_kept_comes_back_whole(harness: &dyn CacheHarness) {
    let whole = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
    for (number, len_bytes) in (0..).zip([1, 100, 65_537, whole - 1, whole]) {
        let chunk = bytes_of(1, number, len_bytes);
        keep_until_found(harness, content(1), number, &chunk).await;
    }
}

pub async fn h1_an_empty_chunk_is_a_chunk(harness: &dyn CacheHarness) {
    keep_until_found(harness, content(1), 0, &Bytes::new()).await;
}

pub async fn h1_what_was_not_kept_is_not_there(harness: &dyn CacheHarness) {
    let cache = harness.cache();
    assert_eq!(cache.chunk(content(1), 0).await, None, "it is empty");
    keep_until_found(harness, content(1), 11, &bytes_of(1, 11, 1000)).await;
    let others = [
        (content(1), 1),
        (content(1), 0),
        (content(1), 10),
        (content(1), 111),
        (content(1), u64::MAX),
        (content(2), 11),
        (content(11), 1),
        (ContentId::from_u128(0), 11),
        (ContentId::from_u128(u128::MAX), 11),
    ];
    for (of, number) in others {
        assert_eq!(cache.chunk(of, number).await, None, "chunk {number} of {of}");
    }
}

pub async fn h1_contents_and_numbers_do_not_mix(harness: &dyn CacheHarness) {
    let cache = harness.cache();
    let all = || (0..8_u64).flat_map(|of| [0, 1, 2, 10, 11, 100, u64::MAX].map(|number| (of, number)));
    let mut found = 0;
    for round in 0..2 {
        for (of, number) in all() {
            let chunk = bytes_of(of, number & 0xffff, 3000);
            cache.keep(content(of), number, chunk).await;
        }
        harness.settle().await;
        for (of, number) in all() {
            if let Some(chunk) = cache.chunk(content(of), number).await {
                let is_own = chunk == bytes_of(of, number & 0xffff, 3000);
                assert!(is_own, "chunk {number} of {of} is another, in round {round}");
                found += 1;
            }
        }
    }
    assert!(found > 0, "nothing was kept at all");
}

pub async fn h1_the_same_chunk_may_be_kept_again(harness: &dyn CacheHarness) {
    let chunk = bytes_of(1, 5, 200_000);
    for _ in 0..3 {
        keep_until_found(harness, content(1), 5, &chunk).await;
    }
    let cache = harness.cache();
    let again = (0..20).map(|_| cache.keep(content(1), 5, chunk.clone()));
    join_all(again).await;
    harness.settle().await;
    let found = cache.chunk(content(1), 5).await;
    assert!(found.is_none_or(|found| found == chunk), "it changed");
}

pub async fn h1_many_at_once_do_not_mix(harness: &dyn CacheHarness) {
    let people = (0..32_u64).map(|person| {
        let cache = harness.cache();
        // The same few chunks for all of them, each in an order of its own.
        let turns = (0..24_u64).map(move |turn| (turn * (2 * person + 1) % 3, turn * (person + 1) % 8));
        tokio::spawn(async move {
            for (of, number) in turns {
                let own = bytes_of(of, number, 50_000);
                match cache.chunk(content(of), number).await {
                    Some(found) => assert!(found == own, "chunk {number} of {of} is another"),
                    None => cache.keep(content(of), number, own).await,
                }
            }
        })
    });
    for person in join_all(people).await {
        assert!(person.is_ok(), "somebody got other bytes");
    }
}

pub async fn h1_a_call_that_is_dropped_harms_no_other(harness: &dyn CacheHarness) {
    let cache = harness.cache();
    let chunk = bytes_of(1, 0, 500_000);
    keep_until_found(harness, content(1), 0, &chunk).await;
    for number in 0..50 {
        // Polled once, so that it is under way, and dropped then.
        let _ = cache.chunk(content(1), number % 2).now_or_never();
        let _ = cache
            .keep(content(2), number, bytes_of(2, number, 10_000))
            .now_or_never();
    }
    harness.settle().await;
    for number in 0..50 {
        if let Some(found) = cache.chunk(content(2), number).await {
            assert!(found == bytes_of(2, number, 10_000), "chunk {number} is another");
        }
    }
    keep_until_found(harness, content(1), 0, &chunk).await;
}

pub async fn h2_every_call_ends_soon_when_there_is_no_room_left(harness: &dyn CacheHarness) {
    let cache = harness.cache();
    let chunk = bytes_of(1, 0, usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX));
    let rounds = 2 * harness.limit_bytes() / CHUNK_BYTES + 2;
    for number in 0..rounds {
        let begun = Instant::now();
        cache.keep(content(1), number, chunk.clone()).await;
        let found = cache.chunk(content(1), number / 2).await;
        assert!(
            found.is_none_or(|found| found == chunk),
            "chunk {number} is another"
        );
        let took = begun.elapsed();
        assert!(took < SOON, "keeping and asking took {took:?} in round {number}");
    }
}

pub async fn h3_no_more_bytes_are_held_than_the_limit(harness: &dyn CacheHarness) {
    const LEN_BYTES: usize = 128 << 10;
    let cache = harness.cache();
    let limit = harness.limit_bytes();
    let chunks = 3 * limit / LEN_BYTES as u64;
    let chunk = bytes_of(1, 0, LEN_BYTES);
    for number in 0..chunks {
        cache.keep(content(1), number, chunk.clone()).await;
        harness.settle().await;
    }
    // A cache may be over its limit for a moment while it makes room; the case's own limit ends this.
    loop {
        let mut held = 0;
        for number in 0..chunks {
            let found = cache.chunk(content(1), number).await;
            held += found.map_or(0, |found| found.len() as u64);
        }
        if held <= limit {
            return;
        }
        tokio::task::yield_now().await;
    }
}
