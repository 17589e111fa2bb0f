//! The table of ratios.

use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::Options;
use crate::{command, paths};

/// The hall and a rival at the same work.
pub(crate) struct Comparison {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) hall: (String, Vec<f64>),
    pub(crate) rival: (String, Vec<f64>),
    pub(crate) least_ratio: f64,
}

pub(crate) struct Report {
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) peers: Vec<String>,
    pub(crate) options: Options,
}

impl Comparison {
    fn ratio(&self) -> f64 {
        median(&self.hall.1) / median(&self.rival.1)
    }

    fn verdict(&self) -> &'static str {
        if self.ratio() >= self.least_ratio {
            "reached"
        } else {
            "missed"
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{}: {} {} : {} {} = {:.2} (at least {:.2}: {})",
            self.name,
            self.hall.0,
            spread(&self.hall.1),
            self.rival.0,
            spread(&self.rival.1),
            self.ratio(),
            self.least_ratio,
            self.verdict()
        )
    }
}

impl Report {
    pub(crate) fn print(&self) {
        self.comparisons
            .iter()
            .for_each(|comparison| println!("{}", comparison.line()));
    }

    /// Writes `docs/benchmarks.md`, leaving what stands below its mark.
    pub(crate) fn write(&self) -> Result<()> {
        let path = paths::clone_root().join("docs/benchmarks.md");
        let old = fs::read_to_string(&path).unwrap_or_default();
        let kept = old.split_once(MARK).map_or("", |(_, kept)| kept);
        fs::write(&path, format!("{}{MARK}{kept}", self.text()?))?;
        println!("written to docs/benchmarks.md");
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let commit = command::output_of(
            std::process::Command::new("git")
                .args(["describe", "--always", "--dirty"])
                .current_dir(paths::clone_root()),
        )?;
        let mut text = format!(
            "# Benchmarks\n\nWritten by `cargo xtask bench`. Medians [least–most] of {} alternating rounds in one run; the large file has {} MiB. \
             Client, hall and rival share the machine, so ratios carry and absolute figures do not.\n\n\
             * commit {}\n* {}\n* {}\n\n\
             | work | hall | rival | ratio | at least | |\n|---|---|---|---|---|---|\n",
            self.options.rounds,
            self.options.large_mib,
            commit.trim(),
            machine(),
            self.peers.join(", "),
        );
        for comparison in &self.comparisons {
            writeln!(
                text,
                "| {} | {}: {} {} | {}: {} {} | **{:.2}** | {:.2} | {} |",
                comparison.name,
                comparison.hall.0,
                spread(&comparison.hall.1),
                comparison.unit,
                comparison.rival.0,
                spread(&comparison.rival.1),
                comparison.unit,
                comparison.ratio(),
                comparison.least_ratio,
                comparison.verdict()
            )?;
        }
        text.push('\n');
        Ok(text)
    }
}

/// What is below this line was written by hand and stays.
const MARK: &str = "<!-- below: written by hand -->\n";

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let middle = median(values);
    // Three digits tell.
    let decimals = match middle {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    if values.len() < 2 {
        return format!("{middle:.decimals$}");
    }
    format!("{middle:.decimals$} [{least:.decimals$}–{most:.decimals$}]")
}

/// Processor, cores, memory and kernel.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(": ").nth(1));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores, {} GiB, Linux {}",
        model.unwrap_or("unknown processor"),
        kib >> 20,
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), "2.00 [1.00–3.00]");
    }
}
