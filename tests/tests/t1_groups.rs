//! Groups as administrators keep them, over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_tests::{Client, Hall};
use serde_json::{Value, json};

const GROUPS: &str = "/api/v1/admin/groups";

async fn make(root: &Client, name: &str) -> String {
    let made = root
        .post(GROUPS, json!({ "name": name }))
        .await
        .expect(201)
        .json();
    assert_eq!(made["name"], name);
    format!("{GROUPS}/{}", made["id"].as_str().unwrap())
}

async fn names(client: &Client, path: &str, field: &str) -> Vec<String> {
    let items = client.get(path).await.expect(200).json()["items"].clone();
    let items = items.as_array().unwrap().iter();
    items
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

async fn account_id(client: &Client) -> String {
    let me = client.get("/api/v1/me").await.expect(200).json();
    me["account"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_group_is_made_renamed_searched_for_and_ended() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    let physics = make(&root, "Physics").await;
    make(&root, "Music").await;
    root.post(GROUPS, json!({"name": "PHYSICS"}))
        .await
        .expect_problem(409, "already_exists");
    let bad = root.post(GROUPS, json!({"name": " "})).await.expect(422).json();
    assert_eq!(bad["field"], "name");
    assert_eq!(root.post(GROUPS, json!({"title": "x"})).await.status, 400);

    root.json("PATCH", &physics, json!({"name": "Music"}))
        .await
        .expect_problem(409, "already_exists");
    let renamed = root.json("PATCH", &physics, json!({"name": "Optics"})).await;
    assert_eq!(renamed.expect(200).json()["name"], "Optics");
    assert_eq!(names(&root, GROUPS, "name").await, ["Music", "Optics"]);
    assert_eq!(
        names(&root, "/api/v1/admin/groups?search=PTI", "name").await,
        ["Optics"]
    );

    root.delete(&physics).await.expect(204);
    root.delete(&physics).await.expect_problem(404, "not_found");
    for path in [physics, format!("{GROUPS}/nonsense")] {
        root.json("PATCH", &path, json!({"name": "Law"}))
            .await
            .expect_problem(404, "not_found");
        root.get(&format!("{path}/members"))
            .await
            .expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn people_join_and_leave_and_both_sides_tell_it() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    let (ada, bob) = (hall.account("ada"), hall.account("bob"));
    let (ada, bob) = (account_id(&ada).await, account_id(&bob).await);
    let physics = make(&root, "Physics").await;
    let music = make(&root, "Music").await;
    for (group, account) in [(&physics, &ada), (&physics, &bob), (&music, &ada), (&music, &ada)] {
        root.send("PUT", &format!("{group}/members/{account}"), &[], "")
            .await
            .expect(204);
    }
    let of_ada = format!("/api/v1/admin/accounts/{ada}/groups");
    assert_eq!(
        names(&root, &format!("{physics}/members"), "username").await,
        ["ada", "bob"]
    );
    assert_eq!(names(&root, &of_ada, "name").await, ["Music", "Physics"]);

    let member = format!("{physics}/members/{ada}");
    root.delete(&member).await.expect(204);
    root.delete(&member).await.expect(204);
    assert_eq!(
        names(&root, &format!("{physics}/members"), "username").await,
        ["bob"]
    );
    root.delete(&music).await.expect(204);
    assert_eq!(names(&root, &of_ada, "name").await, Vec::<String>::new());

    for path in [
        format!("{physics}/members/nobody"),
        format!("{GROUPS}/none/members/{bob}"),
    ] {
        for method in ["PUT", "DELETE"] {
            root.send(method, &path, &[], "")
                .await
                .expect_problem(404, "not_found");
        }
    }
    root.get("/api/v1/admin/accounts/nobody/groups")
        .await
        .expect_problem(404, "not_found");
}

#[tokio::test]
async fn groups_and_members_are_read_in_pages() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    let mut lists = vec![GROUPS.to_owned()];
    for name in ["a", "b", "c"] {
        let account = account_id(&hall.account(name)).await;
        let group = make(&root, name).await;
        if name == "a" {
            lists.push(format!("{group}/members"));
        }
        root.send("PUT", &format!("{}/{account}", lists[1]), &[], "")
            .await
            .expect(204);
    }
    for list in lists {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = root
                .get(&format!("{list}?limit=2{after}"))
                .await
                .expect(200)
                .json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|item| item["id"].clone()));
            match &page["next"] {
                Value::String(next) => after = format!("&after={next}"),
                _ => break,
            }
        }
        assert_eq!(seen.len(), 3, "{list}");
        assert_eq!(root.get(&format!("{list}?limit=1001")).await.status, 400);
        assert_eq!(root.get(&format!("{list}?after=!")).await.status, 400);
    }
}

#[tokio::test]
async fn groups_are_for_administrators() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    let ada = hall.account("ada");
    let group = make(&root, "Physics").await;
    let id = account_id(&ada).await;
    let member = format!("{group}/members/{id}");
    for (method, path) in [
        ("GET", GROUPS.to_owned()),
        ("DELETE", group.clone()),
        ("GET", format!("{group}/members")),
        ("PUT", member.clone()),
        ("DELETE", member),
        ("GET", format!("/api/v1/admin/accounts/{id}/groups")),
        ("GET", format!("{GROUPS}/nonsense/members")),
    ] {
        ada.send(method, &path, &[], "")
            .await
            .expect_problem(403, "forbidden");
    }
    ada.post(GROUPS, json!({"name": "Law"}))
        .await
        .expect_problem(403, "forbidden");
    ada.json("PATCH", &group, json!({"name": "Law"}))
        .await
        .expect_problem(403, "forbidden");
    hall.nobody()
        .get(GROUPS)
        .await
        .expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_list_of_groups_counts_their_members() {
    let hall = Hall::start().await;
    let root = hall.administrator("root");
    let ada = account_id(&hall.account("ada")).await;
    let me = account_id(&root).await;
    let (physics, music) = (make(&root, "Physics").await, make(&root, "Music").await);
    for member in [
        format!("{physics}/members/{ada}"),
        format!("{physics}/members/{me}"),
        format!("{music}/members/{ada}"),
    ] {
        root.send("PUT", &member, &[], "").await.expect(204);
    }
    let counts = async || {
        let listed = root.get(GROUPS).await.expect(200).json();
        [0, 1].map(|row| listed["items"][row]["members"].clone())
    };
    assert_eq!(counts().await, [1, 2], "Music, Physics");
    root.delete(&format!("{music}/members/{ada}")).await.expect(204);
    assert_eq!(counts().await, [0, 2]);
}
