//! Where accounts live: the seam between this crate and a database.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use campusdisk_core::{AccountId, GroupId, Result, Timestamp};

use crate::{AccountRecord, AppToken, Group, GroupName, SecretHash, Session, TokenId};

/// Keeps accounts. The contract is between a store and this crate; users call [`Accounts`](crate::Accounts).
///
/// # Contract
/// * **A1** A commit makes all its changes, each seeing those before it, or none. [`Commit::Done`] is answered after
///   they are durable, every other outcome with nothing changed.
/// * **A2** Commits are as if one ran after the other: of racing ones whose conditions exclude each other, one is done.
/// * **A3** `PutAccount` with a version replaces the record of exactly that version, without one it adds a record of a
///   new id; else [`Commit::Stale`]. The record's own `version` is stored as given.
/// * **A4** The keys of user names and of addresses are unique: [`Commit::UsernameTaken`], [`Commit::EmailTaken`].
/// * **A5** `ExpectVersion` is [`Commit::Stale`] unless the account has that version.
/// * **A6** `ExpectNoAdministrator` is [`Commit::AdministratorExists`] when any account is one, locked or not.
/// * **A7** `ExpectOtherAdministrator` is [`Commit::LastAdministrator`] unless another account is one and not locked.
/// * **A8** A credential is found by the hash it was put with until it is ended, together with its account and the ids
///   of its account's groups in ascending order, all of one moment. Whether it expired is not the store's business.
/// * **A9** `EndSessions` ends all sessions of the account but the one kept; `LimitSessions` all but the newest so many
///   by `created` (equal ones by hash); `TouchSession` of what is no session changes nothing. Putting a session or token
///   of an account that is not there is [`Commit::Stale`].
/// * **A10** Ending a session, token or membership that is not there is done; a token is ended only by its own account.
/// * **A11** Accounts are listed by the bytes of the user name's key, ascending, from after the given key, filtered
///   before they are counted, at most so many. Groups likewise by their name's key, tokens by id, sessions by
///   `created`, the newest first (equal ones by id, descending).
/// * **A12** Group names' keys are unique: [`Commit::GroupNameTaken`]. A group that ends takes its memberships along;
///   joining a group or account that is not there, and renaming a group that is not, is [`Commit::Stale`]; joining
///   twice is joining once.
/// * **A13** There is at most one setup token: the one put last, until it is ended.
/// * **A14** `EndExpired` ends exactly the sessions and tokens whose `expires` is not after the given time.
#[async_trait]
pub trait AccountStore: fmt::Debug + Send + Sync + 'static {
    /// One account.
    ///
    /// # Errors
    /// [`Unavailable`](campusdisk_core::ErrorKind::Unavailable) when the database can't be reached; so for all methods.
    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountRecord>>;

    /// A page of accounts.
    async fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRecord>>;

    /// The session or token with this hash.
    async fn credential(&self, hash: &SecretHash) -> Result<Option<Credential>>;

    /// All sessions of an account, whatever they admit to and whether or not they expired.
    async fn sessions(&self, account: &AccountId) -> Result<Vec<Session>>;

    /// All app tokens of an account.
    async fn tokens(&self, account: &AccountId) -> Result<Vec<AppToken>>;

    /// One group.
    async fn group(&self, id: &GroupId) -> Result<Option<Group>>;

    /// A page of groups.
    async fn groups(&self, query: &GroupQuery) -> Result<Vec<Group>>;

    /// How many accounts are in each of these groups; one that nobody is in may be missing.
    async fn member_counts(&self, groups: &[GroupId]) -> Result<BTreeMap<GroupId, u64>>;

    /// Whether the installation has an administrator, and how it gets one.
    async fn setup(&self) -> Result<Setup>;

    /// Makes changes together.
    ///
    /// # Cancel safety
    /// When the future is dropped, the changes are made or not, all or none.
    async fn commit(&self, changes: &[AccountChange]) -> Result<Commit>;
}

