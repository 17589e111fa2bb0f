//! Records of downloads over a socket: parallel ranges, downloads that are cut and resumed, and a hall that is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::time::{Duration, Instant};

use campusdisk_tests::wait::until;
use campusdisk_tests::{Client, Hall, Raw, pattern};
use serde_json::Value;

/// How long after its last byte a record is there.
const WITHIN: Duration = Duration::from_secs(5);

/// A record of the client's downloads that has this outcome, and holds it within the time.
async fn record(client: &Client, since: Instant, holds: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    until("a record of a download", async || {
        let listed = client.get("/api/v1/downloads").await.expect(200).json();
        let items = listed["items"].as_array().unwrap();
        found = items
            .iter()
            .find(|record| holds(record))
            .cloned()
            .unwrap_or_default();
        !found.is_null()
    })
    .await;
    let took = since.elapsed();
    assert!(took < WITHIN, "the record was there after {took:?}");
    found
}

async fn count(client: &Client) -> usize {
    let listed = client.get("/api/v1/downloads").await.expect(200).json();
    listed["items"].as_array().unwrap().len()
}

fn content(node: &Value) -> String {
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

#[tokio::test]
async fn ranges_on_four_connections_are_one_download_that_a_kill_does_not_take_back() {
    let mut hall = Hall::start().await;
    let (ada, root) = (hall.account("ada"), hall.administrator("root"));
    let bytes = pattern(4_000_000, 1);
    let node = ada.put(&ada.root().await, "论文.bin", bytes.clone()).await;
    let (ada, path) = (&ada, content(&node));
    let parts = (0..4).map(|part: usize| {
        let path = path.clone();
        async move {
            let range = format!("bytes={}-{}", part * 1_000_000, (part + 1) * 1_000_000 - 1);
            ada.get_with(&path, &[("range", &range)]).await.expect(206).body
        }
    });
    let got = futures::future::join_all(parts).await.concat();
    assert_eq!(got, bytes);
    let completed = |record: &Value| record["outcome"] == "completed";
    let whole = record(ada, Instant::now(), completed).await;
    for (field, value) in [
        ("node", node["id"].clone()),
        ("name", "论文.bin".into()),
        ("share", Value::Null),
        ("address", "127.0.0.1".into()),
        ("bytes", 4_000_000.into()),
        ("requests", 4.into()),
    ] {
        assert_eq!(whole[field], value, "{field}");
    }
    assert_eq!(count(ada).await, 1);

    hall.kill9();
    hall.restart().await;
    assert_eq!(record(ada, Instant::now(), completed).await, whole);
    let csv = root
        .get("/api/v1/admin/downloads?format=csv")
        .await
        .expect(200)
        .text();
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[1].starts_with(whole["id"].as_str().unwrap()), "{csv}");
    assert!(
        lines[1].contains(",论文.bin,") && lines[1].ends_with(",4000000,4,completed"),
        "{csv}"
    );
}

#[tokio::test]
async fn a_download_that_is_cut_is_aborted_and_completed_when_it_is_resumed() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    // More than the buffers of a connection take.
    let bytes = pattern(60_000_000, 2);
    let node = ada.put(&ada.root().await, "a.bin", bytes.clone()).await;
    let path = content(&node);
    let mut cut = Raw::connect(&hall).await;
    let authorization = ada.authorization().unwrap();
    cut.head("GET", &path, &[("authorization", authorization)])
        .await
        .unwrap();
    assert_eq!(cut.answer_head().await.unwrap().0, 200);
    assert!(cut.skip(100_000).await >= 100_000);
    let running = record(&ada, Instant::now(), |record| record["outcome"] == "running").await;
    assert_eq!(running["ended"], Value::Null);
    drop(cut);
    let aborted = record(&ada, Instant::now(), |record| record["outcome"] == "aborted").await;
    let sent = aborted["bytes"].as_u64().unwrap();
    assert!((100_000..60_000_000).contains(&sent), "{sent} bytes went out");
    let rest = ada
        .get_with(&path, &[("range", "bytes=100000-")])
        .await
        .expect(206);
    assert_eq!(rest.body, bytes[100_000..]);
    let completed = record(&ada, Instant::now(), |record| record["outcome"] == "completed").await;
    assert_eq!(completed["id"], running["id"]);
    assert_eq!((completed["requests"].as_u64(), count(&ada).await), (Some(2), 1));
}

#[tokio::test]
async fn a_hall_that_is_stopped_records_what_it_cuts() {
    let mut hall = Hall::start_configured(
        "[accounts]\nargon2_memory_kib = 64\nargon2_passes = 1\n[policy]\nrecord_period_ms = 600000\n[http]\ngrace_seconds = 1\n",
    )
    .await;
    let ada = hall.account("ada");
    let node = ada.put(&ada.root().await, "a.bin", pattern(60_000_000, 3)).await;
    let small = ada.put(&ada.root().await, "b.bin", pattern(1000, 4)).await;
    ada.get(&content(&small)).await.expect(200);
    let mut cut = Raw::connect(&hall).await;
    let authorization = ada.authorization().unwrap();
    cut.head("GET", &content(&node), &[("authorization", authorization)])
        .await
        .unwrap();
    assert_eq!(cut.answer_head().await.unwrap().0, 200);
    assert!(cut.skip(100_000).await >= 100_000);
    // Nothing is written before the stop.
    assert_eq!(count(&ada).await, 0);
    hall.sigterm();
    assert!(hall.ended().await.success());
    hall.restart().await;
    let listed = ada.get("/api/v1/downloads").await.expect(200).json();
    let mut told: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["name"].clone(), record["outcome"].clone()))
        .collect();
    told.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(
        told,
        [
            ("a.bin".into(), "aborted".into()),
            ("b.bin".into(), "completed".into())
        ]
    );
}
