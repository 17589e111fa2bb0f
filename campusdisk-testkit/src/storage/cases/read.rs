//! B5, B6 and B11: reading.

use campusdisk_core::storage::BlobRef;
use campusdisk_core::{ErrorKind, Span};
use futures::StreamExt;
use futures::future::join_all;

use super::assert_fails;
use crate::storage::{StorageHarness, fresh_key, pattern, put, read};

fn span(start: u64, end: u64) -> Span {
    Span::new(start, end).expect("the case asks for bytes")
}

/// Spans of a blob at its edges and at the edges of every buffer size a store may have.
fn spans(len_bytes: u64) -> Vec<Span> {
    let mut spans = vec![span(0, 1), span(len_bytes - 1, len_bytes), span(0, len_bytes)];
    for edge in [
        1,
        4096,
        64 << 10,
        256 << 10,
        1 << 20,
        len_bytes / 2,
        len_bytes - 1,
    ] {
        let around = [(edge - 1, edge), (edge, edge + 1), (edge - 1, edge + 1)];
        let long = [(0, edge), (edge, len_bytes)];
        for (start, end) in around.into_iter().chain(long) {
            spans.extend(Span::new(start, end.min(len_bytes)));
        }
    }
    spans
}

pub async fn b5_every_span_yields_exactly_its_bytes(harness: &dyn StorageHarness) {
    let store = harness.store();
    let bytes = pattern(5, harness.limits().big_blob_bytes);
    let blob = put(&*store, &fresh_key(), bytes.clone())
        .await
        .expect("it commits");
    let reader = store.open(&blob).await.expect("it opens");
    for span in spans(blob.len_bytes) {
        let mut body = reader.read(span).await.expect("it reads");
        assert_eq!(
            body.len_bytes(),
            span.len(),
            "{span:?} has the length it was asked for"
        );
        let mut at = span.start();
        while let Some(piece) = body.next().await {
            let piece = piece.expect("a body goes on to its end");
            let end = at + piece.len() as u64;
            let wanted = bytes.get(at as usize..end as usize).expect("no more than asked");
            assert!(piece == wanted, "{span:?} yields wrong bytes at {at}");
            at = end;
        }
        assert_eq!(at, span.end(), "{span:?} yields all its bytes");
    }
}

pub async fn b5_a_span_past_the_end_is_corrupt(harness: &dyn StorageHarness) {
    let store = harness.store();
    let blob = put(&*store, &fresh_key(), pattern(5, 1000))
        .await
        .expect("it commits");
    let far = u64::MAX;
    for (start, end) in [
        (0, 1001),
        (999, 1001),
        (1000, 1001),
        (5000, 6000),
        (0, far),
        (far - 1, far),
    ] {
        let passed = read(&*store, &blob, span(start, end)).await;
        assert_fails(
            passed,
            ErrorKind::Corrupt,
            &format!("reading {start}..{end} of 1000 bytes"),
        );
    }
    let fits = read(&*store, &blob, span(999, 1000)).await;
    assert_eq!(
        fits.expect("the last byte reads"),
        pattern(5, 1000).slice(999..1000)
    );
}

pub async fn b5_a_missing_blob_is_not_found(harness: &dyn StorageHarness) {
    let store = harness.store();
    let missing = BlobRef {
        key: fresh_key(),
        len_bytes: 10,
    };
    assert_fails(
        read(&*store, &missing, span(0, 10)).await,
        ErrorKind::NotFound,
        "reading what never was",
    );
    let blob = put(&*store, &fresh_key(), pattern(5, 10))
        .await
        .expect("it commits");
    let reader = store.open(&blob).await.expect("it opens");
    store.delete(&[blob.key]).await.expect("it deletes");
    assert_fails(
        read(&*store, &blob, span(0, 10)).await,
        ErrorKind::NotFound,
        "reading what was deleted",
    );
    // A reader that never read may have the blob open or not; it must not come up with other bytes.
    let late = match reader.read(span(0, 10)).await {
        Ok(body) => body.collect(10).await,
        Err(error) => Err(error),
    };
    match late {
        Ok(found) => assert_eq!(found, pattern(5, 10)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}"),
    }
}

