//! Requests as gateways, strangers and broken clients send them, over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_tests::{Answer, Client, Hall, Raw};
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
async fn a_gateway_that_passes_only_get_and_post_can_do_everything() {
    let (_hall, ada, root) = hall_and_ada().await;
    let post = async |method: &str, path: &str, body: &str| {
        let headers = [
            ("x-http-method-override", method),
            ("content-type", "application/json"),
        ];
        ada.send("POST", path, &headers, body.to_owned()).await
    };
    let path = format!("/api/v1/nodes/{root}/children/a");
    let file = post("PUT", &path, "bytes").await.expect(201).json();
    // It is a POST for whoever frames the answer, so its length is that of no body.
    let head = post("HEAD", &content(&file), "").await.expect(200);
    assert!(head.body.is_empty() && head.header("etag") == file["etag"]);
    post("PATCH", &node_path(&file), r#"{"name":"b"}"#)
        .await
        .expect(200);
    post("DELETE", &node_path(&file), "").await.expect(204);
    assert!(ada.names(&root).await.is_empty());
    let odd = post("TRACE", &node_path(&file), "").await;
    assert!((400..500).contains(&odd.status), "{odd:?}");
}

/// Method, path, headers, body, and the status of the answer.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, &'a str, u16);

#[tokio::test]
async fn malformed_requests_are_refused_with_a_problem_document() {
    let (hall, ada, root) = hall_and_ada().await;
    let file = ada.put(&root, "a", "bytes").await;
    let (children, node) = (format!("/api/v1/nodes/{root}/children"), node_path(&file));
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(100_000));
    let json_type = ("content-type", "application/json");
    let cases: Vec<Case> = vec![
        ("POST", &children, vec![json_type], "{", 400),
        (
            "POST",
            &children,
            vec![json_type],
            r#"{"name":"x","kind":"folder","colour":"red"}"#,
            400,
        ),
        (
            "POST",
            &children,
            vec![json_type],
            r#"{"name":5,"kind":"folder"}"#,
            400,
        ),
        ("POST", &children, vec![json_type], "\u{feff}", 400),
        (
            "POST",
            &children,
            vec![("content-type", "text/plain")],
            r#"{"name":"x","kind":"folder"}"#,
            415,
        ),
        (
            "POST",
            &children,
            vec![json_type, ("content-encoding", "gzip")],
            "{}",
            415,
        ),
        ("PATCH", &node, vec![json_type], &long, 413),
        (
            "PATCH",
            &node,
            vec![json_type],
            r#"{"parent":"no-such-folder"}"#,
            404,
        ),
        ("GET", "/api/v1/nodes/%ff", vec![], "", 422),
        ("GET", "/api/v1/nowhere", vec![], "", 404),
        ("DELETE", "/api/v1/search", vec![], "", 405),
        ("PUT", "/api/v1/uploads", vec![], "", 405),
        (
            "POST",
            "/api/v1/uploads",
            vec![("tus-resumable", "0.2.2"), ("upload-length", "5")],
            "",
            412,
        ),
        (
            "POST",
            "/api/v1/uploads",
            vec![("tus-resumable", "1.0.0"), ("upload-length", "-5")],
            "",
            400,
        ),
    ];
    for (method, path, headers, body, status) in cases {
        let answer = ada.send(method, path, &headers, body.to_owned()).await;
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {}: {}",
            &body[..body.len().min(60)],
            answer.text()
        );
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{method} {path}"
        );
        assert!(answer.json()["request_id"].is_string());
    }
    // Percent-encoding in names, as no URL library would send it.
    for name in ["%zz", "%", "%ff", "%00", "a%2fb", "%2e%2e"] {
        let mut raw = Raw::connect(&hall).await;
        let headers = [
            ("authorization", ada.authorization().unwrap()),
            ("content-length", "1"),
        ];
        raw.head("PUT", &format!("{children}/{name}"), &headers)
            .await
            .unwrap();
        raw.send("x").await.unwrap();
        let answer = raw.answer().await.unwrap();
        assert_eq!(
            answer.status,
            422,
            "{name}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for head in [
        "GET / HTTP/9.9\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nbad header\r\n\r\n",
    ] {
        let mut raw = Raw::connect(&hall).await;
        raw.send(head).await.unwrap();
        let answer = raw.answer().await;
        assert!(
            answer.as_ref().map_or(true, |answer| answer.status == 400),
            "{head}: {answer:?}"
        );
    }
    assert_eq!(ada.names(&root).await, ["a"]);
    assert_eq!(ada.get(&content(&file)).await.body, b"bytes");
}

#[tokio::test]
async fn active_types_are_never_rendered_in_the_hall_s_origin() {
    let (_hall, ada, root) = hall_and_ada().await;
    let page = ada.put(&root, "evil.html", "<script>alert(1)</script>").await;
    let answer = ada.get(&content(&page)).await.expect(200);
    assert!(answer.header("content-disposition").starts_with("attachment"));
    let inline = ada.get(&format!("{}?inline", content(&page))).await.expect(200);
    assert!(
        inline.header("content-security-policy").contains("sandbox"),
        "{:?}",
        inline.headers
    );
    let name = "%E8%AF%81%E4%B9%A6%20%E2%82%AC.pdf";
    let named = ada.put(&root, name, "%PDF-1.7").await;
    let answer = ada.get(&content(&named)).await.expect(200);
    let disposition = answer.header("content-disposition");
    assert!(
        disposition.contains(&format!("filename*=UTF-8''{name}")),
        "{disposition}"
    );
}

#[tokio::test]
async fn other_people_s_files_are_not_there_even_for_administrators() {
    let (hall, ada, root) = hall_and_ada().await;
    let file = ada.put(&root, "a", "secret").await;
    for other in [hall.account("eve"), hall.administrator("root")] {
        let missing = other
            .get("/api/v1/nodes/01m87htkt2pp70t38qzrjz3xqx")
            .await
            .expect(404);
        for answer in [
            other.get(&node_path(&file)).await,
            other.get(&content(&file)).await,
            other.delete(&node_path(&file)).await,
            other.patch(&node_path(&file), json!({"name": "b"})).await,
            other.send("PUT", &content(&file), &[], "x").await,
            other
                .post(&format!("{}/shares", node_path(&file)), json!({}))
                .await,
        ] {
            let same = |answer: &Answer| (answer.json()["kind"].clone(), answer.json()["detail"].clone());
            assert_eq!(same(&answer), same(&missing));
            assert_eq!(answer.status, 404);
        }
    }
    assert_eq!(ada.get(&content(&file)).await.body, b"secret");
}
