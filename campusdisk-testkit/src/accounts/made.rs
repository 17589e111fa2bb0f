//! Accounts, sessions, tokens and groups that cases are made of.
#![expect(clippy::expect_used, reason = "cases are tests and fail by panicking")]

use campusdisk_accounts::{
    About, Account, AccountChange, AccountKey, AccountRecord, AccountStore, AppToken, Commit, Device,
    DisplayName, Email, Group, GroupName, Lifetime, PasswordHash, Phone, Purpose, Scopes, SecretHash,
    Session, SessionId, TokenId, TokenName, UserAgent, Username,
};
use campusdisk_core::{AccountId, EventId, GroupId, Timestamp};

use crate::manual::SequentialIds;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_788_220_800_000 + seconds * 1000)
}

pub(super) fn account_id(name: &str) -> AccountId {
    AccountId::parse(&format!("id-{name}")).expect("it is an id")
}

/// An account of this name, whose id is `id-name`.
pub(super) fn record(name: &str) -> AccountRecord {
    let username = Username::parse(name).expect("it is a name");
    AccountRecord {
        account: Account {
            id: AccountId::parse(&format!("id-{}", username.key())).expect("it is an id"),
            email: None,
            display_name: DisplayName::from(&username),
            username,
            phone: Phone::default(),
            about: About::default(),
            admin: false,
            locked: false,
            quota_bytes: None,
            created: at(0),
        },
        password: PasswordHash::from_phc("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"),
        must_change_password: false,
        version: 1,
    }
}

pub(super) fn administrator(name: &str) -> AccountRecord {
    let mut record = record(name);
    record.account.admin = true;
    record
}

pub(super) fn with_email(mut record: AccountRecord, email: &str) -> AccountRecord {
    record.account.email = Some(Email::parse(email).expect("it is an address"));
    record
}

pub(super) fn new(record: AccountRecord) -> AccountChange {
    AccountChange::PutAccount {
        record,
        replaces: None,
    }
}

/// The next version of this record, changed by `edit`.
pub(super) fn next(before: &AccountRecord, edit: impl FnOnce(&mut AccountRecord)) -> AccountChange {
    let mut record = before.clone();
    record.version += 1;
    edit(&mut record);
    AccountChange::PutAccount {
        record,
        replaces: Some(before.version),
    }
}

/// A session of this account; `token` tells it from others.
pub(super) fn session(account: &str, token: &str, created: i64) -> Session {
    let hash = SecretHash::of(token);
    Session {
        id: session_id(&hash),
        hash,
        account: account_id(account),
        purpose: Purpose::SignedIn,
        lifetime: Lifetime::Remembered,
        created: at(created),
        seen: at(created),
        expires: at(created + 100),
        device: Device {
            address: Some([192, 0, 2, 7].into()),
            user_agent: UserAgent::cut("Mozilla/5.0 (X11; Linux x86_64)"),
        },
    }
}

/// An id of its own for each hash, the same every time it is asked for.
fn session_id(hash: &SecretHash) -> SessionId {
    let number = hash
        .as_bytes()
        .iter()
        .take(16)
        .fold(0, |number, &byte| number << 8 | u128::from(byte));
    EventId::from_u128(number)
        .to_string()
        .parse()
        .expect("an id reads as it is written")
}

/// A token of this account; `number` orders it among others and tells its secret.
pub(super) fn token(account: &str, number: i64) -> AppToken {
    AppToken {
        id: TokenId::generate(at(number), &SequentialIds::default()),
        hash: SecretHash::of(&format!("token {number}")),
        account: account_id(account),
        name: TokenName::parse(&format!("number {number}")).expect("it is a name"),
        scopes: Scopes::USUAL,
        created: at(number),
        expires: None,
    }
}

pub(super) fn group(name: &str) -> Group {
    let name = GroupName::parse(name).expect("it is a name");
    Group {
        id: GroupId::parse(&format!("id-{}", name.key())).expect("it is an id"),
        name,
        created: at(0),
    }
}

pub(super) fn join(group: &str, account: &str) -> AccountChange {
    AccountChange::Join {
        group: self::group(group).id,
        account: account_id(account),
    }
}

pub(super) async fn commit(store: &dyn AccountStore, changes: &[AccountChange]) -> Commit {
    store.commit(changes).await.expect("the store answers")
}

#[track_caller]
pub(super) fn assert_done(commit: Commit) {
    assert_eq!(commit, Commit::Done);
}

pub(super) async fn stored(store: &dyn AccountStore, name: &str) -> Option<AccountRecord> {
    let id = account_id(name);
    store
        .account(AccountKey::Id(&id))
        .await
        .expect("the store answers")
}
