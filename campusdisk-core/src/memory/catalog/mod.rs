//! The catalog in memory: the contract of [`Catalog`] as plain code.

mod apply;
mod bulk;
mod numbers;
mod read;
mod state;
mod table;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use self::state::State;
use crate::Result;
use crate::catalog::{Catalog, ChangeSet, Committed};

/// A catalog that is gone with the process: for tests and for trying things out.
///
/// One lock serialises everything, so each contract line holds by construction; nothing is durable.
#[derive(Default)]
pub struct MemoryCatalog {
    state: Mutex<State>,
}

impl MemoryCatalog {
    /// An empty catalog.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic in here is a fault of a test; the state was at worst left before its undo, which the next set runs.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for MemoryCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCatalog").finish_non_exhaustive()
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn commit(&self, set: ChangeSet) -> Result<Committed> {
        self.with(|state| {
            state.undo();
            let outcome = state.apply_set(set);
            match outcome {
                Ok(_) => state.keep(),
                Err(_) => state.undo(),
            }
            outcome
        })
    }
}
