//! The conformance suite of mounts, whose objects are written by others: here by a [`MountHarness`].
//!
//! # Example: the suite over the mount in memory
//! ```
//! use campusdisk_testkit::mount::MemoryMountHarness;
//! use campusdisk_testkit::mount_conformance;
//!
//! mount_conformance!(memory, MemoryMountHarness::fresh());
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod cases;
mod memory;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::mount::Mount;

pub use self::memory::MemoryMountHarness;

/// How long a case may take; those of real clusters wait for clocks.
const CASE_TIMEOUT: Duration = Duration::from_secs(120);

/// A mount on an empty root of its own, and somebody else who writes there.
#[async_trait]
pub trait MountHarness: fmt::Debug + Send + Sync + 'static {
    /// The mount under test. The same one on every call.
    fn mount(&self) -> Arc<dyn Mount>;

    /// Writes an object at `path`, in the place of what is there, folders on the way included; in place where that can be done.
    async fn write(&self, path: &str, bytes: Bytes) -> Result<()>;

    /// Deletes the object at `path`.
    async fn delete(&self, path: &str) -> Result<()>;

    /// The bytes of the object at `path`, found without the mount.
    async fn planted(&self, path: &str) -> Result<Option<Bytes>>;
}

/// Runs one case; what [`mount_conformance!`](crate::mount_conformance) expands to.
///
/// # Panics
/// When the case fails or takes longer than its limit.
#[doc(hidden)]
pub async fn run<H: MountHarness>(
    name: &str,
    harness: impl Future<Output = H>,
    case: impl AsyncFnOnce(&dyn MountHarness),
) {
    let harness = harness.await;
    crate::suite::in_time(name, &harness, CASE_TIMEOUT, case(&harness)).await;
}

/// Checks a mount against every rule of its contract: `mount_conformance!(name, expression)` makes a module `name` with one
/// test for each case. See [`mount`](crate::mount).
#[macro_export]
macro_rules! mount_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        $crate::mount_suite! { [$crate::mount_conformance] { @tests $name, $harness } }
    };
    (@tests $name:ident, $harness:expr; $($case:ident)*) => {
        $crate::mount_cases! { $name, $harness, mount; $($case)* }
    };
}

/// The one list of cases of mounts: each named after the rule of the contract it checks.
#[doc(hidden)]
#[macro_export]
macro_rules! mount_suite {
    ([$($callback:tt)+] { $($arguments:tt)* }) => {
        $($callback)+! { $($arguments)*;
            m1_look_finds_the_object_of_now
            m1_what_is_no_object_is_not_found
            m1_other_bytes_of_the_same_length_have_another_mark
            m2_list_finds_every_object_once_as_look_does
            m2_list_keeps_to_its_folder
            m3_every_span_yields_exactly_its_bytes
            m3_a_changed_object_is_changed_for_old_and_new_readers
            m3_a_deleted_object_is_changed
            m3_an_object_replaced_in_mid_read_never_mixes
            m4_a_span_past_the_end_is_corrupt
            m5_nothing_is_made_changed_or_deleted
            m6_one_reader_serves_many_spans_at_once
            m7_info_never_changes
        }
    };
}

#[cfg(test)]
mod tests {
    macro_rules! names {
        (@names; $($case:ident)*) => { [$(stringify!($case)),*] };
    }

    #[test]
    fn every_rule_of_the_contract_has_a_case() {
        let names = crate::mount_suite! { [names] { @names } };
        crate::suite::assert_every_rule_has_a_case('m', 7, &names);
    }
}
