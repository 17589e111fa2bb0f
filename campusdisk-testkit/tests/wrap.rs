//! What the wrappers of core do to a store that fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::memory::MemoryStore;
use campusdisk_core::storage::{
    BlobRef, BlobStore, CreateOptions, HealthFacts, StoreInfo, StoreName, ask_health,
};
use campusdisk_core::wrap::{
    LimitOptions, LimitStore, RetryOptions, RetryStore, TimeoutOptions, TimeoutStore, TraceStore,
};
use campusdisk_core::{ErrorKind, InstallationId, Result, Span};
use campusdisk_testkit::faulty::{Fault, Faults, FaultyStore, ToldHealth, anomaly_loop, ops};
use campusdisk_testkit::storage::{key, listed, pattern, put, read};
use futures::StreamExt;

const DOWN: Fault = Fault::Before(ErrorKind::Unavailable);
const LOST: Fault = Fault::After(ErrorKind::Unavailable);
const HALF: Fault = Fault::HalfWay(ErrorKind::Unavailable);

/// A store in memory whose bodies come in pieces of 100 bytes, failing as told.
fn faulty(faults: &Faults) -> Arc<dyn BlobStore> {
    let info = StoreInfo::new(StoreName::parse("memory").unwrap());
    let memory = MemoryStore::new(info).with_piece_bytes(100);
    Arc::new(FaultyStore::new(Arc::new(memory), faults.clone()))
}

fn retrying(faults: &Faults) -> RetryStore {
    RetryStore::new(faulty(faults), RetryOptions::default())
}

fn span(start: u64, end: u64) -> Span {
    Span::new(start, end).unwrap()
}

