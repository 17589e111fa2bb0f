//! What each answer counts as.

use super::*;

fn refused(class: &str, text: &str) -> HdfsError {
    let text =
        format!("{text}\n\tat org.apache.hadoop.hdfs.server.namenode.FSNamesystem.x(FSNamesystem.java:1)");
    HdfsError::RPCError(class.to_owned(), text)
}

#[test]
fn every_answer_has_its_kind() {
    let table = [
        (HdfsError::FileNotFound("/e".to_owned()), ErrorKind::NotFound),
        (HdfsError::TrashNotEnabled, ErrorKind::InvalidInput),
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
            HdfsError::IOError(std::io::ErrorKind::ConnectionAborted.into()),
            ErrorKind::Unavailable,
        ),
        (HdfsError::NoSASLMechanism, ErrorKind::Denied),
        (
            HdfsError::OperationFailed("Failed to load libgssapi_krb".to_owned()),
            ErrorKind::Internal,
        ),
        (
            refused("javax.security.sasl.SaslException", "GSS initiate failed"),
            ErrorKind::Denied,
        ),
        (
            HdfsError::DataTransferError("No new datanode found".to_owned()),
            ErrorKind::Unavailable,
        ),
        (
            HdfsError::DataTransferError("All DataNodes failed: []".to_owned()),
            ErrorKind::Unavailable,
        ),
        (HdfsError::ChecksumError, ErrorKind::Corrupt),
    ];
    for (error, kind) in table {
        let text = error.to_string();
        assert_eq!(Failure::from(error).kind(), kind, "{text}");
    }
}

fn answered(status: u16, class: &str, message: &str) -> Failure {
    let body = serde_json::json!({ "RemoteException": {
        "exception": class.rsplit('.').next(), "javaClassName": class, "message": message,
    }});
    Failure::refused(StatusCode::from_u16(status).unwrap(), &body.to_string())
}

#[test]
fn every_refusal_of_webhdfs_has_its_kind() {
    let nodes = "All datanodes [DatanodeInfoWithStorage[127.0.0.1:9866,DS-1,DISK]] are bad. Aborting...";
    let table = [
        (
            403,
            "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
            "Cannot create file",
            ErrorKind::Unavailable,
        ),
        (
            403,
            "org.apache.hadoop.security.AccessControlException",
            "Permission denied: user=a",
            ErrorKind::Denied,
        ),
        (
            403,
            "org.apache.hadoop.ipc.StandbyException",
            "Operation category READ",
            ErrorKind::Unavailable,
        ),
        (
            404,
            "java.io.FileNotFoundException",
            "File does not exist: /e",
            ErrorKind::NotFound,
        ),
        (403, "java.io.IOException", nodes, ErrorKind::Unavailable),
        (
            403,
            "java.io.IOException",
            "Failed to find datanode, suggest to check cluster health.",
            ErrorKind::Unavailable,
        ),
        (
            500,
            "java.net.SocketTimeoutException",
            "70000 millis timeout",
            ErrorKind::Unavailable,
        ),
        (
            400,
            "java.lang.IllegalArgumentException",
            "Invalid operation X",
            ErrorKind::Internal,
        ),
    ];
    for (status, class, message, kind) in table {
        let failure = answered(status, class, message);
        assert_eq!(failure.kind(), kind, "{class}: {message}");
        assert!(!failure.is_of_connection(), "{class}: {message}");
    }
    let standby = answered(403, "org.apache.hadoop.ipc.StandbyException", "");
    assert!(standby.is_for_another_name_node());
    let safe_mode = answered(
        403,
        "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
        "",
    );
    assert!(!safe_mode.is_for_another_name_node());
    let none = answered(
        403,
        "java.io.IOException",
        "Failed to find datanode, excludeDatanodes=a:1",
    );
    assert!(none.is_without_data_node());
}

#[test]
fn who_speaks_no_webhdfs_to_us_is_not_reached() {
    for (status, unreached) in [(401, true), (404, true), (405, true), (500, false), (503, false)] {
        let failure = Failure::refused(StatusCode::from_u16(status).unwrap(), "<html>no</html>");
        assert_eq!(failure.is_unreached(), unreached, "{status}");
    }
    assert!(Failure::no_address().is_unreached());
    assert!(!Failure::silent("write_gap", Duration::from_secs(1)).is_unreached());
}

#[test]
fn a_full_spool_is_a_limit_and_no_fault() {
    let kind = |kind: io::ErrorKind| Failure::of_spool(&kind.into()).kind();
    assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::LimitExceeded);
    assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::Internal);
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

#[test]
fn of_two_namenodes_the_one_that_answered_is_believed() {
    let silent = || Failure::silent("rpc_timeout", Duration::from_secs(1));
    assert!(Failure::standing_by().or(silent()).is_without_active());
    assert!(silent().or(Failure::standing_by()).is_without_active());
    assert!(Failure::no_address().or(silent()).says.contains("rpc_timeout"));
}

#[test]
fn a_call_is_untaken_only_when_nothing_can_have_been_done() {
    let said = |class: &str| HdfsError::RPCError(class.to_owned(), String::new());
    let broke = |kind: io::ErrorKind| HdfsError::IOError(kind.into());
    assert!(is_untaken(&said("org.apache.hadoop.ipc.StandbyException")));
    assert!(is_untaken(&broke(io::ErrorKind::ConnectionRefused)));
    assert!(!is_untaken(&said("org.apache.hadoop.ipc.RetriableException")));
    assert!(!is_untaken(&broke(io::ErrorKind::ConnectionAborted)));
}
