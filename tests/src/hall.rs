//! A hall as a process of its own, on a folder of its own.

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::client::{Base, Client};
use crate::ground::Ground;
use crate::wait::until;

/// How long a hall may take to start or end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings under which tests don't wait: cheap password hashes, a quick sweep, no delay before bytes go.
const QUICK: &str = "
[accounts]
argon2_memory_kib = 64
argon2_passes = 1

[policy]
purge_delay_seconds = 0
sweep_period_ms = 200
";

/// A hall; ended when dropped.
#[derive(Debug)]
pub struct Hall {
    folder: tempfile::TempDir,
    child: Option<Child>,
    base: Base,
    setup: Option<String>,
    /// Where it keeps its files and records, unless in its folder.
    ground: Option<Ground>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Hall {
    /// Starts a hall with quick settings.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a hall with more settings: TOML, beginning with keys of `[policy]`.
    pub async fn start_with(config: &str) -> Self {
        Self::start_configured(&format!("{QUICK}{config}")).await
    }

    /// Starts a hall with exactly these settings.
    pub async fn start_configured(config: &str) -> Self {
        let ground = Ground::of(config).await;
        Self::start_on(ground, &std::env::temp_dir(), config).await
    }

    /// Starts a hall with exactly these settings, its folder in this one and all it keeps therein.
    pub async fn start_in(place: &Path, config: &str) -> Self {
        Self::start_on(None, place, config).await
    }

    async fn start_on(ground: Option<Ground>, place: &Path, config: &str) -> Self {
        let folder = tempfile::tempdir_in(place).expect("a temporary folder");
        std::fs::write(folder.path().join("hall.toml"), config).expect("a configuration");
        let mut hall = Self {
            folder,
            child: None,
            base: Base::default(),
            setup: None,
            ground,
        };
        hall.restart().await;
        hall
    }

    /// The folder with the configuration `hall.toml`, the data in `data` and the log `hall.log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens, such as `http://127.0.0.1:41234`, with the prefix where it has one.
    pub fn base(&self) -> String {
        self.base.get()
    }

    /// The address it listens on.
    pub fn address(&self) -> String {
        let base = self.base.get();
        base.trim_start_matches("http://")
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    /// The kind of store that holds its files, as the configuration calls it, unless that chooses stores itself.
    pub fn store_kind(&self) -> &str {
        self.ground.as_ref().map_or("local", |ground| &ground.kind)
    }

    /// The setup link it printed.
    pub fn setup_link(&self) -> Option<&str> {
        self.setup.as_deref()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("hall.log")).unwrap_or_default()
    }

    /// Starts it (again), on a free port; clients find it there.
    pub async fn restart(&mut self) {
        self.kill9();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("hall.log"));
        let mut command = self.hall();
        command
            .arg("serve")
            .args(["--listen", "127.0.0.1:0"])
            .args(self.place());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"));
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} can't be started: {error}", hall_binary().display()));
        let out = child.stdout.take().expect("standard output is piped");
        self.child = Some(child);
        let (setup, base) = tokio::task::spawn_blocking(move || announced(BufReader::new(out)))
            .await
            .expect("reading");
        let base = base.unwrap_or_else(|| panic!("the hall did not start: {}", self.log()));
        self.setup = setup;
        self.base.set(&base);
    }

    /// Ends it by SIGKILL.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends SIGTERM.
    pub fn sigterm(&self) {
        assert!(signal(self.pid(), "TERM"), "SIGTERM could not be sent");
    }

    /// Waits until it ended by itself; returns how.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let pid = child.id();
        let waiting = tokio::task::spawn_blocking(move || child.wait());
        let Ok(status) = tokio::time::timeout(PATIENCE, waiting).await else {
            signal(pid, "KILL");
            panic!("the hall did not end");
        };
        status.expect("waiting").expect("its state")
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .as_mut()
            .is_none_or(|child| matches!(child.try_wait(), Ok(Some(_))))
    }

    /// Runs a command of the hall on the same configuration and data.
    pub fn run(&self, args: &[&str], input: &str) -> Said {
        let mut child = self.begin(args);
        // A command that reads nothing may have ended already.
        let _ = child
            .stdin
            .take()
            .expect("standard input is piped")
            .write_all(input.as_bytes());
        let output = child.wait_with_output().expect("its output");
        Said {
            status: output.status,
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Begins a command, and ends it by SIGKILL after so long; says whether it had ended before.
    pub async fn run_and_kill(&self, args: &[&str], after: Duration) -> bool {
        let mut child = self.begin(args);
        let pid = child.id();
        let waiting = tokio::task::spawn_blocking(move || child.wait());
        if tokio::time::timeout(after, waiting).await.is_ok() {
            return true;
        }
        signal(pid, "KILL");
        false
    }

    /// Begins a command, and ends it by SIGKILL once something holds; says whether it had ended before.
    pub async fn run_and_kill_once(&self, args: &[&str], mut holds: impl AsyncFnMut() -> bool) -> bool {
        let mut child = self.begin(args);
        let pid = child.id();
        let waiting = tokio::task::spawn_blocking(move || child.wait());
        until("the command is as far as that, or ended", async || {
            waiting.is_finished() || holds().await
        })
        .await;
        let had_ended = waiting.is_finished();
        if !had_ended {
            signal(pid, "KILL");
        }
        waiting.await.expect("waiting").expect("its state");
        had_ended
    }

    fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.hall();
        command.args(args).args(self.place());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("the hall's binary")
    }

    /// Runs a command that has to succeed; returns its standard output without the line's end.
    #[track_caller]
    pub fn done(&self, args: &[&str], input: &str) -> String {
        let said = self.run(args, input);
        assert!(said.status.success(), "hall {args:?}: {}{}", said.out, said.err);
        said.out.trim_end().to_owned()
    }

    /// A client of nobody.
    pub fn nobody(&self) -> Client {
        Client::new(self.base.clone())
    }

    /// Makes an account by the command line; returns a client with a token of it that may everything the account may.
    #[track_caller]
    pub fn account(&self, name: &str) -> Client {
        self.add_account(name, false)
    }

    /// Makes an administrator by the command line; returns a client with a token.
    #[track_caller]
    pub fn administrator(&self, name: &str) -> Client {
        self.add_account(name, true)
    }

    /// The password of the accounts that the two calls above make.
    pub const PASSWORD: &str = "a password of tests";

    #[track_caller]
    fn add_account(&self, name: &str, admin: bool) -> Client {
        let mut args = vec!["account", "add", name];
        if admin {
            args.push("--admin");
        }
        self.done(&args, &format!("{}\n", Self::PASSWORD));
        let token = self.done(&["token", "add", "--account", name], "");
        self.nobody().with_token(&token)
    }

    fn hall(&self) -> Command {
        let mut command = Command::new(hall_binary());
        command.current_dir(self.folder());
        if let Some(ground) = &self.ground {
            command.envs(ground.variables.iter().cloned());
        }
        command
    }

    fn place(&self) -> [PathBuf; 4] {
        let folder = self.folder();
        [
            "--config".into(),
            folder.join("hall.toml"),
            "--data".into(),
            folder.join("data"),
        ]
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("the hall's log:\n{}", self.log());
        }
    }
}

