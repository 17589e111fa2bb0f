//! Rust programs from the crate registry.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{command, provision};

const LIMIT: Duration = Duration::from_secs(1800);

/// The binary of `name` at `version`, as the tool `<name>-<version>`.
///
/// # Errors
/// When the build fails.
pub(crate) fn install(name: &str, version: &str) -> Result<PathBuf> {
    let tool = format!("{name}-{version}");
    let folder = provision::tool(&tool, |folder| {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["install", "--locked", "--version", version, name])
            .arg("--root")
            .arg(folder);
        // A target folder set for the workspace is no place for a tool.
        cargo.env("CARGO_TARGET_DIR", folder.join("target"));
        command::run_logged(cargo, &provision::log(&tool)?, LIMIT)?;
        Ok(std::fs::remove_dir_all(folder.join("target"))?)
    })?;
    Ok(folder.join("bin").join(name))
}
