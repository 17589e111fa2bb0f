//! What the disk was told before the client was: the order of system calls, seen by strace. A kill can't show it, because
//! what a killed process wrote stays in the page cache.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::collections::HashMap;
use std::path::Path;

use campusdisk_tests::{Hall, pattern};

const CALLS: &str = "fsync,fdatasync,renameat2,pwrite64,write,writev,sendto";

/// A system call; `begun` and `done` are lines of the trace.
#[derive(Debug)]
struct Call {
    text: String,
    begun: usize,
    done: usize,
}

/// The calls that succeeded, in the order of their ends.
fn calls(trace: &Path) -> Vec<Call> {
    let mut begun: HashMap<String, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (done, line) in std::fs::read_to_string(trace).unwrap().lines().enumerate() {
        let (thread, text) = line.trim().split_once(' ').unwrap_or_default();
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix(" <unfinished ...>") {
            begun.insert(thread.to_owned(), (done, start.to_owned()));
            continue;
        }
        let (begun, text) = match text.strip_prefix("<... ") {
            Some(rest) => {
                let (begun, start) = begun.remove(thread).unwrap();
                let end = rest.split_once(" resumed>").unwrap().1;
                (begun, format!("{start}{end}"))
            }
            None => (done, text.to_owned()),
        };
        if text.contains(") = ") && !text.contains(") = -1 ") {
            calls.push(Call { text, begun, done });
        }
    }
    calls
}

/// The last call that `wanted` takes, of those that ended before line `before`.
fn last<'a>(calls: &'a [Call], before: usize, what: &str, wanted: impl Fn(&str) -> bool) -> &'a Call {
    calls
        .iter()
        .rfind(|call| call.done < before && wanted(&call.text))
        .unwrap_or_else(|| panic!("no {what} before line {before} of {calls:#?}"))
}

/// A sync of the file or folder whose path ends so.
fn syncs(call: &str, path_end: &str) -> bool {
    (call.starts_with("fsync(") || call.starts_with("fdatasync(")) && call.contains(&format!("{path_end}>)"))
}

fn answers_created(call: &str) -> bool {
    call.contains("\"HTTP/1.1 201")
}

async fn calls_of_a_put(len_bytes: usize) -> Vec<Call> {
    let mut hall = Hall::start_traced(CALLS).await;
    let ada = hall.account("ada");
    let root = ada.root().await;
    ada.put(&root, "thesis.bin", pattern(len_bytes, 1)).await;
    let trace = hall.folder().join("hall.calls");
    hall.sigterm();
    assert!(hall.ended().await.success());
    calls(&trace)
}

#[tokio::test]
async fn a_file_is_on_the_disk_before_its_name_and_both_before_the_answer() {
    // Long enough to go past the page cache, with an end that does not.
    let calls = calls_of_a_put((9 << 20) + 17).await;
    let answer = last(&calls, usize::MAX, "answer", answers_created);
    let rename = last(&calls, answer.begun, "rename", |call| {
        call.starts_with("renameat2(") && call.contains(".part\", ")
    });
    let target = rename.text.split('"').nth(3).unwrap();
    let folder = Path::new(target).parent().unwrap();

    let write = last(&calls, rename.begun, "write of bytes", |call| {
        call.starts_with("pwrite64(") && call.contains(".part>, ")
    });
    let sync = last(&calls, rename.begun, "sync of the bytes", |call| {
        syncs(call, ".part")
    });
    assert!(sync.begun > write.done, "{sync:?} {write:?}");

    // The folder with the name, and those above it, which are new.
    let mut known = rename.done;
    for folder in folder.ancestors().take(3) {
        let end = format!("/{}", folder.file_name().unwrap().to_string_lossy());
        let sync = last(&calls, answer.begun, &format!("sync of {end}"), |call| {
            syncs(call, &end)
        });
        assert!(sync.begun > rename.done, "{sync:?} {rename:?}");
        known = known.max(sync.done);
    }
    record_is_synced(&calls, known, answer);
}

#[tokio::test]
async fn a_file_that_waits_in_the_database_is_on_the_disk_before_the_answer() {
    let calls = calls_of_a_put(5_000).await;
    let answer = last(&calls, usize::MAX, "answer", answers_created);
    record_is_synced(&calls, 0, answer);
}

/// The commit that makes the file was written and synced after line `known` and before the answer.
fn record_is_synced(calls: &[Call], known: usize, answer: &Call) {
    let write = last(calls, answer.begun, "write of the commit", |call| {
        call.starts_with("pwrite64(") && call.contains("campusdisk.db-wal>, ")
    });
    assert!(write.begun > known, "{write:?}");
    let sync = last(calls, answer.begun, "sync of the commit", |call| {
        syncs(call, "campusdisk.db-wal")
    });
    assert!(sync.begun > write.done, "{sync:?} {write:?}");
}
