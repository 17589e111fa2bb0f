//! `cargo xtask test`: one build, the checks, the tiers, the sum.

mod full;
mod page;
mod plan;
mod stream;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;

use crate::paths::{self, Slot};
use crate::provision::apt;
use crate::services::{self, Running, TestBed};
use crate::summary::{Report, Step};
use crate::{command, interrupt};

use plan::{Tier, Workspace, cargo};

/// The run ends itself before a job of 90 minutes would be ended from outside.
const RUN_LIMIT: Duration = Duration::from_secs(75 * 60);
const FULL_RUN_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// One profile for the tests and the programs they start.
const PROFILE: [&str; 2] = ["--profile", "ci"];

/// Where tests find the hall's binary.
const HALL_ENV: &str = "CAMPUSDISK_HALL_BIN";

/// Where tests find the download client's binary.
const FETCH_ENV: &str = "CAMPUSDISK_FETCH_BIN";

/// The packages whose binaries the tests over a socket start.
const STARTED: [&str; 2] = ["hall", "fetch"];

/// How often the hall is killed under load, and how often in a full run.
const KILL_ROUNDS_ENV: &str = "CAMPUSDISK_KILL_ROUNDS";
const FULL_KILL_ROUNDS: &str = "20";

/// How large the file is, in MiB, that goes from store to store, in a full run.
const MOVED_ENV: &str = "CAMPUSDISK_MOVED_MIB";
const FULL_MOVED_MIB: &str = "5120";

/// How large the folder is, in MiB, whose archive is cut and taken up again, in a full run.
const ARCHIVE_ENV: &str = "CAMPUSDISK_ARCHIVE_MIB";
const FULL_ARCHIVE_MIB: &str = "5120";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Everything that is done before work counts as done: licences, each feature alone, packages; writes
    /// docs/full-run.md.
    #[arg(long)]
    full: bool,
    /// Only the tests of these packages, without the checks.
    #[arg(short, long = "package", value_name = "PKG")]
    packages: Vec<String>,
    /// Only these tiers, without the checks.
    #[arg(long = "tier", value_enum)]
    tiers: Vec<Tier>,
    /// Only the halls over a socket and their page, with files and records on real servers in place of this machine.
    #[arg(long = "ground", value_enum)]
    grounds: Vec<Ground>,
    /// Only tests whose name holds one of these, without the checks.
    filters: Vec<String>,
}

/// The servers on which the halls of tests keep what they have, beside PostgreSQL for the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Ground {
    Hdfs,
    S3,
}

impl Ground {
    const ALL: [Self; 2] = [Self::Hdfs, Self::S3];
    const ENV: &str = "CAMPUSDISK_TEST_GROUND";

    fn value(self) -> &'static str {
        match self {
            Self::Hdfs => "hdfs",
            Self::S3 => "s3",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Hdfs => " on HDFS and PostgreSQL",
            Self::S3 => " on S3 and PostgreSQL",
        }
    }
}

impl Options {
    fn is_narrowed(&self) -> bool {
        !(self.packages.is_empty()
            && self.tiers.is_empty()
            && self.grounds.is_empty()
            && self.filters.is_empty())
    }

    /// On which grounds it runs, after all else: those it was asked for, or all in a full run.
    fn grounds(&self) -> &[Ground] {
        match self.full && !self.is_narrowed() {
            true => &Ground::ALL,
            false => &self.grounds,
        }
    }

    fn has_tier(&self, tier: Tier) -> bool {
        self.tiers.is_empty() || self.tiers.contains(&tier)
    }
}

/// Runs it all and prints the report; what was started is stopped whatever happens.
///
/// # Errors
/// When the run can't even begin.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    interrupt::stop_after(if options.full { FULL_RUN_LIMIT } else { RUN_LIMIT });
    let run = Run {
        options,
        workspace: Workspace::read()?,
        target: paths::target()?,
        bed: Arc::new(TestBed::open(Slot::Test)?),
        report: Report::default(),
    };
    let started = Instant::now();
    let mut report = run.all()?;
    if let Some(reason) = interrupt::stop_reason() {
        report.steps.push(Step::new(
            "the whole run",
            started.elapsed(),
            Some(reason.to_owned()),
        ));
    }
    if options.full && !options.is_narrowed() {
        full::write_result(&report)?;
    }
    report.print();
    Ok(if report.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Run<'a> {
    options: &'a Options,
    workspace: Workspace,
    target: PathBuf,
    bed: Arc<TestBed>,
    report: Report,
}

