//! Change sets as a whole: C1 to C5 and M2.

use std::sync::Arc;
use std::time::Duration;

use campusdisk_core::catalog::record::{Lease, Member, Role, Setting, Subject};
use campusdisk_core::catalog::{
    BlobStep, Bound, Bulk, BulkOutcome, Catalog, Change, Committed, Counter, Expect, Record, RecordKey,
};
use campusdisk_core::{ChangeId, DriveId, ErrorKind, EventId, NodeId, UploadId};

use super::desk::{Desk, account, at, name, trashed};
use super::samples;

pub async fn c1_every_kind_of_record_reads_as_it_was_put(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    for record in samples::full(&desk).into_iter().chain(samples::bare(&desk)) {
        let key = record.key();
        desk.apply(vec![Change::Put(record.clone())]).await;
        assert_eq!(samples::read(&*desk.catalog, &key).await, Some(record));
        desk.apply(vec![Change::Delete(key.clone())]).await;
        assert_eq!(samples::read(&*desk.catalog, &key).await, None);
    }
}

pub async fn c1_putting_a_record_again_replaces_it(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    for (old, new) in samples::replacements(&desk) {
        assert_eq!(old.key(), new.key());
        desk.apply(vec![Change::Put(old)]).await;
        desk.apply(vec![Change::Put(new.clone())]).await;
        assert_eq!(samples::read(&*desk.catalog, &new.key()).await, Some(new));
    }
}

pub async fn c1_deleting_what_is_not_there_changes_nothing(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut keys: Vec<_> = samples::full(&desk).iter().map(Record::key).collect();
    keys.push(RecordKey::Event(EventId::from_u128(77)));
    desk.apply(keys.into_iter().map(Change::Delete).collect()).await;
}

pub async fn c1_a_set_is_applied_whole_or_not_at_all(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let blob = desk.blob();
    desk.put(blob.clone()).await;
    let (file, share) = (desk.file(&drive, "a"), desk.share(drive.root));
    let content = desk.content(&blob, 5);
    let changes = vec![
        file.clone().into(),
        content.clone().into(),
        desk.version(&file, &content).into(),
        share.clone().into(),
        Change::Blob(blob.store.clone(), blob.key, BlobStep::Attach(1)),
        Change::Add(Counter::DriveUsed(drive.id), 5, Bound::Quota),
        Change::Add(Counter::ContentRefs(content.id), 1, Bound::None),
        desk.event(Some("mei"), "node.created").into(),
        Bulk::Recount { drive: drive.id }.into(),
    ];
    let mut failing = changes.clone();
    failing.push(Expect::ParentLive(NodeId::from_u128(u128::MAX), drive.id).into());

    assert_eq!(desk.refused(failing).await, ErrorKind::NotFound);
    assert_eq!(desk.read_node(file.id).await, None);
    assert_eq!(desk.read_content(content.id).await, None);
    assert_eq!(desk.catalog.version(file.id, 1).await.expect("answered"), None);
    assert_eq!(desk.catalog.share(share.id).await.expect("answered"), None);
    assert_eq!(desk.read_blob(&blob).await, Some(blob.clone()));
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 0);
    assert_eq!(desk.catalog.events(10).await.expect("answered"), []);

    desk.apply(changes).await;
    assert_eq!(desk.read_node(file.id).await, Some(file));
    assert_eq!(desk.read_content(content.id).await.map(|row| row.refs), Some(1));
    assert_eq!(desk.read_blob(&blob).await.map(|row| row.refs), Some(1));
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 5);
    assert_eq!(desk.catalog.events(10).await.expect("answered").len(), 1);
}

pub async fn c1_changes_are_applied_in_order_and_see_the_ones_before(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let file = desk.file(&drive, "a");
    let mut newer = file.clone();
    newer.version = 2;
    newer.name = name("b");
    desk.apply(vec![
        Expect::Absent(RecordKey::Node(file.id)).into(),
        Expect::NameFree(drive.root, name("a")).into(),
        file.clone().into(),
        Expect::Version(RecordKey::Node(file.id), 1).into(),
        newer.clone().into(),
        Expect::Version(RecordKey::Node(file.id), 2).into(),
        Expect::NameFree(drive.root, name("a")).into(),
        Change::Delete(RecordKey::Node(file.id)),
        Expect::Absent(RecordKey::Node(file.id)).into(),
        newer.clone().into(),
    ])
    .await;
    assert_eq!(desk.read_node(file.id).await, Some(newer));
}

