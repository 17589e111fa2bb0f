//! Java artifacts with all they need, resolved by `mvn`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{command, provision};

const LIMIT: Duration = Duration::from_secs(600);

/// One artifact by its coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Artifact {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// The folder with the jars of `artifacts` and everything they depend on at run time, as the tool `name`.
///
/// # Errors
/// When `mvn` is missing or can't resolve them.
pub(crate) fn jars(name: &str, artifacts: &[Artifact]) -> Result<PathBuf> {
    let folder = provision::tool(name, |folder| {
        fs::write(folder.join("pom.xml"), pom(artifacts))?;
        let mut mvn = Command::new("mvn");
        mvn.args([
            "-B",
            "-q",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg(format!("-DoutputDirectory={}", folder.join("lib").display()))
        .current_dir(folder);
        command::run_logged(mvn, &provision::log(name)?, LIMIT)
    })?;
    Ok(folder.join("lib"))
}

fn pom(artifacts: &[Artifact]) -> String {
    let mut dependencies = String::new();
    for Artifact { group, name, version } in artifacts {
        // Writing to a string can't fail.
        let _ = write!(
            dependencies,
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        );
    }
    format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>campusdisk</groupId><artifactId>tools</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )
}
