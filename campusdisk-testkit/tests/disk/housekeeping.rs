//! The sweep, the relay of events, the watch over running transfers, new layouts.

use std::time::Duration;

use campusdisk_core::catalog::record::{BlobState, Role, Subject};
use campusdisk_core::{AccountId, ErrorKind, NodeId, PutOptions, Span, UploadSpec};
use campusdisk_testkit::faulty::{Fault, ops};
use futures::StreamExt;

use crate::fixture::{Fixture, append, folder, kind, name, part, pattern, policy, put, read, sha256, upload};
use crate::shares::{share, visit};

#[tokio::test]
async fn the_blobs_of_dead_writers_are_condemned_when_their_lease_is_over_and_deleted_after_the_delay() {
    let mut policy = policy();
    policy.purge_delay = Duration::from_secs(86_400);
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(2500)).await.unwrap();
    // A put that fails at its end leaves three blobs that nothing refers to.
    let mut announced = PutOptions::default();
    announced.len_bytes = Some(4000);
    let mut short = desk.put(root, name("g"), announced).await.unwrap();
    short.write(pattern(3500)).await.unwrap();
    // Only when its task has ended is there no one left who renews the leases of what it wrote.
    assert_eq!(kind(short.finish().await), ErrorKind::Truncated);
    while fixture.objects().await.len() < 6 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        fixture.disk.sweep().await.unwrap().condemned,
        0,
        "the leases last"
    );
    fixture.clock.advance(fixture.disk.policy().blob_lease);
    assert!(fixture.disk.sweep().await.unwrap().condemned >= 3);
    assert_eq!(fixture.objects().await.len(), 6, "their bytes wait for the delay");
    fixture.clock.advance(Duration::from_secs(86_399));
    assert_eq!(fixture.disk.sweep().await.unwrap().deleted, 0);
    fixture.clock.advance(Duration::from_secs(2));
    assert!(fixture.disk.sweep().await.unwrap().deleted >= 3);
    assert_eq!(fixture.objects().await.len(), 3);
    assert_eq!(read(&desk, file).await.unwrap(), pattern(2500));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn expired_uploads_and_trash_go_and_whatever_lives_stays() {
    let mut policy = policy();
    policy.batch_rows = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let kept = put(&desk, root, "kept", &pattern(1500)).await.unwrap();
    for index in 0..5 {
        let begun = upload(&desk, &index.to_string(), Some(1500)).await.unwrap();
        append(&desk, begun.id, 0, &pattern(1100)).await.unwrap();
        let file = put(&desk, root, "t", &pattern(1500)).await.unwrap();
        desk.trash(file, None).await.unwrap();
    }
    fixture
        .clock
        .advance(fixture.disk.policy().upload_rest - Duration::from_secs(1));
    let fresh = upload(&desk, "fresh", Some(1500)).await.unwrap();
    append(&desk, fresh.id, 0, &pattern(1100)).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let swept = fixture.disk.sweep().await.unwrap();
    assert_eq!((swept.uploads, swept.purged), (5, 0));
    fixture
        .clock
        .advance(fixture.disk.policy().trash_rest - fixture.disk.policy().upload_rest);
    let swept = fixture.disk.sweep().await.unwrap();
    assert_eq!((swept.uploads, swept.purged), (1, 5));
    assert_eq!(read(&desk, kept).await.unwrap(), pattern(1500));
    fixture.assert_settles().await;
    assert_eq!(fixture.objects().await.len(), 2);
}

