//! The small JSON file that tells tests where the servers are.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// Writes `value` so that a reader sees the old file or the new one, never half.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn write(path: &Path, value: &Value) -> Result<()> {
    let partial = path.with_extension("json.partial");
    fs::write(&partial, format!("{value:#}\n"))
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| format!("write {}", path.display()))
}

/// The value in `path`, if it is there and whole.
pub(crate) fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Removes `path`; missing counts as removed.
///
/// # Errors
/// When it is there and can't be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Puts `value` under the nested `key` of `root`.
pub(crate) fn place(root: &mut Value, key: &[&str], value: Value) {
    let mut place = root;
    for part in key {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[*part];
    }
    *place = value;
}

/// Where an endpoint is, for people.
pub(crate) fn address(endpoint: &Value) -> String {
    ["url", "endpoint"]
        .iter()
        .find_map(|key| endpoint[*key].as_str())
        .unwrap_or("an unnamed place")
        .to_owned()
}
