//! What an operator sets: a TOML file, then variables of the environment over it.

mod cache;
mod database;
mod load;
mod mount;
mod policy;
mod store;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use campusdisk_accounts::AccountsConfig;
use campusdisk_axum::{FrontServer, HttpOptions};
use campusdisk_core::PlacementRule;
use campusdisk_core::storage::StoreName;
use serde::{Deserialize, Serialize};

pub(crate) use self::cache::CacheSettings;
pub(crate) use self::database::DatabaseSettings;
pub(crate) use self::load::Overrides;
pub(crate) use self::mount::MountSettings;
pub(crate) use self::policy::PolicySettings;
pub(crate) use self::store::StoreSettings;
use crate::brand::Brand;
use crate::failure::{Failure, Outcome};
use crate::site::{HallName, Language};

/// Everything an operator may set. `hall.toml` beside this package's manifest says what each key means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) http: HttpSettings,
    pub(crate) page: PageSettings,
    pub(crate) log: LogSettings,
    pub(crate) database: DatabaseSettings,
    pub(crate) storage: StorageSettings,
    pub(crate) stores: BTreeMap<String, StoreSettings>,
    pub(crate) mounts: BTreeMap<String, MountSettings>,
    pub(crate) cache: CacheSettings,
    pub(crate) events: EventSettings,
    pub(crate) accounts: AccountsConfig,
    pub(crate) policy: PolicySettings,
}

impl Default for Config {
    fn default() -> Self {
        let primary = StoreSettings::Local(store::LocalSettings::default());
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("campusdisk-data"),
            http: HttpSettings::default(),
            page: PageSettings::default(),
            log: LogSettings::default(),
            database: DatabaseSettings::default(),
            storage: StorageSettings::default(),
            stores: BTreeMap::from([("primary".to_owned(), primary)]),
            mounts: BTreeMap::new(),
            cache: CacheSettings::default(),
            events: EventSettings::default(),
            accounts: AccountsConfig::default(),
            policy: PolicySettings::default(),
        }
    }
}

impl Config {
    /// A path of the configuration: below the data folder unless it is absolute.
    pub(crate) fn below_data(&self, path: &Path) -> PathBuf {
        self.data.join(path)
    }

    /// How the adapter behaves.
    pub(crate) fn http_options(&self) -> HttpOptions {
        let options = self.http.options();
        let Some(prefix) = &self.http.front_server else {
            return options;
        };
        let folder = |(name, settings): (&String, &StoreSettings)| match settings {
            StoreSettings::Local(local) => Some((StoreName::parse(name).ok()?, self.below_data(&local.path))),
            _ => None,
        };
        let folders = self.stores.iter().filter_map(folder).collect();
        options.with_front_server(FrontServer::new(prefix, folders))
    }

    /// Checks what can't be seen from one value alone.
    fn check(&self) -> Outcome {
        self.storage.check(&self.stores)?;
        if let Some(name) = self.mounts.keys().find(|name| self.stores.contains_key(*name)) {
            return Err(Failure::new(format!(
                "there is both a [stores.{name}] and a [mounts.{name}]: each needs a name of its own"
            )));
        }
        self.http.check()?;
        self.database.check()?;
        self.cache.check()?;
        self.page.check()?;
        self.policy.check()?;
        let accounts = self.accounts.validate();
        accounts.map_err(|error| Failure::from(error).during("in [accounts]"))
    }
}

/// The server and its adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSettings {
    pub(crate) prefix: String,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<ipnet::IpNet>,
    pub(crate) max_connections: usize,
    pub(crate) max_streams_per_connection: u32,
    pub(crate) header_timeout_ms: u64,
    pub(crate) request_idle_seconds: u64,
    pub(crate) response_idle_seconds: u64,
    pub(crate) grace_seconds: u64,
    pub(crate) linger_bytes: u64,
    pub(crate) linger_time_ms: u64,
    pub(crate) max_json_bytes: usize,
    pub(crate) small_body_time_seconds: u64,
    pub(crate) default_list_items: u32,
    pub(crate) front_server: Option<String>,
    pub(crate) signed_address_seconds: Option<u64>,
    pub(crate) elsewhere_from_bytes: u64,
    pub(crate) ready_timeout_ms: u64,
}

