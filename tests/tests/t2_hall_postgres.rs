//! The hall on PostgreSQL: what people do all day, a restart in between, and two halls on one database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_tests::between::Between;
use campusdisk_tests::postgres::Schema;
use campusdisk_tests::wait::until;
use campusdisk_tests::{Client, Hall, Upload, pattern, sha256_hex};
use futures::future::join_all;
use futures::join;
use serde_json::{Value, json};

/// A hall whose database is this schema.
async fn hall_on(schema: &Schema, more: &str) -> Hall {
    let database = format!("\n[database]\npostgres_url = \"{}\"\n", schema.url());
    Hall::start_with(&format!("{database}{more}")).await
}

fn content(node: &Value) -> String {
    format!("/api/v1/nodes/{}/content", node["id"].as_str().unwrap())
}

fn path(node: &Value) -> String {
    format!("/api/v1/nodes/{}", node["id"].as_str().unwrap())
}

async fn sign_in(nobody: &Client, username: &str) -> Client {
    let credentials = json!({"username": username, "password": Hall::PASSWORD});
    let answer = nobody.post("/api/v1/session", credentials).await.expect(200);
    nobody.with_cookie(&answer.cookie())
}

#[tokio::test]
async fn people_sign_in_upload_share_and_delete_and_find_it_all_after_a_restart() {
    let schema = Schema::fresh().await;
    let mut hall = hall_on(&schema, "").await;
    let checked = hall.done(&["check-config"], "");
    assert!(checked.contains("database (postgres)"), "{checked}");
    assert!(!hall.folder().join("data/campusdisk.db").exists());
    let nobody = hall.nobody();
    let (_, token) = hall.setup_link().unwrap().split_once("?token=").unwrap();
    let root = json!({"token": token, "username": "root", "password": Hall::PASSWORD});
    nobody.post("/api/v1/setup", root).await.expect(201);
    hall.account("ada");
    let ada = sign_in(&nobody, "ada").await;
    let home = ada.root().await;

    let folder = ada.folder(&home, "课程").await;
    let small = ada.put(&folder, "notes.txt", "hello").await;
    let bytes = pattern(3_000_000, 7);
    let upload = Upload::create(&ada, &folder, "lecture.bin", bytes.len()).await;
    upload.patch(0, bytes[..1_000_000].to_vec()).await.expect(204);
    hall.kill9();
    hall.restart().await;

    // The session, the offset and the folder are where they were.
    let offset = upload.offset().await;
    assert!(offset <= 1_000_000, "{offset}");
    upload.patch(offset, bytes[offset..].to_vec()).await.expect(204);
    let names = ada.names(&folder).await;
    assert_eq!(names, ["lecture.bin", "notes.txt"]);
    assert_eq!(ada.get(&content(&small)).await.expect(200).body, b"hello");
    let listed = ada
        .get(&format!("/api/v1/nodes/{folder}/children"))
        .await
        .expect(200)
        .json();
    let large = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["name"] == "lecture.bin")
        .unwrap()
        .clone();
    let fetched = ada.get(&content(&large)).await.expect(200).body;
    assert_eq!(sha256_hex(&fetched), sha256_hex(&bytes));
    let part = ada
        .get_with(&content(&large), &[("range", "bytes=999990-1000009")])
        .await
        .expect(206);
    assert_eq!(part.body, bytes[999_990..1_000_010]);

    let shares = format!("{}/shares", path(&small));
    let made = ada
        .post(&shares, json!({"max_downloads": 1}))
        .await
        .expect(201)
        .json();
    let link = format!("{}/content", ada.resolve(&shares, made["url"].as_str().unwrap()));
    assert_eq!(nobody.get(&link).await.expect(200).body, b"hello");
    hall.restart().await;
    let counted = ada.get("/api/v1/shares").await.expect(200).json();
    assert_eq!(counted["items"][0]["downloads"], 1, "{counted}");

    ada.delete(&path(&large)).await.expect(204);
    assert_eq!(ada.names(&folder).await, ["notes.txt"]);
    ada.delete("/api/v1/trash").await.expect(204);
    ada.delete(&path(&small)).await.expect(204);
    nobody.get(&link).await.expect(404);
    let drive = ada.own_drive().await;
    assert_eq!(drive["used_bytes"].as_u64(), Some(5), "{drive}");
    let checked = hall.done(&["check"], "");
    assert!(checked.contains("drives: "), "{checked}");
}

