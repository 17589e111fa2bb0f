//! Python packages, in a virtual environment of their own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{command, provision};

const LIMIT: Duration = Duration::from_secs(600);

/// The interpreter that finds `packages` (each such as `flask==3.1.3`), as the tool `name`. What they bring as commands is run by
/// `-m`: a script in the environment names the folder it was made in, which is not the one it ends up in.
///
/// # Errors
/// When `python3` or its `venv` module is missing, or the registry can't be reached.
pub(crate) fn interpreter(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = provision::tool(name, |folder| {
        let log = provision::log(name)?;
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder);
        command::run_logged(venv, &log, LIMIT)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet"]).args(packages);
        command::run_logged(pip, &log, LIMIT)
    })?;
    Ok(folder.join("bin/python"))
}
