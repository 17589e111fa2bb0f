//! The catalog: many changes in one commit on SQLite, many commits at once on PostgreSQL, and pages of a large folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::comparison::{Comparison, Unit};
use super::hall::Hall;
use super::load;
use super::setting::Setting;
use crate::{command, paths};

const CLIENTS: &str = "64";
/// How many changes a second PostgreSQL must take from so many clients, and within how many ms 99 of 100 must be answered.
const POSTGRES_RATE: f64 = 3000.0;
const POSTGRES_LIMIT_MS: f64 = 60.0;
/// What a disk that takes its time adds to each sync, in µs.
const DELAY_MICROS: u32 = 5000;
const FILES: u64 = 100_000;
/// How many files the folder has whose pages are read from each database.
const MANY_FILES: &str = "1000000";
const PAGE_ROWS: u64 = 200;
/// Within how many ms a page must come.
const PAGE_LIMIT_MS: f64 = 10.0;
/// Answers of which the median is taken.
const PAGE_TRIES: usize = 21;
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// Builds the bench of the catalog, as it is released.
///
/// # Errors
/// When it doesn't build.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "bench",
            "--no-run",
            "--message-format=json",
            "--package",
            "campusdisk-benches",
        ])
        .args(["--bench", "catalog", "--target-dir"])
        .arg(paths::target()?)
        .current_dir(paths::clone_root());
    println!("bench: building the catalog's bench");
    let log = crate::provision::log("bench-build-catalog")?;
    command::run_logged(cargo, &log, BUILD_LIMIT)?;
    let said = fs::read_to_string(log)?;
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter_map(|message| {
        let is_bench = message.pointer("/target/name")?.as_str()? == "catalog";
        let executable = message.get("executable")?.as_str()?;
        is_bench.then(|| executable.into())
    });
    built.next().context("cargo named no executable of the bench")
}

pub(crate) fn measure(setting: &Setting<'_>, hall: &Hall) -> Result<Vec<Comparison>> {
    let bench = &setting.programs.catalog;
    let folder = setting.folder.join("catalog");
    fs::create_dir_all(&folder)?;
    let run = |batch: &str, sets: &str, delay: u32| commits(bench, &folder, [CLIENTS, batch, sets], delay);
    let shared = "64 clients, changes of many in one commit";
    let alone = "the same clients, one change a commit";
    let mut comparisons = vec![
        setting.compare(
            "changes per sync (fsync and fdatasync, counted by strace)",
            Unit::Changes,
            8.0,
            (shared, &|| Ok(run("256", "20000", 0)?.sets_per_sync)),
            (alone, &|| Ok(run("1", "2000", 0)?.sets_per_sync)),
        )?,
        setting.compare(
            "changes where each sync takes 5 ms longer",
            Unit::ChangesPerSecond,
            5.0,
            (shared, &|| Ok(run("256", "20000", DELAY_MICROS)?.sets_per_second)),
            (alone, &|| Ok(run("1", "1000", DELAY_MICROS)?.sets_per_second)),
        )?,
    ];
    comparisons.extend(postgres(setting, bench)?);
    comparisons.extend(pages_of_many(setting, bench, &folder)?);
    comparisons.extend(pages(setting, hall)?);
    Ok(comparisons)
}

/// Finished uploads of as many clients, each into a drive of its own.
fn postgres(setting: &Setting<'_>, bench: &Path) -> Result<[Comparison; 2]> {
    let (mut rates, mut slowest) = (Vec::new(), Vec::new());
    for _ in 0..setting.options.rounds.max(1) {
        let mut run = Command::new(bench);
        run.args(["postgres", CLIENTS, CLIENTS, "20000"])
            .env("CAMPUSDISK_BENCH_POSTGRES", setting.endpoint("/postgres/url")?);
        let said = command::output_of(&mut run)?;
        let mut figures = said.split_whitespace().map(str::parse::<f64>);
        let mut next = || figures.next().with_context(|| format!("the bench said: {said}"));
        rates.push(next()??);
        slowest.push(next()??);
    }
    let comparisons = [
        Comparison::with_limit(
            format!("changes of {CLIENTS} clients in as many drives, on PostgreSQL"),
            Unit::ChangesPerSecond,
            POSTGRES_RATE,
            ("hall", rates),
        ),
        Comparison::with_limit(
            "99 of 100 of these changes answered",
            Unit::Milliseconds,
            POSTGRES_LIMIT_MS,
            ("hall", slowest),
        ),
    ];
    comparisons
        .iter()
        .for_each(|comparison| println!("{}", comparison.line()));
    Ok(comparisons)
}

/// Pages of a folder of [`MANY_FILES`] files, as the catalog on each database gives them.
fn pages_of_many(setting: &Setting<'_>, bench: &Path, folder: &Path) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for (database, title) in [("sqlite", "SQLite"), ("postgres", "PostgreSQL")] {
        let mut run = Command::new(bench);
        run.args(["pages", database, MANY_FILES])
            .env("CAMPUSDISK_BENCH_FOLDER", folder)
            .env("CAMPUSDISK_BENCH_POSTGRES", setting.endpoint("/postgres/url")?);
        for line in command::output_of(&mut run)?.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let [sort, which, milliseconds] = words.as_slice() else {
                bail!("the bench said: {line}");
            };
            comparisons.push(Comparison::with_limit(
                format!(
                    "99 of 100 of {which} pages of {PAGE_ROWS} by {sort} in a folder of {MANY_FILES} files, on {title}"
                ),
                Unit::Milliseconds,
                PAGE_LIMIT_MS,
                ("hall", vec![milliseconds.parse()?]),
            ));
        }
    }
    comparisons
        .iter()
        .for_each(|comparison| println!("{}", comparison.line()));
    Ok(comparisons)
}

