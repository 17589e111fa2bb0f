//! The hall under measure: its release build, one account, one token.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::load;
use crate::services::process::{self, Daemon, Process};
use crate::{command, net};

const READY_LIMIT: Duration = Duration::from_secs(30);
const ACCOUNT: &str = "bench";
const PASSWORD: &str = "a password only for benches\n";

/// A running hall.
pub(crate) struct Hall {
    pub(crate) endpoint: String,
    pub(crate) authorization: String,
    /// The root of the account's drive.
    pub(crate) root: String,
    stored_in: PathBuf,
    folder: PathBuf,
    daemon: Daemon,
}

/// How a hall is set up, where not as it comes.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) hashing: Hashing,
    /// Where it keeps bytes; without one, in its data folder.
    pub(crate) store: Option<Store>,
    /// How much memory it has for pieces of files.
    pub(crate) cache_bytes: Option<u64>,
}

/// When a hall hashes what is uploaded.
#[derive(Clone, Copy, Default)]
pub(crate) enum Hashing {
    /// While it comes in.
    #[default]
    Inline,
    /// Afterwards.
    Job,
}

/// Where a hall keeps bytes, when not in its data folder.
#[derive(Clone)]
pub(crate) struct Store {
    /// The section of its configuration.
    pub(crate) section: String,
    /// The folder of the server in which they end up.
    pub(crate) folder: PathBuf,
}

