//! Numbers that no catalog keeps: M3, and what C3 and C8 say of them.

use std::sync::Arc;

use bytes::Bytes;
use campusdisk_core::ErrorKind;
use campusdisk_core::catalog::record::HashState;
use campusdisk_core::catalog::{
    Catalog, Change, ChildrenQuery, Cursor, Expect, Extension, Order, RecordKey, Sort, SortValue,
};

use super::desk::{Desk, at, extent, name};

/// The smallest number that no catalog keeps.
const TOO_LARGE: u64 = 1 << 63;

pub async fn m3_a_number_that_no_catalog_keeps_is_found_nowhere(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut content = desk.content(&desk.blob(), TOO_LARGE - 1);
    content.sha256 = Some([8; 32]);
    let mut file = desk.file(&drive, "a");
    (file.size_bytes, file.version) = (TOO_LARGE - 1, TOO_LARGE - 1);
    let version = desk.version(&file, &content);
    desk.apply(vec![
        file.clone().into(),
        content.clone().into(),
        version.clone().into(),
    ])
    .await;
    for number in [TOO_LARGE, u64::MAX] {
        let found = desk.catalog.version(file.id, number).await;
        assert_eq!(found.expect("answered"), None);
        let before = desk.catalog.versions(file.id, Some(number), 9).await;
        assert_eq!(before.expect("answered"), std::slice::from_ref(&version));
        let found = desk
            .catalog
            .content_by_sha256(&[drive.id], &[8; 32], number)
            .await;
        assert_eq!(found.expect("answered"), None);
        for (order, expected) in [(Order::Ascending, 0), (Order::Descending, 1)] {
            let query = ChildrenQuery {
                sort: Sort::Size,
                order,
                after: Some(Cursor {
                    value: SortValue::Size(number),
                    name: name("a").key(),
                }),
                ..ChildrenQuery::first(9)
            };
            let page = desk.catalog.children(drive.root, &query).await;
            assert_eq!(page.expect("answered").len(), expected);
        }
    }
}

pub async fn c3_a_number_that_no_catalog_keeps_is_never_the_expected_one(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut file = desk.file(&drive, "a");
    file.version = TOO_LARGE - 1;
    let mut upload = desk.upload(&drive);
    (upload.epoch, upload.offset_bytes) = (TOO_LARGE - 1, TOO_LARGE - 1);
    desk.apply(vec![file.clone().into(), upload.clone().into()]).await;
    let number = RecordKey::Version(file.id, TOO_LARGE);
    for expect in [
        Expect::Version(RecordKey::Node(file.id), TOO_LARGE),
        Expect::Version(number.clone(), 0),
        Expect::TreeVersion(drive.id, u64::MAX),
        Expect::UploadAt(upload.id, TOO_LARGE, upload.offset_bytes),
        Expect::UploadAt(upload.id, upload.epoch, TOO_LARGE),
    ] {
        let refused = desk.refused(vec![expect.clone().into()]).await;
        assert_eq!(refused, ErrorKind::Conflict, "{expect:?}");
    }
    let extension = |epoch, from_bytes| Extension {
        upload: upload.id,
        epoch,
        from_bytes,
        to_bytes: 5,
        extents: Vec::new(),
        tail: Bytes::new(),
        hash: HashState::default(),
        expires: at(5),
    };
    for (epoch, from) in [(TOO_LARGE, upload.offset_bytes), (upload.epoch, TOO_LARGE)] {
        let refused = desk.refused(vec![extension(epoch, from).into()]).await;
        assert_eq!(refused, ErrorKind::Conflict);
    }
    desk.apply(vec![
        Expect::Absent(number.clone()).into(),
        Change::Delete(number),
    ])
    .await;
}

pub async fn c8_a_record_with_a_number_that_no_catalog_keeps_is_refused(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let mut file = desk.file(&drive, "a");
    file.size_bytes = TOO_LARGE;
    let mut content = desk.content(&desk.blob(), 5);
    content.extents = vec![extent(&desk.blob(), TOO_LARGE, 1)];
    let mut upload = desk.upload(&drive);
    upload.len_bytes = Some(u64::MAX);
    let mut larger = drive.clone();
    larger.quota_bytes = Some(TOO_LARGE);
    let mut download = desk.download(file.id);
    download.sent_bytes = TOO_LARGE;
    for change in [
        Change::from(file.clone()),
        content.into(),
        upload.clone().into(),
        larger.into(),
        download.into(),
    ] {
        let refused = desk.refused(vec![change.clone()]).await;
        assert_eq!(refused, ErrorKind::InvalidInput, "{change:?}");
    }
    assert_eq!(desk.read_node(file.id).await, None);
    upload.len_bytes = None;
    desk.put(upload.clone()).await;
    let past_the_end = Extension {
        upload: upload.id,
        epoch: upload.epoch,
        from_bytes: upload.offset_bytes,
        to_bytes: TOO_LARGE,
        extents: Vec::new(),
        tail: Bytes::new(),
        hash: HashState::default(),
        expires: at(5),
    };
    let refused = desk.refused(vec![past_the_end.into()]).await;
    assert_eq!(refused, ErrorKind::InvalidInput);
    assert_eq!(desk.read_upload(upload.id).await, Some(upload));
}
