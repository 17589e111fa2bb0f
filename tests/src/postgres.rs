//! Schemas on the real PostgreSQL, one for each test, and the server's process.

mod own;

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

pub use self::own::OwnServer;
use crate::process::Process;
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

    /// The address of another database on the server.
    pub fn url_of_database(&self, name: &str) -> String {
        let own = self.url.split('?').next().and_then(|url| url.rsplit_once('/'));
        own.map(|(server, _)| format!("{server}/{name}"))
            .expect("an address with a database")
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

/// The server that the tests share: who stops it stops it for all tests of the same process.
pub fn server() -> Process {
    Process::of(&endpoint("/postgres"))
}
