//! Changes of accounts as statements, in the transaction of the session.

use campusdisk_accounts::{
    AccountChange, AccountRecord, AppToken, Commit, Email, Group, GroupName, SecretHash, Session as SignIn,
};
use campusdisk_core::{AccountId, Clock as _, Error, ErrorKind, GroupId, SystemClock};

use super::{Refused, rows};
use crate::database::{Answer, RECORD_SET};
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Columns, Session};

/// Names the lock that makes commits on PostgreSQL run one after the other: "accounts" in ASCII.
const ADVISORY_LOCK: i64 = 0x6163_636f_756e_7473;

/// How changes went that were not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Now,
    /// By an earlier transaction with this id.
    Before,
}

impl Answer for Applied {
    fn is_replay(&self) -> bool {
        *self == Self::Before
    }

    fn of_one_statement() -> Self {
        Self::Now
    }
}

pub(super) async fn apply(session: &mut Session, id: u128, changes: &[AccountChange]) -> Outcome<Applied> {
    if let Session::Postgres(_) = session
        && !begin_alone(session, id).await?
    {
        return Ok(Applied::Before);
    }
    for change in changes {
        apply_one(session, change).await?;
    }
    Ok(Applied::Now)
}

/// Waits for its turn: SQLite has one writer, but on PostgreSQL conditions on rows that are not there can't be held by locking
/// rows. Says whether these changes are new, and remembers that they were made, for when the answer to their commit is lost.
async fn begin_alone(session: &mut Session, id: u128) -> Outcome<bool> {
    let lock = "SELECT pg_advisory_xact_lock($1)";
    session.execute(lock, Args::new().int(ADVISORY_LOCK)).await?;
    let args = Args::new().id(id).time(SystemClock.now());
    Ok(session.execute(RECORD_SET, args).await? == 1)
}

async fn apply_one(session: &mut Session, change: &AccountChange) -> Outcome<()> {
    match change {
        AccountChange::ExpectVersion { account, version } => {
            let found = version_of(session, account).await?;
            refuse_unless(found == Some(*version), Commit::Stale)
        }
        AccountChange::ExpectNoAdministrator => {
            let sql = "SELECT id FROM accounts WHERE admin = 1 LIMIT 1";
            let none = session.row(sql, Args::new()).await?.is_none();
            refuse_unless(none, Commit::AdministratorExists)
        }
        AccountChange::ExpectOtherAdministrator(account) => {
            let sql = "SELECT id FROM accounts WHERE admin = 1 AND locked = 0 AND id <> $1 LIMIT 1";
            let other = session
                .row(sql, Args::new().text(account.as_str()))
                .await?
                .is_some();
            refuse_unless(other, Commit::LastAdministrator)
        }
        AccountChange::PutAccount { record, replaces } => put_account(session, record, *replaces).await,
        AccountChange::PutSession(new) => put_session(session, new).await,
        AccountChange::PutToken(token) => put_token(session, token).await,
        AccountChange::PutGroup(group) => put_group(session, group).await,
        AccountChange::RenameGroup { group, name } => rename_group(session, group, name).await,
        AccountChange::Join { group, account } => join(session, group, account).await,
        ending => end(session, ending).await,
    }
}

