//! What an answer of the cluster, or its absence, means here. The only file that names the errors of the client library
//! and of HTTP.

mod kerberos;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use campusdisk_core::{Error, ErrorKind};
use hdfs_native::HdfsError;
use reqwest::StatusCode;
use serde::Deserialize;

/// A call that failed, before it is known what it was for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    says: Cow<'static, str>,
    cause: Option<Cause>,
    contact: Contact,
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    /// The cluster answered, or it is not about a call.
    Answered,
    /// There was no connection, or nobody there speaks WebHDFS to us.
    None,
    /// The connection broke, or nothing more came over it.
    Lost,
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
            contact: Contact::Answered,
        }
    }

    /// The cluster said nothing for as long as `setting` allows.
    pub(crate) fn silent(setting: &'static str, limit: Duration) -> Self {
        let says = format!("the cluster said nothing for {limit:?} ({setting}): is it paused or overloaded?");
        Self::new(ErrorKind::Unavailable, says).with_contact(Contact::Lost)
    }

    /// No HTTP address of a NameNode is known.
    pub(crate) fn no_address() -> Self {
        let says = "no HTTP address of a NameNode is known (web_urls, conf_dir)";
        Self::new(ErrorKind::Unavailable, says).with_contact(Contact::None)
    }

    /// A server answered what WebHDFS does not.
    pub(crate) fn strange_answer() -> Self {
        let says = "what answers there is no NameNode that this version knows (web_urls)";
        Self::new(ErrorKind::Unavailable, says).with_contact(Contact::None)
    }

    /// The NameNode is in safe mode, for the reason that it gives.
    pub(crate) fn in_safe_mode(reason: String) -> Self {
        Self {
            cause: Some(Cause(reason)),
            ..Self::new(ErrorKind::Unavailable, SAFE_MODE)
        }
    }

    /// The NameNode that was asked stands by for another one.
    pub(crate) fn standing_by() -> Self {
        Self::new(ErrorKind::Unavailable, STANDBY)
    }

    /// A server of WebHDFS refused a request with this answer.
    pub(crate) fn refused(status: StatusCode, body: &str) -> Self {
        let Ok(Refusal { exception }) = serde_json::from_str(body) else {
            return Self::unserved(status);
        };
        let text = without_trace(&exception.message);
        let (kind, says) = classify_refusal(&exception.class, text);
        Self {
            kind,
            says: says.into(),
            cause: Some(Cause(format!("{}: {text}", exception.class))),
            contact: Contact::Answered,
        }
    }

    /// A server refused a request without the words of WebHDFS.
    fn unserved(status: StatusCode) -> Self {
        let (kind, says, contact) = match status {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => (
                ErrorKind::Denied,
                "WebHDFS does not accept who we are (user, write_path)",
                Contact::None,
            ),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => (
                ErrorKind::Unavailable,
                "WebHDFS is not served there (web_urls, dfs.webhdfs.enabled)",
                Contact::None,
            ),
            _ => (
                ErrorKind::Unavailable,
                "the cluster did not finish it",
                Contact::Answered,
            ),
        };
        let cause = Cause(format!("HTTP status {status}"));
        Self {
            cause: Some(cause),
            ..Self::new(kind, says).with_contact(contact)
        }
    }

    /// The connection to a DataNode that gives a block broke.
    pub(crate) fn of_transfer(error: &io::Error) -> Self {
        Self {
            cause: Some(Cause(error.to_string())),
            ..Self::new(ErrorKind::Unavailable, NO_BLOCK).with_contact(Contact::Lost)
        }
    }

    /// A DataNode does not give a block, and says why.
    pub(crate) fn of_data_node(says: &str) -> Self {
        Self {
            cause: Some(Cause(without_trace(says).to_owned())),
            ..Self::new(ErrorKind::Unavailable, NO_BLOCK)
        }
    }

    /// The spool on this machine failed.
    pub(crate) fn of_spool(error: &io::Error) -> Self {
        let (kind, says) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
                ErrorKind::LimitExceeded,
                "the folder of spools is full (spool_dir)",
            ),
            _ => (
                ErrorKind::Internal,
                "the folder of spools can't be used (spool_dir)",
            ),
        };
        Self {
            cause: Some(Cause(error.to_string())),
            ..Self::new(kind, says)
        }
    }

    fn with_contact(mut self, contact: Contact) -> Self {
        self.contact = contact;
        self
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What it says, without the cause, which may name servers.
    pub(crate) fn says(&self) -> &str {
        &self.says
    }

    /// Whether a rename failed because the folder it goes to is not there yet.
    pub(crate) fn is_missing_parent(&self) -> bool {
        let said = self.cause.as_ref().map_or("", |cause| cause.0.as_str());
        self.kind == ErrorKind::NotFound && said.contains("rename destination parent")
    }

    /// Whether the same may succeed when it is tried again, perhaps with another DataNode.
    pub(crate) fn may_pass(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// Whether nobody spoke WebHDFS to us.
    pub(crate) fn is_unreached(&self) -> bool {
        self.contact == Contact::None
    }

    /// Whether another NameNode may do what this one didn't.
    pub(crate) fn is_for_another_name_node(&self) -> bool {
        self.contact != Contact::Answered || self.says == STANDBY || self.says == NOT_NOW
    }

    /// Whether the NameNodes that answered are none that is active.
    pub(crate) fn is_without_active(&self) -> bool {
        self.says == STANDBY
    }

    /// What this and the `next` NameNode together say: an answer tells more than none.
    pub(crate) fn or(self, next: Self) -> Self {
        match self.contact == Contact::Answered && next.is_of_connection() {
            true => self,
            false => next,
        }
    }

    /// Whether the server that was spoken to may be dead.
    pub(crate) fn is_of_connection(&self) -> bool {
        self.contact != Contact::Answered
    }

    /// Whether the NameNode had no DataNode left to name.
    pub(crate) fn is_without_data_node(&self) -> bool {
        self.says == NO_DATA_NODE
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
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
            contact: Contact::Answered,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let (kind, says, contact) = match &error {
            error if error.is_builder() => (
                ErrorKind::InvalidInput,
                "the HTTP client can't be made (web_urls)",
                Contact::Answered,
            ),
            error if error.is_connect() => (
                ErrorKind::Unavailable,
                "a server of the cluster can't be reached by HTTP (web_urls)",
                Contact::None,
            ),
            error if error.is_decode() => return Self::strange_answer(),
            _ => (
                ErrorKind::Unavailable,
                "the connection to the cluster broke",
                Contact::Lost,
            ),
        };
        // An address may hold a token.
        let error = error.without_url();
        let mut texts = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            texts.push(cause.to_string());
            source = cause.source();
        }
        Self {
            cause: Some(Cause(texts.join(": "))),
            ..Self::new(kind, says).with_contact(contact)
        }
    }
}

