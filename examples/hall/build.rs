//! Builds the page (feature `page`) with Node, on a copy of `web` below `OUT_DIR`: the source tree stays as it is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// What the build of the page depends on; its tests and the tools' settings for them are left out.
const SOURCES: [&str; 8] = [
    ".npmrc",
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];

/// What Vite needs: this minor version of Node 20, or anything newer.
const OLDEST_NODE: (u32, u32) = (20, 19);

const REMEDY: &str = "The hall's page is built with Node 20.19 or newer and npm (see https://nodejs.org). \
     Install them, or build a hall without page: cargo build -p hall --no-default-features";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // What `include_dir!` takes in is not tracked by itself.
    println!("cargo::rerun-if-changed=demo");
    if env::var_os("CARGO_FEATURE_PAGE").is_none() {
        return Ok(());
    }
    let web = PathBuf::from(required("CARGO_MANIFEST_DIR")?).join("web");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }
    check_node()?;
    let page = PathBuf::from(required("OUT_DIR")?).join("page");
    copy_sources(&web, &page)?;
    install(&page)?;
    run(Command::new("npm").args(["run", "--silent", "build"]), &page)
}

/// Says what to do before npm fails in words of its own.
fn check_node() -> Result<(), Box<dyn Error>> {
    let found = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(node) = found("node") else {
        return Err(format!("`node` can't be started. {REMEDY}").into());
    };
    let mut numbers = node
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < OLDEST_NODE {
        return Err(format!("`node` is {node}, which is too old. {REMEDY}").into());
    }
    if found("npm").is_none() {
        return Err(format!("`npm` can't be started. {REMEDY}").into());
    }
    Ok(())
}

/// Makes the copy like the sources, also where files went away.
fn copy_sources(web: &Path, page: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(page)?;
    for source in SOURCES {
        let (from, to) = (web.join(source), page.join(source));
        if to.is_dir() {
            fs::remove_dir_all(&to)?;
        }
        copy(&from, &to).map_err(|error| format!("copy {} to {}: {error}", from.display(), to.display()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Installs what the lock file names, unless that is there already.
fn install(page: &Path) -> Result<(), Box<dyn Error>> {
    let lock = fs::read(page.join("package-lock.json"))?;
    let stamp = page.join("node_modules").join(".installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--omit=dev",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    run(&mut npm, page)
        .map_err(|error| format!("{error}\nnpm could not get what the page is built with. {REMEDY}"))?;
    fs::write(stamp, lock)?;
    Ok(())
}

fn run(command: &mut Command, folder: &Path) -> Result<(), Box<dyn Error>> {
    let output = command.current_dir(folder).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?} in {} ended with {}:\n{}{}",
        folder.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}

fn required(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
