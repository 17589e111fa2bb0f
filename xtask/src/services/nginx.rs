//! nginx: the peer that downloads and uploads on local disk are measured against, and the front server of a hall.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::provision::apt::{self, Program};
use crate::{net, paths};

const READY_LIMIT: Duration = Duration::from_secs(30);
const PROGRAMS: &[Program] = &[Program::new(
    "nginx",
    "a front server, and comparing with it",
    Some("nginx"),
)];

/// Serves `root` with sendfile, and takes PUT and DELETE below `/dav/` into `root/dav`.
#[derive(Debug)]
pub(super) struct Nginx;

impl Service for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn title(&self) -> String {
        // `nginx version: nginx/1.22.1`, on the error output.
        let asked = Command::new(program()).arg("-v").output();
        let text = asked
            .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
            .unwrap_or_default();
        text.rsplit_once('/').map_or_else(
            || "nginx".to_owned(),
            |(_, version)| format!("nginx {}", version.trim()),
        )
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["nginx"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Tests
    }

    fn provision(&self) -> Result<()> {
        apt::ensure(PROGRAMS)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?;
        let root = home.join("root");
        fs::create_dir_all(root.join("dav"))?;
        fs::write(root.join("ready"), "ready\n")?;
        let daemon = start(home, &files(&root), port)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let ready = format!("{endpoint}/ready");
        net::wait_ready(
            "nginx",
            READY_LIMIT,
            || net::http_get(&ready).is_some(),
            || daemon.check_alive(),
        )?;
        Ok(json!({ "endpoint": endpoint, "root": root, "program": program(), "pid_file": daemon.pid_file() }))
    }
}

/// Starts an nginx that only passes on what an S3 server at `upstream` answers: below `/buffered` through buffers of its own, below
/// `/unbuffered` without. Gives its address; it stops with the other processes of `home`.
///
/// # Errors
/// When it doesn't come up.
pub(crate) fn s3_proxy(home: &Path, upstream: &str) -> Result<String> {
    let port = net::free_port()?;
    let daemon = start(home, &proxy(upstream), port)?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let ready = format!("{endpoint}/ready");
    net::wait_ready(
        "nginx as a proxy",
        READY_LIMIT,
        || net::http_get(&ready).is_some(),
        || daemon.check_alive(),
    )?;
    Ok(endpoint)
}

fn start(home: &Path, server: &str, port: u16) -> Result<Daemon> {
    let conf = home.join("nginx.conf");
    fs::write(&conf, configuration(home, server, port))?;
    let log = home.join("error.log");
    let daemon = Daemon::new("nginx", home)
        .with_args([program(), "-e"])
        .with_args([
            log.display().to_string(),
            "-c".to_owned(),
            conf.display().to_string(),
        ]);
    daemon.start()?;
    Ok(daemon)
}

fn program() -> &'static str {
    // Debian keeps it out of the path of plain users.
    if Path::new("/usr/sbin/nginx").exists() {
        "/usr/sbin/nginx"
    } else {
        "nginx"
    }
}

/// What its server does with files below `root`.
fn files(root: &Path) -> String {
    let root = root.display();
    format!(
        "root {root};\n    location /dav/ {{ dav_methods PUT DELETE; create_full_put_path on; }}\n    \
         location /unpushed/ {{ alias {root}/; tcp_nopush off; }}"
    )
}

/// What its server does as a proxy.
fn proxy(upstream: &str) -> String {
    // An address ends in a slash, so that what stands before it is cut off; the rest, query included, stays as it was signed.
    format!(
        "location = /ready {{ return 200 ready; }}\n    proxy_http_version 1.1;\n    proxy_max_temp_file_size 0;\n    \
         location /buffered/ {{ proxy_pass {upstream}/; proxy_buffer_size 256k; proxy_buffers 64 256k; }}\n    \
         location /unbuffered/ {{ proxy_pass {upstream}/; proxy_buffering off; }}"
    )
}

fn configuration(home: &Path, server: &str, port: u16) -> String {
    let home = home.display();
    // Started by root, its workers would otherwise be a user who can't write here.
    let user = if paths::user_id() == 0 { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        // On the file system of the root: a PUT ends in a rename, not in a second copy.
        .map(|kind| format!("  {kind}_temp_path {home}/{kind};\n"))
        .collect();
    format!(
        "{user}daemon off;\nworker_processes auto;\npid {home}/nginx.own-pid;\nerror_log {home}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n{temporary}  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 1000000;\n  \
         default_type application/octet-stream;\n  client_max_body_size 0;\n  \
         server {{\n    listen 127.0.0.1:{port};\n    {server}\n  }}\n}}\n"
    )
}
