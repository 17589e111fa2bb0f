//! The store on S3 against each of the real servers.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::storage::{BlobRef, BlobStore, CreateOptions, PresignOptions};
use campusdisk_core::{Error, ErrorKind, Result, Span};
use campusdisk_s3::{S3Config, S3Credentials, S3Store};
use campusdisk_testkit::storage::{
    StorageHarness, StorageLimits, cases, fresh_key, listed, pattern, put, read,
};
use campusdisk_testkit::storage_conformance;
use campusdisk_tests::on_each_s3_server;
use campusdisk_tests::s3::S3Server;
use campusdisk_tests::wait::until;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

storage_conformance!(versitygw, S3Harness::fresh("versitygw").await);
storage_conformance!(radosgw, S3Harness::fresh("radosgw").await);

// Parts from 5 MiB on, so that the suite's big blobs go in several.
storage_conformance!(
    versitygw_in_parts,
    S3Harness::fresh_with("versitygw", in_parts).await
);
storage_conformance!(radosgw_in_parts, S3Harness::fresh_with("radosgw", in_parts).await);

// Several GETs at once, each so short that most of the suite's spans take some.
storage_conformance!(versitygw_ahead, S3Harness::fresh_with("versitygw", ahead).await);
storage_conformance!(radosgw_ahead, S3Harness::fresh_with("radosgw", ahead).await);

on_each_s3_server! {
    a_server_without_conditions_is_asked_before_a_key_is_taken
    a_writer_killed_in_mid_upload_leaves_parts_that_tidy_removes
    a_signed_address_serves_the_blob_as_asked
    a_missing_bucket_never_looks_like_a_missing_blob
    wrong_credentials_are_denied
}

/// As on a server that ignores If-None-Match. Nobody settles a race there, so the suite's races are not asked of it.
async fn a_server_without_conditions_is_asked_before_a_key_is_taken(server: &str) {
    let harness = S3Harness::fresh_with(server, |config| config.conditional_put = false).await;
    cases::b2_commit_of_a_taken_key_changes_nothing(&harness).await;
}

async fn a_writer_killed_in_mid_upload_leaves_parts_that_tidy_removes(server: &str) {
    let harness = S3Harness::fresh_with(server, in_parts).await;
    let store = harness.store();
    let mut writer = store
        .create(&fresh_key(), CreateOptions::default())
        .await
        .unwrap();
    writer.write(pattern(1, 11 << 20)).await.unwrap();
    // As a kill would: nothing of the writer runs any more.
    std::mem::forget(writer);
    assert_eq!(harness.leftovers().await.unwrap(), 1);
    assert_eq!(store.tidy(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.tidy(Duration::ZERO).await.unwrap(), 1);
    // A part that was on its way may arrive after the abort and be kept: S3's AbortMultipartUpload says to abort again then,
    // which the next tidy does.
    until("what arrives late is removed too", async || {
        store.tidy(Duration::ZERO).await.unwrap();
        harness.leftovers().await.unwrap() == 0
    })
    .await;
}

async fn a_signed_address_serves_the_blob_as_asked(server: &str) {
    let harness = S3Harness::fresh(server).await;
    let store = harness.store();
    let key = fresh_key();
    put(&*store, &key, pattern(1, 1000)).await.unwrap();
    let mut options = PresignOptions::new(Duration::from_secs(60));
    options.content_disposition = Some("attachment; filename*=UTF-8''%E6%88%90%E7%BB%A9.pdf".to_owned());
    options.content_type = Some("application/pdf".to_owned());
    let presign = store.abilities().presign.unwrap();
    let address = presign.presign_get(&key, options).await.unwrap();
    let answer = reqwest::get(address).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename*=UTF-8''%E6%88%90%E7%BB%A9.pdf"
    );
    assert_eq!(answer.bytes().await.unwrap(), pattern(1, 1000));
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_for_every_call() {
    let mut config = S3Server::find("versitygw").await.config();
    // Port 9 is the discard service, which nobody runs.
    config.endpoint = Some("http://127.0.0.1:9".to_owned());
    config.max_retries = 1;
    let store = S3Store::connect(config).unwrap();
    let key = fresh_key();
    let blob = BlobRef { key, len_bytes: 5 };
    let failures: [Error; 4] = [
        put(&store, &key, pattern(1, 5)).await.unwrap_err(),
        read(&store, &blob, Span::new(0, 5).unwrap()).await.unwrap_err(),
        listed(&store, "", None).await.unwrap_err(),
        store.delete(&[key]).await.unwrap_err(),
    ];
    for failure in failures {
        assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
        assert!(failure.to_string().contains("endpoint"), "{failure}");
    }
}

async fn a_missing_bucket_never_looks_like_a_missing_blob(server: &str) {
    let mut config = S3Server::find(server).await.config();
    config.bucket = "campusdisk-no-such-bucket".to_owned();
    let store = S3Store::connect(config).unwrap();
    let blob = BlobRef {
        key: fresh_key(),
        len_bytes: 5,
    };
    let failure = read(&store, &blob, Span::new(0, 5).unwrap()).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
}

async fn wrong_credentials_are_denied(server: &str) {
    let server = S3Server::find(server).await;
    let config = server
        .config()
        .with_credentials(S3Credentials::keys("campusdisk-test", "wrong"));
    let store = S3Store::connect(config).unwrap();
    let failure = put(&store, &fresh_key(), pattern(1, 5)).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Denied, "{failure:?}");
}

fn ahead(config: &mut S3Config) {
    config.gets_in_flight = 3;
    config.window_bytes = 70_000;
}

fn in_parts(config: &mut S3Config) {
    config.single_put_max_bytes = 5 << 20;
    config.multipart_bytes = 5 << 20;
    config.parts_in_flight = 2;
}

/// A prefix of its own in the common bucket, and a client that is not the store's.
#[derive(Debug)]
struct S3Harness {
    server: S3Server,
    config: S3Config,
    store: Arc<S3Store>,
}

impl S3Harness {
    async fn fresh(server: &str) -> Self {
        Self::fresh_with(server, |_| ()).await
    }

    async fn fresh_with(server: &str, change: impl FnOnce(&mut S3Config)) -> Self {
        let server = S3Server::find(server).await;
        let mut config = server.config();
        change(&mut config);
        Self {
            store: Arc::new(S3Store::connect(config.clone()).unwrap()),
            server,
            config,
        }
    }

    fn path(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.config.prefix))
    }
}

#[async_trait]
impl StorageHarness for S3Harness {
    fn store(&self) -> Arc<dyn BlobStore> {
        Arc::clone(&self.store) as _
    }

    async fn reopen(&self) -> Result<Arc<dyn BlobStore>> {
        Ok(Arc::new(S3Store::connect(self.config.clone())?))
    }

    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()> {
        let payload = PutPayload::from(bytes);
        self.server.amazon().put(&self.path(path), payload).await.unwrap();
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        match self.server.amazon().get(&self.path(path)).await {
            Ok(answer) => Ok(Some(answer.bytes().await.unwrap())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => panic!("{error}"),
        }
    }

    async fn leftovers(&self) -> Result<u64> {
        Ok(self.server.unfinished(&self.config).await)
    }

    fn limits(&self) -> StorageLimits {
        StorageLimits::remote().with_big_blob_bytes((12 << 20) + 17)
    }
}
