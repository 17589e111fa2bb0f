//! What a hall is called and speaks, what administrators see of its configuration, and its demonstration.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_tests::{Client, Hall};
use serde_json::{Value, json};

const SETTINGS: &str = "/api/v1/admin/settings";
const DEMO: &str = "/api/v1/admin/demo";

/// What a browser gets, with the page built in or without.
async fn document(client: &Client) -> String {
    let headers = [("accept", "text/html")];
    client.get_with("/", &headers).await.expect(200).text()
}

/// A setting of a group of the overview.
fn setting<'a>(overview: &'a Value, group: &str, key: &str) -> &'a Value {
    let named = |list: &'a Value, field: &str, name: &str| {
        let found = list.as_array().unwrap().iter().find(|item| item[field] == name);
        found.unwrap_or_else(|| panic!("no {name} in {list}"))
    };
    named(&named(&overview["groups"], "name", group)["settings"], "key", key)
}

#[tokio::test]
async fn name_and_language_stay_through_kill_9_and_show_in_the_document() {
    let mut hall = Hall::start().await;
    let root = hall.administrator("root");
    let face = json!({"name": "示例大学 <Files>", "language": "zh-CN"});
    let said = root.patch(SETTINGS, face).await.expect(200).json();
    assert_eq!(
        (&said["name"], &said["language"], &said["fixed"]),
        (&json!("示例大学 <Files>"), &json!("zh-CN"), &json!([]))
    );
    hall.kill9();
    hall.restart().await;
    let page = document(&hall.nobody()).await;
    assert!(
        page.contains("<title>示例大学 &lt;Files&gt;</title>") && !page.contains("<Files>"),
        "{page}"
    );
    let kept = root
        .patch(SETTINGS, json!({"language": null}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&kept["name"], &kept["language"]),
        (&json!("示例大学 <Files>"), &Value::Null)
    );
}

#[tokio::test]
async fn what_the_configuration_says_can_not_be_changed_over_http() {
    let hall = Hall::start_configured("[page]\nname = \"Configured\"\n").await;
    let root = hall.administrator("root");
    let said = root.get(SETTINGS).await.expect(200).json();
    assert_eq!(
        (&said["name"], &said["fixed"]),
        (&json!("Configured"), &json!(["name"]))
    );
    root.patch(SETTINGS, json!({"name": "Mine", "language": "en"}))
        .await
        .expect_problem(409, "fixed_by_configuration");
    let said = root
        .patch(SETTINGS, json!({"language": "en"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&said["name"], &said["language"]),
        (&json!("Configured"), &json!("en"))
    );
}

#[tokio::test]
async fn a_name_or_a_language_that_is_none_is_refused_and_changes_nothing() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    for name in ["", " a", "a\nb", &"字".repeat(101)] {
        let refused = root
            .patch(SETTINGS, json!({"name": name, "language": "en"}))
            .await;
        let refused = refused.expect_problem(422, "invalid_input").json();
        assert_eq!(refused["field"], "name");
    }
    for body in [json!({"language": "fr"}), json!({"nmae": "x"}), json!([])] {
        root.patch(SETTINGS, body)
            .await
            .expect_problem(400, "invalid_input");
    }
    let said = root.get(SETTINGS).await.expect(200).json();
    assert_eq!(
        (&said["name"], &said["language"]),
        (&json!("CampusDisk"), &Value::Null)
    );
}

#[tokio::test]
async fn settings_and_demonstration_are_for_administrators() {
    let hall = Hall::start().await;
    let (ada, nobody) = (hall.account("ada"), hall.nobody());
    let asks = [
        ("GET", SETTINGS, json!({})),
        ("PATCH", SETTINGS, json!({"name": "Mine"})),
        ("POST", DEMO, json!({"language": "en"})),
    ];
    for (method, path, body) in asks {
        ada.json(method, path, body.clone())
            .await
            .expect_problem(403, "forbidden");
        nobody
            .json(method, path, body)
            .await
            .expect_problem(401, "unauthenticated");
    }
    assert!(document(&nobody).await.contains("<title>CampusDisk</title>"));
}

#[tokio::test]
async fn the_overview_says_what_is_configured_and_where() {
    let hall = Hall::start_with("trash_rest_seconds = 86400\n").await;
    let root = hall.administrator("root");
    let overview = root.get(SETTINGS).await.expect(200).json();
    assert_eq!(setting(&overview, "policy", "purge_delay_seconds")["value"], 0);
    assert_eq!(
        setting(&overview, "policy", "purge_delay_seconds")["changed"],
        true
    );
    assert_eq!(
        setting(&overview, "policy", "trash_rest_seconds")["value"],
        86_400
    );
    assert_eq!(setting(&overview, "policy", "max_depth")["changed"], false);
    let kind = setting(&overview, "stores.primary", "kind");
    assert_eq!(kind["value"], hall.store_kind());
    // A file shows where it is; the address of a server may hold a password, so only that it is set.
    match hall.store_kind() {
        "local" => {
            let place = setting(&overview, "database", "path")["value"].as_str().unwrap();
            assert!(place.starts_with(&hall.folder().display().to_string()), "{place}");
        }
        _ => {
            let address = setting(&overview, "database", "postgres_url");
            assert_eq!(
                (&address["value"], &address["secret"]),
                (&json!(true), &json!(true))
            );
        }
    }
}

