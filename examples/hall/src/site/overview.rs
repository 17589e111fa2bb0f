//! The configuration as administrators may see it: in the groups and the order of `hall.toml`, without secrets.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::config::Config;
use crate::failure::{Failure, Outcome};

const SAMPLE: &str = include_str!("../../hall.toml");

/// What is never shown; only whether it is set.
const SECRETS: [&str; 4] = ["access_key_id", "secret_access_key", "postgres_url", "redis_url"];

/// A group of settings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingGroup)]
pub(super) struct GroupBody {
    /// Its name in the configuration, such as `policy` or `stores.primary`; empty for what stands before the first one.
    name: String,
    /// Its settings.
    settings: Vec<SettingBody>,
}

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setting)]
pub(super) struct SettingBody {
    /// Its key in its group; the end of the key is the unit.
    key: String,
    /// What holds; null where nothing does. Of a secret, whether it is set.
    value: Option<SettingValue>,
    /// Whether it is kept to itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    secret: bool,
    /// Whether it is another than without a configuration.
    changed: bool,
}

/// What a setting may hold.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
enum SettingValue {
    Truth(bool),
    Number(u64),
    Text(String),
    Texts(Vec<String>),
}

/// All groups.
///
/// # Errors
/// Never, as long as every setting can be written down.
pub(super) fn groups(config: &Config) -> Outcome<Vec<GroupBody>> {
    let (now, usual) = (tree(config)?, tree(&Config::default())?);
    let mut groups: BTreeMap<usize, Vec<GroupBody>> = BTreeMap::new();
    let mut first = Vec::new();
    for (name, value) in now.as_object().into_iter().flatten() {
        let usual = usual.get(name);
        match value {
            Value::Object(stores) if name == "stores" || name == "mounts" => {
                for (store, settings) in stores {
                    let group = format!("{name}.{store}");
                    let settings =
                        store_settings(config, &group, settings, usual.and_then(|all| all.get(store)));
                    groups.entry(place(name, None)).or_default().push(GroupBody {
                        name: group,
                        settings,
                    });
                }
            }
            Value::Object(settings) => {
                let settings = settings
                    .iter()
                    .map(|(key, value)| setting(key, value, usual.and_then(|group| group.get(key))));
                let settings = in_order(name, settings.collect());
                groups.entry(place(name, None)).or_default().push(GroupBody {
                    name: name.clone(),
                    settings,
                });
            }
            value => first.push(setting(name, value, usual)),
        }
    }
    let first = GroupBody {
        name: String::new(),
        settings: in_order("", first),
    };
    Ok(std::iter::once(first)
        .chain(groups.into_values().flatten())
        .collect())
}

fn tree(config: &Config) -> Outcome<Value> {
    let mut tree = serde_json::to_value(config)
        .map_err(|error| Failure::new(format!("the configuration can't be shown: {error}")))?;
    let database = config.below_data(&config.database.path);
    if let Some(path) = tree.pointer_mut("/database/path") {
        *path = Value::String(database.display().to_string());
    }
    Ok(tree)
}

/// The settings of the store or mount that has the group `stores.NAME` or `mounts.NAME`.
fn store_settings(config: &Config, group: &str, settings: &Value, usual: Option<&Value>) -> Vec<SettingBody> {
    let mut found: Vec<_> = settings
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| setting(key, value, usual.and_then(|store| store.get(key))))
        .collect();
    for setting in found.iter_mut().filter(|setting| setting.key == "path") {
        if let Some(SettingValue::Text(path)) = &mut setting.value {
            *path = config.below_data(Path::new(path.as_str())).display().to_string();
        }
    }
    let kind = settings.get("kind").and_then(Value::as_str).unwrap_or("local");
    let sample = match (group.starts_with("mounts."), kind) {
        (false, "hdfs") => "stores.cluster",
        (false, "s3") => "stores.bucket",
        (false, _) => "stores.primary",
        (true, "hdfs") => "mounts.spark",
        (true, "s3") => "mounts.exports",
        (true, _) => "mounts.scans",
    };
    in_order(sample, found)
}

fn setting(key: &str, value: &Value, usual: Option<&Value>) -> SettingBody {
    let secret = SECRETS.contains(&key);
    SettingBody {
        key: key.to_owned(),
        value: match (secret, value) {
            (true, value) => Some(SettingValue::Truth(!value.is_null())),
            (false, Value::Null) => None,
            (false, Value::Bool(truth)) => Some(SettingValue::Truth(*truth)),
            (false, Value::Number(number)) => Some(match number.as_u64() {
                Some(number) => SettingValue::Number(number),
                None => SettingValue::Text(number.to_string()),
            }),
            (false, Value::String(text)) => Some(SettingValue::Text(text.clone())),
            (false, Value::Array(items)) => Some(SettingValue::Texts(items.iter().map(words).collect())),
            // Options for another system may hold passwords: their names must do.
            (false, Value::Object(options)) => Some(SettingValue::Texts(options.keys().cloned().collect())),
        },
        secret,
        changed: usual.is_some_and(|usual| usual != value),
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A rule: what it asks for.
        Value::Object(fields) => {
            let asked = fields.iter().filter(|(_, value)| !is_empty(value));
            let asked: Vec<_> = asked
                .map(|(key, value)| format!("{key}: {}", words(value)))
                .collect();
            asked.join(", ")
        }
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(" "),
        value => value.to_string(),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Sorts settings as the sample does.
fn in_order(group: &str, mut settings: Vec<SettingBody>) -> Vec<SettingBody> {
    settings.sort_by_key(|setting| place(group, Some(&setting.key)));
    settings
}

/// Where the sample has a group, or a key of it; what it does not have comes last.
fn place(group: &str, key: Option<&str>) -> usize {
    let mut within = String::new();
    for (at, line) in SAMPLE.lines().enumerate() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut within);
            if key.is_none() && (within == group || within.starts_with(&format!("{group}."))) {
                return at;
            }
        } else if key.is_some() && within == group && line.split_once(" = ").map(|(found, _)| found) == key {
            return at;
        }
    }
    usize::MAX
}
