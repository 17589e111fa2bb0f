//! Progress on a terminal: a bar for the whole and one for each connection.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fetch::{Event, Watch};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

const WHOLE: &str =
    "{wide_msg}\n{bar:40} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
const WHOLE_WITHOUT_SIZE: &str = "{wide_msg}\n{spinner} {binary_bytes}, {binary_bytes_per_sec}";
const CONNECTION: &str = "  {prefix:>2} {bar:36} {binary_bytes_per_sec}";
const BAR: &str = "━╸─";

/// Bars on standard error.
#[derive(Debug)]
pub(crate) struct Bars {
    all: MultiProgress,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    whole: Option<ProgressBar>,
    connections: BTreeMap<usize, ProgressBar>,
}

impl Bars {
    pub(crate) fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            shown: Mutex::default(),
        }
    }

    /// Takes all bars away.
    pub(crate) fn clear(&self) {
        *self.shown() = Shown::default();
        // A terminal that can't be written to shows nothing anyway.
        let _ = self.all.clear();
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, name: String, size_bytes: Option<u64>, resumed_bytes: u64) {
        let bar = match size_bytes {
            Some(size) => ProgressBar::new(size).with_style(style(WHOLE)),
            None => ProgressBar::no_length().with_style(style(WHOLE_WITHOUT_SIZE)),
        };
        let bar = self
            .all
            .insert(0, bar.with_message(name).with_position(resumed_bytes));
        // The rate is of this run alone.
        bar.reset_eta();
        if let Some(old) = self.shown().whole.replace(bar) {
            self.all.remove(&old);
        }
    }

    fn note(&self, text: &str) {
        let _ = self.all.println(text);
    }
}

impl Watch for Bars {
    fn happened(&self, event: Event) {
        match event {
            Event::Found {
                name,
                size_bytes,
                resumed_bytes,
                alone_because,
            } => {
                self.found(name, size_bytes, resumed_bytes);
                if let Some(because) = alone_because {
                    self.note(&format!("one connection, and no way to resume: {because}"));
                }
            }
            Event::Joined { connection } => {
                let bar = self.all.add(ProgressBar::new(0).with_style(style(CONNECTION)));
                bar.set_prefix((connection + 1).to_string());
                self.shown().connections.insert(connection, bar);
            }
            Event::Left { connection } => {
                if let Some(bar) = self.shown().connections.remove(&connection) {
                    self.all.remove(&bar);
                }
            }
            Event::Took {
                connection,
                start,
                end,
            } => {
                if let Some(bar) = self.shown().connections.get(&connection) {
                    bar.set_length(end - start);
                    bar.set_position(0);
                }
            }
            Event::Received { connection, bytes } => {
                let shown = self.shown();
                let bars = shown.connections.get(&connection).into_iter().chain(&shown.whole);
                bars.for_each(|bar| bar.inc(bytes));
            }
            Event::Waits { why, wait } => self.note(&format!("waits {}: {why}", HumanDuration(wait))),
            Event::Again { why } => self.note(&format!("begins anew: {why}")),
            Event::Finishing => {
                if let Some(bar) = &self.shown().whole {
                    bar.set_message(format!("{} (checking)", bar.message()));
                }
            }
            _ => {}
        }
    }
}

/// A template that can't be read would be seen at once; the style of indicatif's own takes its place.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars(BAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        for template in [WHOLE, WHOLE_WITHOUT_SIZE, CONNECTION] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
