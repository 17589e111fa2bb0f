//! The cases of mounts. A case fails by panicking.
#![expect(clippy::expect_used, reason = "a case is a test and fails by panicking")]

use std::collections::BTreeMap;

use bytes::Bytes;
use campusdisk_core::mount::{Mount, ObjectPath, ObjectRef};
use campusdisk_core::{Error, ErrorKind, Result, Span};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};

use super::MountHarness;
use crate::storage::pattern;

/// Longer than every buffer on the way.
const LONG_BYTES: usize = (9 << 20) + 17;

/// What Spark jobs and people call files.
const NAMES: [&str; 5] = [
    "year=2026/part-00000-c1.snappy.parquet",
    "成绩/2026 秋/张三 成绩单.pdf",
    "_SUCCESS",
    "a/b/c/d/e.txt",
    "a/b.txt",
];

fn path(text: &str) -> ObjectPath {
    ObjectPath::parse(text).expect("it is a path")
}

async fn look(harness: &dyn MountHarness, at: &str) -> ObjectRef {
    let found = harness.mount().look(&path(at)).await;
    found.expect("the object is there")
}

async fn listed(mount: &dyn Mount, folder: Option<&str>) -> BTreeMap<ObjectPath, ObjectRef> {
    let folder = folder.map(path);
    let all: Vec<_> = mount.list(folder.as_ref()).try_collect().await.expect("it lists");
    let by_path: BTreeMap<_, _> = all
        .iter()
        .map(|object| (object.path.clone(), object.clone()))
        .collect();
    assert_eq!(all.len(), by_path.len(), "an object is listed twice");
    by_path
}

async fn read(mount: &dyn Mount, object: &ObjectRef, span: Span) -> Result<Bytes> {
    let reader = mount.open(object).await?;
    reader.read(span).await?.collect(usize::MAX).await
}

fn sorted(mut objects: Vec<ObjectRef>) -> Vec<ObjectRef> {
    objects.sort_by(|one, other| one.path.cmp(&other.path));
    objects
}

fn whole(object: &ObjectRef) -> Span {
    Span::whole(object.len_bytes).expect("it is not empty")
}

#[track_caller]
fn assert_is(error: Option<Error>, kind: ErrorKind, what: &str) {
    match error {
        Some(error) => assert_eq!(error.kind(), kind, "{what} failed otherwise: {error:?}"),
        None => panic!("{what} succeeded, it must fail with {kind}"),
    }
}

pub async fn m1_look_finds_the_object_of_now(harness: &dyn MountHarness) {
    let names = NAMES.iter().copied().chain(["empty"]);
    let objects = (0..).zip(names).map(|(seed, name)| match name {
        "empty" => (name, Bytes::new()),
        name => (name, pattern(seed, 1000 + name.len())),
    });
    let objects: Vec<_> = objects.collect();
    for (name, bytes) in &objects {
        harness.write(name, bytes.clone()).await.expect("it is written");
    }
    // Side by side: a mount may wait until it believes a clock.
    let look_all = || join_all(objects.iter().map(|(name, _)| look(harness, name)));
    let found = look_all().await;
    for (object, (name, bytes)) in found.iter().zip(&objects) {
        assert_eq!(
            (&object.path, object.len_bytes),
            (&path(name), bytes.len() as u64)
        );
    }
    assert_eq!(look_all().await, found, "looked at again, they are the same");
}

pub async fn m1_what_is_no_object_is_not_found(harness: &dyn MountHarness) {
    harness
        .write("folder/file", pattern(1, 10))
        .await
        .expect("it is written");
    for missing in ["nothing", "folder", "folder/other", "folder/file/below"] {
        let found = harness.mount().look(&path(missing)).await;
        assert_is(found.err(), ErrorKind::NotFound, missing);
    }
}

pub async fn m1_other_bytes_of_the_same_length_have_another_mark(harness: &dyn MountHarness) {
    harness.write("f", pattern(1, 5000)).await.expect("it is written");
    let before = look(harness, "f").await;
    harness.write("f", pattern(2, 5000)).await.expect("it is written");
    let after = look(harness, "f").await;
    assert_eq!(before.len_bytes, after.len_bytes);
    assert_ne!(before.mark, after.mark);
}

