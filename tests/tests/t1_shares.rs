//! Shares over a socket: passwords, limits, networks, folders, drops.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::time::{Duration, Instant};

use campusdisk_tests::{Client, Hall, Raw, Upload, pattern};
use serde_json::{Value, json};

struct Shared {
    hall: Hall,
    ada: Client,
    visitor: Client,
    root: String,
    file: Value,
    bytes: Vec<u8>,
}

async fn shared_file(len: usize) -> Shared {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    let bytes = pattern(len, 1);
    let file = ada.put(&root, "a.bin", bytes.clone()).await;
    Shared {
        visitor: hall.nobody(),
        hall,
        ada,
        root,
        file,
        bytes,
    }
}

impl Shared {
    /// Shares the file; returns what was answered and the link's path.
    async fn share(&self, conditions: Value) -> (Value, String) {
        share(&self.ada, self.file["id"].as_str().unwrap(), conditions).await
    }
}

async fn share(maker: &Client, node: &str, conditions: Value) -> (Value, String) {
    let path = format!("/api/v1/nodes/{node}/shares");
    let made = maker.post(&path, conditions).await.expect(201).json();
    let link = maker.resolve(&path, made["url"].as_str().unwrap());
    assert_eq!(link, format!("/s/{}", made["token"].as_str().unwrap()));
    (made, link)
}

#[tokio::test]
async fn anybody_with_the_link_fetches_a_public_share_until_it_ends() {
    let shared = shared_file(100_000).await;
    let (made, link) = shared.share(json!({})).await;
    let facts = shared
        .visitor
        .get_with(&link, &[("accept", "application/json")])
        .await
        .expect(200)
        .json();
    assert_eq!(
        (
            facts["name"].as_str(),
            facts["size"].as_u64(),
            facts["needs_password"].as_bool()
        ),
        (Some("a.bin"), Some(100_000), Some(false))
    );
    let page = shared
        .visitor
        .get_with(&link, &[("accept", "text/html")])
        .await
        .expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let content = format!("{link}/content");
    assert_eq!(shared.visitor.get(&content).await.expect(200).body, shared.bytes);
    let part = shared
        .visitor
        .get_with(&content, &[("range", "bytes=10-19")])
        .await
        .expect(206);
    assert_eq!(part.body, shared.bytes[10..20]);
    let listed = shared.ada.get("/api/v1/shares").await.expect(200).json();
    assert_eq!(
        (
            listed["items"].as_array().unwrap().len(),
            listed["items"][0]["name"].as_str()
        ),
        (1, Some("a.bin"))
    );

    let eve = shared.hall.account("eve");
    let path = format!("/api/v1/shares/{}", made["id"].as_str().unwrap());
    eve.delete(&path).await.expect(404);
    let saved = eve
        .post(&format!("{link}/save"), json!({}))
        .await
        .expect(201)
        .json();
    shared.ada.delete(&path).await.expect(204);
    let dead = shared
        .visitor
        .get_with(&link, &[("accept", "application/json")])
        .await
        .expect(404)
        .json();
    let unknown = shared
        .visitor
        .get_with("/s/unknowntoken", &[("accept", "application/json")])
        .await
        .expect(404)
        .json();
    assert_eq!(
        (&dead["kind"], &dead["detail"]),
        (&unknown["kind"], &unknown["detail"])
    );
    shared.visitor.get(&content).await.expect(404);
    let kept = eve
        .get(&format!(
            "/api/v1/nodes/{}/content",
            saved["id"].as_str().unwrap()
        ))
        .await
        .expect(200);
    assert_eq!(kept.body, shared.bytes);
}

#[tokio::test]
async fn deleting_a_file_ends_its_shares_and_an_expired_one_is_dead() {
    let shared = shared_file(1000).await;
    let (_, link) = shared.share(json!({})).await;
    let (_, expired) = shared.share(json!({"expires": "2999-01-01T00:00:00Z"})).await;
    shared
        .visitor
        .get(&format!("{expired}/content"))
        .await
        .expect(200);
    let path = format!("/api/v1/nodes/{}/shares", shared.file["id"].as_str().unwrap());
    let past = shared
        .ada
        .post(&path, json!({"expires": "2001-01-01T00:00:00Z"}))
        .await;
    assert!(past.status == 422 || past.status == 400, "{past:?}");
    shared
        .ada
        .delete(&format!("/api/v1/nodes/{}", shared.file["id"].as_str().unwrap()))
        .await
        .expect(204);
    for link in [link, expired] {
        shared.visitor.get(&format!("{link}/content")).await.expect(404);
    }
}

