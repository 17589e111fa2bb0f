//! A complete hall-of-services server made of CampusDisk.

mod brand;
mod cli;
mod commands;
mod config;
mod connections;
mod data_lock;
mod demo;
mod failure;
mod lock_hook;
mod logging;
mod metrics;
mod open_files;
mod page;
mod parts;
mod probes;
mod serve;
mod settings;
mod site;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::failure::{Failure, Outcome};

fn main() -> ExitCode {
    let command = Cli::parse().command();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => Err(Failure::new(format!("threads can't be started: {error}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hall: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(args.overrides()).await,
        Command::Account(command) => commands::account::run(command).await,
        Command::Token(command) => commands::token::run(command).await,
        Command::Demo(args) => commands::demo::run(args).await,
        Command::CheckConfig(place) => commands::check_config::run(place.overrides()).await,
        Command::Check(place) => commands::check::run(place.overrides()).await,
        Command::Store(command) => commands::store::run(command).await,
        Command::Prewarm(args) => commands::prewarm::run(args).await,
        Command::Mount(command) => commands::mount::run(command).await,
    }
}
