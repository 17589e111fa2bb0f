//! Shares over HTTP, as makers and visitors see them.

use serde_json::{Value, json};

use crate::app::{App, Asking, User};

async fn share(user: &User<'_>, node: &Value, spec: Value) -> Value {
    let uri = format!("/api/v1/nodes/{}/shares", node["id"].as_str().unwrap());
    user.post(&uri).json(&spec).await_ok(201).await
}

fn link(share: &Value) -> String {
    format!("/s/{}", share["token"].as_str().unwrap())
}

fn facts<'a>(app: &'a App, link: &str) -> Asking<'a> {
    app.get(link).header("accept", "application/json")
}

#[tokio::test]
async fn a_public_share_tells_its_facts_and_gives_its_bytes() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a%3Cb%3E.txt", "0123456789").await;
    let share = share(&ada, &node, json!({})).await;
    let link = link(&share);
    assert_eq!(
        facts(&app, &link).await_ok(200).await,
        json!({"name": "a<b>.txt", "size": 10, "kind": "file", "needs_password": false, "expires": null, "drop": false})
    );
    let page = app.get(&link).header("accept", "text/html").send().await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(String::from_utf8_lossy(page.bytes()).contains("a&lt;b&gt;.txt"));
    assert!(page.cookie("campusdisk_ticket").is_some());
    assert!(
        page.header("set-cookie")
            .contains(&format!("; Path={link}; HttpOnly; SameSite=Lax"))
    );

    let answer = app
        .get(&format!("{link}/content"))
        .header("range", "bytes=2-3")
        .send()
        .await;
    assert_eq!((answer.status(), &answer.bytes()[..]), (206, &b"23"[..]));
    assert!(answer.cookie("campusdisk_ticket").is_some());
    let listed = ada.get("/api/v1/shares").await_ok(200).await;
    assert_eq!(
        (
            listed["items"][0]["node"].as_str(),
            listed["items"][0]["name"].as_str()
        ),
        (node["id"].as_str(), Some("a<b>.txt"))
    );
    assert_eq!(
        listed["items"][0]["url"],
        format!("../../s/{}", share["token"].as_str().unwrap())
    );
}

#[tokio::test]
async fn the_shares_of_one_node_are_asked_for() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let mut shared = Vec::new();
    for name in ["a.txt", "b.txt"] {
        let node = ada.file(name, "0123").await;
        let made = share(&ada, &node, json!({})).await;
        shared.push((node["id"].clone(), made["id"].clone()));
    }
    for (node, id) in &shared {
        let uri = format!("/api/v1/shares?node={}", node.as_str().unwrap());
        let items = ada.get(&uri).await_ok(200).await["items"].clone();
        assert_eq!(items.as_array().unwrap().len(), 1);
        assert_eq!(items[0]["id"], *id);
    }
    ada.get("/api/v1/shares?node=x").await_ok(400).await;
}

#[tokio::test]
async fn a_password_opens_a_share_by_cookie_or_ticket() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let share = share(&ada, &node, json!({"password": true})).await;
    let (link, password) = (link(&share), share["password"].as_str().unwrap());
    assert_eq!(facts(&app, &link).await_ok(200).await["needs_password"], true);
    let content = format!("{link}/content");
    app.get(&content).await_problem(401, "password_required").await;
    let unlock = |password: &str| {
        app.post(&format!("{link}/unlock"))
            .json(&json!({"password": password}))
    };
    unlock("wrong").await_problem(403, "wrong_password").await;
    unlock(password)
        .header("sec-fetch-site", "cross-site")
        .await_problem(403, "cross_origin")
        .await;
    let opened = unlock(password).send().await;
    assert_eq!(opened.status(), 204);
    let cookie = opened.cookie("campusdisk_ticket").unwrap();
    app.get(&content).header("cookie", &cookie).await_ok(200).await;
    let ticket = unlock(password)
        .header("accept", "application/json")
        .await_ok(200)
        .await;
    app.get(&format!(
        "{content}?ticket={}",
        ticket["ticket"].as_str().unwrap()
    ))
    .await_ok(200)
    .await;
    app.get(&format!("{content}?ticket=forged"))
        .await_problem(401, "password_required")
        .await;
    let form = app
        .post(&format!("{link}/unlock"))
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("password={password}")).send().await;
    assert_eq!(
        (answer.status(), answer.header("location")),
        (303, format!("../{}", share["token"].as_str().unwrap()).as_str())
    );
}

#[tokio::test]
async fn guessing_a_share_password_is_slowed() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let share = share(&ada, &node, json!({"password": "a chosen one"})).await;
    assert!(share["password"].is_null() || share["password"].is_string());
    let unlock = |password: &str| {
        app.post(&format!("{}/unlock", link(&share)))
            .json(&json!({"password": password}))
    };
    for _ in 0..10 {
        unlock("wrong").await_problem(403, "wrong_password").await;
    }
    let answer = unlock("a chosen one").send().await;
    answer.expect_problem(429, "throttled");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    unlock("a chosen one").from("192.0.2.77").await_ok(204).await;
}

