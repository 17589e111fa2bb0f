//! What the file system answered, as the library's error.

use std::io;
use std::path::{Path, PathBuf};

use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{Error, ErrorKind, Result};

/// A call of the file system that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub(crate) struct Failure {
    pub(crate) operation: &'static str,
    pub(crate) store: StoreName,
    pub(crate) subject: String,
    pub(crate) path: PathBuf,
    pub(crate) cause: io::Error,
}

impl Failure {
    /// `operation` on `subject` failed at `path`.
    pub(crate) fn new(
        operation: &'static str,
        store: &StoreName,
        subject: impl ToString,
        path: &Path,
        cause: impl Into<io::Error>,
    ) -> Self {
        Self {
            operation,
            store: store.clone(),
            subject: subject.to_string(),
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    fn kind(&self) -> ErrorKind {
        use io::ErrorKind as Io;
        match self.cause.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::LimitExceeded,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
            Io::AlreadyExists => ErrorKind::AlreadyExists,
            Io::TimedOut | Io::StaleNetworkFileHandle | Io::WouldBlock | Io::ResourceBusy => {
                ErrorKind::Unavailable
            }
            _ if self.out_of_files() => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        }
    }

    fn out_of_files(&self) -> bool {
        let errno = rustix::io::Errno::from_io_error(&self.cause);
        matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
    }

    fn message(&self) -> String {
        let store = &self.store;
        match self.kind() {
            ErrorKind::LimitExceeded => format!(
                "the disk of store \"{store}\" is full, or a quota or file size limit of the system is reached: free space \
                 on it or raise the limit"
            ),
            ErrorKind::Denied => format!(
                "the system denies access to store \"{store}\": check the owner and mode of its root folder, and that its \
                 file system is not mounted read-only"
            ),
            ErrorKind::AlreadyExists => "a blob with this key is there already".to_owned(),
            ErrorKind::Unavailable if self.out_of_files() => {
                "this process has too many open files: raise its limit (ulimit -n, LimitNOFILE)".to_owned()
            }
            ErrorKind::Unavailable => {
                format!("the file system of store \"{store}\" does not answer now: is its server reachable?")
            }
            _ => format!(
                "the file system of store \"{store}\" failed: look at the cause in this log and at the system's log"
            ),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind(), failure.message())
            .during(failure.operation)
            .on(failure.subject.clone())
            .because(failure)
    }
}

/// A rule of the storage contract is broken for this blob.
pub(crate) fn blob_error(
    kind: ErrorKind,
    operation: &'static str,
    key: &BlobKey,
    text: impl Into<String>,
) -> Error {
    Error::new(kind, text.into())
        .during(operation)
        .on(key.to_string())
}

/// Runs `task` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    task: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(task).await.unwrap_or_else(stopped)
}

/// Drops `held` where that may block; at once where no runtime runs.
pub(crate) fn drop_elsewhere<T: Send + 'static>(held: T) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        drop(runtime.spawn_blocking(move || drop(held)));
    }
}

/// A blocking task did not end by itself.
pub(crate) fn stopped<T>(cause: tokio::task::JoinError) -> Result<T> {
    if cause.is_panic() {
        return Err(Error::new(ErrorKind::Internal, "a task of the store panicked").because(cause));
    }
    Err(Error::new(ErrorKind::Unavailable, "the process is stopping").because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: rustix::io::Errno) -> Error {
        let store = StoreName::parse("primary").unwrap();
        Failure::new("write blob", &store, "k", Path::new("/srv/blobs/k"), errno).into()
    }

    #[test]
    fn what_the_system_answers_has_the_kind_a_caller_decides_by() {
        use rustix::io::Errno;
        for (errno, kind) in [
            (Errno::NOSPC, ErrorKind::LimitExceeded),
            (Errno::DQUOT, ErrorKind::LimitExceeded),
            (Errno::FBIG, ErrorKind::LimitExceeded),
            (Errno::ACCESS, ErrorKind::Denied),
            (Errno::PERM, ErrorKind::Denied),
            (Errno::ROFS, ErrorKind::Denied),
            (Errno::EXIST, ErrorKind::AlreadyExists),
            (Errno::STALE, ErrorKind::Unavailable),
            (Errno::MFILE, ErrorKind::Unavailable),
            (Errno::IO, ErrorKind::Internal),
        ] {
            assert_eq!(error(errno).kind(), kind, "{errno:?}");
        }
    }

    #[test]
    fn the_message_names_the_store_and_only_the_cause_names_the_path() {
        let error = error(rustix::io::Errno::NOSPC);
        assert!(error.message().contains("\"primary\" is full"));
        assert!(!error.to_string().contains("/srv"));
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.to_string().contains("/srv/blobs/k"));
    }
}
