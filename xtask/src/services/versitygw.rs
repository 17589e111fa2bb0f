//! versitygw: an S3 server over a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::{net, provision};

const VERSION: &str = "v1.8.0";
/// The keys of every S3 server of the tests.
pub(super) const ACCESS_KEY: &str = "campusdisk-test";
pub(super) const SECRET_KEY: &str = "campusdisk-test-secret";
/// The bucket in which each hall of a test has a prefix of its own.
const BUCKET: &str = "campusdisk-halls";
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The first S3 server of every run.
#[derive(Debug)]
pub(super) struct VersityGw;

impl Service for VersityGw {
    fn name(&self) -> &'static str {
        "versitygw"
    }

    fn title(&self) -> String {
        format!("versitygw {VERSION}")
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["s3", "versitygw"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Tests
    }

    fn provision(&self) -> Result<()> {
        binary().map(drop)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let data = home.join("data");
        // A folder is a bucket.
        fs::create_dir_all(data.join(BUCKET))?;
        let daemon = Daemon::new("versitygw", home)
            .with_env("ROOT_ACCESS_KEY", ACCESS_KEY)
            .with_env("ROOT_SECRET_KEY", SECRET_KEY)
            .with_args([binary()?.display().to_string()])
            .with_args([
                "--port",
                &format!("127.0.0.1:{port}"),
                "--health",
                "/health",
                "--quiet",
                "posix",
            ])
            .with_args([data.display().to_string()]);
        daemon.start()?;
        let health = format!("{endpoint}/health");
        net::wait_ready(
            "versitygw",
            READY_LIMIT,
            || net::http_get(&health).is_some(),
            || daemon.check_alive(),
        )?;
        Ok(json!({
            "endpoint": endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "region": "us-east-1",
            "bucket": BUCKET,
            "data": data,
            "pid_file": daemon.pid_file(),
            "start": daemon.start_command(),
        }))
    }
}

fn binary() -> Result<PathBuf> {
    provision::go::install("github.com/versity/versitygw/cmd/versitygw", VERSION)
}
