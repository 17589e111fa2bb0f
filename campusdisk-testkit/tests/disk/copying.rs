//! Copies: new nodes over the same bytes.

use campusdisk_core::catalog::{Change, Counter};
use campusdisk_core::{AccountId, Actor, ErrorKind};

use crate::fixture::{Fixture, folder, kind, name, names, pattern, policy, put, read};

#[tokio::test]
async fn a_copied_folder_has_everything_and_no_byte_was_copied() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let inner = folder(&desk, a, "inner").await;
    let bytes = pattern(1500);
    put(&desk, inner, "f", &bytes).await.unwrap();
    put(&desk, a, "g", &pattern(10)).await.unwrap();
    let b = folder(&desk, root, "b").await;
    let objects = fixture.objects().await;
    let copy = desk.copy(a, b, None).await.unwrap();
    assert_eq!(fixture.objects().await, objects);
    assert_eq!(names(&desk, copy.id).await, ["g", "inner"]);
    let copied = desk.child(copy.id, &name("inner")).await.unwrap().node.id;
    let file = desk.child(copied, &name("f")).await.unwrap().node.id;
    assert_eq!(desk.home().await.unwrap().used_bytes, 3020);
    // The copy lives on its own.
    desk.trash(a, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    fixture.assert_settles().await;
    assert_eq!(read(&desk, file).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_copy_beside_its_original_takes_the_next_free_name() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f.txt", &pattern(5)).await.unwrap();
    for expected in ["f (2).txt", "f (3).txt"] {
        assert_eq!(desk.copy(file, root, None).await.unwrap().name, name(expected));
    }
    let taken = desk.copy(file, root, Some(name("f (2).txt"))).await;
    assert_eq!(kind(taken), ErrorKind::AlreadyExists);
    let a = folder(&desk, root, "a").await;
    desk.copy(file, a, None).await.unwrap();
    assert_eq!(kind(desk.copy(file, a, None).await), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_folder_is_not_copied_into_itself_nor_a_root_without_a_name() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let inner = folder(&desk, a, "inner").await;
    for target in [a, inner] {
        assert_eq!(kind(desk.copy(a, target, None).await), ErrorKind::Conflict);
    }
    assert_eq!(kind(desk.copy(root, a, None).await), ErrorKind::InvalidInput);
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    assert_eq!(kind(desk.copy(file, file, None).await), ErrorKind::InvalidInput);
    let stranger = fixture.desk("mallory");
    let home = stranger.home().await.unwrap().root;
    assert_eq!(kind(stranger.copy(file, home, None).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_copy_counts_against_the_quota_and_has_a_largest_size() {
    let mut policy = policy();
    policy.max_copy_nodes = 3;
    policy.batch_rows = 2;
    let fixture = Fixture::with(policy).await;
    let alice = Actor::new(AccountId::parse("alice").unwrap(), "alice").with_quota_bytes(Some(2500));
    let desk = fixture.desk_of(alice);
    let root = desk.home().await.unwrap().root;
    let a = folder(&desk, root, "a").await;
    put(&desk, a, "1", &pattern(600)).await.unwrap();
    put(&desk, a, "2", &pattern(600)).await.unwrap();
    desk.copy(a, root, Some(name("b"))).await.unwrap();
    let over = desk.copy(a, root, Some(name("c"))).await;
    assert_eq!(kind(over), ErrorKind::QuotaExceeded);
    put(&desk, a, "3", &pattern(1)).await.unwrap();
    let many = desk.copy(a, root, Some(name("c"))).await;
    assert_eq!(kind(many), ErrorKind::LimitExceeded);
    assert_eq!(names(&desk, root).await, ["a", "b"]);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_copy_against_the_purge_of_the_last_reference_finds_nothing_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(1500)).await.unwrap();
    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Add(Counter::ContentRefs(_), 1, _)));
    let copier = desk.clone();
    let copy = tokio::spawn(async move { copier.copy(file, root, Some(name("g"))).await });
    gate.arrived().await;
    desk.trash(file, None).await.unwrap();
    desk.purge(file).await.unwrap();
    gate.open();
    assert_eq!(kind(copy.await.unwrap()), ErrorKind::NotFound);
    assert_eq!(names(&desk, root).await, [""; 0]);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn a_folder_is_copied_although_something_in_it_is_purged_meanwhile() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    put(&desk, a, "stays", &pattern(10)).await.unwrap();
    let goes = put(&desk, a, "goes", &pattern(1500)).await.unwrap();
    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Add(Counter::ContentRefs(_), 1, _)));
    let copier = desk.clone();
    let copy = tokio::spawn(async move { copier.copy(a, root, Some(name("b"))).await });
    gate.arrived().await;
    desk.trash(goes, None).await.unwrap();
    desk.purge(goes).await.unwrap();
    gate.open();
    let copy = copy.await.unwrap().unwrap();
    assert_eq!(names(&desk, copy.id).await, ["stays"]);
    fixture.assert_settles().await;
}
