//! Schemas on the real PostgreSQL, one for each test, and the server's process.

mod own;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

pub use self::own::OwnServer;
use crate::services::{endpoint, text};

/// A schema with nothing in it; dropped with everything in it when this is.
#[derive(Debug)]
pub struct Schema {
    name: String,
    url: String,
}

impl Schema {
    /// Makes a schema.
    pub async fn fresh() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let server = text(&endpoint("/postgres"), "url").to_owned();
        let schema = Self {
            url: format!("{server}?application_name={name}&options[search_path]={name}"),
            name,
        };
        schema.run(format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    /// The address of the database, with this schema as the only one on the search path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same address by way of another port: of something between.
    pub fn url_by(&self, port: u16) -> String {
        let direct = self.options().get_port();
        self.url.replacen(&format!(":{direct}/"), &format!(":{port}/"), 1)
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.options().get_port()
    }

    /// A connection of the test's own, which the server's list shows under another name than those of the code under test.
    pub async fn connect(&self) -> PgConnection {
        let options = self.options().application_name("test");
        options.connect().await.expect("PostgreSQL lets us in")
    }

    /// Runs a statement on a connection of its own.
    pub async fn run(&self, sql: String) {
        let mut connection = self.connect().await;
        connection
            .execute(AssertSqlSafe(sql))
            .await
            .expect("the statement is fine");
        connection.close().await.expect("the connection ends well");
    }

    /// The condition, on `pg_stat_activity`, of the connections that the code under test made.
    pub fn own_backends(&self) -> String {
        format!("application_name = '{}'", self.name)
    }

    fn options(&self) -> PgConnectOptions {
        self.url.parse().expect("an address")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let options = self.options();
        // Another thread: this one may be in a runtime, which can't wait for another.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut connection = options.connect().await?;
                connection.execute(AssertSqlSafe(sql)).await?;
                connection.close().await
            })
        });
        let dropped = dropping.join().expect("no panic");
        if !std::thread::panicking() {
            dropped.expect("the schema is dropped");
        }
    }
}

/// The server's process.
#[derive(Debug)]
pub struct Server {
    pid_file: String,
    start: Vec<String>,
}

impl Server {
    /// The one that the tests share: who stops it stops it for all tests of the same process.
    pub fn shared() -> Self {
        let server = endpoint("/postgres");
        let words = server["start"].as_array().into_iter().flatten();
        Self {
            pid_file: text(&server, "pid_file").to_owned(),
            start: words
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect(),
        }
    }

    /// Sends a signal: `INT` ends all sessions and stops, `QUIT` stops at once, as a crash does.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.pid()]).status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "the server got no SIG{signal}"
        );
    }

    /// Whether the process is there.
    pub fn runs(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        // The state follows the name in brackets; a zombie has ended.
        stat.is_ok_and(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
    }

    /// Starts it again, after it stopped; it takes connections a little later.
    pub fn start(&self) {
        let (program, args) = self.start.split_first().expect("a command");
        let mut server = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        // It outlives this process, unless it is stopped again before.
        std::thread::spawn(move || server.wait());
    }

    fn pid(&self) -> String {
        let text = std::fs::read_to_string(&self.pid_file).expect("the server's pid file");
        text.split(' ').next().unwrap_or_default().to_owned()
    }
}
