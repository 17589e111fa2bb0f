//! Preconditions of reads and writes over HTTP.

use serde_json::{Value, json};

use crate::app::App;

fn tag(node: &Value) -> &str {
    node["etag"].as_str().unwrap()
}

#[tokio::test]
async fn a_put_that_must_not_replace_is_412_where_something_is() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let uri = format!("/api/v1/nodes/{}/children/a.txt", ada.root().await);
    ada.put(&uri)
        .header("if-none-match", "*")
        .body("1")
        .await_ok(201)
        .await;
    ada.put(&uri)
        .header("if-none-match", "*")
        .body("2")
        .await_problem(412, "precondition_failed")
        .await;
}

#[tokio::test]
async fn a_put_replaces_only_the_content_it_names() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let uri = format!("/api/v1/nodes/{}/children/a.txt", ada.root().await);
    ada.put(&uri)
        .header("if-match", "*")
        .body("1")
        .await_problem(412, "precondition_failed")
        .await;
    let first = ada.file("a.txt", "1").await;
    let second = ada
        .put(&uri)
        .header("if-match", tag(&first))
        .body("2")
        .await_ok(200)
        .await;
    ada.put(&uri)
        .header("if-match", tag(&first))
        .body("3")
        .await_problem(412, "precondition_failed")
        .await;
    let content = format!("/api/v1/nodes/{}/content", first["id"].as_str().unwrap());
    ada.put(&content)
        .header("if-match", tag(&first))
        .body("3")
        .await_problem(412, "precondition_failed")
        .await;
    ada.put(&content)
        .header("if-match", &format!("W/{}", tag(&second)))
        .body("3")
        .await_problem(412, "precondition_failed")
        .await;
    ada.put(&content)
        .header("if-match", &format!("\"x\", {}", tag(&second)))
        .body("3")
        .await_ok(200)
        .await;
}

#[tokio::test]
async fn a_file_that_changed_under_a_client_is_never_mixed() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let old = ada.file("a.txt", "old old old").await;
    let content = format!("/api/v1/nodes/{}/content", old["id"].as_str().unwrap());
    let ranged = |tag: &str| {
        ada.get(&content)
            .header("range", "bytes=4-")
            .header("if-range", tag)
    };
    assert_eq!(&ranged(tag(&old)).send().await.bytes()[..], b"old old");
    let date = ada.get(&content).send().await.header("last-modified").to_owned();
    assert_eq!(ranged(&date).send().await.status(), 206);
    // A new name changes no byte.
    let facts = format!("/api/v1/nodes/{}", old["id"].as_str().unwrap());
    let renaming = ada.request("PATCH", &facts).json(&json!({"name": "b.txt"}));
    renaming.await_ok(200).await;
    assert_eq!(ranged(&date).send().await.status(), 206);

    ada.put(&content).body("new new new").await_ok(200).await;
    let answer = ranged(tag(&old)).send().await;
    assert_eq!((answer.status(), &answer.bytes()[..]), (200, &b"new new new"[..]));
    // Both contents may be of one second, so the date tells nothing any more.
    assert_eq!(ranged(&date).send().await.status(), 200);
    let matched = ada
        .get(&content)
        .header("range", "bytes=4-")
        .header("if-match", tag(&old))
        .send()
        .await;
    matched.expect_problem(412, "precondition_failed");
    assert_eq!(
        (matched.header("etag"), matched.header("last-modified")),
        ("", "")
    );
}

#[tokio::test]
async fn who_has_it_is_told_304() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let uri = format!("/api/v1/nodes/{}", node["id"].as_str().unwrap());
    let content = format!("{uri}/content");
    let answer = ada.get(&content).header("if-none-match", tag(&node)).send().await;
    assert_eq!(
        (answer.status(), answer.bytes().len(), answer.header("etag")),
        (304, 0, tag(&node))
    );
    let date = ada.get(&content).send().await.header("last-modified").to_owned();
    assert_eq!(
        ada.get(&content)
            .header("if-modified-since", &date)
            .send()
            .await
            .status(),
        304
    );
    assert_eq!(
        ada.request("HEAD", &content)
            .header("if-none-match", "*")
            .send()
            .await
            .status(),
        304
    );

    let facts = ada.get(&uri).send().await;
    assert_eq!(facts.header("etag"), "\"1\"");
    assert_eq!(
        ada.get(&uri)
            .header("if-none-match", "\"1\"")
            .send()
            .await
            .status(),
        304
    );
}

#[tokio::test]
async fn changes_of_a_node_honour_the_tag_of_its_facts() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let uri = format!("/api/v1/nodes/{}", node["id"].as_str().unwrap());
    let rename = |name: &str| ada.patch(&uri).json(&json!({"name": name}));
    let answer = rename("b.txt").header("if-match", "\"1\"").send().await;
    assert_eq!((answer.status(), answer.header("etag")), (200, "\"2\""));
    rename("c.txt")
        .header("if-match", "\"1\"")
        .await_problem(412, "precondition_failed")
        .await;
    rename("c.txt")
        .header("if-match", tag(&node))
        .await_problem(412, "precondition_failed")
        .await;
    ada.delete(&uri)
        .header("if-match", "\"1\"")
        .await_problem(412, "precondition_failed")
        .await;
    ada.delete(&uri).header("if-match", "\"2\"").await_ok(204).await;
}