/// The body of a refusal of WebHDFS.
#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(rename = "RemoteException")]
    exception: RemoteException,
}

#[derive(Debug, Deserialize)]
struct RemoteException {
    #[serde(rename = "javaClassName")]
    class: String,
    #[serde(default)]
    message: String,
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
    ("SafeModeException", ErrorKind::Unavailable, SAFE_MODE),
    ("StandbyException", ErrorKind::Unavailable, STANDBY),
    ("RetriableException", ErrorKind::Unavailable, NOT_NOW),
    ("NotReplicatedYetException", ErrorKind::Unavailable, NOT_NOW),
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

const UNFINISHED: (ErrorKind, &str) = (ErrorKind::Unavailable, "the cluster did not finish it");
const SAFE_MODE: &str = "the NameNode is in safe mode and takes no changes: it waits for DataNodes, lacks room on its own disk, or was told \
                         to (hdfs dfsadmin -safemode get)";
const DENIED: &str = "the user may not do this (user, and the owner of root)";
const FULL: &str = "the quota of the folder is used up (root)";
const NOT_NOW: &str = "the NameNode can't answer now";
const STANDBY: &str = "no NameNode is active";
const NO_DATA_NODE: &str = "the NameNode knows no DataNode that could take it";
const NO_REPLICA: &str =
    "no DataNode gives a block of it: are they down, or are all its replicas lost or damaged (hdfs fsck)?";
const NO_BLOCK: &str = "a DataNode does not give a block: did it die?";
const NODES_FAILED: &str = "no DataNode could do it: did one die, or has none room?";
const UNREACHED: &str = "the NameNode, or a DataNode, can't be reached (url, conf_dir)";

/// The client library does not give on what the NameNode says to a connection and not to a call.
const HUNG_UP: &str = "the NameNode ended the connection: did it stop, or does it not take who we are \
                       (hadoop.security.authentication, user, hadoop.proxyuser)?";

/// How the client library tells that none of a block's DataNodes gave it.
const NO_NODE_LEFT: &str = "All DataNodes failed";

/// How Hadoop's own client, in a DataNode that writes for us, tells that other DataNodes fail it: by texts under the same
/// class as much else, and by classes of Java.
const PIPELINE_TEXTS: [&str; 5] = [
    "are bad. Aborting",
    "Failed to replace a bad datanode",
    "Could not get block locations",
    "Unable to create new block",
    "Unable to close file",
];
const CONNECTION_CLASSES: [&str; 7] = [
    "ConnectException",
    "ConnectTimeoutException",
    "SocketException",
    "SocketTimeoutException",
    "EOFException",
    "ClosedChannelException",
    "InterruptedIOException",
];

/// Whether a call was carried out by no NameNode, as none is active, or none can be reached.
pub(crate) fn is_untaken(error: &HdfsError) -> bool {
    match error {
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            class.ends_with(".StandbyException")
        }
        HdfsError::IOError(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        ),
        _ => false,
    }
}

