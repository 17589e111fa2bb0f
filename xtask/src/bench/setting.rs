//! What every measure uses, and how two or more of them are compared.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Options;
use super::comparison::{Comparison, Unit};
use super::hall::{Hall, Setup};
use super::programs::Programs;
use crate::services::TestBed;

/// What every measure uses.
pub(crate) struct Setting<'a> {
    pub(super) options: Options,
    pub(super) bed: &'a TestBed,
    pub(super) programs: Programs,
    /// Files that are sent.
    pub(super) folder: PathBuf,
}

/// A name, and what is measured under it.
pub(crate) type Measure<'a> = (&'a str, &'a dyn Fn() -> Result<f64>);

/// What the ratio to it must be at least (where something is asked), and who it is.
pub(crate) type Rival<'a> = (Option<f64>, Measure<'a>);

impl Setting<'_> {
    pub(crate) fn large_bytes(&self) -> u64 {
        self.options.large_mib << 20
    }

    /// The large file's size, as rows name it.
    pub(crate) fn large_name(&self) -> String {
        let mib = self.options.large_mib;
        if mib.is_multiple_of(1024) {
            format!("{} GiB", mib / 1024)
        } else {
            format!("{mib} MiB")
        }
    }

    /// What the servers that run say of themselves.
    pub(crate) fn endpoint(&self, pointer: &str) -> Result<String> {
        let endpoints: Value = serde_json::from_slice(&fs::read(self.bed.endpoints_path())?)?;
        let found = endpoints.pointer(pointer).and_then(Value::as_str);
        found
            .map(ToOwned::to_owned)
            .with_context(|| format!("no {pointer} among the endpoints"))
    }

    /// The hall in `local`, started where there is none.
    pub(crate) fn hall<'a>(&self, local: &'a mut Option<Hall>) -> Result<&'a Hall> {
        Ok(match local {
            Some(hall) => hall,
            none => none.insert(self.start_hall("local", &Setup::default())?),
        })
    }

    /// Starts another hall, in a folder of its own.
    pub(crate) fn start_hall(&self, name: &str, setup: &Setup) -> Result<Hall> {
        let folder = self.bed.folder(&format!("hall-{name}"))?;
        Hall::start(&self.programs.hall, &folder, name, setup)
    }

    /// Runs two measures in turn, as often as asked, and compares their medians.
    pub(crate) fn compare(
        &self,
        name: &str,
        unit: Unit,
        least_ratio: f64,
        hall: Measure<'_>,
        rival: Measure<'_>,
    ) -> Result<Comparison> {
        let mut comparisons = self.compare_all(name, unit, hall, &[(Some(least_ratio), rival)])?;
        comparisons.pop().context("there is one rival")
    }

    /// Runs a measure of the hall and one of each rival in turn, as often as asked, and compares their medians.
    pub(crate) fn compare_all(
        &self,
        name: &str,
        unit: Unit,
        hall: Measure<'_>,
        rivals: &[Rival<'_>],
    ) -> Result<Vec<Comparison>> {
        let all: Vec<&dyn Fn() -> Result<f64>> = std::iter::once(hall.1)
            .chain(rivals.iter().map(|rival| rival.1.1))
            .collect();
        let mut figures = self.in_turn(&all)?.into_iter();
        let ours = figures.next().unwrap_or_default();
        let comparison = |((least_ratio, rival), theirs): (&Rival<'_>, Vec<f64>)| Comparison {
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

    /// Runs measures in turn, as often as asked, and gives the figures of each.
    pub(crate) fn in_turn<T>(&self, all: &[&dyn Fn() -> Result<T>]) -> Result<Vec<Vec<T>>> {
        let mut figures: Vec<Vec<T>> = all.iter().map(|_| Vec::new()).collect();
        for round in 0..self.options.rounds.max(1) {
            // Who goes first changes, so that nobody always finds the machine warmer.
            for index in (0..all.len()).map(|turn| (turn + round) % all.len()) {
                figures[index].push(all[index]()?);
            }
        }
        Ok(figures)
    }
}
