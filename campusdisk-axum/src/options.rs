//! How the adapter behaves: every limit with its unit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use campusdisk_core::storage::StoreName;
use ipnet::IpNet;

/// Limits and trust of the HTTP adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether cookies are for https only. Also set when a trusted proxy says that the client speaks https.
    pub secure_cookies: bool,
    /// Longest JSON body in bytes.
    pub max_json_bytes: usize,
    /// How long a JSON body may take in all.
    pub small_body_time: Duration,
    /// Items in a list when the request does not say.
    pub default_list_items: u32,
    /// How long a client may send nothing in the middle of its request's body.
    pub request_idle: Duration,
    /// How long the source of an answer's body may bring nothing.
    pub response_idle: Duration,
    /// How many bytes of a refused request's body are still read, so that its client gets the answer.
    pub linger_bytes: u64,
    /// How long a refused request's body is still read.
    pub linger_time: Duration,
    /// Whole files that a front server sends instead.
    pub front_server: Option<FrontServer>,
    /// How long the address works at which a store that signs addresses sends a whole file itself; `None` sends all bytes from here.
    pub signed_address: Option<Duration>,
    /// Shorter files are sent from here in any case, in bytes.
    pub elsewhere_from_bytes: u64,
    /// How long a check of one part may take before `/readyz` calls it down.
    pub ready_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            secure_cookies: false,
            max_json_bytes: 64 << 10,
            small_body_time: Duration::from_secs(30),
            default_list_items: 100,
            request_idle: Duration::from_secs(60),
            response_idle: Duration::from_secs(60),
            linger_bytes: 64 << 20,
            linger_time: Duration::from_secs(10),
            front_server: None,
            signed_address: None,
            elsewhere_from_bytes: 1 << 20,
            ready_timeout: Duration::from_secs(5),
        }
    }
}

/// A front server, one of the trusted proxies, that sends files of this machine itself when it is told to by `X-Accel-Redirect`, as nginx does.
///
/// It is asked for the whole files of requests without `Range` and conditions. All else is answered from here, and so is whoever does not come through a
/// trusted proxy, which says for whom it asks (`X-Forwarded-For`). What it is sending goes on when the right to it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontServer {
    /// What its addresses begin with, such as `/campusdisk-blobs`; the store's name and the path below its folder follow.
    pub prefix: String,
    /// The folders of the stores whose files it sends.
    pub folders: BTreeMap<StoreName, PathBuf>,
}

impl FrontServer {
    /// One that knows the files of these folders below `prefix`.
    pub fn new(prefix: impl Into<String>, folders: BTreeMap<StoreName, PathBuf>) -> Self {
        Self {
            prefix: prefix.into(),
            folders,
        }
    }
}

impl HttpOptions {
    /// Sets the proxies that are believed.
    #[must_use]
    pub fn with_trusted_proxies(mut self, trusted_proxies: Vec<IpNet>) -> Self {
        self.trusted_proxies = trusted_proxies;
        self
    }

    /// Sets whether cookies are for https only.
    #[must_use]
    pub fn with_secure_cookies(mut self, secure_cookies: bool) -> Self {
        self.secure_cookies = secure_cookies;
        self
    }

    /// Sets the longest JSON body.
    #[must_use]
    pub fn with_max_json_bytes(mut self, max_json_bytes: usize) -> Self {
        self.max_json_bytes = max_json_bytes;
        self
    }

    /// Sets the front server that sends files.
    #[must_use]
    pub fn with_front_server(mut self, front_server: FrontServer) -> Self {
        self.front_server = Some(front_server);
        self
    }

    /// Sets how long the address works at which a store sends a file itself.
    #[must_use]
    pub fn with_signed_address(mut self, lasts: Duration) -> Self {
        self.signed_address = Some(lasts);
        self
    }

    /// Sets how long requests and answers may rest.
    #[must_use]
    pub fn with_idle(mut self, request_idle: Duration, response_idle: Duration) -> Self {
        self.request_idle = request_idle;
        self.response_idle = response_idle;
        self
    }
}