pub async fn c2_the_same_set_twice_applies_once(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let set = desk.set(vec![
        Change::Add(Counter::DriveUsed(drive.id), 7, Bound::None),
        Bulk::Forget { before: at(-1) }.into(),
    ]);
    let once = desk.catalog.commit(set.clone()).await.expect("applied");
    let outcome = BulkOutcome { rows: 0, done: true };
    assert_eq!(
        once,
        Committed {
            replayed: false,
            bulk: vec![outcome]
        }
    );
    let twice = desk.catalog.commit(set).await.expect("replayed");
    assert_eq!(
        twice,
        Committed {
            replayed: true,
            bulk: Vec::new()
        }
    );
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 7);
}

pub async fn c2_the_same_set_from_many_tasks_applies_once(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let set = desk.set(vec![Change::Add(Counter::DriveUsed(drive.id), 7, Bound::None)]);
    let answers = desk.race(vec![set; 12]).await;
    let fresh = answers
        .iter()
        .filter(|answer| answer.as_ref().is_ok_and(|committed| !committed.replayed))
        .count();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(fresh, 1);
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 7);
}

pub async fn c2_a_failed_set_leaves_its_id_unused(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.new_drive(None);
    let add = Change::Add(Counter::DriveUsed(drive.id), 7, Bound::None);
    let set = desk.set(vec![add]);
    let refusal = desk
        .catalog
        .commit(set.clone())
        .await
        .expect_err("there is no drive");
    assert_eq!(refusal.kind(), ErrorKind::NotFound);
    desk.put(drive.clone()).await;
    let committed = desk.catalog.commit(set).await.expect("applied now");
    assert!(!committed.replayed);
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 7);
}

pub async fn c2_ids_are_forgotten_only_when_told(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.new_drive(None);
    let mut old = desk.set(vec![drive.clone().into()]);
    old.at = at(-5000);
    let mut young = desk.set(vec![Change::Delete(RecordKey::Drive(drive.id))]);
    young.at = at(-1000);
    for set in [&old, &young] {
        desk.catalog.commit(set.clone()).await.expect("applied");
    }
    let forgotten = desk.put(Bulk::Forget { before: at(-1000) }).await;
    assert_eq!(forgotten.bulk, [BulkOutcome { rows: 1, done: true }]);
    assert!(!desk.catalog.commit(old).await.expect("applied again").replayed);
    assert!(desk.catalog.commit(young).await.expect("replayed").replayed);
    assert_eq!(desk.read_drive(drive.id).await, drive);
}

pub async fn c3_each_expectation_fails_with_its_own_kind(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let file = desk.file(&drive, "a");
    let bin = trashed(desk.folder(&drive, "bin"), at(0), at(9));
    let mut upload = desk.upload(&drive);
    upload.offset_bytes = 10;
    desk.apply(vec![
        file.clone().into(),
        bin.clone().into(),
        upload.clone().into(),
    ])
    .await;

    let cases = [
        (Expect::Version(RecordKey::Node(file.id), 2), ErrorKind::Conflict),
        (
            Expect::Version(RecordKey::Node(NodeId::from_u128(9999)), 1),
            ErrorKind::Conflict,
        ),
        (Expect::Absent(RecordKey::Node(file.id)), ErrorKind::AlreadyExists),
        (Expect::NameFree(drive.root, name("a")), ErrorKind::AlreadyExists),
        (
            Expect::ParentLive(NodeId::from_u128(9999), drive.id),
            ErrorKind::NotFound,
        ),
        (Expect::ParentLive(file.id, drive.id), ErrorKind::NotFound),
        (Expect::ParentLive(bin.id, drive.id), ErrorKind::NotFound),
        (
            Expect::ParentLive(drive.root, DriveId::from_u128(9999)),
            ErrorKind::Conflict,
        ),
        (Expect::TreeVersion(drive.id, 1), ErrorKind::Conflict),
        (
            Expect::TreeVersion(DriveId::from_u128(9999), 0),
            ErrorKind::Conflict,
        ),
        (Expect::UploadAt(upload.id, 2, 10), ErrorKind::Conflict),
        (Expect::UploadAt(upload.id, 1, 11), ErrorKind::Conflict),
        (
            Expect::UploadAt(UploadId::from_u128(9999), 1, 10),
            ErrorKind::Conflict,
        ),
    ];
    for (expect, kind) in cases {
        assert_eq!(
            desk.refused(vec![expect.clone().into()]).await,
            kind,
            "{expect:?}"
        );
    }
    desk.apply(vec![
        Expect::ParentLive(drive.root, drive.id).into(),
        Expect::NameFree(drive.root, name("bin")).into(),
        Expect::TreeVersion(drive.id, 0).into(),
        Expect::UploadAt(upload.id, 1, 10).into(),
    ])
    .await;
}

