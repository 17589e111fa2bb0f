//! Progress where there is no terminal: plain lines, a few of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fetch::{Event, Watch};
use indicatif::BinaryBytes;

/// A line about how far it is comes this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Lines on standard error.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Far>);

/// How far it is.
#[derive(Debug, Default)]
struct Far {
    name: String,
    size_bytes: Option<u64>,
    done_bytes: u64,
    connections: usize,
    /// When the last line came, and how far it was then.
    told: Option<(Instant, u64)>,
}

impl Watch for Lines {
    fn happened(&self, event: Event) {
        let mut far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = far.line(event, Instant::now()) {
            eprintln!("{line}");
        }
    }
}

impl Far {
    fn line(&mut self, event: Event, now: Instant) -> Option<String> {
        match event {
            Event::Found {
                name,
                size_bytes,
                resumed_bytes,
                alone_because,
            } => {
                let line = found(&name, size_bytes, resumed_bytes, alone_because);
                *self = Self {
                    name,
                    size_bytes,
                    done_bytes: resumed_bytes,
                    connections: 0,
                    told: Some((now, resumed_bytes)),
                };
                return Some(line);
            }
            Event::Joined { .. } => self.connections += 1,
            Event::Left { .. } => self.connections = self.connections.saturating_sub(1),
            Event::Received { bytes, .. } => {
                self.done_bytes += bytes;
                let (at, done_bytes) = self.told?;
                let took = now - at;
                if took >= LINE_EVERY {
                    self.told = Some((now, self.done_bytes));
                    return Some(self.how_far(self.done_bytes - done_bytes, took));
                }
            }
            Event::Waits { why, wait } => return Some(format!("waits {:.1} s: {why}", wait.as_secs_f32())),
            Event::Again { why } => return Some(format!("begins anew: {why}")),
            _ => {}
        }
        None
    }

    fn how_far(&self, bytes: u64, took: Duration) -> String {
        let rate = BinaryBytes((bytes as f64 / took.as_secs_f64()) as u64);
        let done = BinaryBytes(self.done_bytes);
        let of = match self.size_bytes {
            Some(size) => format!(
                " of {} ({} %)",
                BinaryBytes(size),
                self.done_bytes * 100 / size.max(1)
            ),
            None => String::new(),
        };
        format!(
            "{}: {done}{of}, {rate}/s, connections: {}",
            self.name, self.connections
        )
    }
}

fn found(name: &str, size_bytes: Option<u64>, resumed_bytes: u64, alone_because: Option<String>) -> String {
    let size = size_bytes.map_or_else(|| "no size told".to_owned(), |size| BinaryBytes(size).to_string());
    let resumed = match resumed_bytes {
        0 => String::new(),
        bytes => format!(", {} there from an earlier run", BinaryBytes(bytes)),
    };
    let alone = alone_because.map(|because| format!(", one connection and no way to resume: {because}"));
    format!("{name}: {size}{resumed}{}", alone.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_now_and_then_and_says_how_far_it_is() {
        let (mut far, start) = (Far::default(), Instant::now());
        let event = Event::Found {
            name: "成绩.pdf".to_owned(),
            size_bytes: Some(10 << 20),
            resumed_bytes: 1 << 20,
            alone_because: None,
        };
        let line = far.line(event, start).unwrap();
        assert_eq!(line, "成绩.pdf: 10.00 MiB, 1.00 MiB there from an earlier run");
        far.line(Event::Joined { connection: 0 }, start);
        let received = || Event::Received {
            connection: 0,
            bytes: 2 << 20,
        };
        assert_eq!(far.line(received(), start + LINE_EVERY / 2), None);
        let line = far.line(received(), start + Duration::from_secs(8)).unwrap();
        assert_eq!(
            line,
            "成绩.pdf: 5.00 MiB of 10.00 MiB (50 %), 512.00 KiB/s, connections: 1"
        );
    }
}
