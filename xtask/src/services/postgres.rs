//! PostgreSQL: the system's server on a cluster of its own, with nothing switched off that makes commits durable.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::provision::apt;
use crate::{command, net, paths};

const READY_LIMIT: Duration = Duration::from_secs(30);
const INIT_LIMIT: Duration = Duration::from_secs(60);

/// The system user that Debian's package makes: the server refuses to run as root.
const SYSTEM_USER: &str = "postgres";
/// Who owns the cluster.
const SUPERUSER: &str = "lab";
/// Whom tests connect as: an ordinary role, so that limits of connections hold for it.
const ROLE: &str = "campusdisk";

/// A server on the loopback address that trusts whoever asks, without a Unix socket: its path has a length limit.
#[derive(Debug)]
pub(super) struct Postgres;

impl Service for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn title(&self) -> String {
        // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
        let said =
            apt::program("postgres").and_then(|path| command::output_of(Command::new(path).arg("--version")));
        let version = said.unwrap_or_default();
        let version = version.split_whitespace().nth(2).unwrap_or_default();
        format!("PostgreSQL {version}").trim_end().to_owned()
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["postgres"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Tests
    }

    fn provision(&self) -> Result<()> {
        apt::ensure(&[apt::POSTGRESQL])
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?.to_string();
        let data = make_cluster(home)?;
        let daemon = Daemon::new("postgres", home)
            .with_args(as_system_user())
            .with_args([apt::program("postgres")?.display().to_string()])
            .with_args(["-D".to_owned(), data.display().to_string()])
            .with_args(["-p", &port])
            .with_args(["-c", "listen_addresses=127.0.0.1"])
            .with_args(["-c", "unix_socket_directories="])
            // After a crash it syncs every file of the cluster, of which tests make thousands: at once instead of one by one.
            .with_args(["-c", "recovery_init_sync_method=syncfs"])
            // Every case opens a database of its own, and as many run at once as there are processors.
            .with_args(["-c", "max_connections=500"]);
        daemon.start()?;
        let is_ready = apt::program("pg_isready")?;
        net::wait_ready(
            "PostgreSQL",
            READY_LIMIT,
            || {
                let mut asked = Command::new(&is_ready);
                asked.args(["-q", "-h", "127.0.0.1", "-p", &port]);
                asked
                    .stdin(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success())
            },
            || daemon.check_alive(),
        )?;
        for sql in [
            format!("CREATE ROLE {ROLE} LOGIN CREATEDB"),
            format!("CREATE DATABASE {ROLE} OWNER {ROLE}"),
        ] {
            let mut psql = Command::new(apt::program("psql")?);
            psql.args(["-X", "-q", "-h", "127.0.0.1", "-p", &port])
                .args(["-U", SUPERUSER, "-d", "postgres", "-c", &sql]);
            command::output_of(&mut psql)?;
        }
        Ok(json!({
            "url": format!("postgres://{ROLE}@127.0.0.1:{port}/{ROLE}"),
            "pid_file": daemon.pid_file(),
            "start": daemon.start_command(),
        }))
    }
}

/// Makes the cluster's files in a folder of their owner.
fn make_cluster(home: &Path) -> Result<PathBuf> {
    let data = home.join("data");
    fs::create_dir_all(&data)?;
    if paths::user_id() == 0 {
        let mut chown = Command::new("chown");
        command::output_of(chown.arg(format!("{SYSTEM_USER}:")).arg(&data))?;
    }
    let mut words = as_system_user();
    words.push(apt::program("initdb")?.display().to_string());
    let mut initdb = Command::new(&words[0]);
    initdb
        .args(&words[1..])
        .arg("-D")
        .arg(&data)
        .args(["-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8"])
        // Only the empty cluster is not synced; the server syncs what it commits.
        .arg("--no-sync");
    command::run_logged(initdb, &home.join("initdb.log"), INIT_LIMIT).with_context(|| {
        format!(
            "make a cluster in {}: may the user {SYSTEM_USER} enter every folder on the way (CAMPUSDISK_RUN)?",
            data.display()
        )
    })?;
    Ok(data)
}

/// What a command begins with that must not run as root; the process stays the same, so that signals reach it.
fn as_system_user() -> Vec<String> {
    if paths::user_id() != 0 {
        return Vec::new();
    }
    [
        "setpriv",
        "--reuid",
        SYSTEM_USER,
        "--regid",
        SYSTEM_USER,
        "--clear-groups",
    ]
    .map(str::to_owned)
    .to_vec()
}
