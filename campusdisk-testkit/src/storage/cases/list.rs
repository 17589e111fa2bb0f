//! B7: listing.

use std::collections::BTreeSet;

use campusdisk_core::storage::{BlobKey, BlobStore};
use futures::{StreamExt, TryStreamExt, stream};

use crate::storage::{StorageHarness, fresh_key, key, listed, pattern, put};

/// Commits a blob under each key; its length is its place in `keys`.
async fn fill(harness: &dyn StorageHarness, keys: &[BlobKey]) {
    let store = harness.store();
    let store = &store;
    stream::iter(keys.iter().enumerate().map(Ok))
        .try_for_each_concurrent(harness.limits().calls_at_once, |(place, key)| async move {
            put(&**store, key, pattern(place as u64, place)).await.map(drop)
        })
        .await
        .expect("they commit");
}

async fn keys_of(store: &dyn BlobStore, prefix: &str, after: Option<&BlobKey>) -> Vec<BlobKey> {
    let found = listed(store, prefix, after).await.expect("it lists");
    found.into_iter().map(|blob| blob.key).collect()
}

fn sorted(keys: impl IntoIterator<Item = BlobKey>) -> Vec<BlobKey> {
    let keys: BTreeSet<_> = keys.into_iter().collect();
    keys.into_iter().collect()
}

/// Keys that share folders and first letters in every way.
fn neighbours() -> Vec<BlobKey> {
    ["000", "0a", "0a1", "0a1x", "0b", "1", "a", "aa", "zz", "zzz"]
        .iter()
        .flat_map(|prefix| [key(prefix, 0), key(prefix, 1)])
        .collect()
}

pub async fn b7_an_empty_root_lists_nothing(harness: &dyn StorageHarness) {
    let store = harness.store();
    assert!(keys_of(&*store, "", None).await.is_empty());
    assert!(keys_of(&*store, "0a", Some(&fresh_key())).await.is_empty());
}

pub async fn b7_list_yields_every_blob_once_in_ascending_order(harness: &dyn StorageHarness) {
    let keys = neighbours();
    fill(harness, &keys).await;
    let found = listed(&*harness.store(), "", None).await.expect("it lists");
    let found_keys: Vec<_> = found.iter().map(|blob| blob.key).collect();
    assert_eq!(found_keys, sorted(keys.clone()));
    for blob in found {
        let place = keys.iter().position(|key| *key == blob.key);
        assert_eq!(
            Some(blob.len_bytes as usize),
            place,
            "{} has its length",
            blob.key
        );
    }
}

pub async fn b7_list_keeps_to_its_prefix(harness: &dyn StorageHarness) {
    let keys = neighbours();
    fill(harness, &keys).await;
    let store = harness.store();
    let whole = keys[0].to_string();
    for prefix in [
        "", "0", "0a", "0a1", "0a1x", "zz", "zzz", "zzz0000", "q", "0q", "0aq", "0A", "/", &whole,
    ] {
        let wanted = keys.iter().filter(|key| key.as_str().starts_with(prefix));
        assert_eq!(
            keys_of(&*store, prefix, None).await,
            sorted(wanted.copied()),
            "prefix {prefix:?}"
        );
    }
    let too_long = format!("{whole}0");
    assert!(keys_of(&*store, &too_long, None).await.is_empty());
}

pub async fn b7_list_starts_after_the_given_key(harness: &dyn StorageHarness) {
    let keys = neighbours();
    fill(harness, &keys).await;
    let store = harness.store();
    let between = ["000", "05", "0a", "0a1", "0a2", "9", "zz", "zzz"].map(|prefix| key(prefix, 5));
    for after in keys.iter().chain(&between) {
        let wanted = keys.iter().filter(|key| *key > after);
        assert_eq!(
            keys_of(&*store, "", Some(after)).await,
            sorted(wanted.copied()),
            "after {after}"
        );
    }
}

pub async fn b7_prefix_and_after_hold_together(harness: &dyn StorageHarness) {
    let keys = neighbours();
    fill(harness, &keys).await;
    let store = harness.store();
    for prefix in ["0", "0a", "0a1", "zz"] {
        for after in [
            key("000", 0),
            key("0a", 0),
            key("0a1", 0),
            key("0b", 1),
            key("zzz", 0),
        ] {
            let wanted = keys
                .iter()
                .filter(|key| key.as_str().starts_with(prefix) && **key > after);
            assert_eq!(
                keys_of(&*store, prefix, Some(&after)).await,
                sorted(wanted.copied()),
                "prefix {prefix:?} after {after}"
            );
        }
    }
}

pub async fn b7_a_listing_goes_on_past_its_first_page(harness: &dyn StorageHarness) {
    let count = harness.limits().many_blobs;
    // Half lie spread over the folders as in real life, half in one folder.
    let spread = (0..count / 2).map(|_| fresh_key());
    let keys: Vec<_> = spread
        .chain((count / 2..count).map(|number| key("0a1", number as u64)))
        .collect();
    let store = harness.store();
    let one = &store;
    stream::iter(keys.iter().map(Ok))
        .try_for_each_concurrent(harness.limits().calls_at_once, |key| async move {
            put(&**one, key, pattern(1, 1)).await.map(drop)
        })
        .await
        .expect("they commit");
    let sorted = sorted(keys);
    assert_eq!(sorted.len(), count);
    assert!(keys_of(&*store, "", None).await == sorted, "all in order");
    let middle = sorted[count / 2];
    assert!(
        keys_of(&*store, "", Some(&middle)).await == sorted[count / 2 + 1..],
        "all after one in the middle"
    );
}

pub async fn b7_a_listing_survives_changes_beside_it(harness: &dyn StorageHarness) {
    let stay: Vec<_> = (0..8)
        .flat_map(|number| [key("0a1", number * 2), key("zz", number * 2)])
        .collect();
    let go: Vec<_> = (0..8).map(|number| key("0a1", number * 2 + 1)).collect();
    fill(harness, &stay).await;
    fill(harness, &go).await;
    let store = harness.store();
    let mut listing = store.list("", None);
    let mut found = vec![
        listing
            .next()
            .await
            .expect("there are blobs")
            .expect("it lists")
            .key,
    ];
    store.delete(&go).await.expect("it deletes");
    let come = key("mm", 0);
    put(&*store, &come, pattern(1, 1)).await.expect("it commits");
    while let Some(blob) = listing.next().await {
        found.push(blob.expect("a blob that goes does not break the listing").key);
    }
    assert!(
        found.is_sorted_by(|left, right| left < right),
        "once each, ascending"
    );
    for key in &stay {
        assert!(found.contains(key), "{key} was there all the time");
    }
    for key in &found {
        assert!(
            stay.contains(key) || go.contains(key) || *key == come,
            "{key} never was"
        );
    }
}
