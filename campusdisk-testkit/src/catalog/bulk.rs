//! Changes of many rows at once: purge, rehome, recount.

use std::sync::Arc;

use campusdisk_core::catalog::record::{Blob, BlobState, Content, Drive, Node, Share, Version};
use campusdisk_core::catalog::{BlobStep, Bound, Bulk, BulkOutcome, Catalog, Change, Counter, Expect};
use campusdisk_core::{DriveId, ErrorKind, NodeId};

use super::desk::{Desk, at, extent, trashed};

/// Commits a file with one content of one blob, all counted, as an upload would.
async fn stored(desk: &Desk, drive: &Drive, parent: NodeId, text: &str, size: u64) -> (Node, Content, Blob) {
    let blob = desk.blob();
    let content = desk.content(&blob, size);
    let mut file = desk.file(drive, text);
    (file.parent, file.content, file.size_bytes) = (Some(parent), Some(content.id), size);
    desk.apply(vec![
        blob.clone().into(),
        content.clone().into(),
        Change::Blob(blob.store.clone(), blob.key, BlobStep::Attach(1)),
        file.clone().into(),
    ])
    .await;
    refer(desk, desk.version(&file, &content)).await;
    (file, content, blob)
}

/// Commits a version and counts it.
async fn refer(desk: &Desk, version: Version) {
    let bytes = i64::try_from(version.size_bytes).expect("cases store little");
    desk.apply(vec![
        Change::Add(Counter::ContentRefs(version.content), 1, Bound::None),
        Change::Add(Counter::DriveUsed(version.drive), bytes, Bound::None),
        version.into(),
    ])
    .await;
}

async fn inside(desk: &Desk, drive: &Drive, parent: NodeId, text: &str) -> Node {
    let mut folder = desk.folder(drive, text);
    folder.parent = Some(parent);
    desk.put(folder.clone()).await;
    folder
}

async fn purge(desk: &Desk, root: NodeId, limit: u32) -> BulkOutcome {
    let committed = desk.put(Bulk::Purge { root, limit }).await;
    *committed.bulk.first().expect("one bulk change, one outcome")
}

async fn refs(desk: &Desk, blob: &Blob) -> (BlobState, u64) {
    let row = desk.read_blob(blob).await.expect("the row stays");
    (row.state, row.refs)
}

pub async fn c1_purging_takes_all_that_hung_on_the_tree(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    let deep = inside(&desk, &drive, top.id, "deep").await;
    let (one, one_content, one_blob) = stored(&desk, &drive, top.id, "one", 10).await;
    let (two, two_content, two_blob) = stored(&desk, &drive, deep.id, "two", 20).await;
    let (kept, kept_content, kept_blob) = stored(&desk, &drive, drive.root, "kept", 3).await;
    let (inner, outer) = (desk.share(two.id), desk.share(kept.id));
    let mut ended = desk.share(top.id);
    ended.ended = Some(at(-50));
    desk.apply(vec![
        inner.clone().into(),
        outer.clone().into(),
        ended.clone().into(),
    ])
    .await;
    desk.put(trashed(top.clone(), at(0), at(9))).await;

    let mut set = desk.set(vec![
        Bulk::Purge {
            root: top.id,
            limit: 100,
        }
        .into(),
    ]);
    set.at = at(77);
    let committed = desk.catalog.commit(set).await.expect("applied");
    assert_eq!(committed.bulk, [BulkOutcome { rows: 4, done: true }]);

    for id in [top.id, deep.id, one.id, two.id] {
        assert_eq!(desk.read_node(id).await, None);
        assert_eq!(desk.catalog.version(id, 1).await.expect("answered"), None);
    }
    assert_eq!(desk.read_content(one_content.id).await, None);
    assert_eq!(desk.read_content(two_content.id).await, None);
    for blob in [&one_blob, &two_blob] {
        assert_eq!(refs(&desk, blob).await, (BlobState::Live, 0));
    }
    assert_eq!(desk.read_node(kept.id).await, Some(kept));
    assert_eq!(
        desk.read_content(kept_content.id).await.map(|row| row.refs),
        Some(1)
    );
    assert_eq!(refs(&desk, &kept_blob).await, (BlobState::Live, 1));
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 3);

    let gone = desk.catalog.share(inner.id).await.expect("answered");
    assert_eq!(
        gone.map(|share| (share.ended, share.version)),
        Some((Some(at(77)), 2))
    );
    for share in [outer, ended] {
        let row = desk.catalog.share(share.id).await.expect("answered");
        assert_eq!(row, Some(share));
    }
}

