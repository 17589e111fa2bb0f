//! What happens around every request.

use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn an_unknown_address_is_a_problem_and_a_wrong_method_names_the_right_ones() {
    let app = App::new().await;
    app.get("/api/v1/nonsense").await_problem(404, "not_found").await;
    app.get("/api").await_problem(404, "not_found").await;
    app.get("/").await_problem(404, "not_found").await;
    let answer = app.post("/api/v1/drives").send().await;
    answer.expect_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn a_post_acts_as_the_method_it_names_before_routing() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let root = ada.root().await;
    let uri = format!("/api/v1/nodes/{root}/children/a.txt");
    let node = ada
        .post(&uri)
        .header("x-http-method-override", "PUT")
        .body("hello")
        .await_ok(201)
        .await;
    let uri = format!("/api/v1/nodes/{}", node["id"].as_str().unwrap());
    let rename = ada
        .post(&uri)
        .header("x-http-method-override", "PATCH")
        .json(&json!({"name": "b.txt"}));
    rename.await_ok(200).await;
    let head = ada
        .post(&format!("{uri}/content"))
        .header("x-http-method-override", "HEAD")
        .send()
        .await;
    assert_eq!(
        (head.status(), head.header("content-length"), head.bytes().len()),
        (200, "0", 0)
    );
    assert_eq!(head.header("etag"), node["etag"].as_str().unwrap());
    ada.post(&uri)
        .header("x-http-method-override", "GET")
        .await_problem(400, "invalid_input")
        .await;
    ada.get(&uri)
        .header("x-http-method-override", "DELETE")
        .await_ok(200)
        .await;
    ada.post(&uri)
        .header("x-http-method-override", "DELETE")
        .await_ok(204)
        .await;
    ada.get(&uri).await_problem(404, "not_found").await;
}

#[tokio::test]
async fn health_is_for_everybody_and_its_details_for_this_machine_and_administrators() {
    let app = App::new().await;
    assert_eq!(app.get("/healthz").await_ok(200).await["status"], "ok");
    assert_eq!(app.get("/readyz").await_ok(200).await, json!({"status": "ok"}));
    assert!(app.get("/readyz").from("127.0.0.1").await_ok(200).await["parts"].is_array());
    assert!(app.administrator().await.get("/readyz").await_ok(200).await["parts"].is_array());
    assert!(app.user("ada").await.get("/readyz").await_ok(200).await["parts"].is_null());
}

#[tokio::test]
async fn the_router_works_under_any_prefix_with_relative_links_only() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let nested = axum::Router::new().nest("/campus/disk", app.router.clone());
    let asking = |method: &str, uri: &str| {
        crate::app::Asking::new(&nested, method, uri)
            .header("authorization", &format!("Bearer {}", ada.token))
    };
    let uri = format!(
        "/campus/disk/api/v1/nodes/{}/shares",
        node["id"].as_str().unwrap()
    );
    let share = asking("POST", &uri).json(&json!({})).await_ok(201).await;
    let token = share["token"].as_str().unwrap();
    assert_eq!(share["url"], format!("../../../../s/{token}"));
    assert_eq!(
        asking("GET", &format!("/campus/disk/s/{token}/content"))
            .send()
            .await
            .status(),
        200
    );
    asking("GET", "/campus/disk/api/v1/nonsense")
        .await_problem(404, "not_found")
        .await;

    let body = json!({"username": "ada", "password": crate::app::PASSWORD});
    let answer = crate::app::Asking::new(&nested, "POST", "/campus/disk/api/v1/session")
        .json(&body)
        .send()
        .await;
    assert!(
        answer
            .header("set-cookie")
            .contains("; Path=/campus/disk; HttpOnly; SameSite=Lax"),
        "{answer:?}"
    );
}
