//! The store over `object_store`'s memory: the contract, and what becomes of answers that break off or lie.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobRef, BlobStore, CreateOptions, StoreName};
use campusdisk_core::{ErrorKind, Result, Span};
use campusdisk_s3::{S3Config, S3Store};
use campusdisk_testkit::storage::{StorageHarness, StorageLimits, fresh_key, listed, pattern, put, read};
use campusdisk_testkit::storage_conformance;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

storage_conformance!(memory, Over::new(Whole));

#[tokio::test]
async fn a_body_that_breaks_off_is_taken_up_where_it_stopped() {
    let over = Over::new(BreaksEvery(10_000));
    let bytes = pattern(1, 95_000);
    let blob = put(&*over.store, &fresh_key(), bytes.clone()).await.unwrap();
    let span = Span::new(3, 94_001).unwrap();
    assert!(read(&*over.store, &blob, span).await.unwrap() == bytes.slice(3..94_001));
    assert_eq!(over.objects.gets.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn a_body_that_ends_early_without_an_error_is_taken_up_too() {
    let over = Over::new(EndsAfter(40_000));
    let bytes = pattern(1, 95_000);
    let blob = put(&*over.store, &fresh_key(), bytes.clone()).await.unwrap();
    let span = Span::whole(95_000).unwrap();
    assert!(read(&*over.store, &blob, span).await.unwrap() == bytes);
    assert_eq!(over.objects.gets.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_nothing_at_all_is_given_up() {
    let over = Over::new(BreaksEvery(0));
    let blob = put(&*over.store, &fresh_key(), pattern(1, 1000)).await.unwrap();
    let failure = read(&*over.store, &blob, Span::whole(1000).unwrap())
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert_eq!(over.objects.gets.load(Ordering::Relaxed), 11);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_hangs_is_given_up_after_the_read_timeout() {
    let over = Over::new(Hangs);
    let blob = put(&*over.store, &fresh_key(), pattern(1, 1000)).await.unwrap();
    let started = tokio::time::Instant::now();
    let failure = read(&*over.store, &blob, Span::whole(1000).unwrap())
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert!(failure.to_string().contains("read_timeout"), "{failure}");
    // One silent connection is not enough to give the server up.
    let two = 2 * config().read_timeout;
    let took = started.elapsed();
    assert!(took >= two && took < two + Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_server_that_loses_bytes_has_no_commit_and_no_blob() {
    let over = Over::new(LosesALastByte);
    let key = fresh_key();
    let failure = put(&*over.store, &key, pattern(1, 1000)).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Corrupt);
    assert!(listed(&*over.store, "", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_known_by_its_mark() {
    let over = Over::new(LosesAnswers { keeps_metadata: true });
    let bytes = pattern(1, 1000);
    let key = fresh_key();
    let blob = put(&*over.store, &key, bytes.clone()).await.unwrap();
    let span = Span::whole(1000).unwrap();
    assert!(read(&*over.store, &blob, span).await.unwrap() == bytes);
    let taken = put(&*over.store, &key, bytes).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn without_metadata_nobody_knows_whose_object_it_is_and_the_commit_says_so() {
    let over = Over::new(LosesAnswers {
        keeps_metadata: false,
    });
    let failure = put(&*over.store, &fresh_key(), pattern(1, 1000))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert_eq!(listed(&*over.store, "", None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_blob_of_more_parts_than_s3_takes_is_refused() {
    let over = Over::new(Whole);
    let mut config = config();
    config.multipart_bytes = 5 << 20;
    let store = S3Store::over(config, Arc::new(over.objects.clone())).unwrap();
    let longest = 10_000 * (5 << 20);
    assert_eq!(store.info().max_blob_bytes, longest);
    let options = CreateOptions::default().with_expected_bytes(longest + 1);
    let refused = store.create(&fresh_key(), options).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[tokio::test]
async fn a_span_past_the_end_of_a_missing_blob_is_not_found() {
    let over = Over::new(Whole);
    let key = fresh_key();
    let blob = BlobRef { key, len_bytes: 1 };
    let missing = read(&*over.store, &blob, Span::new(5, 9).unwrap()).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

fn config() -> S3Config {
    S3Config::new(StoreName::parse("memory").unwrap(), "unused").with_prefix("root")
}

/// What a server does to bytes.
trait Habit: fmt::Debug + Copy + Send + Sync + 'static {
    fn stored(self, payload: PutPayload) -> PutPayload {
        payload
    }

    fn answered(self, bytes: Bytes) -> BoxStream<'static, object_store::Result<Bytes>> {
        stream::iter([Ok(bytes)]).boxed()
    }

    fn keeps_metadata(self) -> bool {
        true
    }

    fn acknowledged(self, put: PutResult) -> object_store::Result<PutResult> {
        Ok(put)
    }
}

#[derive(Clone, Copy, Debug)]
struct Whole;

impl Habit for Whole {}

#[derive(Clone, Copy, Debug)]
struct BreaksEvery(usize);

impl Habit for BreaksEvery {
    fn answered(self, bytes: Bytes) -> BoxStream<'static, object_store::Result<Bytes>> {
        let cut = bytes.slice(..bytes.len().min(self.0));
        stream::iter([Ok(cut), Err(interrupted())])
            .filter(|piece| {
                let empty = piece.as_ref().is_ok_and(Bytes::is_empty);
                futures::future::ready(!empty)
            })
            .boxed()
    }
}

#[derive(Clone, Copy, Debug)]
struct EndsAfter(usize);

impl Habit for EndsAfter {
    fn answered(self, bytes: Bytes) -> BoxStream<'static, object_store::Result<Bytes>> {
        stream::iter([Ok(bytes.slice(..bytes.len().min(self.0)))]).boxed()
    }
}

#[derive(Clone, Copy, Debug)]
struct Hangs;

impl Habit for Hangs {
    fn answered(self, _: Bytes) -> BoxStream<'static, object_store::Result<Bytes>> {
        stream::pending().boxed()
    }
}

#[derive(Clone, Copy, Debug)]
struct LosesALastByte;

impl Habit for LosesALastByte {
    fn stored(self, payload: PutPayload) -> PutPayload {
        let bytes = Bytes::from(payload);
        bytes.slice(..bytes.len().saturating_sub(1)).into()
    }
}

#[derive(Clone, Copy, Debug)]
struct LosesAnswers {
    keeps_metadata: bool,
}

impl Habit for LosesAnswers {
    fn keeps_metadata(self) -> bool {
        self.keeps_metadata
    }

    fn acknowledged(self, _: PutResult) -> object_store::Result<PutResult> {
        Err(interrupted())
    }
}

fn interrupted() -> object_store::Error {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    object_store::Error::Generic {
        store: "S3",
        source: Box::new(HttpError::new(HttpErrorKind::Interrupted, broken)),
    }
}

/// A server in memory with a habit.
#[derive(Clone, Debug)]
struct Server<H> {
    memory: Arc<InMemory>,
    gets: Arc<AtomicUsize>,
    habit: H,
}

impl<H: Habit> fmt::Display for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?})", self.habit)
    }
}

#[async_trait]
impl<H: Habit> ObjectStore for Server<H> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        let stored = self.habit.stored(payload);
        if !self.habit.keeps_metadata() {
            opts.attributes = Attributes::default();
        }
        let put = self.memory.put_opts(location, stored, opts).await?;
        self.habit.acknowledged(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let head = options.head;
        let mut answer = self.memory.get_opts(location, options).await?;
        if !head {
            self.gets.fetch_add(1, Ordering::Relaxed);
            let range = answer.range.clone();
            let bytes = self.memory.get_range(location, range).await?;
            answer.payload = GetResultPayload::Stream(self.habit.answered(bytes));
        }
        Ok(answer)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.memory.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

/// The suite's footing under a store on such a server.
#[derive(Debug)]
struct Over<H> {
    objects: Server<H>,
    store: Arc<S3Store>,
}

impl<H: Habit> Over<H> {
    fn new(habit: H) -> Self {
        let objects = Server {
            memory: Arc::new(InMemory::new()),
            gets: Arc::default(),
            habit,
        };
        let store = S3Store::over(config(), Arc::new(objects.clone())).unwrap();
        Self {
            objects,
            store: Arc::new(store),
        }
    }

    fn path(path: &str) -> Path {
        Path::from(format!("root/{path}"))
    }
}

#[async_trait]
impl<H: Habit> StorageHarness for Over<H> {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.store) as _
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::new(S3Store::over(config(), Arc::new(self.objects.clone()))?))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.objects
            .memory
            .put(&Self::path(path), bytes.into())
            .await
            .unwrap();
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        match self.objects.memory.get(&Self::path(path)).await {
            Ok(answer) => Ok(Some(answer.bytes().await.unwrap())),
            Err(_) => Ok(None),
        }
    }

    async fn leftovers(&self) -> Result<u64> {
        // Memory forgets unfinished uploads by itself.
        Ok(0)
    }

    fn limits(&self) -> StorageLimits {
        StorageLimits::default().with_big_blob_bytes((9 << 20) + 17)
    }
}
