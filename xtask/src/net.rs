//! Ports and readiness.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::interrupt::{self, POLL_INTERVAL};

/// Listening ports are taken from here. Above 32767 an outgoing connection may hold the port at any moment.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of the loopback address that was free a moment ago and that this process hands out once.
///
/// # Errors
/// When no port of the range is free.
pub(crate) fn free_port() -> Result<u16> {
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    // Different processes start at different places, so that they rarely try the same port.
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos());
    let width = u32::from(PORTS.end - PORTS.start);
    let start = nanos.wrapping_add(std::process::id().wrapping_mul(7919)) % width;
    for step in 0..width {
        let port = PORTS.start + u16::try_from((start + step) % width).context("a port below 32,000 fits")?;
        if !handed_out.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            handed_out.insert(port);
            return Ok(port);
        }
    }
    bail!(
        "no free port between {} and {} on the loopback address",
        PORTS.start,
        PORTS.end
    )
}

/// The body of a successful GET, or nothing where the server doesn't answer 200 within two seconds.
pub(crate) fn http_get(url: &str) -> Option<String> {
    let config = ureq::config::Config::builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .build();
    let mut response = ureq::Agent::new_with_config(config).get(url).call().ok()?;
    (response.status() == 200)
        .then(|| response.body_mut().read_to_string().ok())
        .flatten()
}

/// Waits until `ready` says so; `alive` is asked in between and names what died.
///
/// # Errors
/// When `limit` is over, `alive` fails, or the run is asked to stop.
pub(crate) fn wait_ready(
    what: &str,
    limit: Duration,
    mut ready: impl FnMut() -> bool,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<Duration> {
    let started = Instant::now();
    wait_until(what, limit, || {
        let is_ready = ready();
        if !is_ready {
            alive()?;
        }
        Ok(is_ready)
    })?;
    Ok(started.elapsed())
}

/// Waits until `done` says so.
///
/// # Errors
/// What `done` fails with; when `limit` is over or the run is asked to stop.
pub(crate) fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !done()? {
        interrupt::check()?;
        if started.elapsed() > limit {
            bail!("{what} was not ready within {} s", limit.as_secs());
        }
        // Nothing tells when another process has got there, so it is asked again and again.
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::free_port;

    #[test]
    fn ports_are_handed_out_once_and_below_the_range_of_outgoing_connections() {
        let mut ports: Vec<u16> = (0..20).map(|_| free_port().unwrap()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        assert!(ports.iter().all(|port| *port < 32_768));
    }
}
