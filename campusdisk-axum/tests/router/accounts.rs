//! Accounts, sessions, tokens and administration over HTTP.

use base64::Engine as _;
use campusdisk_accounts::AccountsConfig;
use campusdisk_core::Policy;
use serde_json::json;

use crate::app::{Answer, App, PASSWORD};

async fn sign_in(app: &App, name: &str, password: &str) -> Answer {
    app.post("/api/v1/session")
        .json(&json!({"username": name, "password": password}))
        .send()
        .await
}

#[tokio::test]
async fn the_first_administrator_is_made_once_with_the_printed_token() {
    let app = App::new().await;
    let token = app.accounts.setup_token().await.unwrap().unwrap();
    let body = |token: &str| json!({"token": token, "username": "root", "password": PASSWORD});
    app.post("/api/v1/setup")
        .json(&body("wrong"))
        .await_problem(403, "denied")
        .await;
    let answer = app.post("/api/v1/setup").json(&body(token.expose())).send().await;
    assert_eq!(
        (answer.status(), answer.json()["account"]["admin"].as_bool()),
        (201, Some(true))
    );
    let cookie = answer.cookie("campusdisk_session").unwrap();
    app.get("/api/v1/admin/accounts")
        .header("cookie", &cookie)
        .await_ok(200)
        .await;
    app.post("/api/v1/setup")
        .json(&body(token.expose()))
        .await_problem(404, "not_found")
        .await;
}

#[tokio::test]
async fn somebody_registers_signs_in_and_signs_out() {
    let app = App::new().await;
    let body = json!({"username": "ada", "password": PASSWORD, "email": "ada@example.edu"});
    let account = app.post("/api/v1/accounts").json(&body).await_ok(201).await["account"].clone();
    assert_eq!(
        (account["username"].as_str(), account["email"].as_str()),
        (Some("ada"), Some("ada@example.edu"))
    );
    app.post("/api/v1/accounts")
        .json(&body)
        .await_problem(409, "already_exists")
        .await;
    let weak = json!({"username": "bob", "password": "short", "email": "b@example.edu"});
    assert_eq!(
        app.post("/api/v1/accounts")
            .json(&weak)
            .await_problem(422, "invalid_input")
            .await["field"],
        "password"
    );

    let answer = sign_in(&app, "ada", PASSWORD).await;
    assert_eq!((answer.status(), &answer.json()["account"]), (200, &account));
    let line = answer.header("set-cookie");
    assert!(
        line.contains("; Path=/; HttpOnly; SameSite=Lax")
            && !line.contains("Secure")
            && !line.contains("Max-Age")
    );
    let cookie = answer.cookie("campusdisk_session").unwrap();
    assert_eq!(
        app.get("/api/v1/me")
            .header("cookie", &cookie)
            .await_ok(200)
            .await["account"],
        account
    );
    app.request("DELETE", "/api/v1/session")
        .header("cookie", &cookie)
        .await_ok(204)
        .await;
    app.get("/api/v1/me")
        .header("cookie", &cookie)
        .await_problem(401, "unauthenticated")
        .await;
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_get_the_same_answer_and_then_a_wait() {
    let app = App::new().await;
    app.user("ada").await;
    let mut details = Vec::new();
    for name in ["ada", "nobody"] {
        let answer = sign_in(&app, name, "wrong password").await;
        answer.expect_problem(401, "unauthenticated");
        details.push(answer.json()["detail"].clone());
    }
    assert_eq!(details[0], details[1]);
    for _ in 0..9 {
        assert_eq!(sign_in(&app, "ada", "wrong password").await.status(), 401);
    }
    let answer = sign_in(&app, "ada", PASSWORD).await;
    answer.expect_problem(429, "throttled");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 60);
    let body = json!({"username": "ada", "password": PASSWORD});
    app.post("/api/v1/session")
        .json(&body)
        .from("192.0.2.9")
        .await_ok(200)
        .await;
}

#[tokio::test]
async fn the_cookie_is_for_https_only_where_the_proxy_says_so() {
    let app = App::new().await;
    app.user("ada").await;
    let body = json!({"username": "ada", "password": PASSWORD, "remember": true});
    let asking = || {
        app.post("/api/v1/session")
            .json(&body)
            .header("x-forwarded-proto", "https")
    };
    assert!(!asking().send().await.header("set-cookie").contains("Secure"));
    let answer = asking().from("10.9.0.1").send().await;
    assert!(answer.header("set-cookie").contains("; Secure; Max-Age="));
}

