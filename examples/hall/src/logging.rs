//! The log, on standard error: standard output is for what scripts read.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};
use crate::failure::{Failure, Outcome};

/// Starts logging.
///
/// # Errors
/// For a filter that can't be read.
pub(crate) fn start(settings: &LogSettings) -> Outcome {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| {
        Failure::new(format!(
            "log.filter \"{}\" can't be read: {error}",
            settings.filter
        ))
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::new(format!("the log can't be started: {error}")))
}
