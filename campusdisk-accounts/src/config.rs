//! What an operator may set.

use std::time::Duration;

use campusdisk_core::{Error, Result};

/// Settings of accounts; the defaults suit a university.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AccountsConfig {
    /// Whether people may make accounts for themselves.
    pub registration: Registration,
    /// Memory of one password hash in KiB (argon2 `m`). Changed parameters reach an account when its owner signs in.
    pub argon2_memory_kib: u32,
    /// Passes over that memory (argon2 `t`).
    pub argon2_passes: u32,
    /// Lanes of that memory (argon2 `p`).
    pub argon2_lanes: u32,
    /// Password hashes computed at the same time; 0 for as many as there are processors.
    pub hashing_parallel: usize,
    /// Password hashes that may wait for their turn; who comes then is told to come back.
    pub hashing_queue: usize,
    /// How long a browser session lives after it was last used, in seconds.
    pub session_idle_seconds: u64,
    /// How long a browser session lives at most, in seconds.
    pub session_max_seconds: u64,
    /// How long a remembered session lives, in seconds.
    pub remember_seconds: u64,
    /// How much older than the truth the stored time of a session's last use may be, in seconds.
    pub seen_interval_seconds: u64,
    /// How long somebody who must choose another password has for it, in seconds.
    pub challenge_seconds: u64,
    /// Sessions of one account; with more, the oldest end.
    pub max_sessions_per_account: u32,
    /// App tokens of one account.
    pub max_tokens_per_account: u32,
    /// Failed sign-ins of one account from one address within the window, before both must wait.
    pub failed_sign_ins: u32,
    /// The window in which failed sign-ins count, in seconds.
    pub failed_sign_ins_window_seconds: u64,
    /// Pairs of account and address whose failures are remembered; beyond, the oldest are forgotten.
    pub failed_sign_ins_entries: usize,
    /// How long this process believes what it read of a session or token, in milliseconds. Bounds how late it notices
    /// a lock made by another process, so at most 900.
    pub cache_ttl_ms: u64,
    /// Sessions and tokens kept in memory.
    pub cache_entries: u64,
    /// Quota of a new account in bytes; without one it has no limit of its own.
    pub default_quota_bytes: Option<u64>,
}

/// Whether people may make accounts for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Everybody may.
    #[default]
    Open,
    /// Only administrators make accounts.
    Closed,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            registration: Registration::Open,
            argon2_memory_kib: 19 * 1024,
            argon2_passes: 2,
            argon2_lanes: 1,
            hashing_parallel: 0,
            hashing_queue: 256,
            session_idle_seconds: 12 * 3600,
            session_max_seconds: 7 * 24 * 3600,
            remember_seconds: 30 * 24 * 3600,
            seen_interval_seconds: 60,
            challenge_seconds: 600,
            max_sessions_per_account: 500,
            max_tokens_per_account: 100,
            failed_sign_ins: 10,
            failed_sign_ins_window_seconds: 60,
            failed_sign_ins_entries: 65_536,
            cache_ttl_ms: 400,
            cache_entries: 65_536,
            default_quota_bytes: None,
        }
    }
}

macro_rules! setters {
    ($($with:ident $name:ident: $type:ty),+ $(,)?) => {
        impl AccountsConfig {$(
            #[doc = concat!("Sets [`", stringify!($name), "`](field@Self::", stringify!($name), ").")]
            #[must_use]
            pub const fn $with(mut self, $name: $type) -> Self {
                self.$name = $name;
                self
            }
        )+}
    };
}

setters! {
    with_registration registration: Registration,
    with_argon2_memory_kib argon2_memory_kib: u32,
    with_argon2_passes argon2_passes: u32,
    with_argon2_lanes argon2_lanes: u32,
    with_hashing_parallel hashing_parallel: usize,
    with_hashing_queue hashing_queue: usize,
    with_session_idle_seconds session_idle_seconds: u64,
    with_session_max_seconds session_max_seconds: u64,
    with_remember_seconds remember_seconds: u64,
    with_seen_interval_seconds seen_interval_seconds: u64,
    with_challenge_seconds challenge_seconds: u64,
    with_max_sessions_per_account max_sessions_per_account: u32,
    with_max_tokens_per_account max_tokens_per_account: u32,
    with_failed_sign_ins failed_sign_ins: u32,
    with_failed_sign_ins_window_seconds failed_sign_ins_window_seconds: u64,
    with_failed_sign_ins_entries failed_sign_ins_entries: usize,
    with_cache_ttl_ms cache_ttl_ms: u64,
    with_cache_entries cache_entries: u64,
    with_default_quota_bytes default_quota_bytes: Option<u64>,
}

impl AccountsConfig {
    /// Checks what can't be seen from one value alone.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the setting that is wrong.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("session_idle_seconds", self.session_idle_seconds),
            ("session_max_seconds", self.session_max_seconds),
            ("remember_seconds", self.remember_seconds),
            ("challenge_seconds", self.challenge_seconds),
            ("max_sessions_per_account", self.max_sessions_per_account.into()),
            ("failed_sign_ins", self.failed_sign_ins.into()),
            (
                "failed_sign_ins_window_seconds",
                self.failed_sign_ins_window_seconds,
            ),
            ("failed_sign_ins_entries", self.failed_sign_ins_entries as u64),
        ];
        if let Some((setting, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::invalid(setting, "must be at least 1"));
        }
        if !(1..=900).contains(&self.cache_ttl_ms) {
            return Err(Error::invalid(
                "cache_ttl_ms",
                "must be 1 to 900, or a lock made by another process would be noticed too late",
            ));
        }
        if self
            .default_quota_bytes
            .is_some_and(|bytes| i64::try_from(bytes).is_err())
        {
            return Err(Error::invalid("default_quota_bytes", "must be below 2^63"));
        }
        Ok(())
    }

    pub(crate) fn hashing_parallel(&self) -> usize {
        match self.hashing_parallel {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            set => set,
        }
    }

    pub(crate) fn failed_sign_ins_window(&self) -> Duration {
        Duration::from_secs(self.failed_sign_ins_window_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_slow_cache_is_not() {
        AccountsConfig::default().validate().unwrap();
        let slow = AccountsConfig::default().with_cache_ttl_ms(1_000);
        assert_eq!(slow.validate().unwrap_err().field(), Some("cache_ttl_ms"));
        let none = AccountsConfig::default().with_failed_sign_ins(0);
        assert_eq!(none.validate().unwrap_err().field(), Some("failed_sign_ins"));
    }
}
