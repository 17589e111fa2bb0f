//! The page's own tests, on a copy below the target folder: types and style, units, people at a real browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::plan::Tier;
use super::{Ground, HALL_ENV, Options, Run, budget};
use crate::provision::{self, apt};
use crate::{command, interrupt, paths};

/// The package whose page it is.
const PACKAGE: &str = "hall";
const SOURCES: &str = "examples/hall/web";
/// What belongs to hand work in the sources, or is made anew here.
const NOT_COPIED: [&str; 5] = ["node_modules", "dist", "generated", "shots", ".gitignore"];
const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// Where the commented configuration lies, whose keys the page has words for: the copy that is tested is elsewhere.
const CONFIGURATION_ENV: &str = "CAMPUSDISK_HALL_TOML";
/// Set to 1, the tests in the browser are as large as the page must bear.
const FULL_ENV: &str = "CAMPUSDISK_PAGE_FULL";
/// How long the tests in the browser may take else: eleven minutes on a quiet machine of two cores, and browsers suffer
/// most from a busy one.
const BROWSER_BUDGET: Duration = Duration::from_secs(60 * 25);
/// How long the full ones may take: they put 100,000 files into a hall, one by one.
const FULL_BUDGET: Duration = Duration::from_secs(60 * 60);

/// Whether a run that is narrowed to some packages has the page in it.
pub(super) fn is_chosen(options: &Options) -> bool {
    options.packages.is_empty() || options.packages.iter().any(|package| package == PACKAGE)
}

/// Checks types and style.
///
/// # Errors
/// When the copy can't be made or npm brings nothing.
pub(super) fn check(run: &mut Run<'_>) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", "check"]).current_dir(workshop(run)?);
    run.step("page: types and style", npm, None);
    Ok(())
}

/// Runs the page's tests of a tier, where it has some.
///
/// # Errors
/// As [`check`], and where a program is missing.
pub(super) fn tier(run: &mut Run<'_>, tier: Tier, ground: Option<Ground>) -> Result<()> {
    let projects: &[&str] = match tier {
        Tier::T0 => &["unit"],
        // Neither the language nor the width of a page have to do with where files are.
        Tier::T1 if ground.is_some() => &["e2e", "e2e-en-wide"],
        Tier::T1 => &["e2e*"],
        Tier::T2 => return Ok(()),
    };
    interrupt::check()?;
    if tier == Tier::T1 {
        apt::ensure(apt::FOR_PAGE)?;
    }
    let mut vitest = Command::new("npx");
    vitest
        .args(["--no-install", "vitest", "run"])
        .args(projects.iter().flat_map(|project| ["--project", project]))
        .args(["--reporter=default", "--reporter=tap-flat", "--passWithNoTests"])
        .env("NO_COLOR", "1")
        .current_dir(workshop(run)?);
    if !run.options.filters.is_empty() {
        vitest.args(["--testNamePattern", &run.options.filters.join("|")]);
    }
    vitest.env(HALL_ENV, run.target.join("ci").join("hall"));
    vitest.env(
        CONFIGURATION_ENV,
        paths::clone_root().join("examples/hall/hall.toml"),
    );
    let is_full = run.options.full && tier == Tier::T1 && ground.is_none();
    if is_full {
        vitest.env(FULL_ENV, "1");
    }
    run.in_scratch(&mut vitest);
    run.on(ground, &mut vitest);
    let budget = match tier {
        Tier::T1 if is_full => FULL_BUDGET,
        Tier::T1 => BROWSER_BUDGET,
        _ => budget(tier, run.options.full, ground),
    };
    let name = format!("{} page{}", tier.title(), ground.map_or("", Ground::title));
    run.step(&name, vitest, Some(budget));
    Ok(())
}

/// The copy, like the sources, with everything installed that the lock file names.
fn workshop(run: &Run<'_>) -> Result<PathBuf> {
    let folder = run.target.join("page");
    let sources = paths::clone_root().join(SOURCES);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let kept = ["node_modules", "shots"].iter().any(|name| path.ends_with(name));
        match path.is_dir() {
            _ if kept => {}
            true => fs::remove_dir_all(&path)?,
            false => fs::remove_file(&path)?,
        }
    }
    copy(&sources, &folder).with_context(|| format!("copy {}", sources.display()))?;
    install(&folder)?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}

fn install(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules").join(".installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("provision: the page's packages");
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ])
    .current_dir(folder);
    command::run_logged(npm, &provision::log("npm-ci")?, INSTALL_LIMIT)?;
    fs::write(stamp, lock)?;
    Ok(())
}
