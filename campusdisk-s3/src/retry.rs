//! How long something is tried again.

use std::time::Duration;

use object_store::{BackoffConfig, RetryConfig};
use tokio::time::Instant;

use crate::S3Config;

/// How long to wait before the second try; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often and since when one thing has been tried.
#[derive(Debug)]
pub(crate) struct Tries {
    max_retries: usize,
    retry_timeout: Duration,
    since: Instant,
    retries: usize,
}

impl Tries {
    pub(crate) fn new(config: &S3Config) -> Self {
        Self {
            max_retries: config.max_retries,
            retry_timeout: config.retry_timeout,
            since: Instant::now(),
            retries: 0,
        }
    }

    /// Waits for the moment of another try; `false` when there were enough.
    pub(crate) async fn again(&mut self) -> bool {
        if self.retries >= self.max_retries || self.since.elapsed() >= self.retry_timeout {
            return false;
        }
        let doublings = u32::try_from(self.retries).unwrap_or(u32::MAX).min(16);
        let pause = FIRST_PAUSE * (1 << doublings);
        // A server that restarts or is overloaded needs some time, and nothing tells when it is back.
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        self.retries += 1;
        true
    }
}

/// The same for requests that the client sends again by itself.
pub(crate) fn of_requests(config: &S3Config) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            max_backoff: LONGEST_PAUSE,
            ..BackoffConfig::default()
        },
        max_retries: config.max_retries,
        retry_timeout: config.retry_timeout,
    }
}

#[cfg(test)]
mod tests {
    use campusdisk_core::storage::StoreName;

    use super::*;

    fn tries(max_retries: usize, retry_timeout: Duration) -> Tries {
        let mut config = S3Config::new(StoreName::parse("primary").unwrap(), "campus");
        config.max_retries = max_retries;
        config.retry_timeout = retry_timeout;
        Tries::new(&config)
    }

    #[tokio::test(start_paused = true)]
    async fn trying_ends_with_the_count_or_with_the_time() {
        let mut counted = tries(3, Duration::from_secs(60));
        let mut timed = tries(1000, Duration::from_secs(10));
        for _ in 0..3 {
            assert!(counted.again().await);
        }
        assert!(!counted.again().await);
        timed.since = Instant::now();
        while timed.again().await {}
        let took = timed.since.elapsed();
        assert!(
            took >= timed.retry_timeout && took < timed.retry_timeout + LONGEST_PAUSE,
            "{took:?}"
        );
    }
}
