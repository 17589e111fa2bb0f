//! Go programs, built from the module proxy by the machine's `go`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{command, provision};

const LIMIT: Duration = Duration::from_secs(1200);

/// The binary of `package` (an import path) at `version`, as the tool `<binary>-<version>`.
///
/// # Errors
/// When `go` is missing or the build fails.
pub(crate) fn install(package: &str, version: &str) -> Result<PathBuf> {
    let binary = binary_name(package);
    let name = format!("{binary}-{version}");
    let folder = provision::tool(&name, |folder| {
        let mut go = go(folder);
        go.args(["install", &format!("{package}@{version}")])
            .env("GOBIN", folder);
        command::run_logged(go, &provision::log(&name)?, LIMIT)
    })?;
    Ok(folder.join(binary))
}

/// As [`install`], through a module of our own: for modules whose version list the proxy doesn't give,
/// which `go install package@version` asks for.
///
/// # Errors
/// When `go` is missing or the build fails.
pub(crate) fn build_in_module(module: &str, package: &str, version: &str) -> Result<PathBuf> {
    let binary = binary_name(package);
    let name = format!("{binary}-{version}");
    let folder = provision::tool(&name, |folder| {
        fs::write(
            folder.join("go.mod"),
            format!("module tools\n\nrequire {module} {version}\n"),
        )?;
        let mut go = go(folder);
        go.args(["build", "-mod=mod", "-o", binary, package]);
        command::run_logged(go, &provision::log(&name)?, LIMIT)
    })?;
    Ok(folder.join(binary))
}

fn go(folder: &Path) -> Command {
    // Niced: the first compile of the workspace runs beside it and is the longer one.
    let mut command = Command::new("nice");
    command.args(["-n", "10", "go"]).current_dir(folder);
    command
}

fn binary_name(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}
