//! The process: start, stop, restart, prefix, configuration, and what a lock does to running transfers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::time::{Duration, Instant};

use campusdisk_tests::wait::until;
use campusdisk_tests::{Client, Hall, Raw, Upload, pattern, sha256_hex};
use serde_json::json;

/// What the contract gives a lock to end transfers, from its answer on.
const CUT_WITHIN: Duration = Duration::from_secs(1);

fn strings(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn content(node: &serde_json::Value) -> String {
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let mut hall = Hall::start().await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    let bytes = pattern(1_000_000, 1);
    let file = ada.put(&root, "a", bytes.clone()).await;
    let upload = Upload::create(&ada, &root, "b", 900_000).await;
    upload.patch(0, bytes[..500_000].to_vec()).await.expect(204);
    hall.sigterm();
    assert_eq!(hall.ended().await.code(), Some(0));
    hall.restart().await;
    let answer = ada.get(&content(&file)).await.expect(200);
    assert!(answer.body == bytes && file["etag"] == answer.header("etag"));
    assert_eq!(upload.offset().await, 500_000);
    upload
        .patch(500_000, bytes[500_000..900_000].to_vec())
        .await
        .expect(204);
    assert_eq!(ada.names(&root).await, ["a", "b"]);
}

#[tokio::test]
async fn metrics_are_for_administrators() {
    let hall = Hall::start().await;
    let metrics = async |client: Client| client.get("/metrics").await;
    metrics(hall.nobody())
        .await
        .expect_problem(401, "unauthenticated");
    metrics(hall.account("ada"))
        .await
        .expect_problem(403, "forbidden");
    let answer = metrics(hall.administrator("root")).await.expect(200);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let text = std::str::from_utf8(&answer.body).unwrap();
    for line in [
        "campusdisk_part_up{part=\"database\"} 1",
        "campusdisk_part_up{part=\"primary\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in {text}");
    }
    let refused = text
        .lines()
        .find_map(|line| line.strip_prefix("campusdisk_http_answers_total{class=\"4xx\"} "));
    let refused: u64 = refused.unwrap().parse().unwrap();
    assert!(refused >= 2, "two were refused above: {text}");
}

#[tokio::test]
async fn sigterm_seals_a_running_upload_and_ends_with_zero() {
    let mut hall = Hall::start_configured("[http]\ngrace_seconds = 2\n").await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    let bytes = pattern(2_000_000, 2);
    let upload = Upload::create(&ada, &root, "a", bytes.len()).await;
    let mut running = Raw::connect(&hall).await;
    running
        .head(
            "PATCH",
            &upload.path,
            &strings(&upload.patch_headers(0, bytes.len())),
        )
        .await
        .unwrap();
    running.send(&bytes[..1_500_000]).await.unwrap();
    let mut idle = Raw::connect(&hall).await;
    idle.head("GET", "/healthz", &[]).await.unwrap();
    assert_eq!(idle.answer().await.unwrap().status, 200);
    let mut silent = Raw::connect(&hall).await;

    let begun = Instant::now();
    hall.sigterm();
    idle.closed().await;
    silent.closed().await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(hall.ended().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let log = hall.log();
    assert!(
        log.contains("request ended by the stop") && !log.contains("ERROR"),
        "a stop is no alarm: {log}"
    );
    hall.restart().await;
    let stored = upload.offset().await;
    assert_eq!(stored, 1_500_000, "what had come was sealed");
    let done = upload.patch(stored, bytes[stored..].to_vec()).await.expect(204);
    let file = ada
        .get(&format!(
            "/api/v1/nodes/{}/content",
            done.header("campusdisk-node")
        ))
        .await
        .expect(200);
    assert_eq!(sha256_hex(&file.body), sha256_hex(&bytes));
}

#[tokio::test]
async fn sigterm_lets_a_running_request_finish_and_takes_no_new_one() {
    let mut hall = Hall::start().await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    let mut running = Raw::connect(&hall).await;
    let headers = [
        ("authorization", ada.authorization().unwrap()),
        ("content-length", "10"),
    ];
    running
        .head("PUT", &format!("/api/v1/nodes/{root}/children/a"), &headers)
        .await
        .unwrap();
    running.send("01234").await.unwrap();
    // The hall has the request when another one after it is answered.
    ada.get("/healthz").await.expect(200);
    hall.sigterm();
    let begun = Instant::now();
    while tokio::net::TcpStream::connect(hall.address()).await.is_ok() {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it still accepts connections"
        );
    }
    running.send("56789").await.unwrap();
    assert_eq!(running.answer().await.unwrap().status, 201);
    assert_eq!(hall.ended().await.code(), Some(0));
    hall.restart().await;
    assert_eq!(ada.names(&root).await, ["a"]);
}

