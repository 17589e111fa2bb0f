//! B4: delete.

use super::{assert_invisible, assert_whole};
use crate::storage::{StorageHarness, fresh_key, listed, pattern, put};

pub async fn b4_delete_of_a_missing_key_counts_as_deleted(harness: &dyn StorageHarness) {
    let (store, key) = (harness.store(), fresh_key());
    for _ in 0..2 {
        let report = store.delete(&[key]).await.expect("it answers");
        let [entry] = report.as_slice() else {
            panic!("one key gave {} entries", report.len());
        };
        assert_eq!(entry.key, key);
        entry.outcome.as_ref().expect("what is missing counts as deleted");
    }
    put(&*store, &key, pattern(1, 10)).await.expect("it commits");
    for _ in 0..2 {
        let report = store.delete(&[key]).await.expect("it answers");
        assert!(report.iter().all(|entry| entry.outcome.is_ok()));
    }
    assert_invisible(&*store, &key).await;
}

pub async fn b4_the_report_has_an_entry_for_each_key_in_order(harness: &dyn StorageHarness) {
    let store = harness.store();
    let mut keys: Vec<_> = (0..7).map(|_| fresh_key()).collect();
    for key in keys.iter().step_by(2) {
        put(&*store, key, pattern(1, 10)).await.expect("it commits");
    }
    keys.push(keys[0]);
    let report = store.delete(&keys).await.expect("it answers");
    let reported: Vec<_> = report.iter().map(|entry| entry.key).collect();
    assert_eq!(reported, keys);
    assert!(report.iter().all(|entry| entry.outcome.is_ok()));
    assert!(listed(&*store, "", None).await.expect("it lists").is_empty());
    let nothing = store.delete(&[]).await.expect("deleting nothing is fine");
    assert!(nothing.is_empty());
}

pub async fn b4_a_deleted_blob_is_gone_and_others_stay(harness: &dyn StorageHarness) {
    let store = harness.store();
    let (gone, stays) = (fresh_key(), fresh_key());
    let bytes = pattern(2, 3000);
    for key in [gone, stays] {
        put(&*store, &key, bytes.clone()).await.expect("it commits");
    }
    let other = harness.reopen().await.expect("it reopens");
    assert_whole(&*other, &gone, &bytes).await;
    store.delete(&[gone]).await.expect("it deletes");
    for store in [store, other, harness.reopen().await.expect("it reopens")] {
        assert_invisible(&*store, &gone).await;
        assert_whole(&*store, &stays, &bytes).await;
    }
}
