//! What is unique: C6.

use std::sync::Arc;

use campusdisk_core::ErrorKind;
use campusdisk_core::catalog::record::{Drive, DriveKind, Node};
use campusdisk_core::catalog::{Catalog, Change, Expect, RecordKey};

use super::desk::{Desk, account, at, name, trashed};

async fn child(desk: &Desk, drive: &Drive, text: &str) -> Option<Node> {
    let child = desk.catalog.child(drive.root, &name(text)).await;
    child.expect("the read is answered")
}

pub async fn c6_many_tasks_creating_one_name_make_one(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let sets = (0..20).map(|number| {
        let mut changes = vec![desk.file(&drive, "same.txt").into()];
        // With and without asking before: the index decides, not the question.
        if number % 2 == 0 {
            changes.insert(0, Expect::NameFree(drive.root, name("same.txt")).into());
        }
        desk.set(changes)
    });
    let answers = desk.race(sets.collect()).await;
    let losers: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err().map(|error| error.kind()))
        .collect();
    assert_eq!(losers, [ErrorKind::AlreadyExists; 19]);
}

pub async fn c6_case_makes_another_name(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (lower, upper) = (desk.file(&drive, "readme"), desk.file(&drive, "README"));
    desk.apply(vec![lower.clone().into(), upper.clone().into()]).await;
    assert_eq!(child(&desk, &drive, "readme").await, Some(lower));
    assert_eq!(child(&desk, &drive, "README").await, Some(upper));
    assert_eq!(child(&desk, &drive, "Readme").await, None);
}

pub async fn c6_another_normal_form_is_the_same_name(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let composed = desk.file(&drive, "r\u{e9}sum\u{e9}.pdf");
    desk.put(composed.clone()).await;
    let decomposed = desk.file(&drive, "re\u{301}sume\u{301}.pdf");
    assert_eq!(
        desk.refused(vec![decomposed.into()]).await,
        ErrorKind::AlreadyExists
    );
    assert_eq!(
        child(&desk, &drive, "re\u{301}sume\u{301}.pdf").await,
        Some(composed)
    );
}

pub async fn c6_names_with_marks_of_sql_are_plain_names(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    for text in ["'; DROP TABLE nodes; --", "100%", "a_b", "\"q\"", "$1", "?"] {
        let file = desk.file(&drive, text);
        desk.put(file.clone()).await;
        assert_eq!(child(&desk, &drive, text).await, Some(file));
    }
}

pub async fn c6_a_name_is_taken_only_in_its_own_folder(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let folder = desk.folder(&drive, "a");
    let mut inner = desk.folder(&drive, "a");
    inner.parent = Some(folder.id);
    desk.apply(vec![folder.into(), inner.clone().into()]).await;
    assert_eq!(desk.read_node(inner.id).await, Some(inner));
}

pub async fn c6_a_trashed_sibling_frees_its_name(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    for generation in 0..3 {
        let file = desk.file(&drive, "a");
        desk.put(file.clone()).await;
        assert_eq!(child(&desk, &drive, "a").await.map(|node| node.id), Some(file.id));
        desk.put(trashed(file, at(generation), at(100))).await;
        assert_eq!(child(&desk, &drive, "a").await, None);
    }
    let lying = desk
        .catalog
        .trashed(&[drive.id], None, 10)
        .await
        .expect("answered");
    assert_eq!(lying.len(), 3);
}

pub async fn c6_restoring_to_a_taken_name_is_refused(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let old = desk.file(&drive, "a");
    let lying = trashed(old.clone(), at(0), at(100));
    let young = desk.file(&drive, "a");
    desk.put(lying.clone()).await;
    desk.put(young.clone()).await;

    let mut restored = old;
    restored.version = 3;
    assert_eq!(
        desk.refused(vec![restored.clone().into()]).await,
        ErrorKind::AlreadyExists
    );
    assert_eq!(desk.read_node(lying.id).await, Some(lying));

    restored.name = name("a (2)");
    desk.put(restored.clone()).await;
    assert_eq!(child(&desk, &drive, "a (2)").await, Some(restored));
    assert_eq!(child(&desk, &drive, "a").await, Some(young));
}

pub async fn c6_moving_to_a_folder_that_has_the_name_is_refused(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let folder = desk.folder(&drive, "folder");
    let (mut outer, mut inner) = (desk.file(&drive, "a"), desk.file(&drive, "a"));
    inner.parent = Some(folder.id);
    desk.apply(vec![
        folder.clone().into(),
        outer.clone().into(),
        inner.clone().into(),
    ])
    .await;

    outer.parent = Some(folder.id);
    assert_eq!(
        desk.refused(vec![outer.clone().into()]).await,
        ErrorKind::AlreadyExists
    );
    inner.name = name("b");
    desk.put(inner).await;
    desk.put(outer.clone()).await;
    assert_eq!(child(&desk, &drive, "a").await, None);
    let moved = desk.catalog.child(folder.id, &name("a")).await;
    assert_eq!(moved.expect("answered"), Some(outer));
}

