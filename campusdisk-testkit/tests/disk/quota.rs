//! Quotas and limits.

use std::collections::BTreeMap;

use campusdisk_core::catalog::record::{DriveKind, Role, Subject};
use campusdisk_core::{AccountId, Actor, AppendOptions, Desk, DriveUsage, ErrorKind, PutOptions, UploadSpec};

use crate::fixture::{Fixture, append, kind, name, pattern, policy, put, upload};

async fn with_quota(fixture: &Fixture, quota_bytes: u64) -> Desk {
    let alice = Actor::new(AccountId::parse("alice").unwrap(), "alice");
    let desk = fixture.desk_of(alice.with_quota_bytes(Some(quota_bytes)));
    desk.home().await.unwrap();
    desk
}

async fn counters(desk: &Desk) -> (u64, u64) {
    let home = desk.home().await.unwrap();
    (home.used_bytes, home.reserved_bytes)
}

#[tokio::test]
async fn uploads_that_race_for_the_last_room_get_it_once() {
    let fixture = Fixture::new().await;
    let desk = with_quota(&fixture, 2500).await;
    let racing = (0..10).map(|index| {
        let desk = desk.clone();
        async move { upload(&desk, &index.to_string(), Some(1000)).await }
    });
    let outcomes = futures::future::join_all(racing).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 2);
    assert!(
        lost.into_iter()
            .all(|lost| lost.unwrap_err().kind() == ErrorKind::QuotaExceeded)
    );
    assert_eq!(counters(&desk).await, (0, 2000));
    let put = put(&desk, desk.home().await.unwrap().root, "f", &pattern(501)).await;
    assert_eq!(kind(put), ErrorKind::QuotaExceeded);
    for won in won {
        append(&desk, won.unwrap().id, 0, &pattern(1000)).await.unwrap();
    }
    assert_eq!(counters(&desk).await, (2000, 0));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_reservation_is_set_free_by_termination_expiry_and_bytes_that_are_not_the_declared_ones() {
    let fixture = Fixture::new().await;
    let desk = with_quota(&fixture, 2000).await;
    let first = upload(&desk, "a", Some(2000)).await.unwrap();
    append(&desk, first.id, 0, &pattern(1100)).await.unwrap();
    assert_eq!(kind(upload(&desk, "b", Some(1)).await), ErrorKind::QuotaExceeded);
    desk.terminate(first.id).await.unwrap();
    assert_eq!(kind(desk.upload(first.id).await), ErrorKind::NotFound);
    assert_eq!(counters(&desk).await, (0, 0));

    let second = upload(&desk, "b", Some(2000)).await.unwrap();
    append(&desk, second.id, 0, &pattern(1100)).await.unwrap();
    fixture.clock.advance(fixture.disk.policy().upload_rest);
    assert_eq!(fixture.disk.sweep().await.unwrap().uploads, 1);
    assert_eq!(kind(desk.upload(second.id).await), ErrorKind::NotFound);
    assert_eq!(counters(&desk).await, (0, 0));

    let spec = UploadSpec::file(name("c"), Some(2000)).with_sha256([7; 32]);
    let third = desk.create_upload(spec).await.unwrap();
    let wrong = append(&desk, third.id, 0, &pattern(2000)).await;
    assert_eq!(kind(wrong), ErrorKind::Corrupt);
    assert_eq!(counters(&desk).await, (0, 0));
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn an_upload_of_unknown_length_reserves_as_it_grows_and_keeps_what_had_room() {
    let fixture = Fixture::new().await;
    let desk = with_quota(&fixture, 2500).await;
    let begun = upload(&desk, "a", None).await.unwrap();
    append(&desk, begun.id, 0, &pattern(2200)).await.unwrap();
    assert_eq!(counters(&desk).await, (0, 2200));
    let over = append(&desk, begun.id, 2200, &pattern(400)).await;
    assert_eq!(kind(over), ErrorKind::QuotaExceeded);
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 2200);
    let mut options = AppendOptions::default();
    options.len_bytes = Some(2600);
    let declared = desk.append(begun.id, 2200, options.clone()).await;
    assert_eq!(kind(declared), ErrorKind::QuotaExceeded);
    options.len_bytes = Some(2500);
    let mut appending = desk.append(begun.id, 2200, options).await.unwrap();
    appending.write(pattern(300)).await.unwrap();
    assert!(appending.finish().await.unwrap().node.is_some());
    assert_eq!(counters(&desk).await, (2500, 0));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_put_of_unknown_length_stops_where_the_room_ends() {
    let fixture = Fixture::new().await;
    let desk = with_quota(&fixture, 2500).await;
    let root = desk.home().await.unwrap().root;
    let mut options = PutOptions::default();
    options.len_bytes = Some(2501);
    assert_eq!(
        kind(desk.put(root, name("f"), options).await),
        ErrorKind::QuotaExceeded
    );
    assert_eq!(
        kind(put(&desk, root, "f", &pattern(9000)).await),
        ErrorKind::QuotaExceeded
    );
    assert_eq!(counters(&desk).await, (0, 0));
    // Another person is not affected.
    let (bob, home) = {
        let bob = fixture.desk("bob");
        let home = bob.home().await.unwrap().root;
        (bob, home)
    };
    put(&bob, home, "f", &pattern(9000)).await.unwrap();
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_quota_set_below_what_is_used_deletes_nothing_and_lets_nothing_in() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(500)).await.unwrap();
    let account = desk.actor().account.clone();
    fixture
        .disk
        .set_personal_quota(&account, Some(100))
        .await
        .unwrap();
    assert_eq!(
        kind(put(&desk, root, "g", &pattern(1)).await),
        ErrorKind::QuotaExceeded
    );
    desk.trash(file, None).await.unwrap();
    desk.purge(file).await.unwrap();
    put(&desk, root, "g", &pattern(1)).await.unwrap();
    fixture.disk.set_personal_quota(&account, None).await.unwrap();
    put(&desk, root, "h", &pattern(5000)).await.unwrap();
    let drive = desk.home().await.unwrap().id;
    fixture.disk.rebuild_usage(drive).await.unwrap();
    fixture.assert_settles().await;
}

