//! The hall under measure: its release build, one account, one token.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::load;
use crate::services::process::Daemon;
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
    daemon: Daemon,
}

/// Where a hall keeps bytes, when not in its data folder.
pub(crate) struct Store {
    /// The section of its configuration.
    pub(crate) section: String,
    /// The folder of the server in which they end up.
    pub(crate) folder: PathBuf,
}

impl Hall {
    /// Starts a hall of its own in `folder`. `hash_inline` says whether it hashes uploads while they come in; without a `store` it keeps
    /// them in its data folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        name: &str,
        hash_inline: bool,
        store: Option<&Store>,
    ) -> Result<Self> {
        let config = folder.join("hall.toml");
        fs::create_dir_all(folder)?;
        let data = folder.join("data");
        let port = net::free_port()?;
        let hashing = if hash_inline { "inline" } else { "job" };
        let section = store.map_or("", |store| store.section.as_str());
        let policy = format!(
            "[policy]\nhashing = \"{hashing}\"\npurge_delay_seconds = 0\nsweep_period_ms = 500\n{section}"
        );
        fs::write(&config, policy)?;
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
        daemon.start()?;
        let healthz = format!("{endpoint}/healthz");
        net::wait_ready(
            "the hall",
            READY_LIMIT,
            || net::http_get(&healthz).is_some(),
            || daemon.check_alive(),
        )?;
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
            stored_in: store.map_or_else(|| data.join("blobs"), |store| store.folder.clone()),
            daemon,
        };
        let drives: Value = serde_json::from_str(&hall.get("/api/v1/drives")?)?;
        let root = drives.pointer("/items/0/root").and_then(Value::as_str);
        hall.root = root.context("the hall named no drive")?.to_owned();
        Ok(hall)
    }

    /// Puts a file into the drive's root and gives the address of its bytes.
    pub(crate) fn put(&self, name: &str, file: &Path) -> Result<String> {
        let url = format!("{}/api/v1/nodes/{}/children/{name}", self.endpoint, self.root);
        load::upload("PUT", &url, self.authorization(), &[], file, "201")?;
        let node: Value = serde_json::from_str(&load::body_of("GET", &url, self.authorization())?)?;
        let id = node
            .get("id")
            .and_then(Value::as_str)
            .context("the hall named no node")?;
        Ok(format!("{}/api/v1/nodes/{id}/content", self.endpoint))
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

    /// The most memory that it ever had resident, in MB.
    pub(crate) fn peak_megabytes(&self) -> Result<f64> {
        let process = crate::services::process::Process::from_pid_file(&self.daemon.pid_file());
        let pid = process.context("the hall has no pid file")?.pid;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line
            .and_then(|line| line.trim().strip_suffix("kB"))
            .context("no VmHWM")?;
        Ok(kib.trim().parse::<f64>()? * 1024.0 / 1e6)
    }
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
