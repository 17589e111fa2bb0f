//! Where an account is signed in, over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_tests::{Client, Hall};
use serde_json::{Value, json};

const SESSIONS: &str = "/api/v1/me/sessions";

async fn sign_in(hall: &Hall, username: &str, user_agent: &str) -> Client {
    let body = json!({"username": username, "password": Hall::PASSWORD, "remember": user_agent == "Phone"});
    let headers = [("content-type", "application/json"), ("user-agent", user_agent)];
    let nobody = hall.nobody();
    let answer = nobody
        .send("POST", "/api/v1/session", &headers, body.to_string())
        .await
        .expect(200);
    nobody.with_cookie(&answer.cookie())
}

async fn sessions(client: &Client) -> Vec<Value> {
    let answer = client.get(SESSIONS).await.expect(200).json();
    assert_eq!(answer["next"], Value::Null);
    answer["items"].as_array().unwrap().clone()
}

fn id(session: &Value) -> &str {
    session["id"].as_str().unwrap()
}

#[tokio::test]
async fn people_see_where_they_are_signed_in_and_end_it_there() {
    let hall = Hall::start().await;
    hall.account("ada");
    let desk = sign_in(&hall, "ada", "Desk").await;
    let phone = sign_in(&hall, "ada", "Phone").await;
    let listed = sessions(&desk).await;
    let [newer, older] = listed.as_slice() else {
        panic!("two are signed in: {listed:?}");
    };
    assert_eq!(
        [&newer["user_agent"], &newer["remembered"], &newer["current"]],
        [&json!("Phone"), &json!(true), &json!(false)]
    );
    assert_eq!(
        [&older["user_agent"], &older["remembered"], &older["current"]],
        [&json!("Desk"), &json!(false), &json!(true)]
    );
    assert_eq!(newer["address"], "127.0.0.1");
    for time in ["created", "used", "expires"] {
        assert!(newer[time].as_str().unwrap().ends_with('Z'), "{time}: {newer}");
    }

    desk.delete(&format!("{SESSIONS}/{}", id(newer)))
        .await
        .expect(204);
    phone
        .get("/api/v1/me")
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(sessions(&desk).await, std::slice::from_ref(older));
    desk.delete(&format!("{SESSIONS}/{}", id(newer)))
        .await
        .expect_problem(404, "not_found");
}

#[tokio::test]
async fn all_sessions_but_the_present_one_end_at_once() {
    let hall = Hall::start().await;
    hall.account("ada");
    let mut clients = Vec::new();
    for name in ["Desk", "Phone", "Library"] {
        clients.push(sign_in(&hall, "ada", name).await);
    }
    let [desk, others @ ..] = clients.as_slice() else {
        unreachable!("there are three");
    };
    desk.delete(SESSIONS).await.expect(204);
    for other in others {
        other
            .get("/api/v1/me")
            .await
            .expect_problem(401, "unauthenticated");
    }
    let left = sessions(desk).await;
    assert_eq!((left.len(), &left[0]["current"]), (1, &json!(true)));
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let hall = Hall::start().await;
    hall.account("ada");
    hall.account("bob");
    let (ada, bob) = (
        sign_in(&hall, "ada", "Desk").await,
        sign_in(&hall, "bob", "Desk").await,
    );
    let hers = sessions(&ada).await;
    for path in [
        format!("{SESSIONS}/{}", id(&hers[0])),
        format!("{SESSIONS}/nonsense"),
    ] {
        bob.delete(&path).await.expect_problem(404, "not_found");
    }
    bob.delete(SESSIONS).await.expect(204);
    ada.get("/api/v1/me").await.expect(200);
    hall.nobody()
        .get(SESSIONS)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_needs_its_scope_and_is_no_session() {
    let hall = Hall::start().await;
    hall.account("ada");
    let desk = sign_in(&hall, "ada", "Desk").await;
    let mut tokens = Vec::new();
    for scope in ["read", "account"] {
        let made = desk
            .post("/api/v1/me/tokens", json!({"name": scope, "scopes": [scope]}))
            .await
            .expect(201)
            .json();
        tokens.push(desk.with_token(made["token"].as_str().unwrap()));
    }
    let [reader, keeper] = tokens.as_slice() else {
        unreachable!("there are two");
    };
    reader.get(SESSIONS).await.expect_problem(403, "scope_missing");
    reader.delete(SESSIONS).await.expect_problem(403, "scope_missing");
    let listed = sessions(keeper).await;
    assert_eq!((listed.len(), &listed[0]["current"]), (1, &json!(false)));
    keeper.delete(SESSIONS).await.expect(204);
    desk.get("/api/v1/me")
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(sessions(keeper).await, Vec::<Value>::new());
}

#[tokio::test]
async fn neither_the_token_nor_its_hash_is_told_and_a_long_browser_name_is_cut() {
    let hall = Hall::start().await;
    hall.account("ada");
    let desk = sign_in(&hall, "ada", &"b".repeat(2_000)).await;
    let listed = sessions(&desk).await;
    assert_eq!(listed[0]["user_agent"], "b".repeat(256));
    let fields: Vec<_> = listed[0].as_object().unwrap().keys().collect();
    let known = [
        "address",
        "created",
        "current",
        "expires",
        "id",
        "remembered",
        "used",
        "user_agent",
    ];
    assert_eq!(fields, known);
    let page = desk.get(&format!("{SESSIONS}?limit=0")).await;
    assert_eq!(page.status, 400);
}
