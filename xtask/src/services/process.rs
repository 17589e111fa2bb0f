//! Daemons: started in a session of their own with nothing inherited, known by pid and start time, stopped by pid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::command;
use crate::interrupt::POLL_INTERVAL;

/// Set in every daemon's environment to the folder of its service, so that a process whose pid file is lost
/// (a test restarted it, a run was killed) is still known as ours.
pub(super) const MARKER: &str = "CAMPUSDISK_SERVICE_FOLDER";

/// How long a daemon has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// What every daemon starts through: closes inherited files (locks and pipes of the starter among them), records
/// pid and start time, and becomes the program.
const LAUNCHER: &str = r#"pid_file=$1 log=$2; shift 2
exec </dev/null >>"$log" 2>&1
for fd in /proc/$$/fd/*; do fd=${fd##*/}; if ((fd > 2)); then exec {fd}>&-; fi; done
stat=($(</proc/$$/stat)); echo "$$ ${stat[21]}" >"$pid_file"
exec "$@""#;

/// One program of a service.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    name: String,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    program: Vec<String>,
}

impl Daemon {
    /// The daemon `name` of the service that lives in `folder`.
    pub(crate) fn new(name: impl Into<String>, folder: &Path) -> Self {
        Self {
            name: name.into(),
            folder: folder.to_path_buf(),
            environment: Vec::new(),
            program: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn with_env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn with_args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.program.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pid", self.name))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// The whole command: spawned as it stands, it (re)starts this daemon and rewrites its pid file.
    pub(crate) fn start_command(&self) -> Vec<String> {
        let mut words = vec!["env".to_owned(), format!("{MARKER}={}", self.folder.display())];
        words.extend(
            self.environment
                .iter()
                .map(|(key, value)| format!("{key}={value}")),
        );
        words.extend(["setsid", "bash", "-c", LAUNCHER, &self.name].map(str::to_owned));
        words.push(self.pid_file().display().to_string());
        words.push(self.log().display().to_string());
        words.extend(self.program.iter().cloned());
        words
    }

    /// Starts the daemon with a fresh log and waits for its pid.
    ///
    /// # Errors
    /// When the launcher can't be started or doesn't write the pid.
    pub(crate) fn start(&self) -> Result<Process> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.log(), "")?;
        let _ = fs::remove_file(self.pid_file());
        let words = self.start_command();
        let mut launcher = Command::new(&words[0]);
        launcher
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Never waited for here: it outlives this process, and a dead one is known by its state.
        launcher
            .spawn()
            .with_context(|| format!("start {} (setsid and bash are needed)", self.name))?;
        let started = Instant::now();
        loop {
            if let Some(process) = Process::from_pid_file(&self.pid_file()) {
                return Ok(process);
            }
            if started.elapsed() > GRACE {
                bail!(
                    "{} wrote no pid file; its log:\n{}",
                    self.name,
                    command::tail(&self.log())
                );
            }
            thread::sleep(POLL_INTERVAL / 10);
        }
    }

    /// # Errors
    /// When the daemon's process is gone; the message carries the end of its log.
    pub(crate) fn check_alive(&self) -> Result<()> {
        match Process::from_pid_file(&self.pid_file()) {
            Some(process) if process.is_alive() => Ok(()),
            _ => bail!(
                "{} ended by itself; the end of {}:\n{}",
                self.name,
                self.log().display(),
                command::tail(&self.log())
            ),
        }
    }
}

/// A process that can't be mistaken for a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    start_ticks: u64,
}

impl Process {
    /// Reads `PID START` as the launcher writes it; nothing while the file isn't written.
    pub(crate) fn from_pid_file(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (pid, start_ticks) = text.trim().split_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            start_ticks: start_ticks.parse().ok()?,
        })
    }

    /// Whether this very process still runs; a zombie doesn't.
    pub(crate) fn is_alive(self) -> bool {
        command::proc_stat(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks && stat.runs())
    }

    fn signal(self, signal: Signal) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        // The descriptor is taken before the look, so the signal can only reach the process that was looked at.
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        if self.is_alive() {
            // An error means that it ended just now.
            let _ = pidfd_send_signal(&descriptor, signal);
        }
    }
}

