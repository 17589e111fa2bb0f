//! Lists and searches.

use campusdisk_accounts::{AccountChange, AccountQuery, AccountStore, Device, GroupQuery, Purpose};
use campusdisk_core::GroupId;

use super::super::AccountsHarness;
use super::super::made::{
    account_id, assert_done, commit, group, join, new, record, session, token, with_email,
};

/// In the order of their keys' bytes: neither case nor a language's rules decide.
const NAMES: [&str; 7] = ["Ada", "ada lovelace", "Bob", "eve", "z_1", "z1", "é"];

async fn names(store: &dyn AccountStore, query: &AccountQuery) -> Vec<String> {
    let found = store.accounts(query).await.expect("the store answers");
    found
        .into_iter()
        .map(|record| record.account.username.to_string())
        .collect()
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<_> = names
        .iter()
        .map(|name| record_named(name).account.username)
        .collect();
    names.sort_by_key(|name| name.key());
    names.iter().map(ToString::to_string).collect()
}

fn record_named(name: &str) -> campusdisk_accounts::AccountRecord {
    let mut record = record("placeholder");
    record.account.username = campusdisk_accounts::Username::parse(name).expect("it is a name");
    let ascii: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    record.account.id = account_id(&format!("{ascii}-{}", name.len()));
    record
}

async fn fill(store: &dyn AccountStore) {
    let mut changes: Vec<_> = NAMES.iter().rev().map(|name| new(record_named(name))).collect();
    changes.push(new(with_email(record("carol"), "x%y_z@example.edu")));
    assert_done(commit(store, &changes).await);
}

/// A11 of accounts.
pub async fn a11_accounts_are_listed_in_pages_by_key(harness: &dyn AccountsHarness) {
    let store = harness.store();
    fill(&*store).await;
    let mut all = NAMES.to_vec();
    all.push("carol");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = names(
            &*store,
            &AccountQuery {
                after: after.clone(),
                limit: 3,
                ..Default::default()
            },
        )
        .await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after = Some(campusdisk_accounts::fold(last));
        seen.extend(page);
    }
    assert_eq!(seen, sorted(&all));
}

/// A11 with a search.
pub async fn a11_a_search_filters_before_it_counts(harness: &dyn AccountsHarness) {
    let store = harness.store();
    fill(&*store).await;
    let search = async |text: &str, limit| {
        names(
            &*store,
            &AccountQuery {
                contains: Some(text.to_owned()),
                limit,
                ..Default::default()
            },
        )
        .await
    };
    assert_eq!(search("ada", 9).await, ["Ada", "ada lovelace"]);
    assert_eq!(search("lovelace", 1).await, ["ada lovelace"]);
    assert_eq!(search("é", 9).await, ["é"]);
    // What means something in patterns of SQL means itself here.
    assert_eq!(search("z_", 9).await, ["z_1"].map(str::to_owned));
    assert_eq!(search("x%y_z@", 9).await, ["carol"]);
    assert_eq!(search("nobody", 9).await, [""; 0]);
}

/// A11 of members.
pub async fn a11_members_are_listed_by_key(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut changes: Vec<_> = ["dan", "ada", "cyn", "bob"]
        .iter()
        .map(|name| new(record(name)))
        .collect();
    changes.extend([
        AccountChange::PutGroup(group("physics")),
        AccountChange::PutGroup(group("music")),
    ]);
    changes.extend([
        join("physics", "dan"),
        join("physics", "ada"),
        join("physics", "bob"),
        join("music", "cyn"),
    ]);
    assert_done(commit(&*store, &changes).await);
    let members = |after: Option<&str>, limit| AccountQuery {
        member_of: Some(group("physics").id),
        after: after.map(str::to_owned),
        limit,
        contains: None,
    };
    assert_eq!(names(&*store, &members(None, 2)).await, ["ada", "bob"]);
    assert_eq!(names(&*store, &members(Some("bob"), 2)).await, ["dan"]);
}

