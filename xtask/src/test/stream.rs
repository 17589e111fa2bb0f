//! Running a step with its output on the console and its test results counted.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::command::{self, Group};
use crate::interrupt::{self, POLL_INTERVAL};
use crate::summary::{Counts, TapTest};

/// A daemon left behind by a test may hold the pipe; its output is not waited for longer than this.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// How a streamed step ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) failed_tests: Vec<String>,
    /// Why it failed, apart from tests that failed.
    pub(crate) failure: Option<String>,
    pub(crate) took: Duration,
}

/// Runs `command`, prints its lines as they come, and counts test results. Longer than `budget` is a failure; at
/// twice the budget it is stopped, so that an overrun shows what it was in the middle of.
pub(crate) fn run(command: &mut Command, budget: Option<Duration>) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome {
        counts: Counts::default(),
        failed_tests: Vec::new(),
        failure: None,
        took: Duration::ZERO,
    };
    if let Err(error) = follow(command, budget, started, &mut outcome) {
        outcome.failure = Some(format!("{error:#}"));
    }
    outcome.took = started.elapsed();
    if let Some(budget) = budget.filter(|budget| outcome.took > *budget && outcome.failure.is_none()) {
        outcome.failure = Some(format!(
            "took {} s, its budget is {} s",
            outcome.took.as_secs(),
            budget.as_secs()
        ));
    }
    outcome
}

fn follow(
    command: &mut Command,
    budget: Option<Duration>,
    started: Instant,
    outcome: &mut Outcome,
) -> Result<()> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut group = Group::spawn(command)?;
    let (sender, lines) = mpsc::channel();
    forward(
        group.stdout().ok_or_else(|| anyhow!("the output is piped"))?,
        sender.clone(),
    );
    forward(
        group.stderr().ok_or_else(|| anyhow!("the output is piped"))?,
        sender,
    );
    let mut ended: Option<(Instant, std::process::ExitStatus)> = None;
    loop {
        match lines.recv_timeout(POLL_INTERVAL) {
            Ok(line) => {
                take(&line, outcome);
                continue;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) if ended.is_some() => break,
            Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(POLL_INTERVAL),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        match ended {
            Some((when, _)) if when.elapsed() > DRAIN_LIMIT => break,
            Some(_) => {}
            None => {
                ended = group.try_wait()?.map(|status| (Instant::now(), status));
                interrupt::check()?;
                if let Some(budget) = budget.filter(|budget| started.elapsed() > *budget * 2) {
                    return Err(anyhow!("stopped at twice its budget of {} s", budget.as_secs()));
                }
            }
        }
    }
    match ended {
        // Failed tests are counted one by one; a step that failed without any is a failure of its own.
        Some((_, status)) if !status.success() && outcome.counts.failed == 0 => {
            Err(anyhow!("`{}` ended with {status}", command::describe(command)))
        }
        _ => Ok(()),
    }
}

fn take(line: &str, outcome: &mut Outcome) {
    println!("{line}");
    outcome.counts.add_line(line);
    if let Some(test) = line
        .strip_prefix("test ")
        .and_then(|rest| rest.strip_suffix(" ... FAILED"))
    {
        outcome.failed_tests.push(test.to_owned());
    }
    if let Some(test) = TapTest::parse(line).filter(|test| !test.passed) {
        outcome.failed_tests.push(test.name.to_owned());
    }
}

fn forward(pipe: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            line.clear();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::run;

    fn bash(script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn failed_tests_are_named_and_are_the_failure() {
        let outcome = run(
            &mut bash(
                "echo 'test a::b ... FAILED'; echo 'test result: FAILED. 3 passed; 1 failed; 0 ignored;'; exit 101",
            ),
            None,
        );
        assert_eq!((outcome.counts.passed, outcome.counts.failed), (3, 1));
        assert_eq!(outcome.failed_tests, ["a::b"]);
        assert_eq!(outcome.failure, None);
    }

    #[test]
    fn a_step_that_breaks_without_a_failed_test_is_a_failure() {
        let outcome = run(&mut bash("exit 3"), None);
        assert!(outcome.failure.unwrap().contains("exit status: 3"));
    }

    #[test]
    fn an_overrun_is_a_failure_and_ends_at_twice_the_budget() {
        let outcome = run(&mut bash("sleep 60"), Some(Duration::from_millis(100)));
        assert!(outcome.failure.unwrap().contains("budget"));
        assert!(outcome.took < Duration::from_secs(30));
    }

    #[test]
    fn a_leftover_process_that_holds_the_pipe_does_not_hold_the_run() {
        let outcome = run(&mut bash("sleep 20 & echo started"), None);
        assert!(outcome.failure.is_none());
        assert!(outcome.took < Duration::from_secs(15));
    }
}
