//! Reads of drives, members, versions, contents, shares and the outbox: M1.

use std::sync::Arc;

use campusdisk_core::catalog::record::{Blob, Extent, Member, Role, Subject};
use campusdisk_core::catalog::{Catalog, Change, RecordKey};
use campusdisk_core::storage::StoreName;
use campusdisk_core::{ContentId, DriveId, GroupId, NodeId, ShareId};

use super::desk::{Desk, account, at, store};

fn group(text: &str) -> Subject {
    Subject::Group(GroupId::parse(text).expect("cases name groups well"))
}

fn person(text: &str) -> Subject {
    Subject::Account(account(text))
}

pub async fn m1_drives_come_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut expected = Vec::new();
    for _ in 0..11 {
        expected.push(desk.drive().await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = desk.catalog.drives(after, 4).await.expect("answered");
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert_eq!(
        desk.catalog
            .drive(DriveId::from_u128(9999))
            .await
            .expect("answered"),
        None
    );
}

pub async fn m1_a_drive_is_listed_once_with_the_highest_role(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (one, two, three) = (desk.drive().await, desk.drive().await, desk.drive().await);
    let member = |drive: DriveId, subject, role| Member { drive, subject, role };
    let rows = [
        member(one.id, person("mei"), Role::Reader),
        member(one.id, group("physics"), Role::Manager),
        member(one.id, group("staff"), Role::Contributor),
        member(two.id, group("staff"), Role::Contributor),
        member(two.id, person("lin"), Role::Manager),
        // A group with the name of an account is somebody else.
        member(three.id, group("mei"), Role::Manager),
    ];
    desk.apply(rows.map(Change::from).to_vec()).await;

    let subjects = [person("mei"), group("staff"), group("physics"), group("nobody")];
    let mine = desk.catalog.drives_of(&subjects).await.expect("answered");
    assert_eq!(
        mine,
        [(one.clone(), Role::Manager), (two.clone(), Role::Contributor)]
    );
    let alone = desk.catalog.drives_of(&[person("mei")]).await;
    assert_eq!(alone.expect("answered"), [(one.clone(), Role::Reader)]);
    assert_eq!(desk.catalog.drives_of(&[]).await.expect("answered"), []);

    desk.apply(vec![Change::Delete(RecordKey::Member(one.id, group("physics")))])
        .await;
    let less = desk.catalog.drives_of(&subjects).await.expect("answered");
    assert_eq!(less.first().map(|(_, role)| *role), Some(Role::Contributor));
}

pub async fn m1_members_are_ordered_by_subject(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let other = desk.drive().await;
    let subjects = [
        group("a"),
        person("b"),
        person("B"),
        group("B"),
        person("a"),
        person("~"),
    ];
    let mut expected: Vec<_> = subjects
        .into_iter()
        .map(|subject| Member {
            drive: drive.id,
            subject,
            role: Role::Reader,
        })
        .collect();
    desk.apply(expected.iter().cloned().map(Change::from).collect())
        .await;
    desk.put(Member {
        drive: other.id,
        subject: person("c"),
        role: Role::Reader,
    })
    .await;
    expected.sort_by(|one, other| one.subject.cmp(&other.subject));
    assert_eq!(desk.catalog.members(drive.id).await.expect("answered"), expected);
}

pub async fn m1_versions_come_newest_first_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (mut file, other) = (desk.file(&drive, "a"), desk.file(&drive, "b"));
    let content = desk.content(&desk.blob(), 3);
    desk.apply(vec![
        file.clone().into(),
        other.clone().into(),
        desk.version(&other, &content).into(),
    ])
    .await;
    let mut expected = Vec::new();
    for number in [1, 2, 5, 8, 9, 40] {
        file.version = number;
        expected.push(desk.version(&file, &content));
    }
    desk.apply(expected.iter().cloned().map(Into::into).collect())
        .await;
    expected.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = desk.catalog.versions(file.id, before, 4).await;
        let page = page.expect("answered");
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert_eq!(
        desk.catalog.version(file.id, 5).await.expect("answered"),
        expected.into_iter().find(|version| version.number == 5)
    );
    assert_eq!(desk.catalog.version(file.id, 6).await.expect("answered"), None);
}

