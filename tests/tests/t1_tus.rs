//! Resumable uploads over a socket: the protocol, cut connections, a killed hall.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campusdisk_tests::{Client, Hall, Raw, Upload, pattern, sha256_hex};
use serde_json::Value;

async fn hall_and_ada() -> (Hall, Client, String) {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    (hall, ada, root)
}

async fn assert_stored(client: &Client, node: &str, bytes: &[u8]) {
    let facts = client
        .get(&format!("/api/v1/nodes/{node}"))
        .await
        .expect(200)
        .json();
    assert_eq!(facts["size"], bytes.len());
    let stored = client
        .get(&format!("/api/v1/nodes/{node}/content"))
        .await
        .expect(200);
    assert_eq!(sha256_hex(&stored.body), sha256_hex(bytes));
}

fn strings(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[tokio::test]
async fn options_say_what_is_spoken() {
    let (_hall, ada, _) = hall_and_ada().await;
    let answer = ada.send("OPTIONS", "/api/v1/uploads", &[], "").await;
    assert!(answer.status == 204 || answer.status == 200, "{answer:?}");
    assert_eq!(answer.header("tus-version"), "1.0.0");
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
                .any(|spoken| spoken == extension),
            "{extension}"
        );
    }
    assert_eq!(answer.header("tus-checksum-algorithm"), "sha1,sha256,md5");
}

#[tokio::test]
async fn an_upload_in_pieces_becomes_a_file_with_its_last_byte() {
    let (_hall, ada, root) = hall_and_ada().await;
    let bytes = pattern(700_001, 1);
    let upload = Upload::create(&ada, &root, "a.bin", bytes.len()).await;
    let created = upload.head().await.expect(200);
    assert_eq!(
        (created.header("upload-offset"), created.header("upload-length")),
        ("0", "700001")
    );
    assert_eq!(created.header("cache-control"), "no-store");
    assert!(
        !created.header("upload-expires").is_empty()
            && created.header("upload-metadata").contains("filename ")
    );
    let mut at = 0;
    for piece in bytes.chunks(300_000) {
        assert!(ada.names(&root).await.is_empty(), "a half file shows");
        let answer = upload.patch(at, piece.to_vec()).await.expect(204);
        at += piece.len();
        assert_eq!(answer.header("upload-offset"), at.to_string());
        assert_eq!(answer.header("campusdisk-node").is_empty(), at < bytes.len());
    }
    assert_eq!(ada.names(&root).await, ["a.bin"]);
    let node = ada
        .get(&format!("/api/v1/nodes/{root}/children/a.bin"))
        .await
        .expect(200)
        .json();
    assert_eq!(node["sha256"], sha256_hex(&bytes));
    assert_stored(&ada, node["id"].as_str().unwrap(), &bytes).await;
    assert_eq!(upload.offset().await, bytes.len());
}

#[tokio::test]
async fn an_upload_created_with_its_bytes_is_done_at_once() {
    let (_hall, ada, root) = hall_and_ada().await;
    let metadata = Upload::metadata(&[
        ("filename", "a.txt"),
        ("parent", &root),
        ("filetype", "text/plain"),
    ]);
    let headers = [
        ("upload-length", "5"),
        ("upload-metadata", metadata.as_str()),
        ("content-type", "application/offset+octet-stream"),
    ];
    let answer = Upload::ask(&ada, &headers, b"hello".to_vec()).await.expect(201);
    assert_eq!(answer.header("upload-offset"), "5");
    assert_stored(&ada, answer.header("campusdisk-node"), b"hello").await;
    let wrong = [headers[0], headers[1], ("content-type", "text/plain")];
    Upload::ask(&ada, &wrong, b"hello".to_vec()).await.expect(415);
    let empty = [("upload-length", "0"), ("upload-metadata", metadata.as_str())];
    let answer = Upload::ask(&ada, &empty, Vec::new()).await.expect(201);
    assert_stored(&ada, answer.header("campusdisk-node"), b"").await;
    assert_eq!(ada.names(&root).await.len(), 2, "a taken name gets another");
}

#[tokio::test]
async fn a_length_may_be_said_later() {
    let (_hall, ada, root) = hall_and_ada().await;
    let metadata = Upload::metadata(&[("filename", "a"), ("parent", &root)]);
    let answer = Upload::ask(
        &ada,
        &[("upload-defer-length", "1"), ("upload-metadata", &metadata)],
        Vec::new(),
    )
    .await
    .expect(201);
    let upload = Upload::at(&ada, answer.header("location"));
    assert_eq!(upload.head().await.header("upload-defer-length"), "1");
    upload.patch(0, "hel").await.expect(204);
    let answer = upload
        .patch_with(3, &[("upload-length", "5")], "lo")
        .await
        .expect(204);
    assert_stored(&ada, answer.header("campusdisk-node"), b"hello").await;
}

