//! What `--full` adds: licences and sources, each feature alone, the packages as they would be published; and the
//! result file.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::{PROFILE, Run};
use crate::command::said_in_clone;
use crate::paths;
use crate::provision::crates;
use crate::summary::Report;

const RESULT_FILE: &str = "docs/full-run.md";
const DENY_VERSION: &str = "0.20.2";

/// Runs the additional steps.
///
/// # Errors
/// When a tool can't be got.
pub(super) fn steps(run: &mut Run<'_>) -> Result<()> {
    let deny = crates::install("cargo-deny", DENY_VERSION)?;
    let mut check = Command::new(deny);
    check
        .args(["check", "licenses", "bans", "sources"])
        .current_dir(paths::clone_root());
    run.step("cargo deny", check, None);
    each_feature_alone(run);
    package(run)
}

fn each_feature_alone(run: &mut Run<'_>) {
    let mut pairs = Vec::new();
    for package in run.workspace.published() {
        pairs.push((package.name.clone(), None));
        pairs.extend(
            package
                .features
                .keys()
                .map(|feature| (package.name.clone(), Some(feature.clone()))),
        );
    }
    for (package, feature) in pairs {
        let mut check = run.cargo(&["check"]);
        check
            .args(PROFILE)
            .args(["-p", &package, "--no-default-features"]);
        let name = match feature {
            Some(feature) => {
                check.args(["--features", &feature]);
                format!("{package} with {feature} alone")
            }
            None => format!("{package} without features"),
        };
        run.step(&name, check, None);
    }
}

fn package(run: &mut Run<'_>) -> Result<()> {
    forget_unpacked(run)?;
    let mut package = run.cargo(&["package", "--locked", "--allow-dirty"]);
    for published in run.workspace.published() {
        package.args(["-p", &published.name]);
    }
    run.step("packages", package, None);
    Ok(())
}

/// Deletes what cargo unpacked of our packages in an earlier run: it takes that for what it packs now, as the version is the same.
fn forget_unpacked(run: &Run<'_>) -> Result<()> {
    let registries = paths::cargo_home()?.join("registry/src");
    for registry in fs::read_dir(&registries).into_iter().flatten() {
        let registry = registry?;
        // Those that are no server's have no name before the hash.
        if !registry.file_name().to_string_lossy().starts_with('-') {
            continue;
        }
        for published in run.workspace.published() {
            let unpacked = registry
                .path()
                .join(format!("{}-{}", published.name, published.version));
            if unpacked.exists() {
                fs::remove_dir_all(&unpacked).with_context(|| format!("delete {}", unpacked.display()))?;
            }
        }
    }
    Ok(())
}

/// Writes what happened, with commit, date and machine, to be committed.
///
/// # Errors
/// When git or date can't be asked or the file can't be written.
pub(super) fn write_result(report: &Report) -> Result<()> {
    let root = paths::clone_root();
    let dirty = if said_in_clone("git", &["status", "--porcelain"])?.is_empty() {
        ""
    } else {
        ", with changes not committed"
    };
    let mut text = format!(
        "# The last full run\n\nWritten by `cargo xtask test --full`.\n\n\
         * commit: {}{dirty}\n* date: {}\n* machine: {}, {} cores; {}\n* result: {}\n\n\
         | step | seconds | outcome |\n|---|---|---|\n",
        said_in_clone("git", &["rev-parse", "HEAD"])?,
        said_in_clone("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?,
        said_in_clone("uname", &["-srm"])?,
        std::thread::available_parallelism()?,
        said_in_clone("rustc", &["--version"])?,
        report.last_line(),
    );
    for step in &report.steps {
        writeln!(
            text,
            "| {} | {:.1} | {} |",
            step.name,
            step.took.as_secs_f64(),
            step.outcome()
        )?;
    }
    writeln!(text, "\nReal servers:\n")?;
    for server in &report.servers {
        writeln!(text, "* {}", server.title)?;
    }
    for test in &report.failed_tests {
        writeln!(text, "\nFailed: {test}")?;
    }
    let path = root.join(RESULT_FILE);
    fs::create_dir_all(root.join("docs"))?;
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}