#[tokio::test]
async fn a_download_limit_counts_clients_not_requests() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "0123456789").await;
    let share = share(&ada, &node, json!({"max_downloads": 1})).await;
    let content = format!("{}/content", link(&share));
    for _ in 0..3 {
        assert_eq!(app.request("HEAD", &content).send().await.status(), 200);
        app.get(&content)
            .header("range", "bytes=99-")
            .await_problem(416, "range_not_satisfiable")
            .await;
    }
    app.get(&content).header("range", "bytes=0-4").await_ok(206).await;
    app.get(&content).header("range", "bytes=5-").await_ok(206).await;
    app.get(&content).await_ok(200).await;
    app.get(&content).await_problem(404, "not_found").await;
    app.get(&content)
        .from("192.0.2.50")
        .await_problem(404, "not_found")
        .await;
    facts(&app, &link(&share))
        .from("192.0.2.50")
        .await_problem(404, "not_found")
        .await;
}

#[tokio::test]
async fn bytes_past_the_budget_are_had_neither_from_0_again_nor_by_stopping_one_byte_short() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "0123456789").await;
    for (range, len) in [("bytes=0-", 10), ("bytes=0-8", 9)] {
        let share = share(&ada, &node, json!({"max_downloads": 1})).await;
        let content = format!("{}/content", link(&share));
        // HEAD first, which spends nothing.
        let head = app.request("HEAD", &content).header("range", range).send().await;
        assert_eq!(head.status(), 200);
        for _ in 0..2 {
            let part = app.get(&content).header("range", range).send().await;
            assert_eq!((part.status(), part.bytes().len()), (206, len));
        }
        for address in ["192.0.2.1", "192.0.2.1", "192.0.2.50", "192.0.2.51"] {
            let more = app.get(&content).header("range", range).from(address);
            let more = more.send().await;
            // What is left of the budget may let an answer begin, but not end.
            assert!(more.status() == 404 || more.body.is_none(), "{more:?}");
        }
    }
}

#[tokio::test]
async fn dead_shares_and_wrong_networks_look_the_same() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let narrow = share(&ada, &node, json!({"allow_from": ["10.0.0.0/8"]})).await;
    let revoked = share(&ada, &node, json!({})).await;
    ada.delete(&format!("/api/v1/shares/{}", revoked["id"].as_str().unwrap()))
        .await_ok(204)
        .await;
    let mut details = Vec::new();
    for link in [link(&narrow), link(&revoked), "/s/unknown".into()] {
        details.push(facts(&app, &link).await_problem(404, "not_found").await["detail"].clone());
        app.get(&format!("{link}/content"))
            .await_problem(404, "not_found")
            .await;
        app.post(&format!("{link}/unlock"))
            .json(&json!({"password": "x"}))
            .await_problem(404, "not_found")
            .await;
    }
    assert!(details.iter().all(|detail| *detail == details[0]));
    facts(&app, &link(&narrow)).from("10.1.2.3").await_ok(200).await;
    let forwarded = facts(&app, &link(&narrow))
        .from("10.9.0.1")
        .header("x-forwarded-for", "192.0.2.1");
    forwarded.await_problem(404, "not_found").await;
    ada.delete(&format!("/api/v1/nodes/{}", node["id"].as_str().unwrap()))
        .await_ok(204)
        .await;
    facts(&app, &link(&narrow))
        .from("10.1.2.3")
        .await_problem(404, "not_found")
        .await;
}

#[tokio::test]
async fn conditions_that_make_no_sense_are_refused() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let node = ada.file("a.txt", "x").await;
    let uri = format!("/api/v1/nodes/{}/shares", node["id"].as_str().unwrap());
    for (spec, status) in [
        (json!({"allow_from": ["nowhere"]}), 422),
        (json!({"expires": "soon"}), 422),
        (json!({"expires": "2001-01-01T00:00:00Z"}), 422),
        (json!({"max_downloads": 0}), 422),
        (json!({"drop": true}), 422),
        (json!({"password": ""}), 422),
        (json!({"max_downloads": -1}), 400),
        (json!({"colour": "red"}), 400),
        (json!({"password": 5}), 400),
    ] {
        ada.post(&uri)
            .json(&spec)
            .await_problem(status, "invalid_input")
            .await;
    }
    let writer = app.token(&ada.account, Some("read write")).await;
    writer
        .post(&uri)
        .json(&json!({}))
        .await_problem(403, "scope_missing")
        .await;
}

