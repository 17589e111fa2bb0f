//! Signing on with the accounts of `campusdisk-accounts`: a session's cookie, or an app token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campusdisk_accounts::{Accounts, Page, Principal, Scope as AccountScope};
use campusdisk_core::{AccountId, Actor, Error, ErrorKind, GroupId, Identity};
use http::header;
use http::request::Parts;
use moka::future::Cache;

use crate::actor::{Caller, Scope, SignOn};
use crate::cookies;
use crate::error::{Problem, Result};

/// Knows who signed in.
#[derive(Clone, Debug)]
pub(crate) struct AccountsSignOn(Accounts);

impl AccountsSignOn {
    pub(crate) fn new(accounts: Accounts) -> Self {
        Self(accounts)
    }

    async fn principal(&self, request: &Parts) -> Result<Option<Arc<Principal>>> {
        if let Some(value) = request.headers.get(header::AUTHORIZATION) {
            // Who shows a token means it: a cookie beside it does not make a wrong one good.
            let value = value.to_str().map_err(|_| Problem::unauthenticated())?;
            return self
                .by_authorization(value)
                .await?
                .ok_or_else(Problem::unauthenticated)
                .map(Some);
        }
        match cookies::read(&request.headers, cookies::SESSION) {
            Some(token) => Ok(self.0.authenticate_session(token).await?),
            None => Ok(None),
        }
    }

    async fn by_authorization(&self, value: &str) -> Result<Option<Arc<Principal>>> {
        let Some((scheme, credentials)) = value.split_once(' ') else {
            return Ok(None);
        };
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(self.0.authenticate_token(credentials).await?);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(None);
        }
        // RFC 7617 §2: a name has no colon, so the first one ends it.
        let pair = STANDARD
            .decode(credentials)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        match pair.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((username, token)) => Ok(self.0.authenticate_basic(username, token).await?),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl SignOn for AccountsSignOn {
    async fn identify(&self, request: &Parts) -> Result<Option<Caller>, Problem> {
        Ok(self.principal(request).await?.map(caller))
    }
}

fn caller(principal: Arc<Principal>) -> Caller {
    let actor = Actor::new(principal.account.clone(), principal.username.as_str())
        .with_groups(principal.groups.clone())
        .with_admin(principal.admin);
    let scopes = [
        (AccountScope::Read, Scope::Read),
        (AccountScope::Write, Scope::Write),
        (AccountScope::Share, Scope::Share),
        (AccountScope::Account, Scope::Account),
        (AccountScope::Admin, Scope::Admin),
    ];
    let scopes = scopes
        .into_iter()
        .filter_map(|(theirs, ours)| principal.may(theirs).then_some(ours));
    Caller::new(actor).with_scopes(scopes).with_principal(principal)
}

/// How long an actor is believed. With the pause between looks at running transfers
/// ([`Policy::watch_period`](campusdisk_core::Policy::watch_period)) it bounds how late a lock made by another process is
/// noticed: well within a second.
const BELIEVED: Duration = Duration::from_millis(250);

const MOST_ACTORS: u64 = 65_536;

/// The accounts of `campusdisk-accounts` as the actors that the service asks for by id: makers of shares, and who has a
/// running transfer. An answer is believed for a quarter of a second.
#[derive(Clone, Debug)]
pub struct AccountsIdentity {
    accounts: Accounts,
    actors: Cache<AccountId, Option<Actor>>,
}

impl AccountsIdentity {
    /// Answers from these accounts.
    pub fn new(accounts: Accounts) -> Self {
        let actors = Cache::builder()
            .max_capacity(MOST_ACTORS)
            .time_to_live(BELIEVED)
            .build();
        Self { accounts, actors }
    }

    /// Asks anew the next time, because the account was changed just now.
    pub async fn forget(&self, account: &AccountId) {
        self.actors.invalidate(account).await;
    }

    async fn look_up(&self, id: &AccountId) -> campusdisk_core::Result<Option<Actor>> {
        let account = match self.accounts.me(id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        if account.locked {
            return Ok(None);
        }
        let actor = Actor::new(account.id, account.display_name.as_str())
            .with_groups(self.groups(id).await?)
            .with_admin(account.admin)
            .with_quota_bytes(account.quota_bytes);
        Ok(Some(actor))
    }

    async fn groups(&self, id: &AccountId) -> campusdisk_core::Result<Vec<GroupId>> {
        let mut groups = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = Page {
                after: after.as_deref(),
                limit: Page::MAX_LIMIT,
            };
            let listed = self.accounts.groups_of(id, page).await?;
            groups.extend(listed.items.into_iter().map(|group| group.id));
            after = listed.next;
            if after.is_none() {
                return Ok(groups);
            }
        }
    }
}

#[async_trait]
impl Identity for AccountsIdentity {
    async fn actor(&self, id: &AccountId) -> campusdisk_core::Result<Option<Actor>> {
        let found = self.actors.try_get_with_by_ref(id, self.look_up(id)).await;
        found.map_err(|error: Arc<Error>| Error::clone(&error))
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_accounts::{
        AccountUpdate, AccountsConfig, AccountsSeams, Administrator, GroupName, MemoryAccountStore,
        NewAccount, Registrant,
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
        let new = NewAccount {
            registrant,
            admin: false,
        };
        let ada = accounts.create(&operator, new).await.unwrap();
        let group = GroupName::parse("mathematics").unwrap();
        let group = accounts.create_group(&operator, group).await.unwrap();
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
        identity.forget(&ada.id).await;
        assert_eq!(identity.actor(&ada.id).await.unwrap(), None);
        let nobody = AccountId::parse("nobody").unwrap();
        assert_eq!(identity.actor(&nobody).await.unwrap(), None);
    }
}