#[tokio::test]
async fn two_halls_on_one_database_are_one() {
    let schema = Schema::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    // Bytes must be where both reach them; rows are.
    let store = format!(
        "\n[stores.primary]\nkind = \"local\"\npath = \"{}\"\n",
        folder.path().display()
    );
    let halls = [hall_on(&schema, &store).await, hall_on(&schema, &store).await];
    let ada = halls[0].account("ada");
    let elsewhere = halls[1].nobody().with_authorization(ada.authorization().unwrap());
    let home = ada.root().await;
    assert_eq!(elsewhere.root().await, home);
    let clients = [ada, elsewhere];

    // Of one name, made at once by both, there is one.
    let children = format!("/api/v1/nodes/{home}/children");
    for round in 0..10 {
        let name = format!("folder {round}");
        let made = clients
            .iter()
            .map(|client| client.post(&children, json!({"name": name, "kind": "folder"})));
        let mut statuses: Vec<_> = join_all(made).await.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
    // An upload goes on at the other one.
    let bytes = pattern(700_000, 3);
    let upload = Upload::create(&clients[0], &home, "both.bin", bytes.len()).await;
    upload.patch(0, bytes[..300_000].to_vec()).await.expect(204);
    let there = upload.by(&clients[1]);
    assert_eq!(there.offset().await, 300_000);
    there.patch(300_000, bytes[300_000..].to_vec()).await.expect(204);
    let [one, other] = &clients;
    assert_eq!(one.names(&home).await, other.names(&home).await);
    let search = one.get(&format!("{children}?limit=1000")).await.json();
    let file = search["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["name"] == "both.bin")
        .unwrap()
        .clone();
    for client in &clients {
        let fetched = client.get(&content(&file)).await.expect(200).body;
        assert_eq!(sha256_hex(&fetched), sha256_hex(&bytes));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hall_that_starts_before_its_database_waits_for_it_and_says_so() {
    let schema = Schema::fresh().await;
    let between = Between::start(schema.port()).await;
    between.refuse(true);
    let database = |wait_seconds: u32| {
        let url = schema.url_by(between.port());
        format!("\n[database]\npostgres_url = \"{url}\"\nwait_seconds = {wait_seconds}\n")
    };
    let comes_up = async {
        until("the hall has tried twice", async || between.refused() >= 2).await;
        between.refuse(false);
    };
    let config = database(60);
    let (mut hall, ()) = join!(Hall::start_with(&config), comes_up);
    let log = hall.log();
    assert!(log.contains("database.wait_seconds"), "{log}");
    hall.nobody().get("/readyz").await.expect(200);

    // No longer than is set, and other commands not at all.
    hall.kill9();
    between.refuse(true);
    std::fs::write(hall.folder().join("hall.toml"), database(2)).unwrap();
    for (command, tries) in [("check", 1..=1), ("serve", 2..=3)] {
        let before = between.refused();
        let said = hall.run(&[command], "");
        assert!(!said.status.success());
        assert!(said.err.contains("database.postgres_url"), "{}", said.err);
        let tried = between.refused() - before;
        assert!(tries.contains(&tried), "{command}: {tried}");
    }
}

#[tokio::test]
async fn a_hall_whose_database_can_not_be_reached_says_which_setting_and_no_password() {
    let schema = Schema::fresh().await;
    let hall = hall_on(&schema, "").await;
    let wrong = schema.url_by(9).replace("campusdisk@", "campusdisk:hunter2@");
    std::fs::write(
        hall.folder().join("hall.toml"),
        format!("[database]\npostgres_url = \"{wrong}\"\n"),
    )
    .unwrap();
    let said = hall.run(&["check"], "");
    assert!(!said.status.success());
    assert!(said.err.contains("database.postgres_url"), "{}", said.err);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
}
