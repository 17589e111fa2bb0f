//! What the workspace holds, as `cargo metadata` tells it, and which tier each test target belongs to.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{command, paths};

/// The package whose integration tests name their tier.
const TESTS_PACKAGE: &str = "campusdisk-tests";

/// Test targets whose servers only a full run starts. Another run leaves them out whole, so that nothing of them is counted.
pub(crate) const FULL_RUN_ONLY: [&str; 3] = ["t2_hdfs_ha", "t2_hdfs_ha_failover", "t2_hdfs_kerberos"];

/// A tier of tests; the package `campusdisk-tests` names it by prefix, everything else is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tier {
    /// In process: units, properties, conformance, documentation examples, tidy.
    T0,
    /// The hall's binary over a socket.
    T1,
    /// Real servers.
    T2,
}

impl Tier {
    /// The name in reports.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::T0 => "T0",
            Self::T1 => "T1",
            Self::T2 => "T2",
        }
    }

    fn of(package: &str, target: &str) -> Self {
        match target.split_once('_') {
            Some(("t1", _)) if package == TESTS_PACKAGE => Self::T1,
            Some(("t2", _)) if package == TESTS_PACKAGE => Self::T2,
            _ => Self::T0,
        }
    }
}

/// The packages of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    packages: Vec<Package>,
}

/// One package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) features: std::collections::BTreeMap<String, Vec<String>>,
    publish: Option<Vec<String>>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    test: bool,
}

impl Package {
    pub(crate) fn is_published(&self) -> bool {
        self.publish.is_none()
    }

    fn has_tests_of(&self, kinds: &[&str]) -> bool {
        self.targets
            .iter()
            .any(|target| target.test && target.is_one_of(kinds))
    }
}

impl Target {
    fn is_one_of(&self, kinds: &[&str]) -> bool {
        self.kind.iter().any(|kind| kinds.contains(&kind.as_str()))
    }
}

impl Workspace {
    /// Reads the workspace of this clone.
    ///
    /// # Errors
    /// When `cargo metadata` fails or answers something else.
    pub(crate) fn read() -> Result<Self> {
        let mut metadata = cargo();
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        serde_json::from_str(&command::output_of(&mut metadata)?).context("understand cargo metadata")
    }

    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_published())
    }

    /// The arguments that choose the test targets of `tier` among `packages` (all where empty);
    /// nothing where the tier has none. Those of [`FULL_RUN_ONLY`] are among them in a full run.
    pub(crate) fn targets_of(&self, tier: Tier, packages: &[String], full: bool) -> Option<Vec<String>> {
        let chosen = || {
            self.packages
                .iter()
                .filter(|package| packages.is_empty() || packages.contains(&package.name))
        };
        let mut args = Vec::new();
        if tier == Tier::T0 {
            if chosen().any(|package| package.has_tests_of(&LIBRARIES)) {
                args.push("--lib".to_owned());
            }
            if chosen().any(|package| package.has_tests_of(&["bin"])) {
                args.push("--bins".to_owned());
            }
        }
        for package in chosen() {
            for target in package
                .targets
                .iter()
                .filter(|target| target.test && target.is_one_of(&["test"]))
            {
                let runs = full || !FULL_RUN_ONLY.contains(&target.name.as_str());
                if runs && Tier::of(&package.name, &target.name) == tier {
                    args.extend(["--test".to_owned(), target.name.clone()]);
                }
            }
        }
        (!args.is_empty()).then_some(args)
    }

    /// Whether any of `packages` (all where empty) has a library, whose documentation may hold examples.
    pub(crate) fn has_library(&self, packages: &[String]) -> bool {
        self.packages
            .iter()
            .filter(|package| packages.is_empty() || packages.contains(&package.name))
            .any(|package| package.has_tests_of(&LIBRARIES))
    }
}

const LIBRARIES: [&str; 3] = ["lib", "rlib", "proc-macro"];

/// The cargo that runs this, in the clone.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::clone_root());
    cargo
}

#[cfg(test)]
mod tests {
    use super::{Tier, Workspace};

    fn workspace() -> Workspace {
        serde_json::from_str(
            r#"{"packages":[
                {"name":"campusdisk-tests","version":"0.1.0","features":{},"publish":[],"targets":[
                    {"name":"campusdisk_tests","kind":["lib"],"test":true},
                    {"name":"t0_tidy","kind":["test"],"test":true},
                    {"name":"t1_http","kind":["test"],"test":true},
                    {"name":"t2_hdfs","kind":["test"],"test":true},
                    {"name":"t2_hdfs_ha","kind":["test"],"test":true}]},
                {"name":"xtask","version":"0.1.0","features":{},"publish":[],"targets":[
                    {"name":"xtask","kind":["bin"],"test":true},
                    {"name":"t1_other","kind":["test"],"test":true}]}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn targets_of_the_tests_package_name_their_tier_and_all_others_are_t0() {
        let workspace = workspace();
        let of = |tier| workspace.targets_of(tier, &[], false).unwrap().join(" ");
        assert_eq!(of(Tier::T0), "--lib --bins --test t0_tidy --test t1_other");
        assert_eq!(of(Tier::T1), "--test t1_http");
        assert_eq!(of(Tier::T2), "--test t2_hdfs");
    }

    #[test]
    fn only_a_full_run_has_the_targets_that_need_its_servers() {
        let of = |full| workspace().targets_of(Tier::T2, &[], full).unwrap().join(" ");
        assert_eq!(of(false), "--test t2_hdfs");
        assert_eq!(of(true), "--test t2_hdfs --test t2_hdfs_ha");
    }

    #[test]
    fn a_tier_without_targets_gives_nothing() {
        assert_eq!(
            workspace().targets_of(Tier::T2, &["xtask".to_owned()], true),
            None
        );
    }
}