#[tokio::test]
async fn a_piece_with_a_checksum_counts_whole_or_not_at_all() {
    let (_hall, ada, root) = hall_and_ada().await;
    let upload = Upload::create(&ada, &root, "a", 10).await;
    let sha1 = |bytes: &[u8]| match bytes {
        b"hello" => "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
        _ => panic!("no checksum known"),
    };
    upload
        .patch_with(0, &[("upload-checksum", sha1(b"hello"))], "jello")
        .await
        .expect(460);
    assert_eq!(upload.offset().await, 0);
    upload
        .patch_with(0, &[("upload-checksum", "sha512 xyz=")], "hello")
        .await
        .expect(400);
    upload
        .patch_with(0, &[("upload-checksum", sha1(b"hello"))], "hello")
        .await
        .expect(204);
    let sha256 = (0..32).map(|at| u8::from_str_radix(&sha256_hex(b"world")[at * 2..at * 2 + 2], 16).unwrap());
    let sha256 = format!("sha256 {}", STANDARD.encode(sha256.collect::<Vec<u8>>()));
    let answer = upload
        .patch_with(5, &[("upload-checksum", &sha256)], "world")
        .await
        .expect(204);
    assert_stored(&ada, answer.header("campusdisk-node"), b"helloworld").await;
}

#[tokio::test]
async fn a_declared_hash_that_does_not_fit_makes_no_file_and_one_that_is_known_needs_no_bytes() {
    let (hall, ada, root) = hall_and_ada().await;
    let hash = sha256_hex(b"hello");
    let metadata = [
        ("filename", "a"),
        ("parent", root.as_str()),
        ("sha256", hash.as_str()),
    ];
    let upload = Upload::create_with(&ada, &metadata, 5).await;
    upload.patch(0, "jello").await.expect(460);
    assert!(ada.names(&root).await.is_empty());
    let upload = Upload::create_with(&ada, &metadata, 5).await;
    upload.patch(0, "hello").await.expect(204);

    let length = [
        ("upload-length", "5"),
        ("upload-metadata", &Upload::metadata(&metadata)),
    ];
    let again = Upload::ask(&ada, &length, Vec::new()).await.expect(201);
    assert_stored(&ada, again.header("campusdisk-node"), b"hello").await;
    let eve = hall.account("eve");
    let hers = Upload::metadata(&[("filename", "a"), ("sha256", &hash)]);
    let answer = Upload::ask(
        &eve,
        &[("upload-length", "5"), ("upload-metadata", &hers)],
        Vec::new(),
    )
    .await
    .expect(201);
    assert_eq!(
        answer.header("campusdisk-node"),
        "",
        "nobody learns that others have a content"
    );
}

#[tokio::test]
async fn parallel_parts_are_joined_into_one_file() {
    let (hall, ada, root) = hall_and_ada().await;
    let bytes = pattern(2_000_000, 3);
    let mut parts = Vec::new();
    for piece in bytes.chunks(700_000) {
        let length = piece.len().to_string();
        let answer = Upload::ask(
            &ada,
            &[("upload-length", &length), ("upload-concat", "partial")],
            Vec::new(),
        )
        .await
        .expect(201);
        let part = Upload::at(&ada, answer.header("location"));
        parts.push((part, piece.to_vec()));
    }
    let metadata = Upload::metadata(&[("filename", "joined"), ("parent", &root)]);
    let paths: Vec<_> = parts.iter().map(|(part, _)| part.path.clone()).collect();
    let join = format!("final;{}", paths.join(" "));
    let unfinished = Upload::ask(
        &ada,
        &[("upload-concat", &join), ("upload-metadata", &metadata)],
        Vec::new(),
    )
    .await;
    assert_eq!(unfinished.status, 400, "{unfinished:?}");
    for (part, piece) in &parts {
        part.patch(0, piece.clone()).await.expect(204);
    }
    let eve = hall.account("eve");
    let hers = Upload::metadata(&[("filename", "x")]);
    let headers = [
        ("upload-concat", join.as_str()),
        ("upload-metadata", hers.as_str()),
    ];
    Upload::ask(&eve, &headers, Vec::new()).await.expect(404);
    let joined = Upload::ask(
        &ada,
        &[("upload-concat", &join), ("upload-metadata", &metadata)],
        Vec::new(),
    )
    .await
    .expect(201);
    let upload = Upload::at(&ada, joined.header("location"));
    let head = upload.head().await.expect(200);
    assert!(head.header("upload-concat").starts_with("final;"));
    upload.patch(0, "x").await.expect(403);
    assert_stored(&ada, joined.header("campusdisk-node"), &bytes).await;
}

