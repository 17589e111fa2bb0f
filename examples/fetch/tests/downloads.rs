//! Whole downloads, and what a server may do in the middle of one.

#![allow(clippy::unwrap_used, reason = "a test ends where it can't go on")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use common::{Answer, Fetch, File, MIB, Server, until};

fn repr_digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn a_file_comes_over_several_connections_and_is_checked_and_named_as_the_server_says() {
    let (file, gate) = (File::new(9 * MIB + 123, "\"a\""), Arc::new(Semaphore::new(0)));
    let (served, shut) = (file.clone(), Arc::clone(&gate));
    let server = Server::start(move |asked| {
        let answer = served
            .answer(asked)
            .with("repr-digest", &repr_digest(&served.bytes))
            .with(
                "content-disposition",
                "attachment; filename=\"x\"; filename*=UTF-8''%E6%88%90%E7%BB%A9.pdf",
            );
        match asked.number {
            0 => answer,
            _ => answer.gated(&shut),
        }
    })
    .await;
    let fetch = Fetch::new();
    let running = fetch.begin(&[&server.url("/a")]);
    until("two connections", || server.open() >= 2).await;
    gate.add_permits(100 * MIB);
    let said = fetch.ended(running).await;
    assert_eq!(said.out, "成绩.pdf\n", "{}", said.err);
    let err = said.expect(0);
    assert!(
        err.contains("成绩.pdf: 9.00 MiB") && err.contains("SHA-256 as the server says"),
        "{err}"
    );
    assert_eq!(fetch.read("成绩.pdf"), file.bytes);
    assert_eq!(fetch.names(), ["成绩.pdf"]);
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.header("accept-encoding") == Some("identity"))
    );
    assert!(
        asked
            .iter()
            .skip(1)
            .all(|asked| asked.range.is_some() && asked.header("if-range") == Some("\"a\""))
    );
}

#[tokio::test]
async fn bodies_that_are_cut_are_gone_on_with_where_they_were_cut() {
    let file = File::new(8 * MIB, "\"a\"");
    for connections in ["1", "8"] {
        let served = file.clone();
        let server = Server::start(move |asked| match asked.number {
            1..=6 => served.answer(asked).cut_after(300_000),
            _ => served.answer(asked),
        })
        .await;
        let fetch = Fetch::new();
        let err = fetch
            .run(&["-c", connections, &server.url("/a.bin")])
            .await
            .expect(0);
        assert_eq!(fetch.read("a.bin"), file.bytes);
        assert_eq!(server.cuts(), 6);
        assert!(err.contains("waits 0."), "{err}");
        // One connection shares nothing out: at most what was on its way at each cut is sent again.
        let sent = server.sent_bytes();
        assert!(
            connections != "1" || sent <= 8 * MIB + 6 * 300_000,
            "{sent} bytes were sent"
        );
    }
}

#[tokio::test]
async fn a_server_with_too_much_to_do_is_left_alone_as_long_as_it_asks_and_gets_fewer_connections() {
    let file = File::new(8 * MIB, "\"a\"");
    let served = file.clone();
    let server = Server::start(move |asked| match asked.number {
        1..=2 => Answer::new(503, "").with("retry-after", "1"),
        _ => served.answer(asked),
    })
    .await;
    let fetch = Fetch::new();
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert_eq!(fetch.read("a.bin"), file.bytes);
    assert!(
        err.contains("503 Service Unavailable; connections: 1 instead of 2"),
        "{err}"
    );
    let asked = server.asked();
    let (refused, next) = (asked[2].at, asked[3].at);
    // The first wait may have begun a little before the second refusal.
    assert!(
        next - refused > Duration::from_millis(800),
        "{:?}",
        next - refused
    );
    assert!(
        asked
            .windows(2)
            .skip(3)
            .all(|pair| pair[0].range.unwrap().1 <= pair[1].range.unwrap().0),
        "one by one"
    );
}

/// A server whose second answer stops after 64 KiB, and what is left of those.
async fn hanging_once(file: &File) -> (Server, Arc<Semaphore>) {
    let (served, gate) = (file.clone(), Arc::new(Semaphore::new(64 * 1024)));
    let shut = Arc::clone(&gate);
    let server = Server::start(move |asked| match asked.number {
        1 => served.answer(asked).gated(&shut),
        _ => served.answer(asked),
    })
    .await;
    (server, gate)
}

