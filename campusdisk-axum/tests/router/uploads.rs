//! Resumable uploads over HTTP.

use axum::body::Body;
use base64::Engine as _;
use bytes::Bytes;
use campusdisk_accounts::AccountsConfig;
use campusdisk_core::Policy;
use futures::StreamExt;

use crate::app::{Answer, App, Asking, User};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const STREAM: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn metadata(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{key} {}", base64(value)))
        .collect();
    pairs.join(",")
}

fn create<'a>(user: &User<'a>, pairs: &[(&str, &str)]) -> Asking<'a> {
    user.post("/api/v1/uploads")
        .headers(&[TUS, ("upload-metadata", &metadata(pairs))])
}

/// Begins an upload of a file `a.txt` and returns its address.
async fn begin(user: &User<'_>, length: u64) -> String {
    let answer = create(user, &[("filename", "a.txt")])
        .header("upload-length", &length.to_string())
        .send()
        .await;
    assert_eq!(answer.status(), 201, "{answer:?}");
    address(&answer)
}

fn address(answer: &Answer) -> String {
    format!("/api/v1/{}", answer.header("location"))
}

fn patch<'a>(user: &User<'a>, address: &str, offset: u64) -> Asking<'a> {
    user.patch(address)
        .headers(&[TUS, STREAM, ("upload-offset", &offset.to_string())])
}

fn join<'a>(user: &User<'a>, parts: &str) -> Asking<'a> {
    create(user, &[("filename", "joined.txt")]).header("upload-concat", &format!("final;{parts}"))
}

async fn offset(user: &User<'_>, address: &str) -> u64 {
    let answer = user.request("HEAD", address).headers(&[TUS]).send().await;
    assert_eq!(
        (answer.status(), answer.header("cache-control")),
        (200, "no-store")
    );
    answer.header("upload-offset").parse().unwrap()
}

async fn content(user: &User<'_>, node: &str) -> Bytes {
    user.get(&format!("/api/v1/nodes/{node}/content"))
        .send()
        .await
        .bytes()
        .clone()
}

#[tokio::test]
async fn the_server_says_what_it_speaks_to_anybody() {
    let app = App::new().await;
    let answer = app.request("OPTIONS", "/api/v1/uploads").send().await;
    assert_eq!((answer.status(), answer.header("tus-version")), (204, "1.0.0"));
    for extension in [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    ] {
        assert!(
            answer
                .header("tus-extension")
                .split(',')
                .any(|known| known == extension),
            "{extension}"
        );
    }
    assert_eq!(answer.header("tus-checksum-algorithm"), "sha1,sha256,md5");
    assert!(answer.header("tus-max-size").parse::<u64>().is_ok());
}

#[tokio::test]
async fn a_file_comes_in_pieces_and_exists_when_the_last_is_answered() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let address = begin(&ada, 10).await;
    let first = patch(&ada, &address, 0).body("01234").send().await;
    assert_eq!(
        (
            first.status(),
            first.header("upload-offset"),
            first.header("tus-resumable")
        ),
        (204, "5", "1.0.0")
    );
    assert!(first.header("upload-expires").ends_with(" GMT") && first.header("campusdisk-node").is_empty());
    assert_eq!(offset(&ada, &address).await, 5);
    let listed = ada.get("/api/v1/uploads").await_ok(200).await;
    assert_eq!(
        (
            listed["items"][0]["offset"].as_u64(),
            listed["items"][0]["size"].as_u64()
        ),
        (Some(5), Some(10))
    );
    assert_eq!(listed["items"][0]["name"], "a.txt");

    let last = patch(&ada, &address, 5).body("56789").send().await;
    assert_eq!((last.status(), last.header("upload-offset")), (204, "10"));
    assert_eq!(content(&ada, last.header("campusdisk-node")).await, "0123456789");
    let done = ada.request("HEAD", &address).headers(&[TUS]).send().await;
    assert_eq!(
        (done.header("upload-offset"), done.header("campusdisk-node")),
        ("10", last.header("campusdisk-node"))
    );
    assert_eq!(done.header("upload-metadata"), metadata(&[("filename", "a.txt")]));
}