struct Commits {
    sets_per_second: f64,
    sets_per_sync: f64,
}

/// Runs the bench under strace, which counts its syncs and delays each.
fn commits(bench: &Path, folder: &Path, words: [&str; 3], delay_micros: u32) -> Result<Commits> {
    let counts = folder.join("syncs");
    let mut strace = Command::new("strace");
    strace
        .args([
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-c",
            "-e",
            "trace=fsync,fdatasync",
            "-o",
        ])
        .arg(&counts);
    if delay_micros > 0 {
        strace.args(["-e", &format!("inject=fsync,fdatasync:delay_exit={delay_micros}")]);
    }
    strace.arg(bench).arg("commits").args(words);
    strace.env("CAMPUSDISK_BENCH_FOLDER", folder);
    let said = command::output_of(&mut strace)?;
    let syncs = syncs_of(&fs::read_to_string(&counts)?);
    let sets: f64 = words[2].parse()?;
    ensure!(syncs > 0.0, "strace saw no sync at all");
    Ok(Commits {
        sets_per_second: said
            .trim()
            .parse()
            .with_context(|| format!("the bench said: {said}"))?,
        sets_per_sync: sets / syncs,
    })
}

/// The calls in the table of `strace -c`: share, seconds, time per call, calls, perhaps errors, name.
fn syncs_of(table: &str) -> f64 {
    let calls = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_sync = words
            .last()
            .is_some_and(|name| ["fsync", "fdatasync"].contains(name));
        is_sync.then(|| words.get(3)?.parse::<f64>().ok()).flatten()
    });
    calls.sum()
}

/// Pages of a folder of [`FILES`] files, as a client of the hall gets them.
fn pages(setting: &Setting<'_>, hall: &Hall) -> Result<Vec<Comparison>> {
    let folder = hall.make_folder("large folder")?;
    let children = format!("/api/v1/nodes/{folder}/children");
    fill(setting, hall, &format!("{}{children}", hall.endpoint))?;
    let mut comparisons = Vec::new();
    for sort in ["name", "size", "modified"] {
        let query = format!("{children}?sort={sort}");
        let middle = cursor_of_middle(hall, &query)?;
        for (which, url) in [
            ("first page", format!("{query}&limit={PAGE_ROWS}")),
            (
                "page in the middle",
                format!("{query}&limit={PAGE_ROWS}&after={middle}"),
            ),
        ] {
            comparisons.push(Comparison::with_limit(
                format!("{which} of {PAGE_ROWS} by {sort} in a folder of {FILES} files, over HTTP"),
                Unit::Milliseconds,
                PAGE_LIMIT_MS,
                ("hall", page_times(hall, &url)?),
            ));
        }
    }
    comparisons
        .iter()
        .for_each(|comparison| println!("{}", comparison.line()));
    Ok(comparisons)
}

fn fill(setting: &Setting<'_>, hall: &Hall, children: &str) -> Result<()> {
    let script = setting.folder.join("put.lua");
    let mut made = 0;
    // Each run of wrk makes as many as it can in its time; the names say which run they are of.
    for run in 0.. {
        if made >= FILES {
            break;
        }
        fs::write(&script, put_script(run))?;
        made += load::scripted(children, hall.authorization(), &script, 5)?.requests;
    }
    println!("bench: a folder of {made} files");
    Ok(())
}

/// What wrk asks: each thread puts files of its own, of different sizes.
fn put_script(run: u32) -> String {
    format!(
        "local threads = 0\n\
         function setup(thread) thread:set('me', threads); threads = threads + 1 end\n\
         local count = 0\n\
         function request()\n\
           count = count + 1\n\
           local name = string.format('/Document%%20{run}-%d-%06d.pdf', me, count)\n\
           return wrk.format('PUT', wrk.path .. name, nil, string.rep('x', count * 7919 % 997))\n\
         end\n"
    )
}

fn cursor_of_middle(hall: &Hall, query: &str) -> Result<String> {
    let mut cursor = String::new();
    let mut seen = 0;
    while seen < FILES / 2 {
        let from = if cursor.is_empty() {
            String::new()
        } else {
            format!("&after={cursor}")
        };
        let page: Value = serde_json::from_str(&hall.get(&format!("{query}&limit=1000{from}"))?)?;
        let rows = page
            .get("items")
            .and_then(Value::as_array)
            .context("a page without items")?;
        seen += rows.len() as u64;
        let next = page.get("next").and_then(Value::as_str);
        cursor = next
            .with_context(|| format!("the folder ended after {seen} files"))?
            .to_owned();
    }
    Ok(cursor)
}

/// How many ms each of some answers took, the first left out.
fn page_times(hall: &Hall, path: &str) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..=PAGE_TRIES {
        times.push(load::milliseconds(
            &format!("{}{path}", hall.endpoint),
            hall.authorization(),
        )?);
    }
    Ok(times.split_off(1))
}

#[cfg(test)]
mod tests {
    use super::syncs_of;

    #[test]
    fn the_table_of_strace_is_added_up() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n \
                     99.12    1.402319        1391      1008           fdatasync\n  \
                     0.88    0.012449        1244        10         2 fsync\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    1.414768                  1018         2 total\n";
        assert_eq!(syncs_of(table), 1018.0);
    }
}