impl Run<'_> {
    fn all(mut self) -> Result<Report> {
        let real = self.targets(Tier::T2).is_some() || !self.options.grounds.is_empty();
        let mut servers = Servers::bring_up(&self.bed, real, self.options.full)?;
        let outcome = self
            .checks_and_early_tiers()
            .and_then(|built| match built && real {
                true => self.real_tier(servers.join()),
                false => Ok(()),
            });
        if let Err(error) = outcome {
            self.fail("run", format!("{error:#}"));
        }
        if let Err(error) = servers.stop() {
            self.fail("stop the servers", format!("{error:#}"));
        }
        Ok(self.report)
    }

    /// Whether there is a build; tests of what doesn't compile would only repeat the compiler.
    fn checks_and_early_tiers(&mut self) -> Result<bool> {
        let checks = !self.options.is_narrowed();
        if checks {
            self.step("formatting", self.cargo(&["fmt", "--all", "--check"]), None);
        }
        if !self.build() {
            return Ok(false);
        }
        if checks {
            self.clippy_and_documentation();
        }
        if self.options.full && checks {
            full::steps(self)?;
        }
        if self.options.grounds.is_empty() {
            self.tier(Tier::T0, None);
            self.documentation_examples();
            self.page(Tier::T0, None);
            self.tier(Tier::T1, None);
            self.page(Tier::T1, None);
        }
        Ok(true)
    }

    /// The page's tests of a tier; in the first tier, what a compiler would say before.
    fn page(&mut self, tier: Tier, ground: Option<Ground>) {
        if !page::is_chosen(self.options) || !self.options.has_tier(tier) {
            return;
        }
        let check = match tier == Tier::T0 && !self.options.is_narrowed() {
            true => page::check(self),
            false => Ok(()),
        };
        if let Err(error) = check.and_then(|()| page::tier(self, tier, ground)) {
            self.fail("page", format!("{error:#}"));
        }
    }

    /// Builds every test and every program in one go; the tiers find everything made.
    fn build(&mut self) -> bool {
        let mut build = self.cargo(&["build"]);
        build
            .args(PROFILE)
            .args(self.selection())
            .args(["--bins", "--tests"]);
        self.step("build", build, None)
    }

    fn clippy_and_documentation(&mut self) {
        let mut clippy = self.cargo(&["clippy"]);
        clippy.args(PROFILE).args([
            "--keep-going",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]);
        self.step("clippy", clippy, None);
        let mut doc = self.cargo(&["doc"]);
        doc.args(PROFILE)
            .args(["--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings");
        self.step("documentation", doc, None);
    }

    fn tier(&mut self, tier: Tier, ground: Option<Ground>) {
        let Some(targets) = self.targets(tier) else { return };
        let mut test = self.cargo(&["test"]);
        test.args(PROFILE)
            .args(self.selection())
            .arg("--no-fail-fast")
            .args(targets);
        test.arg("--").args(&self.options.filters);
        let built = self.target.join("ci");
        test.env(HALL_ENV, built.join("hall"))
            .env(FETCH_ENV, built.join("fetch"));
        if self.options.full {
            test.env(KILL_ROUNDS_ENV, FULL_KILL_ROUNDS)
                .env(MOVED_ENV, FULL_MOVED_MIB)
                .env(ARCHIVE_ENV, FULL_ARCHIVE_MIB);
        }
        self.in_scratch(&mut test);
        if tier == Tier::T2 {
            test.envs(self.bed.variables());
        }
        self.on(ground, &mut test);
        if !self.options.full && tier == Tier::T2 {
            println!("\nleft to a full run: {}", plan::FULL_RUN_ONLY.join(", "));
        }
        let name = format!("{}{}", tier.title(), ground.map_or("", Ground::title));
        self.step(&name, test, Some(budget(tier, self.options.full, ground)));
    }

    /// Tells tests on which ground their halls stand.
    fn on(&self, ground: Option<Ground>, test: &mut Command) {
        if let Some(ground) = ground {
            test.env(Ground::ENV, ground.value());
            test.envs(self.bed.variables());
        }
    }

    fn documentation_examples(&mut self) {
        if !self.options.has_tier(Tier::T0) || !self.workspace.has_library(&self.options.packages) {
            return;
        }
        let mut test = self.cargo(&["test"]);
        test.args(PROFILE)
            .args(self.selection())
            .args(["--no-fail-fast", "--doc", "--"]);
        test.args(&self.options.filters);
        self.in_scratch(&mut test);
        // Nearly all of its time is compiling, which no tier's budget counts.
        self.step("T0 documentation examples", test, None);
    }

    fn real_tier(&mut self, servers: Result<Vec<Running>>) -> Result<()> {
        interrupt::check()?;
        match servers {
            Ok(servers) => self.report.servers = servers,
            // The tests run all the same: each that needs a missing server fails by name.
            Err(error) => self.fail("servers", format!("{error:#}")),
        }
        if self.options.grounds.is_empty() {
            self.tier(Tier::T2, None);
        }
        for ground in self.options.grounds() {
            self.tier(Tier::T1, Some(*ground));
            self.page(Tier::T1, Some(*ground));
        }
        interrupt::check()
    }

    fn targets(&self, tier: Tier) -> Option<Vec<String>> {
        self.options
            .has_tier(tier)
            .then(|| {
                self.workspace
                    .targets_of(tier, &self.options.packages, self.options.full)
            })
            .flatten()
    }

    /// The packages to build: the same for the build and the tests, or cargo would build with other features again.
    fn selection(&self) -> Vec<String> {
        if self.options.packages.is_empty() {
            return vec!["--workspace".to_owned()];
        }
        let over_a_socket = [Tier::T1, Tier::T2]
            .iter()
            .any(|tier| self.targets(*tier).is_some());
        let started = STARTED.into_iter().filter(|_| over_a_socket);
        let packages = self.options.packages.iter().map(String::as_str).chain(started);
        packages
            .flat_map(|package| ["-p".to_owned(), package.to_owned()])
            .collect()
    }

    fn cargo(&self, args: &[&str]) -> Command {
        let mut cargo = cargo();
        cargo.args(args).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    fn in_scratch(&mut self, command: &mut Command) {
        match self.bed.scratch() {
            Ok(variables) => {
                command.envs(variables);
            }
            Err(error) => self.fail("scratch folder", format!("{error:#}")),
        }
    }

    /// Runs one step unless the run is stopping, and says whether it passed.
    fn step(&mut self, name: &str, mut command: Command, budget: Option<Duration>) -> bool {
        if interrupt::stop_reason().is_some() {
            return false;
        }
        println!("\n== {name}: {}", command::describe(&command));
        let outcome = stream::run(&mut command, budget);
        let passed = outcome.failure.is_none() && outcome.counts.failed == 0;
        self.report.counts.passed += outcome.counts.passed;
        self.report.counts.failed += outcome.counts.failed;
        self.report.counts.skipped += outcome.counts.skipped;
        self.report.failed_tests.extend(
            outcome
                .failed_tests
                .into_iter()
                .map(|test| format!("{name}: {test}")),
        );
        let failed_tests = outcome.counts.failed;
        self.report.steps.push(Step {
            failed_tests,
            ..Step::new(name, outcome.took, outcome.failure)
        });
        passed
    }

    fn fail(&mut self, name: &str, failure: String) {
        // The reason why the run stops is reported once, for the whole run.
        if interrupt::stop_reason().is_none_or(|reason| reason != failure) {
            self.report
                .steps
                .push(Step::new(name, Duration::ZERO, Some(failure)));
        }
    }
}

/// How long a tier may run, apart from compiling.
fn budget(tier: Tier, full: bool, ground: Option<Ground>) -> Duration {
    Duration::from_secs(
        60 * match tier {
            Tier::T0 => 4,
            Tier::T1 if ground.is_some() => 20,
            Tier::T1 => 8,
            Tier::T2 if full => 45,
            Tier::T2 => 17,
        },
    )
}

/// The real servers of a run, got and started beside the first compile. Dropped, they are stopped.
struct Servers {
    bed: Arc<TestBed>,
    starting: Option<JoinHandle<Result<Vec<Running>>>>,
}

impl Servers {
    fn bring_up(bed: &Arc<TestBed>, real: bool, full: bool) -> Result<Self> {
        // What an earlier run left when it was killed.
        bed.down()?;
        let starting = real.then(|| {
            let bed = Arc::clone(bed);
            thread::spawn(move || {
                apt::ensure(apt::FOR_TESTS)?;
                bed.up(&services::for_run(full))
            })
        });
        Ok(Self {
            bed: Arc::clone(bed),
            starting,
        })
    }

    fn join(&mut self) -> Result<Vec<Running>> {
        self.starting.take().map_or_else(
            || Ok(Vec::new()),
            |thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("the starting thread panicked")))
            },
        )
    }

    fn stop(&mut self) -> Result<()> {
        // Joined first: nothing may be started after the stop.
        let _ = self.join();
        self.bed.down()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if thread::panicking() {
            interrupt::request_stop("the run panicked".to_owned());
            let _ = self.stop();
        }
    }
}
