//! Rules of the repository that no compiler checks: who may depend on whom, and how files look.
#![expect(clippy::unwrap_used, reason = "a file that can't be read is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Above this a file does several things.
const LONGEST_FILE_LINES: usize = 600;

/// Which crates of ours a package may name. Programs, benches and tests join the pieces, so they may name any.
const ARROWS: &[(&str, &[&str])] = &[
    ("campusdisk-core", &[]),
    ("campusdisk-local", &["campusdisk-core"]),
    ("campusdisk-hdfs", &["campusdisk-core"]),
    ("campusdisk-s3", &["campusdisk-core"]),
    ("campusdisk-accounts", &["campusdisk-core"]),
    ("campusdisk-insight", &["campusdisk-core"]),
    (
        "campusdisk-sql",
        &["campusdisk-core", "campusdisk-accounts", "campusdisk-insight"],
    ),
    ("campusdisk-redis", &["campusdisk-core"]),
    ("campusdisk-kafka", &["campusdisk-core"]),
    (
        "campusdisk-axum",
        &["campusdisk-core", "campusdisk-accounts", "campusdisk-insight"],
    ),
    ("campusdisk-testkit", &["campusdisk-core", "campusdisk-accounts"]),
    ("xtask", &[]),
];

/// Folders whose packages may name any crate of ours.
const JOINING_FOLDERS: &[&str] = &["examples", "benches", "tests", "fuzz"];

/// Crates that would bring HTTP, a database or a client of a store into the domain.
const FOREIGN_TO_CORE: &[&str] = &[
    "aws",
    "axum",
    "hdfs-native",
    "http",
    "hyper",
    "object_store",
    "rdkafka",
    "redis",
    "reqwest",
    "rusqlite",
    "sqlx",
    "tower",
    "ureq",
];

/// Folders that hold nothing written by hand.
const SKIPPED_FOLDERS: &[&str] = &[
    "target",
    "node_modules",
    "dist",
    "generated",
    ".git",
    "campusdisk-data",
];

#[test]
fn packages_name_only_the_crates_the_design_allows() {
    let mut broken = Vec::new();
    for package in packages() {
        if package.joins() {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            broken.push(format!("{} has no line in ARROWS of this test", package.name));
            continue;
        };
        for Dependency { name, section } in package.dependencies() {
            // Core tests itself without the test kit: with it, a unit test would see two cores.
            let test_kit = section == "dev-dependencies"
                && name == "campusdisk-testkit"
                && package.name != "campusdisk-core";
            if name.starts_with("campusdisk-") && !allowed.contains(&name.as_str()) && !test_kit {
                broken.push(format!("{} names {name} in [{section}]", package.name));
            }
        }
    }
    assert_none(
        &broken,
        "Move what is shared into core, or join the crates in examples/hall.",
    );
}

#[test]
fn the_core_names_no_http_database_or_store_client() {
    let core = packages()
        .into_iter()
        .find(|package| package.name == "campusdisk-core")
        .unwrap();
    let foreign = |name: &str| {
        FOREIGN_TO_CORE
            .iter()
            .any(|foreign| name == *foreign || name.starts_with(&format!("{foreign}-")))
    };
    let broken: Vec<String> = core
        .dependencies()
        .into_iter()
        .map(|dependency| dependency.name)
        .filter(|name| foreign(name))
        .collect();
    assert_none(
        &broken,
        "Core decides; a crate of its own turns the decision into HTTP, SQL or a request.",
    );
}

#[test]
fn only_the_adapter_and_programs_name_axum() {
    let names_axum = |package: &Package| {
        package
            .dependencies()
            .iter()
            .any(|dependency| dependency.name == "axum")
    };
    let broken: Vec<String> = packages()
        .into_iter()
        .filter(|package| package.name != "campusdisk-axum" && !package.joins() && names_axum(package))
        .map(|package| package.name)
        .collect();
    assert_none(
        &broken,
        "campusdisk-axum is the only crate that speaks HTTP to users.",
    );
}

#[test]
fn every_member_has_a_line_that_says_what_it_is_for() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest
        .lines()
        .skip_while(|line| line.trim() != "members = [")
        .skip(1);
    let mut broken = Vec::new();
    let mut before = "";
    for line in members.map(str::trim).take_while(|line| *line != "]") {
        if line.starts_with('"') && !before.starts_with("# ") {
            broken.push(line.to_owned());
        }
        before = line;
    }
    assert_none(&broken, "Write a comment line of purpose above it in Cargo.toml.");
}