pub async fn c1_purging_in_batches_never_cuts_a_branch(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    let mut all = vec![top.id];
    for number in 0..3 {
        let folder = inside(&desk, &drive, top.id, &format!("folder {number}")).await;
        let deep = inside(&desk, &drive, folder.id, "deep").await;
        all.extend([folder.id, deep.id]);
        for file in 0..4 {
            let parent = if file % 2 == 0 { folder.id } else { deep.id };
            let text = format!("file {file}");
            let (file, ..) = stored(&desk, &drive, parent, &text, 5).await;
            all.push(file.id);
        }
    }
    let (loose, ..) = stored(&desk, &drive, top.id, "loose", 5).await;
    all.push(loose.id);
    desk.put(trashed(top.clone(), at(0), at(9))).await;

    let mut left = all.len() as u64;
    loop {
        let outcome = purge(&desk, top.id, 3).await;
        assert!(outcome.rows <= 3);
        left -= outcome.rows;
        let (mut there, mut bytes) = (0, 0);
        for &id in &all {
            if desk.read_node(id).await.is_none() {
                continue;
            }
            there += 1;
            let versions = desk.catalog.versions(id, None, 9).await.expect("answered");
            bytes += versions.iter().map(|version| version.size_bytes).sum::<u64>();
            let path = desk.catalog.path(id).await.expect("answered");
            assert_eq!(path.first().map(|node| node.id), Some(drive.root));
        }
        assert_eq!(there, left);
        assert_eq!(desk.read_drive(drive.id).await.used_bytes, bytes);
        assert_eq!(outcome.done, left == 0);
        if outcome.done {
            break;
        }
        assert_eq!(outcome.rows, 3);
    }
    assert_eq!(purge(&desk, top.id, 3).await, BulkOutcome { rows: 0, done: true });
}

pub async fn c1_purging_keeps_contents_that_others_share(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let other = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    let (file, content, blob) = stored(&desk, &drive, top.id, "original", 10).await;
    // Two copies, one beside the original, one in another drive.
    for (home, parent) in [(&drive, top.id), (&other, other.root)] {
        let mut copy = desk.file(home, "copy");
        (copy.parent, copy.content, copy.size_bytes) = (Some(parent), file.content, 10);
        desk.put(copy.clone()).await;
        refer(&desk, desk.version(&copy, &content)).await;
    }
    desk.put(trashed(top.clone(), at(0), at(9))).await;
    while !purge(&desk, top.id, 1).await.done {}
    assert_eq!(desk.read_content(content.id).await.map(|row| row.refs), Some(1));
    assert_eq!(refs(&desk, &blob).await, (BlobState::Live, 1));
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 0);
    assert_eq!(desk.read_drive(other.id).await.used_bytes, 10);

    let copy = desk.catalog.child(other.root, &super::desk::name("copy")).await;
    let copy = copy.expect("answered").expect("is there");
    desk.put(trashed(copy.clone(), at(0), at(9))).await;
    assert_eq!(
        purge(&desk, copy.id, 9).await,
        BulkOutcome { rows: 1, done: true }
    );
    assert_eq!(desk.read_content(content.id).await, None);
    assert_eq!(refs(&desk, &blob).await, (BlobState::Live, 0));
}

