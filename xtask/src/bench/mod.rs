//! `cargo xtask bench`: the hall beside its rivals, in one run, as ratios.
//!
//! Every figure is a median of alternating rounds on the same machine. `docs/benchmarks.md` is written from it.

mod catalog;
mod downloads;
mod hall;
mod hdfs;
mod load;
mod programs;
mod report;
mod room;
mod s3;
mod slow;
mod uploads;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::hall::Hall;
use self::programs::Programs;
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
    Hdfs,
    S3,
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

/// What every measure uses.
pub(crate) struct Setting<'a> {
    options: Options,
    bed: &'a TestBed,
    programs: Programs,
    folder: PathBuf,
}

/// A name, and what is measured under it.
type Measure<'a> = (&'a str, &'a dyn Fn() -> Result<f64>);

/// Measures everything and writes the report.
///
/// # Errors
/// When a server can't be had or answers wrongly; what was started is stopped.
pub(crate) fn run(options: &Options) -> Result<()> {
    apt::ensure(PROGRAMS)?;
    let programs = Programs::build(&options.chosen())?;
    let bed = TestBed::open(Slot::Bench)?;
    let outcome = measure(options, &bed, programs);
    bed.down()?;
    let report = outcome?;
    report.print();
    if options.parts.is_empty() {
        report.write()?;
    }
    Ok(())
}

fn measure(options: &Options, bed: &TestBed, programs: Programs) -> Result<Report> {
    bed.down()?;
    let setting = Setting {
        options: options.clone(),
        bed,
        programs,
        folder: bed.folder("files")?,
    };
    let (mut comparisons, mut peers) = (Vec::new(), Vec::new());
    // The hall that keeps files on this machine.
    let mut local = None;
    for part in options.chosen() {
        // Servers of a later part would take memory and time from this one.
        let names: Vec<String> = part.services().iter().map(|name| (*name).to_owned()).collect();
        for peer in bed.up(&services::chosen(&names))? {
            if !peers.contains(&peer.title) {
                peers.push(peer.title);
            }
        }
        comparisons.extend(match part {
            Part::Downloads => downloads::measure(&setting, setting.hall(&mut local)?)?,
            Part::Uploads => uploads::measure(&setting, setting.hall(&mut local)?)?,
            Part::Catalog => catalog::measure(&setting, setting.hall(&mut local)?)?,
            Part::Hdfs => hdfs::measure(&setting)?,
            Part::S3 => s3::measure(&setting)?,
        });
    }
    Ok(Report {
        comparisons,
        peers,
        options: options.clone(),
    })
}

impl Part {
    fn services(self) -> &'static [&'static str] {
        match self {
            Self::Downloads => &["nginx"],
            Self::Uploads => &["nginx", "tusd"],
            Self::Catalog => &["postgres"],
            Self::Hdfs => &["hdfs"],
            Self::S3 => &["versitygw", "nginx"],
        }
    }
}

impl Options {
    fn chosen(&self) -> Vec<Part> {
        let is_chosen = |part: &&Part| self.parts.is_empty() || self.parts.contains(part);
        Part::value_variants().iter().filter(is_chosen).copied().collect()
    }
}

impl Setting<'_> {
    fn large_bytes(&self) -> u64 {
        self.options.large_mib << 20
    }

    /// What the servers that run say of themselves.
    fn endpoint(&self, pointer: &str) -> Result<String> {
        let endpoints: Value = serde_json::from_slice(&fs::read(self.bed.endpoints_path())?)?;
        let found = endpoints.pointer(pointer).and_then(Value::as_str);
        found
            .map(ToOwned::to_owned)
            .with_context(|| format!("no {pointer} among the endpoints"))
    }

    /// The hall in `local`, started where there is none.
    fn hall<'a>(&self, local: &'a mut Option<Hall>) -> Result<&'a Hall> {
        Ok(match local {
            Some(hall) => hall,
            none => {
                let folder = self.bed.folder("hall")?;
                none.insert(Hall::start(&self.programs.hall, &folder, "inline", true, None)?)
            }
        })
    }

    /// Runs two measures in turn, as often as asked, and compares their medians.
    fn compare(
        &self,
        name: &str,
        unit: &'static str,
        least_ratio: f64,
        hall: Measure<'_>,
        rival: Measure<'_>,
    ) -> Result<Comparison> {
        let mut comparisons = self.compare_all(name, unit, hall, &[(least_ratio, rival)])?;
        comparisons.pop().context("there is one rival")
    }

    /// Runs a measure of the hall and one of each rival in turn, as often as asked, and compares their medians: by each rival the
    /// least ratio.
    fn compare_all(
        &self,
        name: &str,
        unit: &'static str,
        hall: Measure<'_>,
        rivals: &[(f64, Measure<'_>)],
    ) -> Result<Vec<Comparison>> {
        let all: Vec<Measure<'_>> = std::iter::once(hall)
            .chain(rivals.iter().map(|rival| rival.1))
            .collect();
        let mut figures = vec![Vec::new(); all.len()];
        for round in 0..self.options.rounds.max(1) {
            // Who goes first changes, so that nobody always finds the machine warmer.
            for index in (0..all.len()).map(|turn| (turn + round) % all.len()) {
                figures[index].push((all[index].1)()?);
            }
        }
        let mut figures = figures.into_iter();
        let ours = figures.next().unwrap_or_default();
        let comparison = |((least_ratio, rival), theirs): (&(f64, Measure<'_>), Vec<f64>)| Comparison {
            name: name.to_owned(),
            unit,
            hall: (hall.0.to_owned(), ours.clone()),
            rival: (rival.0.to_owned(), theirs),
            least_ratio: *least_ratio,
        };
        let comparisons: Vec<Comparison> = rivals.iter().zip(figures).map(comparison).collect();
        comparisons
            .iter()
            .for_each(|comparison| println!("{}", comparison.line()));
        Ok(comparisons)
    }
}
