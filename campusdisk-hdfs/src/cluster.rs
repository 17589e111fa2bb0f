//! The cluster as every part of the store sees it: its client, and where in it things lie.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use campusdisk_core::mount::ObjectPath;
use campusdisk_core::storage::{BlobKey, StoreInfo};
use campusdisk_core::{ErrorKind, IdSource, RandomIds};
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::avoid::AvoidList;
use crate::direct::DataNodes;
use crate::error::{self, Failure};
use crate::hadoop::{Hadoop, NameService};
use crate::kerberos::{self, LoginThread};
use crate::pace;
use crate::rest::Rest;
use crate::spool::Spools;
use crate::web::Web;
use crate::{HdfsConfig, WritePath};

/// Files being written. Tools on the cluster skip names with a dot in front.
const WRITING: &str = ".writing";

/// Says whose the root is.
const IDENTITY: &str = "campusdisk-identity";

/// How many blobs the client library writes at once beside WebHDFS: it holds up to 13 MB of each that no DataNode has confirmed.
const NATIVE_WRITES: usize = 4;

/// How often each NameNode is asked where nobody says otherwise. Tries end within the default `rpc_timeout`, so that the error
/// tells what is wrong.
const TRIES: usize = 8;

/// How long the pauses between them are. The library makes one after it has asked every NameNode.
const DEFAULT_OPTIONS: [(&str, &str); 2] = [
    ("dfs.client.failover.sleep.base.millis", "100"),
    ("dfs.client.failover.sleep.max.millis", "1000"),
];

pub(crate) struct Cluster {
    pub(crate) config: HdfsConfig,
    pub(crate) info: StoreInfo,
    pub(crate) runtime: Handle,
    /// The HTTP interface, where it may be used.
    pub(crate) web: Option<Web>,
    /// DataNodes that failed lately.
    pub(crate) avoid: AvoidList,
    /// The client library as the quicker way beside WebHDFS: who writes by it, and whether it failed lately.
    pub(crate) native_writes: Semaphore,
    pub(crate) native_rest: Rest,
    /// The DataNodes, where they may be read from without the client library.
    pub(crate) data_nodes: Option<Arc<DataNodes>>,
    /// Where blobs lie until the cluster has them.
    pub(crate) spools: Spools,
    /// How often blobs were sent again.
    pub(crate) resent: AtomicU64,
    /// How many blobs were committed with fewer than two replicas known to live.
    pub(crate) under_replicated: AtomicU64,
    /// The NameNodes, where one can take over from another.
    name_service: Option<NameService>,
    /// Where the NameNode is called, with Kerberos.
    login: Option<LoginThread>,
    current: Mutex<Current>,
}

/// The client of now. The number tells whether somebody else replaced it already.
struct Current {
    client: Client,
    number: u64,
}

impl Cluster {
    pub(crate) fn new(config: HdfsConfig, runtime: Handle) -> Result<Self, Failure> {
        let info = StoreInfo::new(config.name.clone())
            .with_part_size_bytes(config.block_size_bytes)
            .with_remote(true);
        let hadoop = Hadoop::read(&config);
        let has_kerberos = hadoop.has_kerberos();
        kerberos::check(&config, has_kerberos)?;
        let login = has_kerberos.then(LoginThread::start).transpose()?;
        let name_service = hadoop.name_service(config.url.as_deref());
        let client = connect(&config, &runtime, name_service.as_ref(), 0)?;
        let web = match config.write_path {
            WritePath::WebHdfs | WritePath::Auto if !has_kerberos => Some(Web::new(&config)?),
            _ => None,
        };
        Ok(Self {
            web,
            avoid: AvoidList::new(config.avoid_for),
            native_writes: Semaphore::new(NATIVE_WRITES),
            native_rest: Rest::new(config.avoid_for),
            data_nodes: DataNodes::of(&hadoop).map(Arc::new),
            spools: Spools::new(config.spool_dir.clone()),
            resent: AtomicU64::new(0),
            under_replicated: AtomicU64::new(0),
            config,
            info,
            runtime,
            name_service,
            login,
            current: Mutex::new(Current { client, number: 0 }),
        })
    }

