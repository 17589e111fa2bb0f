//! Downloads as they are joined, and what is recorded of them.

use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::catalog::record::{DownloadOutcome, DownloadRecord};
use campusdisk_core::catalog::{Change, Record};
use campusdisk_core::{
    AccountId, CampusDisk, Desk, Download, DownloadId, DownloadsFilter, ErrorKind, NodeId, Span, Timestamp,
};
use campusdisk_testkit::faulty::Fault;
use futures::StreamExt;

use crate::fixture::{Fixture, folder, kind, pattern, policy, put, read};
use crate::shares::{fetch, from, share};

const SIZE: u64 = 1500;

/// A file of [`SIZE`] bytes, which come in pieces of 100.
async fn file(fixture: &Fixture) -> (Desk, NodeId) {
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(SIZE as usize)).await.unwrap();
    (desk, file)
}

async fn span(desk: &Desk, file: NodeId, start: u64, end: u64) -> Bytes {
    let download = desk.download(file).await.unwrap();
    open(&download, start, end).await
}

async fn open(download: &Download, start: u64, end: u64) -> Bytes {
    let body = download.open(Span::new(start, end).unwrap()).await.unwrap();
    body.collect(1 << 20).await.unwrap()
}

/// The records, latest first, once all that changed is written.
async fn records(fixture: &Fixture) -> Vec<DownloadRecord> {
    fixture.clock.advance(Duration::from_secs(1));
    fixture.disk.record_downloads().await.unwrap();
    written(&fixture.disk).await
}

async fn written(disk: &CampusDisk) -> Vec<DownloadRecord> {
    let page = disk.downloads(&DownloadsFilter::default(), None, 100).await;
    page.unwrap().items
}

/// The only record, once all that changed is written.
async fn only(fixture: &Fixture) -> DownloadRecord {
    let mut records = records(fixture).await;
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

/// What the outbox says of downloads.
async fn events(fixture: &Fixture) -> Vec<String> {
    let events = fixture.catalog.events(1000).await.unwrap();
    let kinds = events.into_iter().map(|event| event.kind);
    kinds.filter(|kind| kind.starts_with("download.")).collect()
}

fn sums(record: &DownloadRecord) -> (u64, u64, DownloadOutcome) {
    (record.requests, record.sent_bytes, record.outcome)
}

#[tokio::test]
async fn ranges_of_several_connections_at_once_are_one_download() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    let quarters = (0..4).map(|part| {
        let desk = desk.clone();
        async move {
            let download = desk.download(file).await.unwrap();
            let download = download.with_address("192.0.2.7".parse().unwrap());
            open(&download, part * 375, (part + 1) * 375).await
        }
    });
    let got = futures::future::join_all(quarters).await.concat();
    assert_eq!(got, pattern(SIZE as usize));
    let record = only(&fixture).await;
    assert_eq!(sums(&record), (4, SIZE, DownloadOutcome::Completed));
    assert_eq!((record.node, record.name.as_str()), (file, "f"));
    assert_eq!(record.account.as_ref(), Some(&desk.actor().account));
    assert_eq!(
        (record.share, record.address),
        (None, Some("192.0.2.7".parse().unwrap()))
    );
    assert_eq!(events(&fixture).await, ["download.completed"]);
    // It is had again within the window: the same download still, and whole only once.
    read(&desk, file).await.unwrap();
    let again = only(&fixture).await;
    assert_eq!(
        (again.id, sums(&again)),
        (record.id, (5, 2 * SIZE, DownloadOutcome::Completed))
    );
    assert!(again.ended > record.ended);
    assert_eq!(events(&fixture).await, ["download.completed"]);
}

#[tokio::test]
async fn one_byte_short_is_not_whole_however_often_the_others_are_had() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    for _ in 0..3 {
        span(&desk, file, 0, SIZE - 1).await;
    }
    assert_eq!(
        sums(&only(&fixture).await),
        (3, 3 * (SIZE - 1), DownloadOutcome::Aborted)
    );
    assert_eq!(events(&fixture).await, [""; 0]);
    span(&desk, file, SIZE - 1, SIZE).await;
    assert_eq!(only(&fixture).await.outcome, DownloadOutcome::Completed);
    assert_eq!(events(&fixture).await, ["download.completed"]);
}

