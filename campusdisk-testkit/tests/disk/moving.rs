//! Contents that move from store to store while they are used, and stores read against their hashes.

use bytes::Bytes;
use campusdisk_core::catalog::record::Content;
use campusdisk_core::storage::{CreateOptions, StoreName};
use campusdisk_core::{
    CampusDisk, ContentId, DriveId, ErrorKind, JobOptions, JobStep, NodeId, Result, Settled, Span, Stock,
};
use campusdisk_testkit::faulty::{Fault, ops};
use futures::{StreamExt, TryStreamExt};

use crate::fixture::{Fixture, append, kind, objects_of, pattern, put, read, upload};

#[tokio::test]
async fn contents_move_whole_and_read_as_before() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let sizes = [0, 1, 99, 100, 1000, 2500, 7777];
    let mut files = Vec::new();
    for size in sizes {
        files.push((
            put(&desk, root, &size.to_string(), &pattern(size)).await.unwrap(),
            size,
        ));
    }
    put(&desk, root, "7777", &pattern(1234)).await.unwrap();
    let copy = desk.copy(files[5].0, root, None).await.unwrap().id;
    let gone = put(&desk, root, "gone", &pattern(3000)).await.unwrap();
    desk.trash(gone, None).await.unwrap();
    let stock = stock_of(&fixture, None);
    let before = fixture.disk.stock_size(&stock).await.unwrap();
    assert_eq!(
        (before.contents, before.bytes),
        (8, 1 + 99 + 100 + 1000 + 2500 + 7777 + 1234 + 3000)
    );

    let steps = migrate(&fixture.disk, &stock, JobOptions::default()).await;
    assert_eq!(steps.len(), 8);
    assert!(steps.iter().all(done), "{steps:?}");
    assert_eq!(fixture.disk.stock_size(&stock).await.unwrap().contents, 0);
    for (file, size) in &files[..6] {
        assert_eq!(read(&desk, *file).await.unwrap(), pattern(*size));
    }
    assert_eq!(read(&desk, files[6].0).await.unwrap(), pattern(1234));
    assert_eq!(read(&desk, copy).await.unwrap(), pattern(2500));
    let moved = content_of(&fixture, files[5].0).await;
    assert_eq!(moved.extents.len(), 1, "cut by the parts of its new store");
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty(), "the old bytes are gone");
    desk.restore(gone, Default::default()).await.unwrap();
    assert_eq!(read(&desk, gone).await.unwrap(), pattern(3000));
    let again = migrate(&fixture.disk, &stock, JobOptions::default()).await;
    assert!(again.is_empty(), "{again:?}");
}

#[tokio::test]
async fn one_drive_moves_alone() {
    let fixture = Fixture::new().await;
    let (alice, root) = fixture.alice().await;
    let bob = fixture.desk("bob");
    let bobs = bob.home().await.unwrap();
    let hers = put(&alice, root, "f", &pattern(1500)).await.unwrap();
    let his = put(&bob, bobs.root, "f", &pattern(2600)).await.unwrap();
    let stock = stock_of(&fixture, Some(bobs.id));
    assert_eq!(fixture.disk.stock_size(&stock).await.unwrap().bytes, 2600);
    let steps = migrate(&fixture.disk, &stock, JobOptions::default()).await;
    assert_eq!(steps.len(), 1);
    assert_eq!(store_of(&fixture, hers).await.as_str(), "primary");
    assert_eq!(store_of(&fixture, his).await.as_str(), "archive");
    assert_eq!(read(&bob, his).await.unwrap(), pattern(2600));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_running_download_goes_on_over_the_move_of_its_file() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(6000)).await.unwrap();
    let download = desk.download(file).await.unwrap();
    let mut body = download.open(Span::whole(6000).unwrap()).await.unwrap();
    let mut got = body.next().await.unwrap().unwrap().to_vec();
    migrate(&fixture.disk, &stock_of(&fixture, None), JobOptions::default()).await;
    fixture.settle().await;
    assert!(fixture.objects().await.is_empty());
    while let Some(piece) = body.next().await {
        got.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(Bytes::from(got), pattern(6000));
}

