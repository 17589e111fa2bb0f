//! `fetch`: downloads over several connections that resume.

mod bars;
mod cli;
mod lines;

use std::future::pending;
use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use fetch::{Check, Error, Fetch, Fetched, Quiet, Result, Watch};
use tokio::sync::watch;

use crate::bars::Bars;
use crate::cli::Cli;
use crate::lines::Lines;

/// The exit codes, as `--help` tells them. A wrong command line is 2, as with other programs.
const EXIT_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 2;
const EXIT_MISMATCH: u8 = 3;
const EXIT_FILE: u8 = 4;
const EXIT_STOPPED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(&cli)),
        Err(error) => {
            eprintln!("fetch: threads can't be started: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Downloads one after the other; the code is that of the first that failed.
async fn run(cli: &Cli) -> ExitCode {
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        match tokio::signal::ctrl_c().await {
            Ok(()) => drop(sender.send(true)),
            // Then the signal ends the process as it would any other.
            Err(_) => pending().await,
        }
    });
    let mut code = None;
    for url in &cli.urls {
        let Err(error) = download(cli, url, stop.clone()).await else {
            continue;
        };
        eprintln!("fetch: {error}");
        code.get_or_insert(exit_code(&error));
        if matches!(error, Error::Stopped) {
            return ExitCode::from(EXIT_STOPPED);
        }
    }
    code.map_or(ExitCode::SUCCESS, ExitCode::from)
}

async fn download(cli: &Cli, url: &str, mut stop: watch::Receiver<bool>) -> Result<()> {
    let fetch = Fetch::new(url, cli.output()?, cli.options()?)?;
    let asked_to_stop = async move {
        if stop.wait_for(|stop| *stop).await.is_err() {
            pending().await
        }
    };
    let fetched = if cli.quiet {
        let watch: Arc<dyn Watch> = Arc::new(Quiet);
        fetch.run(&watch, asked_to_stop).await?
    } else if stderr().is_terminal() {
        let bars = Arc::new(Bars::new());
        let watch: Arc<dyn Watch> = Arc::clone(&bars) as Arc<dyn Watch>;
        let outcome = fetch.run(&watch, asked_to_stop).await;
        bars.clear();
        outcome?
    } else {
        let watch: Arc<dyn Watch> = Arc::new(Lines::default());
        fetch.run(&watch, asked_to_stop).await?
    };
    if !cli.quiet {
        eprintln!("{}", told(&fetched));
    }
    // As the bytes of the name are, which may be of no encoding. A reader that went away is no failed download.
    let mut line = fetched.path.as_os_str().as_bytes().to_vec();
    line.push(b'\n');
    let _ = stdout().write_all(&line);
    Ok(())
}

fn told(fetched: &Fetched) -> String {
    let size = indicatif::BinaryBytes(fetched.size_bytes);
    let resumed = match fetched.resumed_bytes {
        0 => String::new(),
        bytes => format!(", {} of it from an earlier run", indicatif::BinaryBytes(bytes)),
    };
    let checked = match fetched.check {
        Check::Server => "SHA-256 as the server says",
        Check::Caller => "SHA-256 as asked for",
        _ => "length checked",
    };
    format!("{size}{resumed}, {checked}")
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Asked(_) => EXIT_USAGE,
        Error::Mismatch { .. } => EXIT_MISMATCH,
        Error::Exists(_) | Error::Busy(_) | Error::File { .. } => EXIT_FILE,
        Error::Stopped => EXIT_STOPPED,
        _ => EXIT_FAILED,
    }
}