pub async fn m1_a_content_is_found_by_its_hash_where_one_may_look(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (drive, other) = (desk.drive().await, desk.drive().await);
    let file = desk.file(&drive, "a");
    let mut content = desk.content(&desk.blob(), 3);
    content.sha256 = Some([8; 32]);
    let mut unreferred = desk.content(&desk.blob(), 4);
    unreferred.sha256 = Some([9; 32]);
    desk.apply(vec![
        file.clone().into(),
        content.clone().into(),
        unreferred.into(),
        desk.version(&file, &content).into(),
    ])
    .await;
    let look = async |drives: &[DriveId], byte: u8, size| {
        let found = desk.catalog.content_by_sha256(drives, &[byte; 32], size).await;
        found.expect("answered")
    };
    assert_eq!(look(&[other.id, drive.id], 8, 3).await, Some(content.id));
    let none: Option<ContentId> = None;
    assert_eq!(look(&[drive.id], 8, 4).await, none);
    assert_eq!(look(&[drive.id], 9, 4).await, none);
    assert_eq!(look(&[other.id], 8, 3).await, none);
    assert_eq!(look(&[], 8, 3).await, none);
}

pub async fn m1_the_crc32_of_many_contents_is_read_at_once(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut expected = Vec::new();
    for number in 0..11 {
        let mut content = desk.content(&desk.blob(), 3);
        content.crc32 = (number % 3 != 0).then_some(u32::MAX - number);
        desk.apply(vec![content.clone().into()]).await;
        expected.push((content.id, content.crc32));
    }
    let read = async |ids: &[ContentId]| {
        let mut found = desk.catalog.crc32s(ids).await.expect("answered");
        found.sort_unstable();
        found
    };
    let ids: Vec<_> = expected.iter().map(|(id, _)| *id).collect();
    let strangers = [u128::MAX - 1, u128::MAX].map(ContentId::from_u128);
    expected.sort_unstable();
    assert_eq!(read(&[&strangers[..], &ids[..]].concat()).await, expected);
    assert_eq!(read(&ids[3..4]).await.len(), 1);
    assert_eq!(read(&strangers).await, []);
    assert_eq!(read(&[]).await, []);
}

pub async fn m1_contents_without_a_hash_come_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut expected = Vec::new();
    for number in 0..11 {
        let mut content = desk.content(&desk.blob(), 3);
        content.sha256 = (number % 3 == 0).then_some([number; 32]);
        if content.sha256.is_none() {
            expected.push(content.id);
        }
        desk.put(content).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = desk.catalog.unhashed(after, 3).await.expect("answered");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    let first = expected.first().expect("there are some");
    let mut known = desk.read_content(*first).await.expect("is there");
    known.sha256 = Some([9; 32]);
    desk.put(known).await;
    let left = desk.catalog.unhashed(None, 100).await.expect("answered");
    assert_eq!(Some(left.as_slice()), expected.get(1..));
}