#[tokio::test]
async fn a_move_that_was_cut_off_is_gone_on_with() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let mut files = Vec::new();
    for size in 2000..2012 {
        files.push(put(&desk, root, &size.to_string(), &pattern(size)).await.unwrap());
    }
    let stock = stock_of(&fixture, None);
    let mut options = JobOptions::default();
    options.contents_at_once = 3;
    for _ in 0..3 {
        let mut steps = job(&fixture.disk, &stock, options.clone()).unwrap();
        let step = steps.next().await.unwrap().unwrap();
        // Of the job before, a commit on its way to a database may arrive after it was cut off: then this one finds it moved.
        assert!(step.outcome.is_ok(), "{step:?}");
    }
    let left = fixture.disk.stock_size(&stock).await.unwrap().contents;
    assert!(left < 12 && left > 0, "{left} of 12 are left");
    let steps = migrate(&fixture.disk, &stock, options).await;
    assert!(steps.len() as u64 <= left, "{steps:?}");
    assert!(steps.iter().all(|step| step.outcome.is_ok()), "{steps:?}");
    assert_eq!(fixture.disk.stock_size(&stock).await.unwrap().contents, 0);
    for (file, size) in files.into_iter().zip(2000..) {
        assert_eq!(read(&desk, file).await.unwrap(), pattern(size));
    }
    fixture.assert_settles().await;
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_hash_stay_where_they_are() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let sound = put(&desk, root, "sound", &pattern(1500)).await.unwrap();
    let broken = put(&desk, root, "broken", &pattern(2500)).await.unwrap();
    let content = spoil(&fixture, broken).await;
    let stock = stock_of(&fixture, None);

    let verified = fixture.disk.verify(stock.clone(), JobOptions::default()).unwrap();
    assert_one_is_corrupt(verified.try_collect().await.unwrap(), content, "its checksum");
    let moved = migrate(&fixture.disk, &stock, JobOptions::default()).await;
    assert_one_is_corrupt(moved, content, "not those of its SHA-256");
    assert_eq!(store_of(&fixture, broken).await.as_str(), "primary");
    assert_eq!(store_of(&fixture, sound).await.as_str(), "archive");
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_copy_that_reads_otherwise_does_not_count() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(900)).await.unwrap();
    migrate_one(&fixture.disk, &stock_of(&fixture, None))
        .await
        .unwrap();
    fixture.settle().await;
    // On the way back the copy is the first that is read through the gate.
    let gate = fixture.gates.hold("read");
    let (disk, home) = (fixture.disk.clone(), fixture.store.info().name.clone());
    let moving = tokio::spawn(async move { move_from(&disk, "archive", &home).await });
    gate.arrived().await;
    let copies = fixture.objects().await;
    for key in copies.keys() {
        fixture.store.delete(&[*key]).await.unwrap();
        let mut writer = fixture.store.create(key, CreateOptions::default()).await.unwrap();
        writer.write(Bytes::from(vec![7; 900])).await.unwrap();
        writer.commit().await.unwrap();
    }
    assert_eq!(copies.len(), 1);
    gate.open();
    let mut steps = moving.await.unwrap();
    let error = steps.remove(0).outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("primary gave back other bytes"),
        "{error}"
    );
    assert_eq!(store_of(&fixture, file).await.as_str(), "archive");
    assert_eq!(read(&desk, file).await.unwrap(), pattern(900));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_store_that_fails_for_a_moment_is_tried_again() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(2500)).await.unwrap();
    for op in [
        ops::OPEN,
        ops::READ,
        ops::PIECE,
        ops::CREATE,
        ops::WRITE,
        ops::COMMIT,
    ] {
        fixture
            .faults
            .fail_next_of(op, 1, Fault::Before(ErrorKind::Unavailable));
        migrate_one(&fixture.disk, &stock_of(&fixture, None))
            .await
            .unwrap();
        assert_eq!(fixture.faults.fired().last(), Some(&op));
        move_back(&fixture).await;
    }
    assert_eq!(read(&desk, file).await.unwrap(), pattern(2500));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_file_that_is_purged_while_it_moves_leaves_nothing() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(2500)).await.unwrap();
    let gate = fixture.gates.hold("content answered");
    let (disk, stock) = (fixture.disk.clone(), stock_of(&fixture, None));
    let moving = tokio::spawn(async move { migrate_one(&disk, &stock).await });
    gate.arrived().await;
    desk.trash(file, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    gate.open();
    assert_eq!(moving.await.unwrap().unwrap(), Settled::Gone);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
    assert!(objects_of(&*fixture.archive).await.is_empty());
}