#[tokio::test]
async fn an_upload_that_was_ended_is_gone_and_its_room_is_free() {
    let hall = Hall::start_with("personal_quota_bytes = 1000000\n").await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    let upload = Upload::create(&ada, &root, "a", 900_000).await;
    upload.patch(0, pattern(600_000, 1)).await.expect(204);
    let listed = ada.get("/api/v1/uploads").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    let refused = Upload::metadata(&[("filename", "b"), ("parent", &root)]);
    let refused = Upload::ask(
        &ada,
        &[("upload-length", "200000"), ("upload-metadata", &refused)],
        Vec::new(),
    )
    .await;
    assert_eq!(refused.status, 507, "{refused:?}");
    upload.terminate().await.expect(204);
    let gone = upload.head().await.status;
    assert!(gone == 404 || gone == 410, "{gone}");
    let other = Upload::create(&ada, &root, "b", 900_000).await;
    assert_eq!(other.offset().await, 0);
}

#[tokio::test]
async fn an_upload_that_rests_too_long_is_given_up() {
    let hall = Hall::start_with("upload_rest_seconds = 1\n").await;
    let ada = hall.account("ada");
    let upload = Upload::create(&ada, &ada.root().await, "a", 900_000).await;
    upload.patch(0, pattern(600_000, 1)).await.expect(204);
    let begun = std::time::Instant::now();
    while upload.head().await.status == 200 {
        assert!(begun.elapsed().as_secs() < 20, "it is still there");
    }
    let said = hall.done(&["check"], "");
    assert!(said.contains("0 bytes used"), "{said}");
}

#[tokio::test]
async fn wrong_requests_change_nothing() {
    let (hall, ada, root) = hall_and_ada().await;
    let upload = Upload::create(&ada, &root, "a", 10).await;
    upload.patch(0, "hello").await.expect(204);
    upload.patch(3, "lo").await.expect_problem(409, "conflict");
    upload.patch(9, "d").await.expect(409);
    upload.patch(5, "world and more").await.expect(413);
    ada.send(
        "PATCH",
        &upload.path,
        &[("tus-resumable", "1.0.0"), ("upload-offset", "5")],
        "world",
    )
    .await
    .expect(415);
    let no_offset = [
        ("tus-resumable", "1.0.0"),
        ("content-type", "application/offset+octet-stream"),
    ];
    ada.send("PATCH", &upload.path, &no_offset, "world")
        .await
        .expect(400);
    ada.send("PATCH", &upload.path, &no_offset[1..], "world")
        .await
        .expect(412);
    let eve = hall.account("eve");
    upload.by(&eve).head().await.expect(404);
    upload.by(&eve).patch(5, "world").await.expect(404);
    upload.by(&eve).terminate().await.expect(404);
    assert_eq!(upload.offset().await, 5);
    for (headers, status) in [
        (vec![("upload-length", "5")], 422),
        (vec![("upload-metadata", "filename YQ==")], 400),
        (
            vec![("upload-length", "5"), ("upload-metadata", "filename !!")],
            400,
        ),
        (
            vec![
                ("upload-length", "9999999999999999"),
                ("upload-metadata", "filename YQ=="),
            ],
            413,
        ),
    ] {
        let answer = Upload::ask(&ada, &headers, Vec::new()).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }
    let bad_path = Upload::metadata(&[("filename", "a"), ("relativePath", "x/../a")]);
    Upload::ask(
        &ada,
        &[("upload-length", "5"), ("upload-metadata", &bad_path)],
        Vec::new(),
    )
    .await
    .expect(422);
    let fail = Upload::metadata(&[("filename", "taken"), ("parent", &root), ("on_conflict", "fail")]);
    ada.put(&root, "taken", "x").await;
    Upload::ask(
        &ada,
        &[("upload-length", "5"), ("upload-metadata", &fail)],
        Vec::new(),
    )
    .await
    .expect(409);
    upload.patch(5, "world").await.expect(204);
    assert_eq!(ada.names(&root).await, ["a", "taken"]);
}

#[tokio::test]
async fn folders_are_made_on_the_way() {
    let (_hall, ada, root) = hall_and_ada().await;
    for name in ["a.txt", "b.txt"] {
        let path = format!("term 1/week 2/{name}");
        let upload = Upload::create_with(
            &ada,
            &[("filename", name), ("parent", &root), ("relativePath", &path)],
            1,
        )
        .await;
        upload.patch(0, "x").await.expect(204);
    }
    assert_eq!(ada.names(&root).await, ["term 1"]);
    let term = ada
        .get(&format!("/api/v1/nodes/{root}/children/term%201"))
        .await
        .expect(200)
        .id();
    let week = ada
        .get(&format!("/api/v1/nodes/{term}/children/week%202"))
        .await
        .expect(200)
        .id();
    assert_eq!(ada.names(&week).await, ["a.txt", "b.txt"]);
}

