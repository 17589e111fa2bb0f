//! Where things live: the clone, the tool folder, the target folder and the scratch folder of running services.

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Services for hand work, for a test run and for benches live apart, so that none stops another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Development,
    Test,
    Bench,
}

impl Slot {
    fn folder_name(self) -> &'static str {
        match self {
            Self::Development => "services",
            Self::Test => "test",
            Self::Bench => "bench",
        }
    }
}

/// The root of the clone this tool was started for.
pub(crate) fn clone_root() -> PathBuf {
    // Cargo sets the variable for `cargo run`; the compiled-in value serves a binary started by hand.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// Downloaded and built tools: `CAMPUSDISK_TOOLS`, else `campusdisk-tools` in the user's cache folder.
///
/// # Errors
/// When neither `CAMPUSDISK_TOOLS`, `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn tools() -> Result<PathBuf> {
    from_env_or_cache("CAMPUSDISK_TOOLS", "campusdisk-tools")
}

/// The target folder of test builds: `CAMPUSDISK_TARGET`, else `campusdisk-target` in the user's cache folder.
///
/// # Errors
/// As [`tools`].
pub(crate) fn target() -> Result<PathBuf> {
    from_env_or_cache("CAMPUSDISK_TARGET", "campusdisk-target")
}

/// Scratch data, logs, pid files and endpoints of the services of this clone, one folder per clone and slot:
/// below `CAMPUSDISK_RUN`, else below the folder for temporary files.
pub(crate) fn run_folder(slot: Slot) -> PathBuf {
    let base = env::var_os("CAMPUSDISK_RUN").map_or_else(
        || env::temp_dir().join(format!("campusdisk-run-{}", user_id())),
        PathBuf::from,
    );
    let mut hasher = DefaultHasher::new();
    clone_root().hash(&mut hasher);
    base.join(format!("{:08x}", hasher.finish() as u32))
        .join(slot.folder_name())
}

/// The numeric id of the user who runs this.
pub(crate) fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Where cargo keeps what it downloads.
///
/// # Errors
/// When neither `CARGO_HOME` nor `HOME` is set.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")
}

fn from_env_or_cache(variable: &str, folder: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return std::path::absolute(&path).with_context(|| format!("{variable} names no usable path"));
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .with_context(|| format!("set {variable}: neither XDG_CACHE_HOME nor HOME is set"))?;
    Ok(cache.join(folder))
}
