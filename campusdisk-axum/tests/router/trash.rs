//! The trash over HTTP.

use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn what_is_deleted_waits_in_the_trash_and_comes_back() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "one").await;
    let id = node["id"].as_str().unwrap();
    ada.delete(&format!("/api/v1/nodes/{id}")).await_ok(204).await;
    let trash = ada.get("/api/v1/trash").await_ok(200).await;
    assert_eq!(trash["items"][0]["id"], id);
    assert!(trash["items"][0]["trashed"].is_string() && trash["items"][0]["expires"].is_string());

    ada.file("a.txt", "two").await;
    let restore = format!("/api/v1/trash/{id}/restore");
    ada.post(&restore).await_problem(409, "already_exists").await;
    ada.post(&restore)
        .json(&json!({"on_conflict": "fail"}))
        .await_problem(409, "already_exists")
        .await;
    ada.post(&restore)
        .json(&json!({"on_conflict": "sing"}))
        .await_problem(400, "invalid_input")
        .await;
    let restored = ada
        .post(&restore)
        .json(&json!({"on_conflict": "rename"}))
        .await_ok(200)
        .await;
    assert_eq!(
        (restored["id"].as_str(), restored["name"].as_str()),
        (Some(id), Some("a (2).txt"))
    );
    assert!(restored["trashed"].is_null());
    ada.post(&restore).await_problem(404, "not_found").await;
}

#[tokio::test]
async fn what_is_purged_is_gone() {
    let app = App::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let node = ada.file("a.txt", "one").await;
    let id = node["id"].as_str().unwrap();
    ada.delete(&format!("/api/v1/trash/{id}"))
        .await_problem(404, "not_found")
        .await;
    ada.delete(&format!("/api/v1/nodes/{id}")).await_ok(204).await;
    bob.delete(&format!("/api/v1/trash/{id}"))
        .await_problem(404, "not_found")
        .await;
    ada.delete(&format!("/api/v1/trash/{id}")).await_ok(204).await;
    assert_eq!(ada.get("/api/v1/trash").await_ok(200).await["items"], json!([]));
}