#[tokio::test]
async fn a_blob_whose_deletion_fails_is_deleted_by_a_later_sweep() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(2500)).await.unwrap();
    desk.trash(file, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    fixture.disk.sweep().await.unwrap();
    for fault in [
        Fault::Before(ErrorKind::Unavailable),
        Fault::After(ErrorKind::Unavailable),
    ] {
        fixture.clock.advance(Duration::from_secs(1));
        fixture.faults.fail_next_of(ops::DELETE, 1, fault);
        assert_eq!(kind(fixture.disk.sweep().await), ErrorKind::Unavailable);
    }
    fixture
        .faults
        .fail_next_of(ops::DELETE, 1, Fault::HalfWay(ErrorKind::Unavailable));
    // What one call left, the next call of the same sweep deletes.
    assert_eq!(fixture.disk.sweep().await.unwrap().deleted, 3);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn events_are_relayed_once_in_the_order_they_happened_also_by_two_instances() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let other = fixture.instance().await;
    let a = folder(&desk, root, "a").await;
    put(&desk, a, "f", &pattern(5)).await.unwrap();
    put(&desk, a, "f", &pattern(6)).await.unwrap();
    assert_eq!(fixture.disk.relay().await.unwrap(), 3);
    desk.trash(a, None).await.unwrap();
    // The other instance does not hold the lease, until that is over.
    assert_eq!(other.relay().await.unwrap(), 0);
    fixture.clock.advance(Duration::from_secs(31));
    assert_eq!(other.relay().await.unwrap(), 1);
    desk.restore(a, Default::default()).await.unwrap();
    assert_eq!(fixture.disk.relay().await.unwrap(), 0);
    assert_eq!(other.relay().await.unwrap(), 1);
    let kinds: Vec<_> = fixture
        .events
        .latest()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let expected = [
        "node.created",
        "node.created",
        "node.changed",
        "node.trashed",
        "node.restored",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_relay_that_was_overtaken_sends_nothing_old_after_newer_events() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let other = fixture.instance().await;
    folder(&desk, root, "1").await;
    // This relay looks, then stops for a while.
    let gate = fixture.gates.hold("events answered");
    let stopped = fixture.disk.clone();
    let slow = tokio::spawn(async move { stopped.relay().await });
    gate.arrived().await;
    other.relay().await.unwrap();
    folder(&desk, root, "2").await;
    other.relay().await.unwrap();
    fixture.clock.advance(Duration::from_secs(31));
    gate.open();
    slow.await.unwrap().unwrap();
    let ids: Vec<_> = fixture
        .events
        .latest()
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(ids.len(), 2, "each once");
}

#[tokio::test]
async fn the_running_transfers_of_a_locked_account_end() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(5000)).await.unwrap();
    let begun = upload(&desk, "g", Some(5000)).await.unwrap();
    let whole = Span::new(0, 5000).unwrap();
    let mut body = desk.download(file).await.unwrap().open(whole).await.unwrap();
    let mut appending = desk.append(begun.id, 0, Default::default()).await.unwrap();
    let putting = desk.put(root, name("h"), Default::default()).await.unwrap();
    appending.write(pattern(1550)).await.unwrap();
    body.next().await.unwrap().unwrap();
    fixture.disk.look_after_transfers().await;
    body.next().await.unwrap().unwrap();
    fixture.identity.lock(&desk.actor().account);
    fixture.disk.look_after_transfers().await;
    assert_eq!(kind(body.next().await.unwrap()), ErrorKind::Denied);
    assert_eq!(kind(appending.finish().await), ErrorKind::Denied);
    assert_eq!(kind(putting.finish().await), ErrorKind::Denied);
    fixture.identity.admit(desk.actor().clone());
    let at = desk.upload(begun.id).await.unwrap().offset_bytes;
    assert!(at == 0 || at == 1550, "{at}");
    fixture.assert_settles().await;
}

#[tokio::test]
async fn running_transfers_end_with_the_share_the_role_or_the_place_they_go_by() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(5000)).await.unwrap();
    let made = share(&desk, file, |_| {}).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let whole = Span::new(0, 5000).unwrap();
    let download = open.download(&open.admit(None).unwrap(), None).await.unwrap();
    let mut visitors = download.open(whole).await.unwrap();
    let drive = desk.home().await.unwrap().id;
    let (bob, subject) = (
        fixture.desk("bob"),
        Subject::Account(AccountId::parse("bob").unwrap()),
    );
    fixture
        .disk
        .set_member(drive, subject.clone(), Some(Role::Contributor))
        .await
        .unwrap();
    let mut bobs = bob.download(file).await.unwrap().open(whole).await.unwrap();
    let putting = bob.put(a, name("g"), Default::default()).await.unwrap();
    let mut own = desk.download(file).await.unwrap().open(whole).await.unwrap();
    desk.revoke(made.id).await.unwrap();
    fixture
        .disk
        .set_member(drive, subject, Some(Role::Reader))
        .await
        .unwrap();
    fixture.disk.look_after_transfers().await;
    assert_eq!(kind(visitors.next().await.unwrap()), ErrorKind::Denied);
    assert_eq!(kind(putting.finish().await), ErrorKind::Denied);
    bobs.next().await.unwrap().unwrap();
    own.next().await.unwrap().unwrap();
    desk.trash(a, None).await.unwrap();
    fixture.disk.look_after_transfers().await;
    assert_eq!(kind(bobs.next().await.unwrap()), ErrorKind::Denied);
    assert_eq!(kind(own.next().await.unwrap()), ErrorKind::Denied);
}