pub async fn c3_every_kind_of_record_can_be_expected(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    for record in samples::full(&desk) {
        let key = record.key();
        let version = samples::version_of(&record);
        assert_eq!(
            desk.refused(vec![Expect::Version(key.clone(), version).into()])
                .await,
            ErrorKind::Conflict
        );
        desk.apply(vec![
            Expect::Absent(key.clone()).into(),
            Change::Put(record),
            Expect::Version(key.clone(), version).into(),
        ])
        .await;
        let wrong = Expect::Version(key.clone(), version + 1);
        assert_eq!(
            desk.refused(vec![wrong.into()]).await,
            ErrorKind::Conflict,
            "{key:?}"
        );
        let absent = Expect::Absent(key.clone());
        assert_eq!(
            desk.refused(vec![absent.into()]).await,
            ErrorKind::AlreadyExists,
            "{key:?}"
        );
    }
    let event = desk.event(None, "a.fact");
    let key = RecordKey::Event(event.id);
    desk.apply(vec![
        Expect::Absent(key.clone()).into(),
        event.into(),
        Expect::Version(key.clone(), 0).into(),
    ])
    .await;
    assert_eq!(
        desk.refused(vec![Expect::Absent(key).into()]).await,
        ErrorKind::AlreadyExists
    );
}

pub async fn c3_a_failed_set_does_not_hurt_its_neighbours(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let sets = (0..60).map(|number| {
        let mut changes = vec![
            desk.file(&drive, &format!("file {number}")).into(),
            Change::Add(Counter::DriveUsed(drive.id), 1, Bound::None),
        ];
        match number % 3 {
            1 => changes.push(Expect::TreeVersion(drive.id, 99).into()),
            2 => changes.push(desk.file(&drive, &format!("file {number}")).into()),
            _ => {}
        }
        desk.set(changes)
    });
    let answers = desk.race(sets.collect()).await;
    for (number, answer) in answers.into_iter().enumerate() {
        let kind = answer.err().map(|error| error.kind());
        let expected = [None, Some(ErrorKind::Conflict), Some(ErrorKind::AlreadyExists)];
        assert_eq!(Some(&kind), expected.get(number % 3), "set {number}");
        let row = desk
            .catalog
            .child(drive.root, &name(&format!("file {number}")))
            .await
            .expect("answered");
        assert_eq!(row.is_some(), number % 3 == 0);
    }
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 20);
}

pub async fn c4_a_dropped_commit_is_applied_whole_or_not_at_all(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    for round in 0..20u32 {
        let file = desk.file(&drive, &format!("file {round}"));
        let set = desk.set(vec![
            file.clone().into(),
            Change::Add(Counter::DriveUsed(drive.id), 1, Bound::None),
        ]);
        // Polled for so long, then dropped, somewhere between being sent and being answered.
        let wait = Duration::from_micros(u64::from(round) * 50);
        let _ = tokio::time::timeout(wait, desk.catalog.commit(set.clone())).await;
        desk.catalog
            .commit(set)
            .await
            .expect("sending it again tells which");
        assert_eq!(desk.read_node(file.id).await, Some(file));
        assert_eq!(desk.read_drive(drive.id).await.used_bytes, u64::from(round) + 1);
    }
}

