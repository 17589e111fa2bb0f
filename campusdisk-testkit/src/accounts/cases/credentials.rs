//! Sessions and app tokens.

use campusdisk_accounts::{
    AccountChange, AccountStore, Commit, Credential, CredentialKind, Lifetime, Purpose, Scopes, SecretHash,
};

use super::super::AccountsHarness;
use super::super::made::{account_id, assert_done, at, commit, group, join, new, record, session, token};

async fn find(store: &dyn AccountStore, hash: SecretHash) -> Option<Credential> {
    store.credential(&hash).await.expect("the store answers")
}

async fn has_session(store: &dyn AccountStore, token: &str) -> bool {
    find(store, SecretHash::of(token)).await.is_some()
}

/// A8 of sessions.
pub async fn a8_a_session_is_found_with_its_account_and_groups(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut challenge = session("ada", "challenge", 3);
    (challenge.purpose, challenge.lifetime) = (Purpose::PasswordChange, Lifetime::Browser);
    (challenge.seen, challenge.expires) = (at(4), at(5));
    let changes = [
        new(record("ada")),
        AccountChange::PutGroup(group("physics")),
        AccountChange::PutGroup(group("music")),
        join("physics", "ada"),
        join("music", "ada"),
        AccountChange::PutSession(session("ada", "plain", 0)),
        AccountChange::PutSession(challenge.clone()),
    ];
    assert_done(commit(&*store, &changes).await);
    for wanted in [session("ada", "plain", 0), challenge] {
        let found = find(&*store, wanted.hash).await.expect("it is there");
        assert_eq!(found.kind, CredentialKind::Session(wanted));
        assert_eq!(found.account, record("ada"));
        assert_eq!(found.groups, [group("music").id, group("physics").id]);
    }
    assert_eq!(find(&*store, SecretHash::of("guess")).await, None);
}

/// A8 of tokens.
pub async fn a8_a_token_is_found_with_its_account_and_groups(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut wanted = token("ada", 1);
    (wanted.scopes, wanted.expires) = (Scopes::ALL, Some(at(9)));
    let changes = [
        new(record("ada")),
        AccountChange::PutGroup(group("physics")),
        join("physics", "ada"),
        AccountChange::PutToken(wanted.clone()),
        AccountChange::PutToken(token("ada", 2)),
    ];
    assert_done(commit(&*store, &changes).await);
    for wanted in [wanted, token("ada", 2)] {
        let found = find(&*store, wanted.hash).await.expect("it is there");
        assert_eq!(found.kind, CredentialKind::Token(wanted));
        assert_eq!(
            (found.account, found.groups),
            (record("ada"), vec![group("physics").id])
        );
    }
}

/// A8: until it is ended.
pub async fn a8_what_was_ended_is_not_found(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let changes = [
        new(record("ada")),
        AccountChange::PutSession(session("ada", "one", 0)),
        AccountChange::PutSession(session("ada", "two", 0)),
        AccountChange::PutToken(token("ada", 1)),
        AccountChange::PutToken(token("ada", 2)),
    ];
    assert_done(commit(&*store, &changes).await);
    let end = [
        AccountChange::EndSession(SecretHash::of("one")),
        AccountChange::EndToken {
            account: account_id("ada"),
            id: token("ada", 1).id,
        },
    ];
    assert_done(commit(&*store, &end).await);
    assert!(!has_session(&*store, "one").await && has_session(&*store, "two").await);
    assert!(find(&*store, token("ada", 1).hash).await.is_none());
    assert!(find(&*store, token("ada", 2).hash).await.is_some());
    assert_done(commit(&*store, &[AccountChange::EndTokens(account_id("ada"))]).await);
    assert!(find(&*store, token("ada", 2).hash).await.is_none());
    assert_eq!(store.tokens(&account_id("ada")).await.expect("it answers"), []);
}

/// A9: the end of all sessions.
pub async fn a9_all_sessions_but_the_kept_one_end(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let changes = [
        new(record("ada")),
        new(record("bob")),
        AccountChange::PutSession(session("ada", "one", 0)),
        AccountChange::PutSession(session("ada", "two", 0)),
        AccountChange::PutSession(session("bob", "his", 0)),
        AccountChange::EndSessions {
            account: account_id("ada"),
            keep: Some(SecretHash::of("two")),
        },
    ];
    assert_done(commit(&*store, &changes).await);
    assert!(!has_session(&*store, "one").await && has_session(&*store, "two").await);
    let end = AccountChange::EndSessions {
        account: account_id("ada"),
        keep: None,
    };
    assert_done(commit(&*store, &[end]).await);
    assert!(!has_session(&*store, "two").await && has_session(&*store, "his").await);
}

