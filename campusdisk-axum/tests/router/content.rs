//! The bytes of files over HTTP.

use base64::Engine as _;
use serde_json::json;

use crate::app::{Answer, App, User};

async fn fetch(user: &User<'_>, node: &serde_json::Value, headers: &[(&str, &str)]) -> Answer {
    user.get(&content_of(node)).headers(headers).send().await
}

fn content_of(node: &serde_json::Value) -> String {
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_file_comes_out_as_it_went_in_with_all_its_headers() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("%E6%88%90%E7%BB%A9.txt", "hello").await;
    let answer = fetch(&ada, &node, &[]).await;
    assert_eq!((answer.status(), &answer.bytes()[..]), (200, &b"hello"[..]));
    assert_eq!(answer.header("etag"), node["etag"].as_str().unwrap());
    assert_eq!(answer.header("content-length"), "5");
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%88%90%E7%BB%A9.txt"
    );
    assert_eq!(
        answer.header("repr-digest"),
        "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
    );
    assert_eq!(
        node["sha256"],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert!(answer.header("last-modified").ends_with(" GMT"));

    let head = ada
        .request("HEAD", &content_of(&node))
        .header("range", "bytes=1-2")
        .send()
        .await;
    assert_eq!((head.status(), head.bytes().len()), (200, 0));
    for name in [
        "etag",
        "content-length",
        "content-type",
        "accept-ranges",
        "content-disposition",
        "repr-digest",
    ] {
        assert_eq!(head.header(name), answer.header(name), "{name}");
    }
}

#[tokio::test]
async fn one_range_is_206_with_content_range() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "0123456789").await;
    for (range, body, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=5-500", "56789", "bytes 5-9/10"),
        ("bytes=0-1,2-3", "0123", "bytes 0-3/10"),
    ] {
        let answer = fetch(&ada, &node, &[("range", range)]).await;
        assert_eq!(
            (answer.status(), &answer.bytes()[..]),
            (206, body.as_bytes()),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), body.len().to_string());
    }
}

#[tokio::test]
async fn several_ranges_are_multipart_in_the_order_asked() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "0123456789").await;
    let answer = fetch(&ada, &node, &[("range", "bytes=8-9, 0-1, 99-")]).await;
    assert_eq!((answer.status(), answer.header("content-range")), (206, ""));
    let boundary = answer
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let body = format!(
        "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n\
         --{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--{boundary}--\r\n"
    );
    assert_eq!(answer.bytes(), body.as_bytes());
    assert_eq!(answer.header("content-length"), body.len().to_string());
}

#[tokio::test]
async fn odd_ranges_give_the_whole_and_impossible_ones_416() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "0123456789").await;
    let many = format!("bytes={}", vec!["0-0"; 65].join(","));
    for range in ["bytes=9-1", "items=0-1", "bytes=", "bytes=0-9,0-0", &many] {
        let answer = fetch(&ada, &node, &[("range", range)]).await;
        assert_eq!((answer.status(), answer.bytes().len()), (200, 10), "{range}");
    }
    let twice = fetch(&ada, &node, &[("range", "bytes=0-1"), ("range", "bytes=0-1")]).await;
    assert_eq!(twice.status(), 200);
    for range in ["bytes=10-", "bytes=-0", "bytes=77-99,-0"] {
        let answer = fetch(&ada, &node, &[("range", range)]).await;
        answer.expect_problem(416, "range_not_satisfiable");
        assert_eq!(answer.header("content-range"), "bytes */10");
        assert_eq!(
            (
                answer.header("etag"),
                answer.header("content-disposition"),
                answer.header("accept-ranges")
            ),
            ("", "", "")
        );
    }
    let empty = ada.file("empty", "").await;
    let answer = fetch(&ada, &empty, &[("range", "bytes=0-0")]).await;
    assert_eq!((answer.status(), answer.header("content-length")), (200, "0"));
}

