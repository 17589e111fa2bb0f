//! Clusters with Kerberos: what must be set for them, and the thread on which tickets are got.

use std::fs::File;

use campusdisk_core::ErrorKind;
use hdfs_native::HdfsError;
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::error::Failure;
use crate::hadoop::AUTHENTICATION;
use crate::{HdfsConfig, WritePath};

/// Refuses settings that the cluster, or the library of the system, would refuse with fewer words.
pub(crate) fn check(config: &HdfsConfig, has_kerberos: bool) -> Result<(), Failure> {
    let refuse = |says: String| Err(Failure::new(ErrorKind::InvalidInput, says));
    if has_kerberos && config.write_path == WritePath::WebHdfs {
        return refuse(format!(
            "with Kerberos ({AUTHENTICATION}) blobs are written by the client library, as WebHDFS is spoken to without tickets: \
             write_path must be auto or native"
        ));
    }
    let Some(keytab) = &config.keytab else {
        return Ok(());
    };
    if !has_kerberos {
        return refuse(format!(
            "a principal and a keytab are given, but {AUTHENTICATION} is not kerberos (conf_dir, options)"
        ));
    }
    match File::open(keytab) {
        Ok(_) => Ok(()),
        Err(error) => refuse(format!("{} can't be read (keytab): {error}", keytab.display())),
    }
}

/// A thread that calls the NameNode. Whoever connects to it asks the KDC for a ticket by the system's library, which holds its
/// thread until the KDC has answered: half a minute where that hangs, in which no limit in time would count and nobody else's work
/// would go on.
#[derive(Debug)]
pub(crate) struct LoginThread {
    /// `None` while it is dropped.
    runtime: Option<Runtime>,
}

impl LoginThread {
    pub(crate) fn start() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hdfs-kerberos")
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => Ok(Self {
                runtime: Some(runtime),
            }),
            Err(error) => Err(Failure::new(
                ErrorKind::Internal,
                format!("the thread for Kerberos can't be started: {error}"),
            )),
        }
    }

    /// Does work on the thread. Dropped, it ends when it next waits.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = hdfs_native::Result<T>> + Send + 'static,
    ) -> hdfs_native::Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(HdfsError::InternalError(
                "the thread for Kerberos is gone".to_owned(),
            ));
        };
        match AbortOnDropHandle::new(runtime.spawn(work)).await {
            Ok(done) => done,
            Err(error) => Err(HdfsError::InternalError(error.to_string())),
        }
    }
}

impl Drop for LoginThread {
    fn drop(&mut self) {
        // Waiting for the KDC is not allowed here: a store may be dropped in a task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