#[tokio::test]
async fn a_new_layout_has_the_same_bytes_and_lets_the_old_blobs_go() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(3000);
    let begun = upload(&desk, "f", Some(3000)).await.unwrap();
    for at in (0..3000).step_by(300) {
        append(&desk, begun.id, at as u64, &bytes.slice(at..at + 300))
            .await
            .unwrap();
    }
    let node = desk.upload(begun.id).await.unwrap().node.unwrap();
    let content = desk.node(node).await.unwrap().node.content.unwrap();
    fixture.disk.relayout(content).await.unwrap();
    assert_eq!(read(&desk, node).await.unwrap(), bytes);
    fixture.assert_settles().await;
    assert_eq!(fixture.objects().await.len(), 3);
    assert_eq!(read(&desk, node).await.unwrap(), bytes);
    let missing = campusdisk_core::ContentId::from_u128(7);
    assert_eq!(kind(fixture.disk.relayout(missing).await), ErrorKind::NotFound);
}

/// The SHA-256 of a file's content, where it is known.
async fn hash_of(fixture: &Fixture, file: NodeId) -> Option<[u8; 32]> {
    let node = fixture.catalog.node(file).await.unwrap().unwrap();
    let content = fixture.catalog.content(node.content.unwrap()).await.unwrap();
    content.unwrap().sha256
}

#[tokio::test]
async fn a_sha256_whose_job_was_lost_is_found_after_a_sweep() {
    let mut policy = policy();
    policy.hash_inline = false;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    // The jobs of the first instance never get on, as if it had died after the commits.
    let lost = fixture.gates.hold("read");
    let file = put(&desk, root, "f", &pattern(2500)).await.unwrap();
    lost.arrived().await;
    let bytes = pattern(1800);
    let parts = [
        part(&desk, &bytes.slice(..1200)).await.unwrap(),
        part(&desk, &bytes.slice(1200..)).await.unwrap(),
    ];
    let spec = UploadSpec::file(name("joined"), None);
    let joined = desk.join(spec, &parts).await.unwrap().node.unwrap();

    let heir = fixture.instance().await;
    assert_eq!(heir.sweep().await.unwrap().hashing, 2);
    for (file, bytes) in [(file, pattern(2500)), (joined, bytes)] {
        let known = loop {
            match hash_of(&fixture, file).await {
                Some(known) => break known,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(known, sha256(&bytes));
    }
    assert_eq!(heir.sweep().await.unwrap().hashing, 0);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn a_content_that_can_t_be_read_is_tried_again_later_and_hides_no_other() {
    let mut policy = policy();
    policy.hash_inline = false;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    fixture
        .faults
        .fail_next_of(ops::READ, 1, Fault::Before(ErrorKind::Corrupt));
    let file = put(&desk, root, "f", &pattern(2500)).await.unwrap();
    let other = put(&desk, root, "other", &pattern(800)).await.unwrap();
    while hash_of(&fixture, other).await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(hash_of(&fixture, file).await, None);
    assert_eq!(fixture.disk.sweep().await.unwrap().hashing, 0, "it rests");
    fixture.clock.advance(Duration::from_secs(3601));
    assert_eq!(fixture.disk.sweep().await.unwrap().hashing, 1);
    while hash_of(&fixture, file).await.is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_rows_of_leased_keys_go_with_the_instance_that_leased_them() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    put(&desk, root, "f", &pattern(5)).await.unwrap();
    let rows = async || {
        fixture
            .catalog
            .blobs_of(&fixture.store.info().name, None, 100)
            .await
            .unwrap()
    };
    let leased = rows()
        .await
        .iter()
        .filter(|blob| blob.state == BlobState::Leased)
        .count();
    assert_eq!(leased, 3, "keys are leased in batches of four");
    fixture.settle().await;
    assert_eq!(rows().await.len(), 1);
}
