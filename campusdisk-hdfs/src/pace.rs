//! How long sending waits, and for whom.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a DataNode that answers may make no progress. It then waits for one that hangs behind it, which Hadoop's own
/// client drops after `dfs.client.socket-timeout` (60 s) and 5 s for each node.
const PATIENCE: Duration = Duration::from_secs(100);

/// Waits before the second and later tries. The first is short: whom to avoid is known by then.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// How long to wait before it is looked whether one NameNode has taken over from another.
pub(crate) const TAKEOVER_PAUSE: Duration = Duration::from_millis(500);
const TAKEOVER_PAUSES: u32 = 40;

/// How long it is waited for that in all, 20 s: ZooKeeper takes the active one for dead after 10 s, and what took over reads the rest
/// of the edits first.
pub(crate) const TAKEOVER: Duration = TAKEOVER_PAUSE.saturating_mul(TAKEOVER_PAUSES);

/// Gives the waits for a takeover.
pub(crate) fn takeover_pauses() -> impl Iterator<Item = Duration> {
    (0..TAKEOVER_PAUSES).map(|_| TAKEOVER_PAUSE)
}

/// Gives the wait before the next try, as long as there is one: five in all.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    PAUSES.into_iter()
}

/// Whose turn it is in sending a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Ours: nothing more to send is there yet, so no time runs.
    Ours,
    /// The other side's, which was given bytes up to this offset.
    Theirs(u64),
}

/// Waits for `work`, a transfer whose body tells whose turn it is. When the other side does nothing for `gap`, `answers`
/// is asked whether it is there at all, and if so it gets more time.
///
/// # Errors
/// How long the other side did nothing.
pub(crate) async fn watched<T, A: Future<Output = bool>>(
    work: impl Future<Output = T>,
    mut turns: watch::Receiver<Turn>,
    gap: Duration,
    answers: impl Fn() -> A,
) -> Result<T, Duration> {
    let mut work = pin!(work);
    let patience = PATIENCE.saturating_sub(gap);
    let mut patient = false;
    loop {
        let first = if patient { patience } else { gap };
        let moved = tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            moved = silence(&mut turns, first, gap) => moved,
        };
        if patient && !moved {
            return Err(gap + patience);
        }
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            there = answers() => if !there { return Err(gap) },
        }
        patient = true;
    }
}

/// Returns after nothing has moved for `first`, or for `gap` after something did; says whether something did.
async fn silence(turns: &mut watch::Receiver<Turn>, first: Duration, gap: Duration) -> bool {
    let (mut limit, mut moved) = (first, false);
    loop {
        let turn = *turns.borrow_and_update();
        let change = match turn {
            Turn::Ours => Ok(turns.changed().await),
            Turn::Theirs(_) => timeout(limit, turns.changed()).await,
        };
        match change {
            Err(_) => return moved,
            Ok(Ok(())) => (limit, moved) = (gap, true),
            // The body is through, only the answer is missing.
            Ok(Err(_)) => {
                sleep(limit).await;
                return moved;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    const GAP: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_answer_has_one_gap() {
        let (_turn, turns) = watch::channel(Turn::Theirs(0));
        let started = Instant::now();
        let stalled = watched(pending::<()>(), turns, GAP, || ready(false)).await;
        assert_eq!(stalled, Err(GAP));
        assert_eq!(started.elapsed(), GAP);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_answers_has_the_time_to_drop_one_behind_it() {
        let (_turn, turns) = watch::channel(Turn::Theirs(0));
        let started = Instant::now();
        let stalled = watched(pending::<()>(), turns.clone(), GAP, || ready(true)).await;
        assert_eq!(stalled, Err(PATIENCE));
        assert_eq!(started.elapsed(), PATIENCE);
        let slow = sleep(Duration::from_secs(75));
        assert_eq!(watched(slow, turns, GAP, || ready(true)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn no_time_runs_while_it_is_our_turn() {
        let (turn, turns) = watch::channel(Turn::Ours);
        let started = Instant::now();
        tokio::spawn(async move {
            sleep(Duration::from_secs(3600)).await;
            turn.send_replace(Turn::Theirs(1));
            pending::<()>().await;
        });
        let stalled = watched(pending::<()>(), turns, GAP, || ready(false)).await;
        assert_eq!(stalled, Err(GAP));
        assert_eq!(started.elapsed(), Duration::from_secs(3600) + GAP);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_starts_the_time_anew() {
        let (turn, turns) = watch::channel(Turn::Theirs(0));
        let started = Instant::now();
        tokio::spawn(async move {
            for offset in 1..=5 {
                sleep(Duration::from_secs(19)).await;
                turn.send_replace(Turn::Theirs(offset));
            }
        });
        let stalled = watched(pending::<()>(), turns, GAP, || ready(false)).await;
        assert_eq!(stalled, Err(GAP));
        assert_eq!(started.elapsed(), Duration::from_secs(5 * 19) + GAP);
    }
}
