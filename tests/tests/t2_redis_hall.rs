//! The hall with a Redis behind its memory, while that comes and goes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use campusdisk_tests::redis::OwnRedis;
use campusdisk_tests::s3::S3Server;
use campusdisk_tests::wait::until;
use campusdisk_tests::{Client, Hall, pattern};
use serde_json::Value;

/// So little that pieces are asked of Redis each time.
fn cache(url: &str) -> String {
    format!("\n[cache]\nmemory_bytes = 1\nredis_url = \"{url}\"\n")
}

/// How Redis stands, as this machine is told; the hall is ready whatever that is.
async fn redis_part(client: &Client) -> Value {
    let ready = client.get("/readyz").await.expect(200).json();
    let parts = ready["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == "redis").unwrap().clone()
}

/// What the hall tells of its cache, once 41 pieces of `bytes` in all came from Redis.
async fn assert_counted(hall: &Hall, bytes: u64) {
    let answer = hall.administrator("root").get("/metrics").await.expect(200);
    let text = std::str::from_utf8(&answer.body).unwrap();
    let counted = |line: &str| -> u64 {
        let value = text.lines().find_map(|known| known.strip_prefix(line));
        let value = value.unwrap_or_else(|| panic!("no {line} in {text}"));
        value.trim().parse().unwrap()
    };
    let tier = |name, outcome| {
        counted(&format!(
            "campusdisk_cache_requests_total{{tier=\"{name}\",outcome=\"{outcome}\"}}"
        ))
    };
    let redis = |outcome| {
        counted(&format!(
            "campusdisk_redis_requests_total{{outcome=\"{outcome}\"}}"
        ))
    };
    let found = tier("redis", "hit");
    assert_eq!((found, redis("hit")), (41, 41), "{text}");
    let hit_bytes = counted("campusdisk_cache_hit_bytes_total{tier=\"redis\"}");
    assert_eq!(hit_bytes, bytes);
    // Redis is asked for what memory has not, and something becomes of each call.
    assert_eq!(tier("memory", "miss"), found + tier("redis", "miss"));
    let calls: u64 = ["hit", "miss", "unusable", "failed", "skipped"]
        .map(redis)
        .iter()
        .sum();
    assert_eq!(calls, tier("memory", "miss"));
    assert_eq!(counted("campusdisk_part_up{part=\"redis\"}"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_serves_what_its_redis_has_and_goes_on_while_that_is_killed() {
    let server = S3Server::find("versitygw").await;
    let mut redis = OwnRedis::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let config = format!("{}{}", server.hall_store(&server.config()), cache(&redis.url()));
    let hall = Hall::start_with(&config).await;
    let (ada, nobody) = (hall.account("ada"), hall.nobody());
    let bytes = pattern(300_000, 7);
    let home = ada.root().await;
    let node = ada.put(&home, "timetable.pdf", bytes.clone()).await;
    let content = format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap());
    for _ in 0..2 {
        let mut client = redis.client().await;
        until("a piece lies on Redis", async || {
            assert!(ada.get(&content).await.expect(200).body == bytes);
            !client.keys("campusdisk:hall:c:").await.is_empty()
        })
        .await;
        let part = redis_part(&nobody).await;
        assert_eq!((&part["up"], &part["required"]), (&true.into(), &false.into()));
        redis.kill();
        assert!(!redis.is_running());
        for _ in 0..20 {
            assert!(ada.get(&content).await.expect(200).body == bytes);
        }
        let part = redis_part(&nobody).await;
        assert_eq!(part["up"], false, "{part}");
        redis.restart().await;
        until("Redis is used again", async || {
            redis_part(&nobody).await["up"] == true
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_starts_without_its_redis_and_says_what_is_wrong_with_it() {
    let redis = OwnRedis::start(&["--requirepass", "right-secret"]).await;
    for (url, words) in [
        ("redis://127.0.0.1:9".to_owned(), "can't be reached"),
        (redis.url_with("wrong-secret"), "password"),
    ] {
        let hall = Hall::start_with(&cache(&url)).await;
        let part = redis_part(&hall.nobody()).await;
        let detail = part["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{part}");
        assert!(
            !hall.log().contains("secret") && !detail.contains("secret"),
            "{part}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_warmed_comes_from_redis_from_the_first_download_on() {
    let server = S3Server::find("versitygw").await;
    let redis = OwnRedis::start(&["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let store = server.hall_store(&server.config());
    let patient = format!("{}redis_answer_limit_ms = 10000\n", cache(&redis.url()));
    let hall = Hall::start_with(&format!("{store}{patient}")).await;
    let ada = hall.account("ada");
    // More pieces than may wait for Redis at once.
    let bytes = pattern(40 << 20 | 99, 3);
    let folder = ada.folder(&ada.root().await, "grades").await;
    let node = ada.put(&folder, "grades.zip", bytes.clone()).await;
    let said = hall.run(&["prewarm", &folder], "");
    assert!(said.status.success() && said.out.contains("1 files"), "{said:?}");
    let hits = async || -> u64 {
        let stats: String = redis.client().await.ask(&[b"INFO", b"stats"]).await;
        let hits = stats.lines().find_map(|line| line.strip_prefix("keyspace_hits:"));
        hits.unwrap().trim().parse().unwrap()
    };
    let before = hits().await;
    let content = format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap());
    for (start, end) in [(0, 16 << 20), (16 << 20, 32 << 20), (32 << 20, bytes.len())] {
        let range = format!("bytes={start}-{}", end - 1);
        let answer = ada.get_with(&content, &[("range", &range)]).await.expect(206);
        assert!(answer.body == bytes[start..end]);
    }
    assert_eq!(hits().await - before, 41);
    assert_counted(&hall, bytes.len() as u64).await;
    assert_eq!(
        hall.run(&["prewarm", &folder], "")
            .out
            .matches("0 B read now")
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_redis_there_is_nothing_to_warm_and_that_is_said() {
    let hall = Hall::start().await;
    let root = hall.account("ada").root().await;
    let said = hall.run(&["prewarm", &root], "");
    assert!(
        !said.status.success() && said.err.contains("cache.redis_url"),
        "{said:?}"
    );
}
