//! Core's view of accounts: who may act now.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use campusdisk_accounts::{AccountEvent, AccountListener, Accounts, Administrator, Page};
use campusdisk_core::{AccountId, Actor, CampusDisk, Error, ErrorKind, Identity, Result};
use moka::future::Cache;

/// How long an actor is believed. With the pause between looks at running transfers (`policy.watch_period_ms`) it bounds
/// how late a lock made by another process is noticed: within a second.
const BELIEVED: Duration = Duration::from_millis(400);

const MOST_ACTORS: u64 = 65_536;

/// The accounts as actors.
#[derive(Clone, Debug)]
pub(crate) struct AccountsIdentity {
    accounts: Accounts,
    actors: Cache<AccountId, Option<Actor>>,
}

impl AccountsIdentity {
    pub(crate) fn new(accounts: Accounts) -> Self {
        let actors = Cache::builder()
            .max_capacity(MOST_ACTORS)
            .time_to_live(BELIEVED)
            .build();
        Self { accounts, actors }
    }

    async fn look_up(&self, account: &AccountId) -> Result<Option<Actor>> {
        let found = match self.accounts.admin_get(&Administrator::operator(), account).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        if found.locked {
            return Ok(None);
        }
        let mut groups = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = Page {
                after: after.as_deref(),
                limit: Page::MAX_LIMIT,
            };
            let listed = self.accounts.groups_of(account, page).await?;
            groups.extend(listed.items.into_iter().map(|group| group.id));
            after = listed.next;
            if after.is_none() {
                break;
            }
        }
        let actor = Actor::new(found.id, found.display_name.as_str())
            .with_groups(groups)
            .with_admin(found.admin)
            .with_quota_bytes(found.quota_bytes);
        Ok(Some(actor))
    }
}

#[async_trait]
impl Identity for AccountsIdentity {
    async fn actor(&self, account: &AccountId) -> Result<Option<Actor>> {
        let found = self
            .actors
            .try_get_with_by_ref(account, self.look_up(account))
            .await;
        found.map_err(|error: Arc<Error>| Error::clone(&error))
    }
}

/// Ends running transfers at once when this process locks an account, rather than at the next look.
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
            identity.actors.invalidate(&account).await;
            disk.look_after_transfers().await;
        });
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_accounts::{
        AccountUpdate, AccountsConfig, AccountsSeams, GroupName, MemoryAccountStore, NewAccount, Registrant,
    };
    use campusdisk_core::{RandomIds, SystemClock};

    use super::*;

    #[tokio::test]
    async fn an_actor_has_its_groups_and_is_gone_once_locked() {
        let seams = AccountsSeams {
            store: Arc::new(MemoryAccountStore::default()),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        };
        let accounts = Accounts::new(seams, AccountsConfig::default()).unwrap();
        let operator = Administrator::operator();
        let registrant = Registrant {
            username: "ada",
            password: "difference engine",
            email: None,
        };
        let ada = accounts
            .create(
                &operator,
                NewAccount {
                    registrant,
                    admin: false,
                },
            )
            .await
            .unwrap();
        let group = accounts
            .create_group(&operator, GroupName::parse("mathematics").unwrap())
            .await
            .unwrap();
        accounts.add_member(&operator, &group.id, &ada.id).await.unwrap();

        let identity = AccountsIdentity::new(accounts.clone());
        let actor = identity.actor(&ada.id).await.unwrap().unwrap();
        assert_eq!(
            (actor.groups, actor.display_name, actor.admin),
            (vec![group.id], "ada".to_owned(), false)
        );

        let lock = AccountUpdate {
            locked: Some(true),
            ..AccountUpdate::default()
        };
        accounts.admin_update(&operator, &ada.id, lock).await.unwrap();
        identity.actors.invalidate_all();
        assert_eq!(identity.actor(&ada.id).await.unwrap(), None);
        assert_eq!(
            identity
                .actor(&AccountId::parse("nobody").unwrap())
                .await
                .unwrap(),
            None
        );
    }
}
