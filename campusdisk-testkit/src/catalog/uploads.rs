//! Uploads: extending them, taking them over, and reading them.

use std::sync::Arc;

use bytes::Bytes;
use campusdisk_core::catalog::record::{Blob, BlobState, HashState, Upload};
use campusdisk_core::catalog::{BlobStep, Catalog, Change, Expect, Extension, RecordKey};
use campusdisk_core::{ErrorKind, NodeId, UploadId};

use super::desk::{Desk, account, at, extent};

fn extension(upload: &Upload, from_bytes: u64, to_bytes: u64) -> Extension {
    Extension {
        upload: upload.id,
        epoch: upload.epoch,
        from_bytes,
        to_bytes,
        extents: Vec::new(),
        tail: Bytes::new(),
        hash: HashState::default(),
        expires: at(2000),
    }
}

/// A committed upload and two committed leased blobs.
async fn started(desk: &Desk) -> (Upload, Blob, Blob) {
    let drive = desk.drive().await;
    let (upload, one, other) = (desk.upload(&drive), desk.blob(), desk.blob());
    desk.apply(vec![
        upload.clone().into(),
        one.clone().into(),
        other.clone().into(),
    ])
    .await;
    (upload, one, other)
}

pub async fn c9_extending_appends_and_attaches_each_piece(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (mut upload, one, other) = started(&desk).await;

    let mut first = extension(&upload, 0, 110);
    first.extents = vec![extent(&one, 0, 40), extent(&one, 40, 60)];
    first.tail = Bytes::from_static(b"tail bytes");
    first.hash = HashState {
        sha256: Some(vec![1; 40]),
        crc32: 7,
    };
    desk.put(first.clone()).await;
    let mut second = extension(&upload, 110, 170);
    second.extents = vec![extent(&other, 0, 70)];
    second.expires = at(3000);
    desk.put(second.clone()).await;

    upload.offset_bytes = 170;
    upload.expires = at(3000);
    upload.extents = first.extents;
    upload.extents.extend(second.extents);
    assert_eq!(desk.read_upload(upload.id).await, Some(upload));
    let refs = |row: Option<Blob>| row.map(|blob| (blob.state, blob.refs));
    assert_eq!(refs(desk.read_blob(&one).await), Some((BlobState::Live, 2)));
    assert_eq!(refs(desk.read_blob(&other).await), Some((BlobState::Live, 1)));
}

pub async fn c9_extending_keeps_tail_and_hashes(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (mut upload, ..) = started(&desk).await;
    let mut tail_only = extension(&upload, 0, 100_000);
    tail_only.tail = Bytes::from(vec![7; 100_000]);
    tail_only.hash = HashState {
        sha256: Some(vec![9; 112]),
        crc32: u32::MAX,
    };
    desk.put(tail_only.clone()).await;
    (upload.offset_bytes, upload.expires) = (100_000, at(2000));
    (upload.tail, upload.hash) = (tail_only.tail, tail_only.hash);
    assert_eq!(desk.read_upload(upload.id).await, Some(upload));
}

pub async fn c9_extending_with_a_condemned_blob_changes_nothing(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (upload, one, other) = started(&desk).await;
    let condemn = BlobStep::Condemn { now: at(100_000) };
    desk.apply(vec![Change::Blob(other.store.clone(), other.key, condemn)])
        .await;
    let gone = desk.blob();
    for bad in [&other, &gone] {
        let mut late = extension(&upload, 0, 20);
        late.extents = vec![extent(&one, 0, 10), extent(bad, 0, 10)];
        assert_eq!(desk.refused(vec![late.into()]).await, ErrorKind::Conflict);
    }
    assert_eq!(desk.read_upload(upload.id).await, Some(upload));
    assert_eq!(desk.read_blob(&one).await, Some(one));
}

pub async fn c3_only_the_writer_of_the_epoch_extends_at_the_offset(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (mut upload, ..) = started(&desk).await;
    desk.put(extension(&upload, 0, 10)).await;
    for (epoch, from) in [(0, 10), (2, 10), (1, 0), (1, 9), (1, 11)] {
        let mut wrong = extension(&upload, from, 20);
        wrong.epoch = epoch;
        assert_eq!(desk.refused(vec![wrong.into()]).await, ErrorKind::Conflict);
    }
    let mut missing = extension(&upload, 0, 10);
    missing.upload = UploadId::from_u128(9999);
    assert_eq!(desk.refused(vec![missing.into()]).await, ErrorKind::NotFound);

    // Somebody takes over: the old writer is shut out, the new one goes on where it stopped.
    let late = extension(&upload, 10, 20);
    (upload.offset_bytes, upload.epoch, upload.version) = (10, 2, 2);
    desk.apply(vec![
        Expect::UploadAt(upload.id, 1, 10).into(),
        upload.clone().into(),
    ])
    .await;
    assert_eq!(desk.refused(vec![late.into()]).await, ErrorKind::Conflict);
    desk.put(extension(&upload, 10, 30)).await;
    let row = desk.read_upload(upload.id).await;
    assert_eq!(row.map(|row| (row.epoch, row.offset_bytes)), Some((2, 30)));
}

