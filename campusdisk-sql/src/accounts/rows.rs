//! What rows of accounts mean.

use std::net::IpAddr;

use campusdisk_accounts::{
    About, Account, AccountRecord, AppToken, Credential, CredentialKind, Device, DisplayName, Email, Group,
    GroupName, Lifetime, PasswordHash, Phone, Purpose, Scopes, SecretHash, Session, Setup, TokenName,
    UserAgent, Username,
};
use campusdisk_core::{AccountId, GroupId};

use crate::failure::{Failure, Outcome};
use crate::session::{Columns, Row};

/// The columns that [`account`] reads, of the table `a`.
pub(super) const ACCOUNT: &str = "a.id, a.username, a.email, a.display_name, a.phone, a.about, a.admin, a.locked, \
    a.quota_bytes, a.created, a.password, a.must_change_password, a.version";
/// The columns that [`token`] reads, of the table `t`.
pub(super) const TOKEN: &str = "t.id, t.hash, t.account, t.name, t.scopes, t.created, t.expires";
/// The columns that [`group`] reads, of the table `g`.
pub(super) const GROUP: &str = "g.id, g.name, g.created";
/// The columns that [`session`] reads, of the table `s`.
pub(super) const SESSION: &str = "s.id, s.hash, s.account, s.purpose, s.lifetime, s.created, s.seen, s.expires, \
    s.address, s.user_agent";

/// One row for each group of the account, and one when it has none: session, account, group.
pub(super) fn sql_of_session() -> String {
    format!(
        "SELECT {SESSION}, {ACCOUNT}, m.in_group FROM account_sessions s JOIN accounts a ON a.id = s.account \
         LEFT JOIN account_memberships m ON m.account = a.id WHERE s.hash = $1 ORDER BY m.in_group"
    )
}

/// One row for each group of the account, and one when it has none: token, account, group.
pub(super) fn sql_of_token() -> String {
    format!(
        "SELECT {TOKEN}, {ACCOUNT}, m.in_group FROM account_tokens t JOIN accounts a ON a.id = t.account \
         LEFT JOIN account_memberships m ON m.account = a.id WHERE t.hash = $1 ORDER BY m.in_group"
    )
}

pub(super) fn session_credential(found: &[Row]) -> Outcome<Option<Credential>> {
    credential(found, |columns| session(columns).map(CredentialKind::Session))
}

pub(super) fn token_credential(found: &[Row]) -> Outcome<Option<Credential>> {
    credential(found, |columns| token(columns).map(CredentialKind::Token))
}

fn credential(
    found: &[Row],
    kind: impl Fn(&mut Columns<'_>) -> Outcome<CredentialKind>,
) -> Outcome<Option<Credential>> {
    let mut credential: Option<Credential> = None;
    for row in found {
        let mut columns = Columns::of(row);
        let (kind, account) = (kind(&mut columns)?, account(&mut columns)?);
        let credential = credential.get_or_insert_with(|| Credential {
            kind,
            account,
            groups: Vec::new(),
        });
        if let Some(group) = columns.opt_text()? {
            credential.groups.push(parsed(GroupId::parse(group))?);
        }
    }
    Ok(credential)
}

pub(super) fn account(columns: &mut Columns<'_>) -> Outcome<AccountRecord> {
    let account = Account {
        id: parsed(AccountId::parse(columns.text()?))?,
        username: parsed(Username::parse(columns.text()?))?,
        email: columns
            .opt_text()?
            .map(|text| parsed(Email::parse(text)))
            .transpose()?,
        display_name: parsed(DisplayName::parse(columns.text()?))?,
        phone: parsed(Phone::parse(columns.text()?))?,
        about: parsed(About::parse(columns.text()?))?,
        admin: columns.int()? != 0,
        locked: columns.int()? != 0,
        quota_bytes: columns.opt_count()?,
        created: columns.time()?,
    };
    Ok(AccountRecord {
        account,
        password: PasswordHash::from_phc(columns.text()?),
        must_change_password: columns.int()? != 0,
        version: columns.count()?,
    })
}

pub(super) fn session(columns: &mut Columns<'_>) -> Outcome<Session> {
    Ok(Session {
        id: columns.word()?,
        hash: hash(columns)?,
        account: parsed(AccountId::parse(columns.text()?))?,
        purpose: match columns.text()? {
            "signed_in" => Purpose::SignedIn,
            "password_change" => Purpose::PasswordChange,
            _ => return Err(Failure::unreadable("a session for no known purpose")),
        },
        lifetime: match columns.text()? {
            "browser" => Lifetime::Browser,
            "remembered" => Lifetime::Remembered,
            _ => return Err(Failure::unreadable("a session of no known lifetime")),
        },
        created: columns.time()?,
        seen: columns.time()?,
        expires: columns.time()?,
        device: Device {
            address: columns.opt_text()?.map(address).transpose()?,
            user_agent: UserAgent::cut(columns.text()?),
        },
    })
}

fn address(text: &str) -> Outcome<IpAddr> {
    text.parse()
        .map_err(|_| Failure::unreadable("a session from no address"))
}

pub(super) fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SignedIn => "signed_in",
        Purpose::PasswordChange => "password_change",
    }
}

pub(super) fn lifetime(lifetime: Lifetime) -> &'static str {
    match lifetime {
        Lifetime::Browser => "browser",
        Lifetime::Remembered => "remembered",
    }
}

pub(super) fn token(columns: &mut Columns<'_>) -> Outcome<AppToken> {
    Ok(AppToken {
        id: columns.word()?,
        hash: hash(columns)?,
        account: parsed(AccountId::parse(columns.text()?))?,
        name: parsed(TokenName::parse(columns.text()?))?,
        scopes: scopes(columns.int()?)?,
        created: columns.time()?,
        expires: columns.opt_time()?,
    })
}

pub(super) fn group(columns: &mut Columns<'_>) -> Outcome<Group> {
    Ok(Group {
        id: parsed(GroupId::parse(columns.text()?))?,
        name: parsed(GroupName::parse(columns.text()?))?,
        created: columns.time()?,
    })
}

pub(super) fn member_count(columns: &mut Columns<'_>) -> Outcome<(GroupId, u64)> {
    let group = parsed(GroupId::parse(columns.text()?))?;
    Ok((group, columns.count()?))
}

pub(super) fn setup(columns: &mut Columns<'_>) -> Outcome<Setup> {
    let has_administrator = columns.opt_text()?.is_some();
    Ok(Setup {
        has_administrator,
        token: opt_hash(columns)?,
    })
}

fn hash(columns: &mut Columns<'_>) -> Outcome<SecretHash> {
    opt_hash(columns)?.ok_or_else(|| Failure::unreadable("a hash that is missing"))
}

fn opt_hash(columns: &mut Columns<'_>) -> Outcome<Option<SecretHash>> {
    let bytes = columns.opt_blob()?.map(<[u8; 32]>::try_from).transpose();
    let bytes = bytes.map_err(|_| Failure::unreadable("a hash that is no SHA-256"))?;
    Ok(bytes.map(SecretHash::from_bytes))
}

fn scopes(bits: i64) -> Outcome<Scopes> {
    let bits = u8::try_from(bits).map_err(|_| Failure::unreadable("scopes that are none"))?;
    Ok(Scopes::from_bits(bits))
}

fn parsed<T>(read: campusdisk_core::Result<T>) -> Outcome<T> {
    read.map_err(|_| Failure::unreadable("an account, token or group with a text that breaks its rules"))
}
