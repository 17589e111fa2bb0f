//! Every mount that needs no service keeps the contract of mounts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;

use campusdisk_core::mount::ObjectPath;
use campusdisk_core::{ErrorKind, Span};
use campusdisk_testkit::mount::{MemoryMountHarness, MountHarness};
use campusdisk_testkit::mount_conformance;
use campusdisk_testkit::storage::pattern;
use campusdisk_tests::mounts::OthersFolder;
use futures::TryStreamExt;

mount_conformance!(memory, MemoryMountHarness::fresh());
mount_conformance!(local, OthersFolder::fresh());

fn path(text: &str) -> ObjectPath {
    ObjectPath::parse(text).unwrap()
}

#[tokio::test]
async fn a_link_leads_to_files_of_the_mount_and_nowhere_else() {
    let (one, other) = (OthersFolder::fresh(), OthersFolder::fresh());
    one.write("a/inside", pattern(1, 100)).await.unwrap();
    other.write("secret", pattern(2, 100)).await.unwrap();
    let link = |target: &str, name: &str| symlink(target, one.path().join(name)).unwrap();
    link("a/inside", "to-inside");
    link(other.path().join("secret").to_str().unwrap(), "to-outside");
    link("/etc", "to-etc");
    link("../../../../../etc/passwd", "a/up");
    link("round", "round");
    let mount = one.mount();
    let found = mount.look(&path("to-inside")).await.unwrap();
    assert_eq!(found.len_bytes, 100);
    for name in ["to-outside", "to-etc/passwd", "a/up", "round"] {
        let error = mount.look(&path(name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    }
    let listed = mount.list(None).map_ok(|object| object.path.to_string());
    let mut listed: Vec<_> = listed.try_collect().await.unwrap();
    listed.sort();
    assert_eq!(listed, ["a/inside", "to-inside"]);
}

#[tokio::test]
async fn a_file_renamed_into_the_place_of_another_is_another() {
    let folder = OthersFolder::fresh();
    folder.write("f", pattern(1, 100)).await.unwrap();
    let object = folder.mount().look(&path("f")).await.unwrap();
    folder.write("next", pattern(2, 100)).await.unwrap();
    fs::rename(folder.path().join("next"), folder.path().join("f")).unwrap();
    let reader = folder.mount().open(&object).await.unwrap();
    let read = reader.read(Span::new(0, 10).unwrap()).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Changed);
}

#[tokio::test]
async fn a_root_that_is_gone_is_no_missing_file() {
    let folder = OthersFolder::fresh();
    folder.write("f", pattern(1, 100)).await.unwrap();
    let object = folder.mount().look(&path("f")).await.unwrap();
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    let error = folder.mount().look(&path("f")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let reader = folder.mount().open(&object).await.unwrap();
    let error = reader.read(Span::new(0, 10).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    fs::rename(&away, folder.path()).unwrap();
}