#[tokio::test]
async fn requests_that_break_the_protocol_are_refused_and_change_nothing() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let address = begin(&ada, 10).await;
    patch(&ada, &address, 0).body("01234").await_ok(204).await;

    let without_version = ada
        .patch(&address)
        .headers(&[STREAM, ("upload-offset", "5")])
        .body("56789")
        .send()
        .await;
    without_version.expect_problem(412, "tus_version");
    assert_eq!(without_version.header("tus-version"), "1.0.0");
    patch(&ada, &address, 4)
        .body("x")
        .await_problem(409, "conflict")
        .await;
    patch(&ada, &address, 6)
        .body("x")
        .await_problem(409, "conflict")
        .await;
    let typed = ada
        .patch(&address)
        .headers(&[TUS, ("content-type", "text/plain"), ("upload-offset", "5")]);
    typed.body("x").await_problem(415, "unsupported_media_type").await;
    ada.patch(&address)
        .headers(&[TUS, STREAM])
        .body("x")
        .await_problem(400, "invalid_input")
        .await;
    ada.patch(&address)
        .headers(&[TUS, STREAM, ("upload-offset", "-5")])
        .body("x")
        .await_problem(400, "invalid_input")
        .await;
    let long = patch(&ada, &address, 5)
        .header("content-length", "6")
        .body("567890")
        .send()
        .await;
    assert_eq!(long.status(), 413, "{long:?}");
    assert_eq!(offset(&ada, &address).await, 5);
    let bob = app.user("bob").await;
    for stranger in [&bob, &app.administrator().await] {
        stranger
            .request("HEAD", &address)
            .headers(&[TUS])
            .await_ok(404)
            .await;
        patch(stranger, &address, 5)
            .body("56789")
            .await_problem(404, "not_found")
            .await;
        stranger
            .delete(&address)
            .headers(&[TUS])
            .await_problem(404, "not_found")
            .await;
    }
    assert_eq!(offset(&ada, &address).await, 5);
}

#[tokio::test]
async fn a_creation_names_its_file_and_its_length() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let length = ("upload-length", "1");
    create(&ada, &[])
        .headers(&[length])
        .await_problem(422, "invalid_input")
        .await;
    for name in ["", "..", "a/b", "a."] {
        create(&ada, &[("filename", name)])
            .headers(&[length])
            .await_problem(422, "invalid_input")
            .await;
    }
    create(&ada, &[("filename", "a")])
        .await_problem(400, "invalid_input")
        .await;
    create(&ada, &[("filename", "a")])
        .headers(&[("upload-length", "x")])
        .await_problem(400, "invalid_input")
        .await;
    let foreign = create(&ada, &[("filename", "a")])
        .headers(&[length, ("content-type", "text/plain")])
        .body("x");
    foreign.await_problem(415, "unsupported_media_type").await;
    for pairs in [
        [("filename", "a"), ("on_conflict", "sing")],
        [("filename", "a"), ("sha256", "abc")],
        [("filename", "a"), ("relativePath", "x/../a")],
        [("filename", "a"), ("relativePath", "x/b")],
    ] {
        create(&ada, &pairs)
            .headers(&[length])
            .await_problem(422, "invalid_input")
            .await;
    }
    create(&ada, &[("filename", "a"), ("parent", "nonsense")])
        .headers(&[length])
        .await_problem(404, "not_found")
        .await;
    let root = app.user("bob").await.root().await;
    create(&ada, &[("filename", "a"), ("parent", &root)])
        .headers(&[length])
        .await_problem(404, "not_found")
        .await;
    let huge = (5u64 << 40) + 1;
    let answer = create(&ada, &[("filename", "a")])
        .header("upload-length", &huge.to_string())
        .send()
        .await;
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn bytes_may_come_with_the_creation() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let whole = create(&ada, &[("filename", "a.txt")])
        .headers(&[STREAM, ("upload-length", "5")])
        .body("hello")
        .send()
        .await;
    assert_eq!((whole.status(), whole.header("upload-offset")), (201, "5"));
    assert_eq!(content(&ada, whole.header("campusdisk-node")).await, "hello");
    let part = create(&ada, &[("filename", "b.txt")])
        .headers(&[STREAM, ("upload-length", "5")])
        .body("he")
        .send()
        .await;
    assert_eq!((part.status(), part.header("upload-offset")), (201, "2"));
    assert_eq!(
        patch(&ada, &address(&part), 2)
            .body("llo")
            .send()
            .await
            .header("upload-offset"),
        "5"
    );
    let empty = create(&ada, &[("filename", "empty")])
        .headers(&[("upload-length", "0")])
        .send()
        .await;
    assert_eq!(
        (
            empty.status(),
            content(&ada, empty.header("campusdisk-node")).await.len()
        ),
        (201, 0)
    );
}

