//! Accounts, their names and their ranks; groups; the setup token.

use campusdisk_accounts::{
    About, AccountChange, AccountKey, AccountQuery, Commit, DisplayName, Group, GroupQuery, PasswordHash,
    Phone, SecretHash, Username,
};

use super::super::AccountsHarness;
use super::super::made::{
    account_id, administrator, assert_done, at, commit, group, join, new, next, record, session, stored,
    with_email,
};

/// A3: a change is of one version.
pub async fn a3_only_the_expected_version_is_replaced(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let ada = record("ada");
    assert_eq!(commit(&*store, &[next(&ada, |_| ())]).await, Commit::Stale);
    assert_done(commit(&*store, &[new(ada.clone())]).await);
    assert_eq!(commit(&*store, &[new(ada.clone())]).await, Commit::Stale);
    assert_done(commit(&*store, &[next(&ada, |record| record.account.locked = true)]).await);
    assert_eq!(commit(&*store, &[next(&ada, |_| ())]).await, Commit::Stale);
    let found = stored(&*store, "ada").await.expect("it is there");
    assert!(found.account.locked && found.version == 2);
}

/// A3: a record is kept whole.
pub async fn a3_every_field_comes_back_as_it_was_put(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut full = with_email(administrator("full"), "ada@Example.EDU");
    full.account.username = Username::parse("Ada 张").expect("it is a name");
    full.account.display_name = DisplayName::parse("Ada, Countess").expect("it is a name");
    full.account.phone = Phone::parse("+86 10 6275").expect("it is a number");
    full.account.about = About::parse("first\nsecond 🦆").expect("it is a text");
    full.account.locked = true;
    full.account.quota_bytes = Some(i64::MAX.unsigned_abs());
    full.account.created = at(17);
    full.password = PasswordHash::from_phc("$argon2id$other");
    full.must_change_password = true;
    full.version = 41;
    assert_done(commit(&*store, &[new(full.clone())]).await);
    assert_eq!(stored(&*store, "full").await, Some(full.clone()));
    let by_name = store
        .account(AccountKey::Username("ada 张"))
        .await
        .expect("it answers");
    assert_eq!(by_name, Some(full));
    assert_eq!(
        store
            .account(AccountKey::Username("Ada 张"))
            .await
            .expect("it answers"),
        None
    );
}

/// A4: one name, one address.
pub async fn a4_names_and_addresses_are_unique_by_key(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let ada = with_email(record("ada"), "ada@example.edu");
    let bob = record("bob");
    assert_done(commit(&*store, &[new(ada), new(bob.clone())]).await);
    let mut other = record("ADA");
    other.account.id = account_id("other");
    assert_eq!(
        commit(&*store, &[new(other.clone())]).await,
        Commit::UsernameTaken
    );
    let third = with_email(record("cyn"), "Ada@EXAMPLE.edu");
    assert_eq!(commit(&*store, &[new(third)]).await, Commit::EmailTaken);
    let moved = next(&bob, |record| {
        *record = with_email(record.clone(), "ADA@example.edu")
    });
    assert_eq!(commit(&*store, &[moved]).await, Commit::EmailTaken);
    let without = ["dan", "eve"].map(|name| new(record(name)));
    assert_done(commit(&*store, &without).await);
}

/// A4: what is its own is not taken.
pub async fn a4_an_account_keeps_its_own_name_and_address(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let ada = with_email(record("ada"), "ada@example.edu");
    let without = next(&ada, |record| record.account.email = None);
    let bob = with_email(record("bob"), "ada@example.edu");
    assert_done(commit(&*store, &[new(ada.clone())]).await);
    assert_done(commit(&*store, &[without, new(bob)]).await);
    let again = stored(&*store, "ada").await.expect("it is there");
    assert_done(
        commit(
            &*store,
            &[next(&again, |record| record.account.quota_bytes = Some(1))],
        )
        .await,
    );
}

/// A5: conditions on versions.
pub async fn a5_a_version_that_is_not_there_is_stale(harness: &dyn AccountsHarness) {
    let store = harness.store();
    assert_done(commit(&*store, &[new(record("ada"))]).await);
    let expect = |name, version| {
        [AccountChange::ExpectVersion {
            account: account_id(name),
            version,
        }]
    };
    assert_done(commit(&*store, &expect("ada", 1)).await);
    assert_eq!(commit(&*store, &expect("ada", 2)).await, Commit::Stale);
    assert_eq!(commit(&*store, &expect("bob", 1)).await, Commit::Stale);
}

/// A6: whoever is one, is one.
pub async fn a6_an_administrator_counts_even_when_locked(harness: &dyn AccountsHarness) {
    let store = harness.store();
    assert_done(
        commit(
            &*store,
            &[new(record("ada")), AccountChange::ExpectNoAdministrator],
        )
        .await,
    );
    assert!(!store.setup().await.expect("it answers").has_administrator);
    let mut bob = administrator("bob");
    bob.account.locked = true;
    assert_done(commit(&*store, &[new(bob)]).await);
    assert_eq!(
        commit(&*store, &[AccountChange::ExpectNoAdministrator]).await,
        Commit::AdministratorExists
    );
    assert!(store.setup().await.expect("it answers").has_administrator);
}

/// A7: somebody else can still administer.
pub async fn a7_the_last_administrator_who_can_sign_in_is_told(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let (ada, mut bob) = (administrator("ada"), administrator("bob"));
    bob.account.locked = true;
    assert_done(commit(&*store, &[new(ada), new(bob.clone()), new(record("cyn"))]).await);
    let other_than = |name| [AccountChange::ExpectOtherAdministrator(account_id(name))];
    assert_eq!(
        commit(&*store, &other_than("ada")).await,
        Commit::LastAdministrator
    );
    assert_done(commit(&*store, &other_than("bob")).await);
    assert_done(commit(&*store, &[next(&bob, |record| record.account.locked = false)]).await);
    assert_done(commit(&*store, &other_than("ada")).await);
}

