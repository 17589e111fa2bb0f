//! `cargo xtask`: tests, benches and real services of CampusDisk.
//!
//! Blocking code and threads: the tool must be small, because every run on a fresh clone compiles it first.

mod bench;
mod command;
mod interrupt;
mod net;
mod paths;
mod provision;
mod services;
mod summary;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::paths::Slot;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about, disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts, stops or shows the real servers that tests talk to.
    Services {
        #[command(subcommand)]
        action: ServicesAction,
    },
    /// Measures the hall beside its rivals and writes `docs/benchmarks.md`.
    Bench(bench::Options),
    /// Gets what the tests need, builds once, checks, runs the tiers, and prints the sum.
    Test(test::Options),
}

#[derive(Debug, Subcommand)]
enum ServicesAction {
    /// Starts the named services (where none is named, all that tests need); what runs already is left as it is.
    Up {
        /// Services to start.
        #[arg(value_parser = services::names())]
        names: Vec<String>,
    },
    /// Stops every service of this clone, also what an interrupted run left behind.
    Down,
    /// Shows what runs and where.
    Status,
}

fn main() -> ExitCode {
    let outcome = interrupt::watch().and_then(|()| run(Cli::parse().task));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Services { action } => {
            let bed = services::TestBed::open(Slot::Development)?;
            match action {
                ServicesAction::Up { names } => {
                    bed.up(&services::chosen(&names))?;
                    for (name, value) in bed.variables() {
                        println!("export {name}={}", value.display());
                    }
                }
                ServicesAction::Down => bed.down()?,
                ServicesAction::Status => bed.print_status(),
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench(options) => {
            bench::run(&options)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Test(options) => test::run(&options),
    }
}