    /// Makes one call of the NameNode about `path`, within the time limit. Where one can take over from another, a call that none
    /// of them took is made again until one does.
    pub(crate) async fn call<T, W>(
        &self,
        path: &str,
        work: impl Fn(Client, String) -> W,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: Future<Output = hdfs_native::Result<T>> + Send + 'static,
    {
        let limit = self.config.rpc_timeout;
        let until = Instant::now() + pace::TAKEOVER;
        loop {
            let (client, number) = self.client();
            match tokio::time::timeout(limit, self.run(work(client, path.to_owned()))).await {
                Ok(Err(untaken))
                    if self.name_service.is_some()
                        && error::is_untaken(&untaken)
                        && Instant::now() < until =>
                {
                    // Nobody tells when another NameNode has become active: it can only be asked again.
                    tokio::time::sleep(pace::TAKEOVER_PAUSE).await;
                }
                Ok(answer) => return Ok(answer?),
                Err(_) => {
                    self.replace(number);
                    return Err(Failure::silent("rpc_timeout", limit));
                }
            }
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = hdfs_native::Result<T>> + Send + 'static,
    ) -> hdfs_native::Result<T> {
        match &self.login {
            Some(thread) => thread.run(work).await,
            None => work.await,
        }
    }

    /// The client of now, for calls whose time is limited by whoever makes them.
    pub(crate) fn client(&self) -> (Client, u64) {
        let current = self.current();
        (current.client.clone(), current.number)
    }

    /// Makes a new client in place of the `number`th: its connection may hang for ever without being called broken. The new one
    /// begins with another NameNode, where there is one: the library would ask the one that hangs first, and wait.
    fn replace(&self, number: u64) {
        let mut current = self.current();
        if current.number != number {
            return;
        }
        let number = number + 1;
        match connect(&self.config, &self.runtime, self.name_service.as_ref(), number) {
            Ok(client) => *current = Current { client, number },
            Err(failure) => {
                let error = failure.during("connect", self.store_subject());
                tracing::error!(error = &error as &dyn std::error::Error, "the old client is kept");
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Both fields change in one assignment, so a poisoned state is whole.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is at `path`, or `None` where nothing is.
    pub(crate) async fn status(&self, path: &str) -> Result<Option<FileStatus>, Failure> {
        match self
            .call(
                path,
                |client, path| async move { client.get_file_info(&path).await },
            )
            .await
        {
            Ok(status) => Ok(Some(status)),
            Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Deletes the file at `path`; a missing one counts as deleted.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.call(
            path,
            |client, path| async move { client.delete(&path, false).await },
        )
        .await
        .map(drop)
    }

    /// Puts the file at `path` where deleted blobs go; a missing one counts as deleted.
    pub(crate) async fn discard(&self, path: &str) -> Result<(), Failure> {
        if !self.config.trash {
            return self.delete(path).await;
        }
        let moved = self
            .call(path, |client, path| async move { client.trash(&path).await })
            .await;
        match moved {
            Err(failure) if failure.kind() != ErrorKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }

    /// Refuses a cluster without a trash, when deleted blobs are to go there.
    pub(crate) async fn check_trash(&self) -> Result<(), Failure> {
        if !self.config.trash {
            return Ok(());
        }
        // The library says that there is none before it looks for the file.
        self.discard(&self.fresh("nothing")).await
    }

    /// Where a blob lies.
    pub(crate) fn path(&self, key: &BlobKey) -> String {
        format!("{}/{key}", self.folder(key))
    }

    /// The folder a blob lies in.
    pub(crate) fn folder(&self, key: &BlobKey) -> String {
        let (outer, inner) = key.folders();
        format!("{}/{outer}/{inner}", self.config.root)
    }

    /// Where the identity file lies.
    pub(crate) fn identity(&self) -> String {
        format!("{}/{IDENTITY}", self.config.root)
    }

    /// The folder of files being written.
    pub(crate) fn writing(&self) -> String {
        format!("{}/{WRITING}", self.config.root)
    }

    /// A fresh name for a file being written that will be `name`.
    pub(crate) fn fresh(&self, name: impl fmt::Display) -> String {
        format!("{}/{name}.{:032x}", self.writing(), RandomIds.random())
    }

    /// Where an object of a mount lies.
    pub(crate) fn object_path(&self, path: &ObjectPath) -> String {
        format!("{}/{path}", self.config.root)
    }

    /// How errors name an object of a mount.
    pub(crate) fn object_subject(&self, path: &ObjectPath) -> String {
        format!("{path} in mount {}", self.info.name)
    }

    /// How errors name a blob.
    pub(crate) fn subject(&self, key: &BlobKey) -> String {
        format!("{key} in store {}", self.info.name)
    }

    /// How errors name the store.
    pub(crate) fn store_subject(&self) -> String {
        format!("store {}", self.info.name)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn connect(
    config: &HdfsConfig,
    runtime: &Handle,
    name_service: Option<&NameService>,
    number: u64,
) -> Result<Client, Failure> {
    let tries = TRIES * name_service.map_or(1, NameService::count);
    let tries = ("dfs.client.failover.max.attempts".to_owned(), tries.to_string());
    let defaults = DEFAULT_OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = defaults
        .into_iter()
        .chain([tries])
        .chain(config.options.iter().cloned())
        .chain(name_service.map(|service| service.beginning_with(number)));
    let mut builder = ClientBuilder::new()
        .with_config(options)
        // Without this the client would make a runtime of its own when there is none, which can't be dropped in one.
        .with_io_runtime(runtime.clone());
    if let Some(url) = &config.url {
        builder = builder.with_url(url);
    }
    if let Some(conf_dir) = &config.conf_dir {
        builder = builder.with_config_dir(conf_dir.to_string_lossy());
    }
    if let Some(user) = &config.user {
        builder = builder.with_user(user);
    }
    if let (Some(principal), Some(keytab)) = (&config.principal, &config.keytab) {
        builder = builder
            .with_kerberos_principal(principal)
            .with_kerberos_keytab(keytab.to_string_lossy());
    }
    Ok(builder.build()?)
}

/// The last part of a path.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
