//! Parts that `/readyz` asks whether they are there.

use std::fmt;

use async_trait::async_trait;
use campusdisk_core::Result;

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

    /// Finds out whether the part works.
    ///
    /// # Errors
    /// Why it does not.
    async fn check(&self) -> Result<()>;
}