pub async fn c6_renaming_takes_the_new_name_and_frees_the_old(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut file = desk.file(&drive, "a");
    desk.put(file.clone()).await;
    for text in ["A", "b", "a", "a"] {
        file.name = name(text);
        file.version += 1;
        desk.put(file.clone()).await;
        assert_eq!(child(&desk, &drive, text).await, Some(file.clone()));
    }
    assert_eq!(child(&desk, &drive, "b").await, None);
    desk.apply(vec![Change::Delete(RecordKey::Node(file.id))]).await;
    desk.put(desk.file(&drive, "a")).await;
}

pub async fn c6_two_names_are_not_swapped_by_the_way_through_one(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (mut one, mut other) = (desk.file(&drive, "a"), desk.file(&drive, "b"));
    desk.apply(vec![one.clone().into(), other.clone().into()]).await;
    (one.name, other.name) = (name("b"), name("a"));
    let straight = vec![one.clone().into(), other.clone().into()];
    assert_eq!(desk.refused(straight).await, ErrorKind::AlreadyExists);
    let mut aside = one.clone();
    aside.name = name("a for a moment");
    desk.apply(vec![aside.into(), other.clone().into(), one.clone().into()])
        .await;
    assert_eq!(child(&desk, &drive, "a").await, Some(other));
    assert_eq!(child(&desk, &drive, "b").await, Some(one));
}

pub async fn c6_an_account_has_one_personal_drive(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let personal = |owner: &str| {
        let mut drive = desk.new_drive(None);
        (drive.kind, drive.owner) = (DriveKind::Personal, Some(account(owner)));
        drive
    };
    let sets = (0..10).map(|_| desk.set(vec![personal("mei").into()]));
    let answers = desk.race(sets.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(
        desk.refused(vec![personal("mei").into()]).await,
        ErrorKind::AlreadyExists
    );

    let mut departmental = personal("mei");
    departmental.kind = DriveKind::Departmental;
    let mut service = personal("mei");
    service.kind = DriveKind::Service;
    desk.apply(vec![
        personal("lin").into(),
        departmental.clone().into(),
        service.into(),
    ])
    .await;
    departmental.kind = DriveKind::Personal;
    assert_eq!(
        desk.refused(vec![departmental.into()]).await,
        ErrorKind::AlreadyExists
    );
}

pub async fn c6_a_share_token_opens_one_share(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut first = desk.share(drive.root);
    desk.put(first.clone()).await;
    let mut second = desk.share(drive.root);
    second.token.clone_from(&first.token);
    assert_eq!(
        desk.refused(vec![second.clone().into()]).await,
        ErrorKind::AlreadyExists
    );

    let old = first.token.clone();
    "another".clone_into(&mut first.token);
    first.version = 2;
    desk.put(first.clone()).await;
    desk.put(second.clone()).await;
    for (token, share) in [("another", Some(first)), (&old, Some(second)), ("none", None)] {
        let found = desk.catalog.share_by_token(token).await.expect("answered");
        assert_eq!(found, share);
    }
}

pub async fn c6_a_client_has_one_ticket_in_a_share(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (share, elsewhere) = (desk.share(drive.root), desk.share(drive.root));
    desk.apply(vec![share.clone().into(), elsewhere.clone().into()])
        .await;
    let sets = (0..10).map(|_| desk.set(vec![desk.ticket(share.id, "192.0.2.1").into()]));
    let answers = desk.race(sets.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let again = vec![desk.ticket(share.id, "192.0.2.1").into()];
    assert_eq!(desk.refused(again).await, ErrorKind::AlreadyExists);

    let other = desk.ticket(share.id, "192.0.2.2");
    let same = desk.ticket(elsewhere.id, "192.0.2.1");
    desk.apply(vec![other.clone().into(), same.clone().into()]).await;
    for ticket in [other, same] {
        let found = desk.catalog.ticket_of(ticket.share, &ticket.client).await;
        assert_eq!(found.expect("answered"), Some(ticket.clone()));
        desk.apply(vec![Change::Delete(RecordKey::Ticket(ticket.id))])
            .await;
        let gone = desk.catalog.ticket_of(ticket.share, &ticket.client).await;
        assert_eq!(gone.expect("answered"), None);
    }
}

pub async fn c6_an_event_is_in_the_outbox_once(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let event = desk.event(Some("mei"), "a.fact");
    desk.put(event.clone()).await;
    assert_eq!(
        desk.refused(vec![event.clone().into()]).await,
        ErrorKind::AlreadyExists
    );
    assert_eq!(desk.catalog.events(10).await.expect("answered"), [event]);
}
