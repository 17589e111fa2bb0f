//! Folders made, listed, found, renamed and moved.

use std::time::Duration;

use campusdisk_core::catalog::record::{Category, Role, Subject};
use campusdisk_core::catalog::{Change, ChildrenQuery, Order, Record, Sort};
use campusdisk_core::{AccountId, Desk, ErrorKind, NodeId, NodeUpdate, Result};

use crate::fixture::{Fixture, folder, kind, name, names, pattern, policy, put};

fn to(parent: NodeId) -> NodeUpdate {
    let mut update = NodeUpdate::default();
    update.parent = Some(parent);
    update
}

fn called(text: &str) -> NodeUpdate {
    let mut update = NodeUpdate::default();
    update.name = Some(name(text));
    update
}

async fn moved(desk: &Desk, node: NodeId, parent: NodeId) -> Result<()> {
    desk.update(node, to(parent)).await.map(drop)
}

#[tokio::test]
async fn a_persons_own_drive_is_made_once_even_when_asked_for_at_once() {
    let fixture = Fixture::new().await;
    let desk = fixture.desk("alice");
    let (one, other) = tokio::join!(desk.home(), desk.home());
    assert_eq!(one.unwrap().id, other.unwrap().id);
    assert_eq!(desk.drives().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_folder_needs_a_free_name_a_folder_and_the_right() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let made = folder(&desk, root, "a").await;
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    assert_eq!(
        kind(desk.create_folder(root, name("a")).await),
        ErrorKind::AlreadyExists
    );
    assert_eq!(
        kind(desk.create_folder(file, name("x")).await),
        ErrorKind::InvalidInput
    );
    let stranger = fixture.desk("mallory");
    assert_eq!(
        kind(stranger.create_folder(made, name("x")).await),
        ErrorKind::NotFound
    );
    assert_eq!(kind(stranger.node(made).await), ErrorKind::NotFound);
    let drive = desk.home().await.unwrap().id;
    let mallory = Subject::Account(AccountId::parse("mallory").unwrap());
    fixture
        .disk
        .set_member(drive, mallory.clone(), Some(Role::Reader))
        .await
        .unwrap();
    assert_eq!(stranger.node(made).await.unwrap().node.name, name("a"));
    assert_eq!(
        kind(stranger.create_folder(made, name("x")).await),
        ErrorKind::Denied
    );
    fixture.disk.set_member(drive, mallory, None).await.unwrap();
    assert_eq!(kind(stranger.node(made).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn no_folder_lies_deeper_than_the_policy_allows() {
    let mut policy = policy();
    policy.max_depth = 3;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let mut at = root;
    for depth in 1..=3 {
        at = folder(&desk, at, &depth.to_string()).await;
    }
    assert_eq!(
        kind(desk.create_folder(at, name("4")).await),
        ErrorKind::InvalidInput
    );
    let other = folder(&desk, root, "other").await;
    assert_eq!(kind(moved(&desk, other, at).await), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_renamed_node_is_found_by_its_new_name_only() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "old", &pattern(5)).await.unwrap();
    put(&desk, root, "taken", &pattern(5)).await.unwrap();
    let node = desk.update(file, called("new")).await.unwrap();
    assert_eq!(node.name, name("new"));
    assert_eq!(desk.child(root, &name("new")).await.unwrap().node.id, file);
    assert_eq!(kind(desk.child(root, &name("old")).await), ErrorKind::NotFound);
    assert_eq!(
        kind(desk.update(file, called("taken")).await),
        ErrorKind::AlreadyExists
    );
    assert_eq!(desk.update(file, called("new")).await.unwrap().name, name("new"));
    assert_eq!(
        kind(desk.update(root, called("root")).await),
        ErrorKind::InvalidInput
    );
    let mut stale = called("other");
    stale.if_version = Some(vec![1]);
    assert_eq!(kind(desk.update(file, stale).await), ErrorKind::Changed);
}

#[tokio::test]
async fn a_moved_folder_takes_all_below_it_along_and_never_into_itself() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let (a, b) = (folder(&desk, root, "a").await, folder(&desk, root, "b").await);
    let inner = folder(&desk, a, "inner").await;
    let file = put(&desk, inner, "f", &pattern(5)).await.unwrap();
    moved(&desk, a, b).await.unwrap();
    let path: Vec<_> = desk.path(file).await.unwrap();
    let path: Vec<_> = path.iter().skip(1).map(|node| node.name.as_str()).collect();
    assert_eq!(path, ["b", "a", "inner", "f"]);
    for target in [b, a, inner] {
        assert_eq!(kind(moved(&desk, b, target).await), ErrorKind::Conflict);
    }
    assert_eq!(kind(moved(&desk, inner, file).await), ErrorKind::InvalidInput);
    folder(&desk, root, "inner").await;
    assert_eq!(kind(moved(&desk, inner, root).await), ErrorKind::AlreadyExists);
}

async fn is_reachable(desk: &Desk, node: NodeId) -> bool {
    desk.path(node)
        .await
        .is_ok_and(|path| path.first().is_some_and(|top| top.parent.is_none()))
}

#[tokio::test]
async fn two_moves_at_once_can_not_make_a_cycle() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let (a, b) = (folder(&desk, root, "a").await, folder(&desk, root, "b").await);
    let gate = fixture
        .gates
        .hold_commit(move |change| matches!(change, Change::Put(Record::Node(node)) if node.id == a));
    let (held, free) = (desk.clone(), desk.clone());
    let slow = tokio::spawn(async move { moved(&held, a, b).await });
    gate.arrived().await;
    moved(&free, b, a).await.unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::Conflict);
    assert!(is_reachable(&desk, a).await && is_reachable(&desk, b).await);
}

#[tokio::test]
async fn two_moves_between_drives_at_once_can_not_make_a_cycle() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let other = fixture.other_drive(&desk, None).await;
    let (a, b) = (
        folder(&desk, root, "a").await,
        folder(&desk, other.root, "b").await,
    );
    let gate = fixture
        .gates
        .hold_commit(move |change| matches!(change, Change::Put(Record::Node(node)) if node.id == a));
    let held = desk.clone();
    let slow = tokio::spawn(async move { moved(&held, a, b).await });
    gate.arrived().await;
    moved(&desk, b, a).await.unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::Conflict);
    assert!(is_reachable(&desk, a).await && is_reachable(&desk, b).await);
}

