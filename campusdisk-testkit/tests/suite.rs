//! The storage suite finds stores that break a rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{
    Abilities, BlobFacts, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted,
    ListedBlob, StoreInfo,
};
use campusdisk_core::{ByteBody, Error, ErrorKind, InstallationId, Result, Span};
use campusdisk_testkit::storage::{MemoryHarness, Wrapped, cases, listed, put};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

/// How a store is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    ShowsUncommitted,
    Overwrites,
    LosesCommitted,
    MissesTheMissing,
    ReportsInAnyOrder,
    ReadsShort,
    ReadsToTheEndOnly,
    ReadsOneSpanAtATime,
    ListsInAnyOrder,
    ListsWhatWasNotAskedFor,
    ListsFromTheStart,
    LosesPieces,
    TidiesCommitted,
    ReadsAnyLength,
    IsAnybodys,
    RefusesEmpty,
}

/// A store in memory with a flaw.
#[derive(Debug)]
struct Wrong(Arc<dyn BlobStore>, Flaw);

#[async_trait]
impl BlobStore for Wrong {
    fn info(&self) -> &StoreInfo {
        self.0.info()
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        match self.1 {
            Flaw::IsAnybodys => Ok(()),
            _ => self.0.claim(installation).await,
        }
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        if self.1 == Flaw::ShowsUncommitted {
            put(&*self.0, key, Bytes::from_static(b"x")).await?;
        }
        Ok(Box::new(WrongWriter {
            inner: self.0.create(key, options).await?,
            store: Arc::clone(&self.0),
            key: *key,
            flaw: self.1,
            writes: 0,
            written: 0,
        }))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        let mut blob = *blob;
        if self.1 == Flaw::ReadsAnyLength
            && let [found] = listed(&*self.0, blob.key.as_str(), None).await?.as_slice()
        {
            blob.len_bytes = found.len_bytes;
        }
        let inner = self.0.open(&blob).await?;
        Ok(Box::new(WrongReader(inner, self.1, blob, Arc::default())))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let before = listed(&*self.0, "", None).await?;
        let mut report = self.0.delete(keys).await?;
        if self.1 == Flaw::ReportsInAnyOrder {
            report.reverse();
        }
        for entry in &mut report {
            let was_there = before.iter().any(|blob| blob.key == entry.key);
            if self.1 == Flaw::MissesTheMissing && !was_there {
                entry.outcome = Err(Error::not_found());
            }
        }
        Ok(report)
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        match self.1 {
            Flaw::ListsWhatWasNotAskedFor => self.0.list("", after),
            Flaw::ListsFromTheStart => self.0.list(prefix, None),
            Flaw::ListsInAnyOrder => stream::once(self.0.list(prefix, after).collect::<Vec<_>>())
                .flat_map(|blobs| stream::iter(blobs.into_iter().rev()))
                .boxed(),
            _ => self.0.list(prefix, after),
        }
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        if self.1 == Flaw::TidiesCommitted {
            let blobs = listed(&*self.0, "", None).await?;
            let keys: Vec<_> = blobs.iter().map(|blob| blob.key).collect();
            self.0.delete(&keys).await?;
        }
        self.0.tidy(older_than).await
    }

    fn abilities(&self) -> Abilities<'_> {
        self.0.abilities()
    }
}

#[derive(Debug)]
struct WrongWriter {
    inner: Box<dyn BlobWriter>,
    store: Arc<dyn BlobStore>,
    key: BlobKey,
    flaw: Flaw,
    writes: usize,
    written: usize,
}

#[async_trait]
impl BlobWriter for WrongWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.writes += 1;
        self.written += bytes.len();
        if self.flaw == Flaw::LosesPieces && self.writes.is_multiple_of(3) {
            return Ok(());
        }
        self.inner.write(bytes).await
    }

    async fn commit(self: Box<Self>) -> Result<BlobFacts> {
        match self.flaw {
            Flaw::Overwrites | Flaw::ShowsUncommitted => drop(self.store.delete(&[self.key]).await?),
            Flaw::LosesCommitted => return Ok(BlobFacts::new(self.written as u64)),
            Flaw::RefusesEmpty if self.written == 0 => {
                return Err(Error::new(ErrorKind::InvalidInput, "there is nothing to store"));
            }
            _ => {}
        }
        self.inner.commit().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}

