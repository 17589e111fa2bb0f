//! Redis servers of a test's own: a cache is nothing to share with a test that kills or fills it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use campusdisk_core::{ChunkCache, TokioSpawner};
use campusdisk_redis::{RedisChunkCache, RedisOptions};
use campusdisk_testkit::cache::CacheHarness;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;

use crate::services::{endpoint, text};
use crate::signal;
use crate::wait::until;

/// How long the server may take to say whether it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A server on a port of its own, which keeps nothing; ended when dropped.
#[derive(Debug)]
pub struct OwnRedis {
    child: Child,
    port: u16,
    arguments: Vec<String>,
}

impl OwnRedis {
    /// Starts one with these arguments besides the usual ones, such as `--maxmemory`.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(arguments: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
        let child = spawn(port, &arguments);
        let server = Self {
            child,
            port,
            arguments,
        };
        server.is_there().await;
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its address with a password.
    pub fn url_with(&self, password: &str) -> String {
        format!("redis://:{password}@127.0.0.1:{}", self.port)
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ended");
    }

    /// Starts it again, on its port and with nothing in it, after it was killed.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments);
        self.is_there().await;
    }

    /// Whether its process is there, be it paused.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Pauses it (SIGSTOP): its connections stay, and nobody answers.
    pub fn pause(&self) {
        assert!(signal(self.child.id(), "STOP"), "it ran");
        while !self.is_paused() {
            std::thread::yield_now();
        }
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("the process is there");
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.child.id(), "CONT");
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> RedisClient {
        RedisClient::connect(&self.url()).await
    }

    async fn is_there(&self) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        until("Redis", async || {
            says(address).is_ok_and(|said| said == b'+' || said == b'-')
        })
        .await;
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // It may have ended by itself, or be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that asks what a test wants to know.
#[derive(Debug)]
pub struct RedisClient(MultiplexedConnection);

impl RedisClient {
    /// Connects to the server at `url`.
    pub async fn connect(url: &str) -> Self {
        let client = redis::Client::open(url).expect("an address");
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        Self(connection.expect("Redis lets us in"))
    }

    /// What the server answers to a command.
    ///
    /// # Panics
    /// When it is an error, or nothing of that type.
    pub async fn ask<T: FromRedisValue>(&mut self, words: &[&[u8]]) -> T {
        let (name, arguments) = words.split_first().expect("a command");
        let mut command = redis::cmd(std::str::from_utf8(name).expect("a name"));
        for argument in arguments {
            command.arg(*argument);
        }
        let answer = command.query_async(&mut self.0).await;
        answer.unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(name)))
    }

    /// The keys that begin with `prefix`, in order.
    pub async fn keys(&mut self, prefix: &str) -> Vec<String> {
        let pattern = format!("{prefix}*");
        let mut keys: Vec<String> = self.ask(&[b"KEYS", pattern.as_bytes()]).await;
        keys.sort();
        keys
    }
}

/// The address of the server that tests share.
pub fn shared_url() -> String {
    text(&endpoint("/redis"), "url").to_owned()
}

/// The suite's footing on a server of its own, which evicts what was not asked for longest.
#[derive(Debug)]
pub struct RedisHarness {
    cache: Arc<RedisChunkCache>,
    _server: OwnRedis,
}

/// What the server's `maxmemory` is.
const LIMIT_MIB: u64 = 16;

impl RedisHarness {
    /// An empty one.
    pub async fn fresh() -> Self {
        let limit = format!("{LIMIT_MIB}mb");
        let server = OwnRedis::start(&["--maxmemory", &limit, "--maxmemory-policy", "allkeys-lru"]).await;
        let options = RedisOptions::default()
            .with_url(server.url())
            .with_answer_limit(ANSWER_LIMIT)
            .with_keep_limit(ANSWER_LIMIT)
            .with_connect_limit(ANSWER_LIMIT);
        let cache = RedisChunkCache::connect(options, &TokioSpawner).await;
        Self {
            cache: Arc::new(cache.expect("the options are fine")),
            _server: server,
        }
    }
}

#[async_trait]
impl CacheHarness for RedisHarness {
    fn cache(&self) -> Arc<dyn ChunkCache> {
        self.cache.clone()
    }

    fn limit_bytes(&self) -> u64 {
        LIMIT_MIB << 20
    }

    async fn settle(&self) {
        let cache = self.cache.clone();
        // Owned by each look, as the compiler can't tell that a borrow by an asynchronous closure may go to another thread.
        let is_empty = move || {
            let cache = cache.clone();
            async move { cache.facts().queued_keeps == 0 }
        };
        until("the queue of chunks is empty", is_empty).await;
    }
}

/// Waits until no chunk waits to be written.
pub async fn written(cache: &RedisChunkCache) {
    until("the queue of chunks is empty", async || {
        cache.facts().queued_keeps == 0
    })
    .await;
}

fn spawn(port: u16, arguments: &[String]) -> Child {
    let mut server = Command::new(program());
    server
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        // A title would overwrite the environment, by which what a killed test left behind is found.
        .args(["--set-proc-title", "no"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Signals of a terminal are for the test.
        .process_group(0);
    server.spawn().expect("the server starts")
}

/// The program of the server that tests share.
fn program() -> PathBuf {
    let server = endpoint("/redis");
    let words = server["start"].as_array().into_iter().flatten();
    let mut paths = words.filter_map(|word| word.as_str()).map(Path::new);
    let path = paths.find(|path| path.is_absolute() && path.ends_with("redis-server"));
    path.expect("the shared server's program").to_owned()
}

/// The first byte of its answer: `+` where it serves, `-` where it wants a password.
fn says(address: SocketAddr) -> std::io::Result<u8> {
    let mut connection = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    connection.set_read_timeout(Some(ANSWER_LIMIT))?;
    connection.write_all(b"PING\r\n")?;
    let mut first = [0; 1];
    connection.read_exact(&mut first)?;
    Ok(first[0])
}