pub async fn c1_purging_counts_every_version_and_every_extent(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let (mut file, old, old_blob) = stored(&desk, &drive, drive.root, "file", 10).await;
    let packed = desk.blob();
    let mut content = desk.content(&packed, 12);
    content.extents = vec![
        extent(&packed, 0, 4),
        extent(&packed, 90, 4),
        extent(&old_blob, 0, 4),
    ];
    file.version = 2;
    (file.content, file.size_bytes) = (Some(content.id), 12);
    desk.apply(vec![
        packed.clone().into(),
        // A neighbour in the packed blob keeps one reference.
        Change::Blob(packed.store.clone(), packed.key, BlobStep::Attach(3)),
        Change::Blob(old_blob.store.clone(), old_blob.key, BlobStep::Attach(1)),
        content.clone().into(),
        file.clone().into(),
    ])
    .await;
    refer(&desk, desk.version(&file, &content)).await;
    // The old content once more, as its restored version.
    let mut again = desk.version(&file, &old);
    again.number = 3;
    refer(&desk, again).await;
    file.version = 3;
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 32);

    desk.put(trashed(file.clone(), at(0), at(9))).await;
    assert_eq!(
        purge(&desk, file.id, 9).await,
        BulkOutcome { rows: 1, done: true }
    );
    assert_eq!(refs(&desk, &packed).await, (BlobState::Live, 1));
    assert_eq!(refs(&desk, &old_blob).await, (BlobState::Live, 0));
    assert_eq!(desk.read_content(old.id).await, None);
    assert_eq!(desk.read_content(content.id).await, None);
    assert_eq!(
        desk.catalog.versions(file.id, None, 9).await.expect("answered"),
        []
    );
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 0);
}

pub async fn c1_purging_a_wide_folder_takes_the_batches_it_says(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    for chunk in 0..5 {
        let files = (0..100).map(|number| {
            let mut file = desk.file(&drive, &format!("{chunk} {number}"));
            file.parent = Some(top.id);
            file.into()
        });
        desk.apply(files.collect()).await;
    }
    desk.put(trashed(top.clone(), at(0), at(9))).await;
    for rows in [200, 200] {
        assert_eq!(purge(&desk, top.id, 200).await, BulkOutcome { rows, done: false });
    }
    assert_eq!(
        purge(&desk, top.id, 200).await,
        BulkOutcome {
            rows: 101,
            done: true
        }
    );
}

pub async fn c1_purging_takes_what_was_trashed_before_inside(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    let mut inner = desk.file(&drive, "inner");
    inner.parent = Some(top.id);
    desk.put(trashed(inner.clone(), at(0), at(90))).await;
    desk.put(trashed(top.clone(), at(1), at(9))).await;
    assert_eq!(purge(&desk, top.id, 9).await, BulkOutcome { rows: 2, done: true });
    assert_eq!(desk.read_node(inner.id).await, None);
}

pub async fn c1_purging_what_is_not_trashed_does_nothing(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    let (file, ..) = stored(&desk, &drive, top.id, "file", 4).await;
    for root in [top.id, NodeId::from_u128(9999)] {
        assert_eq!(purge(&desk, root, 9).await, BulkOutcome { rows: 0, done: true });
    }
    // In a trashed folder, but not itself marked: it has to be purged with the folder.
    desk.put(trashed(top, at(0), at(9))).await;
    assert_eq!(
        purge(&desk, file.id, 9).await,
        BulkOutcome { rows: 0, done: true }
    );
    assert_eq!(desk.read_node(file.id).await, Some(file));
    assert_eq!(desk.read_drive(drive.id).await.used_bytes, 4);
}

