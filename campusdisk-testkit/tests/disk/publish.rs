//! Objects of others that are files: published in place, changed by others, let go.

use bytes::Bytes;
use campusdisk_core::mount::ObjectPath;
use campusdisk_core::{
    AccountId, CampusDisk, Desk, ErrorKind, FilePlace, JobOptions, NodeId, Published, Result, Stock,
    UploadSpec,
};
use futures::TryStreamExt;

use crate::fixture::{Fixture, folder, kind, mount_name, name, names, pattern, put, read, sha256};

const OBJECT: &str = "2026/grades/part-00000.csv";

fn path(text: &str) -> ObjectPath {
    ObjectPath::parse(text).unwrap()
}

fn place(folder: NodeId, folders: &[&str], file: &str) -> FilePlace {
    FilePlace {
        folder,
        folders: folders.iter().map(|folder| name(folder)).collect(),
        name: name(file),
    }
}

async fn publish(fixture: &Fixture, object: &str, place: FilePlace) -> Result<Published> {
    let account = AccountId::parse("registrar").unwrap();
    let disk = &fixture.disk;
    disk.publish_in_place(&mount_name(), &path(object), place, &account)
        .await
}

/// The desk, its root and a file there that is `OBJECT`, of 2,500 bytes.
async fn published(fixture: &Fixture) -> (Desk, NodeId, NodeId) {
    let (desk, root) = fixture.alice().await;
    fixture.mount.write(path(OBJECT), pattern(2500));
    let Published::Created(node) = publish(fixture, OBJECT, place(root, &[], "grades.csv"))
        .await
        .unwrap()
    else {
        panic!("it is new")
    };
    (desk, root, node.id)
}