#[tokio::test]
async fn a_download_that_is_cut_is_aborted_and_goes_on_when_its_client_comes_again() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    let download = desk.download(file).await.unwrap();
    let mut body = download.open(Span::whole(SIZE).unwrap()).await.unwrap();
    for _ in 0..3 {
        body.next().await.unwrap().unwrap();
    }
    let running = only(&fixture).await;
    // Bytes that came within the last second are told later.
    assert_eq!(sums(&running), (1, 100, DownloadOutcome::Running));
    drop(body);
    let cut = only(&fixture).await;
    assert_eq!(
        (cut.id, sums(&cut)),
        (running.id, (1, 300, DownloadOutcome::Aborted))
    );
    assert_eq!(events(&fixture).await, [""; 0]);
    span(&desk, file, 300, SIZE).await;
    let resumed = only(&fixture).await;
    assert_eq!(
        (resumed.id, sums(&resumed)),
        (running.id, (2, SIZE, DownloadOutcome::Completed))
    );
    assert_eq!(events(&fixture).await, ["download.completed"]);
}

#[tokio::test]
async fn a_request_after_the_idle_window_begins_another_download() {
    let fixture = Fixture::new().await;
    let idle = fixture.disk.policy().download_idle;
    let (desk, file) = file(&fixture).await;
    span(&desk, file, 0, 100).await;
    fixture.clock.advance(idle - Duration::from_millis(1));
    span(&desk, file, 100, 200).await;
    assert_eq!(sums(&only(&fixture).await), (2, 200, DownloadOutcome::Aborted));
    assert_eq!(events(&fixture).await, [""; 0]);
    fixture.clock.advance(idle);
    span(&desk, file, 200, SIZE).await;
    let both = records(&fixture).await;
    assert_eq!(
        both.iter().map(sums).collect::<Vec<_>>(),
        [
            (1, SIZE - 200, DownloadOutcome::Aborted),
            (2, 200, DownloadOutcome::Aborted),
        ]
    );
    assert_eq!(events(&fixture).await, ["download.aborted"]);
    // Nobody comes again, and it ends by itself.
    fixture.clock.advance(idle);
    assert_eq!(records(&fixture).await.len(), 2);
    records(&fixture).await;
    assert_eq!(events(&fixture).await, ["download.aborted", "download.aborted"]);
    let outbox = fixture.catalog.events(1000).await.unwrap();
    let ids: Vec<_> = outbox
        .iter()
        .map(|event| DownloadId::from_u128(event.id.as_u128()))
        .collect();
    assert!(both.iter().all(|record| ids.contains(&record.id)));
}

#[tokio::test]
async fn other_people_other_contents_and_visitors_make_other_downloads() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    read(&desk, file).await.unwrap();
    let made = share(&desk, file, |_| {}).await;
    for address in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
        let visit = fixture.disk.visit(&made.token, from(address)).await.unwrap();
        fetch(&visit, None, 0, SIZE).await.unwrap();
    }
    let root = desk.home().await.unwrap().root;
    put(&desk, root, "g", &pattern(5)).await.unwrap();
    let mut putting = desk.put_content(file, Default::default()).await.unwrap();
    putting.write(pattern(7)).await.unwrap();
    putting.finish().await.unwrap();
    fixture.clock.advance(Duration::from_millis(1));
    read(&desk, file).await.unwrap();
    let mut records = records(&fixture).await;
    records.sort_by_key(|record| (record.address, record.sent_bytes));
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let address = record.address.map(|address| address.to_string());
            (
                address,
                record.account.is_some(),
                record.share,
                record.requests,
                record.sent_bytes,
            )
        })
        .collect();
    let address = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            (None, true, None, 1, 7),
            (None, true, None, 1, SIZE),
            (address("10.0.0.1"), false, Some(made.id), 2, 2 * SIZE),
            (address("10.0.0.2"), false, Some(made.id), 1, SIZE),
        ]
    );
    // Everybody sees their own.
    assert_eq!(desk.downloads(None, 10).await.unwrap().items.len(), 2);
    assert!(
        fixture
            .desk("bob")
            .downloads(None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let newest = desk.downloads(None, 1).await.unwrap();
    let next = desk.downloads(newest.next, 1).await.unwrap();
    assert_eq!((newest.items[0].sent_bytes, next.items[0].sent_bytes), (7, SIZE));
    assert_eq!(next.next, None);
}

#[tokio::test]
async fn what_nobody_takes_a_byte_of_is_no_download_and_parts_of_one_request_are_one_request() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    let download = desk.download(file).await.unwrap();
    drop(download.open(Span::whole(SIZE).unwrap()).await.unwrap());
    assert!(records(&fixture).await.is_empty());
    open(&download, 0, 100).await;
    open(&download.clone(), 1000, 1100).await;
    assert_eq!(sums(&only(&fixture).await), (1, 200, DownloadOutcome::Aborted));
}

