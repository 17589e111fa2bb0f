//! Where somebody is signed in, and ending that.

use campusdisk_core::{AccountId, Error, Result};

use super::Accounts;
use crate::{AccountChange, Principal, Proof, Purpose, Session, SessionId};

impl Accounts {
    /// The sessions of an account that live, the newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sessions(&self, account: &AccountId) -> Result<Vec<Session>> {
        let now = self.now();
        let mut sessions = self.store().sessions(account).await?;
        sessions.retain(|session| session.purpose == Purpose::SignedIn && session.expires > now);
        Ok(sessions)
    }

    /// Ends one session of an account. What it is running goes on, as when somebody signs out.
    ///
    /// # Errors
    /// [`NotFound`](campusdisk_core::ErrorKind::NotFound) when the account has no such session.
    pub async fn end_session(&self, account: &AccountId, id: SessionId) -> Result<()> {
        let sessions = self.sessions(account).await?;
        let session = sessions
            .into_iter()
            .find(|session| session.id == id)
            .ok_or_else(Error::not_found)?;
        self.commit(&[AccountChange::EndSession(session.hash)]).await?;
        self.0.principals.forget(&session.hash);
        Ok(())
    }

    /// Ends all sessions of the principal's account but the one it proved itself by; with an app token, all.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_other_sessions(&self, principal: &Principal) -> Result<()> {
        let keep = match principal.proof {
            Proof::Session(hash) => Some(hash),
            Proof::Token(_) => None,
        };
        let account = principal.account.clone();
        self.commit(&[AccountChange::EndSessions { account, keep }])
            .await?;
        self.0.principals.forget_all();
        Ok(())
    }
}