/// A9: the limit.
pub async fn a9_only_the_newest_sessions_stay(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let mut changes = vec![new(record("ada")), new(record("bob"))];
    changes.extend(
        (0..6).map(|number| AccountChange::PutSession(session("ada", &number.to_string(), number % 3))),
    );
    changes.push(AccountChange::PutSession(session("bob", "his", 0)));
    changes.push(AccountChange::LimitSessions {
        account: account_id("ada"),
        newest: 4,
    });
    assert_done(commit(&*store, &changes).await);
    let mut left = Vec::new();
    for number in 0..6 {
        if has_session(&*store, &number.to_string()).await {
            left.push(number);
        }
    }
    assert_eq!(left, [1, 2, 4, 5]);
    assert!(has_session(&*store, "his").await);
}

/// A9: the last use.
pub async fn a9_a_use_is_noted_of_what_is_there(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let touch = |token| AccountChange::TouchSession {
        hash: SecretHash::of(token),
        seen: at(50),
        expires: at(150),
    };
    let changes = [
        new(record("ada")),
        AccountChange::PutSession(session("ada", "one", 0)),
        touch("one"),
        touch("none"),
    ];
    assert_done(commit(&*store, &changes).await);
    let found = find(&*store, SecretHash::of("one")).await.expect("it is there");
    let CredentialKind::Session(found) = found.kind else {
        panic!("it is no session")
    };
    assert_eq!(
        (found.created, found.seen, found.expires),
        (at(0), at(50), at(150))
    );
    assert!(!has_session(&*store, "none").await);
}

/// A9: whose it is must be there.
pub async fn a9_no_credential_without_an_account(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let put = AccountChange::PutSession(session("ada", "one", 0));
    assert_eq!(commit(&*store, &[put]).await, Commit::Stale);
    assert_eq!(
        commit(&*store, &[AccountChange::PutToken(token("ada", 1))]).await,
        Commit::Stale
    );
    assert!(!has_session(&*store, "one").await);
}

/// A10: ended is ended.
pub async fn a10_ending_what_is_not_there_is_done(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let account = account_id("ada");
    let changes = [
        AccountChange::EndSession(SecretHash::of("none")),
        AccountChange::EndSessions {
            account: account.clone(),
            keep: None,
        },
        AccountChange::LimitSessions {
            account: account.clone(),
            newest: 1,
        },
        AccountChange::EndToken {
            account: account.clone(),
            id: token("ada", 1).id,
        },
        AccountChange::EndTokens(account.clone()),
        AccountChange::EndGroup(group("physics").id),
        AccountChange::Leave {
            group: group("physics").id,
            account,
        },
        AccountChange::PutSetupToken(None),
        AccountChange::EndExpired(at(0)),
    ];
    assert_done(commit(&*store, &changes).await);
}

/// A10: not that of another.
pub async fn a10_a_token_is_ended_by_its_own_account_only(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let changes = [
        new(record("ada")),
        new(record("bob")),
        AccountChange::PutToken(token("ada", 1)),
        AccountChange::EndToken {
            account: account_id("bob"),
            id: token("ada", 1).id,
        },
    ];
    assert_done(commit(&*store, &changes).await);
    assert!(find(&*store, token("ada", 1).hash).await.is_some());
}

/// A14: what expired, and nothing else.
pub async fn a14_exactly_what_expired_ends(harness: &dyn AccountsHarness) {
    let store = harness.store();
    let (mut early, mut late) = (token("ada", 1), token("ada", 2));
    (early.expires, late.expires) = (Some(at(100)), Some(at(101)));
    let changes = [
        new(record("ada")),
        AccountChange::PutSession(session("ada", "early", 0)),
        AccountChange::PutSession(session("ada", "late", 1)),
        AccountChange::PutToken(early.clone()),
        AccountChange::PutToken(late.clone()),
        AccountChange::PutToken(token("ada", 3)),
        AccountChange::EndExpired(at(100)),
    ];
    assert_done(commit(&*store, &changes).await);
    assert!(!has_session(&*store, "early").await && has_session(&*store, "late").await);
    let left = store.tokens(&account_id("ada")).await.expect("it answers");
    assert_eq!(left, [late, token("ada", 3)]);
}