#[tokio::test]
async fn rivals_that_need_the_same_new_folders_all_get_their_files_in() {
    let (_hall, ada, root) = hall_and_ada().await;
    let uploads = (0..48).map(|number| {
        let (name, ada) = (format!("{number}.txt"), ada.clone());
        let path = format!("a/b/c/{name}");
        let metadata = Upload::metadata(&[("filename", &name), ("parent", &root), ("relativePath", &path)]);
        async move {
            let headers = [
                ("upload-length", "5"),
                ("upload-metadata", metadata.as_str()),
                ("content-type", "application/offset+octet-stream"),
            ];
            Upload::ask(&ada, &headers, b"hello".to_vec()).await.expect(201);
        }
    });
    futures::future::join_all(uploads).await;
    let mut folder = root;
    for name in ["a", "b", "c"] {
        assert_eq!(ada.names(&folder).await, [name]);
        folder = ada
            .get(&format!("/api/v1/nodes/{folder}/children/{name}"))
            .await
            .expect(200)
            .id();
    }
    assert_eq!(ada.names(&folder).await.len(), 48);
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_piece_loses_nothing_that_head_says_is_stored() {
    let (hall, ada, root) = hall_and_ada().await;
    let bytes = pattern(9_000_000, 5);
    let upload = Upload::create(&ada, &root, "cut.bin", bytes.len()).await;
    let mut at = 0;
    for sent in [2_500_000, 1, 3_333_333] {
        let mut raw = Raw::connect(&hall).await;
        let headers = upload.patch_headers(at, bytes.len() - at);
        raw.head("PATCH", &upload.path, &strings(&headers)).await.unwrap();
        raw.send(&bytes[at..at + sent]).await.unwrap();
        drop(raw);
        let stored = upload.offset().await;
        assert!(stored >= at && stored < bytes.len(), "{at} {sent} {stored}");
        at = stored;
    }
    let node = finish(&upload, &bytes).await;
    assert_stored(&ada, &node, &bytes).await;
}

/// Sends what is missing, asking again where a request that was cut came in late; returns the node.
async fn finish(upload: &Upload, bytes: &[u8]) -> String {
    loop {
        let at = upload.offset().await;
        let answer = upload.patch(at, bytes[at..].to_vec()).await;
        if answer.status != 409 {
            return answer.expect(204).header("campusdisk-node").to_owned();
        }
    }
}

#[tokio::test]
async fn another_request_takes_a_stalled_upload_over() {
    let (hall, ada, root) = hall_and_ada().await;
    let bytes = pattern(1_000_000, 6);
    let upload = Upload::create(&ada, &root, "stalled.bin", bytes.len()).await;
    let mut stalled = Raw::connect(&hall).await;
    stalled
        .head(
            "PATCH",
            &upload.path,
            &strings(&upload.patch_headers(0, bytes.len())),
        )
        .await
        .unwrap();
    stalled.send(&bytes[..400_000]).await.unwrap();
    let begun = std::time::Instant::now();
    let node = finish(&upload, &bytes).await;
    assert!(begun.elapsed().as_secs() < 10);
    assert_stored(&ada, &node, &bytes).await;
}

#[tokio::test]
async fn head_is_true_after_the_hall_is_killed_in_the_middle_of_a_piece() {
    let (mut hall, ada, root) = hall_and_ada().await;
    let bytes = pattern(12_000_000, 8);
    let upload = Upload::create(&ada, &root, "killed.bin", bytes.len()).await;
    upload.patch(0, bytes[..1_000_000].to_vec()).await.expect(204);
    let mut at = 1_000_000;
    for sent in [4_000_000, 5_000_000] {
        let mut raw = Raw::connect(&hall).await;
        raw.head(
            "PATCH",
            &upload.path,
            &strings(&upload.patch_headers(at, bytes.len() - at)),
        )
        .await
        .unwrap();
        raw.send(&bytes[at..at + sent]).await.unwrap();
        hall.kill9();
        hall.restart().await;
        let stored = upload.offset().await;
        assert!(stored >= at, "what was acknowledged is gone: {stored} < {at}");
        assert!(ada.names(&root).await.is_empty(), "a half file shows");
        at = stored;
    }
    let answer = upload.patch(at, bytes[at..].to_vec()).await.expect(204);
    assert_stored(&ada, answer.header("campusdisk-node"), &bytes).await;
    let node: Value = ada
        .get(&format!("/api/v1/nodes/{root}/children/killed.bin"))
        .await
        .expect(200)
        .json();
    assert_eq!(node["sha256"], sha256_hex(&bytes));
    hall.done(&["check"], "");
}
