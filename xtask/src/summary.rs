//! What a run found: counts, steps, failures, servers; printed at the end, the sum on the last line.

use std::time::Duration;

use crate::services::Running;

/// How one step of the run went.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// Why it failed, apart from tests that failed.
    pub(crate) failure: Option<String>,
    pub(crate) failed_tests: u64,
}

impl Step {
    /// A step without tests.
    pub(crate) fn new(name: impl Into<String>, took: Duration, failure: Option<String>) -> Self {
        Self {
            name: name.into(),
            took,
            failure,
            failed_tests: 0,
        }
    }

    /// How it ended, in few words.
    pub(crate) fn outcome(&self) -> String {
        match (&self.failure, self.failed_tests) {
            (Some(_), _) => "FAILED".to_owned(),
            (None, 0) => "ok".to_owned(),
            (None, failed) => format!("{failed} FAILED"),
        }
    }
}

/// Tests counted from the lines of their harness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// Adds a `test result: … 12 passed; 0 failed; 1 ignored; …` line, or a test in the words of the Test Anything Protocol;
    /// other lines change nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            match TapTest::parse(line) {
                Some(test) if test.skipped => self.skipped += 1,
                Some(test) if test.passed => self.passed += 1,
                Some(_) => self.failed += 1,
                None => {}
            }
            return;
        };
        for part in result.split([';', '.']) {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// A test's line in the Test Anything Protocol: `ok 1 - name # time=2ms`, `not ok 2 - name`, `ok 3 - name # SKIP`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TapTest<'a> {
    pub(crate) name: &'a str,
    pub(crate) passed: bool,
    skipped: bool,
}

impl<'a> TapTest<'a> {
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let (passed, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok ")?),
        };
        let (number, rest) = rest.split_once(" - ")?;
        number.parse::<u64>().ok()?;
        let (name, remark) = rest.rsplit_once(" # ").unwrap_or((rest, ""));
        Some(Self {
            name,
            passed,
            skipped: remark.starts_with("SKIP") || remark.starts_with("skip"),
        })
    }
}

/// The whole run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) steps: Vec<Step>,
    pub(crate) counts: Counts,
    /// Tests that failed, `step: test`.
    pub(crate) failed_tests: Vec<String>,
    pub(crate) servers: Vec<Running>,
}

impl Report {
    /// Tests and steps that failed. A step whose failure is that of its tests is counted by them.
    pub(crate) fn failed(&self) -> u64 {
        let broken = self.steps.iter().filter(|step| step.failure.is_some()).count();
        self.counts.failed + u64::try_from(broken).unwrap_or(u64::MAX)
    }

    /// The end of the run; its last line is the sum.
    pub(crate) fn print(&self) {
        println!("\nsteps:");
        for step in &self.steps {
            let outcome = if step.failure.is_some() { "FAILED" } else { "ok" };
            println!(
                "  {:>6.1} s  {outcome:<6}  {}",
                step.took.as_secs_f64(),
                step.name
            );
        }
        if self.failed() > 0 {
            println!("failed:");
            for step in &self.steps {
                if let Some(failure) = &step.failure {
                    println!("  {}: {failure}", step.name);
                }
            }
            self.failed_tests.iter().for_each(|test| println!("  {test}"));
        }
        println!("real servers used:");
        if self.servers.is_empty() {
            println!("  none");
        }
        self.servers
            .iter()
            .for_each(|server| println!("  {} at {}", server.title, server.address));
        println!("{}", self.last_line());
    }

    pub(crate) fn last_line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.counts.passed,
            self.failed(),
            self.counts.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, Report, Step, TapTest};

    #[test]
    fn result_lines_are_summed_and_other_lines_are_not() {
        let mut counts = Counts::default();
        counts.add_line(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
        );
        counts.add_line("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s");
        counts.add_line("test a_result ... ok");
        assert_eq!(
            counts,
            Counts {
                passed: 13,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn lines_of_the_test_anything_protocol_are_counted_one_by_one() {
        let mut counts = Counts::default();
        for line in [
            "TAP version 13",
            "1..3",
            "ok 1 - e2e/a.test.ts > it works # time=3.20ms",
            "not ok 2 - e2e/a.test.ts > it does not",
            "ok 3 - later # SKIP",
            "ok then - this is talk",
        ] {
            counts.add_line(line);
        }
        assert_eq!(
            counts,
            Counts {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
        assert_eq!(
            TapTest::parse("not ok 2 - a > b # time=1ms").unwrap().name,
            "a > b"
        );
    }

    #[test]
    fn a_failed_step_counts_as_one_failure() {
        let step = |failure| Step::new("formatting", Duration::ZERO, failure);
        let report = Report {
            steps: vec![step(None), step(Some("exit status: 1".to_owned()))],
            counts: Counts {
                passed: 5,
                failed: 1,
                skipped: 2,
            },
            ..Report::default()
        };
        assert_eq!(report.last_line(), "5 passed, 2 failed, 2 skipped");
    }
}
