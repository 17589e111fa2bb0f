//! `docs/benchmarks.md`: a section with a table and a picture for each part, replaced when that part is measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::comparison::{Comparison, spread};
use super::{Options, Part, plot};
use crate::command::said_in_clone;
use crate::paths;

/// What one part came to.
pub(crate) struct Report<'a> {
    pub(crate) part: Part,
    pub(crate) comparisons: &'a [Comparison],
    /// The servers that ran, with their versions.
    pub(crate) peers: &'a [String],
    pub(crate) options: &'a Options,
    /// What was measured, as [`commit`] gives it.
    pub(crate) commit: &'a str,
}

/// The commit that is checked out, with a word on changes that are not in it. To be asked before the first report is
/// written, which is such a change.
///
/// # Errors
/// When git has no answer.
pub(crate) fn commit() -> Result<String> {
    said_in_clone("git", &["describe", "--always", "--dirty"])
}

impl Report<'_> {
    /// Writes the part's section and its picture, and leaves the other parts' and what stands below the mark.
    ///
    /// # Errors
    /// When a file can't be written.
    pub(crate) fn write(&self) -> Result<()> {
        let docs = paths::clone_root().join("docs");
        let pictures = docs.join("benchmarks");
        fs::create_dir_all(&pictures).with_context(|| format!("make {}", pictures.display()))?;
        let name = self.part.word();
        fs::write(
            pictures.join(format!("{name}.svg")),
            plot::svg(self.part.title(), self.comparisons)?,
        )?;
        let path = docs.join("benchmarks.md");
        let old = fs::read_to_string(&path).unwrap_or_default();
        let order: Vec<String> = Part::all().map(Part::word).collect();
        fs::write(&path, replaced(&old, &order, &name, &self.section()?))?;
        println!("written to docs/benchmarks.md: {name}");
        Ok(())
    }

    fn section(&self) -> Result<String> {
        let date = said_in_clone("date", &["--utc", "+%F"])?;
        let name = self.part.word();
        let mut text = format!(
            "## {}\n\nMedians [least–most] of {} alternating rounds of `cargo xtask bench {name}`; the large file has {} MiB, and each \
             round of many connections takes {} s.\n\n* commit {}, {}\n* {}\n",
            self.part.title(),
            self.options.rounds,
            self.options.large_mib,
            self.options.seconds,
            self.commit,
            date,
            machine(),
        );
        if !self.peers.is_empty() {
            writeln!(text, "* {}", self.peers.join(", "))?;
        }
        write!(
            text,
            "\n![The ratios of the table below](benchmarks/{name}.svg)\n\n\
             | work | hall | rival | ratio | at least | |\n|---|---|---|---|---|---|\n"
        )?;
        for comparison in self.comparisons {
            text.push_str(&row(comparison)?);
        }
        text.push('\n');
        Ok(text)
    }
}

fn row(comparison: &Comparison) -> Result<String> {
    let unit = comparison.unit.word();
    let mut text = String::new();
    writeln!(
        text,
        "| {} | {}: {} {unit} | {}: {} {unit} | **{:.2}** | {} | {} |",
        comparison.name,
        comparison.hall.0,
        spread(&comparison.hall.1),
        comparison.rival.0,
        spread(&comparison.rival.1),
        comparison.ratio(),
        comparison.bar(),
        comparison.verdict().word()
    )?;
    Ok(text)
}

const INTRODUCTION: &str = "# Benchmarks\n\n\
    Written by `cargo xtask bench --write`, part by part, each with the commit it was measured at. Client, hall and rival share the machine \
    and take turns in one run, so ratios carry and absolute figures do not. A ratio is the hall's figure to the rival's; of times and of memory \
    it is the rival's to the hall's, so that more is better everywhere. A row without a figure under *at least* is there to be known.\n\n";

/// Begins the section of a part.
const BEGINS: &str = "<!-- measured: ";

/// What is below this line was written by hand and stays.
const MARK: &str = "<!-- below: written by hand -->\n";

/// The document with another section of the part `name`; `order` is that of the sections.
fn replaced(old: &str, order: &[String], name: &str, section: &str) -> String {
    let (written, kept) = old.split_once(MARK).unwrap_or((old, ""));
    let sections = written.split(BEGINS).skip(1);
    let mut sections: BTreeMap<&str, &str> = sections
        .filter_map(|section| section.split_once(" -->\n"))
        .collect();
    sections.insert(name, section);
    let mut text = INTRODUCTION.to_owned();
    for name in order {
        if let Some(section) = sections.get(name.as_str()) {
            text.extend([BEGINS, name, " -->\n", section]);
        }
    }
    text.extend([MARK, kept]);
    text
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
    use crate::bench::comparison::Unit;

    fn order() -> Vec<String> {
        ["downloads", "uploads", "s3"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_section_is_replaced_and_the_others_and_the_handwritten_rest_stay() {
        let first = replaced("", &order(), "s3", "## S3\n\n");
        let second = replaced(&format!("{first}by hand\n"), &order(), "downloads", "## Old\n\n");
        let third = replaced(&second, &order(), "downloads", "## New\n\n");
        let sections = "<!-- measured: downloads -->\n## New\n\n<!-- measured: s3 -->\n## S3\n\n";
        assert_eq!(third, format!("{INTRODUCTION}{sections}{MARK}by hand\n"));
    }

    #[test]
    fn a_row_without_a_bar_says_so() {
        let comparison = Comparison {
            name: "work".to_owned(),
            unit: Unit::MegabytesPerSecond,
            hall: ("hall".to_owned(), vec![300.0]),
            rival: ("rival".to_owned(), vec![150.0]),
            least_ratio: None,
        };
        assert_eq!(
            row(&comparison).unwrap(),
            "| work | hall: 300 MB/s | rival: 150 MB/s | **2.00** | – | – |\n"
        );
    }
}
