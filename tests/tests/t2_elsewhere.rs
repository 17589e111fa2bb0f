//! Whole files that nginx, or the S3 server, sends in the hall's place.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use campusdisk_tests::nginx::OwnNginx;
use campusdisk_tests::s3::S3Server;
use campusdisk_tests::wait::until;
use campusdisk_tests::{Client, Hall, pattern};
use serde_json::json;

const FRONT_SERVER: &str =
    "\n[http]\ntrusted_proxies = [\"127.0.0.1/32\"]\nfront_server = \"/campusdisk-blobs\"\n";

async fn content(client: &Client, name: &str, bytes: &[u8]) -> String {
    let home = client.root().await;
    let node = client.put(&home, name, bytes.to_vec()).await;
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

/// The one record of what `client` downloaded, once it is there.
async fn is_recorded(client: &Client, bytes: usize) {
    until("the download is recorded", async || {
        let records = client.get("/api/v1/downloads").await.expect(200).json();
        let items = records["items"].as_array().unwrap().clone();
        items
            .iter()
            .any(|item| item["bytes"] == bytes && item["outcome"] == "completed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_sends_whole_files_with_the_hall_s_headers_and_the_hall_all_else() {
    let hall = Hall::start_with(FRONT_SERVER).await;
    let nginx = OwnNginx::before(&hall.base(), &hall.folder().join("data/blobs")).await;
    let ada = hall.account("ada");
    let bytes = pattern(3_000_000, 5);
    let path = content(&ada, "成绩单.pdf", &bytes).await;
    let front = format!("{}{path}", nginx.base());

    let direct = ada.head(&path).await.expect(200);
    let whole = ada.get(&front).await.expect(200);
    assert!(whole.body == bytes);
    assert!(whole.header("server").starts_with("nginx"));
    for name in [
        "etag",
        "last-modified",
        "content-disposition",
        "content-type",
        "repr-digest",
        "cache-control",
    ] {
        assert_eq!(whole.header(name), direct.header(name), "{name}");
    }
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert_eq!(whole.header("x-accel-redirect"), "");
    is_recorded(&ada, bytes.len()).await;

    // The validator of the whole is the hall's, so a client that was cut goes on with it.
    let etag = whole.header("etag");
    let rest = ada
        .get_with(&front, &[("range", "bytes=2000000-"), ("if-range", etag)])
        .await
        .expect(206);
    assert!(rest.body == bytes[2_000_000..]);
    let unchanged = ada.get_with(&front, &[("if-none-match", etag)]).await.expect(304);
    assert!(unchanged.body.is_empty());
    // Whoever does not come through nginx gets the bytes, and no address of its.
    let plain = ada.get(&path).await.expect(200);
    assert!(plain.body == bytes && plain.header("x-accel-redirect").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_a_blob_of_nginx_by_its_address_or_without_the_right_to_it() {
    let hall = Hall::start_with(FRONT_SERVER).await;
    let blobs = hall.folder().join("data/blobs");
    let nginx = OwnNginx::before(&hall.base(), &blobs).await;
    let (ada, eve) = (hall.account("ada"), hall.account("eve"));
    let path = content(&ada, "own.bin", &pattern(2_000_000, 3)).await;
    eve.get(&format!("{}{path}", nginx.base())).await.expect(404);
    let blob = walk(&blobs)
        .into_iter()
        .find(|file| file.metadata().unwrap().len() == 2_000_000);
    let below = blob.unwrap().strip_prefix(&blobs).unwrap().display().to_string();
    let address = format!("{}/campusdisk-blobs/primary/{below}", nginx.base());
    ada.get(&address).await.expect(404);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_s3_server_sends_whole_files_under_their_names_to_whom_the_hall_sends_there() {
    let server = S3Server::find("versitygw").await;
    let config = format!(
        "{}\n[http]\nsigned_address_seconds = 60\n",
        server.hall_store(&server.config())
    );
    let hall = Hall::start_with(&config).await;
    let ada = hall.account("ada");
    let bytes = pattern(2_500_000, 9);
    let path = content(&ada, "课表 2026.pdf", &bytes).await;

    let sent = ada.get(&path).await.expect(307);
    let address = sent.header("location").to_owned();
    assert_eq!(sent.header("cache-control"), "no-store");
    let there = reqwest::get(&address).await.unwrap();
    let disposition = there.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    let expected = ada.head(&path).await.expect(200);
    assert_eq!(disposition, expected.header("content-disposition"));
    assert_eq!(there.headers()["content-type"], "application/pdf");
    assert!(there.bytes().await.unwrap() == bytes);
    is_recorded(&ada, bytes.len()).await;

    let part = ada.get_with(&path, &[("range", "bytes=5-9")]).await.expect(206);
    assert!(part.body == bytes[5..10]);
    let small = content(&ada, "small.txt", b"small").await;
    assert_eq!(ada.get(&small).await.expect(200).text(), "small");
    // Bytes of a share with a limit are counted as they are sent, so they come from the hall.
    let node = path.split('/').nth(4).unwrap();
    let shares = format!("/api/v1/nodes/{node}/shares");
    let share = ada
        .post(&shares, json!({"max_downloads": 1}))
        .await
        .expect(201)
        .json();
    let shared = format!("/s/{}/content", share["token"].as_str().unwrap());
    assert!(hall.nobody().get(&shared).await.expect(200).body == bytes);
}