/// Every living process of the service in `folder`: by pid file, and by the marker in its environment.
pub(crate) fn processes_of(folder: &Path) -> Vec<Process> {
    let mut found: Vec<Process> = pid_files(folder)
        .iter()
        .filter_map(|path| Process::from_pid_file(path))
        .filter(|p| p.is_alive())
        .collect();
    let marker = format!("{MARKER}={}", folder.display());
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // Processes of other users can't be read and aren't ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else {
            continue;
        };
        let marked = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == marker.as_bytes());
        if let Some(stat) = marked.then(|| command::proc_stat(pid)).flatten() {
            let process = Process {
                pid,
                start_ticks: stat.start_ticks,
            };
            if process.is_alive() && !found.contains(&process) {
                found.push(process);
            }
        }
    }
    found
}

/// Whether the service in `folder` has pid files and every one names a living process.
pub(crate) fn all_alive(folder: &Path) -> bool {
    let files = pid_files(folder);
    !files.is_empty()
        && files
            .iter()
            .all(|path| Process::from_pid_file(path).is_some_and(Process::is_alive))
}

/// Stops every process of the service in `folder` and gives how many there were.
///
/// # Errors
/// When one survives SIGKILL.
pub(crate) fn stop_all(folder: &Path) -> Result<usize> {
    let processes = processes_of(folder);
    // A paused process (fault tests do that) gets SIGTERM only once it goes on.
    for signal in [Signal::TERM, Signal::CONT] {
        processes.iter().for_each(|process| process.signal(signal));
    }
    if !ended_within(&processes, GRACE) {
        processes.iter().for_each(|process| process.signal(Signal::KILL));
        if !ended_within(&processes, GRACE) {
            bail!("a process of {} does not end", folder.display());
        }
    }
    for path in pid_files(folder) {
        fs::remove_file(path)?;
    }
    Ok(processes.len())
}

fn ended_within(processes: &[Process], limit: Duration) -> bool {
    let started = Instant::now();
    while processes.iter().any(|process| process.is_alive()) {
        if started.elapsed() > limit {
            return false;
        }
        thread::sleep(POLL_INTERVAL);
    }
    true
}

fn pid_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "pid"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rustix::io::FdFlags;

    use super::{Daemon, Process, all_alive, processes_of, stop_all};

    fn sleeper(folder: &Path) -> Daemon {
        Daemon::new("sleeper", folder).with_args(["sleep", "600"])
    }

    #[test]
    fn a_daemon_leads_its_own_session_and_inherits_no_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let held = fs::File::create(folder.path().join("held")).unwrap();
        rustix::io::fcntl_setfd(&held, FdFlags::empty()).unwrap();
        let daemon = Daemon::new("sleeper", folder.path()).with_args([
            "sh",
            "-c",
            "echo loaded; while sleep 600; do :; done",
        ]);
        let pid = daemon.start().unwrap().pid;
        // The launcher has files of its own open, and the loader of the program too.
        while fs::read_to_string(daemon.log()).unwrap() != "loaded\n" {
            std::thread::yield_now();
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let session = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .nth(3)
            .unwrap()
            .to_owned();
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        stop_all(folder.path()).unwrap();
        assert_eq!(session, pid.to_string());
        assert_eq!(open, 3);
    }

    #[test]
    fn a_daemon_without_its_pid_file_is_still_found_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = sleeper(folder.path());
        let process = daemon.start().unwrap();
        fs::remove_file(daemon.pid_file()).unwrap();
        assert_eq!(processes_of(folder.path()), [process]);
        assert_eq!(stop_all(folder.path()).unwrap(), 1);
        assert!(!process.is_alive());
    }

    #[test]
    fn a_stopped_daemon_is_ended_too() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path()).start().unwrap();
        process.signal(rustix::process::Signal::STOP);
        stop_all(folder.path()).unwrap();
        assert!(!process.is_alive());
    }

    #[test]
    fn a_pid_file_that_names_a_later_process_names_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id();
        fs::write(folder.path().join("old.pid"), format!("{own} 1\n")).unwrap();
        let process = Process::from_pid_file(&folder.path().join("old.pid")).unwrap();
        assert!(!process.is_alive());
        assert!(!all_alive(folder.path()));
        assert_eq!(stop_all(folder.path()).unwrap(), 0);
    }

    #[test]
    fn a_dead_daemon_is_named_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::new("broken", folder.path()).with_args(["bash", "-c", "echo no such store"]);
        let process = daemon.start().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
        assert!(
            daemon
                .check_alive()
                .unwrap_err()
                .to_string()
                .contains("no such store")
        );
    }
}