#[tokio::test]
async fn a_password_opens_a_share_for_its_visitor_only() {
    let shared = shared_file(1000).await;
    let (made, link) = shared.share(json!({"password": true})).await;
    let password = made["password"]
        .as_str()
        .expect("a random password, shown to its maker");
    let content = format!("{link}/content");
    shared.visitor.get(&content).await.expect(401);
    let unlock = format!("{link}/unlock");
    let wrong = shared.visitor.post(&unlock, json!({"password": "wrong"})).await;
    assert_eq!(wrong.status, 403, "{wrong:?}");
    let opened = shared
        .visitor
        .post(&unlock, json!({"password": password}))
        .await
        .expect(204);
    let cookie = opened.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains(&format!("Path={link}")),
        "{cookie}"
    );
    assert_eq!(
        shared
            .visitor
            .with_cookie(&opened.cookie())
            .get(&content)
            .await
            .expect(200)
            .body,
        shared.bytes
    );
    let json_type = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
    ];
    let body = json!({"password": password}).to_string();
    let ticket = shared
        .visitor
        .send("POST", &unlock, &json_type, body)
        .await
        .expect(200)
        .json();
    let with_ticket = format!("{content}?ticket={}", ticket["ticket"].as_str().unwrap());
    assert_eq!(
        shared.visitor.get(&with_ticket).await.expect(200).body,
        shared.bytes
    );
    shared
        .visitor
        .get(&format!("{content}?ticket=forged"))
        .await
        .expect(401);
    shared.visitor.get(&content).await.expect(401);

    let (_, other) = shared.share(json!({"password": "another one"})).await;
    let elsewhere = shared
        .visitor
        .with_cookie(&opened.cookie())
        .get(&format!("{other}/content"))
        .await;
    assert_eq!(elsewhere.status, 401);
    let listed = shared.ada.get("/api/v1/shares").await.expect(200).text();
    assert!(!listed.contains(password) && !listed.contains("another one"));
}

#[tokio::test]
async fn guessing_a_share_s_password_is_throttled() {
    let shared = shared_file(10).await;
    let (_, link) = shared.share(json!({"password": "the right one"})).await;
    let unlock = format!("{link}/unlock");
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(
            shared
                .visitor
                .post(&unlock, json!({"password": "wrong"}))
                .await
                .status,
        );
    }
    assert_eq!(statuses[..10], [403; 10]);
    assert_eq!(statuses[10], 429);
    let right = shared
        .visitor
        .post(&unlock, json!({"password": "the right one"}))
        .await
        .expect(429);
    assert!(right.header("retry-after").parse::<u64>().is_ok());
}

#[tokio::test]
async fn a_download_limit_counts_downloads_not_requests() {
    let shared = shared_file(3_000_000).await;
    let (made, link) = shared.share(json!({"max_downloads": 1})).await;
    let content = format!("{link}/content");
    // HEAD, 304 and 416 spend nothing.
    let head = shared.visitor.head(&content).await.expect(200);
    let etag = head.header("etag").to_owned();
    let first = shared.visitor.with_cookie(&head.cookie());
    first
        .get_with(&content, &[("if-none-match", &etag)])
        .await
        .expect(304);
    first
        .get_with(&content, &[("range", "bytes=9999999-")])
        .await
        .expect(416);
    let part = first
        .get_with(&content, &[("range", "bytes=0-99999")])
        .await
        .expect(206);
    let cookie = if part.cookie().is_empty() {
        head.cookie()
    } else {
        part.cookie()
    };
    let first = shared.visitor.with_cookie(&cookie);
    assert_eq!(first.get(&content).await.expect(200).body, shared.bytes);
    // Twice the size is the end, whatever the ranges; the last answer may be cut off in its middle.
    let mut had = 100_000 + shared.bytes.len();
    for _ in 0..40 {
        let range = [("range", "bytes=0-499999")];
        match first.try_send("GET", &content, &range, "").await {
            Ok(answer) if answer.status == 206 => had += answer.body.len(),
            Ok(answer) => {
                answer.expect(404);
                break;
            }
            Err(_) => {}
        }
    }
    assert!(had > shared.bytes.len() && had <= 2 * shared.bytes.len(), "{had}");
    let listed = shared.ada.get("/api/v1/shares").await.json();
    let own = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|share| share["id"] == made["id"]);
    assert!(own.is_none_or(|share| share["downloads"] == 1), "{listed}");
}

#[tokio::test]
async fn racing_clients_do_not_get_more_downloads_than_there_are() {
    let shared = shared_file(200_000).await;
    let (_, link) = shared
        .share(json!({"max_downloads": 3, "password": "the right one"}))
        .await;
    let mut tickets = Vec::new();
    for _ in 0..8 {
        let opened = shared
            .visitor
            .post(&format!("{link}/unlock"), json!({"password": "the right one"}))
            .await
            .expect(204);
        tickets.push(shared.visitor.with_cookie(&opened.cookie()));
    }
    let content = format!("{link}/content");
    let racing = tickets.iter().map(|client| client.get(&content));
    let answers = futures::future::join_all(racing).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(
        won,
        3,
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 || answer.status == 404)
    );
}