impl Hall {
    /// Starts a hall of its own in `folder`.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn start(binary: &Path, folder: &Path, name: &str, setup: &Setup) -> Result<Self> {
        let config = folder.join("hall.toml");
        fs::create_dir_all(folder)?;
        let data = folder.join("data");
        let port = net::free_port()?;
        fs::write(&config, setup.configuration())?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let daemon = Daemon::new(name, folder)
            .with_args([binary.display().to_string()])
            .with_args([
                "serve".to_owned(),
                "--config".to_owned(),
                config.display().to_string(),
                "--data".to_owned(),
                data.display().to_string(),
                "--listen".to_owned(),
                format!("127.0.0.1:{port}"),
            ]);
        serve(&daemon, &endpoint)?;
        let at = [
            "--config",
            &config.display().to_string(),
            "--data",
            &data.display().to_string(),
        ]
        .map(ToOwned::to_owned);
        tell(
            Command::new(binary)
                .args(["account", "add", ACCOUNT, "--admin"])
                .args(&at),
            PASSWORD,
        )?;
        let token = command::output_of(
            Command::new(binary)
                .args(["token", "add", "--account", ACCOUNT])
                .args(&at),
        )?;
        let mut hall = Self {
            endpoint,
            authorization: format!("Bearer {}", token.trim()),
            root: String::new(),
            stored_in: setup
                .store
                .as_ref()
                .map_or_else(|| data.join("blobs"), |store| store.folder.clone()),
            folder: folder.to_path_buf(),
            daemon,
        };
        let drives: Value = serde_json::from_str(&hall.get("/api/v1/drives")?)?;
        let root = drives.pointer("/items/0/root").and_then(Value::as_str);
        hall.root = root.context("the hall named no drive")?.to_owned();
        Ok(hall)
    }

    /// Stops it and starts it again: what it held in memory is gone.
    ///
    /// # Errors
    /// When it does not come up again.
    pub(crate) fn restart(&self) -> Result<()> {
        process::stop_all(&self.folder)?;
        serve(&self.daemon, &self.endpoint)
    }

    /// Stops it, so that it takes no memory from what is measured next.
    ///
    /// # Errors
    /// When a process of it does not end.
    pub(crate) fn stop(self) -> Result<()> {
        process::stop_all(&self.folder).map(drop)
    }

    /// Puts a file into the drive's root and gives the address of its bytes.
    pub(crate) fn put(&self, name: &str, file: &Path) -> Result<String> {
        self.put_into(&self.root, name, file)
    }

    /// Puts a file into a folder and gives the address of its bytes.
    pub(crate) fn put_into(&self, folder: &str, name: &str, file: &Path) -> Result<String> {
        let url = format!("{}/api/v1/nodes/{folder}/children/{name}", self.endpoint);
        load::upload("PUT", &url, self.authorization(), &[], file, "201")?;
        let node: Value = serde_json::from_str(&load::body_of("GET", &url, self.authorization())?)?;
        let id = node
            .get("id")
            .and_then(Value::as_str)
            .context("the hall named no node")?;
        Ok(self.content(id))
    }

    /// The address of a node's bytes.
    pub(crate) fn content(&self, node: &str) -> String {
        format!("{}/api/v1/nodes/{node}/content", self.endpoint)
    }

    /// The nodes in a folder, by their names.
    pub(crate) fn children(&self, folder: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/nodes/{folder}/children?limit=1000{after}");
            let page: Value = serde_json::from_str(&self.get(&path)?)?;
            let items = page.get("items").and_then(Value::as_array);
            let ids = items.context("a page without items")?.iter();
            found.extend(ids.filter_map(|node| Some(node.get("id")?.as_str()?.to_owned())));
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(found),
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> Result<String> {
        load::body_of("GET", &format!("{}{path}", self.endpoint), self.authorization())
    }

    /// Makes a folder in the drive's root and gives its id.
    pub(crate) fn make_folder(&self, name: &str) -> Result<String> {
        let url = format!("{}/api/v1/nodes/{}/children", self.endpoint, self.root);
        let wish = serde_json::json!({"name": name, "kind": "folder"});
        let made: Value = serde_json::from_str(&load::post(&url, self.authorization(), &wish)?)?;
        let id = made.get("id").and_then(Value::as_str);
        Ok(id.context("the hall named no folder")?.to_owned())
    }

    /// Deletes a node for good.
    pub(crate) fn purge(&self, node: &str) -> Result<()> {
        for path in [format!("nodes/{node}"), format!("trash/{node}")] {
            load::body_of(
                "DELETE",
                &format!("{}/api/v1/{path}", self.endpoint),
                self.authorization(),
            )?;
        }
        Ok(())
    }

    /// Where its bytes end up.
    pub(crate) fn stored_in(&self) -> &Path {
        &self.stored_in
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        Some(&self.authorization)
    }

    /// What signs in without the word before it.
    pub(crate) fn token(&self) -> &str {
        self.authorization
            .strip_prefix("Bearer ")
            .unwrap_or(&self.authorization)
    }

    /// The most memory that it had resident since it started or was last told to [forget](Self::forget_peak) it, in MB.
    pub(crate) fn peak_megabytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line
            .and_then(|line| line.trim().strip_suffix("kB"))
            .context("no VmHWM")?;
        Ok(kib.trim().parse::<f64>()? * 1024.0 / 1e6)
    }

    /// Lets the peak of its memory begin anew, at what it has now.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        // As proc(5) says: 5 resets the peak of the resident set.
        Ok(fs::write(format!("/proc/{}/clear_refs", self.pid()?), "5")?)
    }

    fn pid(&self) -> Result<u32> {
        let process = Process::from_pid_file(&self.daemon.pid_file());
        Ok(process.context("the hall has no pid file")?.pid)
    }
}

impl Setup {
    fn configuration(&self) -> String {
        let hashing = match self.hashing {
            Hashing::Inline => "inline",
            Hashing::Job => "job",
        };
        let mut text =
            format!("[policy]\nhashing = \"{hashing}\"\npurge_delay_seconds = 0\nsweep_period_ms = 500\n");
        if let Some(bytes) = self.cache_bytes {
            text.push_str(&format!(
                "kept_span_bytes = {}\n[cache]\nmemory_bytes = {bytes}\n",
                bytes / 2
            ));
        }
        if let Some(store) = &self.store {
            text.push_str(&store.section);
        }
        text
    }
}

fn serve(daemon: &Daemon, endpoint: &str) -> Result<()> {
    daemon.start()?;
    let healthz = format!("{endpoint}/healthz");
    net::wait_ready(
        "the hall",
        READY_LIMIT,
        || net::http_get(&healthz).is_some(),
        || daemon.check_alive(),
    )?;
    Ok(())
}

/// Runs a command with `input` on its standard input.
fn tell(command: &mut Command, input: &str) -> Result<()> {
    let what = command::describe(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let Some(mut stdin) = child.stdin.take() else {
        bail!("{what} has no input")
    };
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
