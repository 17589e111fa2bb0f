//! Records of downloads over HTTP.

use serde_json::{Value, json};

use crate::app::{App, User};

/// The records, once they are written.
async fn downloads(app: &App, user: &User<'_>, uri: &str) -> Value {
    app.disk.record_downloads().await.unwrap();
    user.get(uri).await_ok(200).await
}

fn content(node: &Value) -> String {
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

#[tokio::test]
async fn what_somebody_downloaded_is_told_to_them_latest_first() {
    let app = App::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let first = ada.file("a.txt", "0123456789").await;
    let second = ada.file("b.txt", "0123456789").await;
    ada.get(&content(&first))
        .header("range", "bytes=0-4")
        .await_ok(206)
        .await;
    let several = ada.get(&content(&first)).header("range", "bytes=5-6,8-9,5-5");
    several.from("192.0.2.9").await_ok(206).await;
    let own = "/api/v1/downloads";
    let one = downloads(&app, &ada, own).await;
    let record = &one["items"][0];
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    for (field, value) in [
        ("node", &first["id"]),
        ("name", &json!("a.txt")),
        ("account", &json!(ada.account)),
        ("share", &Value::Null),
        ("address", &json!("192.0.2.1")),
        ("requests", &json!(2)),
        ("outcome", &json!("aborted")),
    ] {
        assert_eq!(&record[field], value, "{field}");
    }
    assert!(record["bytes"].as_u64().unwrap() >= 9, "{record}");
    assert!(record["started"].is_string() && record["ended"].is_string() && record["id"].is_string());

    // What gives no bytes is no download.
    let etag = ada.request("HEAD", &content(&second)).send().await;
    let etag = etag.header("etag").to_owned();
    for (name, value, status) in [
        ("if-none-match", etag.as_str(), 304),
        ("if-match", "\"other\"", 412),
        ("range", "bytes=99-", 416),
    ] {
        let answer = ada.get(&content(&second)).header(name, value).send().await;
        assert_eq!(answer.status(), status, "{name}");
    }
    assert_eq!(downloads(&app, &ada, own).await, one);
    // Downloads that begin in one millisecond have no order.
    let now = app.disk.now();
    while app.disk.now() == now {
        tokio::task::yield_now().await;
    }
    ada.get(&content(&second)).await_ok(200).await;
    let page = downloads(&app, &ada, "/api/v1/downloads?limit=1").await;
    assert_eq!(page["items"][0]["node"], second["id"]);
    assert_eq!(page["items"][0]["outcome"], "completed");
    let after = format!("{own}?limit=1&after={}", page["next"].as_str().unwrap());
    let rest = downloads(&app, &ada, &after).await;
    assert_eq!(
        (&rest["items"][0]["id"], &rest["next"]),
        (&record["id"], &Value::Null)
    );

    assert_eq!(downloads(&app, &bob, own).await["items"], json!([]));
    app.get(own).await_problem(401, "unauthenticated").await;
    ada.get("/api/v1/downloads?after=x")
        .await_problem(400, "invalid_input")
        .await;
    let writer = app.token(&ada.account, Some("write")).await;
    writer.get(own).await_problem(403, "scope_missing").await;
}

#[tokio::test]
async fn administrators_see_everybody_s_and_ask_by_time_account_and_node() {
    let app = App::new().await;
    let root = app.administrator().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (of_ada, of_bob) = (
        ada.file("a.txt", "0123456789").await,
        bob.file("=b.txt", "01234").await,
    );
    let share = ada
        .post(&format!(
            "/api/v1/nodes/{}/shares",
            of_ada["id"].as_str().unwrap()
        ))
        .json(&json!({}))
        .await_ok(201)
        .await;
    ada.get(&content(&of_ada)).await_ok(200).await;
    bob.get(&content(&of_bob)).await_ok(200).await;
    let link = format!("/s/{}/content", share["token"].as_str().unwrap());
    app.get(&link).from("192.0.2.77").await_ok(200).await;
    let all = "/api/v1/admin/downloads";
    let found = |query: String| {
        let (app, root) = (&app, &root);
        async move {
            downloads(app, root, &format!("{all}?{query}")).await["items"]
                .as_array()
                .unwrap()
                .clone()
        }
    };
    assert_eq!(found(String::new()).await.len(), 3);
    let of_account = found(format!("account={}", bob.account)).await;
    assert_eq!((of_account.len(), &of_account[0]["node"]), (1, &of_bob["id"]));
    let of_node = found(format!("node={}", of_ada["id"].as_str().unwrap())).await;
    assert_eq!(of_node.len(), 2);
    let visitor = of_node.iter().find(|record| record["account"].is_null()).unwrap();
    assert_eq!(
        (&visitor["share"], &visitor["address"]),
        (&share["id"], &json!("192.0.2.77"))
    );
    assert_eq!(found("from=2020-01-01&to=2099-12-31".to_owned()).await.len(), 3);
    assert_eq!(found("to=2020-01-01T00:00:00Z".to_owned()).await.len(), 0);
    assert_eq!(found("from=2099-01-01".to_owned()).await.len(), 0);
    for bad in [
        "from=yesterday",
        "to=2026-02-30",
        "node=x",
        "account=",
        "format=xml",
        "limit=0",
        "after=x",
    ] {
        root.get(&format!("{all}?{bad}"))
            .await_problem(400, "invalid_input")
            .await;
    }
    ada.get(all).await_problem(403, "forbidden").await;
    app.get(all).await_problem(401, "unauthenticated").await;
    let reader = app.token(&root.account, Some("read")).await;
    reader.get(all).await_problem(403, "scope_missing").await;
}

#[tokio::test]
async fn all_downloads_come_as_csv_with_no_name_that_is_a_formula() {
    let app = App::new().await;
    let root = app.administrator().await;
    let node = root.file("=1+1%22,%E8%AE%BA%E6%96%87.txt", "01234").await;
    root.get(&content(&node)).await_ok(200).await;
    app.disk.record_downloads().await.unwrap();
    let all = "/api/v1/admin/downloads?format=csv";
    let answer = root.get(all).send().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment; filename=\"downloads.csv\"")
    );
    let text = std::str::from_utf8(answer.bytes()).unwrap();
    let mut lines = text.split("\r\n");
    let head = "id,node,name,account,share,address,started,ended,bytes,requests,outcome";
    assert_eq!(lines.next(), Some(head));
    let line = lines.next().unwrap();
    assert!(line.contains(",\"'=1+1\"\",论文.txt\","), "{line}");
    assert!(line.ends_with(",5,1,completed"), "{line}");
    assert_eq!(lines.collect::<Vec<_>>(), [""]);
    let marked = root.get(&format!("{all}&bom")).send().await;
    assert_eq!(marked.bytes()[..3], [0xef, 0xbb, 0xbf]);
    assert_eq!(marked.bytes()[3..], answer.bytes()[..]);
}
