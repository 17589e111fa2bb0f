//! How many downloads run at once, and who waits.

use std::time::Duration;

use campusdisk_core::{ByteBody, CHUNK_BYTES, Desk, ErrorKind, NodeId, Policy, PutOptions, Result, Span};
use futures::StreamExt;

use crate::fixture::{Fixture, kind, name, pattern, policy};

const LONG: usize = CHUNK_BYTES as usize + 1;

async fn with(change: impl FnOnce(&mut Policy)) -> Fixture {
    let mut policy = policy();
    change(&mut policy);
    Fixture::with(policy).await
}

/// A file in the desk's own drive that is long enough to need a turn.
async fn long(desk: &Desk) -> NodeId {
    let root = desk.home().await.unwrap().root;
    let mut putting = desk.put(root, name("long"), PutOptions::default()).await.unwrap();
    putting.write(pattern(LONG)).await.unwrap();
    putting.finish().await.unwrap().node.id
}

async fn open(desk: &Desk, file: NodeId) -> Result<ByteBody> {
    let download = desk.download(file).await?;
    download.open(Span::whole(download.size_bytes()).unwrap()).await
}

#[tokio::test]
async fn more_downloads_than_run_at_once_wait_and_come_in_turn() {
    let fixture = with(|policy| policy.max_downloads = 2).await;
    let desk = fixture.desk("alice");
    let file = long(&desk).await;
    let mut running = Vec::new();
    for _ in 0..2 {
        let mut body = open(&desk, file).await.unwrap();
        body.next().await.unwrap().unwrap();
        running.push(body);
    }
    let mut third = Box::pin(open(&desk, file));
    assert!(futures::poll!(&mut third).is_pending());
    drop(running.pop());
    let bytes = third.await.unwrap().collect(4 << 20).await.unwrap();
    assert_eq!(bytes, pattern(LONG));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_too_long_or_behind_too_many_is_told_to_come_later() {
    let fixture = with(|policy| {
        policy.max_downloads = 1;
        policy.max_waiting_downloads = 1;
        policy.download_wait = Duration::from_secs(7);
    })
    .await;
    let desk = fixture.desk("alice");
    let file = long(&desk).await;
    let _running = open(&desk, file).await.unwrap();
    let mut waiting = Box::pin(open(&desk, file));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(kind(open(&desk, file).await), ErrorKind::Unavailable);
    let started = tokio::time::Instant::now();
    assert_eq!(kind(waiting.await), ErrorKind::Unavailable);
    assert_eq!(started.elapsed().as_secs(), 7);
}

#[tokio::test]
async fn what_is_sent_at_once_needs_no_turn_also_where_rates_are_limited() {
    for rate in [None, Some(16 << 20)] {
        let fixture = with(|policy| {
            policy.max_downloads = 1;
            policy.max_waiting_downloads = 0;
            policy.client_bytes_per_second = rate;
        })
        .await;
        let desk = fixture.desk("alice");
        let file = long(&desk).await;
        let _running = open(&desk, file).await.unwrap();
        let download = desk.download(file).await.unwrap();
        let body = download.open(Span::new(5, 500).unwrap()).await.unwrap();
        assert_eq!(body.collect(1000).await.unwrap(), pattern(LONG).slice(5..500));
    }
}

#[tokio::test]
async fn one_person_s_downloads_do_not_take_the_turns_of_others() {
    let fixture = with(|policy| {
        policy.max_client_downloads = Some(1);
        policy.max_waiting_downloads = 0;
    })
    .await;
    let (alice, bob) = (fixture.desk("alice"), fixture.desk("bob"));
    let (hers, his) = (long(&alice).await, long(&bob).await);
    let running = open(&alice, hers).await.unwrap();
    assert_eq!(kind(open(&alice, hers).await), ErrorKind::Unavailable);
    open(&bob, his).await.unwrap();
    drop(running);
    open(&alice, hers).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_cuts_a_download_that_is_held_to_a_rate() {
    let fixture = with(|policy| policy.client_bytes_per_second = Some(65_536)).await;
    let desk = fixture.desk("alice");
    let file = long(&desk).await;
    let mut body = open(&desk, file).await.unwrap();
    body.next().await.unwrap().unwrap();
    fixture.identity.lock(&desk.actor().account);
    fixture.disk.look_after_transfers().await;
    let started = tokio::time::Instant::now();
    while let Some(piece) = body.next().await {
        if let Err(error) = piece {
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(started.elapsed() < Duration::from_secs(1));
            return;
        }
    }
    panic!("the download went on");
}
