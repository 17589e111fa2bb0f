//! The life of blobs: C9, and what the sweep reads.

use std::sync::Arc;

use campusdisk_core::ErrorKind;
use campusdisk_core::catalog::record::{Blob, BlobState};
use campusdisk_core::catalog::{BlobStep, Catalog, Change, Expect, RecordKey, SweepQuery};
use campusdisk_core::storage::BlobKey;

use super::desk::{Desk, at, store};

fn step(blob: &Blob, step: BlobStep) -> Vec<Change> {
    vec![Change::Blob(blob.store.clone(), blob.key, step)]
}

async fn state(desk: &Desk, blob: &Blob) -> (BlobState, u64) {
    let row = desk.read_blob(blob).await.expect("the row is there");
    (row.state, row.refs)
}

/// The blob as its row is after being condemned.
fn condemned(mut blob: Blob, since: i64) -> Blob {
    (blob.state, blob.condemned) = (BlobState::Condemned, Some(at(since)));
    blob
}

pub async fn c9_attaching_makes_a_leased_blob_live(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let blob = desk.blob();
    desk.put(blob.clone()).await;
    desk.apply(step(&blob, BlobStep::Attach(2))).await;
    assert_eq!(state(&desk, &blob).await, (BlobState::Live, 2));
    desk.apply(step(&blob, BlobStep::Attach(3))).await;
    assert_eq!(state(&desk, &blob).await, (BlobState::Live, 5));
}

pub async fn c9_a_blob_put_and_attached_in_one_set_is_live(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let blob = desk.blob();
    let put = |blob: &Blob, then: Vec<Change>| [vec![blob.clone().into()], then].concat();
    desk.apply(put(&blob, step(&blob, BlobStep::Attach(2)))).await;
    let live = Blob {
        state: BlobState::Live,
        refs: 2,
        ..blob.clone()
    };
    assert_eq!(desk.read_blob(&blob).await, Some(live.clone()));
    // Put again, it keeps what is counted, and other facts are replaced.
    let again = Blob {
        owner: "hall-2".to_owned(),
        refs: 9,
        ..blob.clone()
    };
    let other = desk.blob();
    let steps = [
        put(&again, vec![other.clone().into()]),
        step(&other, BlobStep::Attach(1)),
        step(&again, BlobStep::Attach(3)),
        step(&again, BlobStep::Detach(1)),
    ];
    desk.apply(steps.concat()).await;
    let twice = Blob {
        owner: "hall-2".to_owned(),
        refs: 4,
        ..live
    };
    assert_eq!(desk.read_blob(&blob).await, Some(twice));
    assert_eq!(state(&desk, &other).await, (BlobState::Live, 1));
}

pub async fn c9_what_a_set_does_between_putting_and_attaching_a_blob_counts(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let blob = desk.blob();
    let row: Change = blob.clone().into();
    let attach = || step(&blob, BlobStep::Attach(1)).remove(0);
    let detach = || step(&blob, BlobStep::Detach(1)).remove(0);
    let key = RecordKey::Blob(blob.store.clone(), blob.key);
    let refused = [
        (vec![row.clone(), detach(), attach()], ErrorKind::Conflict),
        (
            vec![row.clone(), Change::Delete(key.clone()), attach()],
            ErrorKind::Conflict,
        ),
        (
            vec![row.clone(), Expect::Absent(key).into(), attach()],
            ErrorKind::AlreadyExists,
        ),
        (
            vec![condemned(blob.clone(), 0).into(), attach()],
            ErrorKind::Conflict,
        ),
        (
            vec![row.clone(), condemned(blob.clone(), 0).into(), attach()],
            ErrorKind::Conflict,
        ),
    ];
    for (changes, kind) in refused {
        assert_eq!(desk.refused(changes).await, kind);
        assert_eq!(desk.read_blob(&blob).await, None);
    }
    desk.apply(vec![row.clone(), attach(), row, attach()]).await;
    assert_eq!(state(&desk, &blob).await, (BlobState::Live, 2));
}

pub async fn c9_attaching_what_is_condemned_or_gone_is_a_conflict(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (blob, gone) = (condemned(desk.blob(), 0), desk.blob());
    desk.put(blob.clone()).await;
    for blob in [&blob, &gone] {
        let kind = desk.refused(step(blob, BlobStep::Attach(1))).await;
        assert_eq!(kind, ErrorKind::Conflict);
    }
    assert_eq!(state(&desk, &blob).await, (BlobState::Condemned, 0));
}

pub async fn c9_detaching_leaves_a_blob_live_and_stops_at_zero(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (blob, gone) = (desk.blob(), desk.blob());
    desk.put(blob.clone()).await;
    desk.apply(step(&blob, BlobStep::Attach(3))).await;
    desk.apply(step(&blob, BlobStep::Detach(2))).await;
    let kind = desk.refused(step(&blob, BlobStep::Detach(2))).await;
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(state(&desk, &blob).await, (BlobState::Live, 1));
    desk.apply(step(&blob, BlobStep::Detach(1))).await;
    assert_eq!(state(&desk, &blob).await, (BlobState::Live, 0));
    let kind = desk.refused(step(&gone, BlobStep::Detach(1))).await;
    assert_eq!(kind, ErrorKind::Conflict);
}

