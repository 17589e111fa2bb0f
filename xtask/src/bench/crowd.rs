//! A crowd of slow downloads: what it costs in memory, and whether it slows a fast one.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::comparison::{Comparison, Unit};
use super::hall::Hall;
use super::load;
use super::setting::Setting;
use super::slow::Readers;
use crate::interrupt::{self, POLL_INTERVAL};

const CROWD: Readers = Readers {
    count: 1000,
    rate_bytes: 64 << 10,
};

/// For how long memory is looked at.
const LOOK: Duration = Duration::from_secs(20);

/// What part of its speed a fast download must keep beside the crowd.
const LEAST_KEPT: f64 = 0.8;

/// The most memory that the hall, started anew, has resident above what it had before while a crowd downloads `url`.
pub(crate) fn memory(hall: &Hall, url: &str, place: &str, most_megabytes: f64) -> Result<Comparison> {
    hall.restart()?;
    hall.forget_peak()?;
    let idle = hall.peak_megabytes()?;
    CROWD.during(url, hall.authorization(), || {
        let started = Instant::now();
        while started.elapsed() < LOOK {
            interrupt::check()?;
            // Nothing is waited for: memory is looked at while time passes.
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    })?;
    let above = hall.peak_megabytes()? - idle;
    let comparison = Comparison::with_limit(
        format!(
            "resident memory above {idle:.0} MB when idle, with {} concurrent downloads of {place} at 64 KiB/s each",
            CROWD.count
        ),
        Unit::Megabytes,
        most_megabytes,
        ("hall", vec![above]),
    );
    println!("{}", comparison.line());
    Ok(comparison)
}

/// One curl beside the crowd, and alone.
pub(crate) fn fast_one(setting: &Setting<'_>, hall: &Hall, url: &str) -> Result<Comparison> {
    let alone = || load::download(url, hall.authorization(), setting.large_bytes());
    let beside = || CROWD.during(url, hall.authorization(), alone);
    setting.compare(
        &format!(
            "download of {}, one curl, beside slow readers",
            setting.large_name()
        ),
        Unit::MegabytesPerSecond,
        LEAST_KEPT,
        ("hall, 1,000 readers of 64 KiB/s", &beside),
        ("hall, nobody else", &alone),
    )
}
