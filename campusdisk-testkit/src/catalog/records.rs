//! Records of downloads: M1, and what C1 says of many at once.

use std::sync::Arc;

use campusdisk_core::catalog::record::{DownloadOutcome, DownloadRecord};
use campusdisk_core::catalog::{Bulk, BulkOutcome, Catalog, Change, DownloadsQuery, Expect, RecordKey};
use campusdisk_core::{DownloadId, ErrorKind, NodeId};

use super::desk::{Desk, account};

/// Committed records of as many downloads, oldest first.
async fn downloads(desk: &Desk, count: usize) -> Vec<DownloadRecord> {
    let records: Vec<_> = (0..count).map(|_| desk.download(NodeId::from_u128(7))).collect();
    desk.apply(records.iter().cloned().map(Change::from).collect())
        .await;
    records
}

async fn read(desk: &Desk, query: &DownloadsQuery) -> Vec<DownloadRecord> {
    desk.catalog.downloads(query).await.expect("answered")
}

async fn ids(desk: &Desk, query: &DownloadsQuery) -> Vec<DownloadId> {
    let records = read(desk, query).await;
    records.iter().map(|record| record.id).collect()
}

pub async fn m1_downloads_come_latest_first_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut expected = downloads(&desk, 11).await;
    expected.reverse();
    let (mut seen, mut query) = (Vec::new(), DownloadsQuery::latest(4));
    loop {
        let page = read(&desk, &query).await;
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        query.before = last.id;
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert!(read(&desk, &DownloadsQuery::latest(0)).await.is_empty());
}

pub async fn m1_downloads_are_told_apart_by_account_node_and_time(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut records = downloads(&desk, 6).await;
    let [mei, mei_too, lin, through_share, elsewhere, mei_elsewhere] = records.as_mut_slice() else {
        panic!("six were made");
    };
    (mei.account, mei_too.account) = (Some(account("mei")), Some(account("mei")));
    lin.account = Some(account("lin"));
    (elsewhere.node, mei_elsewhere.node) = (NodeId::from_u128(8), NodeId::from_u128(8));
    mei_elsewhere.account = Some(account("mei"));
    let latest = DownloadsQuery::latest(100);
    let of_mei = DownloadsQuery {
        account: Some(account("mei")),
        ..latest.clone()
    };
    let there = DownloadsQuery {
        node: Some(NodeId::from_u128(8)),
        ..latest.clone()
    };
    let both = DownloadsQuery {
        node: there.node,
        ..of_mei.clone()
    };
    let between = DownloadsQuery {
        from: mei_too.id,
        before: elsewhere.id,
        ..latest.clone()
    };
    let never = DownloadsQuery {
        from: elsewhere.id,
        before: mei_too.id,
        ..latest
    };
    let expected = [
        (&of_mei, vec![mei_elsewhere.id, mei_too.id, mei.id]),
        (&there, vec![mei_elsewhere.id, elsewhere.id]),
        (&both, vec![mei_elsewhere.id]),
        (&between, vec![through_share.id, lin.id, mei_too.id]),
        (&never, vec![]),
    ];
    desk.apply(records.iter().cloned().map(Change::from).collect())
        .await;
    for (query, found) in expected {
        assert_eq!(ids(&desk, query).await, found, "{query:?}");
    }
}

pub async fn c1_many_downloads_put_at_once_are_as_they_were_put_last(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    // Some are there already, one stands in the set twice, and one must not be there.
    let mut records = downloads(&desk, 40).await;
    records.extend((0..60).map(|_| desk.download(NodeId::from_u128(9))));
    for (number, record) in (1..).zip(&mut records) {
        (record.requests, record.outcome) = (number, DownloadOutcome::Aborted);
    }
    let fresh = desk.download(NodeId::from_u128(9));
    let mut changes: Vec<_> = records.iter().cloned().map(Change::from).collect();
    if let Some(first) = records.first_mut() {
        first.requests = 1000;
        changes.push(first.clone().into());
    }
    let absent = Expect::Absent(RecordKey::Download(fresh.id));
    changes.extend([absent.into(), fresh.clone().into()]);
    records.push(fresh);
    desk.apply(changes.clone()).await;
    records.reverse();
    assert_eq!(read(&desk, &DownloadsQuery::latest(1000)).await, records);
    assert_eq!(desk.refused(changes).await, ErrorKind::AlreadyExists);
    assert_eq!(read(&desk, &DownloadsQuery::latest(1000)).await, records);
}

pub async fn c1_forgetting_downloads_takes_the_oldest_first(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let records = downloads(&desk, 6).await;
    let [.., before, _] = records.as_slice() else {
        panic!("six were made");
    };
    let forget = Bulk::ForgetDownloads {
        before: before.id,
        limit: 2,
    };
    let mut left: Vec<_> = records.iter().rev().map(|record| record.id).collect();
    for (rows, done) in [(2, false), (2, true), (0, true)] {
        let forgotten = desk.put(forget.clone()).await;
        assert_eq!(forgotten.bulk, [BulkOutcome { rows, done }]);
        left.truncate(left.len() - usize::try_from(rows).expect("is small"));
        assert_eq!(ids(&desk, &DownloadsQuery::latest(100)).await, left);
    }
}