#[tokio::test]
async fn a_move_to_another_drive_takes_its_usage_along_and_needs_room_there() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let other = fixture.other_drive(&desk, Some(2000)).await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(1500)).await.unwrap();
    moved(&desk, a, other.root).await.unwrap();
    assert_eq!(desk.node(file).await.unwrap().node.drive, other.id);
    assert_eq!(desk.home().await.unwrap().used_bytes, 0);
    let large = put(&desk, root, "large", &pattern(501)).await.unwrap();
    assert_eq!(
        kind(moved(&desk, large, other.root).await),
        ErrorKind::QuotaExceeded
    );
    fixture.assert_settles().await;
}

#[tokio::test]
async fn pages_of_a_folder_show_every_entry_once_in_each_order() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    for (index, size) in [30, 10, 20, 10, 0, 50, 20].into_iter().enumerate() {
        fixture.clock.advance(Duration::from_secs(1));
        put(&desk, root, &format!("{index}.txt"), &pattern(size))
            .await
            .unwrap();
    }
    folder(&desk, root, "10").await;
    for (sort, first) in [
        (Sort::Name, "0.txt"),
        (Sort::Size, "10"),
        (Sort::Modified, "0.txt"),
    ] {
        let mut both = Vec::new();
        for order in [Order::Ascending, Order::Descending] {
            let mut query = ChildrenQuery::first(3);
            (query.sort, query.order) = (sort, order);
            let mut seen = Vec::new();
            loop {
                let page = desk.children(root, &query).await.unwrap();
                assert!(page.items.len() <= 3);
                seen.extend(page.items.into_iter().map(|node| node.name.as_str().to_owned()));
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen.len(), 8, "{sort:?} {order:?}");
            both.push(seen);
        }
        assert_eq!(both[0].first().map(String::as_str), Some(first), "{sort:?}");
        both[1].reverse();
        assert_eq!(both[0], both[1], "{sort:?}");
    }
    let file = desk.child(root, &name("0.txt")).await.unwrap().node.id;
    let listing = desk.children(file, &ChildrenQuery::first(1)).await;
    assert_eq!(kind(listing), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn search_finds_parts_of_names_in_any_case_but_nothing_deleted_or_foreign() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "Reports").await;
    put(&desk, a, "Annual REPORT.pdf", &pattern(5)).await.unwrap();
    put(&desk, root, "report.png", &pattern(5)).await.unwrap();
    let (other, home) = {
        let desk = fixture.desk("bob");
        let home = desk.home().await.unwrap().root;
        (desk, home)
    };
    put(&other, home, "report of bob", &pattern(5)).await.unwrap();
    let found = async |text: &str, category, limit| {
        let page = desk.search(text, category, None, limit).await.unwrap();
        let names: Vec<_> = page
            .items
            .into_iter()
            .map(|node| node.name.as_str().to_owned())
            .collect();
        (names, page.next.is_some())
    };
    assert_eq!(found("rePort", None, 10).await.0.len(), 3);
    assert_eq!(found("report", None, 2).await.0.len(), 2);
    assert!(found("report", None, 2).await.1);
    assert_eq!(found("report", Some(Category::Image), 10).await.0, ["report.png"]);
    desk.trash(a, None).await.unwrap();
    assert_eq!(found("report", None, 10).await.0, ["report.png"]);
    assert_eq!(names(&desk, root).await, ["report.png"]);
}