fn classify(error: &HdfsError) -> (ErrorKind, &'static str) {
    match error {
        HdfsError::FileNotFound(_) => (ErrorKind::NotFound, "there is no such file"),
        HdfsError::AlreadyExists(text) => classify_taken(text),
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            classify_refusal(class, without_trace(text))
        }
        HdfsError::IOError(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
            (ErrorKind::Unavailable, HUNG_UP)
        }
        HdfsError::IOError(_) => (ErrorKind::Unavailable, UNREACHED),
        HdfsError::DataTransferError(text) if text.starts_with(NO_NODE_LEFT) => {
            (ErrorKind::Unavailable, NO_REPLICA)
        }
        HdfsError::DataTransferError(_) | HdfsError::BlocksNotFound(_) => {
            (ErrorKind::Unavailable, NODES_FAILED)
        }
        HdfsError::OperationFailed(text) => kerberos::classify_undone(text).unwrap_or(UNFINISHED),
        HdfsError::InvalidRPCResponse(_) => UNFINISHED,
        HdfsError::ChecksumError => (ErrorKind::Corrupt, "a block does not fit its checksums"),
        HdfsError::GSSAPIError(_, minor, _) => kerberos::classify_code(*minor),
        HdfsError::SASLError(_) | HdfsError::NoSASLMechanism => kerberos::not_accepted(),
        HdfsError::InvalidArgument(_) | HdfsError::UrlParseError(_) | HdfsError::XmlParseError(_) => (
            ErrorKind::InvalidInput,
            "the configuration can't be used (url, conf_dir, options)",
        ),
        HdfsError::TrashNotEnabled => (
            ErrorKind::InvalidInput,
            "the cluster keeps no trash (trash, and its fs.trash.interval)",
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
    if text.starts_with("Failed to find datanode") {
        return (ErrorKind::Unavailable, NO_DATA_NODE);
    }
    if PIPELINE_TEXTS.iter().any(|said| text.contains(said)) {
        return (ErrorKind::Unavailable, NODES_FAILED);
    }
    let class = class.rsplit(['.', '$']).next().unwrap_or(class);
    if CONNECTION_CLASSES.contains(&class) {
        return (ErrorKind::Unavailable, NODES_FAILED);
    }
    if let Some(known) = kerberos::classify_refusal(class, text) {
        return known;
    }
    CLASSES.iter().find(|(name, ..)| *name == class).map_or(
        (ErrorKind::Internal, "the NameNode refused it"),
        |(_, kind, says)| (*kind, says),
    )
}

fn without_trace(text: &str) -> &str {
    text.split("\n\tat ").next().unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests;
