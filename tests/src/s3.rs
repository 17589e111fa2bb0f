//! The real S3 servers, and clients of them that are not the store under test.

use std::time::Duration;

use campusdisk_core::storage::StoreName;
use campusdisk_core::{IdSource as _, RandomIds};
use campusdisk_s3::{S3Config, S3Credentials};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use serde_json::Value;

use crate::process::Process;
use crate::services::{endpoint, text};

/// The bucket that all tests share; each has a prefix of its own in it.
const BUCKET: &str = "campusdisk-tests";

/// Makes one test of each of these functions for each server: a function takes the server's name.
#[macro_export]
macro_rules! on_each_s3_server {
    ($($case:ident)+) => {
        mod versitygw_server {
            $($crate::on_each_s3_server!(@test $case, "versitygw");)+
        }
        mod radosgw_server {
            $($crate::on_each_s3_server!(@test $case, "radosgw");)+
        }
    };
    (@test $case:ident, $server:literal) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            super::$case($server).await;
        }
    };
}

/// One of the servers.
#[derive(Debug)]
pub struct S3Server {
    found: Value,
    amazon: AmazonS3,
}

impl S3Server {
    /// The server of this name, with the common bucket in it.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn find(name: &str) -> Self {
        let found = endpoint(&format!("/s3/{name}"));
        let amazon = AmazonS3Builder::new()
            .with_endpoint(text(&found, "endpoint"))
            .with_region(text(&found, "region"))
            .with_access_key_id(text(&found, "access_key"))
            .with_secret_access_key(text(&found, "secret_key"))
            .with_bucket_name(BUCKET)
            .with_allow_http(true)
            .build()
            .expect("it is a client");
        let server = Self { found, amazon };
        server.make_bucket().await;
        server
    }

    /// The settings of a store with a prefix that nobody else has.
    pub fn config(&self) -> S3Config {
        let found = &self.found;
        let (access_key_id, secret_access_key) = self.keys();
        let credentials = S3Credentials::keys(access_key_id, secret_access_key);
        let name = StoreName::parse("s3").expect("a name");
        S3Config::new(name, BUCKET)
            .with_endpoint(text(found, "endpoint"))
            .with_region(text(found, "region"))
            .with_credentials(credentials)
            .with_allow_http(true)
            .with_prefix(format!("case-{:032x}", RandomIds.random()))
    }

    /// The pair of keys that may do everything.
    pub fn keys(&self) -> (&str, &str) {
        (text(&self.found, "access_key"), text(&self.found, "secret_key"))
    }

    /// Where it listens, as `IP:port`.
    pub fn address(&self) -> &str {
        text(&self.found, "endpoint").trim_start_matches("http://")
    }

    /// `store` as a hall's primary one: tables of a configuration, after keys of `[policy]`.
    pub fn hall_store(&self, store: &S3Config) -> String {
        let (access_key_id, secret_access_key) = self.keys();
        format!(
            "\n[stores.primary]\nkind = \"s3\"\nbucket = \"{}\"\nprefix = \"{}\"\nendpoint = \"http://{}\"\nregion = \"{}\"\n\
             access_key_id = \"{access_key_id}\"\nsecret_access_key = \"{secret_access_key}\"\nallow_http = true\n",
            store.bucket,
            store.prefix,
            self.address(),
            store.region,
        )
    }

    /// The process that speaks S3.
    pub fn process(&self) -> Process {
        Process::of(&self.found)
    }

    /// Whether it answers.
    pub async fn is_serving(&self) -> bool {
        let address = self.signed(http::Method::HEAD, SignedUrlOptions::new()).await;
        let answer = reqwest::Client::new().head(address).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// A client of the bucket.
    pub fn amazon(&self) -> &AmazonS3 {
        &self.amazon
    }

    /// How many multipart uploads are unfinished under the prefix of these settings.
    ///
    /// # Panics
    /// When the server doesn't tell.
    pub async fn unfinished(&self, config: &S3Config) -> u64 {
        let query = [
            ("uploads", String::new()),
            ("prefix", format!("{}/", config.prefix)),
        ];
        let options = SignedUrlOptions::new().with_query(query);
        let address = self.signed(http::Method::GET, options).await;
        let answer = reqwest::get(address).await.expect("the server answers");
        let text = answer.text().await.expect("in text");
        assert!(text.contains("ListMultipartUploadsResult"), "{text}");
        text.matches("<UploadId>").count() as u64
    }

    /// Every case asks for the bucket, the first one makes it.
    async fn make_bucket(&self) {
        let address = self.signed(http::Method::PUT, SignedUrlOptions::new()).await;
        let answer = reqwest::Client::new().put(address).send().await;
        let status = answer.expect("the server answers").status();
        assert!(matches!(status.as_u16(), 200 | 409), "{status}");
    }

    async fn signed(&self, method: http::Method, options: SignedUrlOptions) -> String {
        let minute = Duration::from_secs(60);
        let signed = self
            .amazon
            .signed_url_opts(method, &Path::default(), minute, &options)
            .await;
        signed.expect("an address").into()
    }
}
