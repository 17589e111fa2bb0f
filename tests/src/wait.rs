//! Waiting, but not for ever.

use std::time::Duration;

/// How long anything may take before a test counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked whether something came true that nobody tells of.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for a future.
///
/// # Panics
/// When it takes longer than a minute.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(PATIENCE, what, future).await
}

/// Waits until something holds of another process, by looking again and again.
///
/// # Panics
/// When it does not come true within a minute.
pub async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, holds).await;
}

/// As [`until`], with a limit of one's own.
pub(crate) async fn until_within(limit: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    within(limit, what, async {
        while !holds().await {
            // Other processes tell nobody how far they are; who looked without a pause would take the processor from them.
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
}

/// Lets time pass where passing time is the point, as on a slow network.
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let within = tokio::time::timeout(limit, future).await;
    within.unwrap_or_else(|_| panic!("{what} took longer than {limit:?}"))
}