/// Sends a signal; says whether there was somebody to get it.
pub(crate) fn signal(pid: u32, name: &str) -> bool {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    sent.is_ok_and(|status| status.success())
}

/// The setup link and the address that a starting hall prints.
fn announced(out: impl std::io::BufRead) -> (Option<String>, Option<String>) {
    let mut setup = None;
    for line in out.lines().map_while(Result::ok) {
        if let Some(link) = line.strip_prefix("setup ") {
            setup = Some(link.to_owned());
        } else if let Some(base) = line.strip_prefix("listening on ") {
            return (setup, Some(base.to_owned()));
        }
    }
    (setup, None)
}

/// The hall's binary.
fn hall_binary() -> PathBuf {
    binary("hall", "CAMPUSDISK_HALL_BIN")
}

/// A binary of the workspace: named by an environment variable, or beside the tests.
///
/// # Panics
/// When it is not there.
pub fn binary(name: &str, variable: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let test = std::env::current_exe().expect("this test's own path");
    let built = test
        .parent()
        .and_then(Path::parent)
        .map(|folder| folder.join(name))
        .unwrap_or_default();
    assert!(
        built.exists(),
        "{} is not there: run `cargo build -p {name}` with the profile of the tests, or set {variable}",
        built.display()
    );
    built
}
