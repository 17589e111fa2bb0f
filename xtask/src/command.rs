//! Running other programs: with a time limit, a log, and an end on request.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::interrupt::{self, POLL_INTERVAL};

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
    let status = wait(spawn_group(&mut command)?, &what, Some(limit))?;
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

/// Starts `command` in a process group of its own, so that it can be stopped with everything it starts.
///
/// # Errors
/// When the program can't be started.
pub(crate) fn spawn_group(command: &mut Command) -> Result<Child> {
    let what = describe(command);
    command
        .process_group(0)
        .spawn()
        .with_context(|| format!("start `{what}`: is it installed?"))
}

/// Waits for a child of [`spawn_group`]; on overrun or stop its whole group is ended.
///
/// # Errors
/// When `limit` is over or the run is asked to stop.
pub(crate) fn wait(mut child: Child, what: &str, limit: Option<Duration>) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(stop) = interrupt::check() {
            end_group(&mut child);
            return Err(stop);
        }
        if let Some(limit) = limit.filter(|limit| started.elapsed() > *limit) {
            end_group(&mut child);
            bail!("{what} took longer than its limit of {} s", limit.as_secs());
        }
        thread::sleep(POLL_INTERVAL);
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

fn end_group(child: &mut Child) {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    // The group may end by itself between the look and the signal; both answers mean the same.
    let _ = rustix::process::kill_process_group(group, Signal::TERM);
    let started = Instant::now();
    while started.elapsed() < GRACE {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        thread::sleep(POLL_INTERVAL);
    }
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}
