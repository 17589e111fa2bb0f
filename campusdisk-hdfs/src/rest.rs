//! A way that did not work, left alone for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long it is left alone.
const REST: Duration = Duration::from_secs(60);

/// Whether one way of speaking to the cluster is to be used now.
#[derive(Debug, Default)]
pub(crate) struct Rest(Mutex<Option<Instant>>);

impl Rest {
    /// Asks for not using it for a while.
    pub(crate) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }

    /// Whether it is not to be used now.
    pub(crate) fn lasts(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rest_ends() {
        let rest = Rest::default();
        assert!(!rest.lasts());
        rest.begin();
        tokio::time::advance(REST - Duration::from_millis(1)).await;
        assert!(rest.lasts());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!rest.lasts());
    }
}
