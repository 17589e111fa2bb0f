//! One process of a real server: how to kill, pause and restart it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::services::text;
use crate::signal;
use crate::wait::until_within;

/// How long a process has to be there again.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that `cargo xtask services up` started.
#[derive(Debug)]
pub struct Process {
    pid_file: PathBuf,
    start: Vec<String>,
}

impl Process {
    /// The one of an endpoint, or of a part of it.
    ///
    /// # Panics
    /// When the endpoint doesn't tell how to find and start it.
    pub fn of(found: &Value) -> Self {
        let words = found["start"].as_array().expect("there is a command to start it");
        let word = |word: &Value| word.as_str().expect("a word of the command").to_owned();
        Self {
            pid_file: text(found, "pid_file").into(),
            start: words.iter().map(word).collect(),
        }
    }

    /// The command that starts it.
    pub fn command(&self) -> &[String] {
        &self.start
    }

    /// Sends it a signal by name, such as `INT`.
    ///
    /// # Panics
    /// When it was not running.
    pub fn send(&self, name: &str) {
        assert!(self.is_running() && signal(self.pid(), name), "{self:?} ran");
    }

    /// Ends it at once (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// When it was not running.
    pub fn kill(&self) {
        self.send("KILL");
        while self.is_running() {
            std::thread::yield_now();
        }
    }

    /// Pauses it (SIGSTOP): its connections stay, and nobody answers.
    ///
    /// # Panics
    /// When it was not running.
    pub fn pause(&self) {
        self.send("STOP");
        while self.state() != Some('T') {
            std::thread::yield_now();
        }
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.pid(), "CONT");
    }

    /// Whether it is there, be it paused.
    pub fn is_running(&self) -> bool {
        self.state().is_some_and(|state| state != 'Z')
    }

    /// Starts it again, after it ended, and waits until it is there; it serves a little later.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn start(&self) {
        let before = fs::read_to_string(&self.pid_file).ok();
        let mut command = Command::new(&self.start[0]);
        let mut child = command
            .args(&self.start[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the launcher starts");
        // It outlives this process, unless a test kills it again.
        std::thread::spawn(move || child.wait());
        until_within(PATIENCE, &format!("the start of {self:?}"), async || {
            fs::read_to_string(&self.pid_file).ok() != before && self.is_running()
        })
        .await;
    }

    /// The letter of its state, if the process of the pid file is there and not a later one with its number.
    fn state(&self) -> Option<char> {
        let text = fs::read_to_string(&self.pid_file).ok()?;
        let (pid, start_ticks) = text.trim().split_once(' ')?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // The name ends field 2; the state is field 3, the start time field 22.
        (fields.get(19) == Some(&start_ticks)).then(|| fields.first()?.chars().next())?
    }

    fn pid(&self) -> u32 {
        let text = fs::read_to_string(&self.pid_file).expect("there is a pid file");
        let pid = text.split_whitespace().next().and_then(|pid| pid.parse().ok());
        pid.expect("it holds a pid")
    }
}
