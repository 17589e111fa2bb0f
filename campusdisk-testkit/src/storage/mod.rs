//! The conformance suite of the storage seam: one list of cases, mounted on every store.
//!
//! A store is mounted by naming a test module and an expression that makes a [`StorageHarness`] on an empty root of its
//! own; the expression may `.await`, and runs once for each case. Every case becomes one `#[tokio::test]`, so the crate
//! that mounts the suite depends on `tokio` with `macros` and `rt-multi-thread`.
//!
//! A store behind a service is mounted in a test target of its own, and its expression panics where the service is
//! missing: a case that did not run never counts as passed.
//!
//! # Example: mounting the suite
//! ```
//! use campusdisk_testkit::storage::MemoryHarness;
//! use campusdisk_testkit::storage_conformance;
//!
//! storage_conformance!(memory, MemoryHarness::fresh());
//! # fn main() {}
//! ```

mod blobs;
#[doc(hidden)]
pub mod cases;
mod memory;
mod wrapped;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::storage::BlobStore;

pub use self::blobs::{fresh_key, key, listed, pattern, put, read};
pub use self::memory::MemoryHarness;
pub use self::wrapped::{Wrap, Wrapped};

/// A store on an empty root of its own, and what the suite must do behind its back.
#[async_trait]
pub trait StorageHarness: fmt::Debug + Send + Sync + 'static {
    /// The store under test. The same one on every call.
    fn store(&self) -> Arc<dyn BlobStore>;

    /// Another store on the same root that shares no memory with the first, as after a restart.
    async fn reopen(&self) -> Result<Arc<dyn BlobStore>>;

    /// Puts an object at `path` under the root without the store, as a stranger with access to it would.
    async fn plant(&self, path: &str, bytes: Bytes) -> Result<()>;

    /// The bytes of the object at `path` under the root, or `None` where there is none, found without the store.
    async fn planted(&self, path: &str) -> Result<Option<Bytes>>;

    /// How many leftovers of unfinished writers lie under the root, counted without the store.
    async fn leftovers(&self) -> Result<u64>;

    /// How much work a case may make of it.
    fn limits(&self) -> StorageLimits;
}

/// How much work a case may make of a store: enough to find faults, little enough to end soon.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StorageLimits {
    /// Length of the blobs that must be longer than every buffer on the way.
    pub big_blob_bytes: usize,
    /// How many blobs are listed where a listing must go on past its first page.
    pub many_blobs: usize,
    /// How many calls run at once where that matters.
    pub calls_at_once: usize,
    /// How long a case may take before it counts as hanging.
    pub case_timeout: Duration,
}

impl Default for StorageLimits {
    fn default() -> Self {
        Self {
            big_blob_bytes: (3 << 20) + 17,
            many_blobs: 1100,
            calls_at_once: 32,
            case_timeout: Duration::from_secs(60),
        }
    }
}

impl StorageLimits {
    /// For a store across a network: 40 blobs at most, 8 calls at once.
    pub fn remote() -> Self {
        Self::default().with_many_blobs(40).with_calls_at_once(8)
    }

    /// Sets the length of big blobs; at least 1 MiB.
    #[must_use]
    pub fn with_big_blob_bytes(mut self, big_blob_bytes: usize) -> Self {
        self.big_blob_bytes = big_blob_bytes.max(1 << 20);
        self
    }

    /// Sets how many blobs are many; at least 20.
    #[must_use]
    pub fn with_many_blobs(mut self, many_blobs: usize) -> Self {
        self.many_blobs = many_blobs.max(20);
        self
    }

    /// Sets how many calls run at once; at least 2.
    #[must_use]
    pub fn with_calls_at_once(mut self, calls_at_once: usize) -> Self {
        self.calls_at_once = calls_at_once.max(2);
        self
    }

    /// Sets how long a case may take.
    #[must_use]
    pub fn with_case_timeout(mut self, case_timeout: Duration) -> Self {
        self.case_timeout = case_timeout;
        self
    }
}

/// Runs one case; what [`storage_conformance!`](crate::storage_conformance) expands to.
///
/// # Panics
/// When the case fails or takes longer than its limit.
#[doc(hidden)]
pub async fn run<H: StorageHarness>(
    name: &str,
    harness: impl Future<Output = H>,
    case: impl AsyncFnOnce(&dyn StorageHarness),
) {
    let harness = harness.await;
    let limit = harness.limits().case_timeout;
    crate::suite::in_time(name, &harness, limit, case(&harness)).await;
}

/// Mounts every case of the storage contract on a store: `storage_conformance!(name, expression)` makes a module `name`
/// with one test for each case. See [`storage`](crate::storage).
#[macro_export]
macro_rules! storage_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        $crate::storage_cases! { [$crate::storage_conformance] { @tests $name, $harness } }
    };
    (@tests $name:ident, $harness:expr; $($case:ident)*) => {
        $crate::mount_cases! { $name, $harness, storage; $($case)* }
    };
}

/// The one list of storage cases: each named after the rule of the contract it checks.
#[doc(hidden)]
#[macro_export]
macro_rules! storage_cases {
    ([$($callback:tt)+] { $($arguments:tt)* }) => {
        $($callback)+! { $($arguments)*;
            b1_an_uncommitted_blob_is_invisible
            b1_an_aborted_blob_never_shows
            b1_a_committed_blob_is_whole_for_everybody
            b1_a_reader_beside_a_commit_sees_nothing_or_all
            b2_commit_of_a_taken_key_changes_nothing
            b2_of_two_open_writers_of_one_key_the_second_commit_fails
            b2_of_commits_at_once_exactly_one_wins
            b3_a_committed_blob_survives_reopening
            b4_delete_of_a_missing_key_counts_as_deleted
            b4_the_report_has_an_entry_for_each_key_in_order
            b4_a_deleted_blob_is_gone_and_others_stay
            b5_every_span_yields_exactly_its_bytes
            b5_a_span_past_the_end_is_corrupt
            b5_a_missing_blob_is_not_found
            b5_a_blob_deleted_in_mid_read_never_ends_short
            b6_one_reader_serves_many_spans_at_once
            b6_a_dropped_body_leaves_the_reader_usable
            b7_an_empty_root_lists_nothing
            b7_list_yields_every_blob_once_in_ascending_order
            b7_list_keeps_to_its_prefix
            b7_list_starts_after_the_given_key
            b7_prefix_and_after_hold_together
            b7_a_listing_goes_on_past_its_first_page
            b7_a_listing_survives_changes_beside_it
            b8_pieces_of_any_size_add_up
            b8_a_big_blob_comes_back_as_written
            b8_the_expected_length_is_a_hint
            b8_a_blob_over_the_limit_is_refused_at_create
            b8_many_writers_work_at_once
            b9_a_dropped_writer_leaves_only_what_tidy_removes
            b9_tidy_spares_open_writers_and_committed_blobs
            b9_a_dropped_write_shows_nothing
            b9_a_dropped_commit_shows_all_or_nothing
            b9_a_dropped_create_leaves_only_what_tidy_removes
            b10_info_and_abilities_never_change
            b11_a_blob_of_another_length_is_corrupt
            b12_a_store_is_claimed_once
            b12_of_claims_at_once_one_wins
            b13_an_empty_blob_is_a_blob
            b14_foreign_objects_stay_untouched
            b15_a_store_that_takes_blobs_says_so
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
        let names = crate::storage_cases! { [names] { @names } };
        crate::suite::assert_every_rule_has_a_case('b', 15, &names);
    }
}
