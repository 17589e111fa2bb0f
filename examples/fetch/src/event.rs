//! What a download tells while it runs.

use std::fmt;
use std::time::Duration;

/// Something that happened in a download.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server answered, and bytes are about to come. Told again after [`Again`](Event::Again).
    Found {
        /// The final name.
        name: String,
        /// The size of the whole, where the server tells it.
        size_bytes: Option<u64>,
        /// How much of it an earlier run left.
        resumed_bytes: u64,
        /// Why there is one connection only and no way to resume, if that is so.
        alone_because: Option<String>,
    },
    /// A connection joined. Connections are numbered from 0; a number is used again after it left.
    Joined {
        /// Its number.
        connection: usize,
    },
    /// A connection left.
    Left {
        /// Its number.
        connection: usize,
    },
    /// A connection took a span of the file.
    Took {
        /// Its number.
        connection: usize,
        /// The first byte of it.
        start: u64,
        /// One past its last byte. Another connection may take a part of that over.
        end: u64,
    },
    /// A connection received bytes.
    Received {
        /// Its number.
        connection: usize,
        /// How many.
        bytes: u64,
    },
    /// A try failed, and another follows.
    Waits {
        /// What failed.
        why: String,
        /// How long it waits before the next try.
        wait: Duration,
    },
    /// What there was is of no use, and the download begins anew.
    Again {
        /// Why.
        why: String,
    },
    /// All bytes are there; what is left is to check and sync them.
    Finishing,
}

/// Whoever wants to know what happens in a download.
pub trait Watch: fmt::Debug + Send + Sync + 'static {
    /// Is told what happened, thousands of times a second: it must not block.
    fn happened(&self, event: Event);
}

/// Wants to know nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Watch for Quiet {
    fn happened(&self, _: Event) {}
}
