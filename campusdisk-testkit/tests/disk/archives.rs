//! Folders and selections as ZIP archives.

use std::io::{Cursor, Read};
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::mount::ObjectPath;
use campusdisk_core::{AccountId, Archive, ErrorKind, FilePlace, Result, Span};
use futures::StreamExt;
use zip::ZipArchive;

use crate::fixture::{Fixture, folder, kind, mount_name, name, pattern, policy, put};

async fn span(archive: &Archive, start: u64, end: u64) -> Result<Bytes> {
    let span = Span::new(start, end).unwrap();
    archive.open(span).await?.collect(1 << 26).await
}

async fn all(archive: &Archive) -> Bytes {
    span(archive, 0, archive.size_bytes()).await.unwrap()
}

/// What a program that knows ZIP finds in it: names and bytes, each of which fits its checksum.
fn entries(bytes: &Bytes) -> Vec<(String, Bytes)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let entries = (0..archive.len()).map(|index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name().unwrap().into_owned(), content.into())
    });
    entries.collect()
}

fn entry(path: &str, bytes: &Bytes) -> (String, Bytes) {
    (path.to_owned(), bytes.clone())
}

#[tokio::test]
async fn a_folder_comes_with_all_that_is_below_it_under_its_own_name() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let marks = folder(&desk, root, "成绩").await;
    let inner = folder(&desk, marks, "b inner").await;
    folder(&desk, marks, "empty").await;
    put(&desk, marks, "a.txt", &pattern(10)).await.unwrap();
    put(&desk, marks, "none", &Bytes::new()).await.unwrap();
    put(&desk, inner, "long", &pattern(2500)).await.unwrap();
    let gone = put(&desk, inner, "gone", &pattern(20)).await.unwrap();
    desk.trash(gone, None).await.unwrap();
    put(&desk, root, "beside", &pattern(20)).await.unwrap();
    let archive = desk.archive(marks).await.unwrap();
    assert_eq!(archive.name(), "成绩.zip");
    let none = Bytes::new();
    assert_eq!(
        entries(&all(&archive).await),
        [
            entry("成绩/", &none),
            entry("成绩/a.txt", &pattern(10)),
            entry("成绩/b inner/", &none),
            entry("成绩/b inner/long", &pattern(2500)),
            entry("成绩/empty/", &none),
            entry("成绩/none", &none),
        ]
    );
}

#[tokio::test]
async fn any_span_is_the_same_bytes_as_in_the_whole() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    for (file, len) in [("empty", 0), ("long", 350), ("one", 1), ("short", 99)] {
        put(&desk, a, file, &pattern(len)).await.unwrap();
    }
    let archive = desk.archive(a).await.unwrap();
    let whole = all(&archive).await;
    let len = archive.size_bytes();
    for start in 0..len {
        for end in [start + 1, start + 2, start + 97, start + 400, len] {
            let end = end.min(len);
            let got = span(&archive, start, end).await.unwrap();
            assert_eq!(got, whole.slice(start as usize..end as usize), "{start} to {end}");
        }
    }
    assert_eq!(kind(span(&archive, 0, len + 1).await), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn it_is_the_same_until_something_in_it_changes() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(300)).await.unwrap();
    let first = desk.archive(a).await.unwrap();
    let again = desk.archive(a).await.unwrap();
    assert_eq!(again.content_id(), first.content_id());
    assert_eq!(all(&again).await, all(&first).await);
    fixture.clock.advance(Duration::from_secs(60));
    put(&desk, a, "f", &pattern(301)).await.unwrap();
    let changed = desk.archive(a).await.unwrap();
    assert_ne!(changed.content_id(), first.content_id());
    assert!(changed.modified() > first.modified());
    // What was promised before stays what it was.
    let whole = entries(&all(&first).await);
    assert_eq!(whole[1], entry("a/f", &pattern(300)));
    desk.trash(file, None).await.unwrap();
    assert_ne!(desk.archive(a).await.unwrap().content_id(), changed.content_id());
}

