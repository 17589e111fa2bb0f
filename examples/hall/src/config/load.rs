//! Reading the configuration, and naming what is wrong in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};

use super::Config;
use crate::failure::{Failure, Outcome};

/// Variables of the environment begin with this; `__` stands for the dot: `HALL__HTTP__PREFIX`. One underscore would
/// catch what Kubernetes sets for a service called "hall".
const ENV_PREFIX: &str = "HALL__";

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) file: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
}

impl Config {
    /// Reads file and environment; the command line goes before both.
    ///
    /// # Errors
    /// Which key in which place is wrong, and why.
    pub(crate) fn load(overrides: Overrides) -> Outcome<Self> {
        let mut figment = Figment::new();
        if let Some(file) = &overrides.file {
            // Read here: figment takes a file that is not there for an empty one.
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::new(format!(
                    "the configuration {} can't be read: {error}",
                    file.display()
                ))
            })?;
            figment = figment.merge(Toml::string(&text));
        }
        let figment = figment.merge(Env::prefixed(ENV_PREFIX).split("__"));
        let mut config: Self = figment
            .extract()
            .map_err(|errors| explain(&errors, overrides.file.as_deref()))?;
        if let Some(data) = overrides.data {
            config.data = data;
        }
        if let Some(listen) = overrides.listen {
            config.listen = listen;
        }
        config.check()?;
        Ok(config)
    }
}

/// All that is wrong, a line each.
fn explain(errors: &figment::Error, file: Option<&Path>) -> Failure {
    let place = file.map_or_else(|| "the environment".to_owned(), |file| file.display().to_string());
    let lines: Vec<String> = errors
        .clone()
        .into_iter()
        .map(|error| explain_one(&error))
        .collect();
    Failure::new(format!(
        "the configuration ({place}) is wrong: {}",
        lines.join("; ")
    ))
}

fn explain_one(error: &figment::Error) -> String {
    let folder = |path: &[String]| path.iter().map(|part| format!("{part}.")).collect::<String>();
    match &error.kind {
        Kind::UnknownField(name, known) => {
            // The path may or may not end in the key itself.
            let path = match error.path.split_last() {
                Some((last, folder)) if last == name => folder,
                _ => &error.path,
            };
            let within = folder(path);
            let nearest = nearest(name, known).map(|near| format!("; did you mean {within}{near}?"));
            format!("there is no key {within}{name}{}", nearest.unwrap_or_default())
        }
        kind if error.path.is_empty() => {
            let text = kind.to_string();
            let twice = text.contains("duplicate key");
            let advice = if twice {
                ": it stands there twice, so take one out or give it another name"
            } else {
                ""
            };
            format!("{}{advice}", text.trim_end())
        }
        kind => format!("{}: {kind}", error.path.join(".")),
    }
}

/// The known key that looks most like `name`, where one does.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |key: &str| strsim::jaro_winkler(name, key);
    known
        .iter()
        .copied()
        .map(|key| (likeness(key), key))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}
