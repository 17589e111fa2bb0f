//! What administrators do with the accounts of others.

use campusdisk_core::{AccountId, Error, Result};

use super::sign_in::lookup_key;
use super::{Accounts, Listed, Page, listed, page_start};
use crate::account::fold;
use crate::{
    Account, AccountChange, AccountEvent, AccountKey, AccountQuery, AccountRecord, Administrator, Password,
};

/// Longest text that is searched for, in bytes.
const MAX_SEARCH_BYTES: usize = 255;

/// What an administrator changes of an account; what is not named stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountUpdate {
    /// Whether it is shut out.
    pub locked: Option<bool>,
    /// Whether it administers the installation.
    pub admin: Option<bool>,
    /// How much its drive may hold in bytes; inner none for no limit of its own.
    pub quota_bytes: Option<Option<u64>>,
}

/// What a password set by somebody else means at the next sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextSignIn {
    /// Its owner must choose another.
    MustChange,
    /// It is good.
    Keeps,
}

/// What is looked for, as it is compared; an empty text is none.
pub(super) fn searched(search: Option<&str>) -> Result<Option<String>> {
    if search.is_some_and(|text| text.len() > MAX_SEARCH_BYTES) {
        return Err(Error::invalid("search", "is longer than 255 bytes"));
    }
    Ok(search.filter(|text| !text.is_empty()).map(fold))
}

impl Accounts {
    /// The accounts by user name; those that have `search` in their name, display name or address, if it is given.
    ///
    /// # Errors
    /// [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in `limit`, `after` or `search`.
    pub async fn admin_list(
        &self,
        _by: &Administrator,
        search: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listed<Account>> {
        let query = AccountQuery {
            contains: searched(search)?,
            after: page_start(page)?,
            limit: page.limit + 1,
            ..AccountQuery::default()
        };
        self.list(&query, page.limit).await
    }

    pub(super) async fn list(&self, query: &AccountQuery, limit: u32) -> Result<Listed<Account>> {
        let records = self.store().accounts(query).await?;
        let accounts = records.into_iter().map(|record| record.account).collect();
        Ok(listed(accounts, limit, |account: &Account| {
            account.username.key()
        }))
    }

    /// One account.
    ///
    /// # Errors
    /// [`NotFound`](campusdisk_core::ErrorKind::NotFound) when there is none.
    pub async fn admin_get(&self, _by: &Administrator, account: &AccountId) -> Result<Account> {
        self.me(account).await
    }

    /// The account with this user name.
    ///
    /// # Errors
    /// [`NotFound`](campusdisk_core::ErrorKind::NotFound) when there is none.
    pub async fn admin_find(&self, _by: &Administrator, username: &str) -> Result<Account> {
        let key = lookup_key(username);
        let record = self.store().account(AccountKey::Username(&key)).await?;
        record.map(|record| record.account).ok_or_else(Error::not_found)
    }

    /// Changes an account. Locking ends its sessions and tokens for ever.
    ///
    /// # Errors
    /// * [`NotFound`](campusdisk_core::ErrorKind::NotFound) when there is no such account
    /// * [`Denied`](campusdisk_core::ErrorKind::Denied) when the installation would be left without an administrator who can sign in
    /// * [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in `quota_bytes` from 2^63 on
    pub async fn admin_update(
        &self,
        _by: &Administrator,
        account: &AccountId,
        update: AccountUpdate,
    ) -> Result<Account> {
        if update
            .quota_bytes
            .flatten()
            .is_some_and(|bytes| i64::try_from(bytes).is_err())
        {
            return Err(Error::invalid("quota_bytes", "must be below 2^63"));
        }
        let (before, after) = self.revise(account, |record| Ok(apply(record, update))).await?;
        let id = after.account.id.clone();
        self.tell(&match (before.account.locked, after.account.locked) {
            (false, true) => AccountEvent::Locked(id),
            (true, false) => AccountEvent::Unlocked(id),
            _ => AccountEvent::Changed(id),
        });
        Ok(after.account)
    }

    /// Sets somebody's password and ends their sessions.
    ///
    /// # Errors
    /// * [`NotFound`](campusdisk_core::ErrorKind::NotFound) when there is no such account
    /// * [`InvalidInput`](campusdisk_core::ErrorKind::InvalidInput) in the field `new` when the password breaks a rule
    pub async fn admin_set_password(
        &self,
        _by: &Administrator,
        account: &AccountId,
        new: &str,
        next: NextSignIn,
    ) -> Result<()> {
        let new = Password::choose("new", new)?;
        // Asked before the password is hashed: an unknown account should cost little.
        self.record(account).await?;
        let password = self.0.hashing.hash(&new).await?;
        let edit = |record: &mut AccountRecord| {
            record.password = password.clone();
            record.must_change_password = next == NextSignIn::MustChange;
            Ok(vec![AccountChange::EndSessions {
                account: record.account.id.clone(),
                keep: None,
            }])
        };
        let (_, after) = self.revise(account, edit).await?;
        self.tell(&AccountEvent::PasswordChanged(after.account.id));
        Ok(())
    }
}

/// Applies an update to a record; returns what else must hold or change with it.
fn apply(record: &mut AccountRecord, update: AccountUpdate) -> Vec<AccountChange> {
    let account = &mut record.account;
    let could_administer = account.admin && !account.locked;
    let was_locked = account.locked;
    account.locked = update.locked.unwrap_or(account.locked);
    account.admin = update.admin.unwrap_or(account.admin);
    account.quota_bytes = update.quota_bytes.unwrap_or(account.quota_bytes);
    let mut further = Vec::new();
    let can_administer = account.admin && !account.locked;
    if could_administer && !can_administer {
        further.push(AccountChange::ExpectOtherAdministrator(account.id.clone()));
    }
    if account.locked && !was_locked {
        further.push(AccountChange::EndSessions {
            account: account.id.clone(),
            keep: None,
        });
        further.push(AccountChange::EndTokens(account.id.clone()));
    }
    further
}
