//! A way that did not work, left alone for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long it is left alone, unless said otherwise.
const REST: Duration = Duration::from_secs(60);

/// Whether one way of speaking to the cluster is to be used now.
#[derive(Debug)]
pub(crate) struct Rest {
    /// How long it is left alone.
    duration: Duration,
    until: Mutex<Option<Instant>>,
}

impl Rest {
    pub(crate) fn new(duration: Duration) -> Self {
        Self {
            duration,
            until: Mutex::default(),
        }
    }

    /// Asks for not using it for a while.
    pub(crate) fn begin(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + self.duration);
    }

    /// Whether it is not to be used now.
    pub(crate) fn lasts(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

impl Default for Rest {
    fn default() -> Self {
        Self::new(REST)
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
