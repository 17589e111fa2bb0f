//! Chunks of files on stores across a network: which are kept, and how often the store is asked.

use std::sync::Arc;

use bytes::Bytes;
use campusdisk_core::{CHUNK_BYTES, Download, ErrorKind, NodeId, PutOptions, Result, Span, TokioSpawner};
use campusdisk_testkit::faulty::{Fault, Faults};
use futures::StreamExt;

use crate::fixture::{Fixture, folder, kind, name, pattern, policy, store_info};

const CHUNK: u64 = CHUNK_BYTES;

/// With a store across a network and parts of `part_bytes`.
async fn far(part_bytes: u64, change: impl FnOnce(&mut campusdisk_core::Policy)) -> Fixture {
    let mut policy = policy();
    change(&mut policy);
    let info = store_info().with_remote(true).with_part_size_bytes(part_bytes);
    Fixture::over(policy, Faults::new(), info, Arc::new(TokioSpawner)).await
}

async fn file(fixture: &Fixture, bytes: &Bytes) -> (NodeId, Download) {
    let (desk, root) = fixture.alice().await;
    let mut putting = desk
        .put(root, name("far.bin"), PutOptions::default())
        .await
        .unwrap();
    putting.write(bytes.clone()).await.unwrap();
    let node = putting.finish().await.unwrap().node.id;
    (node, desk.download(node).await.unwrap())
}

async fn read(download: &Download, start: u64, end: u64) -> Result<Bytes> {
    let span = Span::new(start, end).unwrap();
    download.open(span).await?.collect(1 << 26).await
}

fn cut(bytes: &Bytes, start: u64, end: u64) -> Bytes {
    bytes.slice(usize::try_from(start).unwrap()..usize::try_from(end).unwrap())
}

fn reads(fixture: &Fixture) -> u64 {
    fixture.faults.calls_of("read")
}

#[tokio::test]
async fn a_small_file_is_read_once_for_all_who_come_at_once() {
    let fixture = far(4 * CHUNK, |_| {}).await;
    let bytes = pattern(5000);
    let (_, download) = file(&fixture, &bytes).await;
    let before = reads(&fixture);
    let gate = fixture.gates.hold("read");
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let download = download.clone();
            tokio::spawn(async move { read(&download, 0, 5000).await })
        })
        .collect();
    gate.arrived().await;
    gate.open();
    for one in crowd {
        assert_eq!(one.await.unwrap().unwrap(), bytes);
    }
    assert_eq!(read(&download, 10, 20).await.unwrap(), bytes.slice(10..20));
    assert_eq!(reads(&fixture) - before, 1);
}

#[tokio::test]
async fn the_first_download_of_a_large_file_passes_in_one_read_and_leaves_nothing() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let bytes = pattern(5 << 20 | 17);
    let len = bytes.len() as u64;
    let (_, download) = file(&fixture, &bytes).await;
    let before = reads(&fixture);
    assert_eq!(read(&download, 0, len).await.unwrap(), bytes);
    assert_eq!(reads(&fixture) - before, 1);
    for number in 0..6 {
        assert_eq!(
            fixture.seams.cache.chunk(download.content_id(), number).await,
            None
        );
    }
}

#[tokio::test]
async fn what_is_asked_for_again_is_kept_and_the_store_not_asked_a_third_time() {
    let fixture = far(2 * CHUNK + 300, |policy| policy.chunk_reads_bytes = 64 << 20).await;
    let bytes = pattern(5 << 20 | 17);
    let len = bytes.len() as u64;
    let (_, download) = file(&fixture, &bytes).await;
    for _ in 0..2 {
        assert_eq!(read(&download, 0, len).await.unwrap(), bytes);
    }
    let before = reads(&fixture);
    assert_eq!(read(&download, 0, len).await.unwrap(), bytes);
    for (start, end) in [
        (0, 1),
        (CHUNK - 1, CHUNK + 1),
        (CHUNK, 2 * CHUNK),
        (77, len - 1),
        (len - 1, len),
    ] {
        assert_eq!(
            read(&download, start, end).await.unwrap(),
            cut(&bytes, start, end)
        );
    }
    assert_eq!(reads(&fixture), before);
}

#[tokio::test]
async fn neighbouring_spans_share_the_chunk_they_lie_in() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let bytes = pattern(3 << 20);
    let (_, download) = file(&fixture, &bytes).await;
    let before = reads(&fixture);
    for index in 0..16 {
        let start = index * (64 << 10);
        assert_eq!(
            read(&download, start, start + (64 << 10)).await.unwrap(),
            cut(&bytes, start, start + (64 << 10))
        );
    }
    // The first passes, the second has the chunk read.
    assert_eq!(reads(&fixture) - before, 2);
}

