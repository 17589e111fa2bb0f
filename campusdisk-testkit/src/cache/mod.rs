//! The conformance suite of caches, each on a footing that a [`CacheHarness`] makes.
//!
//! # Example: the suite over the cache in memory
//! ```
//! use campusdisk_testkit::cache::MemoryCacheHarness;
//! use campusdisk_testkit::cache_conformance;
//!
//! cache_conformance!(memory, MemoryCacheHarness::fresh());
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
use campusdisk_core::ChunkCache;

pub use self::memory::MemoryCacheHarness;

/// How long a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// A cache with nothing in it.
#[async_trait]
pub trait CacheHarness: fmt::Debug + Send + Sync + 'static {
    /// The cache under test. The same one on every call.
    fn cache(&self) -> Arc<dyn ChunkCache>;

    /// How many bytes of chunks it holds at most: room for some chunks of 1 MiB, and so little that the suite can fill it several times over, such
    /// as 8 MiB.
    fn limit_bytes(&self) -> u64;

    /// Waits until all that was to be kept so far is there, or was dropped.
    async fn settle(&self);
}

/// Runs one case; what [`cache_conformance!`](crate::cache_conformance) expands to.
///
/// # Panics
/// When the case fails or takes longer than its limit.
#[doc(hidden)]
pub async fn run<H: CacheHarness>(
    name: &str,
    harness: impl Future<Output = H>,
    case: impl AsyncFnOnce(&dyn CacheHarness),
) {
    let harness = harness.await;
    crate::suite::in_time(name, &harness, CASE_TIMEOUT, case(&harness)).await;
}

/// Checks a cache against every rule of its contract: `cache_conformance!(name, expression)` makes a module `name` with one
/// test for each case. See [`cache`](crate::cache).
#[macro_export]
macro_rules! cache_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        $crate::cache_suite! { [$crate::cache_conformance] { @tests $name, $harness } }
    };
    (@tests $name:ident, $harness:expr; $($case:ident)*) => {
        $crate::mount_cases! { $name, $harness, cache; $($case)* }
    };
}

/// The one list of cases of caches: each named after the rule of the contract it checks.
#[doc(hidden)]
#[macro_export]
macro_rules! cache_suite {
    ([$($callback:tt)+] { $($arguments:tt)* }) => {
        $($callback)+! { $($arguments)*;
            h1_what_was_kept_comes_back_whole
            h1_an_empty_chunk_is_a_chunk
            h1_what_was_not_kept_is_not_there
            h1_contents_and_numbers_do_not_mix
            h1_the_same_chunk_may_be_kept_again
            h1_many_at_once_do_not_mix
            h1_a_call_that_is_dropped_harms_no_other
            h2_every_call_ends_soon_when_there_is_no_room_left
            h3_no_more_bytes_are_held_than_the_limit
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
        let names = crate::cache_suite! { [names] { @names } };
        crate::suite::assert_every_rule_has_a_case('h', 3, &names);
    }
}