/// The changes that no condition can refuse.
async fn end(session: &mut Session, change: &AccountChange) -> Outcome<()> {
    match change {
        AccountChange::TouchSession { hash, seen, expires } => {
            let sql = "UPDATE account_sessions SET seen = $2, expires = $3 WHERE hash = $1";
            session
                .execute(sql, Args::new().blob(hash.as_bytes()).time(*seen).time(*expires))
                .await?;
        }
        AccountChange::EndSession(hash) => {
            session
                .execute(
                    "DELETE FROM account_sessions WHERE hash = $1",
                    Args::new().blob(hash.as_bytes()),
                )
                .await?;
        }
        AccountChange::EndSessions { account, keep } => end_sessions(session, account, *keep).await?,
        AccountChange::LimitSessions { account, newest } => limit_sessions(session, account, *newest).await?,
        AccountChange::EndToken { account, id } => {
            let args = Args::new().text(&id.to_string()).text(account.as_str());
            session
                .execute("DELETE FROM account_tokens WHERE id = $1 AND account = $2", args)
                .await?;
        }
        AccountChange::EndTokens(account) => {
            let args = Args::new().text(account.as_str());
            session
                .execute("DELETE FROM account_tokens WHERE account = $1", args)
                .await?;
        }
        AccountChange::EndGroup(group) => {
            let args = || Args::new().text(group.as_str());
            session
                .execute("DELETE FROM account_memberships WHERE in_group = $1", args())
                .await?;
            session
                .execute("DELETE FROM account_groups WHERE id = $1", args())
                .await?;
        }
        AccountChange::Leave { group, account } => {
            let sql = "DELETE FROM account_memberships WHERE account = $1 AND in_group = $2";
            session
                .execute(sql, Args::new().text(account.as_str()).text(group.as_str()))
                .await?;
        }
        AccountChange::PutSetupToken(token) => {
            session.execute("DELETE FROM account_setup", Args::new()).await?;
            if let Some(token) = token {
                let args = Args::new().blob(token.as_bytes());
                session
                    .execute("INSERT INTO account_setup (token) VALUES ($1)", args)
                    .await?;
            }
        }
        AccountChange::EndExpired(now) => {
            session
                .execute(
                    "DELETE FROM account_sessions WHERE expires <= $1",
                    Args::new().time(*now),
                )
                .await?;
            session
                .execute(
                    "DELETE FROM account_tokens WHERE expires <= $1",
                    Args::new().time(*now),
                )
                .await?;
        }
        _ => {}
    }
    Ok(())
}

async fn put_account(session: &mut Session, record: &AccountRecord, replaces: Option<u64>) -> Outcome<()> {
    let account = &record.account;
    let found = version_of(session, &account.id).await?;
    refuse_unless(found == replaces, Commit::Stale)?;
    let sql = "SELECT id FROM accounts WHERE username_key = $1 AND id <> $2";
    let args = Args::new()
        .text(&account.username.key())
        .text(account.id.as_str());
    refuse_unless(session.row(sql, args).await?.is_none(), Commit::UsernameTaken)?;
    if let Some(email) = &account.email {
        let sql = "SELECT id FROM accounts WHERE email_key = $1 AND id <> $2";
        let args = Args::new().text(&email.key()).text(account.id.as_str());
        refuse_unless(session.row(sql, args).await?.is_none(), Commit::EmailTaken)?;
    }
    let sql = "INSERT INTO accounts (id, username, username_key, email, email_key, display_name, phone, about, admin, \
        locked, quota_bytes, created, password, must_change_password, version, search) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
        ON CONFLICT (id) DO UPDATE SET username = $2, username_key = $3, email = $4, email_key = $5, \
        display_name = $6, phone = $7, about = $8, admin = $9, locked = $10, quota_bytes = $11, created = $12, \
        password = $13, must_change_password = $14, version = $15, search = $16";
    let args = Args::new()
        .text(account.id.as_str())
        .text(account.username.as_str())
        .text(&account.username.key())
        .opt_text(account.email.as_ref().map(Email::as_str))
        .opt_text(account.email.as_ref().map(Email::key).as_deref())
        .text(account.display_name.as_str())
        .text(account.phone.as_str())
        .text(account.about.as_str())
        .int(account.admin.into())
        .int(account.locked.into())
        .opt_count(account.quota_bytes)
        .time(account.created)
        .text(record.password.as_str())
        .int(record.must_change_password.into())
        .count(record.version)
        .text(&record.search_text());
    session.execute(sql, args).await?;
    Ok(())
}

async fn put_session(session: &mut Session, new: &SignIn) -> Outcome<()> {
    expect_account(session, &new.account).await?;
    let sql = "INSERT INTO account_sessions (hash, account, purpose, lifetime, created, seen, expires, id, \
        address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let address = new.device.address.map(|address| address.to_string());
    let args = Args::new()
        .blob(new.hash.as_bytes())
        .text(new.account.as_str())
        .text(rows::purpose(new.purpose))
        .text(rows::lifetime(new.lifetime))
        .time(new.created)
        .time(new.seen)
        .time(new.expires)
        .text(&new.id.to_string())
        .opt_text(address.as_deref())
        .text(new.device.user_agent.as_str());
    session.execute(sql, args).await?;
    Ok(())
}

