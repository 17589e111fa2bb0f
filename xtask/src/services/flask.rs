//! Flask's `send_file` under gunicorn: the peer as which a portal in Python gives files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::net;
use crate::provision::apt::{self, Program};
use crate::provision::pypi;

const FLASK: &str = "3.1.3";
const GUNICORN: &str = "27.0.1";
const READY_LIMIT: Duration = Duration::from_secs(30);
const PROGRAMS: &[Program] = &[Program::new("python3", "Flask", Some("python3-venv"))];

/// Processes, and threads of each: as many as there are cores here and connections in the benches.
const PROCESSES: &str = "2";
const THREADS: &str = "32";

const APPLICATION: &str = "import os\n\
    from flask import Flask, send_file\n\
    app = Flask(__name__)\n\
    @app.get('/<name>')\n\
    def content(name):\n    \
        return send_file(os.path.join(os.environ['ROOT'], name), mimetype='application/octet-stream')\n";

/// Serves `root`.
#[derive(Debug)]
pub(super) struct Flask;

impl Service for Flask {
    fn name(&self) -> &'static str {
        "flask"
    }

    fn title(&self) -> String {
        format!("Flask {FLASK} under gunicorn {GUNICORN} ({PROCESSES} processes of {THREADS} threads)")
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["flask"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Peer
    }

    fn provision(&self) -> Result<()> {
        apt::ensure(PROGRAMS)?;
        interpreter().map(drop)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?;
        let root = home.join("root");
        fs::create_dir_all(&root)?;
        fs::write(root.join("ready"), "ready\n")?;
        fs::write(home.join("files.py"), APPLICATION)?;
        let daemon = Daemon::new("flask", home)
            .with_env("ROOT", root.display().to_string())
            .with_args([interpreter()?.display().to_string()])
            .with_args(["-m", "gunicorn", "--worker-class", "gthread"])
            .with_args(["--workers", PROCESSES, "--threads", THREADS])
            .with_args(["--keep-alive", "60", "--bind", &format!("127.0.0.1:{port}")])
            .with_args(["--chdir", &home.display().to_string(), "files:app"]);
        daemon.start()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let ready = format!("{endpoint}/ready");
        net::wait_ready(
            "Flask",
            READY_LIMIT,
            || net::http_get(&ready).is_some(),
            || daemon.check_alive(),
        )?;
        Ok(json!({ "endpoint": endpoint, "root": root, "pid_file": daemon.pid_file() }))
    }
}

fn interpreter() -> Result<PathBuf> {
    pypi::interpreter(
        &format!("flask-{FLASK}"),
        &[&format!("flask=={FLASK}"), &format!("gunicorn=={GUNICORN}")],
    )
}