#[tokio::test]
async fn what_could_act_is_shown_in_a_sandbox_only() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    for (name, body, mime, policy) in [
        ("a.html", "<html><script>1</script>", "text/html", "sandbox"),
        (
            "a.svg",
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "image/svg+xml",
            "sandbox",
        ),
        ("a.pdf", "%PDF-1.7", "application/pdf", ""),
        ("a.txt", "text", "text/plain", ""),
    ] {
        let node = ada.file(name, body).await;
        let shown = ada.get(&format!("{}?inline", content_of(&node))).send().await;
        assert_eq!(shown.header("content-type"), mime);
        assert_eq!(shown.header("content-security-policy"), policy, "{name}");
        assert!(shown.header("content-disposition").starts_with("inline; "));
        assert_eq!(shown.header("x-content-type-options"), "nosniff");
        let saved = ada.get(&format!("{}?download", content_of(&node))).send().await;
        assert!(saved.header("content-disposition").starts_with("attachment; "));
    }
}

#[tokio::test]
async fn text_in_utf_8_is_shown_as_such_and_other_text_as_the_browser_finds() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let gbk = &b"\xb3\xc9\xbc\xa8"[..];
    for (name, body, shown) in [
        ("a.txt", "成绩".as_bytes(), "text/plain; charset=utf-8"),
        ("b.txt", gbk, "text/plain"),
        ("c.txt", b"marks", "text/plain"),
        ("d.txt", b"", "text/plain"),
        ("e.html", "<p>成绩".as_bytes(), "text/html; charset=utf-8"),
        ("f.json", "\"成绩\"".as_bytes(), "application/json"),
    ] {
        let node = ada.file(name, body).await;
        let inline = format!("{}?inline", content_of(&node));
        for method in ["GET", "HEAD"] {
            let answer = ada.request(method, &inline).send().await;
            assert_eq!(answer.header("content-type"), shown, "{method} {name}");
        }
        let saved = fetch(&ada, &node, &[]).await;
        assert_eq!(
            saved.header("content-type"),
            node["mime"].as_str().unwrap(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_digest_that_does_not_fit_stores_nothing() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let root = ada.root().await;
    let uri = format!("/api/v1/nodes/{root}/children/a.txt");
    let good = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    for (name, value) in [
        ("content-digest", good),
        ("repr-digest", good),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ] {
        ada.put(&uri)
            .header(name, value)
            .body("hellO")
            .await_problem(400, "corrupt")
            .await;
        ada.get(&uri).await_problem(404, "not_found").await;
    }
    ada.put(&uri)
        .header("content-digest", "sha-256=:!:")
        .body("hello")
        .await_problem(400, "invalid_input")
        .await;
    ada.put(&uri)
        .header("content-digest", good)
        .body("hello")
        .await_ok(201)
        .await;
    let coded = ada
        .put(&uri)
        .header("content-encoding", "gzip")
        .body("hello")
        .send()
        .await;
    coded.expect_problem(415, "unsupported_media_type");
    let part = ada
        .put(&uri)
        .header("content-range", "bytes 0-4/10")
        .body("hello")
        .send()
        .await;
    part.expect_problem(400, "invalid_input");
    let md5 = base64::engine::general_purpose::STANDARD.encode([0; 16]);
    ada.put(&uri)
        .header("content-md5", &md5)
        .body("new")
        .await_problem(400, "corrupt")
        .await;
    assert_eq!(ada.get(&uri).await_ok(200).await["size"], 5);
}

#[tokio::test]
async fn each_content_is_a_version_that_can_be_restored() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "one").await;
    let uri = format!("/api/v1/nodes/{}", node["id"].as_str().unwrap());
    let second = ada
        .put(&format!("{uri}/content"))
        .body("second")
        .await_ok(200)
        .await;
    assert_ne!(second["etag"], node["etag"]);
    ada.patch(&uri)
        .json(&json!({"name": "b.txt"}))
        .await_ok(200)
        .await;
    let versions = ada.get(&format!("{uri}/versions")).await_ok(200).await;
    let versions = versions["items"].as_array().unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(
        (versions[0]["size"].as_u64(), versions[1]["size"].as_u64()),
        (Some(6), Some(3))
    );
    assert_eq!(versions[1]["etag"], node["etag"]);
    let number = versions[1]["version"].as_u64().unwrap();
    let restored = ada
        .post(&format!("{uri}/versions/{number}/restore"))
        .await_ok(200)
        .await;
    assert_eq!(restored["size"], 3);
    assert_eq!(&fetch(&ada, &node, &[]).await.bytes()[..], b"one");
    for number in ["99", "x"] {
        ada.post(&format!("{uri}/versions/{number}/restore"))
            .await_problem(404, "not_found")
            .await;
    }
}