#[tokio::test]
async fn folders_and_empty_files_are_downloaded_too() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    put(&desk, a, "f", &pattern(1500)).await.unwrap();
    let archive = desk.archive(a).await.unwrap();
    let half = archive.size_bytes() / 2;
    for part in [Span::new(half, archive.size_bytes()), Span::new(0, half)] {
        let archive = desk.archive(a).await.unwrap();
        archive
            .open(part.unwrap())
            .await
            .unwrap()
            .collect(1 << 20)
            .await
            .unwrap();
    }
    let record = only(&fixture).await;
    assert_eq!(
        sums(&record),
        (2, archive.size_bytes(), DownloadOutcome::Completed)
    );
    assert_eq!((record.node, record.name.as_str()), (a, "a.zip"));
    let empty = put(&desk, root, "empty", &Bytes::new()).await.unwrap();
    let body = desk.download(empty).await.unwrap().open_whole().await.unwrap();
    assert_eq!(body.collect(1).await.unwrap(), "");
    let latest = &records(&fixture).await[0];
    assert_eq!(
        (latest.node, sums(latest)),
        (empty, (1, 0, DownloadOutcome::Completed))
    );
}

#[tokio::test]
async fn past_the_limit_of_tracked_downloads_the_longest_unused_ends() {
    let mut policy = policy();
    policy.tracked_downloads = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let mut files = Vec::new();
    for text in ["a", "b", "c"] {
        files.push(put(&desk, root, text, &pattern(1500)).await.unwrap());
        fixture.clock.advance(Duration::from_millis(1));
    }
    for file in [0, 1, 0, 2, 0, 1].map(|index| files[index]) {
        span(&desk, file, 0, 100).await;
        fixture.clock.advance(Duration::from_millis(1));
    }
    // "b" had to go for "c", and "c" for "b".
    let records = records(&fixture).await;
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.name.as_str(), record.requests))
        .collect();
    assert_eq!(told, [("b", 1), ("c", 1), ("b", 1), ("a", 3)]);
    assert_eq!(events(&fixture).await, ["download.aborted", "download.aborted"]);
}

#[tokio::test]
async fn when_more_records_wait_than_may_the_oldest_is_lost_and_downloads_go_on() {
    let mut policy = policy();
    policy.queued_records = 3;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let mut files = Vec::new();
    for text in ["a", "b", "c", "d", "e"] {
        files.push(put(&desk, root, text, &pattern(50)).await.unwrap());
    }
    for file in &files {
        assert_eq!(read(&desk, *file).await.unwrap(), pattern(50));
        fixture.clock.advance(Duration::from_millis(1));
    }
    let names =
        |records: Vec<DownloadRecord>| records.into_iter().map(|record| record.name).collect::<Vec<_>>();
    assert_eq!(names(records(&fixture).await), ["e", "d", "c"]);
    // What is had again is recorded all the same.
    read(&desk, files[0]).await.unwrap();
    assert_eq!(names(records(&fixture).await), ["e", "d", "c", "a"]);
}

#[tokio::test]
async fn a_download_does_not_wait_for_its_record() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    read(&desk, file).await.unwrap();
    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Put(Record::Download(_))));
    let disk = fixture.disk.clone();
    let recording = tokio::spawn(async move { disk.record_downloads().await });
    gate.arrived().await;
    assert_eq!(read(&desk, file).await.unwrap(), pattern(SIZE as usize));
    gate.open();
    assert_eq!(recording.await.unwrap().unwrap(), 1);
    assert_eq!(only(&fixture).await.requests, 2);
}

#[tokio::test]
async fn a_record_whose_answer_is_lost_is_written_once() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    let faults = [
        Fault::After(ErrorKind::Unavailable),
        Fault::Before(ErrorKind::Unavailable),
    ];
    for (number, fault) in (1..).zip(faults) {
        read(&desk, file).await.unwrap();
        fixture.clock.advance(Duration::from_secs(1));
        fixture.faults.fail_next_of("commit set", 4, fault);
        assert_eq!(
            kind(fixture.disk.record_downloads().await),
            ErrorKind::Unavailable
        );
        assert_eq!(fixture.faults.fired(), vec!["commit set"; 4 * number]);
        fixture.faults.disarm();
        assert_eq!(fixture.disk.record_downloads().await.unwrap(), 1);
    }
    let record = only(&fixture).await;
    assert_eq!(sums(&record), (2, 2 * SIZE, DownloadOutcome::Completed));
    assert_eq!(events(&fixture).await, ["download.completed"]);
}

