//! Signed-in sessions, and what waits for a new password.

use campusdisk_core::{AccountId, Timestamp};

use crate::{AccountsConfig, Secret, SecretHash};

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The hash of its token.
    pub hash: SecretHash,
    /// Whose it is.
    pub account: AccountId,
    /// What it admits to.
    pub purpose: Purpose,
    /// How long it is meant to live.
    pub lifetime: Lifetime,
    /// When its owner signed in.
    pub created: Timestamp,
    /// When it was last used, to within the configured interval.
    pub seen: Timestamp,
    /// When it ends unless it is used before.
    pub expires: Timestamp,
}

/// What a session admits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Everything its account may do.
    SignedIn,
    /// Choosing another password, then signing in.
    PasswordChange,
}

/// How long a session is meant to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// Until the browser closes, or it was not used for hours.
    #[default]
    Browser,
    /// For days, over restarts of the browser.
    Remembered,
}

/// A session just made: the only time its token is known.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What the browser keeps.
    pub token: Secret,
    /// How long it is meant to live: a [`Browser`](Lifetime::Browser) session's cookie has no `Max-Age`.
    pub lifetime: Lifetime,
    /// When it ends unless it is used before; a remembered one ends then in any case.
    pub expires: Timestamp,
}

impl Session {
    /// A session that begins now.
    pub(crate) fn begin(
        token: &Secret,
        account: &AccountId,
        purpose: Purpose,
        lifetime: Lifetime,
        now: Timestamp,
        config: &AccountsConfig,
    ) -> Self {
        Self {
            hash: token.hash(),
            account: account.clone(),
            purpose,
            lifetime,
            created: now,
            seen: now,
            expires: expiry(purpose, lifetime, now, now, config),
        }
    }

    /// When it ends after having been used now.
    pub(crate) fn expiry_used_at(&self, now: Timestamp, config: &AccountsConfig) -> Timestamp {
        expiry(self.purpose, self.lifetime, self.created, now, config)
    }
}

fn expiry(
    purpose: Purpose,
    lifetime: Lifetime,
    created: Timestamp,
    used: Timestamp,
    config: &AccountsConfig,
) -> Timestamp {
    let seconds = std::time::Duration::from_secs;
    match (purpose, lifetime) {
        (Purpose::PasswordChange, _) => created + seconds(config.challenge_seconds),
        (Purpose::SignedIn, Lifetime::Remembered) => created + seconds(config.remember_seconds),
        (Purpose::SignedIn, Lifetime::Browser) => {
            let idle = used + seconds(config.session_idle_seconds);
            idle.min(created + seconds(config.session_max_seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use campusdisk_core::RandomIds;

    use super::*;

    fn session(lifetime: Lifetime) -> Session {
        let account = AccountId::parse("a").unwrap();
        let token = Secret::generate("", &RandomIds);
        let config = AccountsConfig::default();
        Session::begin(
            &token,
            &account,
            Purpose::SignedIn,
            lifetime,
            Timestamp::from_millis(0),
            &config,
        )
    }

    #[test]
    fn a_browser_session_lives_12_hours_after_its_last_use_and_a_week_at_most() {
        let (session, config) = (session(Lifetime::Browser), AccountsConfig::default());
        let hours = |hours: u64| Timestamp::from_millis(0) + Duration::from_secs(hours * 3600);
        assert_eq!(session.expires, hours(12));
        assert_eq!(session.expiry_used_at(hours(10), &config), hours(22));
        assert_eq!(session.expiry_used_at(hours(160), &config), hours(7 * 24));
    }

    #[test]
    fn a_remembered_session_lives_30_days_from_signing_in() {
        let (session, config) = (session(Lifetime::Remembered), AccountsConfig::default());
        let days = |days: u64| Timestamp::from_millis(0) + Duration::from_secs(days * 86_400);
        assert_eq!(session.expires, days(30));
        assert_eq!(session.expiry_used_at(days(20), &config), days(30));
    }
}