/// A11 of members, counted.
pub async fn a11_members_are_counted_for_each_group_asked_for(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut changes: Vec<_> = ["ada", "bob", "cyn"]
        .iter()
        .map(|name| new(record(name)))
        .collect();
    changes.extend(["physics", "music", "art"].map(|name| AccountChange::PutGroup(group(name))));
    changes.extend([
        join("physics", "ada"),
        join("physics", "bob"),
        join("music", "ada"),
    ]);
    assert_done(commit(&*store, &changes).await);
    let [physics, music, art] = ["physics", "music", "art"].map(|name| group(name).id);
    let count = async |groups: &[GroupId]| {
        let counts = store.member_counts(groups).await.expect("the store answers");
        let of = |group: &GroupId| counts.get(group).copied().unwrap_or_default();
        [of(&physics), of(&music), of(&art)]
    };
    let all = [physics.clone(), music.clone(), art.clone()];
    assert_eq!(count(&all).await, [2, 1, 0]);
    assert_eq!(count(std::slice::from_ref(&music)).await, [0, 1, 0]);
    assert_eq!(count(&[]).await, [0, 0, 0]);
}

/// A11 of groups.
pub async fn a11_groups_are_listed_in_pages_by_key(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut changes = vec![new(record("ada"))];
    changes.extend(["Music", "physics", "art"].map(|name| AccountChange::PutGroup(group(name))));
    changes.extend([join("physics", "ada"), join("art", "ada")]);
    assert_done(commit(&*store, &changes).await);
    let list = async |with_member: Option<&str>, after: Option<&str>, limit| {
        let query = GroupQuery {
            with_member: with_member.map(account_id),
            after: after.map(str::to_owned),
            limit,
            ..GroupQuery::default()
        };
        let found = store.groups(&query).await.expect("the store answers");
        found
            .into_iter()
            .map(|group| group.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 2).await, ["art", "Music"]);
    assert_eq!(list(None, Some("music"), 2).await, ["physics"]);
    assert_eq!(list(Some("ada"), None, 9).await, ["art", "physics"]);
}

/// A11 of tokens.
pub async fn a11_tokens_are_listed_oldest_first(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut changes = vec![new(record("ada")), new(record("bob"))];
    changes.extend([3, 1, 2].map(|number| AccountChange::PutToken(token("ada", number))));
    changes.push(AccountChange::PutToken(token("bob", 4)));
    assert_done(commit(&*store, &changes).await);
    let found = store.tokens(&account_id("ada")).await.expect("the store answers");
    assert_eq!(found, [1, 2, 3].map(|number| token("ada", number)));
}

/// A11 of sessions: also of those that expired or admit to something else.
pub async fn a11_sessions_are_listed_newest_first(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut unknown = session("ada", "challenge", 4);
    (unknown.purpose, unknown.device) = (Purpose::PasswordChange, Device::default());
    let twins = [session("ada", "one", 2), session("ada", "other", 2)];
    let mut changes = vec![new(record("ada")), new(record("bob")), new(record("eve"))];
    let mine = [
        session("ada", "old", 1),
        session("ada", "new", 3),
        unknown.clone(),
    ];
    let put = mine
        .into_iter()
        .chain(twins.clone())
        .chain([session("bob", "his", 5)]);
    changes.extend(put.map(AccountChange::PutSession));
    assert_done(commit(&*store, &changes).await);
    let [one, other] = twins;
    let (first, second) = if one.id > other.id {
        (one, other)
    } else {
        (other, one)
    };
    let wanted = [
        unknown,
        session("ada", "new", 3),
        first,
        second,
        session("ada", "old", 1),
    ];
    let sessions = async |name| {
        store
            .sessions(&account_id(name))
            .await
            .expect("the store answers")
    };
    assert_eq!(sessions("ada").await, wanted);
    assert_eq!(sessions("eve").await, []);
}

/// A11 of groups that are searched for; what a pattern means elsewhere is a plain character here.
pub async fn a11_a_search_of_groups_filters_before_it_counts(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let names = ["Physics-1", "physics_2", "chemistry", "Astrophysics", "100%"];
    let changes: Vec<_> = names
        .iter()
        .map(|name| AccountChange::PutGroup(group(name)))
        .collect();
    assert_done(commit(&*store, &changes).await);
    let found = async |part: &str, limit| {
        let query = GroupQuery {
            contains: Some(part.to_owned()),
            limit,
            ..GroupQuery::default()
        };
        let groups = store.groups(&query).await.expect("the store answers");
        groups
            .into_iter()
            .map(|group| group.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("physics", 10).await,
        ["Astrophysics", "Physics-1", "physics_2"]
    );
    assert_eq!(found("physics", 1).await, ["Astrophysics"]);
    assert_eq!(found("_", 10).await, ["physics_2"]);
    assert_eq!(found("%", 10).await, ["100%"]);
    assert_eq!(found("law", 10).await, Vec::<String>::new());
}
