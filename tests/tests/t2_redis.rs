//! The cache on a real Redis.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::{ChunkCache, ContentId, TokioSpawner};
use campusdisk_redis::{RedisChunkCache, RedisOptions};
use campusdisk_testkit::cache_conformance;
use campusdisk_testkit::storage::pattern;
use campusdisk_tests::redis::{OwnRedis, RedisClient, RedisHarness, shared_url, written};
use campusdisk_tests::wait::until;

cache_conformance!(redis, RedisHarness::fresh().await);

const CONTENT: ContentId = ContentId::from_u128(7);

/// Longer than a server on a busy machine takes.
const PATIENT: Duration = Duration::from_secs(10);

async fn connect(options: RedisOptions) -> RedisChunkCache {
    let options = options
        .with_answer_limit(PATIENT)
        .with_keep_limit(PATIENT)
        .with_connect_limit(PATIENT);
    RedisChunkCache::connect(options, &TokioSpawner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_with_one_prefix_share_their_chunks_and_others_see_none_of_them() {
    let prefix = format!("test-{}", std::process::id());
    let with = |prefix: &str| RedisOptions::default().with_url(shared_url()).with_prefix(prefix);
    let (one, same) = (connect(with(&prefix)).await, connect(with(&prefix)).await);
    let other = connect(with(&format!("{prefix}-other"))).await;
    let chunk = pattern(1, 1 << 20);
    one.keep(CONTENT, 3, chunk.clone()).await;
    written(&one).await;
    assert_eq!(same.chunk(CONTENT, 3).await, Some(chunk));
    assert_eq!(other.chunk(CONTENT, 3).await, None);
    let mut client = RedisClient::connect(&shared_url()).await;
    let keys = client.keys(&format!("campusdisk:{prefix}")).await;
    assert_eq!(keys, [format!("campusdisk:{prefix}:c:{CONTENT}:3")]);
    let gone: u32 = client.ask(&[b"DEL", keys[0].as_bytes()]).await;
    assert_eq!((gone, same.chunk(CONTENT, 3).await), (1, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_ends_by_itself() {
    let server = OwnRedis::start(&[]).await;
    let options = RedisOptions::default().with_url(server.url());
    let cache = connect(options.clone().with_ttl(Duration::from_secs(3600))).await;
    cache.keep(CONTENT, 0, pattern(1, 1000)).await;
    written(&cache).await;
    let mut client = server.client().await;
    let key = client.keys("campusdisk:hall:c:").await.remove(0);
    let left: i64 = client.ask(&[b"TTL", key.as_bytes()]).await;
    assert!((3500..=3600).contains(&left), "{left} s are left");
    let cache = connect(options.with_ttl(Duration::from_secs(1))).await;
    cache.keep(CONTENT, 0, pattern(1, 1000)).await;
    written(&cache).await;
    until("the end of the chunk", async || {
        cache.chunk(CONTENT, 0).await.is_none()
    })
    .await;
    assert!(client.keys("").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_counts_what_it_does() {
    let server = OwnRedis::start(&[]).await;
    let cache = connect(RedisOptions::default().with_url(server.url())).await;
    assert_eq!(cache.chunk(CONTENT, 0).await, None);
    cache.keep(CONTENT, 0, pattern(1, 1000)).await;
    cache.keep(CONTENT, 1, Bytes::from(vec![0; (1 << 20) + 1])).await;
    written(&cache).await;
    for _ in 0..2 {
        assert_eq!(cache.chunk(CONTENT, 0).await, Some(pattern(1, 1000)));
    }
    let facts = cache.facts();
    assert_eq!((facts.hits, facts.misses, facts.read_bytes), (2, 1, 2000));
    assert_eq!((facts.kept, facts.kept_bytes, facts.dropped_keeps), (1, 1000, 1));
    assert!(!facts.answer_time.is_zero() && !facts.keep_time.is_zero() && !facts.is_open);
    assert_eq!((facts.failures, facts.skipped, facts.unusable), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_limit_is_used_and_told_of() {
    let without = OwnRedis::start(&[]).await;
    let with = OwnRedis::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu"]).await;
    let reasons = async |server: &OwnRedis| {
        let cache = connect(RedisOptions::default().with_url(server.url())).await;
        cache.health().await.unwrap().reasons.concat()
    };
    assert!(reasons(&without).await.contains("maxmemory"));
    assert_eq!(reasons(&with).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_is_shut_down_or_dropped_leaves_no_connection() {
    let server = OwnRedis::start(&[]).await;
    let mut client = server.client().await;
    let options = RedisOptions::default().with_url(server.url());
    let own: String = client.ask(&[b"CLIENT", b"LIST"]).await;
    let (stopped, dropped) = (connect(options.clone()).await, connect(options).await);
    let with: String = client.ask(&[b"CLIENT", b"LIST"]).await;
    assert_eq!(with.lines().count(), own.lines().count() + 2 * 5);
    stopped.keep(CONTENT, 0, pattern(1, 1000)).await;
    stopped.shutdown().await;
    drop(dropped);
    until("the end of the connections", async || {
        let left: String = client.ask(&[b"CLIENT", b"LIST"]).await;
        left.lines().count() == own.lines().count()
    })
    .await;
    stopped.keep(CONTENT, 1, pattern(1, 1000)).await;
    assert_eq!(stopped.chunk(CONTENT, 0).await, None);
    let facts = stopped.facts();
    assert_eq!((facts.skipped, facts.dropped_keeps, facts.is_open), (1, 1, true));
    stopped.health().await.unwrap_err();
}
