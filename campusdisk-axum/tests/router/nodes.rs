//! Files and folders over HTTP.

use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn a_folder_is_made_renamed_moved_copied_and_deleted() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let root = ada.root().await;
    let one = ada.folder(&root, "one").await;
    assert_eq!(
        (one["kind"].as_str(), one["parent"].as_str()),
        (Some("folder"), Some(&*root))
    );
    let id = one["id"].as_str().unwrap();
    let two = ada.folder(&root, "two").await;
    let two = two["id"].as_str().unwrap();

    let uri = format!("/api/v1/nodes/{id}");
    let renamed = ada.patch(&uri).json(&json!({"name": "uno"})).await_ok(200).await;
    assert_eq!(
        (renamed["name"].as_str(), renamed["version"].as_u64()),
        (Some("uno"), Some(2))
    );
    let moved = ada.patch(&uri).json(&json!({"parent": two})).await_ok(200).await;
    assert_eq!(moved["parent"], two);
    let cycle = json!({"parent": id});
    ada.patch(&format!("/api/v1/nodes/{two}"))
        .json(&cycle)
        .await_problem(409, "conflict")
        .await;
    let copied = ada
        .post(&format!("{uri}/copy"))
        .json(&json!({"parent": root}))
        .await_ok(201)
        .await;
    assert_ne!(copied["id"], id);
    ada.delete(&uri).await_ok(204).await;
    ada.get(&uri).await_problem(404, "not_found").await;
}

#[tokio::test]
async fn a_taken_name_is_409_and_a_bad_one_422_with_the_field() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let uri = format!("/api/v1/nodes/{}/children", ada.root().await);
    let folder = |name: &str| json!({"name": name, "kind": "folder"});
    ada.post(&uri).json(&folder("a")).await_ok(201).await;
    ada.post(&uri)
        .json(&folder("a"))
        .await_problem(409, "already_exists")
        .await;
    for name in ["", ".", "..", "a/b", "a\\b", "a\u{0}", " a", "a.", "a\u{202e}b"] {
        let problem = ada
            .post(&uri)
            .json(&folder(name))
            .await_problem(422, "invalid_input")
            .await;
        assert_eq!(problem["field"], "name");
    }
    for (uri, status) in [
        ("..%2f", 422),
        ("%00", 422),
        ("a%ff", 422),
        ("%zz", 422),
        ("%2e%2e", 422),
        ("b", 404),
    ] {
        ada.get(&format!("/api/v1/nodes/{}/children/{uri}", ada.root().await))
            .await_ok(status)
            .await;
    }
}

#[tokio::test]
async fn another_normal_form_of_a_name_is_that_name() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let composed = ada.file("%C3%A9", "1").await;
    let root = ada.root().await;
    let found = ada
        .get(&format!("/api/v1/nodes/{root}/children/e%CC%81"))
        .await_ok(200)
        .await;
    assert_eq!(found["id"], composed["id"]);
}

#[tokio::test]
async fn bodies_that_are_no_such_json_are_refused() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let uri = format!("/api/v1/nodes/{}/children", ada.root().await);
    for body in [
        "",
        "{",
        "[]",
        "{\"name\":\"a\"}",
        "{\"name\":\"a\",\"kind\":\"folder\",\"more\":1}",
        "{\"name\":1,\"kind\":\"folder\"}",
    ] {
        ada.post(&uri)
            .body(body)
            .await_problem(400, "invalid_input")
            .await;
    }
    ada.post(&uri)
        .body(vec![b' '; (64 << 10) + 1])
        .await_problem(413, "too_large")
        .await;
    let plain = ada.post(&uri).header("content-type", "text/plain").body("{}");
    plain.await_problem(415, "unsupported_media_type").await;
}

#[tokio::test]
async fn a_folder_is_listed_page_by_page_in_any_order() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    for (name, size) in [("b.txt", 3), ("A.txt", 1), ("c.png", 2)] {
        ada.file(name, vec![b'x'; size]).await;
    }
    let uri = format!("/api/v1/nodes/{}/children", ada.root().await);
    for (query, expected) in [
        ("", ["A.txt", "b.txt", "c.png"]),
        ("order=desc", ["c.png", "b.txt", "A.txt"]),
        ("sort=size", ["A.txt", "c.png", "b.txt"]),
        ("sort=modified&order=desc", ["c.png", "A.txt", "b.txt"]),
    ] {
        let mut names = Vec::new();
        let mut after = String::new();
        loop {
            let page = ada
                .get(&format!("{uri}?limit=1&{query}{after}"))
                .await_ok(200)
                .await;
            names.push(page["items"][0]["name"].as_str().unwrap().to_owned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        if !query.starts_with("sort=modified") {
            assert_eq!(names, expected, "{query}");
        }
        assert_eq!(names.len(), 3);
    }
    let images = ada.get(&format!("{uri}?category=image")).await_ok(200).await;
    assert_eq!(images["items"].as_array().unwrap().len(), 1);
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=!",
        "sort=color",
        "order=up",
        "category=none",
    ] {
        ada.get(&format!("{uri}?{query}"))
            .await_problem(400, "invalid_input")
            .await;
    }
}

