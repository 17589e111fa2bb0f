//! What Redis does to those who use it: it dies, hangs, is full, forgets, restarts, holds what others wrote, refuses. Whatever it is, a download gets its
//! chunk or nothing, soon, and the cache is used again by itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use campusdisk_core::{ChunkCache, ContentId, ErrorKind, TokioSpawner};
use campusdisk_redis::{RedisChunkCache, RedisOptions};
use campusdisk_testkit::storage::pattern;
use campusdisk_tests::redis::{OwnRedis, written};
use campusdisk_tests::wait::{in_time, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CONTENT: ContentId = ContentId::from_u128(7);

const CHUNK_BYTES: usize = 1 << 20;

/// How long a call may wait here: longer than by default, as the machine is busy with other tests.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Within this a call ended by its limit, and not by somebody's patience.
const AT_MOST: Duration = Duration::from_secs(10);

fn options(server: &OwnRedis) -> RedisOptions {
    RedisOptions::default()
        .with_url(server.url())
        .with_answer_limit(ANSWER_LIMIT)
        .with_keep_limit(ANSWER_LIMIT)
        .with_breaker(3, Duration::from_millis(50))
}

/// For a server that answers whatever becomes of it: no call may fail, however busy the machine is.
fn patient(server: &OwnRedis) -> RedisOptions {
    options(server)
        .with_answer_limit(AT_MOST)
        .with_keep_limit(AT_MOST)
}

async fn connect(options: RedisOptions) -> Arc<RedisChunkCache> {
    Arc::new(RedisChunkCache::connect(options, &TokioSpawner).await.unwrap())
}

/// The bytes of a chunk.
fn bytes_of(number: u64) -> Bytes {
    pattern(number, CHUNK_BYTES)
}

/// Keeps chunks until each is found: what was kept while the server was away is not there.
async fn fill(cache: &RedisChunkCache, numbers: std::ops::Range<u64>) {
    for number in numbers {
        until("a kept chunk is found", async || {
            cache.keep(CONTENT, number, bytes_of(number)).await;
            written(cache).await;
            cache.chunk(CONTENT, number).await == Some(bytes_of(number))
        })
        .await;
    }
}

/// People who ask for chunks without a pause, and never get other bytes.
#[derive(Default)]
struct Readers {
    stop: AtomicBool,
    found: AtomicU64,
    missed: AtomicU64,
    slowest_micros: AtomicU64,
}

impl Readers {
    const MANY: u64 = 6;

    fn start(
        self: &Arc<Self>,
        cache: &Arc<RedisChunkCache>,
        chunks: u64,
    ) -> Vec<tokio::task::JoinHandle<()>> {
        let expected: Arc<Vec<_>> = Arc::new((0..chunks).map(bytes_of).collect());
        let reader = |reader: u64| {
            let (readers, cache, expected) = (self.clone(), cache.clone(), expected.clone());
            tokio::spawn(async move {
                for turn in reader.. {
                    if readers.stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let begun = Instant::now();
                    let found = cache.chunk(CONTENT, turn % chunks).await;
                    let took = u64::try_from(begun.elapsed().as_micros()).unwrap();
                    readers.slowest_micros.fetch_max(took, Ordering::SeqCst);
                    let outcome = match found {
                        Some(found) => {
                            assert!(found == expected[usize::try_from(turn % chunks).unwrap()]);
                            &readers.found
                        }
                        None => &readers.missed,
                    };
                    outcome.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            })
        };
        (0..Self::MANY).map(reader).collect()
    }

    /// Waits until so many more calls found their chunk.
    async fn go_on(&self, more: u64) {
        let enough = self.found.load(Ordering::SeqCst) + more;
        until("chunks are found", async || {
            self.found.load(Ordering::SeqCst) >= enough
        })
        .await;
    }

    /// Waits until a call finds nothing.
    async fn miss(&self) {
        let before = self.missed.load(Ordering::SeqCst);
        until("a chunk is not found", async || {
            self.missed.load(Ordering::SeqCst) > before
        })
        .await;
    }

    async fn end(&self, tasks: Vec<tokio::task::JoinHandle<()>>) {
        self.stop.store(true, Ordering::SeqCst);
        for task in tasks {
            in_time("a reader", task).await.unwrap();
        }
        let slowest = Duration::from_micros(self.slowest_micros.load(Ordering::SeqCst));
        assert!(slowest < AT_MOST, "a call took {slowest:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_its_readers_is_an_empty_cache_and_is_used_again_when_it_is_back() {
    let mut server = OwnRedis::start(&[]).await;
    let cache = connect(options(&server)).await;
    fill(&cache, 0..4).await;
    let readers = Arc::new(Readers::default());
    let tasks = readers.start(&cache, 4);
    for _ in 0..3 {
        readers.go_on(20).await;
        let failures = cache.facts().failures;
        server.kill();
        assert!(!server.is_running());
        readers.miss().await;
        until("the breaker opens", async || cache.facts().is_open).await;
        assert!(cache.facts().failures > failures, "calls were under way");
        assert_eq!(cache.health().await.unwrap_err().kind(), ErrorKind::Unavailable);
        // Nobody waits for what is not there.
        let begun = Instant::now();
        for number in 0..1000 {
            assert_eq!(cache.chunk(CONTENT, number).await, None);
        }
        assert!(begun.elapsed() < AT_MOST, "1000 calls took {:?}", begun.elapsed());
        server.restart().await;
        fill(&cache, 0..4).await;
    }
    readers.go_on(20).await;
    readers.end(tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_costs_a_few_calls_their_limit_and_then_none_until_it_goes_on() {
    let server = OwnRedis::start(&[]).await;
    let cache = connect(options(&server)).await;
    fill(&cache, 0..2).await;
    let before = cache.facts();
    server.pause();
    for call in 1..=3 {
        let begun = Instant::now();
        assert_eq!(cache.chunk(CONTENT, 0).await, None);
        let took = begun.elapsed();
        assert!(
            (ANSWER_LIMIT..AT_MOST).contains(&took),
            "call {call} took {took:?}"
        );
        assert_eq!(cache.facts().failures - before.failures, call);
    }
    assert!(cache.facts().is_open, "three in a row");
    let chunk = bytes_of(5);
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(cache.chunk(CONTENT, 0).await, None);
        cache.keep(CONTENT, 5, chunk.clone()).await;
    }
    let took = begun.elapsed();
    assert!(took < AT_MOST, "2000 calls took {took:?}");
    let facts = cache.facts();
    assert_eq!(facts.skipped - before.skipped, 1000);
    assert_eq!(facts.dropped_keeps - before.dropped_keeps, 1000);
    assert!(server.is_paused());
    let error = cache.health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    server.resume();
    until("it is used again", async || {
        cache.chunk(CONTENT, 1).await == Some(bytes_of(1))
    })
    .await;
    assert!(!cache.facts().is_open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_under_its_readers_holds_none_of_them_longer_than_the_limit() {
    let server = OwnRedis::start(&[]).await;
    let cache = connect(options(&server)).await;
    fill(&cache, 0..4).await;
    let readers = Arc::new(Readers::default());
    let tasks = readers.start(&cache, 4);
    readers.go_on(20).await;
    server.pause();
    until("the breaker opens", async || cache.facts().is_open).await;
    assert!(server.is_paused() && cache.facts().failures > 0);
    server.resume();
    readers.go_on(20).await;
    readers.end(tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_a_hanging_server_does_not_take_are_dropped_and_nobody_waits() {
    let server = OwnRedis::start(&[]).await;
    let options = options(&server)
        .with_keep_limit(Duration::from_secs(30))
        .with_queue(100, 4 << 20);
    let cache = connect(options).await;
    fill(&cache, 0..1).await;
    let before = cache.facts();
    server.pause();
    let chunks: Vec<_> = (0..50).map(bytes_of).collect();
    let begun = Instant::now();
    for (number, chunk) in (0..).zip(chunks) {
        cache.keep(CONTENT, number, chunk).await;
    }
    let took = begun.elapsed();
    assert!(took < AT_MOST, "keeping took {took:?}");
    let facts = cache.facts();
    assert_eq!((facts.queued_keeps, facts.is_open), (4, false), "4 MiB wait");
    assert_eq!(facts.dropped_keeps - before.dropped_keeps, 46);
    assert!(server.is_paused());
    server.resume();
    written(&cache).await;
    assert_eq!(cache.facts().kept - before.kept, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_keeps_no_more_and_what_it_has_is_still_found() {
    let server = OwnRedis::start(&["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"]).await;
    let cache = connect(patient(&server)).await;
    fill(&cache, 0..2).await;
    for number in 2..20 {
        cache.keep(CONTENT, number, bytes_of(number)).await;
        written(&cache).await;
    }
    let facts = cache.facts();
    assert!(facts.failed_keeps >= 10, "it is full: {facts:?}");
    assert!(!facts.is_open && facts.failures == 0, "{facts:?}");
    for number in 0..2 {
        assert_eq!(cache.chunk(CONTENT, number).await, Some(bytes_of(number)));
    }
    assert_eq!(cache.chunk(CONTENT, 19).await, None);
    let reasons = cache.health().await.unwrap().reasons.concat();
    assert!(reasons.contains("noeviction"), "{reasons}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_flushed_under_its_readers_has_nothing_and_is_filled_again() {
    let server = OwnRedis::start(&[]).await;
    let cache = connect(patient(&server)).await;
    fill(&cache, 0..4).await;
    let readers = Arc::new(Readers::default());
    let tasks = readers.start(&cache, 4);
    readers.go_on(20).await;
    let mut client = server.client().await;
    let missed = cache.facts().misses;
    let _: String = client.ask(&[b"FLUSHALL"]).await;
    readers.miss().await;
    assert_eq!(client.ask::<u64>(&[b"DBSIZE"]).await, 0);
    assert!(cache.facts().misses > missed && cache.facts().failures == 0);
    fill(&cache, 0..4).await;
    readers.go_on(20).await;
    readers.end(tasks).await;
    assert!(!cache.facts().is_open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_cache_finds_its_server_again_after_a_restart() {
    let mut server = OwnRedis::start(&[]).await;
    let cache = connect(options(&server)).await;
    fill(&cache, 0..1).await;
    server.kill();
    assert!(!server.is_running());
    server.restart().await;
    // The first call meets the old connection.
    assert_eq!(cache.chunk(CONTENT, 0).await, None);
    assert_eq!(cache.facts().failures, 1);
    fill(&cache, 0..1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_only_asks_how_the_server_is_has_it_connected_again_too() {
    let mut server = OwnRedis::start(&[]).await;
    let cache = connect(options(&server)).await;
    cache.health().await.unwrap();
    server.kill();
    assert!(!server.is_running());
    cache.health().await.unwrap_err();
    server.restart().await;
    until("the server is said to be there", async || {
        cache.health().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ends_are_made_again() {
    let server = OwnRedis::start(&[]).await;
    let cache = connect(options(&server)).await;
    fill(&cache, 0..2).await;
    let mut client = server.client().await;
    for _ in 0..5 {
        let ended: u64 = client
            .ask(&[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"])
            .await;
        assert!(ended >= 5, "{ended} connections were ended");
        until("a chunk is found", async || {
            cache.chunk(CONTENT, 1).await == Some(bytes_of(1))
        })
        .await;
    }
    assert!(cache.facts().failures >= 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_wrote_cut_changed_or_moved_under_our_keys_is_no_chunk() {
    let server = OwnRedis::start(&[]).await;
    let cache = connect(patient(&server)).await;
    fill(&cache, 0..2).await;
    let mut client = server.client().await;
    let key = format!("campusdisk:hall:c:{CONTENT}:0");
    let other = format!("campusdisk:hall:c:{CONTENT}:1");
    let (key, other) = (key.as_bytes(), other.as_bytes());
    let whole: Vec<u8> = client.ask(&[b"GET", key]).await;
    let mut changed = whole.clone();
    changed[CHUNK_BYTES / 2] ^= 1;
    let longer = [&whole[..], b"more"].concat();
    let huge = vec![7; 9 << 20];
    let texts: [&[u8]; 7] = [
        b"hello",
        b"",
        &[0; 12],
        &whole[..whole.len() - 1],
        &longer,
        &changed,
        &huge,
    ];
    let mut wrong = 0;
    for text in texts {
        let _: String = client.ask(&[b"SET", key, text]).await;
        assert_eq!(cache.chunk(CONTENT, 0).await, None, "{} bytes", text.len());
        // An empty value can't be told from none.
        wrong += u64::from(!text.is_empty());
        assert_eq!(cache.facts().unusable, wrong);
    }
    let _: u64 = client.ask(&[b"COPY", other, key, b"REPLACE"]).await;
    assert_eq!(cache.chunk(CONTENT, 0).await, None, "it is another's");
    let _: u64 = client.ask(&[b"DEL", key]).await;
    let _: u64 = client.ask(&[b"RPUSH", key, b"a", b"list"]).await;
    assert_eq!(cache.chunk(CONTENT, 0).await, None, "a list is no chunk");
    assert_eq!(cache.facts().unusable, wrong + 2);
    assert!(cache.facts().failures == 0 && !cache.facts().is_open);
    fill(&cache, 0..1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_an_empty_cache_that_says_why_and_shows_no_secret() {
    let server = OwnRedis::start(&["--requirepass", "right-secret"]).await;
    for url in [server.url_with("wrong-secret"), server.url()] {
        let cache = connect(options(&server).with_url(&url)).await;
        cache.keep(CONTENT, 0, bytes_of(0)).await;
        assert_eq!(cache.chunk(CONTENT, 0).await, None);
        let facts = cache.facts();
        assert_eq!((facts.is_open, facts.skipped, facts.dropped_keeps), (true, 1, 1));
        let error = cache.health().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(error.to_string().contains("password"), "{error}");
        assert!(
            !format!("{cache:?} {error:?}").contains("secret"),
            "{cache:?} {error:?}"
        );
    }
    let cache = connect(options(&server).with_url(server.url_with("right-secret"))).await;
    fill(&cache, 0..1).await;
    assert!(!format!("{cache:?}").contains("secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_or_something_else_listens_the_cache_is_empty_and_says_so() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = silent.local_addr().unwrap();
    let http = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web = http.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut clients = Vec::new();
        while let Ok((mut client, _)) = http.accept().await {
            // Whoever connected may have gone; else the connection stays, so that the answer is read.
            let _ = client.read(&mut [0; 1000]).await;
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            clients.push(client);
        }
    });
    for (address, words) in [
        ("127.0.0.1:9".to_owned(), "running"),
        (web.to_string(), "not Redis"),
    ] {
        let url = format!("redis://{address}");
        let cache = connect(RedisOptions::default().with_url(url)).await;
        assert_eq!(cache.chunk(CONTENT, 0).await, None);
        let error = cache.health().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(
            error.to_string().contains(words) && error.to_string().contains(&address),
            "{error}"
        );
    }
    serving.abort();
    let begun = Instant::now();
    let limit = Duration::from_millis(300);
    let options = RedisOptions::default().with_url(format!("redis://{silent}"));
    let cache = connect(options.with_connect_limit(limit)).await;
    let took = begun.elapsed();
    assert!(took < AT_MOST, "connecting took {took:?}");
    assert!(cache.facts().is_open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_connections_and_brings_no_chunks_costs_one_call_in_each_rest() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(answer_all_but_calls_for_chunks(client));
        }
    });
    let options = RedisOptions::default()
        .with_url(url)
        .with_answer_limit(ANSWER_LIMIT)
        .with_breaker(3, Duration::from_secs(1));
    let cache = connect(options).await;
    for round in 1..=3 {
        until("the breaker closes", async || !cache.facts().is_open).await;
        assert_eq!(cache.chunk(CONTENT, 0).await, None);
        assert_eq!(cache.chunk(CONTENT, 0).await, None);
        let facts = cache.facts();
        assert_eq!((facts.failures, facts.skipped), (round, round), "one was enough");
    }
    serving.abort();
}

/// Speaks as much of Redis as connecting needs.
async fn answer_all_but_calls_for_chunks(mut client: tokio::net::TcpStream) {
    let mut asked = [0; 10_000];
    while let Ok(length @ 1..) = client.read(&mut asked).await {
        let asked = String::from_utf8_lossy(&asked[..length]);
        let settings = "+OK\r\n".repeat(asked.matches("SETINFO").count());
        let pings = "+PONG\r\n".repeat(asked.matches("PING").count());
        if client
            .write_all(format!("{settings}{pings}").as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_at_once() {
    let options = RedisOptions::default().with_url("http://:hunter2@cache");
    let error = RedisChunkCache::connect(options, &TokioSpawner)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}
