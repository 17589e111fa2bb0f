//! Why a download ended without its file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

/// Why a download ended without its file: a sentence for whoever started it. It names no query of an address, which may
/// hold a ticket, and no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address, or something else that was asked for, can't be used.
    #[error("{0}")]
    Asked(String),
    /// The server refused, and another try would not change its mind.
    #[error("{url} answered {status}{said}")]
    Refused {
        /// The address, without its query.
        url: String,
        /// The status and its name.
        status: String,
        /// What its problem document (RFC 9457) says, after a colon; empty without one.
        said: String,
    },
    /// What the server answered breaks the rules of HTTP, so its bytes can't be trusted to be the right ones.
    #[error("{url} does not keep to HTTP: {why}")]
    Rules {
        /// The address, without its query.
        url: String,
        /// What was wrong.
        why: String,
    },
    /// Nothing came in a whole series of tries. What came before is kept, where the server can resume.
    #[error("{url}: nothing more came in {tries} tries, the last time because {why}; start again to go on")]
    Unreachable {
        /// The address, without its query.
        url: String,
        /// How many tries in a row brought nothing.
        tries: u32,
        /// What happened at the last one.
        why: String,
    },
    /// The server asks to come back later than a download waits.
    #[error("{url} asks to come back in {} s ({why}); start again then to go on", wait.as_secs())]
    Later {
        /// The address, without its query.
        url: String,
        /// For how long it asks.
        wait: Duration,
        /// What it answered.
        why: String,
    },
    /// The file changed on the server under every try.
    #[error("{url} changes too often to be downloaded: {why}, after {times} new beginnings")]
    Changes {
        /// The address, without its query.
        url: String,
        /// How the last change showed.
        why: String,
        /// How often the download began anew.
        times: u32,
    },
    /// There is a file of the final name.
    #[error("{} is there already; --force replaces it, --output names another place", .0.display())]
    Exists(PathBuf),
    /// Another download works on the same partial file.
    #[error("{} is being downloaded by another fetch", .0.display())]
    Busy(PathBuf),
    /// Something about a local file failed.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// All bytes came, and they are not the right ones.
    #[error(
        "the SHA-256 is {found}, not {expected} as {said_by} says; nothing was put under the final name, \
         the bytes are left in {} and the next start begins anew", part.display()
    )]
    Mismatch {
        /// Of the bytes that came, in hex.
        found: String,
        /// What it should be, in hex.
        expected: String,
        /// Who says so.
        said_by: &'static str,
        /// Where the bytes are.
        part: PathBuf,
    },
    /// It was asked to stop. What came is kept, where the server can resume.
    #[error("stopped; start again to go on")]
    Stopped,
}

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            doing,
            path: path.to_path_buf(),
            source,
        }
    }
}

/// What ended one request, one connection or one beginning.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may pass by itself.
    Passing(Passing),
    /// The file is another than at the beginning.
    Changed(String),
    /// It will not pass.
    Fatal(Error),
}

/// A trouble that may pass by itself.
#[derive(Debug)]
pub(crate) struct Passing {
    pub(crate) why: String,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the server has too much to do (429, 503), so that fewer connections may help it.
    pub(crate) crowded: bool,
}

impl Trouble {
    pub(crate) fn passing(why: impl Into<String>) -> Self {
        Self::Passing(Passing {
            why: why.into(),
            retry_after: None,
            crowded: false,
        })
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// An address as messages and progress may show it: without user, password, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for addresses that can't have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
