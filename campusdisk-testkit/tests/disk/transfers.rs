//! Bytes in and out.

use bytes::Bytes;
use campusdisk_core::{AppendOptions, ErrorKind, Span, UploadSpec};
use sha2::Digest;

use crate::fixture::{Fixture, name, pattern, put, read};

#[tokio::test]
async fn a_file_put_in_one_go_comes_out_as_it_went_in() {
    let fixture = Fixture::new().await;
    let desk = fixture.desk("alice");
    let root = desk.home().await.unwrap().root;
    for len in [0, 1, 99, 100, 101, 999, 1000, 1001, 5000] {
        let bytes = pattern(len);
        let file = put(&desk, root, &format!("{len}"), &bytes).await.unwrap();
        assert_eq!(read(&desk, file).await.unwrap(), bytes, "{len}");
        let place = desk.node(file).await.unwrap();
        let sha256: [u8; 32] = sha2::Sha256::digest(&bytes).into();
        assert_eq!(place.content.as_ref().unwrap().sha256, Some(sha256));
    }
    fixture.assert_settles().await;
}

#[tokio::test]
async fn any_span_of_a_file_of_many_blobs_is_those_bytes() {
    let fixture = Fixture::new().await;
    let desk = fixture.desk("alice");
    let bytes = pattern(3500);
    let file = put(&desk, desk.home().await.unwrap().root, "f", &bytes)
        .await
        .unwrap();
    let download = desk.download(file).await.unwrap();
    for (start, end) in [
        (0, 1),
        (0, 3500),
        (999, 1001),
        (1000, 2000),
        (1, 3499),
        (3499, 3500),
    ] {
        let body = download.open(Span::new(start, end).unwrap()).await.unwrap();
        assert_eq!(
            body.collect(4000).await.unwrap(),
            bytes.slice(start as usize..end as usize)
        );
    }
    assert!(download.open(Span::new(0, 3501).unwrap()).await.is_err());
}

#[tokio::test]
async fn an_upload_that_is_cut_anywhere_goes_on_where_it_stands() {
    let fixture = Fixture::new().await;
    let desk = fixture.desk("alice");
    let bytes = pattern(4321);
    for cuts in [
        vec![1],
        vec![50, 120],
        vec![99, 100, 101],
        vec![1000, 1001, 2999],
        vec![4320],
    ] {
        let spec = UploadSpec::file(name("cut.bin"), Some(4321));
        let upload = desk.create_upload(spec).await.unwrap();
        let mut at = 0;
        for cut in cuts.into_iter().chain([4321]) {
            let mut appending = desk
                .append(upload.id, at as u64, AppendOptions::default())
                .await
                .unwrap();
            appending.write(bytes.slice(at..cut)).await.unwrap();
            if cut < 4321 {
                // The client goes away; the service keeps what came.
                drop(appending);
                at = desk.upload(upload.id).await.unwrap().offset_bytes as usize;
                assert_eq!(at, cut);
            } else {
                let done = appending.finish().await.unwrap();
                assert_eq!(read(&desk, done.node.unwrap().id).await.unwrap(), bytes);
            }
        }
    }
    fixture.assert_settles().await;
}

#[tokio::test]
async fn joined_parts_are_one_file_and_can_be_joined_again() {
    let fixture = Fixture::new().await;
    let desk = fixture.desk("alice");
    let bytes = pattern(2500);
    let mut parts = Vec::new();
    for piece in [0..1200, 1200..2500] {
        let part = desk
            .create_upload(UploadSpec::partial(Some(piece.len() as u64)))
            .await
            .unwrap();
        let mut appending = desk.append(part.id, 0, AppendOptions::default()).await.unwrap();
        appending.write(bytes.slice(piece)).await.unwrap();
        appending.finish().await.unwrap();
        parts.push(part.id);
    }
    for _ in 0..2 {
        let joined = desk
            .join(UploadSpec::file(name("joined"), None), &parts)
            .await
            .unwrap();
        assert_eq!(read(&desk, joined.node.unwrap()).await.unwrap(), bytes);
    }
    fixture.assert_settles().await;
}

#[tokio::test]
async fn an_append_elsewhere_than_where_the_upload_stands_is_a_conflict() {
    let fixture = Fixture::new().await;
    let desk = fixture.desk("alice");
    let upload = desk
        .create_upload(UploadSpec::file(name("a"), Some(10)))
        .await
        .unwrap();
    let error = desk
        .append(upload.id, 1, AppendOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let mut appending = desk.append(upload.id, 0, AppendOptions::default()).await.unwrap();
    appending
        .write(Bytes::from_static(b"more than ten bytes"))
        .await
        .unwrap();
    assert_eq!(
        appending.finish().await.unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
    let stranger = fixture.desk("mallory");
    assert_eq!(
        stranger.upload(upload.id).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}
