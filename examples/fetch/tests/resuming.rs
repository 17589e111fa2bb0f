//! Downloads that are killed or stopped, and what the next run makes of what they left.

#![allow(clippy::unwrap_used, reason = "a test ends where it can't go on")]

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use common::{Fetch, File, MIB, Server, signal, until};

const SIZE: usize = 32 * MIB;
/// So many bytes the server lets out before the kill: the kill is in the middle for certain.
const BEFORE: usize = 20 * MIB;
/// So many the state file names at least before it: what is on its way between both is less than the rest.
const SAVED: usize = 14 * MIB;

/// A server that stops in the middle until its gate opens.
async fn gated(file: &File) -> (Server, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(BEFORE));
    let (served, shut) = (file.clone(), Arc::clone(&gate));
    let server = Server::start(move |asked| match asked.range {
        // The first look of each run, with one byte.
        Some((0, 1)) => served.answer(asked),
        _ => served.answer(asked).gated(&shut),
    })
    .await;
    (server, gate)
}

/// Starts a download and waits until it is in the middle; returns it.
async fn in_the_middle(fetch: &Fetch, server: &Server) -> tokio::process::Child {
    let running = fetch.begin(&[&server.url("/a.bin")]);
    until("the state file names what came", || {
        fetch.done_bytes("a.bin") >= SAVED
    })
    .await;
    assert!(server.sent_bytes() < SIZE);
    running
}

#[tokio::test]
async fn after_kill_9_everything_that_was_written_down_is_there_and_is_not_fetched_again() {
    let file = File::new(SIZE, "\"a\"");
    let (server, gate) = gated(&file).await;
    let fetch = Fetch::new();
    let running = in_the_middle(&fetch, &server).await;
    signal(&running, "KILL");
    assert_eq!(fetch.ended(running).await.status.signal(), Some(9));
    assert_eq!(fetch.names(), ["a.bin.part", "a.bin.part.json"]);
    let (part, done) = (fetch.read("a.bin.part"), fetch.done("a.bin"));
    for (start, end) in done {
        assert!(part[start..end] == file.bytes[start..end], "{start}..{end}");
    }
    until("the server notices", || server.open() == 0).await;
    let (sent, saved) = (server.sent_bytes(), fetch.done_bytes("a.bin"));
    gate.add_permits(100 * MIB);
    // By one connection, so that no span is shared out and sent for a part twice.
    let err = fetch.run(&["-c", "1", &server.url("/a.bin")]).await.expect(0);
    assert!(err.contains("there from an earlier run"), "{err}");
    assert_eq!(fetch.read("a.bin"), file.bytes);
    assert_eq!(fetch.names(), ["a.bin"]);
    let again = server.sent_bytes() - sent;
    assert_eq!(again, SIZE - saved + 1, "what was missing, and the first look");
}

#[tokio::test]
async fn ctrl_c_writes_down_all_that_came() {
    let file = File::new(SIZE, "\"a\"");
    let (server, gate) = gated(&file).await;
    let fetch = Fetch::new();
    let running = in_the_middle(&fetch, &server).await;
    signal(&running, "INT");
    let err = fetch.ended(running).await.expect(130);
    assert!(err.contains("stopped; start again to go on"), "{err}");
    let saved = fetch.done_bytes("a.bin");
    assert!((SAVED..SIZE).contains(&saved), "{saved}");
    gate.add_permits(100 * MIB);
    fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert_eq!(fetch.read("a.bin"), file.bytes);
}

#[tokio::test]
async fn what_is_left_of_an_older_version_is_not_used() {
    let (old, new) = (File::new(SIZE, "\"old\""), File::new(SIZE, "\"new\""));
    let (gate, is_new) = (Arc::new(Semaphore::new(BEFORE)), Arc::new(AtomicBool::new(false)));
    let (after, switch) = (new.clone(), Arc::clone(&is_new));
    let server = Server::start(move |asked| match switch.load(Ordering::SeqCst) {
        false => old.answer(asked).gated(&gate),
        true => after.answer(asked),
    })
    .await;
    let fetch = Fetch::new();
    let running = in_the_middle(&fetch, &server).await;
    signal(&running, "KILL");
    fetch.ended(running).await;
    is_new.store(true, Ordering::SeqCst);
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert!(
        err.contains("begins anew: what an earlier run left is of another file"),
        "{err}"
    );
    assert_eq!(fetch.read("a.bin"), new.bytes);
}

#[tokio::test]
async fn a_state_file_that_is_damaged_costs_no_more_than_the_bytes() {
    let file = File::new(3 * MIB, "\"a\"");
    let server = Server::of(&file).await;
    for state in ["", "{", "{\"url\":1}", "[]"] {
        let fetch = Fetch::new();
        std::fs::write(fetch.path("a.bin.part"), vec![7; 3 * MIB]).unwrap();
        std::fs::write(fetch.path("a.bin.part.json"), state).unwrap();
        fetch.run(&[&server.url("/a.bin")]).await.expect(0);
        assert_eq!(fetch.read("a.bin"), file.bytes, "{state:?}");
        assert_eq!(fetch.names(), ["a.bin"]);
    }
}

#[tokio::test]
async fn a_second_run_beside_the_first_is_refused() {
    let file = File::new(SIZE, "\"a\"");
    let (server, gate) = gated(&file).await;
    let fetch = Fetch::new();
    let running = in_the_middle(&fetch, &server).await;
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(4);
    assert!(err.contains("is being downloaded by another fetch"), "{err}");
    gate.add_permits(100 * MIB);
    fetch.ended(running).await.expect(0);
    assert_eq!(fetch.read("a.bin"), file.bytes);
}
