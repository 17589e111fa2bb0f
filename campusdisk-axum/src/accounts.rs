//! Signing on with the accounts of `campusdisk-accounts`: a session's cookie, or an app token.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use campusdisk_accounts::{Accounts, Page, Principal, Scope as AccountScope};
use campusdisk_core::{AccountId, Actor, ErrorKind, GroupId, Identity};
use http::header;
use http::request::Parts;

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

/// The accounts of `campusdisk-accounts` as the actors that the service asks for by id: makers of shares, and who has a
/// running transfer.
#[derive(Clone, Debug)]
pub struct AccountsIdentity(Accounts);

impl AccountsIdentity {
    /// Answers from these accounts.
    pub fn new(accounts: Accounts) -> Self {
        Self(accounts)
    }

    async fn groups(&self, id: &AccountId) -> campusdisk_core::Result<Vec<GroupId>> {
        let mut groups = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = Page {
                after: after.as_deref(),
                limit: Page::MAX_LIMIT,
            };
            let listed = self.0.groups_of(id, page).await?;
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
        if !self.0.is_active(id).await? {
            return Ok(None);
        }
        let account = match self.0.me(id).await {
            Ok(account) => account,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let actor = Actor::new(account.id, account.display_name.as_str())
            .with_groups(self.groups(id).await?)
            .with_admin(account.admin)
            .with_quota_bytes(account.quota_bytes);
        Ok(Some(actor))
    }
}
