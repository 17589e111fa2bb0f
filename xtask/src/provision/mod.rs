//! Getting tools: each lands in a folder of its own under the tool folder, whole or not at all.

pub(crate) mod apt;
pub(crate) mod crates;
pub(crate) mod go;
pub(crate) mod maven;
pub(crate) mod pypi;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::paths;

/// The folder of the tool `name`, made by `make` where it isn't there yet.
///
/// `make` fills a folder that gets its final name only when it is complete, under a lock, so that parallel and
/// interrupted runs never see half a tool.
///
/// # Errors
/// When the tool folder can't be written or `make` fails.
pub(crate) fn tool(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let tools = paths::tools()?;
    let finished = tools.join(name);
    if finished.is_dir() {
        return Ok(finished);
    }
    fs::create_dir_all(&tools)
        .with_context(|| format!("make the tool folder {} (CAMPUSDISK_TOOLS)", tools.display()))?;
    let lock = File::create(tools.join(format!("{name}.lock")))?;
    lock.lock()?;
    if finished.is_dir() {
        return Ok(finished);
    }
    println!("provision: {name}");
    let partial = tools.join(format!("{name}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    make(&partial).with_context(|| format!("provision {name}"))?;
    fs::rename(&partial, &finished)?;
    Ok(finished)
}

/// The log of a provisioning step.
///
/// # Errors
/// When there is no tool folder.
pub(crate) fn log(name: &str) -> Result<PathBuf> {
    Ok(paths::tools()?.join("logs").join(format!("{name}.log")))
}
