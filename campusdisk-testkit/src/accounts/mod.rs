//! The conformance suite of the store of accounts: one list of cases, mounted on every store.
//!
//! A store is mounted by naming a test module and an expression that makes an [`AccountsHarness`] on an empty store of
//! its own; the expression may `.await`, and runs once for each case. Every case becomes one `#[tokio::test]`, so the
//! crate that mounts the suite depends on `tokio` with `macros` and `rt-multi-thread`.
//!
//! # Example: mounting the suite
//! ```
//! use campusdisk_testkit::accounts::MemoryAccountsHarness;
//! use campusdisk_testkit::accounts_conformance;
//!
//! accounts_conformance!(memory, MemoryAccountsHarness::default());
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod cases;
mod made;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use campusdisk_accounts::{AccountStore, MemoryAccountStore};
use campusdisk_core::Result;

/// How long a case may take before it counts as hanging.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// An empty store of its own.
#[async_trait]
pub trait AccountsHarness: fmt::Debug + Send + Sync + 'static {
    /// The store under test. The same one on every call.
    fn store(&self) -> Arc<dyn AccountStore>;

    /// Another store on the same data that shares no memory with the first, as after a restart. A store that keeps
    /// nothing returns itself.
    async fn reopen(&self) -> Result<Arc<dyn AccountStore>>;
}

/// The store in memory.
#[derive(Debug, Default)]
pub struct MemoryAccountsHarness(Arc<MemoryAccountStore>);

#[async_trait]
impl AccountsHarness for MemoryAccountsHarness {
    fn store(&self) -> Arc<dyn AccountStore> {
        self.0.clone()
    }

    async fn reopen(&self) -> Result<Arc<dyn AccountStore>> {
        Ok(self.0.clone())
    }
}

/// Runs one case; what [`accounts_conformance!`](crate::accounts_conformance) expands to.
///
/// # Panics
/// When the case fails or takes longer than a minute.
#[doc(hidden)]
pub async fn run<H: AccountsHarness>(
    name: &str,
    harness: impl Future<Output = H>,
    case: impl AsyncFnOnce(&dyn AccountsHarness),
) {
    let harness = harness.await;
    crate::suite::in_time(name, &harness, CASE_TIMEOUT, case(&harness)).await;
}

/// Mounts every case of the contract on a store of accounts: `accounts_conformance!(name, expression)` makes a module
/// `name` with one test for each case. See [`accounts`](crate::accounts).
#[macro_export]
macro_rules! accounts_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        $crate::accounts_cases! { [$crate::accounts_conformance] { @tests $name, $harness } }
    };
    (@tests $name:ident, $harness:expr; $($case:ident)*) => {
        $crate::mount_cases! { $name, $harness, accounts; $($case)* }
    };
}

/// The one list of cases: each named after the rule of the contract it checks.
#[doc(hidden)]
#[macro_export]
macro_rules! accounts_cases {
    ([$($callback:tt)+] { $($arguments:tt)* }) => {
        $($callback)+! { $($arguments)*;
            a1_a_refused_commit_changes_nothing
            a1_what_is_done_survives_reopening
            a1_a_change_sees_those_before_it
            a2_of_racing_new_names_one_is_done
            a2_of_racing_first_administrators_one_is_done
            a2_two_administrators_who_demote_one_another_leave_one
            a2_of_racing_changes_of_one_version_one_is_done
            a3_only_the_expected_version_is_replaced
            a3_every_field_comes_back_as_it_was_put
            a4_names_and_addresses_are_unique_by_key
            a4_an_account_keeps_its_own_name_and_address
            a5_a_version_that_is_not_there_is_stale
            a6_an_administrator_counts_even_when_locked
            a7_the_last_administrator_who_can_sign_in_is_told
            a8_a_session_is_found_with_its_account_and_groups
            a8_a_token_is_found_with_its_account_and_groups
            a8_what_was_ended_is_not_found
            a9_all_sessions_but_the_kept_one_end
            a9_only_the_newest_sessions_stay
            a9_a_use_is_noted_of_what_is_there
            a9_no_credential_without_an_account
            a10_ending_what_is_not_there_is_done
            a10_a_token_is_ended_by_its_own_account_only
            a11_accounts_are_listed_in_pages_by_key
            a11_a_search_filters_before_it_counts
            a11_members_are_listed_by_key
            a11_members_are_counted_for_each_group_asked_for
            a11_groups_are_listed_in_pages_by_key
            a11_a_search_of_groups_filters_before_it_counts
            a11_tokens_are_listed_oldest_first
            a11_sessions_are_listed_newest_first
            a12_group_names_are_unique_by_key
            a12_a_renamed_group_keeps_its_members_and_frees_its_name
            a12_nothing_is_renamed_that_is_not_there_or_to_a_taken_name
            a12_a_group_that_ends_takes_its_memberships_along
            a12_nobody_joins_what_is_not_there
            a12_joining_and_leaving_count_once
            a13_there_is_one_setup_token
            a14_exactly_what_expired_ends
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
        let names = crate::accounts_cases! { [names] { @names } };
        crate::suite::assert_every_rule_has_a_case('a', 14, &names);
    }
}