pub async fn c1_ending_shares_takes_those_of_a_node_and_of_what_lies_below_it(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let top = inside(&desk, &drive, drive.root, "top").await;
    let deep = inside(&desk, &drive, top.id, "deep").await;
    let mut file = desk.file(&drive, "file");
    file.parent = Some(deep.id);
    let beside = inside(&desk, &drive, drive.root, "beside").await;
    // Deleted before by itself: what is in it is no part of what is deleted now.
    let mut older = desk.folder(&drive, "older");
    older.parent = Some(top.id);
    let mut in_older = desk.file(&drive, "in older");
    in_older.parent = Some(older.id);
    desk.apply(vec![
        file.clone().into(),
        trashed(older.clone(), at(-9), at(90)).into(),
        in_older.clone().into(),
    ])
    .await;
    let of = |node: &Node| desk.share(node.id);
    let mut revoked = of(&file);
    revoked.ended = Some(at(-50));
    let ended = [of(&top), of(&deep), of(&file), of(&file)];
    let kept = [of(&beside), of(&older), of(&in_older), revoked];
    let all = ended.iter().chain(&kept).cloned();
    desk.apply(all.map(Change::from).collect()).await;

    // In the set that deletes the folder, as the service does, and once more when it comes back.
    let end = Bulk::EndShares { root: top.id };
    let mut set = desk.set(vec![
        trashed(top.clone(), at(0), at(9)).into(),
        end.clone().into(),
    ]);
    set.at = at(77);
    let committed = desk.catalog.commit(set).await.expect("applied");
    assert_eq!(committed.bulk, [BulkOutcome { rows: 4, done: true }]);
    let again = desk.apply(vec![top.into(), end.into()]).await;
    assert_eq!(again.bulk, [BulkOutcome { rows: 0, done: true }]);
    for share in ended {
        let row = desk.catalog.share(share.id).await.expect("answered");
        let expected = Share {
            ended: Some(at(77)),
            version: 2,
            ..share
        };
        assert_eq!(row, Some(expected));
    }
    for share in kept {
        let row = desk.catalog.share(share.id).await.expect("answered");
        assert_eq!(row, Some(share));
    }
    let root = NodeId::from_u128(9999);
    let nothing = desk.put(Bulk::EndShares { root }).await;
    assert_eq!(nothing.bulk, [BulkOutcome { rows: 0, done: true }]);
}

pub async fn c7_rehoming_passes_nodes_versions_and_usage_on(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (from, to) = (desk.drive().await, desk.drive_with_quota(Some(30)).await);
    let mut top = inside(&desk, &from, from.root, "top").await;
    let (one, ..) = stored(&desk, &from, top.id, "one", 10).await;
    let (two, ..) = stored(&desk, &from, top.id, "two", 20).await;
    let (kept, ..) = stored(&desk, &from, from.root, "kept", 5).await;
    desk.put(trashed(two.clone(), at(0), at(9))).await;

    top.parent = Some(to.root);
    top.drive = to.id;
    top.version = 2;
    let rehome = Bulk::Rehome {
        root: top.id,
        drive: to.id,
    };
    let committed = desk
        .apply(vec![
            Expect::ParentLive(to.root, to.id).into(),
            top.clone().into(),
            rehome.clone().into(),
        ])
        .await;
    // The moved folder itself was put into the new drive before.
    assert_eq!(committed.bulk, [BulkOutcome { rows: 2, done: true }]);
    assert_eq!(desk.read_node(top.id).await.map(|node| node.version), Some(2));
    // The second was deleted, which raised its version before.
    for (id, version) in [(one.id, 2), (two.id, 3)] {
        let moved = desk.read_node(id).await.map(|node| (node.drive, node.version));
        assert_eq!(
            moved,
            Some((to.id, version)),
            "who read it before the move must notice"
        );
        let version = desk.catalog.version(id, 1).await.expect("answered");
        assert_eq!(version.map(|version| version.drive), Some(to.id));
    }
    assert_eq!(
        desk.read_node(kept.id).await.map(|node| node.drive),
        Some(from.id)
    );
    assert_eq!(desk.read_drive(from.id).await.used_bytes, 5);
    assert_eq!(desk.read_drive(to.id).await.used_bytes, 30);
    let again = desk.put(rehome).await;
    assert_eq!(again.bulk, [BulkOutcome { rows: 0, done: true }]);
    assert_eq!(desk.read_drive(to.id).await.used_bytes, 30);
}