#[test]
fn every_manifest_is_a_member_of_the_workspace() {
    let members: BTreeSet<PathBuf> = packages().into_iter().map(|package| package.folder).collect();
    let broken: Vec<String> = files()
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name == "Cargo.toml"))
        .filter_map(|path| path.parent().map(Path::to_path_buf))
        .filter(|folder| *folder != root() && !members.contains(folder))
        .map(|folder| shown(&folder))
        .collect();
    assert_none(&broken, "Add it to members in Cargo.toml, or nothing builds it.");
}

#[test]
fn no_source_file_is_too_long() {
    let broken: Vec<String> = sources()
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST_FILE_LINES)
        .map(|(lines, path)| format!("{}: {lines} lines", shown(&path)))
        .collect();
    assert_none(&broken, "Split it by what it does.");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let broken: Vec<String> = sources()
        .into_iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "src"))
        .filter(|path| !read(path).trim_start().starts_with("//!"))
        .map(|path| shown(&path))
        .collect();
    assert_none(&broken, "Begin it with a //! line.");
}

#[test]
fn no_file_holds_unfinished_work_or_the_paths_of_one_machine() {
    // Joined here, or this file would find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("dbg", "!"),
    ];
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
    ];
    let mut broken = Vec::new();
    for path in files().into_iter().filter(|path| is_text(path)) {
        for (index, line) in read(&path).lines().enumerate() {
            let found = words.iter().find(|word| holds_word(line, word));
            let found = found.or_else(|| places.iter().find(|place| holds_absolute(line, place)));
            if let Some(found) = found {
                broken.push(format!("{}:{}: {found}", shown(&path), index + 1));
            }
        }
    }
    assert_none(
        &broken,
        "Finish it or open an issue; take paths from the environment.",
    );
}

/// A package of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    manifest: Table,
}

struct Dependency {
    name: String,
    section: String,
}

impl Package {
    /// Whether it joins the pieces, so that it may name any.
    fn joins(&self) -> bool {
        let place = self.folder.strip_prefix(root()).unwrap();
        let first = place.components().next().unwrap().as_os_str();
        JOINING_FOLDERS.iter().any(|folder| first == *folder)
    }

    fn dependencies(&self) -> Vec<Dependency> {
        let platforms = self.manifest.get("target").and_then(Value::as_table);
        let tables = platforms
            .into_iter()
            .flat_map(|table| table.values().filter_map(Value::as_table));
        let mut found = Vec::new();
        for table in tables.chain([&self.manifest]) {
            for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
                let named = table.get(section).and_then(Value::as_table).into_iter().flatten();
                found.extend(named.map(|(key, value)| {
                    Dependency {
                        // A renamed dependency counts by its true name.
                        name: value
                            .get("package")
                            .and_then(Value::as_str)
                            .unwrap_or(key)
                            .to_owned(),
                        section: section.to_owned(),
                    }
                }));
            }
        }
        found
    }
}

fn packages() -> Vec<Package> {
    let workspace: Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let package = |member: &Value| {
        let folder = root().join(member.as_str().unwrap());
        let manifest: Table = read(&folder.join("Cargo.toml")).parse().unwrap();
        Package {
            name: manifest["package"]["name"].as_str().unwrap().to_owned(),
            folder,
            manifest,
        }
    };
    members.iter().map(package).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn sources() -> Vec<PathBuf> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

/// Every file written by hand.
fn files() -> Vec<PathBuf> {
    let mut folders = vec![root()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let skipped = SKIPPED_FOLDERS.iter().any(|name| entry.file_name() == *name);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !skipped => folders.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn is_text(path: &Path) -> bool {
    let endings = [
        "rs", "toml", "md", "sql", "sh", "py", "ts", "vue", "css", "html", "yml", "yaml", "json",
    ];
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending)) || path.ends_with(".ci/run")
}

fn read(path: &Path) -> String {
    String::from_utf8(fs::read(path).unwrap()).unwrap_or_else(|_| panic!("{} is not UTF-8", shown(path)))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part))
}

/// Whether `place` begins a path in `line`, rather than standing in the middle of one.
fn holds_absolute(line: &str, place: &str) -> bool {
    let is_path = |character: char| character.is_alphanumeric() || "_-.*}>)$".contains(character);
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(is_path))
}

#[track_caller]
fn assert_none(broken: &[String], advice: &str) {
    assert!(
        broken.is_empty(),
        "{} found. {advice}\n  {}",
        broken.len(),
        broken.join("\n  ")
    );
}