/// A12: one name.
pub async fn a12_group_names_are_unique_by_key(harness: &dyn AccountsHarness) {
    let store = harness.store();
    assert_done(commit(&*store, &[AccountChange::PutGroup(group("physics"))]).await);
    assert_eq!(
        store.group(&group("physics").id).await.expect("it answers"),
        Some(group("physics"))
    );
    let mut other = group("PHYSICS");
    other.id = group("other").id;
    assert_eq!(
        commit(&*store, &[AccountChange::PutGroup(other)]).await,
        Commit::GroupNameTaken
    );
}

/// A12: the end of a group.
pub async fn a12_a_group_that_ends_takes_its_memberships_along(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let changes = [
        new(record("ada")),
        AccountChange::PutSession(session("ada", "secret", 0)),
        AccountChange::PutGroup(group("physics")),
        AccountChange::PutGroup(group("music")),
        join("physics", "ada"),
        join("music", "ada"),
        AccountChange::EndGroup(group("physics").id),
    ];
    assert_done(commit(&*store, &changes).await);
    assert_eq!(store.group(&group("physics").id).await.expect("it answers"), None);
    let found = store
        .credential(&session("ada", "secret", 0).hash)
        .await
        .expect("it answers");
    assert_eq!(found.expect("it is there").groups, [group("music").id]);
    assert_done(commit(&*store, &[AccountChange::PutGroup(group("physics"))]).await);
    let members = AccountQuery {
        member_of: Some(group("physics").id),
        limit: 9,
        ..AccountQuery::default()
    };
    assert_eq!(store.accounts(&members).await.expect("it answers"), []);
}

/// A12: both sides exist.
pub async fn a12_nobody_joins_what_is_not_there(harness: &dyn AccountsHarness) {
    let store = harness.store();
    assert_done(
        commit(
            &*store,
            &[new(record("ada")), AccountChange::PutGroup(group("physics"))],
        )
        .await,
    );
    assert_eq!(commit(&*store, &[join("music", "ada")]).await, Commit::Stale);
    assert_eq!(commit(&*store, &[join("physics", "bob")]).await, Commit::Stale);
}

/// A12: a set, not a list.
pub async fn a12_joining_and_leaving_count_once(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let made = [new(record("ada")), AccountChange::PutGroup(group("physics"))];
    assert_done(commit(&*store, &made).await);
    assert_done(commit(&*store, &[join("physics", "ada"), join("physics", "ada")]).await);
    let mine = GroupQuery {
        with_member: Some(account_id("ada")),
        limit: 9,
        ..GroupQuery::default()
    };
    assert_eq!(store.groups(&mine).await.expect("it answers"), [group("physics")]);
    let leave = AccountChange::Leave {
        group: group("physics").id,
        account: account_id("ada"),
    };
    assert_done(commit(&*store, &[leave]).await);
    assert_eq!(store.groups(&mine).await.expect("it answers"), []);
}

/// A13: the setup token.
pub async fn a13_there_is_one_setup_token(harness: &dyn AccountsHarness) {
    let store = harness.store();
    assert_eq!(store.setup().await.expect("it answers").token, None);
    for token in ["first", "second"] {
        let put = AccountChange::PutSetupToken(Some(SecretHash::of(token)));
        assert_done(commit(&*store, &[put]).await);
    }
    assert_eq!(
        store.setup().await.expect("it answers").token,
        Some(SecretHash::of("second"))
    );
    assert_done(commit(&*store, &[AccountChange::PutSetupToken(None)]).await);
    assert_eq!(store.setup().await.expect("it answers").token, None);
}

fn rename(from: &str, to: &str) -> AccountChange {
    AccountChange::RenameGroup {
        group: group(from).id,
        name: group(to).name,
    }
}

/// A12 of renaming.
pub async fn a12_a_renamed_group_keeps_its_members_and_frees_its_name(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let changes = [
        new(record("ada")),
        AccountChange::PutGroup(group("physics")),
        join("physics", "ada"),
        rename("physics", "Optics"),
    ];
    assert_done(commit(&*store, &changes).await);
    let renamed = Group {
        name: group("Optics").name,
        ..group("physics")
    };
    let query = GroupQuery {
        with_member: Some(account_id("ada")),
        limit: 10,
        ..GroupQuery::default()
    };
    assert_eq!(store.groups(&query).await.expect("it answers"), [renamed]);
    let again = Group {
        id: group("another").id,
        ..group("physics")
    };
    assert_done(commit(&*store, &[AccountChange::PutGroup(again)]).await);
    // Its own name in other letters is no other group's.
    assert_done(commit(&*store, &[rename("physics", "OPTICS")]).await);
}

/// A12 of renaming what is not there, and to what is taken.
pub async fn a12_nothing_is_renamed_that_is_not_there_or_to_a_taken_name(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let changes = ["physics", "music"].map(|name| AccountChange::PutGroup(group(name)));
    assert_done(commit(&*store, &changes).await);
    assert_eq!(
        commit(&*store, &[rename("physics", "MUSIC")]).await,
        Commit::GroupNameTaken
    );
    assert_eq!(commit(&*store, &[rename("law", "law")]).await, Commit::Stale);
    let found = store.group(&group("physics").id).await.expect("it answers");
    assert_eq!(found, Some(group("physics")));
}