#[tokio::test]
async fn another_site_can_neither_sign_in_nor_change_anything() {
    let app = App::new().await;
    app.user("ada").await;
    let body = json!({"username": "ada", "password": PASSWORD});
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        app.post("/api/v1/session")
            .json(&body)
            .header(name, value)
            .await_problem(403, "cross_origin")
            .await;
    }
    let own = app
        .post("/api/v1/session")
        .json(&body)
        .header("origin", "http://disk.example");
    let cookie = own.send().await.cookie("campusdisk_session").unwrap();
    let patch = |site: &str| {
        let asking = app.request("PATCH", "/api/v1/me").json(&json!({"phone": "1"}));
        asking.header("cookie", &cookie).header("sec-fetch-site", site)
    };
    patch("cross-site").await_problem(403, "cross_origin").await;
    patch("same-origin").await_ok(200).await;
    app.get("/api/v1/me")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .await_ok(200)
        .await;
    let hidden = app
        .post("/api/v1/me")
        .header("x-http-method-override", "PATCH")
        .json(&json!({"phone": "2"}));
    hidden
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .await_problem(403, "cross_origin")
        .await;
}

#[tokio::test]
async fn a_profile_and_a_password_are_changed() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let update = json!({"display_name": "Ada", "email": "ada@example.edu", "about": "two\nlines"});
    let account = ada.patch("/api/v1/me").json(&update).await_ok(200).await["account"].clone();
    assert_eq!(
        (account["display_name"].as_str(), account["email"].as_str()),
        (Some("Ada"), Some("ada@example.edu"))
    );
    let account = ada
        .patch("/api/v1/me")
        .json(&json!({"email": null}))
        .await_ok(200)
        .await["account"]
        .clone();
    assert!(account["email"].is_null());
    ada.patch("/api/v1/me")
        .json(&json!({"admin": true}))
        .await_problem(400, "invalid_input")
        .await;
    ada.patch("/api/v1/me")
        .json(&json!({"email": "x"}))
        .await_problem(422, "invalid_input")
        .await;

    let cookie = sign_in(&app, "ada", PASSWORD)
        .await
        .cookie("campusdisk_session")
        .unwrap();
    let change = |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        app.request("PUT", "/api/v1/me/password")
            .header("cookie", &cookie)
            .json(&body)
    };
    let other = sign_in(&app, "ada", PASSWORD)
        .await
        .cookie("campusdisk_session")
        .unwrap();
    change("wrong", "another long password")
        .await_problem(403, "wrong_password")
        .await;
    change(PASSWORD, "another long password").await_ok(204).await;
    app.get("/api/v1/me")
        .header("cookie", &cookie)
        .await_ok(200)
        .await;
    app.get("/api/v1/me")
        .header("cookie", &other)
        .await_problem(401, "unauthenticated")
        .await;
}

#[tokio::test]
async fn a_script_signs_on_by_bearer_or_basic_and_only_with_a_good_token() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let basic = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    let me = |value: &str| app.get("/api/v1/me").header("authorization", value);
    me(&format!("bearer {}", ada.token)).await_ok(200).await;
    me(&basic(&format!("ada:{}", ada.token))).await_ok(200).await;
    let wrong = basic(&format!("bob:{}", ada.token));
    for value in [
        "Bearer wrong",
        "Bearer",
        "Digest x",
        &wrong,
        "Basic !",
        &basic("ada"),
    ] {
        let answer = me(value).send().await;
        answer.expect_problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    let cookie = sign_in(&app, "ada", PASSWORD)
        .await
        .cookie("campusdisk_session")
        .unwrap();
    me("Bearer wrong")
        .header("cookie", &cookie)
        .await_problem(401, "unauthenticated")
        .await;
}

#[tokio::test]
async fn app_tokens_are_made_with_scopes_and_revoked() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let made = ada
        .post("/api/v1/me/tokens")
        .json(&json!({"name": "backup"}))
        .await_ok(201)
        .await;
    assert_eq!(made["scopes"], json!(["read", "write", "share"]));
    let secret = made["token"].as_str().unwrap();
    let bearer = format!("Bearer {secret}");
    let with = |method: &str, uri: &str| app.request(method, uri).header("authorization", &bearer);
    with("GET", "/api/v1/me").await_ok(200).await;
    with("PATCH", "/api/v1/me")
        .json(&json!({}))
        .await_problem(403, "scope_missing")
        .await;
    with("GET", "/api/v1/me/tokens")
        .await_problem(403, "scope_missing")
        .await;
    let page = ada.get("/api/v1/me/tokens?limit=1").await_ok(200).await;
    let rest = format!("/api/v1/me/tokens?after={}", page["next"].as_str().unwrap());
    let rest = ada.get(&rest).await_ok(200).await;
    // Tokens made within one millisecond are in either order.
    let ids = [&page["items"][0]["id"], &rest["items"][0]["id"]];
    assert!(ids.contains(&&made["id"]) && ids[0] != ids[1]);
    assert!(rest["next"].is_null());
    ada.get("/api/v1/me/tokens?after=x")
        .await_problem(400, "invalid_input")
        .await;
    ada.get("/api/v1/drives?limit=0")
        .await_problem(400, "invalid_input")
        .await;
    let listed = ada.get("/api/v1/me/tokens").await_ok(200).await;
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|token| token["token"].is_null())
    );
    ada.delete(&format!("/api/v1/me/tokens/{}", made["id"].as_str().unwrap()))
        .await_ok(204)
        .await;
    with("GET", "/api/v1/me")
        .await_problem(401, "unauthenticated")
        .await;
    for body in [
        json!({"name": "x", "scopes": ["all"]}),
        json!({"name": ""}),
        json!({"name": "x", "expires": "soon"}),
    ] {
        ada.post("/api/v1/me/tokens")
            .json(&body)
            .await_problem(422, "invalid_input")
            .await;
    }
}

