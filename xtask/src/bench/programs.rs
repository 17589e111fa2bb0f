//! The programs that are measured, each as it is released.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{Part, catalog};
use crate::{command, paths, provision};

const BUILD_LIMIT: Duration = Duration::from_secs(3600);

pub(crate) struct Programs {
    pub(crate) hall: PathBuf,
    /// Where the others are; those of parts that are not measured may be missing.
    pub(crate) catalog: PathBuf,
    pub(crate) hdfs_raw: PathBuf,
    pub(crate) s3_raw: PathBuf,
    pub(crate) fetch: PathBuf,
}

impl Programs {
    /// Builds what `parts` need.
    ///
    /// # Errors
    /// When it doesn't build.
    pub(crate) fn build(parts: &[Part]) -> Result<Self> {
        let examples = paths::target()?.join("release/examples");
        let mut programs = Self {
            hall: hall()?,
            catalog: PathBuf::new(),
            hdfs_raw: examples.join("hdfs_raw"),
            s3_raw: examples.join("s3_raw"),
            fetch: paths::target()?.join("release/fetch"),
        };
        if parts.contains(&Part::Catalog) {
            programs.catalog = catalog::build()?;
        }
        if parts.contains(&Part::Hdfs) {
            build(
                &["--package", "campusdisk-hdfs", "--example", "hdfs_raw"],
                "hdfs_raw",
            )?;
        }
        if parts.contains(&Part::S3) {
            build(&["--package", "campusdisk-s3", "--example", "s3_raw"], "s3_raw")?;
        }
        if parts.contains(&Part::Fetch) {
            build(&["--package", "fetch"], "fetch")?;
        }
        Ok(programs)
    }
}

fn hall() -> Result<PathBuf> {
    build(&["--package", "hall"], "hall")?;
    Ok(paths::target()?.join("release/hall"))
}

fn build(words: &[&str], name: &str) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release"])
        .args(words)
        .arg("--target-dir")
        .arg(paths::target()?)
        .current_dir(paths::clone_root());
    println!("bench: building {name} (release)");
    command::run_logged(
        cargo,
        &provision::log(&format!("bench-build-{name}"))?,
        BUILD_LIMIT,
    )
}