#[tokio::test]
async fn a_selection_serves_its_maker_for_a_day_as_its_nodes_are_then() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let (a, b) = (folder(&desk, root, "a").await, folder(&desk, root, "b").await);
    let one = put(&desk, a, "same.txt", &pattern(1)).await.unwrap();
    let two = put(&desk, b, "same.txt", &pattern(2)).await.unwrap();
    let offer = desk.offer_archive(&[one, two, b]).await.unwrap();
    put(&desk, b, "later", &pattern(3)).await.unwrap();
    let archive = desk.offered_archive(&offer).await.unwrap();
    let none = Bytes::new();
    assert_eq!(
        entries(&all(&archive).await),
        [
            entry("same.txt", &pattern(1)),
            entry("same (2).txt", &pattern(2)),
            entry("b/", &none),
            entry("b/later", &pattern(3)),
            entry("b/same.txt", &pattern(2)),
        ]
    );
    let other = fixture.desk("bob");
    assert_eq!(kind(other.offered_archive(&offer).await), ErrorKind::NotFound);
    assert_eq!(kind(other.offer_archive(&[one]).await), ErrorKind::NotFound);
    let mut changed = offer.clone().into_bytes();
    changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for strange in [changed.as_str(), "", "A", &offer[..offer.len() - 1]] {
        assert_eq!(kind(desk.offered_archive(strange).await), ErrorKind::NotFound);
    }
    fixture.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    desk.offered_archive(&offer).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(kind(desk.offered_archive(&offer).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_no_folder_or_too_much_is_refused() {
    let mut policy = policy();
    policy.max_archive_nodes = 3;
    policy.max_archive_roots = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(1)).await.unwrap();
    assert_eq!(kind(desk.archive(file).await), ErrorKind::InvalidInput);
    assert_eq!(kind(desk.offer_archive(&[]).await), ErrorKind::InvalidInput);
    assert_eq!(
        kind(desk.offer_archive(&[file, a, root]).await),
        ErrorKind::LimitExceeded
    );
    put(&desk, a, "g", &pattern(1)).await.unwrap();
    desk.archive(a).await.unwrap();
    put(&desk, a, "h", &pattern(1)).await.unwrap();
    assert_eq!(kind(desk.archive(a).await), ErrorKind::LimitExceeded);
    assert_eq!(kind(fixture.desk("bob").archive(a).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_file_of_a_mount_that_nobody_has_read_yet_is_read_for_its_checksum() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let object = ObjectPath::parse("report.csv").unwrap();
    fixture.mount.write(object.clone(), pattern(2500));
    let place = FilePlace {
        folder: a,
        folders: Vec::new(),
        name: name("report.csv"),
    };
    let account = AccountId::parse("alice").unwrap();
    let published = fixture
        .disk
        .publish_in_place(&mount_name(), &object, place, &account)
        .await;
    published.unwrap();
    let archive = desk.archive(a).await.unwrap();
    let found = entries(&all(&archive).await);
    assert_eq!(found[1], entry("a/report.csv", &pattern(2500)));
}

#[tokio::test]
async fn more_entries_than_65535_are_all_there() {
    const COPIES: usize = 66;
    const FILES: usize = 1000;
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let all_of_them = folder(&desk, root, "all").await;
    let a = folder(&desk, all_of_them, "a").await;
    let first = put(&desk, a, "0", &pattern(3)).await.unwrap();
    for number in 1..FILES {
        desk.copy(first, a, Some(name(&number.to_string())))
            .await
            .unwrap();
    }
    for number in 1..COPIES {
        desk.copy(a, all_of_them, Some(name(&format!("a{number}"))))
            .await
            .unwrap();
    }
    let archive = desk.archive(all_of_them).await.unwrap();
    let bytes = all(&archive).await;
    let found = ZipArchive::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(found.len(), 1 + COPIES * (FILES + 1));
    assert!(found.len() > usize::from(u16::MAX));
}

#[tokio::test]
async fn whoever_loses_the_right_to_the_folder_loses_the_archive_on_its_way() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    put(&desk, a, "f", &pattern(5000)).await.unwrap();
    let archive = desk.archive(a).await.unwrap();
    let whole = Span::whole(archive.size_bytes()).unwrap();
    let mut body = archive.open(whole).await.unwrap();
    body.next().await.unwrap().unwrap();
    fixture.disk.look_after_transfers().await;
    body.next().await.unwrap().unwrap();
    desk.trash(a, None).await.unwrap();
    fixture.disk.look_after_transfers().await;
    assert_eq!(kind(body.next().await.unwrap()), ErrorKind::Denied);
    assert!(body.next().await.is_none());
}
