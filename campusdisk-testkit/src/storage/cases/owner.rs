//! B10, B12, B14 and B15: what a store says of itself, and whose root it is.

use std::time::Duration;

use campusdisk_core::storage::{Abilities, ask_health};
use campusdisk_core::{ErrorKind, InstallationId};
use futures::future::join_all;

use super::assert_fails;
use crate::storage::{StorageHarness, fresh_key, key, listed, pattern, put};

pub async fn b10_info_and_abilities_never_change(harness: &dyn StorageHarness) {
    let store = harness.store();
    let (before, key) = (store.info().clone(), fresh_key());
    assert!(before.part_size_bytes > 0 && before.part_size_bytes <= before.max_blob_bytes);
    let abilities = store.abilities();
    let could = which(&abilities);
    let path = abilities.local_path.map(|ability| ability.local_path(&key));
    put(&*store, &key, pattern(1, 100)).await.expect("it commits");
    for store in [harness.store(), harness.reopen().await.expect("it reopens")] {
        let (after, abilities) = (store.info(), store.abilities());
        assert_eq!(after.name, before.name);
        assert_eq!(after.part_size_bytes, before.part_size_bytes);
        assert_eq!(after.max_blob_bytes, before.max_blob_bytes);
        assert_eq!(after.remote, before.remote);
        assert_eq!(which(&abilities), could);
        assert_eq!(abilities.local_path.map(|ability| ability.local_path(&key)), path);
    }
    if let Some(path) = path {
        let file = std::fs::read(&path).expect("the path leads to the blob");
        assert!(file == pattern(1, 100), "the file is the blob");
    }
}

/// Which abilities there are.
fn which(abilities: &Abilities<'_>) -> [bool; 3] {
    [
        abilities.local_path.is_some(),
        abilities.presign.is_some(),
        abilities.health.is_some(),
    ]
}

pub async fn b12_a_store_is_claimed_once(harness: &dyn StorageHarness) {
    let (ours, theirs) = (InstallationId::from_u128(7), InstallationId::from_u128(8));
    let store = harness.store();
    store.claim(ours).await.expect("it was nobody's");
    store.claim(ours).await.expect("it is ours");
    assert_fails(
        store.claim(theirs).await,
        ErrorKind::Conflict,
        "claiming another's store",
    );
    let store = harness.reopen().await.expect("it reopens");
    assert_fails(
        store.claim(theirs).await,
        ErrorKind::Conflict,
        "claiming another's store",
    );
    store.claim(ours).await.expect("it is still ours");
    let blobs = listed(&*store, "", None).await.expect("it lists");
    assert!(blobs.is_empty(), "the claim is no blob");
    store.tidy(Duration::ZERO).await.expect("it tidies");
    assert_fails(
        store.claim(theirs).await,
        ErrorKind::Conflict,
        "claiming after tidying",
    );
}

pub async fn b12_of_claims_at_once_one_wins(harness: &dyn StorageHarness) {
    let claims = (1..=4).map(|number| {
        let store = harness.store();
        tokio::spawn(async move { store.claim(InstallationId::from_u128(number)).await })
    });
    let mut winners = Vec::new();
    for (outcome, number) in join_all(claims).await.into_iter().zip(1..) {
        match outcome.expect("it does not panic") {
            Ok(()) => winners.push(number),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    let [winner] = winners.as_slice() else {
        panic!("{} claims succeeded", winners.len());
    };
    let store = harness.reopen().await.expect("it reopens");
    store
        .claim(InstallationId::from_u128(*winner))
        .await
        .expect("it is the winner's");
}

pub async fn b14_foreign_objects_stay_untouched(harness: &dyn StorageHarness) {
    let store = harness.store();
    // The last two have a blob key's name where no blob of that key would lie.
    let paths = [
        "README.txt".to_owned(),
        "0a/notes.txt".to_owned(),
        "0a/1/notes.txt".to_owned(),
        format!("zz/z/{}", key("0a1", 1)),
        format!("backup/{}", key("0a1", 2)),
    ];
    for path in &paths {
        harness.plant(path, pattern(1, 33)).await.expect("it is planted");
    }
    store
        .claim(InstallationId::from_u128(7))
        .await
        .expect("foreign objects are no claim");
    let (stays, goes) = (key("0a1", 3), key("zzz", 3));
    for key in [stays, goes] {
        put(&*store, &key, pattern(2, 10)).await.expect("it commits");
    }
    let found = listed(&*store, "", None).await.expect("it lists");
    let found: Vec<_> = found.into_iter().map(|blob| blob.key).collect();
    assert_eq!(found, [stays, goes], "only what the store made is listed");
    store
        .delete(&[goes, key("0a1", 1), key("0a1", 2)])
        .await
        .expect("it deletes");
    store.tidy(Duration::ZERO).await.expect("it tidies");
    for path in &paths {
        let bytes = harness.planted(path).await.expect("it is looked up");
        assert_eq!(bytes, Some(pattern(1, 33)), "{path} is as it was");
    }
}

pub async fn b15_a_store_that_takes_blobs_says_so(harness: &dyn StorageHarness) {
    let store = harness.store();
    let first = ask_health(&*store).await.expect("it says how it is");
    put(&*store, &fresh_key(), pattern(1, 100))
        .await
        .expect("it commits");
    let then = ask_health(&*store).await.expect("it says how it is");
    for facts in [first, then] {
        assert!(facts.takes_bytes, "it takes blobs, but says {facts:?}");
        let (free, total) = (facts.free_bytes, facts.total_bytes);
        assert!(
            free.is_none_or(|free| free > 0 && total.is_none_or(|total| free <= total)),
            "{facts:?}"
        );
    }
    let blobs = listed(&*store, "", None).await.expect("it lists");
    assert_eq!(blobs.len(), 1, "asking made no blob");
    assert_eq!(
        harness.leftovers().await.expect("they are counted"),
        0,
        "asking left nothing"
    );
}
