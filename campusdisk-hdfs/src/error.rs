//! What an answer of the cluster, or its absence, means here. The only file that names the client library's errors.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use campusdisk_core::{Error, ErrorKind};
use hdfs_native::HdfsError;

/// A call that failed, before it is known what it was for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    says: Cow<'static, str>,
    cause: Option<Cause>,
}

/// What the cluster said, without the stack trace that Java puts behind it.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

impl Failure {
    /// A failure that no error of the client library stands behind.
    pub(crate) fn new(kind: ErrorKind, says: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            says: says.into(),
            cause: None,
        }
    }

    /// The cluster said nothing for as long as `setting` allows.
    pub(crate) fn silent(setting: &'static str, limit: Duration) -> Self {
        let says = format!("the cluster said nothing for {limit:?} ({setting}): is it paused or overloaded?");
        Self::new(ErrorKind::Unavailable, says)
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether a rename failed because the folder it goes to is not there yet.
    pub(crate) fn is_missing_parent(&self) -> bool {
        let said = self.cause.as_ref().map_or("", |cause| cause.0.as_str());
        self.kind == ErrorKind::NotFound && said.contains("rename destination parent")
    }

    /// The error of an operation on a blob or another thing in this store.
    pub(crate) fn during(self, operation: &'static str, subject: impl fmt::Display) -> Error {
        let error = Error::new(self.kind, self.says)
            .during(operation)
            .on(subject.to_string());
        match self.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

impl From<HdfsError> for Failure {
    fn from(error: HdfsError) -> Self {
        let (kind, says) = classify(&error);
        Self {
            kind,
            says: says.into(),
            cause: Some(Cause(without_trace(&error.to_string()).to_owned())),
        }
    }
}

/// Java classes of the NameNode's refusals, without their packages, and what they mean.
const CLASSES: [(&str, ErrorKind, &str); 13] = [
    (
        "FileNotFoundException",
        ErrorKind::NotFound,
        "there is no such file",
    ),
    ("AccessControlException", ErrorKind::Denied, DENIED),
    ("AuthorizationException", ErrorKind::Denied, DENIED),
    (
        "SafeModeException",
        ErrorKind::Unavailable,
        "the NameNode is in safe mode",
    ),
    (
        "StandbyException",
        ErrorKind::Unavailable,
        "no NameNode is active",
    ),
    (
        "RetriableException",
        ErrorKind::Unavailable,
        "the NameNode can't answer now",
    ),
    (
        "NotReplicatedYetException",
        ErrorKind::Unavailable,
        "the NameNode can't answer now",
    ),
    ("NSQuotaExceededException", ErrorKind::LimitExceeded, FULL),
    ("DSQuotaExceededException", ErrorKind::LimitExceeded, FULL),
    (
        "QuotaByStorageTypeExceededException",
        ErrorKind::LimitExceeded,
        FULL,
    ),
    (
        "MaxDirectoryItemsExceededException",
        ErrorKind::LimitExceeded,
        "a folder holds no more files",
    ),
    (
        "ParentNotDirectoryException",
        ErrorKind::Internal,
        "a file is where a folder should be (root)",
    ),
    (
        "LeaseExpiredException",
        ErrorKind::Unavailable,
        "somebody else took or deleted the file being written",
    ),
];

const DENIED: &str = "the user may not do this (user, and the owner of root)";
const FULL: &str = "the quota of the folder is used up (root)";
const UNREACHED: &str = "the NameNode, or a DataNode, can't be reached (url, conf_dir)";

fn classify(error: &HdfsError) -> (ErrorKind, &'static str) {
    match error {
        HdfsError::FileNotFound(_) => (ErrorKind::NotFound, "there is no such file"),
        HdfsError::AlreadyExists(text) => classify_taken(text),
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            classify_refusal(class, without_trace(text))
        }
        HdfsError::IOError(_) => (ErrorKind::Unavailable, UNREACHED),
        HdfsError::DataTransferError(_) | HdfsError::BlocksNotFound(_) => (
            ErrorKind::Unavailable,
            "no DataNode could do it: did one die, or has none room?",
        ),
        HdfsError::OperationFailed(_) | HdfsError::InvalidRPCResponse(_) => {
            (ErrorKind::Unavailable, "the cluster did not finish it")
        }
        HdfsError::ChecksumError => (ErrorKind::Corrupt, "a block does not fit its checksums"),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => (
            ErrorKind::Denied,
            "the cluster does not accept who we are (user, Kerberos)",
        ),
        HdfsError::InvalidArgument(_) | HdfsError::UrlParseError(_) | HdfsError::XmlParseError(_) => (
            ErrorKind::InvalidInput,
            "the configuration can't be used (url, conf_dir, options)",
        ),
        _ => (ErrorKind::Internal, "the client of the cluster failed"),
    }
}

fn classify_taken(text: &str) -> (ErrorKind, &'static str) {
    if text.contains("is not a directory") {
        return (ErrorKind::Internal, "a file is where a folder should be (root)");
    }
    // An open file of another writer has the same exception as a finished one.
    if text.contains("lease") {
        return (ErrorKind::Conflict, "somebody else is writing the file");
    }
    (ErrorKind::AlreadyExists, "the key is taken")
}

fn classify_refusal(class: &str, text: &str) -> (ErrorKind, &'static str) {
    // A folder in place of a file looks like a missing file, which it must not.
    if text.starts_with("Path is not a file") {
        return (ErrorKind::Internal, "a folder is where a file should be");
    }
    if text.contains("could only be written to") {
        return (ErrorKind::Unavailable, "too few DataNodes are up or have room");
    }
    let class = class.rsplit(['.', '$']).next().unwrap_or(class);
    CLASSES.iter().find(|(name, ..)| *name == class).map_or(
        (ErrorKind::Internal, "the NameNode refused it"),
        |(_, kind, says)| (*kind, says),
    )
}

fn without_trace(text: &str) -> &str {
    text.split("\n\tat ").next().unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(class: &str, text: &str) -> HdfsError {
        let text = format!(
            "{text}\n\tat org.apache.hadoop.hdfs.server.namenode.FSNamesystem.x(FSNamesystem.java:1)"
        );
        HdfsError::RPCError(class.to_owned(), text)
    }

    #[test]
    fn every_answer_has_its_kind() {
        let table = [
            (HdfsError::FileNotFound("/e".to_owned()), ErrorKind::NotFound),
            (
                refused("java.io.FileNotFoundException", "File does not exist: /e"),
                ErrorKind::NotFound,
            ),
            (
                refused("java.io.FileNotFoundException", "Path is not a file: /e"),
                ErrorKind::Internal,
            ),
            (
                refused(
                    "java.io.IOException",
                    "File /e could only be written to 0 of the 1 minReplication nodes.",
                ),
                ErrorKind::Unavailable,
            ),
            (
                refused(
                    "org.apache.hadoop.security.AccessControlException",
                    "Permission denied: user=a",
                ),
                ErrorKind::Denied,
            ),
            (
                refused(
                    "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException",
                    "The DiskSpace quota",
                ),
                ErrorKind::LimitExceeded,
            ),
            (
                refused(
                    "org.apache.hadoop.hdfs.protocol.FSLimitException$MaxDirectoryItemsExceededException",
                    "The directory item limit",
                ),
                ErrorKind::LimitExceeded,
            ),
            (
                refused(
                    "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                    "Cannot create",
                ),
                ErrorKind::Unavailable,
            ),
            (
                refused(
                    "org.apache.hadoop.ipc.StandbyException",
                    "Operation category WRITE",
                ),
                ErrorKind::Unavailable,
            ),
            (refused("java.lang.NullPointerException", ""), ErrorKind::Internal),
            (
                HdfsError::AlreadyExists("rename destination /e/b already exists".to_owned()),
                ErrorKind::AlreadyExists,
            ),
            (
                HdfsError::AlreadyExists("Path is not a directory: /e".to_owned()),
                ErrorKind::Internal,
            ),
            (
                HdfsError::AlreadyExists(
                    "Failed to CREATE_FILE /e, already the current lease holder.".to_owned(),
                ),
                ErrorKind::Conflict,
            ),
            (
                HdfsError::IOError(std::io::ErrorKind::ConnectionRefused.into()),
                ErrorKind::Unavailable,
            ),
            (
                HdfsError::DataTransferError("No new datanode found".to_owned()),
                ErrorKind::Unavailable,
            ),
            (HdfsError::ChecksumError, ErrorKind::Corrupt),
        ];
        for (error, kind) in table {
            let text = error.to_string();
            assert_eq!(Failure::from(error).kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_cause_has_no_stack_trace() {
        let error = Failure::from(refused("java.io.IOException", "first line")).during("write blob", "abc");
        let cause = error.source().unwrap().to_string();
        assert!(cause.ends_with("first line"), "{cause}");
    }

    #[test]
    fn a_missing_folder_is_told_from_a_missing_file() {
        let parent = refused(
            "java.io.FileNotFoundException",
            "rename destination parent /e/np/c not found.",
        );
        let source = refused(
            "java.io.FileNotFoundException",
            "rename source /e/none is not found.",
        );
        assert!(Failure::from(parent).is_missing_parent());
        assert!(!Failure::from(source).is_missing_parent());
    }
}
