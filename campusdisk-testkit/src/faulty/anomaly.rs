//! Anomaly loops: the same scenario with its first, second, third … call failing.

use campusdisk_core::Result;

use super::{Fault, Faults};

/// More calls than any scenario makes: one that never comes to its end without a fault goes round in circles.
const MOST_ROUNDS: u64 = 10_000;

/// Runs `scenario` on a fresh `world`, its first call failing with `fault`; then on another with its second call failing,
/// and so on, until it passes without the fault having been met. After each round `check` looks at the world, where
/// nothing fails any more, and at what the scenario returned, and panics where an invariant is broken.
///
/// A scenario may pass although a call failed, where what it tests tries again. Returns how many faults were met.
///
/// # Panics
/// When the scenario fails though no fault was met, or makes no call at all.
pub async fn anomaly_loop<W>(
    fault: Fault,
    world: impl AsyncFn(Faults) -> W,
    scenario: impl AsyncFn(&W) -> Result<()>,
    check: impl AsyncFn(&W, &Result<()>),
) -> u64 {
    for nth in 1..=MOST_ROUNDS {
        let faults = Faults::new();
        let world = world(faults.clone()).await;
        let before = faults.fired().len();
        faults.fail_nth(nth, fault);
        let outcome = scenario(&world).await;
        faults.disarm();
        let met = faults.fired().len() > before;
        check(&world, &outcome).await;
        if !met {
            if let Err(error) = outcome {
                panic!("the scenario fails by itself: {error:?}");
            }
            assert!(nth > 1, "the scenario made no call that could fail");
            return nth - 1;
        }
    }
    panic!("the scenario made over {MOST_ROUNDS} calls");
}