pub async fn c7_rehoming_keeps_within_the_quota_of_the_new_drive(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (from, to) = (desk.drive().await, desk.drive_with_quota(Some(30)).await);
    let (file, ..) = stored(&desk, &from, from.root, "file", 20).await;
    let reserve = Change::Add(Counter::DriveReserved(to.id), 11, Bound::Quota);
    desk.apply(vec![reserve]).await;
    let rehome = |root, drive| vec![Bulk::Rehome { root, drive }.into()];
    assert_eq!(
        desk.refused(rehome(file.id, to.id)).await,
        ErrorKind::QuotaExceeded
    );
    assert_eq!(
        desk.refused(rehome(file.id, DriveId::from_u128(9999))).await,
        ErrorKind::NotFound
    );
    assert_eq!(desk.read_node(file.id).await, Some(file.clone()));
    assert_eq!(desk.read_drive(from.id).await.used_bytes, 20);
    let nothing = desk.apply(rehome(NodeId::from_u128(9999), to.id)).await;
    assert_eq!(nothing.bulk, [BulkOutcome { rows: 0, done: true }]);

    let release = Change::Add(Counter::DriveReserved(to.id), -1, Bound::None);
    desk.apply(vec![release]).await;
    let moved = desk.apply(rehome(file.id, to.id)).await;
    assert_eq!(moved.bulk, [BulkOutcome { rows: 1, done: true }]);
    assert_eq!(desk.read_drive(from.id).await.used_bytes, 0);
    assert_eq!(desk.read_drive(to.id).await.used_bytes, 20);
}

pub async fn c7_a_recount_sets_the_counters_right(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive_with_quota(Some(10)).await;
    let none = desk.catalog.recount(drive.id).await.expect("answered");
    assert_eq!(none, (0, 0));
    let (file, content, _) = stored(&desk, &drive, drive.root, "file", 20).await;
    let mut second = desk.version(&file, &content);
    second.number = 2;
    let mut upload = desk.upload(&drive);
    upload.reserved_bytes = 1 << 40;
    let (elsewhere, drift) = (desk.drive().await, Counter::DriveUsed(drive.id));
    let mut foreign = desk.upload(&elsewhere);
    foreign.reserved_bytes = 3;
    desk.apply(vec![
        second.into(),
        upload.into(),
        foreign.into(),
        Change::Add(drift, 1000, Bound::None),
    ])
    .await;
    let sums = desk.catalog.recount(drive.id).await.expect("answered");
    assert_eq!(sums, (40, 1 << 40));
    let recounted = desk.put(Bulk::Recount { drive: drive.id }).await;
    assert_eq!(recounted.bulk, [BulkOutcome { rows: 1, done: true }]);
    let row = desk.read_drive(drive.id).await;
    assert_eq!((row.used_bytes, row.reserved_bytes), sums);
    let none = Bulk::Recount {
        drive: DriveId::from_u128(9999),
    };
    let recounted = desk.put(none).await;
    assert_eq!(recounted.bulk, [BulkOutcome { rows: 0, done: true }]);
}

pub async fn c1_bulk_changes_answer_in_their_order(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let folder = desk.folder(&drive, "folder");
    let committed = desk
        .apply(vec![
            Bulk::Recount { drive: drive.id }.into(),
            trashed(folder.clone(), at(0), at(9)).into(),
            Bulk::Purge {
                root: folder.id,
                limit: 5,
            }
            .into(),
            Bulk::Purge {
                root: folder.id,
                limit: 5,
            }
            .into(),
        ])
        .await;
    assert_eq!(
        committed
            .bulk
            .iter()
            .map(|outcome| outcome.rows)
            .collect::<Vec<_>>(),
        [1, 1, 0]
    );
}
