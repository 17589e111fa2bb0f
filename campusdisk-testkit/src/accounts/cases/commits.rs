//! What a commit promises as a whole.

use std::sync::Arc;

use campusdisk_accounts::{AccountChange, AccountStore, Commit};
use futures::future::join_all;

use super::super::AccountsHarness;
use super::super::made::{
    account_id, administrator, assert_done, commit, new, next, record, session, stored,
};

/// A1: all or none.
pub async fn a1_a_refused_commit_changes_nothing(harness: &dyn AccountsHarness) {
    let store = harness.store();
    assert_done(commit(&*store, &[new(record("ada"))]).await);
    let changes = [
        new(record("bob")),
        AccountChange::PutSession(session("bob", "secret", 0)),
        AccountChange::ExpectVersion {
            account: account_id("ada"),
            version: 7,
        },
    ];
    assert_eq!(commit(&*store, &changes).await, Commit::Stale);
    assert_eq!(stored(&*store, "bob").await, None);
    let hash = session("bob", "secret", 0).hash;
    assert_eq!(store.credential(&hash).await.expect("it answers"), None);
}

/// A1: durable when answered.
pub async fn a1_what_is_done_survives_reopening(harness: &dyn AccountsHarness) {
    let changes = [
        new(record("ada")),
        AccountChange::PutSession(session("ada", "secret", 0)),
    ];
    assert_done(commit(&*harness.store(), &changes).await);
    let reopened = harness.reopen().await.expect("it opens");
    assert_eq!(stored(&*reopened, "ada").await, Some(record("ada")));
    let hash = session("ada", "secret", 0).hash;
    assert!(reopened.credential(&hash).await.expect("it answers").is_some());
}

/// A1: in order.
pub async fn a1_a_change_sees_those_before_it(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let ada = administrator("ada");
    let changes = [
        AccountChange::ExpectNoAdministrator,
        new(ada.clone()),
        AccountChange::ExpectVersion {
            account: account_id("ada"),
            version: 1,
        },
        next(&ada, |record| record.must_change_password = true),
    ];
    assert_done(commit(&*store, &changes).await);
    let later = [new(record("bob")), AccountChange::ExpectNoAdministrator];
    assert_eq!(commit(&*store, &later).await, Commit::AdministratorExists);
    assert_eq!(stored(&*store, "ada").await.map(|record| record.version), Some(2));
}

async fn race(store: Arc<dyn AccountStore>, sets: Vec<Vec<AccountChange>>) -> Vec<Commit> {
    let tasks = sets.into_iter().map(|changes| {
        let store = store.clone();
        tokio::spawn(async move { commit(&*store, &changes).await })
    });
    join_all(tasks)
        .await
        .into_iter()
        .map(|joined| joined.expect("it ends"))
        .collect()
}

fn count(outcomes: &[Commit], wanted: Commit) -> usize {
    outcomes.iter().filter(|outcome| **outcome == wanted).count()
}

/// A2 with A4.
pub async fn a2_of_racing_new_names_one_is_done(harness: &dyn AccountsHarness) {
    let sets = (0..12).map(|number| {
        let mut racer = record("ada");
        racer.account.id = account_id(&format!("racer-{number}"));
        vec![new(racer)]
    });
    let outcomes = race(harness.store(), sets.collect()).await;
    assert_eq!(
        (
            count(&outcomes, Commit::Done),
            count(&outcomes, Commit::UsernameTaken)
        ),
        (1, 11)
    );
}

/// A2 with A6.
pub async fn a2_of_racing_first_administrators_one_is_done(harness: &dyn AccountsHarness) {
    let sets = (0..12).map(|number| {
        vec![
            AccountChange::ExpectNoAdministrator,
            new(administrator(&format!("racer-{number}"))),
        ]
    });
    let outcomes = race(harness.store(), sets.collect()).await;
    assert_eq!(
        (
            count(&outcomes, Commit::Done),
            count(&outcomes, Commit::AdministratorExists)
        ),
        (1, 11)
    );
}

/// A2 with A7.
pub async fn a2_two_administrators_who_demote_one_another_leave_one(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let (ada, bob) = (administrator("ada"), administrator("bob"));
    assert_done(commit(&*store, &[new(ada.clone()), new(bob.clone())]).await);
    let demotion = |before: &campusdisk_accounts::AccountRecord| {
        let id = before.account.id.clone();
        vec![
            AccountChange::ExpectOtherAdministrator(id),
            next(before, |record| record.account.admin = false),
        ]
    };
    let outcomes = race(store, vec![demotion(&ada), demotion(&bob)]).await;
    assert_eq!(
        (
            count(&outcomes, Commit::Done),
            count(&outcomes, Commit::LastAdministrator)
        ),
        (1, 1)
    );
}

/// A2 with A3.
pub async fn a2_of_racing_changes_of_one_version_one_is_done(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let ada = record("ada");
    assert_done(commit(&*store, &[new(ada.clone())]).await);
    let sets = (0..12).map(|number| vec![next(&ada, |record| record.account.quota_bytes = Some(number))]);
    let outcomes = race(store.clone(), sets.collect()).await;
    assert_eq!(
        (count(&outcomes, Commit::Done), count(&outcomes, Commit::Stale)),
        (1, 11)
    );
    assert_eq!(stored(&*store, "ada").await.map(|record| record.version), Some(2));
}