#[tokio::test]
async fn no_file_is_larger_than_the_policy_allows() {
    let mut policy = policy();
    policy.max_file_bytes = 1500;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    assert_eq!(
        kind(upload(&desk, "a", Some(1501)).await),
        ErrorKind::LimitExceeded
    );
    assert_eq!(
        kind(put(&desk, root, "a", &pattern(1501)).await),
        ErrorKind::LimitExceeded
    );
    let open = upload(&desk, "a", None).await.unwrap();
    assert_eq!(
        kind(append(&desk, open.id, 0, &pattern(1501)).await),
        ErrorKind::LimitExceeded
    );
    let mut options = AppendOptions::default();
    options.len_bytes = Some(1501);
    let at = desk.upload(open.id).await.unwrap().offset_bytes;
    assert_eq!(
        kind(desk.append(open.id, at, options).await),
        ErrorKind::LimitExceeded
    );
}

#[tokio::test]
async fn an_upload_whose_folder_moves_to_another_drive_frees_the_drive_it_reserved_in() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let other = fixture.other_drive(&desk, None).await;
    let a = desk.create_folder(root, name("a")).await.unwrap().id;
    let spec = UploadSpec::file(name("f"), Some(1500)).with_parent(a);
    let begun = desk.create_upload(spec).await.unwrap();
    append(&desk, begun.id, 0, &pattern(1100)).await.unwrap();
    let mut update = campusdisk_core::NodeUpdate::default();
    update.parent = Some(other.root);
    desk.update(a, update).await.unwrap();
    append(&desk, begun.id, 1100, &pattern(1500).slice(1100..))
        .await
        .unwrap();
    assert_eq!(counters(&desk).await, (0, 0));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn what_several_accounts_use_is_read_at_once_and_only_of_their_own_drives() {
    let fixture = Fixture::new().await;
    let (alice, root) = fixture.alice().await;
    put(&alice, root, "f", &pattern(700)).await.unwrap();
    let bob = fixture.desk("bob");
    let home = bob.home().await.unwrap();
    put(&bob, home.root, "f", &pattern(300)).await.unwrap();
    let [mine, his, nobodys] = ["alice", "bob", "carol"].map(|name| AccountId::parse(name).unwrap());
    // She may read his drive, and a department's; neither is hers.
    let reads = (Subject::Account(mine.clone()), Role::Reader);
    fixture
        .disk
        .set_member(home.id, reads.0.clone(), Some(reads.1))
        .await
        .unwrap();
    fixture
        .disk
        .create_drive(DriveKind::Departmental, "Physics", None, &[reads])
        .await
        .unwrap();
    let usage = async |accounts: &[AccountId]| {
        let usage = fixture.disk.personal_usage(accounts).await.unwrap();
        let numbers = |drive: DriveUsage| (drive.used_bytes, drive.quota_bytes);
        BTreeMap::from_iter(
            usage
                .into_iter()
                .map(|(account, drive)| (account, numbers(drive))),
        )
    };
    fixture.disk.set_personal_quota(&his, Some(5000)).await.unwrap();
    let all = usage(&[mine.clone(), his.clone(), nobodys]).await;
    assert_eq!(
        all,
        [(mine.clone(), (700, None)), (his, (300, Some(5000)))].into()
    );
    assert_eq!(
        usage(std::slice::from_ref(&mine)).await,
        [(mine, (700, None))].into()
    );
    assert!(usage(&[]).await.is_empty());
}