#[tokio::test]
async fn a_second_hall_on_the_same_data_is_refused() {
    let hall = Hall::start().await;
    let said = hall.run(&["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(said.status.code(), Some(1));
    assert!(
        said.err.contains("another hall") && said.err.contains(&hall.pid().to_string()),
        "{said:?}"
    );
    assert!(!said.out.contains("listening"));
    hall.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn the_whole_hall_lives_below_a_prefix() {
    let hall = Hall::start_configured("[http]\nprefix = \"/portal/disk\"\n").await;
    assert!(hall.base().ends_with("/portal/disk"));
    let ada = hall.account("ada");
    let root = ada.root().await;
    let upload = Upload::create(&ada, &root, "a", 5).await;
    upload.patch(0, "hello").await.expect(204);
    let file = ada
        .get(&format!("/api/v1/nodes/{root}/children/a"))
        .await
        .expect(200)
        .json();
    let path = format!("/api/v1/nodes/{}/shares", file["id"].as_str().unwrap());
    let made = ada.post(&path, json!({})).await.expect(201).json();
    let link = ada.resolve(&path, made["url"].as_str().unwrap());
    assert_eq!(
        hall.nobody()
            .get(&format!("{link}/content"))
            .await
            .expect(200)
            .body,
        b"hello"
    );
    let credentials = json!({"username": "ada", "password": Hall::PASSWORD});
    let signed_in = ada
        .anonymous()
        .post("/api/v1/session", credentials)
        .await
        .expect(200);
    assert!(
        signed_in.header("set-cookie").contains("Path=/portal/disk"),
        "{:?}",
        signed_in.headers
    );
    ada.with_cookie(&signed_in.cookie())
        .get("/api/v1/me")
        .await
        .expect(200);

    assert!(ada.get("/").await.expect(200).text().contains("CampusDisk"));
    let outside = format!("http://{}", hall.address());
    ada.get(&format!("{outside}/api/v1/me")).await.expect(404);
    let without_slash = ada.get(&format!("{outside}/portal/disk")).await.expect(308);
    assert_eq!(ada.resolve("", without_slash.header("location")), "/");
}

#[tokio::test]
async fn the_hall_says_how_it_is() {
    let hall = Hall::start().await;
    let nobody = hall.nobody();
    assert!(
        nobody
            .get("/")
            .await
            .expect(200)
            .text()
            .contains("api/v1/openapi.json")
    );
    nobody.get("/healthz").await.expect(200);
    let ready = nobody.get("/readyz").await.expect(200).json();
    assert_eq!(ready["parts"].as_array().unwrap().len(), 2, "{ready}");
    let document = nobody.get("/api/v1/openapi.json").await.expect(200).json();
    for path in [
        "/api/v1/session",
        "/api/v1/nodes/{id}/content",
        "/api/v1/uploads",
        "/s/{token}",
    ] {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
}

#[tokio::test]
async fn check_config_reaches_every_part_and_names_what_fails() {
    let hall = Hall::start().await;
    let said = hall.done(&["check-config"], "");
    let store = format!("store \"primary\" ({})", hall.store_kind());
    assert!(said.contains("database") && said.contains(&store), "{said}");
    let config = hall.folder().join("hall.toml");
    let blocked =
        "[stores.primary]\nkind = \"local\"\n[stores.tape]\nkind = \"local\"\npath = \"hall.lock/blobs\"\n";
    std::fs::write(&config, blocked).unwrap();
    let said = hall.run(&["check-config"], "");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let failed: Vec<_> = said.out.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(failed.len() == 1 && failed[0].contains("tape"), "{said:?}");
    std::fs::write(&config, "[polcy]\n").unwrap();
    let said = hall.run(&["check-config"], "");
    assert!(
        said.status.code() == Some(1) && said.err.contains("did you mean policy"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_store_in_which_files_lie_can_not_be_left_out() {
    // Keys that are leased and never used count too.
    let mut hall = Hall::start_with("blob_lease_seconds = 3\n[stores.primary]\nkind = \"local\"\n").await;
    let ada = hall.account("ada");
    let home = ada.root().await;
    let file = ada.put(&home, "notes.txt", pattern(300_000, 1)).await;
    let config = hall.folder().join("hall.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let without = before.replace("[stores.primary]", "[storage]\nprimary = \"tape\"\n[stores.tape]")
        + "path = \"tape\"\n";
    std::fs::write(&config, &without).unwrap();
    hall.kill9();
    // First the one that ends in any case.
    for command in ["check-config", "serve"] {
        let said = hall.run(&[command], "");
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        let text = said.out + &said.err;
        assert!(text.contains("there is no [stores.primary]"), "{command}: {text}");
    }
    // Once nothing lies in it, it may go.
    std::fs::write(&config, &before).unwrap();
    hall.restart().await;
    let path = format!("/api/v1/nodes/{}", file["id"].as_str().unwrap());
    ada.delete(&path).await.expect(204);
    ada.delete("/api/v1/trash").await.expect(204);
    until("the bytes are gone", async || {
        let counted = hall.run(&["check"], "").out;
        counted.contains("store \"primary\": 0 live blobs, 0 leased, 0 condemned")
    })
    .await;
    std::fs::write(&config, &without).unwrap();
    hall.restart().await;
    ada.put(&home, "notes.txt", pattern(300_000, 1)).await;
}

/// Starts a download that is far from its end, and waits for its first bytes.
async fn slow_download(hall: &Hall, client: &Client, path: &str) -> Raw {
    let mut slow = Raw::connect(hall).await;
    slow.head("GET", path, &[("authorization", client.authorization().unwrap())])
        .await
        .unwrap();
    assert_eq!(slow.answer_head().await.unwrap().0, 200);
    assert!(slow.skip(100_000).await >= 100_000);
    slow
}

#[tokio::test]
async fn a_locked_account_s_running_transfers_are_cut_within_a_second() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    for (name, by_http) in [("ada", true), ("eve", false)] {
        let client = hall.account(name);
        let home = client.root().await;
        let bytes = pattern(60_000_000, 3);
        let file = client.put(&home, "big", bytes.clone()).await;
        let upload = Upload::create(&client, &home, "up", bytes.len()).await;
        let mut sending = Raw::connect(&hall).await;
        sending
            .head(
                "PATCH",
                &upload.path,
                &strings(&upload.patch_headers(0, bytes.len())),
            )
            .await
            .unwrap();
        sending.send(&bytes[..300_000]).await.unwrap();
        let mut slow = slow_download(&hall, &client, &content(&file)).await;
        let id = client.get("/api/v1/me").await.json()["account"]["id"]
            .as_str()
            .unwrap()
            .to_owned();

        if by_http {
            root.patch(&format!("/api/v1/admin/accounts/{id}"), json!({"locked": true}))
                .await
                .expect(200);
        } else {
            hall.done(&["account", "lock", name], "");
        }
        let locked = Instant::now();
        // The upload's connection is answered or closed without its client's doing.
        let answered = tokio::time::timeout(Duration::from_secs(5), sending.answer()).await;
        let took = locked.elapsed();
        assert!(answered.is_ok() && took < CUT_WITHIN, "{name}: {took:?}");
        if let Ok(Ok(answer)) = answered {
            assert!(answer.status >= 400, "{name}: {answer:?}");
        }
        let got = slow.left_after(locked + CUT_WITHIN).await;
        assert!(got < 50_000_000, "{name}: {got} bytes came after the lock");
        client.get("/api/v1/me").await.expect(401);
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_a_head_is_let_go() {
    let hall = Hall::start_configured("[http]\nheader_timeout_ms = 300\n").await;
    for said in ["", "P", "GET /healthz HTTP/1.1\r\nhost: hall\r\n"] {
        let mut raw = Raw::connect(&hall).await;
        raw.send(said).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(5), raw.closed()).await;
        assert!(closed.is_ok(), "{said:?}");
    }
    hall.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let hall = Hall::start_configured("[http]\nmax_connections = 1\n").await;
    let mut first = Raw::connect(&hall).await;
    first.head("GET", "/healthz", &[]).await.unwrap();
    assert_eq!(first.answer().await.unwrap().status, 200);
    let mut second = Raw::connect(&hall).await;
    second.head("GET", "/healthz", &[]).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), second.answer()).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert_eq!(second.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn nothing_secret_stands_in_the_log() {
    let config = "[log]\nfilter = \"trace\"\nrequests = true\nformat = \"json\"\n[accounts]\nargon2_memory_kib = 64\nargon2_passes = 1\n";
    let hall = Hall::start_configured(config).await;
    let ada = hall.account("ada");
    let file = ada.put(&ada.root().await, "a", "bytes").await;
    let path = format!("/api/v1/nodes/{}/shares", file["id"].as_str().unwrap());
    let made = ada
        .post(&path, json!({"password": "open sesame please"}))
        .await
        .expect(201)
        .json();
    let token = made["token"].as_str().unwrap();
    let opened = hall
        .nobody()
        .post(
            &format!("/s/{token}/unlock"),
            json!({"password": "open sesame please"}),
        )
        .await;
    let ticket = opened.cookie();
    hall.nobody()
        .with_cookie(&ticket)
        .get(&format!("/s/{token}/content"))
        .await
        .expect(200);
    let credentials = json!({"username": "ada", "password": Hall::PASSWORD});
    let session = hall
        .nobody()
        .post("/api/v1/session", credentials)
        .await
        .expect(200)
        .cookie();
    let link = hall.setup_link().unwrap_or_default().to_owned();
    let setup = link
        .split_once("token=")
        .map(|(_, token)| token.to_owned())
        .unwrap_or_default();
    hall.nobody().get(&link).await.expect(200);
    ada.get("/api/v1/me").await.expect(200);

    let log = hall.log();
    assert!(
        log.contains("\"request\"") || log.contains("request"),
        "requests are logged: {log}"
    );
    let bearer = ada
        .authorization()
        .unwrap()
        .trim_start_matches("Bearer ")
        .to_owned();
    let value = |cookie: &str| {
        cookie
            .split_once('=')
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default()
    };
    let secrets = [
        bearer,
        token.to_owned(),
        value(&ticket),
        value(&session),
        setup,
        Hall::PASSWORD.into(),
        "open sesame please".into(),
    ];
    for secret in secrets {
        let found = log.lines().find(|line| line.contains(&secret));
        assert!(
            secret.len() > 5 && found.is_none(),
            "{secret} stands in the log: {found:?}"
        );
    }
}
