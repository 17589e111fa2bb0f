//! Accounts, sessions, groups and app tokens for CampusDisk, over a small store trait of their own.
//!
//! A host that has logins of its own does not need this crate. One that has none keeps an [`AccountStore`] (in memory
//! here, in the catalog's database by `campusdisk-sql`) and calls [`Accounts`].
//!
//! * No default account: [`Accounts::setup_token`] makes a secret that admits the first administrator, once.
//! * Passwords are argon2id hashes made on a bounded pool; see [`Password`] for which may be chosen.
//! * Sessions and app tokens are 32 random bytes, of which only SHA-256 is stored.
//! * What a request's session or token admits to is answered from memory and at most 0.9 s old.
//!
//! # Example: the first administrator
//! ```
//! use std::sync::Arc;
//!
//! use campusdisk_accounts::{Accounts, AccountsConfig, AccountsSeams, Device, MemoryAccountStore, Registrant};
//! use campusdisk_core::{RandomIds, SystemClock};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let seams = AccountsSeams {
//!     store: Arc::new(MemoryAccountStore::default()),
//!     clock: Arc::new(SystemClock),
//!     ids: Arc::new(RandomIds),
//! };
//! let accounts = Accounts::new(seams, AccountsConfig::default())?;
//! let token = accounts.setup_token().await?.expect("nobody administers a new installation");
//! let ada = Registrant { username: "ada", password: "difference engine", email: None };
//! let signed_in = accounts.setup(token.expose(), ada, Device::default()).await?;
//!
//! let principal = accounts.authenticate_session(signed_in.session.token.expose()).await?;
//! assert!(principal.expect("she just signed in").may_administer());
//! assert!(accounts.setup_token().await?.is_none());
//! # Ok::<(), campusdisk_core::Error>(())
//! # }).unwrap();
//! ```

mod account;
mod accounts;
mod cache;
mod config;
mod device;
mod event;
mod group;
mod hashing;
mod memory;
mod password;
mod principal;
mod secret;
mod session;
mod store;
mod throttle;
mod token;

pub use self::account::{About, Account, AccountRecord, DisplayName, Email, Phone, Username, fold};
pub use self::accounts::{
    AccountUpdate, Accounts, AccountsSeams, IssuedToken, Listed, NewAccount, NextSignIn, Page,
    PasswordChange, ProfileUpdate, Registrant, SignIn, SignInRequest, SignedIn, TokenRequest,
};
pub use self::config::{AccountsConfig, Registration};
pub use self::device::{Device, UserAgent};
pub use self::event::{AccountEvent, AccountListener};
pub use self::group::{Group, GroupName};
pub use self::memory::MemoryAccountStore;
pub use self::password::{Password, PasswordHash};
pub use self::principal::{Administrator, Principal, Proof};
pub use self::secret::{Secret, SecretHash};
pub use self::session::{Lifetime, NewSession, Purpose, Session, SessionId};
pub use self::store::{
    AccountChange, AccountKey, AccountQuery, AccountStore, Commit, Credential, CredentialKind, GroupQuery,
    Setup,
};
pub use self::token::{AppToken, Scope, Scopes, TokenId, TokenName};