pub async fn m1_contents_in_a_store_come_page_by_page_and_are_summed_up(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (drive, other) = (desk.drive().await, desk.drive().await);
    let (primary, archive) = (store("primary"), store("archive"));
    let (mut all, mut of_drive, mut bytes) = (Vec::new(), Vec::new(), 0);
    for number in 0..12_u64 {
        let mut content = desk.content(&desk.blob(), number + 1);
        if number % 4 == 1 {
            content
                .extents
                .iter_mut()
                .for_each(|extent| extent.store = archive.clone());
        } else {
            // Two extents here and one there are one content.
            let first = content.extents.first().cloned().expect("a content has one");
            content.extents.push(first.clone());
            content.extents.push(Extent {
                store: archive.clone(),
                ..first
            });
            content.size_bytes *= 3;
            all.push(content.id);
            bytes += 2 * (number + 1);
        }
        let owner = if number % 2 == 0 { &drive } else { &other };
        let file = desk.file(owner, &format!("{number}"));
        if number % 4 == 0 {
            // Two files of it are one content too.
            of_drive.push(content.id);
            let copy = desk.file(owner, &format!("copy {number}"));
            let version = desk.version(&copy, &content);
            desk.apply(vec![copy.into(), version.into()]).await;
        } else if number % 2 == 0 {
            of_drive.push(content.id);
        }
        let version = desk.version(&file, &content);
        desk.apply(vec![file.into(), content.into(), version.into()])
            .await;
    }
    let read = async |drive: Option<DriveId>| {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = desk.catalog.contents_in(&primary, drive, after, 4).await;
            let page = page.expect("answered");
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break seen };
            after = Some(*last);
            seen.extend(page);
        }
    };
    assert_eq!(read(None).await, all);
    assert_eq!(read(Some(drive.id)).await, of_drive);
    let sum = async |store: &StoreName, drive| desk.catalog.sum_in(store, drive).await.expect("answered");
    assert_eq!(sum(&primary, None).await, (9, bytes));
    assert_eq!(sum(&archive, None).await.0, 12);
    let even = 2 * (1 + 3 + 5 + 7 + 9 + 11);
    assert_eq!(sum(&primary, Some(drive.id)).await, (6, even));
    assert_eq!(sum(&store("elsewhere"), None).await, (0, 0));
}

pub async fn m1_the_versions_of_a_content_are_found_in_any_drive(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (drive, other) = (desk.drive().await, desk.drive().await);
    let (content, another) = (desk.content(&desk.blob(), 3), desk.content(&desk.blob(), 4));
    desk.apply(vec![content.clone().into(), another.clone().into()])
        .await;
    let mut expected = Vec::new();
    for (owner, number) in [(&drive, 1), (&drive, 2), (&other, 1)] {
        let file = desk.file(owner, &format!("f{number}"));
        let mut version = desk.version(&file, &content);
        version.number = number;
        let mut later = desk.version(&file, &another);
        later.number = number + 1;
        expected.push(version.clone());
        desk.apply(vec![file.into(), version.into(), later.into()]).await;
    }
    expected.sort_by_key(|version| (version.node, version.number));
    let found = desk.catalog.versions_of(content.id, 100).await.expect("answered");
    assert_eq!(found, expected);
    let first = desk.catalog.versions_of(content.id, 2).await.expect("answered");
    assert_eq!(Some(first.as_slice()), expected.get(..2));
    let none = desk.catalog.versions_of(ContentId::from_u128(9999), 2).await;
    assert_eq!(none.expect("answered"), []);
}

pub async fn m1_stores_with_blobs_are_named_once(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    assert_eq!(desk.catalog.stores().await.expect("answered"), []);
    let mut last = None;
    for name in ["primary", "archive", "primary", "mirror", "archive"] {
        let blob = Blob {
            store: store(name),
            ..desk.blob()
        };
        last = Some(blob.clone());
        desk.put(blob).await;
    }
    let names = ["archive", "mirror", "primary"].map(store);
    assert_eq!(desk.catalog.stores().await.expect("answered"), names);
    let last = last.expect("there are some");
    desk.apply(vec![Change::Delete(RecordKey::Blob(last.store, last.key))])
        .await;
    assert_eq!(
        desk.catalog.stores().await.expect("answered"),
        names,
        "one is left"
    );
}

