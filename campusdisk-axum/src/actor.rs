//! Who asks: from a request to an actor, with what they may do.

use std::fmt;
#[cfg(feature = "accounts")]
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use campusdisk_core::{Actor, Desk};
use http::StatusCode;
use http::request::Parts;

use crate::error::{Problem, Result};
use crate::state::AppState;

/// Tells who sends a request. A host with its own login supplies its own.
///
/// # Contract
/// * **O1** `identify` returns `None` for who is not signed in, and an error only for who claims to be and is not, or when
///   it can't be found out now.
/// * **O2** It is called for every request that needs somebody, so it should be cheap.
/// * **O3** It decides from the request alone; state changes that a browser was made to send by another site are refused
///   before, wherever a request has cookies and no `Authorization`.
#[async_trait]
pub trait SignOn: fmt::Debug + Send + Sync + 'static {
    /// Who sends the request.
    ///
    /// # Errors
    /// [`Problem::unauthenticated`] for a wrong secret, any other problem when it can't be found out.
    async fn identify(&self, request: &Parts) -> Result<Option<Caller>, Problem>;
}

/// Something that an app token may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// See and fetch.
    Read,
    /// Store, change, delete.
    Write,
    /// Make and end shares.
    Share,
    /// Change the account's profile, password and tokens.
    Account,
    /// Administer.
    Admin,
}

impl Scope {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Share => "share",
            Self::Account => "account",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Who sends a request, and what the way they signed in allows.
#[derive(Clone, Debug)]
pub struct Caller {
    actor: Actor,
    scopes: u8,
    #[cfg(feature = "accounts")]
    principal: Option<Arc<campusdisk_accounts::Principal>>,
}

impl Caller {
    /// Somebody who may do all that their account may.
    pub fn new(actor: Actor) -> Self {
        Self {
            actor,
            scopes: u8::MAX,
            #[cfg(feature = "accounts")]
            principal: None,
        }
    }

    /// Allows these only.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = scopes.into_iter().fold(0, |bits, scope| bits | scope.bit());
        self
    }

    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Refuses what the way they signed in does not allow.
    pub(crate) fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes & scope.bit() != 0 {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "scope_missing",
            format!("the token has not the scope {}", scope.as_str()),
        ))
    }

    /// Refuses who is no administrator, then what the way they signed in does not allow.
    ///
    /// # Errors
    /// 403 `forbidden` or `scope_missing`.
    pub fn require_administrator(&self) -> Result<()> {
        match self.actor.admin {
            true => self.require(Scope::Admin),
            false => Err(Problem::forbidden()),
        }
    }

    /// Remembers what an account proved itself by.
    #[cfg(feature = "accounts")]
    pub(crate) fn with_principal(mut self, principal: Arc<campusdisk_accounts::Principal>) -> Self {
        self.principal = Some(principal);
        self
    }

    /// What an account proved itself by.
    #[cfg(feature = "accounts")]
    pub(crate) fn principal(&self) -> Result<&Arc<campusdisk_accounts::Principal>> {
        self.principal.as_ref().ok_or_else(Problem::unauthenticated)
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        state
            .sign_on()
            .identify(parts)
            .await?
            .ok_or_else(Problem::unauthenticated)
    }
}

/// Somebody who administers, and came in a way that allows it.
#[derive(Clone, Debug)]
pub struct AdminCaller(pub Caller);

impl FromRequestParts<AppState> for AdminCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require_administrator()?;
        Ok(Self(caller))
    }
}

/// Somebody who may or may not be signed in.
pub(crate) struct Anybody(pub(crate) Option<Caller>);

impl FromRequestParts<AppState> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        state.sign_on().identify(parts).await.map(Self)
    }
}

macro_rules! desks {
    ($($(#[$doc:meta])* $name:ident $scope:ident),+) => {$(
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) Desk);

        impl FromRequestParts<AppState> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
                let caller = Caller::from_request_parts(parts, state).await?;
                // Before anything is looked up: a missing scope must not tell what is there.
                caller.require(Scope::$scope)?;
                Ok(Self(state.disk().drive(caller.actor)))
            }
        }
    )+};
}

desks! {
    /// The desk of somebody who may read here.
    Reader Read,
    /// The desk of somebody who may write here.
    Writer Write,
    /// The desk of somebody who may share here.
    Sharer Share
}

#[cfg(test)]
mod tests {
    use campusdisk_core::AccountId;

    use super::*;

    fn caller() -> Caller {
        Caller::new(Actor::new(AccountId::parse("ada").unwrap(), "Ada"))
    }

    #[test]
    fn who_signed_in_without_a_token_may_do_everything() {
        for scope in [
            Scope::Read,
            Scope::Write,
            Scope::Share,
            Scope::Account,
            Scope::Admin,
        ] {
            assert!(caller().require(scope).is_ok());
        }
    }

    #[test]
    fn a_token_may_do_what_it_is_for() {
        let caller = caller().with_scopes([Scope::Read, Scope::Share]);
        assert!(caller.require(Scope::Read).is_ok() && caller.require(Scope::Share).is_ok());
        let problem = caller.require(Scope::Write).unwrap_err();
        assert_eq!(
            (problem.status().as_u16(), problem.kind()),
            (403, "scope_missing")
        );
    }

    #[test]
    fn administration_is_for_administrators_whatever_the_token() {
        let problem = caller().require_administrator().unwrap_err();
        assert_eq!(problem.kind(), "forbidden");
        let actor = Actor::new(AccountId::parse("root").unwrap(), "Root").with_admin(true);
        let token = Caller::new(actor).with_scopes([Scope::Read]);
        assert_eq!(token.require_administrator().unwrap_err().kind(), "scope_missing");
    }
}