impl Default for HttpSettings {
    fn default() -> Self {
        let http = HttpOptions::default();
        Self {
            prefix: String::new(),
            public_url: None,
            trusted_proxies: Vec::new(),
            max_connections: 4096,
            max_streams_per_connection: 128,
            header_timeout_ms: 30_000,
            request_idle_seconds: http.request_idle.as_secs(),
            response_idle_seconds: http.response_idle.as_secs(),
            grace_seconds: 30,
            linger_bytes: http.linger_bytes,
            linger_time_ms: u64::try_from(http.linger_time.as_millis()).unwrap_or(u64::MAX),
            max_json_bytes: http.max_json_bytes,
            small_body_time_seconds: http.small_body_time.as_secs(),
            default_list_items: http.default_list_items,
            front_server: None,
            signed_address_seconds: None,
            elsewhere_from_bytes: http.elsewhere_from_bytes,
            ready_timeout_ms: u64::try_from(http.ready_timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The longest that servers of S3 take.
const MOST_SIGNED_SECONDS: u64 = 7 * 24 * 60 * 60;

impl HttpSettings {
    fn check(&self) -> Outcome {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
        let prefix = &self.prefix;
        let fits = prefix.is_empty()
            || (prefix.starts_with('/')
                && !prefix.ends_with('/')
                && !prefix.contains("//")
                && prefix.bytes().all(plain));
        if !fits {
            return Err(Failure::new(
                "http.prefix is \"\" or a path such as \"/disk\": it begins with / and does not end with one",
            ));
        }
        let public = self.public_url.as_deref();
        if public.is_some_and(|url| !(url.starts_with("http://") || url.starts_with("https://"))) {
            return Err(Failure::new("http.public_url begins with http:// or https://"));
        }
        if self.max_connections == 0 || self.max_connections > tokio::sync::Semaphore::MAX_PERMITS {
            return Err(Failure::new("http.max_connections is at least 1"));
        }
        let is_prefix = |path: &str| path.starts_with('/') && !path.ends_with('/') && path.bytes().all(plain);
        if self.front_server.as_deref().is_some_and(|path| !is_prefix(path)) {
            return Err(Failure::new(
                "http.front_server is a path such as \"/campusdisk-blobs\": it begins with / and does not end with one",
            ));
        }
        if self.front_server.is_some() && self.trusted_proxies.is_empty() {
            return Err(Failure::new(
                "http.front_server needs the front server among http.trusted_proxies: only what comes through it is sent by it",
            ));
        }
        if !self
            .signed_address_seconds
            .is_none_or(|seconds| (1..=MOST_SIGNED_SECONDS).contains(&seconds))
        {
            return Err(Failure::new(format!(
                "http.signed_address_seconds is 1 to {MOST_SIGNED_SECONDS}"
            )));
        }
        if !(1..=1000).contains(&self.default_list_items) {
            return Err(Failure::new("http.default_list_items is 1 to 1000"));
        }
        Ok(())
    }

    pub(crate) fn options(&self) -> HttpOptions {
        let mut options = HttpOptions::default()
            .with_trusted_proxies(self.trusted_proxies.clone())
            .with_secure_cookies(
                self.public_url
                    .as_deref()
                    .is_some_and(|url| url.starts_with("https://")),
            )
            .with_max_json_bytes(self.max_json_bytes)
            .with_idle(self.request_idle(), self.response_idle());
        options.default_list_items = self.default_list_items;
        options.small_body_time = Duration::from_secs(self.small_body_time_seconds);
        options.linger_bytes = self.linger_bytes;
        options.linger_time = Duration::from_millis(self.linger_time_ms);
        options.signed_address = self.signed_address_seconds.map(Duration::from_secs);
        options.elsewhere_from_bytes = self.elsewhere_from_bytes;
        options.ready_timeout = Duration::from_millis(self.ready_timeout_ms);
        options
    }

    fn request_idle(&self) -> Duration {
        Duration::from_secs(self.request_idle_seconds)
    }

    pub(crate) fn response_idle(&self) -> Duration {
        Duration::from_secs(self.response_idle_seconds)
    }

    pub(crate) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

/// How the pages look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PageSettings {
    pub(crate) name: Option<String>,
    pub(crate) language: Option<Language>,
    pub(crate) logo: Option<PathBuf>,
    pub(crate) accent: Option<String>,
}

impl PageSettings {
    fn check(&self) -> Outcome {
        let name = self.name.as_deref().map(HallName::parse).transpose();
        name.map_err(|error| Failure::from(error).during("in [page]"))?;
        self.accent.as_deref().map_or(Ok(()), Brand::check_accent)
    }
}

/// What is logged, on standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
    pub(crate) requests: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
            requests: false,
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What holds for stores together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StorageSettings {
    pub(crate) primary: String,
    pub(crate) reserve_bytes: u64,
    pub(crate) placement: Vec<PlacementSettings>,
}

/// Which files go to another store than the primary one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlacementSettings {
    pub(crate) store: String,
    pub(crate) drives: Vec<String>,
    pub(crate) min_bytes: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
}

impl StorageSettings {
    /// The rules by which new files are put.
    ///
    /// # Errors
    /// Which rule names what is none.
    pub(crate) fn rules(&self) -> Outcome<Vec<PlacementRule>> {
        let rule = |settings: &PlacementSettings| {
            let drives = settings.drives.iter().map(|drive| drive.parse());
            let drives = drives.collect::<campusdisk_core::Result<_>>()?;
            let rule = PlacementRule::to(StoreName::parse(&settings.store)?).with_drives(drives);
            Ok(rule.with_sizes(settings.min_bytes, settings.max_bytes))
        };
        let rules = self.placement.iter().map(rule);
        let rules = rules.collect::<campusdisk_core::Result<_>>();
        rules.map_err(|error| Failure::from(error).during("in storage.placement"))
    }

    fn check(&self, stores: &BTreeMap<String, StoreSettings>) -> Outcome {
        let known: Vec<_> = stores.keys().map(String::as_str).collect();
        let named = self
            .placement
            .iter()
            .map(|rule| ("storage.placement", &rule.store));
        for (key, name) in std::iter::once(("storage.primary", &self.primary)).chain(named) {
            if !stores.contains_key(name) {
                return Err(Failure::new(format!(
                    "{key} names the store \"{name}\", but under [stores] there is only: {}",
                    known.join(", ")
                )));
            }
        }
        self.rules().map(drop)
    }
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            primary: "primary".to_owned(),
            reserve_bytes: 64 << 20,
            placement: Vec::new(),
        }
    }
}

/// Events in this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventSettings {
    pub(crate) kept: usize,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self { kept: 1000 }
    }
}

#[cfg(test)]
mod tests;