pub async fn b5_a_blob_deleted_in_mid_read_never_ends_short(harness: &dyn StorageHarness) {
    let store = harness.store();
    let bytes = pattern(6, harness.limits().big_blob_bytes);
    let blob = put(&*store, &fresh_key(), bytes.clone())
        .await
        .expect("it commits");
    let reader = store.open(&blob).await.expect("it opens");
    let mut body = reader.read(span(0, blob.len_bytes)).await.expect("it reads");
    let mut got = body
        .next()
        .await
        .expect("there are bytes")
        .expect("they read")
        .to_vec();
    store.delete(&[blob.key]).await.expect("it deletes");
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => got.extend_from_slice(&piece),
            Err(_) => return,
        }
    }
    assert!(got == bytes, "the body ended as if whole, and was not");
}

pub async fn b6_one_reader_serves_many_spans_at_once(harness: &dyn StorageHarness) {
    let store = harness.store();
    let bytes = pattern(7, harness.limits().big_blob_bytes);
    let blob = put(&*store, &fresh_key(), bytes.clone())
        .await
        .expect("it commits");
    let reader: std::sync::Arc<dyn campusdisk_core::storage::BlobReader> =
        store.open(&blob).await.expect("it opens").into();
    let whole = span(0, blob.len_bytes);
    // The second span is read from its begin to its end in the middle of the first.
    let mut first = reader.read(whole).await.expect("it reads");
    let mut found = first
        .next()
        .await
        .expect("there are bytes")
        .expect("they read")
        .to_vec();
    let second = reader.read(whole).await.expect("it reads beside another");
    assert!(second.collect(usize::MAX).await.expect("it ends whole") == bytes);
    found.extend_from_slice(&first.collect(usize::MAX).await.expect("it goes on"));
    assert!(found == bytes);
    let count = harness.limits().calls_at_once as u64;
    let step = blob.len_bytes / (count + 1);
    let readers = (0..count).map(|number| {
        let (reader, bytes) = (std::sync::Arc::clone(&reader), bytes.clone());
        tokio::spawn(async move {
            // Each overlaps the next.
            let span = span(number * step, (number + 2) * step);
            let body = reader.read(span).await.expect("it reads");
            let found = body.collect(usize::MAX).await.expect("it ends whole");
            assert!(found == bytes[span.start() as usize..span.end() as usize]);
        })
    });
    for outcome in join_all(readers).await {
        outcome.expect("every span is right");
    }
}

pub async fn b6_a_dropped_body_leaves_the_reader_usable(harness: &dyn StorageHarness) {
    let store = harness.store();
    let bytes = pattern(8, harness.limits().big_blob_bytes);
    let blob = put(&*store, &fresh_key(), bytes.clone())
        .await
        .expect("it commits");
    let reader = store.open(&blob).await.expect("it opens");
    let whole = span(0, blob.len_bytes);
    drop(reader.read(whole).await.expect("it reads"));
    let mut body = reader.read(whole).await.expect("it reads");
    body.next().await.expect("there are bytes").expect("they read");
    drop(body);
    let found = reader
        .read(whole)
        .await
        .expect("it reads")
        .collect(usize::MAX)
        .await;
    assert!(
        found.expect("it ends whole") == bytes,
        "a later read is not disturbed"
    );
}

pub async fn b11_a_blob_of_another_length_is_corrupt(harness: &dyn StorageHarness) {
    let store = harness.store();
    let blob = put(&*store, &fresh_key(), pattern(9, 1000))
        .await
        .expect("it commits");
    for len_bytes in [999, 1001, 2, 1 << 40] {
        let wrong = BlobRef {
            key: blob.key,
            len_bytes,
        };
        for span in [span(0, 1), span(0, len_bytes.min(1000)), span(1, 2)] {
            assert_fails(
                read(&*store, &wrong, span).await,
                ErrorKind::Corrupt,
                &format!("reading {span:?} of 1000 bytes announced as {len_bytes}"),
            );
        }
    }
}