#[tokio::test]
async fn a_length_may_be_said_later() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let answer = create(&ada, &[("filename", "a.txt")])
        .headers(&[("upload-defer-length", "1")])
        .send()
        .await;
    let address = address(&answer);
    patch(&ada, &address, 0).body("hel").await_ok(204).await;
    let head = ada.request("HEAD", &address).headers(&[TUS]).send().await;
    assert_eq!(
        (head.header("upload-defer-length"), head.header("upload-length")),
        ("1", "")
    );
    let last = patch(&ada, &address, 3)
        .header("upload-length", "5")
        .body("lo")
        .send()
        .await;
    assert_eq!(content(&ada, last.header("campusdisk-node")).await, "hello");
}

#[tokio::test]
async fn bytes_with_a_checksum_count_whole_or_not_at_all() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let address = begin(&ada, 5).await;
    let sum = |value: &str| patch(&ada, &address, 0).header("upload-checksum", value);
    for (value, body) in [
        ("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hellO"),
        ("md5 XUFAKrxLKna5cZ2REBfFkg==", "hellO"),
        ("sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "hellO"),
    ] {
        let answer = sum(value).body(body).send().await;
        answer.expect_problem(460, "checksum_mismatch");
        assert_eq!(offset(&ada, &address).await, 0);
    }
    sum("crc32 AAAA")
        .body("hello")
        .await_problem(400, "invalid_input")
        .await;
    let good = sum("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=")
        .body("hello")
        .send()
        .await;
    assert_eq!((good.status(), good.header("upload-offset")), (204, "5"));
}

#[tokio::test]
async fn a_declared_sha256_that_does_not_fit_makes_no_file() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let wrong = create(&ada, &[("filename", "a"), ("sha256", &"0".repeat(64))])
        .headers(&[STREAM, ("upload-length", "5")]);
    wrong
        .body("hello")
        .send()
        .await
        .expect_problem(460, "checksum_mismatch");
    let listed = ada
        .get(&format!("/api/v1/nodes/{}/children", ada.root().await))
        .await_ok(200)
        .await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn bytes_that_the_account_has_already_need_not_come_again() {
    let app = App::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let node = ada.file("a.txt", "hello").await;
    let pairs = [
        ("filename", "b.txt"),
        ("sha256", node["sha256"].as_str().unwrap()),
    ];
    let known = create(&ada, &pairs)
        .headers(&[("upload-length", "5")])
        .send()
        .await;
    assert_eq!((known.status(), known.header("upload-offset")), (201, "5"));
    assert_eq!(content(&ada, known.header("campusdisk-node")).await, "hello");
    let foreign = create(&bob, &pairs)
        .headers(&[("upload-length", "5")])
        .send()
        .await;
    assert_eq!(
        (foreign.header("upload-offset"), foreign.header("campusdisk-node")),
        ("0", "")
    );
}

#[tokio::test]
async fn folders_are_made_on_the_way_and_taken_names_are_handled_as_asked() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let put = |pairs: &[(&str, &str)]| {
        create(&ada, pairs)
            .headers(&[STREAM, ("upload-length", "1")])
            .body("x")
    };
    let first = put(&[("filename", "a.txt"), ("relativePath", "2026/autumn/a.txt")])
        .send()
        .await;
    assert_eq!(first.status(), 201);
    let node = ada
        .get(&format!("/api/v1/nodes/{}", first.header("campusdisk-node")))
        .await_ok(200)
        .await;
    let parent = ada
        .get(&format!("/api/v1/nodes/{}", node["parent"].as_str().unwrap()))
        .await_ok(200)
        .await;
    assert_eq!(parent["name"], "autumn");
    let again = put(&[("filename", "a.txt"), ("relativePath", "2026/autumn/a.txt")])
        .send()
        .await;
    let renamed = ada
        .get(&format!("/api/v1/nodes/{}", again.header("campusdisk-node")))
        .await_ok(200)
        .await;
    assert_eq!(
        (renamed["name"].as_str(), &renamed["parent"]),
        (Some("a (2).txt"), &node["parent"])
    );
    let parent = node["parent"].as_str().unwrap();
    let version = put(&[
        ("filename", "a.txt"),
        ("parent", parent),
        ("on_conflict", "version"),
    ])
    .send()
    .await;
    assert_eq!(version.header("campusdisk-node"), first.header("campusdisk-node"));
    let refused = put(&[("filename", "a.txt"), ("parent", parent), ("on_conflict", "fail")]);
    refused.await_problem(409, "exists").await;
    let no_path = put(&[("filename", "c.txt"), ("relativePath", "null")])
        .send()
        .await;
    assert_eq!(no_path.status(), 201);
}

