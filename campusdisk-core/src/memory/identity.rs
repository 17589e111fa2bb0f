//! A list of accounts in memory, for tests and for hosts with a fixed set of people.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use crate::{AccountId, Actor, Identity, Result};

/// Knows the actors it was told of.
#[derive(Clone, Debug, Default)]
pub struct MemoryIdentity(Arc<RwLock<HashMap<AccountId, Actor>>>);

impl MemoryIdentity {
    /// Lets an account act, with these groups and roles.
    pub fn admit(&self, actor: Actor) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(actor.account.clone(), actor);
    }

    /// Lets an account act no more.
    pub fn lock(&self, account: &AccountId) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(account);
    }
}

#[async_trait]
impl Identity for MemoryIdentity {
    async fn actor(&self, account: &AccountId) -> Result<Option<Actor>> {
        Ok(self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(account)
            .cloned())
    }
}