#[tokio::test]
async fn the_demonstration_is_made_once_over_http_and_by_command() {
    let mut hall = Hall::start().await;
    let root = hall.administrator("root");
    let first = root
        .post(DEMO, json!({"language": "zh-CN"}))
        .await
        .expect(201)
        .json();
    assert_eq!(first["made"], true);
    let folder = first["folder"].as_str().unwrap();
    assert_eq!(root.names(&root.root().await).await, ["演示内容"]);
    let inside = root.names(folder).await;
    for name in [
        "成绩单",
        "课表",
        "表格",
        "软件",
        "公告",
        "课程资料",
        "请先看这里.md",
    ] {
        assert!(inside.iter().any(|inside| inside == name), "{name} in {inside:?}");
    }
    let shares = root.get("/api/v1/shares").await.expect(200).json();
    assert_eq!(shares["items"].as_array().unwrap().len(), 3);
    let trash = root.get("/api/v1/trash").await.expect(200).json();
    assert_eq!(trash["items"].as_array().unwrap().len(), 1);
    assert!(hall.done(&["account", "list"], "").contains("demo-lihua"));

    let again = root
        .post(DEMO, json!({"language": "en"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&again["made"], &again["folder"]),
        (&json!(false), &first["folder"])
    );
    assert!(hall.done(&["demo"], "").contains("there already"));
    hall.restart().await;
    assert_eq!(root.names(&root.root().await).await, ["演示内容"]);
    assert!(hall.done(&["check"], "").contains("drives"));
}

#[tokio::test]
async fn a_demonstration_that_kill_9_cut_short_is_finished() {
    let mut hall = Hall::start().await;
    let root = hall.administrator("root");
    let (asking, drive) = (root.clone(), root.clone());
    let request = tokio::spawn(async move {
        // It may be cut off, and that is the point.
        let _ = asking
            .try_send("POST", DEMO, &[], json!({"language": "en"}).to_string())
            .await;
    });
    let home = drive.root().await;
    while drive.names(&home).await.is_empty() {
        tokio::task::yield_now().await;
    }
    hall.kill9();
    request.abort();
    hall.restart().await;
    let said = hall.done(&["demo", "--account", "root"], "");
    assert!(
        said.contains("made the demonstration") || said.contains("there already"),
        "{said}"
    );
    assert_eq!(root.names(&home).await, ["Demo content"]);
    let again = root
        .post(DEMO, json!({"language": "zh-CN"}))
        .await
        .expect(200)
        .json();
    let inside = root.names(again["folder"].as_str().unwrap()).await;
    assert_eq!(inside.len(), 8, "{inside:?}");
}

#[tokio::test]
async fn a_logo_or_a_colour_that_can_not_be_is_refused_at_the_start_with_its_key() {
    let hall = Hall::start().await;
    let folder = hall.folder().display().to_string();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(hall.folder().join(name), bytes).unwrap();
        format!("{folder}/{name}")
    };
    let large = file(
        "large.png",
        &[b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 300_000]].concat(),
    );
    let text = file("text.svg", b"no drawing");
    for (page, reason) in [
        (
            format!("logo = \"{large}\""),
            "at most 262144 bytes (256 KiB)".to_owned(),
        ),
        (format!("logo = \"{text}\""), "neither SVG".to_owned()),
        ("logo = \"missing.svg\"".to_owned(), "can't be read".to_owned()),
        ("accent = \"#ffcc00\"".to_owned(), "a contrast of 1.".to_owned()),
        ("accent = \"red\"".to_owned(), "#rrggbb".to_owned()),
        (
            "acent = \"#660874\"".to_owned(),
            "did you mean page.accent?".to_owned(),
        ),
        ("language = \"fr\"".to_owned(), "page.language".to_owned()),
    ] {
        std::fs::write(hall.folder().join("hall.toml"), format!("[page]\n{page}\n")).unwrap();
        for command in ["serve", "check-config"] {
            let said = hall.run(&[command], "");
            let text = format!("{}{}", said.out, said.err);
            assert_eq!(said.status.code(), Some(1), "{command} {page}: {text}");
            assert!(text.contains(&reason), "{command} {page}: {text}");
        }
    }
}
