//! The trash.

use std::time::Duration;

use campusdisk_core::catalog::record::{Role, Subject};
use campusdisk_core::catalog::{Bulk, Change, Record};
use campusdisk_core::{AccountId, Desk, ErrorKind, NodeId, Restore};

use crate::fixture::{Fixture, folder, kind, name, names, pattern, policy, put, read};

async fn trashed(desk: &Desk) -> Vec<NodeId> {
    let page = desk.trashed(None, 100).await.unwrap();
    page.items.iter().map(|node| node.id).collect()
}

#[tokio::test]
async fn a_deleted_folder_is_out_of_sight_with_all_below_it_and_comes_back_whole() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(1500)).await.unwrap();
    assert_eq!(kind(desk.trash(a, Some(&[7])).await), ErrorKind::Changed);
    desk.trash(a, Some(&[1])).await.unwrap();
    for node in [a, file] {
        assert_eq!(kind(desk.node(node).await), ErrorKind::NotFound);
    }
    assert_eq!(kind(desk.trash(a, None).await), ErrorKind::NotFound);
    assert_eq!(trashed(&desk).await, [a]);
    assert_eq!(kind(desk.restore(file, Restore::Fail).await), ErrorKind::NotFound);
    assert_eq!(desk.home().await.unwrap().used_bytes, 1500);
    desk.restore(a, Restore::Fail).await.unwrap();
    assert_eq!(read(&desk, file).await.unwrap(), pattern(1500));
    assert_eq!(trashed(&desk).await, []);
    assert_eq!(kind(desk.trash(root, None).await), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_restored_file_whose_name_is_taken_refuses_or_takes_another() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let old = put(&desk, root, "f.txt", &pattern(5)).await.unwrap();
    desk.trash(old, None).await.unwrap();
    put(&desk, root, "f.txt", &pattern(6)).await.unwrap();
    assert_eq!(
        kind(desk.restore(old, Restore::Fail).await),
        ErrorKind::AlreadyExists
    );
    let node = desk.restore(old, Restore::Rename).await.unwrap();
    assert_eq!(node.name, name("f (2).txt"));
    assert_eq!(read(&desk, old).await.unwrap(), pattern(5));
}

#[tokio::test]
async fn what_is_restored_without_its_folder_goes_into_the_root() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let inner = folder(&desk, a, "inner").await;
    let file = put(&desk, inner, "f", &pattern(5)).await.unwrap();
    desk.trash(file, None).await.unwrap();
    desk.trash(a, None).await.unwrap();
    assert_eq!(
        desk.restore(file, Restore::Fail).await.unwrap().parent,
        Some(root)
    );
    desk.purge(a).await.unwrap();
    assert_eq!(names(&desk, root).await, ["f"]);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_restore_whose_folder_is_deleted_meanwhile_goes_into_the_root() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(5)).await.unwrap();
    desk.trash(file, None).await.unwrap();
    let gate = fixture
        .gates
        .hold_commit(move |change| matches!(change, Change::Put(Record::Node(node)) if node.id == file));
    let restorer = desk.clone();
    let restore = tokio::spawn(async move { restorer.restore(file, Restore::Fail).await });
    gate.arrived().await;
    desk.trash(a, None).await.unwrap();
    gate.open();
    assert_eq!(restore.await.unwrap().unwrap().parent, Some(root));
}

