//! The service: what people and administrators do with accounts.

mod admin;
mod authenticate;
mod groups;
mod own;
mod register;
mod sessions;
mod sign_in;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campusdisk_core::{AccountId, Clock, Error, ErrorKind, EventId, IdSource, Result, Timestamp};

pub use self::admin::{AccountUpdate, NextSignIn};
pub use self::own::{IssuedToken, PasswordChange, ProfileUpdate, TokenRequest};
pub use self::register::{NewAccount, Registrant};
pub use self::sign_in::{SignIn, SignInRequest, SignedIn};

use crate::cache::Beliefs;
use crate::hashing::Hashing;
use crate::throttle::Throttle;
use crate::{
    AccountChange, AccountEvent, AccountKey, AccountListener, AccountRecord, AccountStore, AccountsConfig,
    Commit, Principal, SecretHash,
};

/// How often a change is decided again when others change the same account in between.
const MAX_ROUNDS: u32 = 8;

/// What [`Accounts`] stands on.
#[derive(Clone, Debug)]
pub struct AccountsSeams {
    /// Where accounts live.
    pub store: Arc<dyn AccountStore>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What makes ids and secrets.
    pub ids: Arc<dyn IdSource>,
}

/// Accounts, sessions, groups and app tokens. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    seams: AccountsSeams,
    config: AccountsConfig,
    hashing: Hashing,
    throttle: Throttle,
    principals: Beliefs<SecretHash, Admitted>,
    active: Beliefs<AccountId, bool>,
    listeners: RwLock<Vec<Arc<dyn AccountListener>>>,
}

/// A principal, and until when its session or token lives.
#[derive(Clone, Debug)]
struct Admitted {
    principal: Arc<Principal>,
    expires: Option<Timestamp>,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The [`next`](Listed::next) of the page before.
    pub after: Option<&'a str>,
    /// At most so many items, 1 to [`Page::MAX_LIMIT`].
    pub limit: u32,
}

impl Page<'_> {
    /// Most items of one page.
    pub const MAX_LIMIT: u32 = 1000;
}

impl Default for Page<'_> {
    /// The first 100.
    fn default() -> Self {
        Self {
            after: None,
            limit: 100,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask the next page with; none on the last one.
    pub next: Option<String>,
}

impl Accounts {
    /// Accounts over these seams.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) in the setting that is wrong.
    pub fn new(seams: AccountsSeams, config: AccountsConfig) -> Result<Self> {
        config.validate()?;
        let ttl = Duration::from_millis(config.cache_ttl_ms);
        Ok(Self(Arc::new(Inner {
            hashing: Hashing::new(&config)?,
            throttle: Throttle::new(
                config.failed_sign_ins,
                config.failed_sign_ins_window(),
                config.failed_sign_ins_entries,
            ),
            principals: Beliefs::new(config.cache_entries, ttl),
            active: Beliefs::new(config.cache_entries, ttl),
            listeners: RwLock::default(),
            seams,
            config,
        })))
    }

    /// Tells `listener` of every change this value makes from now on.
    pub fn listen(&self, listener: Arc<dyn AccountListener>) {
        self.0
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    /// How many slow password hashes were computed since the start; for metrics.
    pub fn password_hashes(&self) -> u64 {
        self.0.hashing.runs()
    }

    /// Ends sessions and tokens that expired. To be called now and then; nothing depends on when.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep(&self) -> Result<()> {
        self.commit(&[AccountChange::EndExpired(self.now())]).await
    }

    fn store(&self) -> &dyn AccountStore {
        &*self.0.seams.store
    }

    fn now(&self) -> Timestamp {
        self.0.seams.clock.now()
    }

    fn ids(&self) -> &dyn IdSource {
        &*self.0.seams.ids
    }

    fn config(&self) -> &AccountsConfig {
        &self.0.config
    }

    /// The 26 characters of a fresh id, whatever it names.
    fn fresh_id(&self) -> String {
        EventId::generate(self.now(), self.ids()).to_string()
    }

    fn tell(&self, event: &AccountEvent) {
        let listeners = self
            .0
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for listener in listeners {
            listener.notice(event);
        }
    }

    /// To be called after a change of an account is stored: no session, token or lock is believed any more.
    fn forget(&self, account: &AccountId) {
        self.0.principals.forget_all();
        self.0.active.forget(account);
    }

    async fn record(&self, id: &AccountId) -> Result<AccountRecord> {
        self.store()
            .account(AccountKey::Id(id))
            .await?
            .ok_or_else(Error::not_found)
    }

    /// Commits what nothing can race with.
    async fn commit(&self, changes: &[AccountChange]) -> Result<()> {
        match self.store().commit(changes).await? {
            Commit::Done => Ok(()),
            refused => Err(refusal(refused)),
        }
    }

    /// Changes an account: reads it, lets `edit` decide, and stores both the record and what else `edit` wants, or
    /// begins anew when somebody was faster. Returns the record before and after.
    async fn revise(
        &self,
        id: &AccountId,
        edit: impl Fn(&mut AccountRecord) -> Result<Vec<AccountChange>> + Send + Sync,
    ) -> Result<(AccountRecord, AccountRecord)> {
        for _ in 0..MAX_ROUNDS {
            let before = self.record(id).await?;
            let mut after = before.clone();
            let further = edit(&mut after)?;
            if further.is_empty() && after == before {
                return Ok((before, after));
            }
            let mut changes = vec![replacing(&before, &mut after)];
            changes.extend(further);
            match self.store().commit(&changes).await? {
                Commit::Done => {
                    self.forget(id);
                    return Ok((before, after));
                }
                Commit::Stale => {}
                refused => return Err(refusal(refused)),
            }
        }
        Err(refusal(Commit::Stale))
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Accounts")
            .field("seams", &inner.seams)
            .field("config", &inner.config)
            .finish_non_exhaustive()
    }
}

/// Puts `after` in the place of `before`, as its next version.
fn replacing(before: &AccountRecord, after: &mut AccountRecord) -> AccountChange {
    after.version = before.version + 1;
    AccountChange::PutAccount {
        record: after.clone(),
        replaces: Some(before.version),
    }
}

fn refusal(commit: Commit) -> Error {
    let (kind, message) = match commit {
        Commit::UsernameTaken => (ErrorKind::AlreadyExists, "the user name is taken"),
        Commit::EmailTaken => (ErrorKind::AlreadyExists, "another account has this mail address"),
        Commit::GroupNameTaken => (ErrorKind::AlreadyExists, "another group has this name"),
        Commit::LastAdministrator => (
            ErrorKind::Denied,
            "the last administrator can be neither locked nor demoted",
        ),
        Commit::AdministratorExists => return Error::not_found(),
        Commit::Stale | Commit::Done => (ErrorKind::Conflict, "somebody else changed it at the same time"),
    };
    Error::new(kind, message)
}

/// The page before `limit + 1` items were read for.
fn listed<T>(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Listed<T> {
    let limit = limit as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| URL_SAFE_NO_PAD.encode(key(last)));
    Listed { items, next }
}

/// The key after which a page begins.
fn page_start(page: Page<'_>) -> Result<Option<String>> {
    if !(1..=Page::MAX_LIMIT).contains(&page.limit) {
        return Err(Error::invalid("limit", "is not within 1 to 1000"));
    }
    let decode = |cursor: &str| {
        let key = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        key.ok_or_else(|| Error::invalid("after", "is no cursor of this list"))
    };
    page.after.map(decode).transpose()
}
