//! What a host may want to know at once.

use std::fmt;

use campusdisk_core::AccountId;

/// Something this process did to an account. What another process does to it is not told;
/// [`Accounts::is_active`](crate::Accounts::is_active) notices a lock wherever it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountEvent {
    /// It was made.
    Created(AccountId),
    /// Its profile, quota or rank changed.
    Changed(AccountId),
    /// It was shut out; its sessions and tokens are ended, its running transfers must be.
    Locked(AccountId),
    /// It may sign in again.
    Unlocked(AccountId),
    /// It has another password.
    PasswordChanged(AccountId),
}

/// Is told of every [`AccountEvent`] after it is stored.
pub trait AccountListener: fmt::Debug + Send + Sync + 'static {
    /// Runs on the task that made the change, so it must neither block nor fail.
    fn notice(&self, event: &AccountEvent);
}
