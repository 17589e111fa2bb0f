//! One stop signal for the whole run: Ctrl-C, SIGTERM or the time limit end every wait, so that what was started is
//! stopped on the way out.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static REASON: OnceLock<String> = OnceLock::new();

/// How often a waiting loop looks again.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Starts watching for signals.
///
/// # Errors
/// When the handlers can't be installed.
pub(crate) fn watch() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            request_stop(format!("stopped by signal {signal}"));
        }
    });
    Ok(())
}

/// Asks every wait to end; the first reason is kept.
pub(crate) fn request_stop(reason: String) {
    // A second reason changes nothing: the run is stopping already.
    let _ = REASON.set(reason);
}

/// Why the run is stopping, if it is.
pub(crate) fn stop_reason() -> Option<&'static str> {
    REASON.get().map(String::as_str)
}

/// # Errors
/// When the run has been asked to stop.
pub(crate) fn check() -> Result<()> {
    match stop_reason() {
        Some(reason) => bail!("{reason}"),
        None => Ok(()),
    }
}

/// Stops the whole run when `limit` is over.
pub(crate) fn stop_after(limit: Duration) {
    let end = Instant::now() + limit;
    thread::spawn(move || {
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            thread::sleep(left);
        }
        request_stop(format!(
            "the run took longer than its limit of {} minutes",
            limit.as_secs() / 60
        ));
    });
}
