//! dufs: the peer among file servers written in Rust.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::{net, provision};

const VERSION: &str = "0.47.0";
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Serves `root`, to be read only.
#[derive(Debug)]
pub(super) struct Dufs;

impl Service for Dufs {
    fn name(&self) -> &'static str {
        "dufs"
    }

    fn title(&self) -> String {
        format!("dufs {VERSION}")
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["dufs"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Peer
    }

    fn provision(&self) -> Result<()> {
        binary().map(drop)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?;
        let root = home.join("root");
        fs::create_dir_all(&root)?;
        fs::write(root.join("ready"), "ready\n")?;
        let daemon = Daemon::new("dufs", home)
            .with_args([binary()?.display().to_string()])
            // A line for each request would be written to its log.
            .with_args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--log-format",
                "",
            ])
            .with_args([root.display().to_string()]);
        daemon.start()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let ready = format!("{endpoint}/ready");
        net::wait_ready(
            "dufs",
            READY_LIMIT,
            || net::http_get(&ready).is_some(),
            || daemon.check_alive(),
        )?;
        Ok(json!({ "endpoint": endpoint, "root": root, "pid_file": daemon.pid_file() }))
    }
}

fn binary() -> Result<PathBuf> {
    provision::crates::install("dufs", VERSION)
}
