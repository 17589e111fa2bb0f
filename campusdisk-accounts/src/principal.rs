//! Who a request acts for, once its session or token is known.

use campusdisk_core::{AccountId, GroupId};

use crate::{Scope, Scopes, SecretHash, TokenId, Username};

/// An account that proved itself, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub account: AccountId,
    /// Its user name.
    pub username: Username,
    /// Whether it administers the installation; see [`may_administer`](Self::may_administer).
    pub admin: bool,
    /// The groups it is in.
    pub groups: Vec<GroupId>,
    /// What the proof allows.
    pub scopes: Scopes,
    /// The proof.
    pub proof: Proof,
}

/// What an account proved itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A session, by the hash of its token.
    Session(SecretHash),
    /// An app token.
    Token(TokenId),
}

impl Principal {
    /// Whether what it was proved by allows `scope`. For [`Scope::Admin`] ask [`may_administer`](Self::may_administer).
    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether it may administer: the account is an administrator, and the proof allows it.
    pub const fn may_administer(&self) -> bool {
        self.admin && self.may(Scope::Admin)
    }

    /// Proof that it may administer.
    pub const fn administrator(&self) -> Option<Administrator> {
        if self.may_administer() {
            Some(Administrator(()))
        } else {
            None
        }
    }
}

/// Proof that whoever asks may administer accounts.
#[derive(Clone, Copy, Debug)]
pub struct Administrator(());

impl Administrator {
    /// Whoever runs commands on the installation's own database: it obeys them anyway.
    pub const fn operator() -> Self {
        Self(())
    }
}