async fn wait_for_sha256(fixture: &Fixture, file: NodeId) -> [u8; 32] {
    let node = fixture.catalog.node(file).await.unwrap().unwrap();
    loop {
        let content = fixture.catalog.content(node.content.unwrap()).await.unwrap();
        let content = content.unwrap();
        if let Some(sha256) = content.sha256 {
            assert!(content.crc32.is_some(), "the bytes were read once for both");
            return sha256;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_object_becomes_a_file_and_no_byte_is_copied() {
    let fixture = Fixture::new().await;
    let (desk, root, file) = published(&fixture).await;
    assert_eq!(read(&desk, file).await.unwrap(), pattern(2500));
    let node = fixture.catalog.node(file).await.unwrap().unwrap();
    assert_eq!((node.size_bytes, node.mime.as_deref()), (2500, Some("text/csv")));
    assert!(fixture.objects().await.is_empty());
    assert_eq!(wait_for_sha256(&fixture, file).await, sha256(&pattern(2500)));
    assert_eq!(names(&desk, root).await, ["grades.csv"]);
    fixture.assert_settles().await;
    assert_eq!(read(&desk, file).await.unwrap(), pattern(2500));
}

#[tokio::test]
async fn folders_on_the_way_are_made_once() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    for object in ["a", "b"] {
        fixture.mount.write(path(object), pattern(10));
        let place = place(root, &["2026", "autumn"], object);
        publish(&fixture, object, place).await.unwrap();
    }
    assert_eq!(names(&desk, root).await, ["2026"]);
    put(&desk, root, "file", &pattern(5)).await.unwrap();
    let below_a_file = publish(&fixture, "a", place(root, &["file"], "a")).await;
    assert_eq!(kind(below_a_file), ErrorKind::InvalidInput);
    folder(&desk, root, "taken").await;
    let over_a_folder = publish(&fixture, "a", place(root, &[], "taken")).await;
    assert_eq!(kind(over_a_folder), ErrorKind::AlreadyExists);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn what_others_change_or_delete_is_changed_and_never_other_bytes() {
    let fixture = Fixture::new().await;
    let (desk, _, file) = published(&fixture).await;
    wait_for_sha256(&fixture, file).await;
    fixture.mount.write(path(OBJECT), Bytes::from(vec![9; 2500]));
    assert_eq!(kind(read(&desk, file).await), ErrorKind::Changed);
    fixture.mount.delete(&path(OBJECT));
    assert_eq!(kind(read(&desk, file).await), ErrorKind::Changed);
    // Even with the bytes of before, nobody knows whether they are.
    fixture.mount.write(path(OBJECT), pattern(2500));
    assert_eq!(kind(read(&desk, file).await), ErrorKind::Changed);
}

#[tokio::test]
async fn published_again_a_changed_object_is_a_new_version_and_another_is_left_alone() {
    let fixture = Fixture::new().await;
    let (desk, root, file) = published(&fixture).await;
    let again = publish(&fixture, OBJECT, place(root, &[], "grades.csv")).await;
    let Published::Unchanged(node) = again.unwrap() else {
        panic!("nothing changed")
    };
    assert_eq!((node.id, node.version), (file, 1));
    fixture.mount.write(path(OBJECT), pattern(1234));
    let again = publish(&fixture, OBJECT, place(root, &[], "grades.csv")).await;
    let Published::NewVersion(node) = again.unwrap() else {
        panic!("it changed")
    };
    assert_eq!((node.id, node.version), (file, 2));
    assert_eq!(read(&desk, file).await.unwrap(), pattern(1234));
    assert_eq!(desk.versions(file, None, 10).await.unwrap().items.len(), 2);
    // The file of somebody else in its place becomes an earlier version, too.
    put(&desk, root, "other", &pattern(5)).await.unwrap();
    let over = publish(&fixture, OBJECT, place(root, &[], "other")).await;
    assert!(matches!(over, Ok(Published::NewVersion(_))), "{over:?}");
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_purged_file_leaves_the_object_alone() {
    let fixture = Fixture::new().await;
    let (desk, _, file) = published(&fixture).await;
    wait_for_sha256(&fixture, file).await;
    desk.trash(file, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    fixture.assert_settles().await;
    let rows = fixture.catalog.blobs_of(&mount_name(), None, 10).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
    assert_eq!(fixture.mount.object(&path(OBJECT)), Some(pattern(2500)));
}

#[tokio::test]
async fn copies_go_on_when_what_is_published_moves_into_a_store() {
    let fixture = Fixture::new().await;
    let (desk, root, file) = published(&fixture).await;
    let copy = desk.copy(file, root, None).await.unwrap().id;
    let stock = Stock {
        store: mount_name(),
        drive: None,
    };
    assert_eq!(fixture.disk.stock_size(&stock).await.unwrap().bytes, 2500);
    let archive = fixture.archive.info().name.clone();
    let steps = fixture
        .disk
        .migrate(stock.clone(), &archive, JobOptions::default())
        .unwrap();
    let steps: Vec<_> = steps.try_collect().await.unwrap();
    assert!(steps.len() == 1 && steps[0].outcome.is_ok(), "{steps:?}");
    fixture.mount.delete(&path(OBJECT));
    for node in [file, copy] {
        assert_eq!(read(&desk, node).await.unwrap(), pattern(2500));
    }
    fixture.assert_settles().await;
    // Nothing is ever moved onto a mount.
    let onto = fixture.disk.migrate(
        Stock {
            store: archive,
            drive: None,
        },
        &mount_name(),
        JobOptions::default(),
    );
    assert_eq!(onto.err().unwrap().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn an_upload_is_never_done_with_bytes_that_others_may_delete() {
    let fixture = Fixture::new().await;
    let (desk, root, file) = published(&fixture).await;
    let sha256 = wait_for_sha256(&fixture, file).await;
    let spec = UploadSpec::file(name("mine"), Some(2500)).with_sha256(sha256);
    let begun = desk.create_upload(spec.clone()).await.unwrap();
    assert_eq!((begun.offset_bytes, begun.node), (0, None));
    // With bytes that are ours it is.
    put(&desk, root, "ours", &pattern(2500)).await.unwrap();
    desk.trash(file, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    let begun = desk.create_upload(spec).await.unwrap();
    assert!(begun.node.is_some());
}

#[tokio::test]
async fn an_object_that_has_no_room_leaves_nothing() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let small = fixture.other_drive(&desk, Some(1000)).await;
    fixture.mount.write(path(OBJECT), pattern(1001));
    let refused = publish(&fixture, OBJECT, place(small.root, &["f"], "f")).await;
    assert_eq!(kind(refused), ErrorKind::QuotaExceeded);
    assert!(names(&desk, small.root).await.is_empty());
    let missing = publish(&fixture, "nothing", place(small.root, &[], "f")).await;
    assert_eq!(kind(missing), ErrorKind::NotFound);
    fixture.assert_settles().await;
    let rows = fixture.catalog.blobs_of(&mount_name(), None, 10).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test]
async fn an_empty_object_is_an_empty_file() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    fixture.mount.write(path("_SUCCESS"), Bytes::new());
    let place = place(root, &[], "done");
    let node = match publish(&fixture, "_SUCCESS", place.clone()).await.unwrap() {
        Published::Created(node) => node,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&desk, node.id).await.unwrap(), Bytes::new());
    assert_eq!(wait_for_sha256(&fixture, node.id).await, sha256(b""));
    let again = publish(&fixture, "_SUCCESS", place).await;
    assert!(matches!(again, Ok(Published::Unchanged(_))), "{again:?}");
}

#[tokio::test]
async fn mounts_are_named_once_and_stay_while_files_lie_in_them() {
    let fixture = Fixture::new().await;
    published(&fixture).await;
    let policy = fixture.disk.policy().clone();
    let mut twice = fixture.seams.clone();
    twice.mounts.push(twice.mounts[0].clone());
    let error = CampusDisk::open(twice, policy.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut without = fixture.seams.clone();
    without.mounts.clear();
    let error = CampusDisk::open(without, policy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("spark"), "{error}");
}
