//! Running other programs: with a time limit, a log, and an end on request.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::interrupt::{self, POLL_INTERVAL};
use crate::paths;

/// How long a program has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `command` to its end with its output in `log`; a failure's message carries the end of that log.
///
/// # Errors
/// When the program can't be started, fails, takes longer than `limit`, or the run is asked to stop.
pub(crate) fn run_logged(mut command: Command, log: &Path, limit: Duration) -> Result<()> {
    let what = describe(&command);
    if let Some(parent) = log.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = File::create(log).with_context(|| format!("create the log {}", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let status = Group::spawn(&mut command)?.wait(&what, limit)?;
    if !status.success() {
        bail!(
            "{what} failed ({status}); the end of {}:\n{}",
            log.display(),
            tail(log)
        );
    }
    Ok(())
}

/// Runs `command` to its end and gives what it printed.
///
/// # Errors
/// When the program can't be started or fails.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let what = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start `{what}`: is it installed?"))?;
    if !output.status.success() {
        bail!(
            "{what} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program says when it is run in the clone, without the line's end.
///
/// # Errors
/// As for [`output_of`].
pub(crate) fn said_in_clone(program: &str, words: &[&str]) -> Result<String> {
    let said = output_of(Command::new(program).args(words).current_dir(paths::clone_root()))?;
    Ok(said.trim().to_owned())
}

/// A program in a process group of its own. Dropped while it runs, it is ended with everything it started.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    ended: bool,
}

impl Group {
    /// # Errors
    /// When the program can't be started.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let what = describe(command);
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("start `{what}`: is it installed?"))?;
        Ok(Self { child, ended: false })
    }

    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.ended |= status.is_some();
        Ok(status)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When `limit` is over or the run is asked to stop; the group is ended then.
    fn wait(mut self, what: &str, limit: Duration) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            interrupt::check()?;
            if started.elapsed() > limit {
                bail!("{what} took longer than its limit of {} s", limit.as_secs());
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        // The group may end by itself between the look and the signal; both answers mean the same.
        let _ = rustix::process::kill_process_group(group, Signal::TERM);
        let started = Instant::now();
        // The leader is not reaped before the last signal: until then no other group can have its number.
        while started.elapsed() < GRACE && proc_stat(self.child.id()).is_some_and(ProcStat::runs) {
            thread::sleep(POLL_INTERVAL);
        }
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// The program and its arguments on one line.
pub(crate) fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    let line = words.join(" ");
    match line.char_indices().nth(160) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// What `/proc/PID/stat` tells of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcStat {
    state: char,
    /// Ticks from the start of the system to the start of the process: no two processes share pid and start.
    pub(crate) start_ticks: u64,
}

impl ProcStat {
    /// Whether it still runs; a zombie doesn't.
    pub(crate) fn runs(self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// Looks at the process `pid`, if there is one.
pub(crate) fn proc_stat(pid: u32) -> Option<ProcStat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fixed fields begin after the last one.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(ProcStat {
        state,
        start_ticks: fields.nth(18)?.parse().ok()?,
    })
}