async fn blob(store: &dyn BlobStore) -> BlobRef {
    put(store, &key("a", 1), pattern(1, 1000)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_goes_on_at_the_byte_it_had_reached() {
    for fault in [DOWN, LOST, HALF, Fault::After(ErrorKind::Truncated)] {
        for nth in 1..=11 {
            let faults = Faults::new();
            let store = retrying(&faults);
            let blob = blob(&store).await;
            faults.fail_nth_of(ops::PIECE, nth, fault);
            let found = read(&store, &blob, span(3, 1000)).await;
            assert_eq!(found.unwrap(), pattern(1, 1000).slice(3..), "{fault:?} at {nth}");
            assert_eq!(faults.fired(), [ops::PIECE]);
            if nth < 10 {
                assert_eq!(faults.calls_of(ops::OPEN), 2, "the reader was opened anew");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_a_moment_is_tried_again_and_what_cannot_succeed_is_not() {
    let faults = Faults::new();
    let store = retrying(&faults);
    let blob = blob(&store).await;
    faults.fail_next_of(ops::READ, 3, DOWN);
    read(&store, &blob, span(0, 10)).await.unwrap();
    assert_eq!(faults.calls_of(ops::READ), 4);
    faults.fail_next_of(ops::READ, 100, DOWN);
    let error = read(&store, &blob, span(0, 10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(faults.calls_of(ops::READ), 8, "four attempts and no more");
    faults.fail_next_of(ops::READ, 100, Fault::Before(ErrorKind::Denied));
    let error = read(&store, &blob, span(0, 10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(faults.calls_of(ops::READ), 9);
    for op in [ops::CLAIM, ops::CREATE, ops::TIDY, ops::OPEN] {
        faults.fail_next_of(op, 1, LOST);
        store.claim(InstallationId::from_u128(1)).await.unwrap();
        store
            .create(&key("b", 1), CreateOptions::default())
            .await
            .unwrap();
        store.tidy(Duration::ZERO).await.unwrap();
        store.open(&blob).await.unwrap();
        assert_eq!(faults.fired().last(), Some(&op));
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_never_written_or_committed_twice() {
    let faults = Faults::new();
    let store = retrying(&faults);
    for (op, fault) in [(ops::WRITE, DOWN), (ops::WRITE, HALF), (ops::COMMIT, DOWN)] {
        let before = faults.calls_of(op);
        faults.fail_next_of(op, 1, fault);
        let failed = put(&store, &key("a", 1), pattern(1, 10)).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(faults.calls_of(op), before + 1);
        assert!(listed(&store, "", None).await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_repeats_only_the_keys_that_failed() {
    let faults = Faults::new();
    let store = retrying(&faults);
    let keys: Vec<_> = (0..6).map(|number| key("a", number)).collect();
    for key in &keys {
        put(&store, key, pattern(1, 10)).await.unwrap();
    }
    // Six keys: three fail, of these two fail again, and so on to none.
    faults.fail_next_of(ops::DELETE, 3, HALF);
    let report = store.delete(&keys).await.unwrap();
    assert_eq!(faults.calls_of(ops::DELETE), 4);
    assert!(report.iter().all(|entry| entry.outcome.is_ok()));
    assert!(report.iter().map(|entry| &entry.key).eq(&keys));
    assert!(listed(&store, "", None).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_goes_on_after_the_blob_it_had_reached() {
    for fault in [DOWN, LOST] {
        for nth in 1..=6 {
            let faults = Faults::new();
            let store = retrying(&faults);
            for number in 0..5 {
                put(&store, &key("a", number), pattern(1, 10)).await.unwrap();
            }
            faults.fail_nth_of(ops::LIST, nth, fault);
            let found = listed(&store, "a", Some(&key("a", 0))).await.unwrap();
            let numbers: Vec<_> = found.iter().map(|blob| blob.key).collect();
            assert_eq!(numbers, [1, 2, 3, 4].map(|number| key("a", number)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_unavailable_in_time() {
    for op in [
        ops::CLAIM,
        ops::CREATE,
        ops::WRITE,
        ops::COMMIT,
        ops::OPEN,
        ops::READ,
        ops::PIECE,
        ops::DELETE,
        ops::LIST,
        ops::TIDY,
    ] {
        let faults = Faults::new();
        let store = TimeoutStore::new(faulty(&faults), TimeoutOptions::default());
        faults.fail_next_of(op, 1, Fault::Hang);
        let error = everything(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{op}: {error:?}");
        assert_eq!(faults.fired(), [op]);
        everything(&store).await.expect("the next try works");
    }
}

/// Every call of a store once, leaving nothing.
async fn everything(store: &dyn BlobStore) -> Result<()> {
    store.claim(InstallationId::from_u128(1)).await?;
    store.delete(&[key("a", 1)]).await?;
    let blob = put(store, &key("a", 1), pattern(1, 1000)).await?;
    let found = read(store, &blob, span(0, 1000)).await?;
    assert_eq!(found, pattern(1, 1000));
    listed(store, "", None).await?;
    store.tidy(Duration::ZERO).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_time_breaks_no_body() {
    let store = TimeoutStore::new(faulty(&Faults::new()), TimeoutOptions::default());
    let blob = blob(&store).await;
    let reader = store.open(&blob).await.unwrap();
    let mut body = reader.read(span(0, 1000)).await.unwrap();
    while let Some(piece) = body.next().await {
        piece.unwrap();
        tokio::time::advance(Duration::from_secs(3600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_write_that_hung_only_giving_up_works() {
    let faults = Faults::new();
    let store = TimeoutStore::new(faulty(&faults), TimeoutOptions::default());
    let mut writer = store
        .create(&key("a", 1), CreateOptions::default())
        .await
        .unwrap();
    faults.fail_next_of(ops::WRITE, 1, Fault::Hang);
    let bytes = Bytes::from_static(b"x");
    assert_eq!(
        writer.write(bytes.clone()).await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert_eq!(writer.write(bytes).await.unwrap_err().kind(), ErrorKind::Internal);
    writer.abort().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_and_a_writer_keep_their_turns_until_they_are_over() {
    let few = LimitOptions::default()
        .with_reads(1)
        .with_writers(1)
        .with_calls(1);
    let store = LimitStore::new(faulty(&Faults::new()), few);
    let blob = blob(&store).await;
    let reader = store.open(&blob).await.unwrap();
    let mut body = reader.read(span(0, 1000)).await.unwrap();
    let writer = store
        .create(&key("b", 1), CreateOptions::default())
        .await
        .unwrap();
    // Time is paused, so waiting for a turn that never comes ends at once.
    let error = reader.read(span(0, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("`reads`"), "{error}");
    let error = store
        .create(&key("c", 1), CreateOptions::default())
        .await
        .unwrap_err();
    assert!(error.message().contains("`writers`"), "{error}");
    store
        .tidy(Duration::ZERO)
        .await
        .expect("other calls have turns of their own");
    while body.next().await.is_some() {}
    reader
        .read(span(0, 1))
        .await
        .expect("a body that ended gave its turn back");
    writer.commit().await.unwrap();
    drop(
        store
            .create(&key("c", 1), CreateOptions::default())
            .await
            .unwrap(),
    );
    let writer = store
        .create(&key("c", 1), CreateOptions::default())
        .await
        .unwrap();
    writer.abort().await.unwrap();
    blob_again(&store).await;
}

async fn blob_again(store: &dyn BlobStore) {
    put(store, &key("d", 1), pattern(1, 10))
        .await
        .expect("every turn came back");
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_a_blob_is_whole_or_not_there() {
    for fault in [DOWN, LOST, HALF] {
        let met = anomaly_loop(
            fault,
            async |faults| retrying(&faults),
            async |store| {
                let blob = put(store, &key("a", 1), pattern(1, 500)).await?;
                let found = read(store, &blob, span(100, 400)).await?;
                assert_eq!(found, pattern(1, 500).slice(100..400));
                listed(store, "", None).await?;
                Ok(())
            },
            async |store, _| {
                for found in listed(store, "", None).await.unwrap() {
                    let blob = BlobRef {
                        key: found.key,
                        len_bytes: found.len_bytes,
                    };
                    let bytes = read(store, &blob, span(0, 500)).await.unwrap();
                    assert_eq!(bytes, pattern(1, 500));
                }
            },
        )
        .await;
        // Create, write, commit, open, read, three pieces and the end, one blob listed and the end.
        assert_eq!(met, 11, "{fault:?}");
    }
}

/// The store inside every wrapper that there is, as a service has it.
fn wrapped(store: Arc<dyn BlobStore>) -> Arc<dyn BlobStore> {
    let store = Arc::new(TimeoutStore::new(store, TimeoutOptions::default()));
    let store = Arc::new(RetryStore::new(store, RetryOptions::default()));
    let store = Arc::new(LimitStore::new(store, LimitOptions::default()));
    Arc::new(TraceStore::new(store))
}

#[tokio::test(start_paused = true)]
async fn what_a_store_says_of_its_health_comes_through_every_wrapper_as_it_is_now() {
    let (faults, told) = (Faults::new(), ToldHealth::new(HealthFacts::well()));
    let memory = MemoryStore::new(StoreInfo::new(StoreName::parse("memory").unwrap()));
    let store = FaultyStore::new(Arc::new(memory), faults.clone()).with_health(told.clone());
    let store = wrapped(Arc::new(store));
    assert_eq!(ask_health(&*store).await.unwrap(), HealthFacts::well());
    let ailing = HealthFacts::well()
        .refusing("it is full")
        .with_room(Some(0), Some(10))
        .with_figure("live_nodes", 3);
    told.set(ailing.clone());
    assert_eq!(ask_health(&*store).await.unwrap(), ailing);
    faults.fail_next_of(ops::HEALTH, 1, DOWN);
    let error = ask_health(&*store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(faults.calls_of(ops::HEALTH), 3, "it is not asked again");
    assert_eq!(faults.calls_of(ops::LIST), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_say_how_it_is_counts_as_down_in_time() {
    let (faults, told) = (Faults::new(), ToldHealth::new(HealthFacts::well()));
    let memory = MemoryStore::new(StoreInfo::new(StoreName::parse("memory").unwrap()));
    let store = FaultyStore::new(Arc::new(memory), faults.clone()).with_health(told);
    let options = TimeoutOptions::default().with_call(Duration::from_secs(3));
    let store = TimeoutStore::new(Arc::new(store), options);
    faults.fail_next_of(ops::HEALTH, 1, Fault::Hang);
    let asked = tokio::time::Instant::now();
    let error = ask_health(&store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(asked.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_knows_nothing_of_its_health_is_asked_for_a_listing() {
    let faults = Faults::new();
    let store = wrapped(faulty(&faults));
    assert!(store.abilities().health.is_none());
    assert_eq!(ask_health(&*store).await.unwrap(), HealthFacts::well());
    assert_eq!((faults.calls_of(ops::LIST), faults.calls_of(ops::HEALTH)), (1, 0));
    faults.fail_all(Fault::Before(ErrorKind::Denied));
    assert_eq!(ask_health(&*store).await.unwrap_err().kind(), ErrorKind::Denied);
}