#[tokio::test]
async fn administration_is_for_administrators() {
    let app = App::new().await;
    let root = app.administrator().await;
    let ada = app.user("ada").await;
    let uri = format!("/api/v1/admin/accounts/{}", ada.account);
    ada.get("/api/v1/admin/accounts")
        .await_problem(403, "forbidden")
        .await;
    ada.get(&uri).await_problem(403, "forbidden").await;
    app.get("/api/v1/admin/accounts")
        .await_problem(401, "unauthenticated")
        .await;
    let weak = app.token(&root.account, Some("read write")).await;
    weak.get("/api/v1/admin/accounts")
        .await_problem(403, "scope_missing")
        .await;

    // Also where nothing is yet.
    for (uri, to_an_administrator) in [
        ("/api/v1/admin/nonsense", 404),
        ("/api/v1/insights", 501),
        ("/api/v1/insights/top?limit=3", 501),
        ("/metrics", 501),
    ] {
        ada.get(uri).await_problem(403, "forbidden").await;
        app.get(uri).await_problem(401, "unauthenticated").await;
        weak.get(uri).await_problem(403, "scope_missing").await;
        assert_eq!(root.get(uri).send().await.status(), to_an_administrator, "{uri}");
    }

    let listed = root.get("/api/v1/admin/accounts?limit=1").await_ok(200).await;
    assert_eq!(
        (
            listed["items"][0]["username"].as_str(),
            listed["next"].is_string()
        ),
        (Some("ada"), true)
    );
    root.get("/api/v1/admin/accounts?limit=0")
        .await_problem(400, "invalid_input")
        .await;
    root.get("/api/v1/admin/accounts?after=!")
        .await_problem(400, "invalid_input")
        .await;
    assert_eq!(root.get(&uri).await_ok(200).await["account"]["username"], "ada");
    root.get("/api/v1/admin/accounts/nobody")
        .await_problem(404, "not_found")
        .await;
    let quota = root
        .patch(&uri)
        .json(&json!({"quota_bytes": 10}))
        .await_ok(200)
        .await;
    assert_eq!(quota["account"]["quota_bytes"], 10);
    let too_much = ada
        .put(&format!("/api/v1/nodes/{}/children/a", ada.root().await))
        .body("12345678901");
    too_much.await_problem(507, "quota_exceeded").await;
}

#[tokio::test]
async fn a_lock_ends_sessions_and_tokens_and_a_set_password_must_be_changed() {
    let app = App::new().await;
    let root = app.administrator().await;
    let ada = app.user("ada").await;
    let uri = format!("/api/v1/admin/accounts/{}", ada.account);
    root.put(&format!("{uri}/password"))
        .json(&json!({"new": "given by the office"}))
        .await_ok(204)
        .await;
    let answer = sign_in(&app, "ada", "given by the office").await;
    answer.expect_problem(409, "password_change_required");
    let challenge = answer.json()["challenge"].as_str().unwrap().to_owned();
    let body = json!({"challenge": challenge, "new": "chosen by herself"});
    let answer = app.post("/api/v1/session/challenge").json(&body).send().await;
    assert_eq!(answer.status(), 200);
    let cookie = answer.cookie("campusdisk_session").unwrap();

    root.patch(&uri)
        .json(&json!({"locked": true}))
        .await_ok(200)
        .await;
    app.get("/api/v1/me")
        .header("cookie", &cookie)
        .await_problem(401, "unauthenticated")
        .await;
    ada.get("/api/v1/me").await_problem(401, "unauthenticated").await;
    sign_in(&app, "ada", "chosen by herself")
        .await
        .expect_problem(423, "locked");
    sign_in(&app, "ada", "wrong password")
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_drive_first_asked_for_by_a_script_has_the_quota_of_its_account() {
    let config = AccountsConfig::default().with_default_quota_bytes(Some(10));
    let app = App::with(Policy::default(), config).await;
    let ada = app.user("ada").await;
    assert_eq!(
        ada.get("/api/v1/drives").await_ok(200).await["items"][0]["quota_bytes"],
        10
    );
}