#[tokio::test]
async fn uploads_go_on_while_their_store_is_moved() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(4000);
    let begun = upload(&desk, "f", Some(4000)).await.unwrap();
    append(&desk, begun.id, 0, &bytes.slice(..2500)).await.unwrap();
    let steps = migrate(&fixture.disk, &stock_of(&fixture, None), JobOptions::default()).await;
    assert!(steps.is_empty(), "an upload is no content yet");
    let ended = append(&desk, begun.id, 2500, &bytes.slice(2500..)).await.unwrap();
    migrate_one(&fixture.disk, &stock_of(&fixture, None))
        .await
        .unwrap();
    assert_eq!(read(&desk, ended.node.unwrap().id).await.unwrap(), bytes);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_store_that_is_not_there_and_one_and_the_same_are_refused() {
    let fixture = Fixture::new().await;
    let stock = stock_of(&fixture, None);
    let nowhere = StoreName::parse("nowhere").unwrap();
    for (from, to) in [
        ("primary", "nowhere"),
        ("nowhere", "archive"),
        ("primary", "primary"),
    ] {
        let from = Stock {
            store: StoreName::parse(from).unwrap(),
            ..stock.clone()
        };
        let to = StoreName::parse(to).unwrap();
        let refused = fixture
            .disk
            .migrate(from, &to, JobOptions::default())
            .err()
            .unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
    let stock = Stock {
        store: nowhere,
        drive: None,
    };
    assert!(fixture.disk.verify(stock, JobOptions::default()).is_err());
}

#[tokio::test]
async fn a_missing_blob_is_told_by_a_verification() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    put(&desk, root, "sound", &pattern(1500)).await.unwrap();
    let file = put(&desk, root, "lost", &pattern(2500)).await.unwrap();
    let content = content_of(&fixture, file).await;
    fixture.store.delete(&[content.extents[1].blob]).await.unwrap();
    let steps = fixture
        .disk
        .verify(stock_of(&fixture, None), JobOptions::default());
    let steps: Vec<JobStep> = steps.unwrap().try_collect().await.unwrap();
    let failed: Vec<_> = steps.iter().filter(|step| step.outcome.is_err()).collect();
    assert_eq!((steps.len(), failed.len()), (2, 1));
    assert_eq!(failed[0].content, content.id);
}

fn stock_of(fixture: &Fixture, drive: Option<DriveId>) -> Stock {
    Stock {
        store: fixture.store.info().name.clone(),
        drive,
    }
}

fn job(disk: &CampusDisk, stock: &Stock, options: JobOptions) -> Result<campusdisk_core::JobSteps> {
    disk.migrate(stock.clone(), &StoreName::parse("archive").unwrap(), options)
}

async fn migrate(disk: &CampusDisk, stock: &Stock, options: JobOptions) -> Vec<JobStep> {
    let steps = job(disk, stock, options).unwrap();
    steps.try_collect().await.unwrap()
}

/// The outcome for the only content that there is.
async fn migrate_one(disk: &CampusDisk, stock: &Stock) -> Result<Settled> {
    let mut steps = migrate(disk, stock, JobOptions::default()).await;
    assert_eq!(steps.len(), 1);
    steps.remove(0).outcome
}

async fn move_back(fixture: &Fixture) {
    let steps = move_from(&fixture.disk, "archive", &fixture.store.info().name).await;
    assert!(steps.iter().all(done), "{steps:?}");
}

async fn move_from(disk: &CampusDisk, from: &str, to: &StoreName) -> Vec<JobStep> {
    let stock = Stock {
        store: StoreName::parse(from).unwrap(),
        drive: None,
    };
    let steps = disk.migrate(stock, to, JobOptions::default()).unwrap();
    steps.try_collect().await.unwrap()
}

fn done(step: &JobStep) -> bool {
    matches!(step.outcome, Ok(Settled::Done))
}

async fn content_of(fixture: &Fixture, file: NodeId) -> Content {
    let node = fixture.catalog.node(file).await.unwrap().unwrap();
    let content = fixture.catalog.content(node.content.unwrap()).await.unwrap();
    content.unwrap()
}

async fn store_of(fixture: &Fixture, file: NodeId) -> StoreName {
    let content = content_of(fixture, file).await;
    let stores: Vec<_> = content.extents.iter().map(|extent| &extent.store).collect();
    assert!(stores.windows(2).all(|pair| pair[0] == pair[1]), "in one store");
    stores[0].clone()
}

/// Lets the catalog expect other bytes than there are.
async fn spoil(fixture: &Fixture, file: NodeId) -> ContentId {
    let content = content_of(fixture, file).await;
    let id = content.id;
    let other = Content {
        sha256: Some([7; 32]),
        layout_version: content.layout_version + 1,
        ..content
    };
    let set = campusdisk_core::catalog::ChangeSet::new(
        campusdisk_core::ChangeId::generate(fixture.disk.now(), &campusdisk_core::RandomIds),
        fixture.disk.now(),
    );
    fixture.catalog.commit(set.with(other)).await.unwrap();
    id
}

fn assert_one_is_corrupt(steps: Vec<JobStep>, content: ContentId, says: &str) {
    let failed: Vec<_> = steps.into_iter().filter(|step| step.outcome.is_err()).collect();
    assert_eq!(failed.len(), 1);
    let JobStep {
        content: id, outcome, ..
    } = failed.into_iter().next().unwrap();
    assert_eq!(id, content);
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
    assert_eq!(kind::<Settled>(Err(error)), ErrorKind::Corrupt);
}
