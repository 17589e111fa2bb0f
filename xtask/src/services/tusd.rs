//! tusd: the peer that resumable uploads are measured against.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::{net, provision};

const VERSION: &str = "v2.9.2";
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The reference server of tus, on local disk.
#[derive(Debug)]
pub(super) struct Tusd;

impl Service for Tusd {
    fn name(&self) -> &'static str {
        "tusd"
    }

    fn title(&self) -> String {
        format!("tusd {VERSION}")
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["tusd"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Peer
    }

    fn provision(&self) -> Result<()> {
        binary().map(drop)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?;
        let uploads = home.join("uploads");
        fs::create_dir_all(&uploads)?;
        let daemon = Daemon::new("tusd", home)
            .with_args([binary()?.display().to_string()])
            .with_args([
                "-host",
                "127.0.0.1",
                "-port",
                &port.to_string(),
                "-behind-proxy=false",
                "-upload-dir",
            ])
            .with_args([uploads.display().to_string()]);
        daemon.start()?;
        let address = format!("http://127.0.0.1:{port}/");
        net::wait_ready(
            "tusd",
            READY_LIMIT,
            || net::http_get(&address).is_some(),
            || daemon.check_alive(),
        )?;
        Ok(
            json!({ "endpoint": format!("{address}files/"), "uploads": uploads, "pid_file": daemon.pid_file() }),
        )
    }
}

fn binary() -> Result<PathBuf> {
    provision::go::build_in_module(
        "github.com/tus/tusd/v2",
        "github.com/tus/tusd/v2/cmd/tusd",
        VERSION,
    )
}
