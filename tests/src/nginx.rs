//! An nginx of a test's own, before a hall.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::services::{endpoint, text};
use crate::wait::until;

/// A server on a port of its own; ended when dropped.
#[derive(Debug)]
pub struct OwnNginx {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl OwnNginx {
    /// Starts the sample's server before the hall at `upstream`, whose store `primary` has its files in `blobs`.
    ///
    /// # Panics
    /// When it does not come up, or the sample does not say what is put in place of it here.
    pub async fn before(upstream: &str, blobs: &Path) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let mut server = include_str!("../../examples/hall/samples/nginx.conf").to_owned();
        for (sample, here) in [
            ("listen 80;", format!("listen 127.0.0.1:{port};")),
            (
                "proxy_pass http://127.0.0.1:8080;",
                format!("proxy_pass {upstream};"),
            ),
            ("/var/lib/hall/blobs/", format!("{}/", blobs.display())),
        ] {
            assert!(server.contains(sample), "the sample has no {sample}");
            server = server.replace(sample, &here);
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let conf = folder.path().join("nginx.conf");
        std::fs::write(&conf, configuration(folder.path(), &server)).expect("a configuration");
        let child = Command::new(text(&endpoint("/nginx"), "program"))
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .arg("-c")
            .arg(&conf)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Self {
            child,
            port,
            _folder: folder,
        };
        until("nginx", async || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        nginx
    }

    /// Where it listens.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for OwnNginx {
    fn drop(&mut self) {
        // Its workers end when it is told to, and would outlive it if it were killed.
        crate::signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

fn configuration(home: &Path, server: &str) -> String {
    let home = home.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {home}/{kind};\n"))
        .collect();
    // Started by root, its workers would otherwise be a user who can't read the test's folder.
    let user = match std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)) {
        Ok(0) => "user root;\n",
        _ => "",
    };
    format!(
        "{user}daemon off;\nworker_processes 1;\npid {home}/nginx.pid;\nevents {{ worker_connections 256; }}\nhttp {{\n{temporary}\
         access_log off;\n{server}\n}}\n"
    )
}
