//! Overwriting, and going back.

use campusdisk_core::{ErrorKind, NodeUpdate, PutOptions};

use crate::fixture::{Fixture, folder, kind, name, pattern, put, read, sha256};

#[tokio::test]
async fn an_overwritten_file_keeps_its_earlier_contents_and_goes_back_to_them() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(1500)).await.unwrap();
    assert_eq!(put(&desk, root, "f", &pattern(20)).await.unwrap(), file);
    let page = desk.versions(file, None, 1).await.unwrap();
    let (newest, content) = &page.items[0];
    assert_eq!((newest.number, newest.size_bytes), (2, 20));
    assert_eq!(content.as_ref().unwrap().sha256, Some(sha256(&pattern(20))));
    let older = desk.versions(file, page.next, 1).await.unwrap();
    assert_eq!(older.items[0].0.number, 1);
    assert_eq!(older.next, None);
    let node = desk.restore_version(file, 1).await.unwrap();
    assert_eq!((node.version, node.size_bytes), (3, 1500));
    assert_eq!(read(&desk, file).await.unwrap(), pattern(1500));
    // Every version counts.
    assert_eq!(desk.home().await.unwrap().used_bytes, 3020);
    assert_eq!(kind(desk.restore_version(file, 9).await), ErrorKind::NotFound);
    let a = folder(&desk, root, "a").await;
    assert_eq!(kind(desk.versions(a, None, 1).await), ErrorKind::InvalidInput);
    fixture.assert_settles().await;
    desk.trash(file, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn the_conditions_of_a_put_hold_at_its_beginning_and_at_its_end() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let start = async |file: &str, options| desk.put(root, name(file), options).await;
    let mut absent = PutOptions::default();
    absent.if_absent = true;
    let mut present = PutOptions::default();
    present.if_present = true;
    let mut same = PutOptions::default();
    assert_eq!(kind(start("f", present.clone()).await), ErrorKind::Changed);
    let slow = start("f", absent.clone()).await.unwrap();
    let file = put(&desk, root, "f", &pattern(10)).await.unwrap();
    // Somebody was faster.
    assert_eq!(kind(slow.finish().await), ErrorKind::Changed);
    assert_eq!(kind(start("f", absent).await), ErrorKind::Changed);
    let content = desk.node(file).await.unwrap().node.content.unwrap();
    same.if_content = Some(vec![content]);
    let (one, other) = (
        start("f", same.clone()).await.unwrap(),
        start("f", same.clone()).await.unwrap(),
    );
    assert!(!one.finish().await.unwrap().created);
    assert_eq!(kind(other.finish().await), ErrorKind::Changed);
    assert_eq!(kind(desk.put_content(file, same).await), ErrorKind::Changed);
    assert!(!start("f", present).await.unwrap().finish().await.unwrap().created);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_put_refuses_folders_wrong_lengths_and_nothing_of_it_stays() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let onto = desk.put(root, name("a"), PutOptions::default()).await;
    assert_eq!(kind(onto), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(desk.put_content(a, PutOptions::default()).await),
        ErrorKind::InvalidInput
    );
    for (announced, sent, expected) in [
        (1500, 1499, ErrorKind::Truncated),
        (1500, 1501, ErrorKind::LimitExceeded),
    ] {
        let mut options = PutOptions::default();
        options.len_bytes = Some(announced);
        let mut putting = desk.put(root, name("f"), options).await.unwrap();
        let _ = putting.write(pattern(sent)).await;
        assert_eq!(kind(putting.finish().await), expected);
    }
    // A client that goes away puts nothing.
    let mut gone = desk.put(root, name("f"), PutOptions::default()).await.unwrap();
    gone.write(pattern(1500)).await.unwrap();
    drop(gone);
    fixture.assert_settles().await;
    assert_eq!(kind(desk.child(root, &name("f")).await), ErrorKind::NotFound);
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn a_date_stands_for_a_content_unless_another_one_had_the_same_second() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let second = std::time::Duration::from_secs(1);
    let own = async |file| {
        let download = desk.download(file).await.unwrap();
        download.has_date_of_its_own().await.unwrap()
    };
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    assert!(own(file).await);
    let mut renaming = NodeUpdate::default();
    renaming.name = Some(name("g"));
    desk.update(file, renaming).await.unwrap();
    assert!(own(file).await, "a rename changes no content");

    put(&desk, root, "g", &pattern(6)).await.unwrap();
    assert!(!own(file).await, "two contents in one second");
    fixture.clock.advance(second);
    put(&desk, root, "g", &pattern(7)).await.unwrap();
    assert!(own(file).await);
    fixture.clock.advance(second);
    desk.restore_version(file, 1).await.unwrap();
    assert!(own(file).await, "an older content again, at another time");
    fixture.clock.advance(second);
    for size in 0..100 {
        fixture.clock.advance(second);
        put(&desk, root, "g", &pattern(size)).await.unwrap();
    }
    assert!(!own(file).await, "too many versions to look at");
}
