//! A PostgreSQL of a test's own, with its files where the test wants them.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::services::endpoint;
use crate::signal;
use crate::wait::until;

/// The system user of the shared server: no server runs as root.
const SYSTEM_USER: &str = "postgres";

/// A server; ended when dropped.
#[derive(Debug)]
pub struct OwnServer {
    child: Child,
    port: u16,
}

impl OwnServer {
    /// Makes a cluster with its tables in one folder and its write-ahead log in another, neither of which is there yet, and starts
    /// its server. Must be called by root, be it only root of a user namespace.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(data: &Path, log: &Path) -> Self {
        let mut initdb = command("initdb");
        initdb.arg("-D").arg(data).arg("--waldir").arg(log).args([
            "--wal-segsize=1",
            "-A",
            "trust",
            "-U",
            "campusdisk",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        let made = initdb.output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let mut server = command("postgres");
        server
            .arg("-D")
            .arg(data)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "shared_buffers=16MB"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Signals of a terminal are for the test.
            .process_group(0);
        let child = server.spawn().expect("the server starts");
        let server = Self { child, port };
        let options: PgConnectOptions = server.url().parse().expect("an address");
        until("the server's start", async || options.connect().await.is_ok()).await;
        server
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!("postgres://campusdisk@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // At once, as a crash, but with all its processes.
        signal(self.child.id(), "QUIT");
        // It may have ended by itself.
        let _ = self.child.wait();
    }
}

/// A program of the shared server's version, run as that server's user: another name for root in a namespace of its own.
fn command(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-user", SYSTEM_USER, "--map-group", SYSTEM_USER])
        .arg(programs().join(program));
    command
}

/// The folder of the shared server's programs.
fn programs() -> PathBuf {
    let server = endpoint("/postgres");
    let words = server["start"].as_array().into_iter().flatten();
    let mut paths = words.filter_map(|word| word.as_str()).map(Path::new);
    let path = paths.find(|path| path.is_absolute() && path.ends_with("bin/postgres"));
    let folder = path.and_then(Path::parent);
    folder.expect("the shared server's program").to_owned()
}