#[tokio::test]
async fn a_folder_is_an_archive_with_a_length_a_tag_and_ranges() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let folder = ada.folder(&ada.root().await, "成绩").await;
    let id = folder["id"].as_str().unwrap();
    ada.put(&format!("/api/v1/nodes/{id}/children/a.txt"))
        .body("hello")
        .await_ok(201)
        .await;
    let uri = format!("/api/v1/nodes/{id}/content");
    let whole = ada.get(&uri).send().await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.header("content-type"), "application/zip");
    assert!(
        whole
            .header("content-disposition")
            .contains("filename*=UTF-8''%E6%88%90%E7%BB%A9.zip")
    );
    let (tag, bytes) = (whole.header("etag").to_owned(), whole.bytes().clone());
    assert_eq!(whole.header("content-length"), bytes.len().to_string());
    assert!(bytes.starts_with(b"PK\x03\x04"));
    let part = ada
        .get(&uri)
        .header("range", "bytes=10-60")
        .header("if-range", &tag)
        .send()
        .await;
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.header("content-range"),
        format!("bytes 10-60/{}", bytes.len())
    );
    assert_eq!(*part.bytes(), bytes.slice(10..61));
    let known = ada.get(&uri).header("if-none-match", &tag).send().await;
    assert_eq!(known.status(), 304);
    let head = ada.request("HEAD", &uri).send().await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.header("content-length"), bytes.len().to_string());
    // Once something in it changed, an old part is not added to.
    ada.put(&format!("/api/v1/nodes/{id}/children/b.txt"))
        .body("more")
        .await_ok(201)
        .await;
    let changed = ada
        .get(&uri)
        .header("range", "bytes=10-60")
        .header("if-range", &tag)
        .send()
        .await;
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn an_archive_of_a_selection_has_an_address_for_its_maker() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let root = ada.root().await;
    let file = ada.file("a.txt", "hello").await;
    let made = ada
        .post("/api/v1/archives")
        .json(&json!({"nodes": [root, file["id"]]}))
        .await_ok(201)
        .await;
    let url = format!("/api/v1/{}", made["url"].as_str().unwrap());
    let whole = ada.get(&url).send().await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.header("content-type"), "application/zip");
    assert!(whole.header("content-disposition").contains("selection.zip"));
    let bob = app.user("bob").await;
    bob.get(&url).await_problem(404, "not_found").await;
    for (body, status, kind) in [
        (json!({"nodes": [root]}), 404, "not_found"),
        (json!({"nodes": []}), 422, "invalid_input"),
        (json!({"nodes": ["x"]}), 404, "not_found"),
        (json!({}), 400, "invalid_input"),
    ] {
        bob.post("/api/v1/archives")
            .json(&body)
            .await_problem(status, kind)
            .await;
    }
    let many = vec![file["id"].clone(); 301];
    ada.post("/api/v1/archives")
        .json(&json!({"nodes": many}))
        .await_problem(413, "limit_exceeded")
        .await;
}
