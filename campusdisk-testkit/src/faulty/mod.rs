//! Faults on purpose: a store that fails the call it is told to, and loops that try every place a fault can hit.
//!
//! # Example: every place where putting a blob can fail
//! ```
//! use std::sync::Arc;
//! use campusdisk_core::ErrorKind;
//! use campusdisk_core::storage::BlobStore;
//! use campusdisk_testkit::faulty::{Fault, FaultyStore, anomaly_loop};
//! use campusdisk_testkit::storage::{MemoryHarness, StorageHarness, key, listed, pattern, put};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let faults = anomaly_loop(
//!     Fault::Before(ErrorKind::Unavailable),
//!     async |faults| FaultyStore::new(MemoryHarness::fresh().store(), faults),
//!     async |store| put(store, &key("a", 1), pattern(1, 10)).await.map(drop),
//!     async |store, outcome| {
//!         let blobs = listed(store, "", None).await.unwrap();
//!         assert_eq!(blobs.len(), usize::from(outcome.is_ok()));
//!     },
//! )
//! .await;
//! assert_eq!(faults, 3, "create, write and commit failed once each");
//! # }
//! ```

mod anomaly;
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use campusdisk_core::{Error, ErrorKind};

pub use self::anomaly::anomaly_loop;
pub use self::store::{FaultyStore, ToldHealth};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It did nothing and says so.
    Before(ErrorKind),
    /// It did all it should, but its answer is lost: a commit that did happen, a piece that arrived before the body broke.
    After(ErrorKind),
    /// It did half of it: half the bytes of a write or a piece, half the keys of a delete, whose report says so. Where there
    /// are no halves, as [`After`](Self::After).
    HalfWay(ErrorKind),
    /// It did nothing and never answers.
    Hang,
}

impl Fault {
    /// The error the call fails with.
    ///
    /// # Panics
    /// For [`Hang`](Self::Hang), which has none.
    pub fn error(self, op: &'static str) -> Error {
        let kind = match self {
            Self::Before(kind) | Self::After(kind) | Self::HalfWay(kind) => kind,
            Self::Hang => panic!("a call that hangs does not fail"),
        };
        Error::new(kind, "this call was told to fail").during(op)
    }
}

/// Counts the calls of a store, or of several seams together, and says which one fails. Clones are the same one.
///
/// Calls are counted in the order they begin; with calls at once the order is the scheduler's.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: u64,
    calls_of: BTreeMap<&'static str, u64>,
    plan: Option<Plan>,
    fired: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Only calls of this name count, or all.
    op: Option<&'static str>,
    /// How many more calls pass unharmed.
    pass: u64,
    /// How many calls fail then.
    times: u64,
    fault: Fault,
}

impl Faults {
    /// Nothing fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, the `nth` call fails; 1 is the next one. Replaces what was planned before.
    pub fn fail_nth(&self, nth: u64, fault: Fault) {
        self.plan(None, nth, 1, fault);
    }

    /// From now on, the `nth` call named `op` fails: one of the names in [`ops`].
    pub fn fail_nth_of(&self, op: &'static str, nth: u64, fault: Fault) {
        self.plan(Some(op), nth, 1, fault);
    }

    /// From now on, the next `times` calls named `op` fail.
    pub fn fail_next_of(&self, op: &'static str, times: u64, fault: Fault) {
        self.plan(Some(op), 1, times, fault);
    }

    /// From now on, everything fails, as when the store is down.
    pub fn fail_all(&self, fault: Fault) {
        self.plan(None, 1, u64::MAX, fault);
    }

    /// Nothing fails any more.
    pub fn disarm(&self) {
        self.state().plan = None;
    }

    /// How many calls began.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many calls of this name began.
    pub fn calls_of(&self, op: &'static str) -> u64 {
        self.state().calls_of.get(op).copied().unwrap_or(0)
    }

    /// The names of the calls that failed as told, in order.
    pub fn fired(&self) -> Vec<&'static str> {
        self.state().fired.clone()
    }

    /// Counts a call named `op` and says how it fails, if it does. For wrappers of other seams too.
    pub fn strike(&self, op: &'static str) -> Option<Fault> {
        let mut state = self.state();
        state.calls += 1;
        *state.calls_of.entry(op).or_default() += 1;
        let plan = state
            .plan
            .as_mut()
            .filter(|plan| plan.op.is_none_or(|wanted| wanted == op))?;
        if plan.pass > 0 {
            plan.pass -= 1;
            return None;
        }
        let fault = plan.fault;
        plan.times -= 1;
        if plan.times == 0 {
            state.plan = None;
        }
        state.fired.push(op);
        Some(fault)
    }

    fn plan(&self, op: Option<&'static str>, nth: u64, times: u64, fault: Fault) {
        self.state().plan = (times > 0).then_some(Plan {
            op,
            pass: nth.saturating_sub(1),
            times,
            fault,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of the calls of a store, as [`Faults`] counts them.
pub mod ops {
    /// `BlobStore::claim`.
    pub const CLAIM: &str = "claim";
    /// `BlobStore::create`.
    pub const CREATE: &str = "create";
    /// `BlobWriter::write`.
    pub const WRITE: &str = "write";
    /// `BlobWriter::commit`.
    pub const COMMIT: &str = "commit";
    /// `BlobWriter::abort`.
    pub const ABORT: &str = "abort";
    /// `BlobStore::open`.
    pub const OPEN: &str = "open";
    /// `BlobReader::read`.
    pub const READ: &str = "read";
    /// One piece of a body, or its end.
    pub const PIECE: &str = "piece";
    /// `BlobStore::delete`.
    pub const DELETE: &str = "delete";
    /// One blob of a listing, or its end.
    pub const LIST: &str = "list";
    /// `BlobStore::tidy`.
    pub const TIDY: &str = "tidy";
    /// `StoreHealth::health`.
    pub const HEALTH: &str = "health";
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Fault = Fault::Before(ErrorKind::Unavailable);

    #[test]
    fn the_call_that_was_asked_for_fails_and_only_that_one() {
        let faults = Faults::new();
        faults.fail_nth_of(ops::WRITE, 2, DOWN);
        let struck: Vec<_> = [ops::WRITE, ops::READ, ops::WRITE, ops::WRITE]
            .map(|op| faults.strike(op).is_some())
            .into();
        assert_eq!(struck, [false, false, true, false]);
        assert_eq!((faults.calls(), faults.calls_of(ops::WRITE)), (4, 3));
        assert_eq!(faults.fired(), [ops::WRITE]);
    }

    #[test]
    fn a_store_that_is_down_stays_down_until_it_is_disarmed() {
        let faults = Faults::new();
        faults.fail_all(DOWN);
        assert!((0..5).all(|_| faults.strike(ops::READ) == Some(DOWN)));
        faults.disarm();
        assert_eq!(faults.strike(ops::READ), None);
    }
}
