//! What the suites share: how a list of cases becomes tests, and how one is run.

use std::fmt;
use std::future::Future;
use std::time::Duration;

/// A module with one test for each case: `$suite` is a module of this crate with `run` and `cases`.
#[doc(hidden)]
#[macro_export]
macro_rules! mount_cases {
    ($name:ident, $harness:expr, $suite:ident; $($case:ident)*) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may name what its module imports")]
            use super::*;

            $(
                #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::$suite::run(
                        stringify!($case),
                        async { $harness },
                        $crate::$suite::cases::$case,
                    )
                    .await;
                }
            )*
        }
    };
}

/// Waits for a case, which must end within `limit`.
pub(crate) async fn in_time(
    name: &str,
    harness: &impl fmt::Debug,
    limit: Duration,
    case: impl Future<Output = ()>,
) {
    let in_time = tokio::time::timeout(limit, case).await;
    assert!(
        in_time.is_ok(),
        "{name} did not end within {limit:?} on {harness:?}"
    );
}

/// Whether every rule of a contract, from 1 to `last`, has a case that is named after it.
#[cfg(test)]
pub(crate) fn assert_every_rule_has_a_case(letter: char, last: u32, names: &[&str]) {
    for rule in 1..=last {
        let prefix = format!("{letter}{rule}_");
        assert!(
            names.iter().any(|name| name.starts_with(&prefix)),
            "{prefix} has no case"
        );
    }
}
