//! `cargo xtask bench`: the hall beside its rivals, in one run, as ratios.
//!
//! Every figure is a median of alternating rounds on the same machine. `docs/benchmarks.md` is written from it.

mod catalog;
mod downloads;
mod hall;
mod load;
mod report;
mod uploads;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::hall::Hall;
use self::report::{Comparison, Report};
use crate::paths::Slot;
use crate::provision::apt::{self, Program};
use crate::services::{self, TestBed};

const PROGRAMS: &[Program] = &[
    Program::new("curl", "benches", Some("curl")),
    Program::new("wrk", "benches of many connections", Some("wrk")),
    Program::new("strace", "counting and delaying syncs", Some("strace")),
];

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Downloads,
    Uploads,
    Catalog,
}

/// How to measure.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// What to measure; without it everything, and the report is written.
    parts: Vec<Part>,
    /// Alternating rounds of each measure; medians are reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Size of the large file in MiB.
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
    /// Seconds of each round of many connections.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// What is measured.
struct Binaries {
    hall: PathBuf,
    catalog: PathBuf,
}

/// What every measure uses.
pub(crate) struct Setting {
    options: Options,
    nginx: String,
    nginx_root: PathBuf,
    tusd: String,
    postgres: String,
    hall: Hall,
    folder: PathBuf,
}

/// Measures everything and writes the report.
///
/// # Errors
/// When a server can't be had or answers wrongly; what was started is stopped.
pub(crate) fn run(options: &Options) -> Result<()> {
    apt::ensure(PROGRAMS)?;
    let binaries = Binaries {
        hall: hall::build()?,
        catalog: catalog::build()?,
    };
    let bed = TestBed::open(Slot::Bench)?;
    let outcome = measure(options, &bed, &binaries);
    bed.down()?;
    let report = outcome?;
    report.print();
    if options.parts.is_empty() {
        report.write()?;
    }
    Ok(())
}

fn measure(options: &Options, bed: &TestBed, binaries: &Binaries) -> Result<Report> {
    bed.down()?;
    let names = ["nginx", "tusd", "postgres"].map(str::to_owned);
    let running = bed.up(&services::chosen(&names))?;
    let endpoints: Value = serde_json::from_slice(&fs::read(bed.endpoints_path())?)?;
    let text = |pointer: &str| {
        let found = endpoints.pointer(pointer).and_then(Value::as_str);
        found
            .map(ToOwned::to_owned)
            .with_context(|| format!("no {pointer} among the endpoints"))
    };
    let folder = bed.folder("hall")?;
    let setting = Setting {
        options: options.clone(),
        nginx: text("/nginx/endpoint")?,
        nginx_root: text("/nginx/root")?.into(),
        tusd: text("/tusd/endpoint")?,
        postgres: text("/postgres/url")?,
        hall: Hall::start(&binaries.hall, &folder, "inline", true)?,
        folder: bed.folder("files")?,
    };
    let mut comparisons = Vec::new();
    if options.includes(Part::Downloads) {
        comparisons.extend(downloads::measure(&setting)?);
    }
    if options.includes(Part::Uploads) {
        let late_folder = bed.folder("hall-late")?;
        comparisons.extend(uploads::measure(&setting, &binaries.hall, &late_folder)?);
    }
    if options.includes(Part::Catalog) {
        comparisons.extend(catalog::measure(&setting, &binaries.catalog)?);
    }
    let peers = running.into_iter().map(|peer| peer.title).collect();
    Ok(Report {
        comparisons,
        peers,
        options: options.clone(),
    })
}

impl Options {
    fn includes(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

impl Setting {
    fn large_bytes(&self) -> u64 {
        self.options.large_mib << 20
    }

    /// Runs two measures in turn, as often as asked, and compares their medians.
    fn compare(
        &self,
        name: &str,
        unit: &'static str,
        least_ratio: f64,
        (hall_name, hall): (&str, &dyn Fn() -> Result<f64>),
        (rival_name, rival): (&str, &dyn Fn() -> Result<f64>),
    ) -> Result<Comparison> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..self.options.rounds.max(1) {
            // Who goes first changes, so that neither always finds the machine warmer.
            if round % 2 == 0 {
                ours.push(hall()?);
                theirs.push(rival()?);
            } else {
                theirs.push(rival()?);
                ours.push(hall()?);
            }
        }
        let comparison = Comparison {
            name: name.to_owned(),
            unit,
            hall: (hall_name.to_owned(), ours),
            rival: (rival_name.to_owned(), theirs),
            least_ratio,
        };
        println!("{}", comparison.line());
        Ok(comparison)
    }
}
