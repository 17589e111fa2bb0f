//! Room on the disk: what was measured must be gone before the next measure.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::net;

/// DataNodes hear of a deletion by their next heartbeats.
const LIMIT: Duration = Duration::from_secs(60);

/// Emptied folders stay, and logs of servers grow.
const SLACK_BYTES: u64 = 16 << 20;

/// How many bytes lie below `folder`.
///
/// # Errors
/// When it can't be read.
pub(crate) fn used_bytes(folder: &Path) -> Result<u64> {
    let output = Command::new("du").arg("-sb").arg(folder).output()?;
    // What vanishes while it looks makes it fail, but it tells a sum all the same.
    let said = String::from_utf8_lossy(&output.stdout);
    let bytes = said
        .split_whitespace()
        .next()
        .and_then(|bytes| bytes.parse().ok());
    bytes.with_context(|| {
        format!(
            "du of {}: {}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// Waits until `folder` has no more than `before_bytes` again.
///
/// # Errors
/// When it stays full.
pub(crate) fn await_free(folder: &Path, before_bytes: u64) -> Result<()> {
    net::wait_until("the room of what was deleted", LIMIT, || {
        Ok(used_bytes(folder)? <= before_bytes + SLACK_BYTES)
    })
}

/// Runs a measure of a program that prints MB/s, whose bytes `delete` takes away.
///
/// # Errors
/// When one of them fails or prints something else.
pub(crate) fn measured(
    folder: &Path,
    put: &dyn Fn() -> Result<f64>,
    delete: &dyn Fn() -> Result<()>,
) -> Result<f64> {
    let before_bytes = used_bytes(folder)?;
    let speed = put()?;
    ensure!(
        used_bytes(folder)? > before_bytes,
        "nothing was stored in {}",
        folder.display()
    );
    delete()?;
    await_free(folder, before_bytes)?;
    Ok(speed)
}