#[tokio::test]
async fn only_managers_purge_and_only_contributors_see_the_trash() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(1500)).await.unwrap();
    assert_eq!(kind(desk.purge(file).await), ErrorKind::NotFound);
    desk.trash(file, None).await.unwrap();
    let bob = fixture.desk("bob");
    assert_eq!(kind(bob.purge(file).await), ErrorKind::NotFound);
    let drive = desk.home().await.unwrap().id;
    for (role, expected) in [
        (Role::Reader, ErrorKind::NotFound),
        (Role::Contributor, ErrorKind::Denied),
    ] {
        let subject = Subject::Account(AccountId::parse("bob").unwrap());
        fixture.disk.set_member(drive, subject, Some(role)).await.unwrap();
        assert_eq!(kind(bob.purge(file).await), expected);
        assert_eq!(trashed(&bob).await.len(), usize::from(role == Role::Contributor));
        bob.empty_trash().await.unwrap();
    }
    desk.purge(file).await.unwrap();
    assert_eq!(trashed(&desk).await, []);
    assert_eq!(desk.home().await.unwrap().used_bytes, 0);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn the_trash_is_listed_in_pages_latest_first_and_emptied_whole() {
    let mut policy = policy();
    policy.batch_rows = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let mut deleted = Vec::new();
    for index in 0..5 {
        let a = folder(&desk, root, "a").await;
        for file in 0..index {
            put(&desk, a, &file.to_string(), &pattern(150)).await.unwrap();
        }
        fixture.clock.advance(Duration::from_secs(1));
        desk.trash(a, None).await.unwrap();
        deleted.insert(0, a);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = desk.trashed(after, 2).await.unwrap();
        seen.extend(page.items.iter().map(|node| node.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, deleted);
    desk.empty_trash().await.unwrap();
    assert_eq!(trashed(&desk).await, []);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn a_purge_that_comes_too_late_leaves_what_was_restored() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(1500)).await.unwrap();
    desk.trash(a, None).await.unwrap();
    let gate = fixture.gates.hold_commit(is_purge);
    let purger = desk.clone();
    let purge = tokio::spawn(async move { purger.purge(a).await });
    gate.arrived().await;
    desk.restore(a, Restore::Fail).await.unwrap();
    gate.open();
    purge.await.unwrap().unwrap();
    assert_eq!(read(&desk, file).await.unwrap(), pattern(1500));
    fixture.assert_settles().await;
}

fn is_purge(change: &Change) -> bool {
    matches!(change, Change::Bulk(Bulk::Purge { .. }))
}

async fn a_deleted_folder_of_several_batches() -> (Fixture, Desk, NodeId) {
    let mut policy = policy();
    policy.batch_rows = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    for file in 0..5 {
        put(&desk, a, &file.to_string(), &pattern(1500)).await.unwrap();
    }
    desk.trash(a, None).await.unwrap();
    (fixture, desk, a)
}

#[tokio::test]
async fn what_is_half_purged_is_never_restored_and_the_sweep_finishes_it() {
    let (fixture, desk, a) = a_deleted_folder_of_several_batches().await;
    let first = fixture.gates.hold_commit(is_purge);
    let second = fixture.gates.hold_commit(is_purge);
    let purger = desk.clone();
    let purge = tokio::spawn(async move { purger.purge(a).await });
    first.open();
    second.arrived().await;
    // The process dies between two batches.
    purge.abort();
    assert!(purge.await.unwrap_err().is_cancelled());
    assert_eq!(desk.home().await.unwrap().used_bytes, 4500, "one batch is gone");

    for conflict in [Restore::Fail, Restore::Rename] {
        assert_eq!(kind(desk.restore(a, conflict).await), ErrorKind::NotFound);
    }
    assert_eq!(trashed(&desk).await, []);
    assert_eq!(fixture.instance().await.sweep().await.unwrap().purged, 1);
    assert_eq!(desk.home().await.unwrap().used_bytes, 0);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn two_purges_of_one_folder_both_end_with_all_of_it_gone() {
    let (fixture, desk, a) = a_deleted_folder_of_several_batches().await;
    let first = fixture.gates.hold_commit(is_purge);
    let purger = desk.clone();
    let one = tokio::spawn(async move { purger.purge(a).await });
    first.arrived().await;
    desk.purge(a).await.unwrap();
    assert_eq!(desk.home().await.unwrap().used_bytes, 0);
    first.open();
    one.await.unwrap().unwrap();
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_restore_that_comes_too_late_finds_nothing_and_revives_nothing() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(1500)).await.unwrap();
    desk.trash(file, None).await.unwrap();
    let gate = fixture
        .gates
        .hold_commit(move |change| matches!(change, Change::Put(Record::Node(node)) if node.id == file));
    let restorer = desk.clone();
    let restore = tokio::spawn(async move { restorer.restore(file, Restore::Fail).await });
    gate.arrived().await;
    desk.purge(file).await.unwrap();
    gate.open();
    assert_eq!(kind(restore.await.unwrap()), ErrorKind::NotFound);
    assert_eq!(names(&desk, root).await, [""; 0]);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}