pub async fn m2_list_finds_every_object_once_as_look_does(harness: &dyn MountHarness) {
    let mount = harness.mount();
    assert!(listed(&*mount, None).await.is_empty());
    let many = (0..30).map(|number| format!("many/{number:03}"));
    let names: Vec<_> = NAMES.iter().map(|&name| name.to_owned()).chain(many).collect();
    for (seed, name) in (1..).zip(&names) {
        harness
            .write(name, pattern(seed, 100))
            .await
            .expect("it is written");
    }
    let found = listed(&*mount, None).await;
    let looked = join_all(names.iter().map(|name| look(harness, name))).await;
    assert_eq!(found.into_values().collect::<Vec<_>>(), sorted(looked));
}

pub async fn m2_list_keeps_to_its_folder(harness: &dyn MountHarness) {
    for name in ["a/one", "a/b/two", "ab/three", "four", "a.txt"] {
        harness.write(name, pattern(1, 10)).await.expect("it is written");
    }
    let mount = harness.mount();
    let names = async |folder| {
        let found = listed(&*mount, Some(folder)).await;
        let names = found.keys().map(ToString::to_string);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("a").await, ["a/b/two", "a/one"]);
    assert_eq!(names("a/b").await, ["a/b/two"]);
    assert_eq!(names("missing").await, Vec::<String>::new());
}

pub async fn m3_every_span_yields_exactly_its_bytes(harness: &dyn MountHarness) {
    let bytes = pattern(7, LONG_BYTES);
    harness.write("long", bytes.clone()).await.expect("it is written");
    let object = look(harness, "long").await;
    let mount = harness.mount();
    let end = LONG_BYTES;
    for (start, end) in [
        (0, end),
        (0, 1),
        (end - 1, end),
        ((1 << 20) - 1, (5 << 20) + 1),
        (3, 4096),
    ] {
        let span = Span::new(start as u64, end as u64).expect("it is not empty");
        let read = read(&*mount, &object, span).await.expect("it reads");
        assert!(read == bytes.slice(start..end), "{start}..{end} has other bytes");
    }
}

pub async fn m3_a_changed_object_is_changed_for_old_and_new_readers(harness: &dyn MountHarness) {
    join_all([
        assert_changed(harness, "same", pattern(2, 5000)),
        assert_changed(harness, "longer", pattern(1, 5001)),
        assert_changed(harness, "shorter", pattern(1, 4999)),
        assert_changed(harness, "emptied", Bytes::new()),
    ])
    .await;
}

async fn assert_changed(harness: &dyn MountHarness, name: &str, later: Bytes) {
    let (mount, bytes) = (harness.mount(), pattern(1, 5000));
    harness.write(name, bytes.clone()).await.expect("it is written");
    let object = look(harness, name).await;
    let reader = mount.open(&object).await.expect("it opens");
    let first = reader.read(whole(&object)).await.expect("it reads");
    assert!(first.collect(usize::MAX).await.expect("it is whole") == bytes);
    harness.write(name, later).await.expect("it is written");
    let old = async { reader.read(whole(&object)).await?.collect(usize::MAX).await };
    assert_is(old.await.err(), ErrorKind::Changed, name);
    for span in [whole(&object), Span::new(0, 10).expect("it is not empty")] {
        let new = read(&*mount, &object, span).await;
        assert_is(new.err(), ErrorKind::Changed, name);
    }
}

pub async fn m3_a_deleted_object_is_changed(harness: &dyn MountHarness) {
    let mount = harness.mount();
    harness
        .write("a/f", pattern(1, 5000))
        .await
        .expect("it is written");
    let object = look(harness, "a/f").await;
    let reader = mount.open(&object).await.expect("it opens");
    let first = reader.read(whole(&object)).await.expect("it reads");
    first.collect(usize::MAX).await.expect("it is whole");
    harness.delete("a/f").await.expect("it is deleted");
    let old = async { reader.read(whole(&object)).await?.collect(usize::MAX).await };
    assert_is(old.await.err(), ErrorKind::Changed, "an open reader");
    let new = read(&*mount, &object, whole(&object)).await;
    assert_is(new.err(), ErrorKind::Changed, "a new reader");
}