#[derive(Debug)]
struct WrongReader(Box<dyn BlobReader>, Flaw, BlobRef, Arc<AtomicBool>);

#[async_trait]
impl BlobReader for WrongReader {
    async fn read(&self, mut span: Span) -> Result<ByteBody> {
        if self.1 == Flaw::ReadsToTheEndOnly
            && let Some(inside) = Span::new(span.start(), span.end().min(self.2.len_bytes))
        {
            span = inside;
        }
        if self.1 == Flaw::ReadsShort && span.len() > 1 {
            span = Span::new(span.start(), span.end() - 1).unwrap();
        }
        let body = self.0.read(span).await?;
        if self.1 != Flaw::ReadsOneSpanAtATime {
            return Ok(body);
        }
        if self.3.swap(true, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "another span is being read"));
        }
        let (busy, left_bytes) = (Arc::clone(&self.3), body.left_bytes());
        let pieces = stream::unfold(body, move |mut body| {
            let busy = Arc::clone(&busy);
            async move {
                let piece = body.next().await;
                tokio::task::yield_now().await;
                busy.store(piece.is_some(), Ordering::SeqCst);
                Some((piece?, body))
            }
        });
        Ok(ByteBody::stream(left_bytes, pieces))
    }
}

/// Asserts that each case fails on a store with its flaw, and passes on one without.
macro_rules! found {
    ($($test:ident: $flaw:ident by $case:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let wrong = Wrapped::new(MemoryHarness::fresh(), |store| {
                Arc::new(Wrong(store, Flaw::$flaw))
            });
            let outcome = tokio::spawn(async move { cases::$case(&wrong).await }).await;
            assert!(
                outcome.is_err_and(|error| error.is_panic()),
                concat!(stringify!($case), " let it pass")
            );
            cases::$case(&MemoryHarness::fresh()).await;
        }
    )+};
}

found! {
    a_store_that_shows_uncommitted_blobs_is_found: ShowsUncommitted by b1_an_uncommitted_blob_is_invisible;
    a_store_that_overwrites_is_found: Overwrites by b2_commit_of_a_taken_key_changes_nothing;
    a_store_that_lets_the_last_commit_win_is_found:
        Overwrites by b2_of_two_open_writers_of_one_key_the_second_commit_fails;
    a_store_that_loses_blobs_is_found: LosesCommitted by b3_a_committed_blob_survives_reopening;
    a_store_that_misses_the_missing_is_found: MissesTheMissing by b4_delete_of_a_missing_key_counts_as_deleted;
    a_store_that_reports_in_any_order_is_found:
        ReportsInAnyOrder by b4_the_report_has_an_entry_for_each_key_in_order;
    a_store_that_reads_short_is_found: ReadsShort by b5_every_span_yields_exactly_its_bytes;
    a_store_that_cuts_spans_at_the_end_is_found: ReadsToTheEndOnly by b5_a_span_past_the_end_is_corrupt;
    a_reader_of_one_span_at_a_time_is_found: ReadsOneSpanAtATime by b6_one_reader_serves_many_spans_at_once;
    a_reader_that_a_dropped_body_blocks_is_found: ReadsOneSpanAtATime by b6_a_dropped_body_leaves_the_reader_usable;
    a_listing_without_order_is_found: ListsInAnyOrder by b7_list_yields_every_blob_once_in_ascending_order;
    a_listing_that_ignores_its_prefix_is_found: ListsWhatWasNotAskedFor by b7_list_keeps_to_its_prefix;
    a_listing_that_ignores_where_to_start_is_found: ListsFromTheStart by b7_list_starts_after_the_given_key;
    a_writer_that_loses_pieces_is_found: LosesPieces by b8_pieces_of_any_size_add_up;
    a_tidy_that_eats_blobs_is_found: TidiesCommitted by b9_tidy_spares_open_writers_and_committed_blobs;
    a_store_that_reads_any_length_is_found: ReadsAnyLength by b11_a_blob_of_another_length_is_corrupt;
    a_store_that_is_anybodys_is_found: IsAnybodys by b12_a_store_is_claimed_once;
    a_store_that_refuses_empty_blobs_is_found: RefusesEmpty by b13_an_empty_blob_is_a_blob;
}
