//! Folders, files, ranges, conditions, trash and quota, over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use campusdisk_tests::{Client, Hall, pattern, sha256_hex};
use serde_json::{Value, json};

fn content(node: &Value) -> String {
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

fn node_path(node: &Value) -> String {
    format!("/api/v1/nodes/{}", node["id"].as_str().unwrap())
}

async fn hall_and_ada() -> (Hall, Client, String) {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    (hall, ada, root)
}

#[tokio::test]
async fn folders_are_made_listed_renamed_moved_and_copied() {
    let (_hall, ada, root) = hall_and_ada().await;
    let (docs, old) = (ada.folder(&root, "docs").await, ada.folder(&root, "old").await);
    let children = format!("/api/v1/nodes/{root}/children");
    ada.post(&children, json!({"name": "docs", "kind": "folder"}))
        .await
        .expect_problem(409, "already_exists");
    for name in [
        "",
        ".",
        "..",
        "a/b",
        " a",
        "a.",
        "a\u{202e}b",
        "\u{7}",
        &"x".repeat(256),
    ] {
        ada.post(&children, json!({"name": name, "kind": "folder"}))
            .await
            .expect_problem(422, "invalid_input");
    }
    // NFD of a name is that name.
    ada.folder(&root, "é").await;
    ada.post(&children, json!({"name": "e\u{301}", "kind": "folder"}))
        .await
        .expect(409);

    let file = ada.put(&docs, "a.txt", "hello").await;
    assert_eq!(
        (
            file["name"].as_str(),
            file["size"].as_u64(),
            file["kind"].as_str()
        ),
        (Some("a.txt"), Some(5), Some("file"))
    );
    assert_eq!(file["sha256"], sha256_hex(b"hello"));
    let moved = ada
        .patch(&node_path(&file), json!({"parent": old, "name": "b.txt"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (moved["parent"].as_str(), moved["name"].as_str()),
        (Some(old.as_str()), Some("b.txt"))
    );
    assert_eq!(
        (ada.names(&docs).await.len(), ada.names(&old).await),
        (0, vec!["b.txt".to_owned()])
    );
    let copied = ada
        .post(
            &format!("{}/copy", node_path(&file)),
            json!({"parent": docs, "name": "c.txt"}),
        )
        .await
        .expect(201);
    assert_eq!(ada.get(&content(&copied.json())).await.expect(200).body, b"hello");

    let inner = ada.folder(&docs, "inner").await;
    let cycle = ada
        .patch(&format!("/api/v1/nodes/{docs}"), json!({"parent": inner}))
        .await;
    assert_eq!(cycle.status, 409, "{cycle:?}");
    ada.get(&format!("/api/v1/nodes/{docs}/children/c.txt"))
        .await
        .expect(200);
    ada.get(&format!("/api/v1/nodes/{docs}/children/d.txt"))
        .await
        .expect_problem(404, "not_found");
}

/// Waits until what is made next is younger than all that is there: entries of one millisecond are listed by their names.
async fn a_later_millisecond() {
    let millisecond = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap().as_millis()
    };
    let made = millisecond();
    while millisecond() == made {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn lists_come_in_pages_in_every_order() {
    let (_hall, ada, root) = hall_and_ada().await;
    for (name, size) in [("b", 3), ("a", 5), ("c", 1), ("d", 2)] {
        ada.put(&root, name, vec![b'x'; size]).await;
        a_later_millisecond().await;
    }
    for name in ["z", "y", "x", "w"] {
        ada.folder(&root, name).await;
        a_later_millisecond().await;
    }
    for (query, expected) in [
        ("sort=name", "abcdwxyz"),
        ("sort=name&order=desc", "zyxwdcba"),
        ("sort=size", "wxyzcdba"),
        ("sort=size&order=desc", "abdczyxw"),
        ("sort=modified", "bacdzyxw"),
        ("category=folder", "wxyz"),
        ("category=folder&sort=modified", "zyxw"),
        ("category=image", ""),
    ] {
        let (mut names, mut after) = (String::new(), String::new());
        loop {
            let page = ada
                .get(&format!("/api/v1/nodes/{root}/children?limit=3&{query}{after}"))
                .await
                .expect(200)
                .json();
            names.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["name"].as_str().unwrap()),
            );
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(names, expected, "{query}");
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=nonsense",
        "category=folders",
    ] {
        ada.get(&format!("/api/v1/nodes/{root}/children?{query}"))
            .await
            .expect_problem(400, "invalid_input");
    }
    let found = ada.get("/api/v1/search?q=A").await.expect(200).json();
    assert_eq!(found["items"][0]["name"], "a");
}

#[tokio::test]
async fn a_file_comes_back_byte_for_byte_whole_and_in_ranges() {
    let (_hall, ada, root) = hall_and_ada().await;
    let bytes = pattern(3_000_017, 7);
    let file = ada.put(&root, "big.bin", bytes.clone()).await;
    let path = content(&file);
    let whole = ada.get(&path).await.expect(200);
    assert!(whole.body == bytes);
    let etag = whole.header("etag").to_owned();
    assert!(
        etag.starts_with('"') && file["etag"] == etag.as_str(),
        "{etag} {file}"
    );
    for (name, value) in [
        ("accept-ranges", "bytes"),
        ("content-length", "3000017"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment; filename=\"big.bin\""),
    ] {
        assert!(
            whole.header(name).starts_with(value),
            "{name}: {:?}",
            whole.headers
        );
    }
    assert!(
        whole.header("repr-digest").starts_with("sha-256=:"),
        "{:?}",
        whole.headers
    );

    let head = ada.head(&path).await.expect(200);
    assert_eq!(head.header("content-length"), "3000017");
    assert!(head.body.is_empty() && head.header("etag") == etag);

    let range = async |range: &str| ada.get_with(&path, &[("range", range)]).await;
    for (asked, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=100-1048699", 100, 1_048_699),
        ("bytes=2999999-", 2_999_999, 3_000_016),
        ("bytes=-17", 3_000_000, 3_000_016),
        ("bytes=2000000-99999999", 2_000_000, 3_000_016),
    ] {
        let part = range(asked).await.expect(206);
        assert_eq!(
            part.header("content-range"),
            format!("bytes {first}-{last}/3000017")
        );
        assert!(part.body == bytes[first..=last], "{asked}");
    }
    let unsatisfiable = range("bytes=3000017-")
        .await
        .expect_problem(416, "range_not_satisfiable");
    assert_eq!(unsatisfiable.header("content-range"), "bytes */3000017");
    assert_eq!(unsatisfiable.header("etag"), "");
    assert_eq!(range("bytes=-0").await.status, 416);
    for malformed in ["bytes=5-1", "bytes=a-b", "lines=0-5", "bytes", "bytes=0-1,x"] {
        assert_eq!(
            range(malformed).await.expect(200).body.len(),
            bytes.len(),
            "{malformed}"
        );
    }
    let several = range("bytes=10-19, 0-4").await.expect(206);
    let boundary = several
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .expect("a boundary");
    let text = &several.body;
    let at = |part: &[u8]| text.windows(part.len()).position(|window| window == part);
    assert!(at(&bytes[10..20]) < at(&bytes[0..5]) && at(&bytes[0..5]).is_some());
    assert!(several.text().contains(boundary));
    assert_eq!(several.header("content-length"), text.len().to_string());
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let (_hall, ada, root) = hall_and_ada().await;
    let file = ada.put(&root, "empty", "").await;
    let answer = ada
        .get_with(&content(&file), &[("range", "bytes=0-")])
        .await
        .expect(200);
    assert_eq!((answer.body.len(), answer.header("content-length")), (0, "0"));
    assert_eq!(file["sha256"], sha256_hex(b""));
}

#[tokio::test]
async fn conditions_decide_in_their_order() {
    let (_hall, ada, root) = hall_and_ada().await;
    let file = ada.put(&root, "a.txt", "first").await;
    let path = content(&file);
    let etag = file["etag"].as_str().unwrap().to_owned();
    let modified = ada.head(&path).await.header("last-modified").to_owned();
    let ask = async |headers: &[(&str, &str)]| ada.get_with(&path, headers).await;

    assert!(ask(&[("if-none-match", &etag)]).await.expect(304).body.is_empty());
    ask(&[("if-none-match", "*")]).await.expect(304);
    ask(&[("if-none-match", &format!("W/{etag}"))]).await.expect(304);
    ask(&[("if-none-match", "\"x\"")]).await.expect(200);
    ask(&[("if-match", "\"x\"")]).await.expect(412);
    ask(&[("if-match", &etag)]).await.expect(200);
    ask(&[("if-modified-since", &modified)]).await.expect(304);
    ask(&[("if-none-match", "\"x\""), ("if-modified-since", &modified)])
        .await
        .expect(200);
    ask(&[("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT")])
        .await
        .expect(412);
    ask(&[("range", "bytes=0-1"), ("if-range", &etag)])
        .await
        .expect(206);

    let changed = ada
        .send("PUT", &path, &[("if-match", &etag)], "second")
        .await
        .expect(200)
        .json();
    assert_ne!(changed["etag"], etag.as_str());
    ada.send("PUT", &path, &[("if-match", &etag)], "third")
        .await
        .expect(412);
    let children = format!("/api/v1/nodes/{root}/children/a.txt");
    ada.send("PUT", &children, &[("if-none-match", "*")], "third")
        .await
        .expect(412);
    assert_eq!(
        ask(&[("range", "bytes=0-1"), ("if-range", &etag)])
            .await
            .expect(200)
            .body,
        b"second"
    );

    let versions = ada
        .get(&format!("{}/versions", node_path(&file)))
        .await
        .expect(200)
        .json();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    let oldest = versions["items"][1]["version"].as_u64().unwrap();
    ada.post(
        &format!("{}/versions/{oldest}/restore", node_path(&file)),
        json!({}),
    )
    .await
    .expect(200);
    assert_eq!(ask(&[]).await.body, b"first");

    let stale = ada
        .send("DELETE", &node_path(&file), &[("if-match", "\"1\"")], "")
        .await;
    assert_eq!(stale.status, 412, "{stale:?}");
    let fresh = ada
        .get(&node_path(&file))
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    ada.send("DELETE", &node_path(&file), &[("if-match", &fresh)], "")
        .await
        .expect(204);
}

#[tokio::test]
async fn a_digest_that_does_not_fit_stores_nothing() {
    let (_hall, ada, root) = hall_and_ada().await;
    use base64::Engine as _;
    let digest = base64::engine::general_purpose::STANDARD.encode(
        (0..32)
            .map(|at| u8::from_str_radix(&sha256_hex(b"hello")[at * 2..at * 2 + 2], 16).unwrap())
            .collect::<Vec<_>>(),
    );
    let path = format!("/api/v1/nodes/{root}/children/a.txt");
    let field = format!("sha-256=:{digest}:");
    for (name, value) in [
        ("content-digest", field.as_str()),
        ("repr-digest", field.as_str()),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ] {
        let answer = ada.send("PUT", &path, &[(name, value)], "other").await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert!(ada.names(&root).await.is_empty(), "{name}");
        ada.send("PUT", &path, &[(name, value)], "hello")
            .await
            .expect(201);
        let id = ada.get(&path).await.expect(200).id();
        ada.delete(&format!("/api/v1/nodes/{id}")).await.expect(204);
    }
}

#[tokio::test]
async fn deleted_files_come_back_from_the_trash_or_are_purged() {
    let (hall, ada, root) = hall_and_ada().await;
    let docs = ada.folder(&root, "docs").await;
    let file = ada.put(&docs, "a.txt", pattern(300_000, 1)).await;
    ada.delete(&node_path(&file)).await.expect(204);
    ada.get(&node_path(&file)).await.expect_problem(404, "not_found");
    ada.get(&content(&file)).await.expect(404);
    let trash = ada.get("/api/v1/trash").await.expect(200).json();
    assert_eq!(trash["items"][0]["id"], file["id"]);
    assert!(trash["items"][0]["expires"].is_string());
    assert_eq!(ada.own_drive().await["used_bytes"], 300_000);

    let restore = format!("/api/v1/trash/{}/restore", file["id"].as_str().unwrap());
    ada.put(&docs, "a.txt", "another").await;
    ada.post(&restore, json!({}))
        .await
        .expect_problem(409, "already_exists");
    let restored = ada
        .post(&restore, json!({"on_conflict": "rename"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        ada.get(&content(&restored)).await.expect(200).body,
        pattern(300_000, 1)
    );
    ada.delete(&node_path(&restored)).await.expect(204);
    ada.delete(&format!("/api/v1/trash/{}", file["id"].as_str().unwrap()))
        .await
        .expect(204);
    ada.delete(&format!("/api/v1/nodes/{docs}")).await.expect(204);
    ada.delete("/api/v1/trash").await.expect(204);
    assert_eq!(ada.own_drive().await["used_bytes"], 0);
    assert!(
        ada.get("/api/v1/trash").await.json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    no_blob_stays(&hall).await;
}

/// How many deleted blobs on this machine the hall still holds open: their room is not free. Spools for other stores have no name from the
/// beginning.
fn open_deleted_files(hall: &Hall) -> usize {
    let blobs = hall.folder().join("data/blobs");
    std::fs::read_dir(format!("/proc/{}/fd", hall.pid()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(&blobs) && path.to_string_lossy().ends_with(" (deleted)"))
        .count()
}

/// Waits until the sweep has deleted what nothing refers to, and its room is free.
async fn no_blob_stays(hall: &Hall) {
    let begun = std::time::Instant::now();
    loop {
        let said = hall.done(&["check"], "");
        let open = open_deleted_files(hall);
        if said.contains("0 live blobs") && said.contains(" 0 condemned; 0 bytes") && open == 0 {
            return;
        }
        assert!(
            begun.elapsed().as_secs() < 20,
            "{said}, {open} deleted files still open"
        );
    }
}

#[tokio::test]
async fn a_full_quota_refuses_uploads_and_nothing_else() {
    let hall = Hall::start_with("personal_quota_bytes = 1000000\n").await;
    let (ada, eve) = (hall.account("ada"), hall.account("eve"));
    let root = ada.root().await;
    let kept = ada.put(&root, "a", pattern(900_000, 1)).await;
    let path = format!("/api/v1/nodes/{root}/children/b");
    ada.send("PUT", &path, &[], pattern(200_000, 2))
        .await
        .expect_problem(507, "quota_exceeded");
    let drive = ada.own_drive().await;
    assert_eq!(
        (drive["used_bytes"].as_u64(), drive["quota_bytes"].as_u64()),
        (Some(900_000), Some(1_000_000))
    );
    assert_eq!(ada.names(&root).await, ["a"]);
    assert_eq!(ada.get(&content(&kept)).await.expect(200).body.len(), 900_000);
    eve.put(&eve.root().await, "b", pattern(200_000, 2)).await;
    ada.delete(&node_path(&kept)).await.expect(204);
    ada.send("PUT", &path, &[], pattern(200_000, 2)).await.expect(507);
    ada.delete("/api/v1/trash").await.expect(204);
    ada.send("PUT", &path, &[], pattern(200_000, 2)).await.expect(201);
}
