//! Redis: the system's server, which forgets everything when it ends.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::provision::apt::{self, Program};
use crate::{command, net};

const READY_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const SERVER: &str = "redis-server";
const PROGRAMS: &[Program] = &[Program::new(SERVER, "Redis", Some("redis-server"))];

/// A server on the loopback address without a password, and without anything on disk.
#[derive(Debug)]
pub(super) struct Redis;

impl Service for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn title(&self) -> String {
        // `Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=…`
        let said = apt::program(SERVER)
            .and_then(|path| command::output_of(Command::new(path).arg("--version")))
            .unwrap_or_default();
        let version = said.split_whitespace().find_map(|word| word.strip_prefix("v="));
        format!("Redis {}", version.unwrap_or_default())
            .trim_end()
            .to_owned()
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["redis"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Tests
    }

    fn provision(&self) -> Result<()> {
        apt::ensure(PROGRAMS)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let port = net::free_port()?;
        let daemon = Daemon::new("redis", home)
            .with_args([apt::program(SERVER)?.display().to_string()])
            .with_args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .with_args(["--dir", &home.display().to_string()])
            .with_args(["--save", "", "--appendonly", "no"])
            // A title would overwrite the environment, and with it whose process this is.
            .with_args(["--set-proc-title", "no"]);
        daemon.start()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ready = || ping(address).is_ok_and(|answer| answer == *b"+PONG\r\n");
        net::wait_ready("Redis", READY_LIMIT, ready, || daemon.check_alive())?;
        Ok(json!({
            "url": format!("redis://{address}/0"),
            "pid_file": daemon.pid_file(),
            "start": daemon.start_command(),
        }))
    }
}

/// What the server answers to PING; while it loads, something longer.
fn ping(address: SocketAddr) -> std::io::Result<[u8; 7]> {
    let mut connection = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    connection.set_read_timeout(Some(ANSWER_LIMIT))?;
    connection.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    connection.read_exact(&mut answer)?;
    Ok(answer)
}