/// What names an account.
#[derive(Clone, Copy, Debug)]
pub enum AccountKey<'a> {
    /// Its id.
    Id(&'a AccountId),
    /// The key of its user name.
    Username(&'a str),
}

/// Which accounts are wanted.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// Only those whose [search text](AccountRecord::search_text) has this folded text in it.
    pub contains: Option<String>,
    /// Only members of this group.
    pub member_of: Option<GroupId>,
    /// Only those whose user name's key comes after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Which groups are wanted.
#[derive(Clone, Debug, Default)]
pub struct GroupQuery {
    /// Only those this account is in.
    pub with_member: Option<AccountId>,
    /// Only those whose name's key has this folded text in it.
    pub contains: Option<String>,
    /// Only those whose name's key comes after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// A session or token with what is needed to admit its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The session or token.
    pub kind: CredentialKind,
    /// Whose it is.
    pub account: AccountRecord,
    /// The groups of the account.
    pub groups: Vec<GroupId>,
}

/// A session or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A session.
    Session(Session),
    /// An app token.
    Token(AppToken),
}

/// How far an installation is on its way to its first administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Whether any account is an administrator.
    pub has_administrator: bool,
    /// What the first one must show.
    pub token: Option<SecretHash>,
}

/// One change or condition of a commit.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// The account has this version.
    ExpectVersion {
        /// Which account.
        account: AccountId,
        /// Which version.
        version: u64,
    },
    /// Nobody administers the installation.
    ExpectNoAdministrator,
    /// Somebody else than this account administers the installation and is not locked.
    ExpectOtherAdministrator(AccountId),
    /// Adds or replaces an account.
    PutAccount {
        /// What it is then.
        record: AccountRecord,
        /// The version it replaces; none for a new account.
        replaces: Option<u64>,
    },
    /// Begins a session.
    PutSession(Session),
    /// Notes that a session was used.
    TouchSession {
        /// Which session.
        hash: SecretHash,
        /// When.
        seen: Timestamp,
        /// When it ends now.
        expires: Timestamp,
    },
    /// Ends one session.
    EndSession(SecretHash),
    /// Ends the sessions of an account.
    EndSessions {
        /// Whose.
        account: AccountId,
        /// All but this one.
        keep: Option<SecretHash>,
    },
    /// Ends the oldest sessions of an account.
    LimitSessions {
        /// Whose.
        account: AccountId,
        /// How many stay.
        newest: u32,
    },
    /// Makes an app token.
    PutToken(AppToken),
    /// Revokes one app token.
    EndToken {
        /// Whose.
        account: AccountId,
        /// Which.
        id: TokenId,
    },
    /// Revokes all app tokens of an account.
    EndTokens(AccountId),
    /// Makes a group.
    PutGroup(Group),
    /// Gives a group another name.
    RenameGroup {
        /// Which group.
        group: GroupId,
        /// What people call it now.
        name: GroupName,
    },
    /// Ends a group.
    EndGroup(GroupId),
    /// Makes an account a member.
    Join {
        /// Of which group.
        group: GroupId,
        /// Who.
        account: AccountId,
    },
    /// Makes an account no member.
    Leave {
        /// Of which group.
        group: GroupId,
        /// Who.
        account: AccountId,
    },
    /// Sets what the first administrator must show; none when there is nothing to show any more.
    PutSetupToken(Option<SecretHash>),
    /// Ends sessions and tokens that expired.
    EndExpired(Timestamp),
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// All changes are made.
    Done,
    /// Something is not as it was read; read again and decide again.
    Stale,
    /// Another account has that user name.
    UsernameTaken,
    /// Another account has that address.
    EmailTaken,
    /// Another group has that name.
    GroupNameTaken,
    /// The installation has an administrator already.
    AdministratorExists,
    /// It would be left without one.
    LastAdministrator,
}