#[tokio::test]
async fn a_shared_folder_is_looked_through_and_nothing_beside_it() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let folder = ada.folder(&ada.root().await, "shared").await;
    let inner = ada.folder(folder["id"].as_str().unwrap(), "inner").await;
    let uri = format!("/api/v1/nodes/{}/children/a.txt", inner["id"].as_str().unwrap());
    let file = ada.put(&uri).body("inside").await_ok(201).await;
    let outside = ada.file("b.txt", "outside").await;
    let share = share(&ada, &folder, json!({})).await;
    let link = link(&share);
    let listed = app.get(&format!("{link}/children")).await_ok(200).await;
    assert_eq!(listed["items"][0]["name"], "inner");
    assert!(listed["items"][0]["parent"].is_null() && listed["items"][0]["drive"].is_null());
    let listed = app
        .get(&format!("{link}/children/{}", inner["id"].as_str().unwrap()))
        .await_ok(200)
        .await;
    assert_eq!(listed["items"][0]["name"], "a.txt");
    let content = |node: &Value| format!("{link}/nodes/{}/content", node["id"].as_str().unwrap());
    assert_eq!(&app.get(&content(&file)).send().await.bytes()[..], b"inside");
    app.get(&content(&outside)).await_problem(404, "not_found").await;
    let archive = app.get(&format!("{link}/content")).send().await;
    assert_eq!(archive.status(), 200);
    assert!(archive.bytes().starts_with(b"PK\x03\x04"));
}

#[tokio::test]
async fn a_drop_share_takes_files_and_gives_nothing_back() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let folder = ada.folder(&ada.root().await, "inbox").await;
    let share = share(&ada, &folder, json!({"drop": true})).await;
    let link = link(&share);
    let put = || {
        app.request("PUT", &format!("{link}/children/homework.txt"))
            .body("done")
    };
    assert_eq!(put().await_ok(201).await, json!({"name": "homework.txt"}));
    assert_eq!(put().await_ok(201).await, json!({"name": "homework (2).txt"}));
    app.get(&format!("{link}/children"))
        .await_problem(404, "not_found")
        .await;
    app.get(&format!("{link}/content"))
        .await_problem(404, "not_found")
        .await;
    let listed = ada
        .get(&format!(
            "/api/v1/nodes/{}/children",
            folder["id"].as_str().unwrap()
        ))
        .await_ok(200)
        .await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    let begin = app
        .post(&format!("{link}/uploads"))
        .header("tus-resumable", "1.0.0")
        .header("upload-length", "4");
    let begun = begin
        .header("upload-metadata", "filename Yi50eHQ=,on_conflict dmVyc2lvbg==")
        .send()
        .await;
    assert_eq!(begun.status(), 201, "{begun:?}");
    let address = format!("{link}/{}", begun.header("location"));
    let patch = app
        .request("PATCH", &address)
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", "0");
    let done = patch
        .header("content-type", "application/offset+octet-stream")
        .body("more")
        .send()
        .await;
    assert_eq!(
        (
            done.status(),
            done.header("upload-offset"),
            done.header("campusdisk-node")
        ),
        (204, "4", "")
    );
    let read_only = app.get(&format!("/s/{}", "x"));
    read_only.await_problem(404, "not_found").await;
}

#[tokio::test]
async fn a_share_that_is_read_takes_nothing_in() {
    let app = App::new().await;
    let ada = app.user("ada").await;
    let folder = ada.folder(&ada.root().await, "outbox").await;
    let share = share(&ada, &folder, json!({})).await;
    let put = app
        .request("PUT", &format!("{}/children/a.txt", link(&share)))
        .body("x");
    put.await_problem(404, "not_found").await;
}

#[tokio::test]
async fn what_is_shared_is_saved_into_a_drive_of_ones_own() {
    let app = App::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let node = ada.file("a.txt", "hello").await;
    let share = share(&ada, &node, json!({})).await;
    let uri = format!("{}/save", link(&share));
    app.post(&uri).await_problem(401, "unauthenticated").await;
    let saved = bob.post(&uri).await_ok(201).await;
    assert_eq!(saved["parent"], bob.root().await);
    let answer = bob
        .get(&format!(
            "/api/v1/nodes/{}/content",
            saved["id"].as_str().unwrap()
        ))
        .send()
        .await;
    assert_eq!(&answer.bytes()[..], b"hello");
    let there = json!({"parent": ada.root().await});
    bob.post(&uri).json(&there).await_problem(404, "not_found").await;
}

#[tokio::test]
async fn a_whole_drive_is_shared_and_saved_under_its_own_name() {
    let app = App::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    ada.file("a.txt", "hello").await;
    let drive = ada.get("/api/v1/drives").await_ok(200).await["items"][0].clone();
    let share = share(&ada, &json!({"id": drive["root"]}), json!({})).await;
    assert_eq!(
        facts(&app, &link(&share)).await_ok(200).await["name"],
        drive["name"]
    );
    let saved = bob.post(&format!("{}/save", link(&share))).await_ok(201).await;
    assert_eq!(saved["name"], drive["name"]);
    let uri = format!("/api/v1/nodes/{}/children", saved["id"].as_str().unwrap());
    let children = bob.get(&uri).await_ok(200).await;
    assert_eq!(children["items"][0]["name"], "a.txt");
}