#[tokio::test]
async fn a_share_answers_only_its_networks() {
    let shared = shared_file(10).await;
    let (_, far) = shared.share(json!({"allow_from": ["192.0.2.0/24"]})).await;
    shared.visitor.get(&format!("{far}/content")).await.expect(404);
    // Nobody is believed who says that he is somewhere else.
    let forged = shared
        .visitor
        .get_with(&format!("{far}/content"), &[("x-forwarded-for", "192.0.2.1")])
        .await;
    assert_eq!(forged.status, 404);
    let (_, near) = shared.share(json!({"allow_from": ["127.0.0.0/8"]})).await;
    shared.visitor.get(&format!("{near}/content")).await.expect(200);

    let hall = Hall::start_configured("[http]\ntrusted_proxies = [\"127.0.0.1/32\"]\n").await;
    let ada = hall.account("ada");
    let file = ada.put(&ada.root().await, "a", "bytes").await;
    let (_, far) = share(
        &ada,
        file["id"].as_str().unwrap(),
        json!({"allow_from": ["192.0.2.0/24"]}),
    )
    .await;
    let content = format!("{far}/content");
    hall.nobody()
        .get_with(&content, &[("x-forwarded-for", "192.0.2.1")])
        .await
        .expect(200);
    hall.nobody()
        .get_with(&content, &[("x-forwarded-for", "192.0.2.1, 198.51.100.1")])
        .await
        .expect(404);
}

#[tokio::test]
async fn a_shared_folder_is_walked_but_never_left() {
    let shared = shared_file(10).await;
    let (ada, visitor) = (&shared.ada, &shared.visitor);
    let docs = ada.folder(&shared.root, "docs").await;
    let inner = ada.folder(&docs, "inner").await;
    let file = ada.put(&inner, "b.txt", "hello").await;
    let (_, link) = share(ada, &docs, json!({})).await;
    let list = visitor.get(&format!("{link}/children")).await.expect(200).json();
    assert_eq!(list["items"][0]["name"], "inner");
    let list = visitor
        .get(&format!("{link}/children/{inner}"))
        .await
        .expect(200)
        .json();
    assert_eq!(list["items"][0]["name"], "b.txt");
    let node = file["id"].as_str().unwrap();
    assert_eq!(
        visitor
            .get(&format!("{link}/nodes/{node}/content"))
            .await
            .expect(200)
            .body,
        b"hello"
    );
    let outside = shared.file["id"].as_str().unwrap();
    visitor
        .get(&format!("{link}/nodes/{outside}/content"))
        .await
        .expect(404);
    visitor
        .get(&format!("{link}/children/{}", shared.root))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_drop_takes_files_and_gives_none_back() {
    let shared = shared_file(10).await;
    let (ada, visitor) = (&shared.ada, &shared.visitor);
    let inbox = ada.folder(&shared.root, "inbox").await;
    let (_, link) = share(ada, &inbox, json!({"drop": true})).await;
    let (_, plain) = share(ada, &inbox, json!({})).await;
    let put = async |link: &str, bytes: &'static str| {
        visitor
            .send("PUT", &format!("{link}/children/work.txt"), &[], bytes)
            .await
    };
    assert_eq!(put(&link, "first").await.expect(201).json()["name"], "work.txt");
    let second = put(&link, "second").await.expect(201).json();
    assert_ne!(second["name"], "work.txt");
    assert!((400..500).contains(&put(&plain, "third").await.status));
    for path in [
        format!("{link}/children"),
        format!("{link}/content"),
        format!("{link}/children/work.txt"),
    ] {
        let answer = visitor.get(&path).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    let uploads = format!("{link}/uploads");
    let metadata = Upload::metadata(&[("filename", "big.bin")]);
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("upload-length", "10"),
        ("upload-metadata", metadata.as_str()),
    ];
    let created = visitor.send("POST", &uploads, &headers, "").await.expect(201);
    let at = visitor.resolve(&uploads, created.header("location"));
    let visitor = if created.cookie().is_empty() {
        visitor.clone()
    } else {
        visitor.with_cookie(&created.cookie())
    };
    let body = [
        ("tus-resumable", "1.0.0"),
        ("content-type", "application/offset+octet-stream"),
        ("upload-offset", "0"),
    ];
    visitor.send("PATCH", &at, &body, "0123456789").await.expect(204);
    let mut names = ada.names(&inbox).await;
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&"big.bin".to_owned()) && names.contains(&"work.txt".to_owned()));
}

#[tokio::test]
async fn a_running_download_ends_within_a_second_of_its_share() {
    let shared = shared_file(60_000_000).await;
    let (made, link) = shared.share(json!({})).await;
    let mut slow = Raw::connect(&shared.hall).await;
    slow.head("GET", &format!("{link}/content"), &[]).await.unwrap();
    assert_eq!(slow.answer_head().await.unwrap().0, 200);
    assert!(slow.skip(100_000).await >= 100_000);
    shared
        .ada
        .delete(&format!("/api/v1/shares/{}", made["id"].as_str().unwrap()))
        .await
        .expect(204);
    let got = slow.left_after(Instant::now() + Duration::from_secs(1)).await;
    assert!(got < 50_000_000, "{got} bytes came after the share ended");
}