pub async fn m1_shares_of_a_maker_come_newest_first_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut expected = Vec::new();
    for number in 0..14 {
        let mut share = desk.share(drive.root);
        match number % 4 {
            1 => share.maker = account("lin"),
            2 => share.ended = Some(at(1)),
            _ => expected.push(share.clone()),
        }
        desk.put(share).await;
    }
    expected.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = desk.catalog.shares_of(&account("mei"), None, before, 3).await;
        let page = page.expect("answered");
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    let none = desk.catalog.share(ShareId::from_u128(9999)).await;
    assert_eq!(none.expect("answered"), None);
}

pub async fn m1_shares_of_one_node_are_told_apart(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (drive, other) = (desk.drive().await, desk.drive().await);
    let mut expected = Vec::new();
    for number in 0..9 {
        let share = desk.share(if number % 2 == 0 { drive.root } else { other.root });
        if number % 2 == 0 {
            expected.push(share.clone());
        }
        desk.put(share).await;
    }
    expected.reverse();
    let page = async |before: Option<ShareId>| {
        let page = desk
            .catalog
            .shares_of(&account("mei"), Some(drive.root), before, 3)
            .await;
        page.expect("answered")
    };
    let first = page(None).await;
    assert_eq!(Some(first.as_slice()), expected.get(..3));
    let before = first.last().map(|share| share.id);
    assert_eq!(Some(page(before).await.as_slice()), expected.get(3..));
}

pub async fn m1_events_come_in_the_order_of_their_commits(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut expected = Vec::new();
    for number in 0..10 {
        let owner = [Some("mei"), Some("lin"), None]
            .get(number % 3)
            .copied()
            .flatten();
        let (first, second) = (desk.event(owner, "first"), desk.event(owner, "second"));
        // Later ids first: the order is that of the commits, not that of the ids.
        desk.apply(vec![second.clone().into(), first.clone().into()])
            .await;
        expected.extend([second, first]);
    }
    assert_eq!(desk.catalog.events(100).await.expect("answered"), expected);
    let oldest = desk.catalog.events(3).await.expect("answered");
    assert_eq!(Some(oldest.as_slice()), expected.get(..3));
    let relayed = oldest
        .into_iter()
        .map(|event| Change::Delete(RecordKey::Event(event.id)));
    desk.apply(relayed.collect()).await;
    let left = desk.catalog.events(100).await.expect("answered");
    assert_eq!(Some(left.as_slice()), expected.get(3..));
}

pub async fn m1_racing_events_of_one_account_keep_their_order(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let tasks: Vec<_> = ["mei", "lin", "ada", "bo"]
        .into_iter()
        .map(|owner| {
            let desk = desk.clone();
            tokio::spawn(async move {
                let mut sent = Vec::new();
                for number in 0..10 {
                    let event = desk.event(Some(owner), &format!("fact {number}"));
                    desk.put(event.clone()).await;
                    sent.push(event);
                }
                (account(owner), sent)
            })
        })
        .collect();
    for task in tasks {
        let (owner, sent) = task.await.expect("no panic");
        let all = desk.catalog.events(1000).await.expect("answered");
        let kept: Vec<_> = all
            .into_iter()
            .filter(|event| event.account.as_ref() == Some(&owner))
            .collect();
        assert_eq!(kept, sent);
    }
}

pub async fn m1_what_was_never_put_is_not_there(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let nobody = NodeId::from_u128(9999);
    let blob = desk.blob();
    assert_eq!(desk.read_node(nobody).await, None);
    assert_eq!(desk.read_blob(&blob).await, None);
    assert_eq!(desk.read_content(ContentId::from_u128(9999)).await, None);
    let catalog = &desk.catalog;
    assert_eq!(catalog.lease("none").await.expect("answered"), None);
    assert_eq!(catalog.members(drive.id).await.expect("answered"), []);
    assert_eq!(catalog.versions(nobody, None, 9).await.expect("answered"), []);
    assert_eq!(
        catalog
            .uploads_of(&account("mei"), None, 9)
            .await
            .expect("answered"),
        []
    );
    assert_eq!(catalog.share_by_token("none").await.expect("answered"), None);
}