#[tokio::test]
async fn any_span_of_a_file_half_of_which_is_kept_is_those_bytes() {
    let fixture = far(CHUNK + 77_777, |_| {}).await;
    let bytes = pattern(6 << 20 | 99);
    let len = bytes.len() as u64;
    let (_, download) = file(&fixture, &bytes).await;
    for number in [1, 4] {
        let start = number * CHUNK;
        for _ in 0..2 {
            read(&download, start, start + CHUNK).await.unwrap();
        }
    }
    let mut random = 1_u64;
    for _ in 0..60 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (one, other) = ((random >> 20) % len, (random >> 40) % len);
        let (start, end) = (one.min(other), one.max(other) + 1);
        assert_eq!(
            read(&download, start, end).await.unwrap(),
            cut(&bytes, start, end),
            "{start}..{end}"
        );
    }
}

#[tokio::test]
async fn a_span_longer_than_is_kept_only_passes() {
    let fixture = far(64 * CHUNK, |policy| policy.kept_span_bytes = CHUNK).await;
    let bytes = pattern(2 << 20);
    let (_, download) = file(&fixture, &bytes).await;
    for _ in 0..3 {
        assert_eq!(read(&download, 0, 2 << 20).await.unwrap(), bytes);
    }
    assert_eq!(fixture.seams.cache.chunk(download.content_id(), 0).await, None);
}

#[tokio::test]
async fn bytes_of_another_length_in_the_cache_are_not_taken_for_the_chunk() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let bytes = pattern(5000);
    let (_, download) = file(&fixture, &bytes).await;
    let short = Bytes::from_static(b"short");
    fixture.seams.cache.keep(download.content_id(), 0, short).await;
    assert_eq!(read(&download, 0, 5000).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_store_that_fails_while_a_chunk_is_read_is_asked_again() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let bytes = pattern(5000);
    let (_, download) = file(&fixture, &bytes).await;
    fixture
        .faults
        .fail_next_of("read", 2, Fault::Before(ErrorKind::Unavailable));
    assert_eq!(read(&download, 0, 5000).await.unwrap(), bytes);
    assert_eq!(fixture.faults.fired(), ["read", "read"]);
}

#[tokio::test]
async fn everybody_who_waits_for_a_chunk_is_told_that_it_can_t_be_read() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let (_, download) = file(&fixture, &pattern(5000)).await;
    fixture.faults.fail_all(Fault::Before(ErrorKind::Unavailable));
    let (one, other) = tokio::join!(read(&download, 0, 5000), read(&download, 0, 5000));
    assert_eq!(
        (kind(one), kind(other)),
        (ErrorKind::Unavailable, ErrorKind::Unavailable)
    );
    fixture.faults.disarm();
    assert_eq!(read(&download, 0, 5000).await.unwrap(), pattern(5000));
}

#[tokio::test]
async fn whoever_goes_away_leaves_the_chunk_to_those_who_wait() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let bytes = pattern(5000);
    let (_, download) = file(&fixture, &bytes).await;
    let gate = fixture.gates.hold("read");
    let first = tokio::spawn({
        let download = download.clone();
        async move { read(&download, 0, 5000).await }
    });
    gate.arrived().await;
    let second = tokio::spawn({
        let download = download.clone();
        async move { read(&download, 0, 5000).await }
    });
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(second.await.unwrap().unwrap(), bytes);
}

#[tokio::test]
async fn a_warmed_folder_is_not_asked_of_the_store_again() {
    let fixture = far(2 * CHUNK, |_| {}).await;
    let (desk, root) = fixture.alice().await;
    let grades = folder(&desk, root, "grades").await;
    let inner = folder(&desk, grades, "inner").await;
    let mut files = Vec::new();
    for (index, (parent, len)) in [(grades, 3_000_000), (inner, 10), (inner, 0)]
        .into_iter()
        .enumerate()
    {
        let mut putting = desk
            .put(parent, name(&format!("{index}")), PutOptions::default())
            .await
            .unwrap();
        putting.write(pattern(len)).await.unwrap();
        files.push((putting.finish().await.unwrap().node.id, pattern(len)));
    }
    let warmed = fixture.disk.prewarm(grades).await.unwrap();
    assert_eq!(
        (warmed.files, warmed.bytes, warmed.read_bytes),
        (2, 3_000_010, 3_000_010)
    );
    let before = reads(&fixture);
    for (file, bytes) in files {
        assert_eq!(crate::fixture::read(&desk, file).await.unwrap(), bytes);
    }
    assert_eq!(reads(&fixture), before);
    assert_eq!(fixture.disk.prewarm(grades).await.unwrap().read_bytes, 0);
    assert_eq!(
        kind(fixture.disk.prewarm(NodeId::from_u128(1)).await),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_body_of_kept_chunks_comes_in_pieces_that_hold_no_chunk_for_whoever_is_not_known_to_be_quick() {
    let fixture = far(64 * CHUNK, |_| {}).await;
    let bytes = pattern(2 << 20);
    let (node, download) = file(&fixture, &bytes).await;
    fixture.disk.prewarm(node).await.unwrap();
    let mut body = download.open(Span::new(5, 2 << 20).unwrap()).await.unwrap();
    let first = body.next().await.unwrap().unwrap();
    assert_eq!(first, bytes.slice(5..5 + (64 << 10)));
    assert_eq!(
        body.collect(4 << 20).await.unwrap(),
        bytes.slice(5 + (64 << 10)..)
    );
}