pub async fn c3_of_writers_at_one_offset_one_wins(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (upload, ..) = started(&desk).await;
    let sets = (1..=10).map(|length| desk.set(vec![extension(&upload, 0, length).into()]));
    let answers = desk.race(sets.collect()).await;
    let winner = answers.iter().position(Result::is_ok).expect("one wins") as u64;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let row = desk.read_upload(upload.id).await;
    assert_eq!(row.map(|row| row.offset_bytes), Some(winner + 1));
}

pub async fn c3_of_writer_and_takeover_one_wins(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    for _ in 0..10 {
        let (upload, ..) = started(&desk).await;
        let mut taken = upload.clone();
        (taken.epoch, taken.version) = (2, 2);
        let sets = vec![
            desk.set(vec![Expect::UploadAt(upload.id, 1, 0).into(), taken.into()]),
            desk.set(vec![extension(&upload, 0, 5).into()]),
        ];
        let answers = desk.race(sets).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let row = desk.read_upload(upload.id).await.expect("is there");
        assert!(matches!((row.epoch, row.offset_bytes), (2, 0) | (1, 5)));
    }
}

pub async fn c8_putting_an_upload_leaves_its_extents(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (mut upload, one, other) = started(&desk).await;
    let mut first = extension(&upload, 0, 10);
    first.extents = vec![extent(&one, 0, 10)];
    desk.put(first.clone()).await;
    upload.extents = vec![extent(&other, 0, 99)];
    (upload.offset_bytes, upload.epoch, upload.version) = (10, 2, 2);
    desk.put(upload.clone()).await;
    let mut second = extension(&upload, 10, 15);
    second.extents = vec![extent(&one, 10, 5)];
    desk.put(second.clone()).await;
    (upload.offset_bytes, upload.expires) = (15, at(2000));
    upload.extents = [first.extents, second.extents].concat();
    assert_eq!(desk.read_upload(upload.id).await, Some(upload));
}

pub async fn c8_extents_go_with_their_upload_or_content(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (mut upload, one, _) = started(&desk).await;
    let mut first = extension(&upload, 0, 10);
    first.extents = vec![extent(&one, 0, 10)];
    let mut content = desk.content(&one, 10);
    desk.apply(vec![first.into(), content.clone().into()]).await;
    desk.apply(vec![
        Change::Delete(RecordKey::Upload(upload.id)),
        Change::Delete(RecordKey::Content(content.id)),
    ])
    .await;
    upload.extents.clear();
    content.extents.clear();
    desk.apply(vec![upload.clone().into(), content.clone().into()])
        .await;
    assert_eq!(desk.read_upload(upload.id).await, Some(upload));
    assert_eq!(desk.read_content(content.id).await, Some(content));
}

pub async fn c8_putting_a_content_replaces_its_extents(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (one, other) = (desk.blob(), desk.blob());
    let mut content = desk.content(&one, 10);
    content.extents = (0..300).map(|index| extent(&one, index, 1)).collect();
    content.size_bytes = 300;
    desk.put(content.clone()).await;
    assert_eq!(desk.read_content(content.id).await, Some(content.clone()));
    content.extents = vec![extent(&other, 0, 300)];
    content.layout_version = 2;
    desk.apply(vec![
        Expect::Version(RecordKey::Content(content.id), 1).into(),
        content.clone().into(),
    ])
    .await;
    assert_eq!(desk.read_content(content.id).await, Some(content.clone()));
    let late = Expect::Version(RecordKey::Content(content.id), 1);
    assert_eq!(desk.refused(vec![late.into()]).await, ErrorKind::Conflict);
}

pub async fn m1_unfinished_uploads_of_an_account_come_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let blob = desk.blob();
    let mut open = Vec::new();
    for number in 0..12 {
        let mut upload = desk.upload(&drive);
        upload.extents = vec![extent(&blob, 0, 1)];
        upload.tail = Bytes::from_static(b"tail");
        match number % 4 {
            1 => upload.node = Some(NodeId::from_u128(5)),
            2 => upload.account = account("lin"),
            _ => open.push(upload.clone()),
        }
        desk.put(upload).await;
    }
    for upload in &mut open {
        upload.extents.clear();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = desk.catalog.uploads_of(&account("mei"), after, 4).await;
        let page = page.expect("answered");
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen, open);
}

pub async fn m1_uploads_whose_time_is_over_come_with_their_extents(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let drive = desk.drive().await;
    let blob = desk.blob();
    let mut over: Vec<_> = (0..5)
        .map(|pieces| {
            let mut upload = desk.upload(&drive);
            upload.expires = at(10);
            upload.extents = (0..pieces).map(|piece| extent(&blob, piece, 1)).collect();
            upload.tail = Bytes::from_static(b"tail");
            upload
        })
        .collect();
    let mut later = desk.upload(&drive);
    later.expires = at(11);
    let puts = over.iter().cloned().chain([later]).map(Into::into);
    desk.apply(puts.collect()).await;

    let mut rows = desk.catalog.uploads_expired(at(10), 10).await.expect("answered");
    rows.sort_by_key(|upload| upload.id);
    over.sort_by_key(|upload| upload.id);
    assert_eq!(rows, over);
    let some = desk.catalog.uploads_expired(at(10), 3).await.expect("answered");
    assert_eq!(some.len(), 3);
    for upload in some {
        assert!(over.contains(&upload));
    }
}
