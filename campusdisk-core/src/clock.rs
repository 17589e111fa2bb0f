//! Time as a seam: instants in whole milliseconds since 1970, and the clock that tells them.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 instant with any offset; what is finer than a millisecond is cut off.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) in `field` when `text` is no such instant.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        let parsed: jiff::Timestamp = text.parse().map_err(|cause| {
            Error::invalid(field, "is no RFC 3339 time such as 2026-09-01T08:00:00Z").because(cause)
        })?;
        Ok(Self(parsed.as_millisecond()))
    }

    /// This point as whole seconds, as HTTP dates have them (RFC 9110 §5.6.7).
    pub const fn floor_to_second(self) -> Self {
        Self(self.0.div_euclid(1000) * 1000)
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// Tells the time of day. Lengths of waits come from the runtime's own timer, not from here.
///
/// # Contract
/// * **K1** `now` does no I/O and never blocks.
/// * **K2** Two calls may return the same instant, and a later call an earlier one when the operator sets the clock:
///   nothing may depend on order.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_and_writes_as_rfc_3339() {
        let parsed = Timestamp::parse("expires", "2026-09-01T08:00:00.250+08:00").unwrap();
        assert_eq!(parsed.to_string(), "2026-09-01T00:00:00.250Z");
        assert_eq!(parsed.floor_to_second().to_string(), "2026-09-01T00:00:00.000Z");
        assert!(Timestamp::parse("expires", "tomorrow").is_err());
    }
}
