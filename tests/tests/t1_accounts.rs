//! Setup, sessions, tokens and accounts, over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_tests::{Client, Hall};
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

fn credentials(username: &str, password: &str) -> String {
    json!({"username": username, "password": password}).to_string()
}

async fn sign_in(client: &Client, username: &str, password: &str) -> Client {
    let answer = client
        .post(
            "/api/v1/session",
            json!({"username": username, "password": password}),
        )
        .await
        .expect(200);
    assert_eq!(answer.json()["account"]["username"], username);
    client.with_cookie(&answer.cookie())
}

#[tokio::test]
async fn the_setup_link_admits_the_first_administrator_once() {
    let mut hall = Hall::start().await;
    let nobody = hall.nobody();
    let link = hall.setup_link().expect("a setup link").to_owned();
    let (page, token) = link.split_once("?token=").unwrap();
    assert_eq!(page, format!("{}/setup", hall.base()));
    assert_eq!(nobody.get(&link).await.status, 200);

    let ask = |token: &str| json!({"token": token, "username": "root", "password": Hall::PASSWORD});
    nobody
        .post("/api/v1/setup", ask("wrong"))
        .await
        .expect_problem(403, "denied");
    let made = nobody.post("/api/v1/setup", ask(token)).await.expect(201);
    assert_eq!(made.json()["account"]["admin"], true);
    let root = nobody.with_cookie(&made.cookie());
    root.get("/api/v1/admin/accounts").await.expect(200);
    nobody
        .post("/api/v1/setup", ask(token))
        .await
        .expect_problem(404, "not_found");

    hall.restart().await;
    assert_eq!(hall.setup_link(), None);
    root.get("/api/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_session_begins_with_the_right_password_and_ends_on_the_server() {
    let hall = Hall::start().await;
    hall.account("ada");
    let nobody = hall.nobody();
    nobody
        .get("/api/v1/me")
        .await
        .expect_problem(401, "unauthenticated");
    let answer = nobody
        .send(
            "POST",
            "/api/v1/session",
            &[JSON],
            credentials("ada", Hall::PASSWORD),
        )
        .await
        .expect(200);
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["campusdisk_session=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part} is missing: {cookie}");
    }
    assert!(
        !cookie.contains("Secure") && !cookie.contains("Max-Age"),
        "{cookie}"
    );

    let ada = nobody.with_cookie(&answer.cookie());
    let me = ada.get("/api/v1/me").await.expect(200).json();
    assert_eq!(me["account"]["username"], "ada");
    for field in [
        "id",
        "email",
        "display_name",
        "phone",
        "about",
        "admin",
        "locked",
        "quota_bytes",
        "created",
    ] {
        assert!(me["account"].get(field).is_some(), "{field} is missing: {me}");
    }
    ada.delete("/api/v1/session").await.expect(204);
    ada.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_remembered_session_s_cookie_lasts() {
    let hall = Hall::start().await;
    hall.account("ada");
    let body = json!({"username": "ada", "password": Hall::PASSWORD, "remember": true});
    let answer = hall.nobody().post("/api/v1/session", body).await.expect(200);
    assert!(
        answer.header("set-cookie").contains("Max-Age="),
        "{}",
        answer.header("set-cookie")
    );
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    let hall = Hall::start().await;
    hall.account("ada");
    let nobody = hall.nobody();
    let mut said = Vec::new();
    for name in ["ada", "nobody"] {
        let answer = nobody
            .send(
                "POST",
                "/api/v1/session",
                &[JSON],
                credentials(name, "not the password"),
            )
            .await;
        let mut problem = answer.expect(401).json();
        problem["request_id"] = json!("");
        said.push(problem);
    }
    assert_eq!(said[0], said[1]);
}

#[tokio::test]
async fn failed_sign_ins_are_throttled() {
    let hall = Hall::start().await;
    hall.account("ada");
    let nobody = hall.nobody();
    for _ in 0..10 {
        nobody
            .send(
                "POST",
                "/api/v1/session",
                &[JSON],
                credentials("ada", "not the password"),
            )
            .await
            .expect(401);
    }
    let answer = nobody
        .send(
            "POST",
            "/api/v1/session",
            &[JSON],
            credentials("ada", Hall::PASSWORD),
        )
        .await
        .expect(429);
    assert!(
        answer.header("retry-after").parse::<u64>().is_ok(),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn another_origin_can_neither_sign_in_nor_change_anything_by_cookie() {
    let hall = Hall::start().await;
    hall.account("ada");
    let nobody = hall.nobody();
    let ada = sign_in(&nobody, "ada", Hall::PASSWORD).await;
    let root = ada.root().await;
    let path = format!("/api/v1/nodes/{root}/children");
    let folder = |name: &str| json!({"name": name, "kind": "folder"}).to_string();
    let own = hall.base();

    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        ada.send("POST", &path, &[JSON, foreign], folder("x"))
            .await
            .expect_problem(403, "cross_origin");
        nobody
            .send(
                "POST",
                "/api/v1/session",
                &[JSON, foreign],
                credentials("ada", Hall::PASSWORD),
            )
            .await
            .expect_problem(403, "cross_origin");
        ada.get_with("/api/v1/me", &[foreign]).await.expect(200);
    }
    ada.send(
        "POST",
        &path,
        &[JSON, ("sec-fetch-site", "same-origin")],
        folder("a"),
    )
    .await
    .expect(201);
    ada.send("POST", &path, &[JSON, ("origin", &own)], folder("b"))
        .await
        .expect(201);
    ada.send("POST", &path, &[JSON], folder("c")).await.expect(201);
    assert_eq!(ada.names(&root).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let hall = Hall::start().await;
    let ada = hall.account("ada");
    let made = ada
        .post("/api/v1/me/tokens", json!({"name": "usual"}))
        .await
        .expect(201)
        .json();
    assert_eq!(made["scopes"], json!(["read", "write", "share"]));
    let body = json!({"name": "reader", "scopes": ["read"], "expires": "2999-01-01T00:00:00Z"});
    let made = ada.post("/api/v1/me/tokens", body).await.expect(201).json();
    let reader = ada.with_token(made["token"].as_str().unwrap());
    let root = reader.root().await;
    reader.get("/api/v1/me").await.expect(200);
    let path = format!("/api/v1/nodes/{root}/children");
    let folder = json!({"name": "x", "kind": "folder"});
    reader
        .post(&path, folder.clone())
        .await
        .expect_problem(403, "scope_missing");
    reader
        .patch("/api/v1/me", json!({"about": "x"}))
        .await
        .expect_problem(403, "scope_missing");
    reader
        .post("/api/v1/nodes/unknown/shares", json!({}))
        .await
        .expect_problem(403, "scope_missing");
    reader
        .get("/api/v1/admin/accounts")
        .await
        .expect_problem(403, "forbidden");

    let listed = ada.get("/api/v1/me/tokens").await.expect(200);
    assert!(!listed.text().contains(made["token"].as_str().unwrap()));
    ada.delete(&format!("/api/v1/me/tokens/{}", made["id"].as_str().unwrap()))
        .await
        .expect(204);
    reader
        .get("/api/v1/me")
        .await
        .expect_problem(401, "unauthenticated");

    let token = hall.done(
        &[
            "token",
            "add",
            "--account",
            "ada",
            "--scopes",
            "read,write",
            "--expires",
            "1h",
        ],
        "",
    );
    ada.with_token(&token).post(&path, folder).await.expect(201);
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("ada:{token}"));
    ada.with_authorization(&format!("Basic {basic}"))
        .get("/api/v1/me")
        .await
        .expect(200);
    ada.with_token("cd_wrong")
        .get("/api/v1/me")
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn people_register_change_their_password_and_lose_their_other_sessions() {
    let hall = Hall::start().await;
    let nobody = hall.nobody();
    let ada = json!({"username": "ada", "password": "difference engine", "email": "ada@campus.example"});
    nobody.post("/api/v1/accounts", ada.clone()).await.expect(201);
    nobody.post("/api/v1/accounts", ada).await.expect(409);
    for (username, password) in [
        ("eve", "short"),
        ("eve", "password1"),
        ("", "difference engine"),
        ("a/b", "difference engine"),
    ] {
        let body = json!({"username": username, "password": password, "email": null});
        nobody.post("/api/v1/accounts", body).await.expect(422);
    }
    let first = sign_in(&nobody, "ada", "difference engine").await;
    let second = sign_in(&nobody, "ada", "difference engine").await;
    let change = |current: &str| json!({"current": current, "new": "analytical engine"});
    let refused = first
        .json("PUT", "/api/v1/me/password", change("wrong password"))
        .await;
    assert!(matches!(refused.status, 401 | 403 | 422), "{refused:?}");
    first
        .json("PUT", "/api/v1/me/password", change("difference engine"))
        .await
        .expect(204);
    first.get("/api/v1/me").await.expect(200);
    second.get("/api/v1/me").await.expect(401);
    nobody
        .post(
            "/api/v1/session",
            json!({"username": "ada", "password": "difference engine"}),
        )
        .await
        .expect(401);
    sign_in(&nobody, "ada", "analytical engine").await;
}

#[tokio::test]
async fn the_command_line_manages_accounts_while_the_hall_runs() {
    let hall = Hall::start().await;
    let nobody = hall.nobody();
    hall.done(
        &["account", "add", "ada", "--email", "ada@campus.example"],
        "  spaces are kept  \n",
    );
    let ada = sign_in(&nobody, "ada", "  spaces are kept  ").await;
    let taken = hall.run(&["account", "add", "ADA"], "another password\n");
    assert!(
        taken.status.code() == Some(1) && taken.err.contains("taken"),
        "{taken:?}"
    );
    let weak = hall.run(&["account", "add", "eve"], "short\n");
    assert!(
        weak.status.code() == Some(1) && weak.err.contains("password"),
        "{weak:?}"
    );
    assert!(!weak.err.contains("short\n"), "{weak:?}");

    hall.done(&["account", "passwd", "ada"], "difference engine\n");
    ada.get("/api/v1/me").await.expect(401);
    let ada = sign_in(&nobody, "ada", "difference engine").await;
    hall.done(&["account", "lock", "ada"], "");
    let locked = std::time::Instant::now();
    while ada.get("/api/v1/me").await.status != 401 {
        assert!(
            locked.elapsed().as_millis() < 1000,
            "the lock takes more than a second"
        );
    }
    let credentials = json!({"username": "ada", "password": "difference engine"});
    nobody.post("/api/v1/session", credentials).await.expect(423);
    nobody
        .post(
            "/api/v1/session",
            json!({"username": "ada", "password": "wrong password"}),
        )
        .await
        .expect(401);
    hall.done(&["account", "unlock", "ada"], "");
    ada.get("/api/v1/me").await.expect(401);
    sign_in(&nobody, "ada", "difference engine").await;

    let listed = hall.done(&["account", "list"], "");
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("ada ") && line.ends_with("ada@campus.example")),
        "{listed}"
    );
    let unknown = hall.run(&["account", "lock", "nobody"], "");
    assert!(
        unknown.status.code() == Some(1) && unknown.err.contains("nobody"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn administrators_lock_promote_and_set_passwords_and_quotas() {
    let hall = Hall::start().await;
    let (root, ada) = (hall.administrator("root"), hall.account("ada"));
    let id = ada.get("/api/v1/me").await.expect(200).json()["account"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/admin/accounts/{id}");
    ada.get(&path).await.expect_problem(403, "forbidden");
    let listed = root
        .get("/api/v1/admin/accounts?limit=1")
        .await
        .expect(200)
        .json();
    assert_eq!(listed["items"][0]["username"], "ada");
    let next = root
        .get(&format!(
            "/api/v1/admin/accounts?after={}",
            listed["next"].as_str().unwrap()
        ))
        .await
        .expect(200);
    assert_eq!(next.json()["items"][0]["username"], "root");

    let changed = root
        .patch(&path, json!({"quota_bytes": 1000}))
        .await
        .expect(200)
        .json();
    assert_eq!(changed["account"]["quota_bytes"], 1000);
    assert_eq!(ada.own_drive().await["quota_bytes"], 1000);

    let session = sign_in(&hall.nobody(), "ada", Hall::PASSWORD).await;
    root.json(
        "PUT",
        &format!("{path}/password"),
        json!({"new": "analytical engine"}),
    )
    .await
    .expect(204);
    session.get("/api/v1/me").await.expect(401);
    let body = json!({"username": "ada", "password": "analytical engine"});
    let challenge = hall
        .nobody()
        .post("/api/v1/session", body)
        .await
        .expect_problem(409, "password_change_required");
    assert!(challenge.json()["challenge"].is_string());

    root.patch(&path, json!({"locked": true})).await.expect(200);
    ada.get("/api/v1/me").await.expect(401);
    root.patch(&path, json!({"quota": 1})).await.expect(400);
}

#[tokio::test]
async fn administrators_see_what_each_person_s_own_drive_keeps() {
    let hall = Hall::start().await;
    let (root, ada) = (hall.administrator("root"), hall.account("ada"));
    let folder = ada.own_drive().await["root"].as_str().unwrap().to_owned();
    let file = format!("/api/v1/nodes/{folder}/children/notes.txt");
    for bytes in ["a", "two versions"] {
        ada.send("PUT", &file, &[], bytes).await;
    }
    let listed = root.get("/api/v1/admin/accounts").await.expect(200).json();
    let used = listed["items"].as_array().unwrap().iter();
    let used: Vec<_> = used
        .map(|person| (person["username"].clone(), person["used_bytes"].clone()))
        .collect();
    // The other one never had a drive.
    assert_eq!(used, [(json!("ada"), json!(13)), (json!("root"), json!(0))]);
}

#[tokio::test]
async fn administrators_see_what_each_person_may_keep_and_what_a_quota_changes() {
    let hall = Hall::start_with("personal_quota_bytes = 1000000\n").await;
    let (root, ada) = (hall.administrator("root"), hall.account("ada"));
    ada.own_drive().await;
    let limits = async || {
        let listed = root.get("/api/v1/admin/accounts").await.expect(200).json();
        let people = listed["items"].as_array().unwrap().iter();
        let limits: Vec<_> = people.map(|person| person["limit_bytes"].clone()).collect();
        limits
    };
    // With a drive or without one.
    assert_eq!(limits().await, [json!(1_000_000), json!(1_000_000)]);
    let me = ada.get("/api/v1/me").await.expect(200).json();
    let path = format!("/api/v1/admin/accounts/{}", me["account"]["id"].as_str().unwrap());
    for (quota, limit) in [(json!(5), 5), (json!(null), 1_000_000)] {
        let changed = root.patch(&path, json!({ "quota_bytes": quota })).await;
        assert_eq!(changed.expect(200).json()["account"]["limit_bytes"], limit);
        assert_eq!(limits().await, [json!(limit), json!(1_000_000)]);
    }
}