#[tokio::test]
async fn a_connection_that_hangs_does_not_decide_the_end() {
    let file = File::new(6 * MIB, "\"a\"");
    let (server, gate) = hanging_once(&file).await;
    let fetch = Fetch::new();
    let args = ["--idle-timeout", "600", &server.url("/a.bin")];
    fetch.run(&args).await.expect(0);
    assert_eq!(fetch.read("a.bin"), file.bytes);
    assert_eq!(gate.available_permits(), 0, "one did hang");
}

#[tokio::test]
async fn a_connection_without_a_byte_for_too_long_is_given_up() {
    let file = File::new(MIB, "\"a\"");
    let (server, _) = hanging_once(&file).await;
    let fetch = Fetch::new();
    let args = ["-c", "1", "--idle-timeout", "0.3", &server.url("/a.bin")];
    let err = fetch.run(&args).await.expect(0);
    assert!(err.contains("no byte came in 0.3 s"), "{err}");
    assert_eq!(fetch.read("a.bin"), file.bytes);
}

#[tokio::test]
async fn a_server_without_ranges_or_length_gives_the_file_by_one_connection() {
    let file = File::new(3 * MIB, "\"a\"");
    for has_length in [true, false] {
        let served = file.clone();
        let server = Server::start(move |_| Answer {
            has_length,
            ..Answer::new(200, served.bytes.clone()).with("repr-digest", &repr_digest(&served.bytes))
        })
        .await;
        let fetch = Fetch::new();
        let err = fetch.run(&[&server.url("/a.bin")]).await.expect(0);
        assert!(
            err.contains("one connection and no way to resume: the server does not take ranges"),
            "{err}"
        );
        assert!(err.contains("SHA-256 as the server says"), "{err}");
        assert_eq!(
            (fetch.read("a.bin"), fetch.names().len()),
            (file.bytes.to_vec(), 1)
        );
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn without_ranges_a_cut_body_is_begun_again() {
    let file = File::new(MIB, "\"a\"");
    let served = file.clone();
    let server = Server::start(move |asked| {
        let answer = Answer::new(200, served.bytes.clone());
        if asked.number == 0 {
            answer.cut_after(700_000)
        } else {
            answer
        }
    })
    .await;
    let fetch = Fetch::new();
    fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert_eq!(fetch.read("a.bin"), file.bytes);
    assert_eq!((server.cuts(), server.sent_bytes()), (1, 700_000 + MIB));
}

#[tokio::test]
async fn without_anything_that_names_the_version_nothing_is_put_together_from_pieces() {
    let file = File::new(MIB, "\"a\"");
    let served = file.clone();
    let server = Server::start(move |asked| {
        let mut answer = served.answer(asked);
        answer.headers.remove("etag");
        answer.with("etag", "W/\"weak\"")
    })
    .await;
    let fetch = Fetch::new();
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert!(err.contains("names no version"), "{err}");
    assert_eq!(fetch.read("a.bin"), file.bytes);
    assert_eq!(
        server
            .asked()
            .iter()
            .filter(|asked| asked.range.is_some())
            .count(),
        1
    );
}

#[tokio::test]
async fn a_date_that_is_old_enough_names_the_version_too() {
    let file = File::new(5 * MIB, "Sun, 06 Nov 1994 08:49:37 GMT");
    let served = file.clone();
    let server = Server::start(move |asked| {
        let mut answer = served.answer(asked);
        answer.headers.remove("etag");
        answer.with("last-modified", served.tag)
    })
    .await;
    let fetch = Fetch::new();
    fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert_eq!(fetch.read("a.bin"), file.bytes);
    let asked = server.asked();
    assert!(
        asked.len() > 2
            && asked
                .iter()
                .skip(1)
                .all(|asked| asked.header("if-range") == Some(file.tag))
    );
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let file = File::new(0, "\"a\"");
    let server = Server::of(&file).await;
    let fetch = Fetch::new();
    fetch.run(&[&server.url("/a.bin")]).await.expect(0);
    assert_eq!(fetch.read("a.bin"), b"");
    assert_eq!(fetch.names(), ["a.bin"]);
}

#[tokio::test]
async fn a_file_that_changes_in_the_middle_is_downloaded_anew_and_never_mixed() {
    let (old, new) = (File::new(9 * MIB, "\"old\""), File::new(8 * MIB, "\"new\""));
    let same_size = File::new(9 * MIB, "\"new\"");
    // By `If-Range`; by another total; by another tag of a server that does not know `If-Range`.
    for (way, new) in [("200", new.clone()), ("total", new), ("tag", same_size)] {
        let (before, after) = (old.clone(), new.clone());
        let server = Server::start(move |asked| match asked.number {
            0 => before.answer(asked),
            // Two requests for spans leave something to ask for, and who asks next meets the new one.
            1..=2 => before.answer(asked).cut_after(2 * MIB),
            _ if way == "200" => after.answer(asked),
            _ => match asked.range {
                Some((start, end)) if start < after.bytes.len() => {
                    let mut answer = after.range(start, end);
                    if way == "total" && asked.header("if-range") == Some("\"old\"") {
                        answer.headers.remove("etag");
                    }
                    answer
                }
                _ => after.answer(asked),
            },
        })
        .await;
        let fetch = Fetch::new();
        let err = fetch.run(&[&server.url("/a.bin")]).await.expect(0);
        assert!(
            err.contains("begins anew: the file changed on the server"),
            "{way}: {err}"
        );
        assert!(
            server.sent_bytes() > new.bytes.len() + MIB,
            "{way}: it changed in the middle"
        );
        assert_eq!(fetch.read("a.bin"), new.bytes, "{way}");
        assert_eq!(fetch.names(), ["a.bin"]);
    }
}

#[tokio::test]
async fn bytes_with_another_digest_never_get_the_final_name() {
    let file = File::new(3 * MIB, "\"a\"");
    let served = file.clone();
    let server =
        Server::start(move |asked| served.answer(asked).with("repr-digest", &repr_digest(b"other"))).await;
    let fetch = Fetch::new();
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(3);
    assert!(
        err.contains(&hex(&file.bytes)) && err.contains(&hex(b"other")),
        "{err}"
    );
    assert!(err.contains("as the server says"), "{err}");
    assert_eq!(fetch.names(), ["a.bin.part"]);
    // What the caller knows goes before what the server says.
    let right = hex(&file.bytes);
    let said = fetch.run(&["--sha256", &right, &server.url("/a.bin")]).await;
    assert!(said.expect(0).contains("SHA-256 as asked for"));
    assert_eq!(
        (fetch.read("a.bin"), fetch.names().len()),
        (file.bytes.to_vec(), 1)
    );
    let wrong = ["--force", "--sha256", &hex(b"mine"), &server.url("/a.bin")];
    let err = fetch.run(&wrong).await.expect(3);
    assert!(err.contains("as the caller says"), "{err}");
    assert_eq!(fetch.read("a.bin"), file.bytes, "the old one stays");
}

#[tokio::test]
async fn other_bytes_than_those_asked_for_are_refused() {
    let file = File::new(6 * MIB, "\"a\"");
    let shift = |(start, end): (usize, usize)| format!("bytes {}-{}/{}", start + 1, end - 1, 6 * MIB);
    let longer = |(start, end): (usize, usize)| format!("bytes {start}-{end}/{}", 6 * MIB);
    let none = |_: (usize, usize)| String::new();
    let all: [fn((usize, usize)) -> String; 3] = [shift, longer, none];
    for said in all {
        let served = file.clone();
        let server = Server::start(move |asked| match asked.number {
            0 => served.answer(asked),
            _ => served
                .answer(asked)
                .with("content-range", &said(asked.range.unwrap())),
        })
        .await;
        let fetch = Fetch::new();
        let err = fetch.run(&["-c", "1", &server.url("/a.bin")]).await.expect(1);
        assert!(err.contains("does not keep to HTTP: asked for bytes"), "{err}");
        assert_eq!(server.asked().len(), 2, "the first such answer is the last");
        assert_eq!(fetch.names(), ["a.bin.part", "a.bin.part.json"]);
    }
}

#[tokio::test]
async fn a_body_that_is_compressed_all_the_same_is_refused() {
    let server = Server::start(|_| Answer::new(200, "zzz").with("content-encoding", "gzip")).await;
    let fetch = Fetch::new();
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(1);
    assert!(err.contains("gzip"), "{err}");
    assert_eq!(fetch.names(), [""; 0]);
}
