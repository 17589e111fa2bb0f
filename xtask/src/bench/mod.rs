//! `cargo xtask bench`: the hall beside its rivals, in one run, as ratios.
//!
//! Every figure is a median of alternating rounds on the same machine. `docs/benchmarks.md` is written from it.

mod archives;
mod catalog;
mod client;
mod comparison;
mod crowd;
mod downloads;
mod fetch;
mod first_byte;
mod hall;
mod hdfs;
mod hdfs_cluster;
mod hdfs_hot;
mod load;
mod plot;
mod programs;
mod report;
mod room;
mod s3;
mod s3_bucket;
mod s3_far;
mod setting;
mod shaper;
mod slow;
mod uploads;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::comparison::Comparison;
use self::hall::Hall;
use self::programs::Programs;
use self::report::Report;
use self::setting::Setting;
use crate::paths::Slot;
use crate::provision::apt::{self, Program};
use crate::services::{self, TestBed};

const PROGRAMS: &[Program] = &[
    Program::new("curl", "benches", Some("curl")),
    Program::new("wrk", "benches of many connections", Some("wrk")),
    Program::new("strace", "counting and delaying syncs", Some("strace")),
    Program::new("aria2c", "comparing with aria2", Some("aria2")),
];

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Downloads,
    Uploads,
    Catalog,
    Hdfs,
    S3,
    Fetch,
}

/// How to measure.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// What to measure; without it everything, and the report is written.
    parts: Vec<Part>,
    /// Writes the measured parts into the report; the others' figures stay.
    #[arg(long)]
    write: bool,
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

/// Measures everything, and writes each part's figures as soon as they are there.
///
/// # Errors
/// When a server can't be had or answers wrongly; what was started is stopped.
pub(crate) fn run(options: &Options) -> Result<()> {
    apt::ensure(PROGRAMS)?;
    let programs = Programs::build(&options.chosen())?;
    let bed = TestBed::open(Slot::Bench)?;
    let outcome = measure(options, &bed, programs);
    bed.down()?;
    for comparison in outcome? {
        println!("{}", comparison.line());
    }
    Ok(())
}

fn measure(options: &Options, bed: &TestBed, programs: Programs) -> Result<Vec<Comparison>> {
    bed.down()?;
    let setting = Setting {
        options: options.clone(),
        bed,
        programs,
        folder: bed.folder("files")?,
    };
    let commit = report::commit()?;
    let mut all = Vec::new();
    // The hall that keeps files on this machine.
    let mut local = None;
    for part in options.chosen() {
        let peers = part.start_services(bed)?;
        let comparisons = part.measure(&setting, &mut local)?;
        if options.writes() {
            let report = Report {
                part,
                comparisons: &comparisons,
                peers: &peers,
                options,
                commit: &commit,
            };
            report.write()?;
        }
        all.extend(comparisons);
    }
    Ok(all)
}

impl Part {
    fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// As it stands on the command line.
    fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn title(self) -> &'static str {
        match self {
            Self::Downloads => "Downloads from local disk",
            Self::Uploads => "Uploads to local disk",
            Self::Catalog => "Catalog",
            Self::Hdfs => "HDFS",
            Self::S3 => "S3",
            Self::Fetch => "The client `fetch`",
        }
    }

    fn services(self) -> &'static [&'static str] {
        match self {
            Self::Downloads => &["nginx", "dufs", "flask"],
            Self::Uploads => &["nginx", "tusd"],
            Self::Catalog => &["postgres"],
            Self::Hdfs => &["hdfs"],
            Self::S3 => &["versitygw", "radosgw", "nginx"],
            Self::Fetch => &[],
        }
    }

    /// Starts the servers of this part, and not yet those of a later one, which would take memory and time from it. Gives what
    /// they are called.
    fn start_services(self, bed: &TestBed) -> Result<Vec<String>> {
        let names: Vec<String> = self.services().iter().map(|name| (*name).to_owned()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let running = bed.up(&services::chosen(&names))?;
        Ok(running.into_iter().map(|peer| peer.title).collect())
    }

    fn measure(self, setting: &Setting<'_>, local: &mut Option<Hall>) -> Result<Vec<Comparison>> {
        match self {
            Self::Downloads => downloads::measure(setting, setting.hall(local)?),
            Self::Uploads => uploads::measure(setting, setting.hall(local)?),
            Self::Catalog => catalog::measure(setting, setting.hall(local)?),
            Self::Hdfs => hdfs::measure(setting, setting.hall(local)?),
            Self::S3 => s3::measure(setting),
            Self::Fetch => fetch::measure(setting, setting.hall(local)?),
        }
    }
}

impl Options {
    fn chosen(&self) -> Vec<Part> {
        let is_chosen = |part: &Part| self.parts.is_empty() || self.parts.contains(part);
        Part::all().filter(is_chosen).collect()
    }

    fn writes(&self) -> bool {
        self.write || self.parts.is_empty()
    }
}