async fn put_token(session: &mut Session, token: &AppToken) -> Outcome<()> {
    expect_account(session, &token.account).await?;
    let sql = "INSERT INTO account_tokens (id, hash, account, name, scopes, created, expires) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args = Args::new()
        .text(&token.id.to_string())
        .blob(token.hash.as_bytes())
        .text(token.account.as_str())
        .text(token.name.as_str())
        .int(token.scopes.bits().into())
        .time(token.created)
        .opt_time(token.expires);
    session.execute(sql, args).await?;
    Ok(())
}

async fn put_group(session: &mut Session, group: &Group) -> Outcome<()> {
    expect_name_free(session, &group.id, &group.name).await?;
    let sql = "INSERT INTO account_groups (id, name, name_key, created) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (id) DO UPDATE SET name = $2, name_key = $3, created = $4";
    let args = Args::new()
        .text(group.id.as_str())
        .text(group.name.as_str())
        .text(&group.name.key())
        .time(group.created);
    session.execute(sql, args).await?;
    Ok(())
}

async fn rename_group(session: &mut Session, group: &GroupId, name: &GroupName) -> Outcome<()> {
    expect_group(session, group).await?;
    expect_name_free(session, group, name).await?;
    let sql = "UPDATE account_groups SET name = $2, name_key = $3 WHERE id = $1";
    let args = Args::new()
        .text(group.as_str())
        .text(name.as_str())
        .text(&name.key());
    session.execute(sql, args).await?;
    Ok(())
}

async fn expect_name_free(session: &mut Session, group: &GroupId, name: &GroupName) -> Outcome<()> {
    let sql = "SELECT id FROM account_groups WHERE name_key = $1 AND id <> $2";
    let args = Args::new().text(&name.key()).text(group.as_str());
    refuse_unless(session.row(sql, args).await?.is_none(), Commit::GroupNameTaken)
}

async fn expect_group(session: &mut Session, group: &GroupId) -> Outcome<()> {
    let sql = "SELECT id FROM account_groups WHERE id = $1";
    let found = session.row(sql, Args::new().text(group.as_str())).await?;
    refuse_unless(found.is_some(), Commit::Stale)
}

async fn join(session: &mut Session, group: &GroupId, account: &AccountId) -> Outcome<()> {
    expect_account(session, account).await?;
    expect_group(session, group).await?;
    let sql = "INSERT INTO account_memberships (account, in_group) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    session
        .execute(sql, Args::new().text(account.as_str()).text(group.as_str()))
        .await?;
    Ok(())
}

async fn end_sessions(session: &mut Session, account: &AccountId, keep: Option<SecretHash>) -> Outcome<()> {
    let args = Args::new().text(account.as_str());
    match keep {
        Some(keep) => {
            let sql = "DELETE FROM account_sessions WHERE account = $1 AND hash <> $2";
            session.execute(sql, args.blob(keep.as_bytes())).await?;
        }
        None => {
            session
                .execute("DELETE FROM account_sessions WHERE account = $1", args)
                .await?;
        }
    }
    Ok(())
}

async fn limit_sessions(session: &mut Session, account: &AccountId, newest: u32) -> Outcome<()> {
    // SQLite knows no OFFSET without a LIMIT; a million is more than the limit lets there be.
    let sql = "DELETE FROM account_sessions WHERE hash IN (SELECT hash FROM account_sessions WHERE account = $1 \
        ORDER BY created DESC, hash DESC LIMIT 1000000 OFFSET $2)";
    session
        .execute(sql, Args::new().text(account.as_str()).int(newest.into()))
        .await?;
    Ok(())
}

async fn version_of(session: &mut Session, account: &AccountId) -> Outcome<Option<u64>> {
    let sql = "SELECT version FROM accounts WHERE id = $1";
    let row = session.row(sql, Args::new().text(account.as_str())).await?;
    row.map(|row| Columns::of(&row).count()).transpose()
}

async fn expect_account(session: &mut Session, account: &AccountId) -> Outcome<()> {
    let found = version_of(session, account).await?;
    refuse_unless(found.is_some(), Commit::Stale)
}

/// Ends the work, and with it everything it did, with this outcome.
fn refuse_unless(holds: bool, outcome: Commit) -> Outcome<()> {
    if holds {
        return Ok(());
    }
    let error =
        Error::new(ErrorKind::Conflict, "the commit of accounts is refused").because(Refused(outcome));
    Err(Failure::Refused(error))
}