#[tokio::test]
async fn a_stop_records_what_is_done_and_what_is_cut() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    let root = desk.home().await.unwrap().root;
    let small = put(&desk, root, "small", &pattern(50)).await.unwrap();
    read(&desk, small).await.unwrap();
    let download = desk.download(file).await.unwrap();
    let mut body = download.open(Span::whole(SIZE).unwrap()).await.unwrap();
    body.next().await.unwrap().unwrap();
    assert!(fixture.disk.shutdown(Duration::from_secs(5)).await);
    let mut outcomes: Vec<_> = written(&fixture.disk).await.iter().map(sums).collect();
    outcomes.sort_by_key(|(_, bytes, _)| *bytes);
    assert_eq!(
        outcomes,
        [
            (1, 50, DownloadOutcome::Completed),
            (1, 100, DownloadOutcome::Aborted),
        ]
    );
    let mut events = events(&fixture).await;
    events.sort();
    assert_eq!(events, ["download.aborted", "download.completed"]);
    drop(body);
}

#[tokio::test]
async fn a_killed_process_loses_only_what_was_not_written() {
    let fixture = Fixture::new().await;
    let (desk, file) = file(&fixture).await;
    let root = desk.home().await.unwrap().root;
    let small = put(&desk, root, "small", &pattern(50)).await.unwrap();
    let killed = fixture.instance().await;
    let there = killed.drive(desk.actor().clone());
    let download = there.download(file).await.unwrap();
    let mut body = download.open(Span::whole(SIZE).unwrap()).await.unwrap();
    body.next().await.unwrap().unwrap();
    killed.record_downloads().await.unwrap();
    read(&there, small).await.unwrap();
    // From here on nothing of it is written any more.
    drop(body);
    let left = written(&fixture.disk).await;
    assert_eq!(
        left.iter().map(sums).collect::<Vec<_>>(),
        [(1, 100, DownloadOutcome::Running)]
    );
    // Its client goes on elsewhere, which is another download there.
    span(&desk, file, 100, SIZE).await;
    assert_eq!(records(&fixture).await.len(), 2);
    fixture.clock.advance(fixture.disk.policy().download_idle);
    let outcomes: Vec<_> = written(&fixture.disk)
        .await
        .iter()
        .map(|record| record.outcome)
        .collect();
    assert_eq!(outcomes, [DownloadOutcome::Aborted; 2]);
}

#[tokio::test]
async fn records_are_told_apart_and_deleted_when_their_time_is_over() {
    let mut policy = policy();
    policy.batch_rows = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let mut began = Vec::<Timestamp>::new();
    for index in 0..5 {
        let file = put(&desk, root, &format!("{index}"), &pattern(50)).await.unwrap();
        began.push(fixture.disk.now());
        read(&desk, file).await.unwrap();
        fixture.clock.advance(Duration::from_secs(60));
    }
    let all = records(&fixture).await;
    assert_eq!(
        all.iter().rev().map(|record| record.started).collect::<Vec<_>>(),
        began
    );
    let mut filter = DownloadsFilter::default();
    (filter.from, filter.to) = (Some(began[1]), Some(began[4]));
    let page = fixture.disk.downloads(&filter, None, 2).await.unwrap();
    assert_eq!(page.items, all[1..3]);
    let page = fixture.disk.downloads(&filter, page.next, 2).await.unwrap();
    assert_eq!((page.items.as_slice(), page.next), (&all[3..4], None));
    filter.node = Some(all[2].node);
    assert_eq!(
        fixture.disk.downloads(&filter, None, 9).await.unwrap().items,
        all[2..3]
    );
    filter.account = Some(AccountId::parse("bob").unwrap());
    assert!(
        fixture
            .disk
            .downloads(&filter, None, 9)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let rest = fixture.disk.policy().records_rest;
    fixture.clock.advance(rest - Duration::from_secs(60));
    assert_eq!(fixture.disk.sweep().await.unwrap().records, 5);
    assert!(written(&fixture.disk).await.is_empty());
}