pub async fn c9_a_lease_protects_until_it_is_over(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut blob = desk.blob();
    blob.until = at(1000);
    desk.put(blob.clone()).await;
    let kind = desk
        .refused(step(&blob, BlobStep::Condemn { now: at(999) }))
        .await;
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(state(&desk, &blob).await, (BlobState::Leased, 0));
    desk.apply(step(&blob, BlobStep::Condemn { now: at(1000) })).await;
    assert_eq!(desk.read_blob(&blob).await, Some(condemned(blob, 1000)));
}

pub async fn c9_condemning_needs_a_blob_without_references(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let (blob, gone) = (desk.blob(), desk.blob());
    let condemn = BlobStep::Condemn { now: at(100_000) };
    desk.put(blob.clone()).await;
    desk.apply(step(&blob, BlobStep::Attach(1))).await;
    assert_eq!(desk.refused(step(&blob, condemn)).await, ErrorKind::Conflict);
    assert_eq!(state(&desk, &blob).await, (BlobState::Live, 1));
    desk.apply(step(&blob, BlobStep::Detach(1))).await;
    // A live one is not protected by what is left of its lease.
    desk.apply(step(&blob, BlobStep::Condemn { now: at(5) })).await;
    assert_eq!(state(&desk, &blob).await, (BlobState::Condemned, 0));
    for blob in [&blob, &gone] {
        assert_eq!(desk.refused(step(blob, condemn)).await, ErrorKind::Conflict);
    }
}

pub async fn c9_of_sweep_and_writer_one_wins(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    for _ in 0..15 {
        let blob = desk.blob();
        desk.put(blob.clone()).await;
        let sets = vec![
            desk.set(step(&blob, BlobStep::Condemn { now: at(100_000) })),
            desk.set(step(&blob, BlobStep::Attach(1))),
        ];
        let answers = desk.race(sets).await;
        let outcome = match answers.iter().position(Result::is_ok) {
            Some(0) => (BlobState::Condemned, 0),
            _ => (BlobState::Live, 1),
        };
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(state(&desk, &blob).await, outcome);
    }
}

pub async fn c8_putting_a_blob_leaves_its_references(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut blob = desk.blob();
    desk.put(blob.clone()).await;
    desk.apply(step(&blob, BlobStep::Attach(4))).await;
    (blob.state, blob.until, blob.refs) = (BlobState::Live, at(9), 1);
    desk.put(blob.clone()).await;
    blob.refs = 4;
    assert_eq!(desk.read_blob(&blob).await, Some(blob));
}

pub async fn m1_the_sweep_reads_what_is_due(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut over = desk.blob();
    over.until = at(10);
    let mut held = desk.blob();
    held.until = at(11);
    let mut unreferenced = desk.blob();
    (unreferenced.state, unreferenced.until) = (BlobState::Live, at(0));
    let mut referenced = unreferenced.clone();
    (referenced.key, referenced.refs) = (BlobKey::generate(&desk), 1);
    let (old, young) = (condemned(desk.blob(), 9), condemned(desk.blob(), 10));
    let all = [&over, &held, &unreferenced, &referenced, &old, &young];
    desk.apply(all.map(|blob| blob.clone().into()).to_vec()).await;

    for (query, due) in [
        (SweepQuery::LeaseOver(at(10), 10), &over),
        (SweepQuery::Unreferenced(10), &unreferenced),
        (SweepQuery::CondemnedBefore(at(10), 10), &old),
    ] {
        let rows = desk.catalog.blobs(&query).await.expect("answered");
        assert_eq!(rows.as_slice(), std::slice::from_ref(due), "{query:?}");
    }
    for query in [
        SweepQuery::LeaseOver(at(100), 1),
        SweepQuery::CondemnedBefore(at(100), 1),
    ] {
        assert_eq!(desk.catalog.blobs(&query).await.expect("answered").len(), 1);
    }
    desk.apply(vec![Change::Delete(RecordKey::Blob(old.store.clone(), old.key))])
        .await;
    assert_eq!(desk.read_blob(&old).await, None);
}

pub async fn m1_blobs_of_a_store_come_page_by_page(catalog: Arc<dyn Catalog>) {
    let desk = Desk::new(catalog);
    let mut blobs: Vec<_> = (0..23).map(|_| desk.blob()).collect();
    let mut elsewhere = desk.blob();
    elsewhere.store = store("archive");
    desk.apply(blobs.iter().cloned().map(Into::into).collect()).await;
    desk.put(elsewhere).await;
    blobs.sort_by_key(|blob| blob.key);

    let (mut seen, mut after): (Vec<Blob>, Option<BlobKey>) = (Vec::new(), None);
    loop {
        let page = desk
            .catalog
            .blobs_of(&store("primary"), after.as_ref(), 5)
            .await
            .expect("answered");
        assert!(page.len() <= 5);
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        seen.extend(page);
    }
    assert_eq!(seen, blobs);
}