pub async fn c5_a_read_after_the_answer_sees_the_changes(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let desk = desk.clone();
            tokio::spawn(async move {
                let drive = desk.drive().await;
                for number in 1..=12 {
                    let file = desk.file(&drive, &format!("file {number}"));
                    desk.apply(vec![
                        file.clone().into(),
                        Change::Add(Counter::DriveUsed(drive.id), 1, Bound::None),
                    ])
                    .await;
                    assert_eq!(desk.read_drive(drive.id).await.used_bytes, number);
                    assert_eq!(desk.read_node(file.id).await, Some(file));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("each reads its own writes");
    }
}

pub async fn m2_reads_go_on_while_sets_are_committed(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let sets = (0..100).map(|number| {
        desk.set(vec![
            desk.file(&drive, &format!("a {number}")).into(),
            desk.file(&drive, &format!("b {number}")).into(),
        ])
    });
    let (sets, writer) = (sets.collect(), desk.clone());
    let writing = tokio::spawn(async move { writer.race(sets).await });
    let first = campusdisk_core::catalog::ChildrenQuery::first(1000);
    while !writing.is_finished() {
        let rows = desk.catalog.children(drive.root, &first).await.expect("answered");
        assert_eq!(rows.len() % 2, 0, "a read sees sets whole");
    }
    let answers = writing.await.expect("no panic");
    assert!(answers.iter().all(Result::is_ok));
}

pub async fn c3_a_lease_changes_hands_once(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let key = RecordKey::Lease("relay".to_owned());
    let take = |holder: usize, token: u64, expect: Expect| {
        let lease = Lease {
            name: "relay".to_owned(),
            holder: format!("hall-{holder}"),
            token,
            until: at(1000),
            version: token,
        };
        desk.set(vec![expect.into(), lease.into()])
    };
    let first = (0..8)
        .map(|holder| take(holder, 1, Expect::Absent(key.clone())))
        .collect();
    let won = desk.race(first).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    let second = (0..8)
        .map(|holder| take(holder, 2, Expect::Version(key.clone(), 1)))
        .collect();
    let answers = desk.race(second).await;
    let winner = answers.iter().position(Result::is_ok).expect("one takes it over");
    let lease = desk
        .catalog
        .lease("relay")
        .await
        .expect("answered")
        .expect("held");
    assert_eq!((lease.token, lease.holder), (2, format!("hall-{winner}")));
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

pub async fn c3_two_moves_at_once_are_one_move(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (one, other) = (desk.folder(&drive, "one"), desk.folder(&drive, "other"));
    desk.apply(vec![one.clone().into(), other.clone().into()]).await;
    let into = |moved: &campusdisk_core::catalog::record::Node, target| {
        let mut moved = moved.clone();
        moved.parent = Some(target);
        moved.version += 1;
        desk.set(vec![
            Expect::TreeVersion(drive.id, 0).into(),
            Expect::ParentLive(target, drive.id).into(),
            moved.into(),
            Change::Add(Counter::DriveTree(drive.id), 1, Bound::None),
        ])
    };
    let answers = desk.race(vec![into(&one, other.id), into(&other, one.id)]).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for id in [one.id, other.id] {
        let path = desk.catalog.path(id).await.expect("answered");
        assert_eq!(path.first().map(|node| node.id), Some(drive.root));
    }
}

pub async fn c8_facts_about_the_installation_are_replaced_by_version(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let setting = |value: &str, version| Setting {
        key: "installation".to_owned(),
        value: value.to_owned(),
        version,
    };
    let key = RecordKey::Setting("installation".to_owned());
    desk.put(setting("one", 1)).await;
    desk.apply(vec![
        Expect::Version(key.clone(), 1).into(),
        setting("two", 2).into(),
    ])
    .await;
    let late = vec![Expect::Version(key, 1).into(), setting("three", 2).into()];
    assert_eq!(desk.refused(late).await, ErrorKind::Conflict);
    let kept = desk.catalog.setting("installation").await.expect("answered");
    assert_eq!(kept, Some(setting("two", 2)));
    assert_eq!(desk.catalog.setting("other").await.expect("answered"), None);
}

pub async fn c8_a_membership_takes_the_newest_role(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let member = |role| Member {
        drive: drive.id,
        subject: Subject::Account(account("mei")),
        role,
    };
    desk.put(member(Role::Manager)).await;
    desk.put(member(Role::Reader)).await;
    let members = desk.catalog.members(drive.id).await.expect("answered");
    assert_eq!(members, [member(Role::Reader)]);
}

pub async fn c2_ids_of_one_moment_are_distinct_ids(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    for low in [1u128, 2, 3, u128::MAX] {
        let mut set = desk.set(vec![Change::Add(Counter::DriveUsed(drive.id), 1, Bound::None)]);
        set.id = ChangeId::from_u128((u128::MAX >> 1) ^ low);
        assert!(!desk.catalog.commit(set).await.expect("applied").replayed);
    }
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 4);
}