#[tokio::test]
async fn what_others_own_is_as_if_it_were_not_there() {
    let app = App::new().await;
    let root = app.administrator().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let node = ada.file("secret.txt", "x").await;
    let id = node["id"].as_str().unwrap();
    let missing = "0000000000000000000000000a";
    for stranger in [&bob, &root] {
        for id in [id, missing, "nonsense"] {
            let uri = format!("/api/v1/nodes/{id}");
            stranger.get(&uri).await_problem(404, "not_found").await;
            stranger
                .get(&format!("{uri}/content"))
                .await_problem(404, "not_found")
                .await;
            stranger
                .get(&format!("{uri}/versions"))
                .await_problem(404, "not_found")
                .await;
            stranger
                .get(&format!("{uri}/children"))
                .await_problem(404, "not_found")
                .await;
            stranger.delete(&uri).await_problem(404, "not_found").await;
            stranger
                .patch(&uri)
                .json(&json!({"name": "x"}))
                .await_problem(404, "not_found")
                .await;
            stranger
                .put(&format!("{uri}/content"))
                .body("x")
                .await_problem(404, "not_found")
                .await;
            stranger
                .put(&format!("{uri}/children/a"))
                .body("x")
                .await_problem(404, "not_found")
                .await;
            stranger
                .post(&format!("{uri}/shares"))
                .json(&json!({}))
                .await_problem(404, "not_found")
                .await;
        }
    }
    app.get(&format!("/api/v1/nodes/{id}"))
        .await_problem(401, "unauthenticated")
        .await;
}

#[tokio::test]
async fn a_missing_scope_is_403_whatever_is_there() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let reader = app.token(&ada.account, Some("read")).await;
    for id in [node["id"].as_str().unwrap(), "0000000000000000000000000a"] {
        let uri = format!("/api/v1/nodes/{id}");
        reader.delete(&uri).await_problem(403, "scope_missing").await;
        reader
            .put(&format!("{uri}/content"))
            .body("x")
            .await_problem(403, "scope_missing")
            .await;
        reader
            .post(&format!("{uri}/shares"))
            .json(&json!({}))
            .await_problem(403, "scope_missing")
            .await;
    }
    reader.get("/api/v1/drives").await_ok(200).await;
    let writer = app.token(&ada.account, Some("write")).await;
    writer
        .get("/api/v1/drives")
        .await_problem(403, "scope_missing")
        .await;
}

#[tokio::test]
async fn search_finds_names_by_a_part_whatever_the_case() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    ada.file("Thesis%20Final.pdf", "x").await;
    ada.file("notes.txt", "x").await;
    let names = |found: serde_json::Value| {
        found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(ada.get("/api/v1/search?q=SIS%20f").await_ok(200).await),
        ["Thesis Final.pdf"]
    );
    assert_eq!(
        names(ada.get("/api/v1/search?q=t&limit=1").await_ok(200).await).len(),
        1
    );
    assert!(
        names(
            app.user("bob")
                .await
                .get("/api/v1/search?q=thesis")
                .await_ok(200)
                .await
        )
        .is_empty()
    );
    ada.get("/api/v1/search")
        .await_problem(400, "invalid_input")
        .await;
}

#[tokio::test]
async fn drives_tell_what_is_used_versions_and_trash_too() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "12345").await;
    ada.put(&format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap()))
        .body("123")
        .await_ok(200)
        .await;
    let used = |drives: &serde_json::Value| drives["items"][0]["used_bytes"].as_u64();
    let drives = ada.get("/api/v1/drives").await_ok(200).await;
    assert_eq!((used(&drives), drives["next"].is_null()), (Some(8), true));
    ada.delete(&format!("/api/v1/nodes/{}", node["id"].as_str().unwrap()))
        .await_ok(204)
        .await;
    assert_eq!(used(&ada.get("/api/v1/drives").await_ok(200).await), Some(8));
    ada.delete("/api/v1/trash").await_ok(204).await;
    assert_eq!(used(&ada.get("/api/v1/drives").await_ok(200).await), Some(0));
}
