//! The store: claims, opens, deletes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use campusdisk_core::storage::{
    Abilities, BlobKey, BlobReader, BlobRef, BlobStore, BlobWriter, CreateOptions, Deleted, ListedBlob,
    Presign, PresignOptions, StoreInfo,
};
use campusdisk_core::{ErrorKind, InstallationId, Result};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::S3Config;
use crate::bucket::{self, Bucket};
use crate::error::Failure;
use crate::reader::S3Reader;
use crate::writer::S3Writer;
use crate::{list, tidy};

/// How many keys one request deletes; S3's own limit.
const DELETE_BATCH: usize = 1000;

/// Blobs in a bucket, under a prefix.
///
/// Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct S3Store {
    bucket: Arc<Bucket>,
}

impl S3Store {
    /// A store on a server that speaks S3. Does no I/O.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when a setting can't be right, [`Internal`](ErrorKind::Internal) when
    /// the client can't be made, for example because the environment names no credentials.
    pub fn connect(config: S3Config) -> Result<Self> {
        config.check()?;
        let amazon = bucket::amazon(&config)
            .map_err(|failure| failure.during("connect", format!("store {}", config.name)))?;
        let amazon = Arc::new(amazon);
        let objects = Arc::clone(&amazon) as Arc<dyn ObjectStore>;
        Ok(Self {
            bucket: Arc::new(Bucket::new(config, objects, Some(amazon))),
        })
    }

    /// A store over anything `object_store` speaks to: Google's and Azure's stores, or its memory in tests.
    ///
    /// Of `config` only what is not about the connection counts. `objects` must list in ascending order, must have time
    /// limits of its own, and must take metadata with an object, which `object_store`'s local file system does not.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when a setting can't be right.
    pub fn over(config: S3Config, objects: Arc<dyn ObjectStore>) -> Result<Self> {
        config.check()?;
        Ok(Self {
            bucket: Arc::new(Bucket::new(config, objects, None)),
        })
    }

    async fn owner(&self) -> Result<Option<InstallationId>, Failure> {
        let path = self.bucket.identity();
        let bytes = match self.bucket.objects.get(&path).await.map_err(Failure::from) {
            Ok(answer) => answer.bytes().await?,
            Err(failure) if failure.kind() == ErrorKind::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let text = String::from_utf8_lossy(&bytes);
        match text.trim().parse() {
            Ok(owner) => Ok(Some(owner)),
            Err(_) => Err(Failure::new(
                ErrorKind::Conflict,
                format!("{path} does not say whose the prefix is"),
            )),
        }
    }

    async fn try_claim(&self, installation: InstallationId) -> Result<InstallationId, Failure> {
        if let Some(owner) = self.owner().await? {
            return Ok(owner);
        }
        let mode = if self.bucket.config.conditional_put {
            PutMode::Create
        } else {
            PutMode::Overwrite
        };
        let text = PutPayload::from(format!("{installation}\n"));
        match self
            .bucket
            .objects
            .put_opts(&self.bucket.identity(), text, mode.into())
            .await
            .map_err(Failure::from)
        {
            Ok(_) => {}
            Err(failure) if failure.kind() == ErrorKind::AlreadyExists => {}
            Err(failure) => return Err(failure),
        }
        // Whoever wrote first, or last on a server without conditions, is the owner for both.
        self.owner().await?.ok_or_else(|| {
            Failure::new(
                ErrorKind::Unavailable,
                "the identity object vanished while it was written",
            )
        })
    }

    async fn delete_batch(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>, Failure> {
        let paths: Vec<_> = keys.iter().map(|key| Ok(self.bucket.path(key))).collect();
        let answers: Vec<_> = self
            .bucket
            .objects
            .delete_stream(stream::iter(paths).boxed())
            .map(|answer| answer.map_err(Failure::from))
            .collect()
            .await;
        // A request that failed as a whole has one answer for all its keys.
        if answers.len() != keys.len() {
            return Err(answers.into_iter().find_map(Result::err).unwrap_or_else(|| {
                Failure::new(
                    ErrorKind::Internal,
                    "the server answered for other keys than it was asked for",
                )
            }));
        }
        let report = keys.iter().zip(answers).map(|(key, answer)| Deleted {
            key: *key,
            outcome: match answer {
                Err(failure) if failure.kind() != ErrorKind::NotFound => {
                    Err(failure.during("delete blob", self.bucket.subject(key)))
                }
                _ => Ok(()),
            },
        });
        Ok(report.collect())
    }
}

#[async_trait]
impl BlobStore for S3Store {
    fn info(&self) -> &StoreInfo {
        &self.bucket.info
    }

    async fn claim(&self, installation: InstallationId) -> Result<()> {
        let failed = |failure: Failure| failure.during("claim", self.bucket.store_subject());
        let owner = self.try_claim(installation).await.map_err(failed)?;
        if owner == installation {
            return Ok(());
        }
        Err(failed(Failure::new(
            ErrorKind::Conflict,
            format!("the prefix belongs to installation {owner} (bucket, prefix)"),
        )))
    }

    async fn create(&self, key: &BlobKey, options: CreateOptions) -> Result<Box<dyn BlobWriter>> {
        let writer = S3Writer::new(Arc::clone(&self.bucket), *key, options)?;
        Ok(Box::new(writer))
    }

    async fn open(&self, blob: &BlobRef) -> Result<Box<dyn BlobReader>> {
        Ok(Box::new(S3Reader::new(Arc::clone(&self.bucket), *blob)))
    }

    async fn delete(&self, keys: &[BlobKey]) -> Result<Vec<Deleted>> {
        let mut report = Vec::with_capacity(keys.len());
        for batch in keys.chunks(DELETE_BATCH) {
            let deleted = self.delete_batch(batch).await;
            report.extend(
                deleted.map_err(|failure| failure.during("delete blobs", self.bucket.store_subject()))?,
            );
        }
        Deleted::report(report)
    }

    fn list(&self, prefix: &str, after: Option<&BlobKey>) -> BoxStream<'static, Result<ListedBlob>> {
        list::list(Arc::clone(&self.bucket), prefix, after)
    }

    async fn tidy(&self, older_than: Duration) -> Result<u64> {
        tidy::tidy(&self.bucket, older_than)
            .await
            .map_err(|failure| failure.during("tidy", self.bucket.store_subject()))
    }

    fn abilities(&self) -> Abilities<'_> {
        match self.bucket.amazon {
            Some(_) => Abilities::default().with_presign(self),
            None => Abilities::default(),
        }
    }
}

#[async_trait]
impl Presign for S3Store {
    async fn presign_get(&self, key: &BlobKey, options: PresignOptions) -> Result<String> {
        let failed = |failure: Failure| failure.during("sign address of blob", self.bucket.subject(key));
        let Some(amazon) = &self.bucket.amazon else {
            let says = "this kind of store signs no addresses";
            return Err(failed(Failure::new(ErrorKind::Internal, says)));
        };
        let disposition = options
            .content_disposition
            .map(|value| ("response-content-disposition", value));
        let content_type = options.content_type.map(|value| ("response-content-type", value));
        let signed = SignedUrlOptions::new().with_query(disposition.into_iter().chain(content_type));
        let address = amazon
            .signed_url_opts(http::Method::GET, &self.bucket.path(key), options.lasts, &signed)
            .await
            .map_err(|error| failed(error.into()))?;
        Ok(address.into())
    }
}
