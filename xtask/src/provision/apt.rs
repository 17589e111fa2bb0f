//! Programs that come from the system's packages. Each is named once: for the tests in the table here, for a
//! peer in its service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{command, paths, provision};

const LIMIT: Duration = Duration::from_secs(900);
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A program, what needs it, and the Debian package that brings it (none: Debian's is too old).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    name: &'static str,
    why: &'static str,
    package: Option<&'static str>,
}

impl Program {
    pub(crate) const fn new(name: &'static str, why: &'static str, package: Option<&'static str>) -> Self {
        Self { name, why, package }
    }
}

/// The server that tests start for the catalog.
pub(crate) const POSTGRESQL: Program = Program::new("initdb", "PostgreSQL", Some("postgresql"));

/// The second S3 server, and the cluster below it.
pub(crate) const CEPH: [Program; 3] = [
    Program::new("radosgw", "the second S3 server", Some("radosgw")),
    Program::new("ceph-mon", "radosgw", Some("ceph-mon")),
    Program::new("ceph-osd", "radosgw", Some("ceph-osd")),
];

/// What the test run needs on the machine.
pub(crate) const FOR_TESTS: &[Program] = &[
    Program::new("java", "HDFS", Some("openjdk-17-jdk-headless")),
    Program::new("mvn", "Hadoop's jars", Some("maven")),
    Program::new("go", "versitygw (Go 1.26 or newer, see go.dev/doc/install)", None),
    POSTGRESQL,
    CEPH[0],
    CEPH[1],
    CEPH[2],
    Program::new("setsid", "starting servers", Some("util-linux")),
    Program::new("jar", "archives", Some("openjdk-17-jdk-headless")),
    Program::new("unzip", "archives", Some("unzip")),
    Program::new("curl", "downloads that are cut", Some("curl")),
    Program::new("7z", "archives", Some("p7zip-full")),
    Program::new("python3", "archives", Some("python3")),
];

/// What the page's tests need beside a Node that is new enough (the build of the hall says so first).
pub(crate) const FOR_PAGE: &[Program] = &[
    Program::new("node", "the page (20.19 or newer, see nodejs.org)", None),
    Program::new("npm", "the page (comes with Node)", None),
    Program::new("chromium", "the page's tests", Some("chromium")),
];

/// One installation at a time: both would write the policy.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Makes sure that every program of `programs` is there: installs what is missing as root on Debian.
///
/// # Errors
/// Where it can't install: names everything that is missing, for what, and the package.
pub(crate) fn ensure(programs: &[Program]) -> Result<()> {
    let missing: Vec<&Program> = programs
        .iter()
        .filter(|program| !is_there(program.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().filter_map(|program| program.package).collect();
    let installable = paths::user_id() == 0 && Path::new("/etc/debian_version").exists();
    if installable && !packages.is_empty() {
        install(&packages).with_context(|| format!("install {}", packages.join(" ")))?;
    }
    let list: Vec<String> = missing
        .iter()
        .filter(|program| !is_there(program.name))
        .map(|Program { name, why, package }| match package {
            Some(package) => format!("{name} for {why} (Debian: {package})"),
            None => format!("{name} for {why}"),
        })
        .collect();
    if !list.is_empty() {
        bail!("missing programs: {}", list.join("; "));
    }
    Ok(())
}

/// Where a program is: in the user's path, or in one of the folders where Debian keeps servers, which that may lack.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .chain(postgresql_folders())
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// As [`find`], for a program that was ensured before.
///
/// # Errors
/// When it is not there all the same.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    find(name).with_context(|| format!("{name} is not there"))
}

/// `/usr/lib/postgresql/15/bin` and its like, the newest version first.
fn postgresql_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn is_there(program: &str) -> bool {
    find(program).is_some()
}

fn install(packages: &[&str]) -> Result<()> {
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    println!("provision: apt-get install {}", packages.join(" "));
    let _policy = NoServices::enter()?;
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        // Another installation may hold the lock for a while.
        apt.args(["-o", "DPkg::Lock::Timeout=600", "-qq"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    command::run_logged(apt(&["update"]), &provision::log("apt-update")?, LIMIT)?;
    let mut install = apt(&["install", "-y", "--no-install-recommends"]);
    install.args(packages);
    command::run_logged(install, &provision::log("apt-install")?, LIMIT)
}

/// While this lives, packages start no services of their own; an existing policy is left as it is.
struct NoServices {
    written: bool,
}

impl NoServices {
    fn enter() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { written: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self { written: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.written {
            // Left behind it only keeps later packages from starting services.
            let _ = fs::remove_file(POLICY);
        }
    }
}
