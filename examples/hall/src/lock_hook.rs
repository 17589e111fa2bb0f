//! What a lock does at once.

use campusdisk_accounts::{AccountEvent, AccountListener};
use campusdisk_axum::AccountsIdentity;
use campusdisk_core::CampusDisk;

/// Ends running transfers when this process locks an account, rather than at the next look.
#[derive(Debug)]
pub(crate) struct LockHook {
    pub(crate) identity: AccountsIdentity,
    pub(crate) disk: CampusDisk,
}

impl AccountListener for LockHook {
    fn notice(&self, event: &AccountEvent) {
        let AccountEvent::Locked(account) = event else {
            return;
        };
        let (identity, disk, account) = (self.identity.clone(), self.disk.clone(), account.clone());
        tokio::spawn(async move {
            identity.forget(&account).await;
            disk.look_after_transfers().await;
        });
    }
}
