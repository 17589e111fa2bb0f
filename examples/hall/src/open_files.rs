//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Files that are open beside connections and blobs: the database, the log, the runtime's own.
const OTHER_FILES: u64 = 64;

/// Takes as many open files as the system gives, and warns where that is too few for what is configured.
///
/// The lower, soft limit is mostly 1,024, for old programs; a server that meets it can't accept connections or open blobs.
pub(crate) fn allow(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let needed = needed(config);
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "the system allows too few open files: raise the limit (ulimit -n, LimitNOFILE), or lower http.max_connections \
             and policy.open_readers"
        );
    }
}

/// A connection is one file, and a transfer in writes one more.
fn needed(config: &Config) -> u64 {
    let connections = u64::try_from(config.http.max_connections).unwrap_or(u64::MAX);
    connections
        .saturating_mul(2)
        .saturating_add(config.policy.open_readers)
        .saturating_add(OTHER_FILES)
}
