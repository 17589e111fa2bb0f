//! Who a session or token belongs to: asked with every request, so answered from memory.

use std::sync::Arc;

use campusdisk_core::{AccountId, Result, Timestamp};

use super::sign_in::lookup_key;
use super::{Accounts, Admitted};
use crate::{
    AccountChange, AccountKey, Credential, CredentialKind, Principal, Proof, Purpose, Scopes, SecretHash,
    Session,
};

impl Accounts {
    /// Who the session with this token belongs to.
    ///
    /// The answer is at most `cache_ttl_ms` old, and never older than a change made through this value.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn authenticate_session(&self, token: &str) -> Result<Option<Arc<Principal>>> {
        let principal = self.resolve(token).await?;
        Ok(principal.filter(|principal| matches!(principal.proof, Proof::Session(_))))
    }

    /// Who this app token belongs to; answered like [`authenticate_session`](Self::authenticate_session).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn authenticate_token(&self, token: &str) -> Result<Option<Arc<Principal>>> {
        let principal = self.resolve(token).await?;
        Ok(principal.filter(|principal| matches!(principal.proof, Proof::Token(_))))
    }

    /// Who this app token belongs to, if its account has this name: what HTTP's Basic scheme sends.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn authenticate_basic(&self, username: &str, token: &str) -> Result<Option<Arc<Principal>>> {
        let principal = self.authenticate_token(token).await?;
        let name = lookup_key(username);
        Ok(principal.filter(|principal| principal.username.key() == name))
    }

    /// Whether the account exists and is not locked. What goes on for long for an account asks this every half second:
    /// with what the answer's age adds, a lock made anywhere ends it within a second.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_active(&self, account: &AccountId) -> Result<bool> {
        if let Some(active) = self.0.active.recall(account) {
            return Ok(active);
        }
        let moment = self.0.active.moment();
        let record = self.store().account(AccountKey::Id(account)).await?;
        let active = record.is_some_and(|record| !record.account.locked);
        self.0.active.note(moment, account.clone(), active);
        Ok(active)
    }

    async fn resolve(&self, token: &str) -> Result<Option<Arc<Principal>>> {
        let (hash, now) = (SecretHash::of(token), self.now());
        if let Some(admitted) = self.0.principals.recall(&hash) {
            return Ok(admitted.if_alive(now));
        }
        let moment = self.0.principals.moment();
        let Some(credential) = self.store().credential(&hash).await? else {
            return Ok(None);
        };
        if let CredentialKind::Session(session) = &credential.kind {
            self.touch(session, now).await;
        }
        let Some(admitted) = admit(credential) else {
            return Ok(None);
        };
        self.0.principals.note(moment, hash, admitted.clone());
        Ok(admitted.if_alive(now))
    }

    /// Notes that a session is used, at most once each interval.
    async fn touch(&self, session: &Session, now: Timestamp) {
        let interval = std::time::Duration::from_secs(self.config().seen_interval_seconds);
        let is_due = session.purpose == Purpose::SignedIn
            && session.expires > now
            && now.since(session.seen) >= interval;
        if !is_due {
            return;
        }
        let expires = session.expiry_used_at(now, self.config());
        let touch = AccountChange::TouchSession {
            hash: session.hash,
            seen: now,
            expires,
        };
        // A session is good without it; the next request tries again.
        if let Err(error) = self.commit(&[touch]).await {
            tracing::warn!(%error, "the last use of a session could not be noted");
        }
    }
}

impl Admitted {
    fn if_alive(self, now: Timestamp) -> Option<Arc<Principal>> {
        self.expires
            .is_none_or(|expires| expires > now)
            .then_some(self.principal)
    }
}

/// Whom a session or token admits; nobody when the account is locked or the session waits for a new password.
fn admit(credential: Credential) -> Option<Admitted> {
    let account = credential.account.account;
    if account.locked {
        return None;
    }
    let (proof, scopes, expires) = match credential.kind {
        CredentialKind::Session(session) => match session.purpose {
            Purpose::SignedIn => (Proof::Session(session.hash), Scopes::ALL, Some(session.expires)),
            Purpose::PasswordChange => return None,
        },
        CredentialKind::Token(token) => (Proof::Token(token.id), token.scopes, token.expires),
    };
    let principal = Principal {
        account: account.id,
        username: account.username,
        admin: account.admin,
        groups: credential.groups,
        scopes,
        proof,
    };
    Some(Admitted {
        principal: Arc::new(principal),
        expires,
    })
}
