//! What `hall check-config` says of servers that are set wrongly or not well: which part, what is wrong with it in plain words, and
//! where to look.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use campusdisk_tests::hdfs::{fresh_root, hall_store, on_cluster};
use campusdisk_tests::postgres::Schema;
use campusdisk_tests::redis::OwnRedis;
use campusdisk_tests::services::{endpoint, text};
use campusdisk_tests::{Hall, Said};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Nobody runs the discard service.
const NOBODYS_PORT: u16 = 9;

/// Checks a hall's folder with this configuration in it.
fn check(hall: &Hall, config: &str) -> Said {
    std::fs::write(hall.folder().join("hall.toml"), config).unwrap();
    hall.run(&["check-config"], "")
}

/// That the check fails for one part, and says all of this about it.
#[track_caller]
fn assert_explained(hall: &Hall, config: &str, part: &str, words: &[&str]) {
    let said = check(hall, config);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let failed: Vec<_> = said.out.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(failed.len() == 1 && failed[0].starts_with(part), "{said:?}");
    for word in words {
        assert!(failed[0].contains(word), "{word}: {}", failed[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_hdfs_a_wrong_port_safe_mode_and_a_root_that_is_not_ours_are_explained() {
    on_cluster(async |cluster| {
        let hall = Hall::start().await;
        let root = fresh_root("check");
        let right = hall_store(&root);
        let said = check(&hall, &right);
        assert!(said.status.success(), "{said:?}");
        let part = "store \"primary\" (hdfs)";
        let wrong = format!(
            "[stores.primary]\nkind = \"hdfs\"\nroot = \"{root}\"\nurl = \"hdfs://127.0.0.1:{NOBODYS_PORT}\"\n\
             options = {{ \"dfs.client.failover.max.attempts\" = \"1\" }}\n"
        );
        assert_explained(&hall, &wrong, part, &["can't be reached", "url", "conf_dir"]);
        let stranger = format!("{right}user = \"nobody-of-note\"\n");
        assert_explained(&hall, &stranger, part, &["may not", "user", "root"]);
        cluster.set_safe_mode("enter");
        let said = check(&hall, &right);
        cluster.set_safe_mode("leave");
        assert!(said.out.contains("safe mode") && said.out.contains("hdfs dfsadmin"), "{said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_s3_a_wrong_port_credentials_a_missing_bucket_and_a_wrong_clock_are_explained() {
    let hall = Hall::start().await;
    let server = endpoint("/s3/versitygw");
    let right = text(&server, "endpoint");
    let store = |address: &str, secret: &str| {
        format!(
            "[stores.primary]\nkind = \"s3\"\nbucket = \"campusdisk-no-such-bucket\"\nallow_http = true\nmax_retries = 0\n\
             endpoint = \"{address}\"\nregion = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{secret}\"\n",
            text(&server, "region"),
            text(&server, "access_key"),
        )
    };
    let part = "store \"primary\" (s3)";
    let nobody = format!("http://127.0.0.1:{NOBODYS_PORT}");
    let secret = text(&server, "secret_key");
    assert_explained(
        &hall,
        &store(&nobody, secret),
        part,
        &["can't be reached", "endpoint"],
    );
    assert_explained(&hall, &store(right, "wrong"), part, &["credentials"]);
    assert_explained(&hall, &store(right, secret), part, &["does not exist", "bucket"]);
    let late = format!("http://{}", late().await);
    assert_explained(&hall, &store(&late, secret), part, &["clock"]);
}

/// Where a server listens that answers every request as S3 does when the clocks differ by more than a quarter of an hour: that of
/// the real ones can't be set.
async fn late() -> std::net::SocketAddr {
    const ANSWER: &str = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current \
                          time is too large.</Message></Error>";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 16 << 10];
            // What is asked does not matter, and the client may have gone.
            let _ = client.read(&mut request).await;
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{ANSWER}",
                ANSWER.len()
            );
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_postgresql_a_wrong_port_an_unknown_user_and_a_missing_database_are_explained() {
    let schema = Schema::fresh().await;
    let hall = Hall::start().await;
    let database = |url: &str| format!("[database]\npostgres_url = \"{url}\"\n");
    let said = check(&hall, &database(schema.url()));
    assert!(said.status.success(), "{said:?}");
    let part = "database (postgres)";
    let port = schema.port();
    for (url, words) in [
        (schema.url_by(NOBODYS_PORT), ["can't be reached", ":9"]),
        (
            format!("postgres://nobody:hunter2@127.0.0.1:{port}/campusdisk"),
            ["refuses its user", "password"],
        ),
        (
            format!("postgres://campusdisk@127.0.0.1:{port}/nowhere"),
            ["no database of this name", "make it first"],
        ),
    ] {
        let words = [&words[..], &["database.postgres_url"]].concat();
        assert_explained(&hall, &database(&url), part, &words);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_redis_a_wrong_port_a_wrong_password_and_a_missing_limit_are_explained() {
    let redis = OwnRedis::start(&["--requirepass", "right-secret"]).await;
    let hall = Hall::start().await;
    let cache = |url: &str| format!("[cache]\nredis_url = \"{url}\"\n");
    let said = check(&hall, &cache(&redis.url_with("right-secret")));
    assert!(said.status.success(), "{said:?}");
    let line = said.out.lines().find(|line| line.starts_with("cache (redis)"));
    let line = line.unwrap();
    assert!(line.contains("ok") && line.contains("maxmemory"), "{line}");
    let nobody = format!("redis://127.0.0.1:{NOBODYS_PORT}");
    for (url, words) in [
        (nobody, ["can't be reached", ":9"]),
        (redis.url_with("hunter2"), ["refuses", "password"]),
        (redis.url(), ["refuses", "password"]),
        (
            "http://:hunter2@cache".to_owned(),
            ["no address of Redis", "cache.redis_url"],
        ),
    ] {
        let config = cache(&url);
        assert_explained(&hall, &config, "cache (redis)", &words);
        let said = check(&hall, &config);
        assert!(
            !said.out.contains("hunter2") && !said.out.contains("secret"),
            "{said:?}"
        );
    }
}