pub async fn m3_an_object_replaced_in_mid_read_never_mixes(harness: &dyn MountHarness) {
    let mount = harness.mount();
    let bytes = pattern(1, LONG_BYTES);
    harness.write("f", bytes.clone()).await.expect("it is written");
    let object = look(harness, "f").await;
    let reader = mount.open(&object).await.expect("it opens");
    let mut body = reader.read(whole(&object)).await.expect("it reads");
    let mut read = 0;
    let mut is_replaced = false;
    while let Some(piece) = body.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                assert!(is_replaced, "it broke before anything changed: {error:?}");
                return assert_is(Some(error), ErrorKind::Changed, "the rest");
            }
        };
        let expected = bytes.slice(read..read + piece.len());
        assert!(piece == expected, "other bytes came at {read}");
        read += piece.len();
        if !is_replaced {
            is_replaced = true;
            let other = pattern(2, LONG_BYTES);
            harness.write("f", other).await.expect("it is written");
        }
    }
    assert_eq!(read, LONG_BYTES);
}

pub async fn m4_a_span_past_the_end_is_corrupt(harness: &dyn MountHarness) {
    harness.write("f", pattern(1, 5000)).await.expect("it is written");
    let object = look(harness, "f").await;
    for (start, end) in [(0, 5001), (4999, 6000), (7000, 7001)] {
        let span = Span::new(start, end).expect("it is not empty");
        let read = read(&*harness.mount(), &object, span).await;
        assert_is(read.err(), ErrorKind::Corrupt, "a span past the end");
    }
}

pub async fn m5_nothing_is_made_changed_or_deleted(harness: &dyn MountHarness) {
    let (mount, bytes) = (harness.mount(), pattern(1, 5000));
    harness.write("a/f", bytes.clone()).await.expect("it is written");
    let before = listed(&*mount, None).await;
    let object = look(harness, "a/f").await;
    read(&*mount, &object, whole(&object)).await.expect("it reads");
    let missing = mount.look(&path("a/g")).await;
    assert_is(missing.err(), ErrorKind::NotFound, "looking at nothing");
    listed(&*mount, Some("b")).await;
    assert_eq!(listed(&*mount, None).await, before);
    let planted = harness.planted("a/f").await.expect("it is found");
    assert!(planted.is_some_and(|planted| planted == bytes));
    for made in ["a/g", "b"] {
        assert!(harness.planted(made).await.expect("it is answered").is_none());
    }
}

pub async fn m6_one_reader_serves_many_spans_at_once(harness: &dyn MountHarness) {
    let bytes = pattern(3, 1 << 20);
    harness.write("f", bytes.clone()).await.expect("it is written");
    let object = look(harness, "f").await;
    let reader = harness.mount().open(&object).await.expect("it opens");
    let spans = (0..8_usize).map(|number| (number * 100_000, number * 100_000 + 150_000));
    let reads = spans.map(|(start, end)| {
        let (reader, bytes) = (&reader, &bytes);
        async move {
            let span = Span::new(start as u64, end as u64).expect("it is not empty");
            let body = reader.read(span).await.expect("it reads");
            let read = body.collect(usize::MAX).await.expect("it is whole");
            assert!(read == bytes.slice(start..end), "{start}..{end} has other bytes");
        }
    });
    join_all(reads).await;
}

pub async fn m7_info_never_changes(harness: &dyn MountHarness) {
    let before = harness.mount().info().clone();
    harness.write("f", pattern(1, 100)).await.expect("it is written");
    look(harness, "f").await;
    let after = harness.mount().info().clone();
    assert_eq!((after.name, after.remote), (before.name, before.remote));
}