#[tokio::test]
async fn parts_are_joined_in_the_order_asked() {
    let app = App::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let part = async |bytes: &'static str| {
        let answer = ada.post("/api/v1/uploads").headers(&[
            TUS,
            STREAM,
            ("upload-concat", "partial"),
            ("upload-length", "5"),
        ]);
        address(&answer.body(bytes).send().await)
    };
    let (one, two, open) = (part("hello").await, part("world").await, part("not").await);
    assert_eq!(
        ada.request("HEAD", &one)
            .headers(&[TUS])
            .send()
            .await
            .header("upload-concat"),
        "partial"
    );
    join(&ada, &format!("{one} {open}"))
        .await_problem(400, "invalid_input")
        .await;
    join(&bob, &one).await_problem(404, "not_found").await;
    join(&ada, "").await_problem(400, "invalid_input").await;
    let parts = format!("https://disk.example{two} {one}");
    let joined = join(&ada, &parts).send().await;
    assert_eq!(joined.status(), 201, "{joined:?}");
    assert_eq!(
        content(&ada, joined.header("campusdisk-node")).await,
        "worldhello"
    );
    patch(&ada, &address(&joined), 10)
        .body("x")
        .await_problem(403, "denied")
        .await;
    let head = ada
        .request("HEAD", &address(&joined))
        .headers(&[TUS])
        .send()
        .await;
    assert_eq!(head.header("upload-concat"), format!("final;{parts}"));
    assert_eq!(
        (head.header("upload-length"), head.header("upload-offset")),
        ("10", "10")
    );
    assert_eq!(
        head.header("upload-metadata"),
        metadata(&[("filename", "joined.txt")])
    );
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_gone() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let address = begin(&ada, 5).await;
    ada.delete(&address).await_problem(412, "tus_version").await;
    ada.delete(&address).headers(&[TUS]).await_ok(204).await;
    assert_eq!(
        ada.request("HEAD", &address)
            .headers(&[TUS])
            .send()
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn what_came_before_the_connection_broke_stays() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let address = begin(&ada, 10).await;
    let pieces = futures::stream::iter([Ok(Bytes::from_static(b"01234"))]);
    let broken = pieces.chain(futures::stream::iter([Err(std::io::Error::other("reset"))]));
    patch(&ada, &address, 0)
        .body(Body::from_stream(broken))
        .await_problem(400, "truncated")
        .await;
    assert_eq!(offset(&ada, &address).await, 5);
    let last = patch(&ada, &address, 5).body("56789").send().await;
    assert_eq!(content(&ada, last.header("campusdisk-node")).await, "0123456789");
}

#[tokio::test]
async fn an_upload_over_quota_is_507_before_a_byte_is_sent() {
    let mut policy = Policy::default();
    policy.personal_quota_bytes = Some(100);
    let app = App::with(policy, AccountsConfig::default()).await;
    let ada = app.user("ada").await;
    create(&ada, &[("filename", "a")])
        .headers(&[("upload-length", "101")])
        .await_problem(507, "quota_exceeded")
        .await;
    create(&ada, &[("filename", "a")])
        .headers(&[("upload-length", "100")])
        .await_ok(201)
        .await;
}

#[tokio::test]
async fn a_writer_whose_client_rests_is_told_at_once_that_another_took_over() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let address = begin(&ada, 10).await;
    let pieces = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"01234"))]);
    let resting = Body::from_stream(pieces.chain(futures::stream::pending()));
    let first = patch(&ada, &address, 0).body(resting).send();
    let second = async {
        // The bytes are handed over before the other asks.
        while ada.get("/api/v1/uploads").await_ok(200).await["items"][0]["offset"] != 5 {
            offset(&ada, &address).await;
        }
    };
    let (first, ()) = tokio::join!(first, second);
    first.expect_problem(409, "conflict");
    assert_eq!(offset(&ada, &address).await, 5);
}
