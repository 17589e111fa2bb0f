//! Signed-in sessions, and what waits for a new password.

use std::fmt;
use std::str::FromStr;

use campusdisk_core::{AccountId, Error, EventId, IdSource, Result, Timestamp};

use crate::{AccountsConfig, Device, Secret, SecretHash};

/// Names a session to its owner. It is random and has nothing to do with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(EventId);

impl SessionId {
    /// A fresh id that sorts by the time it was made.
    pub fn generate(now: Timestamp, ids: &dyn IdSource) -> Self {
        Self(EventId::generate(now, ids))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = Error;

    /// # Errors
    /// [`NotFound`](campusdisk_core::ErrorKind::NotFound): a text that is no id names nothing.
    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it to its owner.
    pub id: SessionId,
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
    /// Where it was begun.
    pub device: Device,
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

/// What a session is begun with.
pub(crate) struct Beginning<'a> {
    pub(crate) id: SessionId,
    pub(crate) token: &'a Secret,
    pub(crate) account: &'a AccountId,
    pub(crate) purpose: Purpose,
    pub(crate) lifetime: Lifetime,
    pub(crate) device: Device,
}

impl Session {
    /// A session that begins now.
    pub(crate) fn begin(new: Beginning<'_>, now: Timestamp, config: &AccountsConfig) -> Self {
        Self {
            id: new.id,
            hash: new.token.hash(),
            account: new.account.clone(),
            purpose: new.purpose,
            lifetime: new.lifetime,
            created: now,
            seen: now,
            expires: expiry(new.purpose, new.lifetime, now, now, config),
            device: new.device,
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
        let now = Timestamp::from_millis(0);
        let new = Beginning {
            id: SessionId::generate(now, &RandomIds),
            token: &Secret::generate("", &RandomIds),
            account: &AccountId::parse("a").unwrap(),
            purpose: Purpose::SignedIn,
            lifetime,
            device: Device::default(),
        };
        Session::begin(new, now, &AccountsConfig::default())
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
