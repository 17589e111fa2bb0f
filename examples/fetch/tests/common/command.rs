//! The command as a process of its own, in a folder of its own.

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;
use tokio::process::Child;

use super::in_time;

/// A folder to download into.
pub(crate) struct Fetch {
    folder: tempfile::TempDir,
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Fetch {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}; {:?}", self.names()))
    }

    /// All names in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// How many bytes the state file says are there, and where.
    pub(crate) fn done(&self, name: &str) -> Vec<(usize, usize)> {
        let text = std::fs::read(self.path(&format!("{name}.part.json"))).unwrap_or_default();
        let state: Value = serde_json::from_slice(&text).unwrap_or_default();
        let spans = state["done"].as_array().cloned().unwrap_or_default();
        let number = |number: &Value| number.as_u64().unwrap() as usize;
        spans
            .iter()
            .map(|span| (number(&span[0]), number(&span[1])))
            .collect()
    }

    pub(crate) fn done_bytes(&self, name: &str) -> usize {
        self.done(name).iter().map(|(start, end)| end - start).sum()
    }

    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fetch"));
        command.args(args).current_dir(self.folder.path());
        command.env_remove("FETCH_TOKEN").env("NO_PROXY", "127.0.0.1");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true).spawn().unwrap()
    }

    pub(crate) async fn ended(&self, child: Child) -> Said {
        let output = in_time("the command", child.wait_with_output()).await.unwrap();
        Said {
            status: output.status,
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Said {
        self.ended(self.begin(args)).await
    }
}

impl Said {
    /// Fails the test unless it ended with this code; returns standard error.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{} {}", self.out, self.err);
        self.err
    }
}

/// Sends a signal by name, such as `INT`.
pub(crate) fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
    assert!(sent.success(), "{name} could not be sent");
}
