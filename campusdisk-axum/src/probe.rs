//! Parts that `/readyz` asks how they are.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_core::Result;
use campusdisk_core::storage::{BlobStore, HealthFacts, ask_health};

/// A part of the system that can be up or down.
///
/// # Contract
/// * **P1** `check` does the least that shows the part to work, and changes nothing.
/// * **P2** It may be dropped at any time; one that takes too long counts as down.
#[async_trait]
pub trait Probe: fmt::Debug + Send + Sync + 'static {
    /// What the part is called.
    fn name(&self) -> &str;

    /// Whether the whole is down without it.
    fn required(&self) -> bool;

    /// Finds out whether the part works: a store that takes no new bytes does not. [`HealthFacts::well`] says no more than that
    /// it does.
    ///
    /// # Errors
    /// Why it does not.
    async fn check(&self) -> Result<HealthFacts>;
}

/// Whether a store answers and takes new bytes, and what it says of itself.
#[derive(Debug)]
pub struct StoreProbe {
    store: Arc<dyn BlobStore>,
    required: bool,
}

impl StoreProbe {
    /// Asks a store without which the whole goes on: what lies in others can be had.
    pub fn new(store: Arc<dyn BlobStore>) -> Self {
        Self {
            store,
            required: false,
        }
    }

    /// Sets whether the whole is down without the store.
    #[must_use]
    pub fn with_required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }
}

#[async_trait]
impl Probe for StoreProbe {
    fn name(&self) -> &str {
        self.store.info().name.as_str()
    }

    fn required(&self) -> bool {
        self.required
    }

    async fn check(&self) -> Result<HealthFacts> {
        ask_health(&*self.store).await
    }
}
