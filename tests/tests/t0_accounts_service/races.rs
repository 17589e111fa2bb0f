//! What comes in between: others who change the same account, and a database that fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use campusdisk_accounts::{
    AccountChange, AccountKey, AccountQuery, AccountRecord, AccountStore, AccountUpdate, AppToken, Commit,
    Credential, Device, Group, GroupQuery, MemoryAccountStore, NextSignIn, PasswordChange, PasswordHash,
    SecretHash, Session, Setup, SignIn, TokenId, TokenName, TokenRequest,
};
use campusdisk_core::{AccountId, Clock as _, Error, ErrorKind, GroupId, RandomIds, Result};
use campusdisk_testkit::manual::ManualClock;
use tokio::sync::Mutex;

use crate::{OPERATOR, PASSWORD, World, config, registrant, request};

const LOCK: AccountUpdate = AccountUpdate {
    locked: Some(true),
    admin: None,
    quota_bytes: None,
};

/// A store that lets somebody else act just before the next commit, or fails at one call.
#[derive(Debug, Default)]
struct Meddler {
    inner: MemoryAccountStore,
    before_commit: Mutex<Option<Meddling>>,
    calls: AtomicU32,
    fails_at: AtomicU32,
    failed: AtomicU32,
}

/// What somebody else does.
#[derive(Debug)]
enum Meddling {
    Locks(AccountId),
    SetsPassword(AccountId),
    Promotes(AccountId),
    MakesToken(AppToken),
}

impl Meddler {
    /// Fails the `call`th call from now on, after having done it: its answer is lost.
    fn fail_at(&self, call: u32) {
        self.calls.store(0, Ordering::SeqCst);
        self.fails_at.store(call, Ordering::SeqCst);
    }

    fn count(&self) -> Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if call == self.fails_at.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the database can't be reached",
            ));
        }
        Ok(())
    }

    async fn meddle(&self, meddling: Meddling) {
        let id = match &meddling {
            Meddling::Locks(id) | Meddling::SetsPassword(id) | Meddling::Promotes(id) => id,
            Meddling::MakesToken(token) => &token.account,
        };
        let mut record = self.inner.account(AccountKey::Id(id)).await.unwrap().unwrap();
        let replaces = Some(record.version);
        record.version += 1;
        let mut changes = Vec::new();
        match meddling {
            Meddling::Locks(_) => record.account.locked = true,
            Meddling::SetsPassword(_) => record.password = PasswordHash::from_phc(OTHER_HASH),
            Meddling::Promotes(_) => record.account.admin = true,
            Meddling::MakesToken(token) => changes.push(AccountChange::PutToken(token)),
        }
        changes.push(AccountChange::PutAccount { record, replaces });
        assert_eq!(self.inner.commit(&changes).await.unwrap(), Commit::Done);
    }
}

/// A hash that no password of these tests has.
const OTHER_HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$1FoCvNPbWjXP5M1ZTNsjYgYBzfBqjmXv6Z0aA2YgpKM";

#[async_trait]
impl AccountStore for Meddler {
    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountRecord>> {
        self.count()?;
        self.inner.account(key).await
    }

    async fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRecord>> {
        self.count()?;
        self.inner.accounts(query).await
    }

    async fn credential(&self, hash: &SecretHash) -> Result<Option<Credential>> {
        self.count()?;
        self.inner.credential(hash).await
    }

    async fn sessions(&self, account: &AccountId) -> Result<Vec<Session>> {
        self.count()?;
        self.inner.sessions(account).await
    }

    async fn tokens(&self, account: &AccountId) -> Result<Vec<AppToken>> {
        self.count()?;
        self.inner.tokens(account).await
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        self.count()?;
        self.inner.group(id).await
    }

    async fn member_counts(&self, groups: &[GroupId]) -> Result<BTreeMap<GroupId, u64>> {
        self.count()?;
        self.inner.member_counts(groups).await
    }

    async fn groups(&self, query: &GroupQuery) -> Result<Vec<Group>> {
        self.count()?;
        self.inner.groups(query).await
    }

    async fn setup(&self) -> Result<Setup> {
        self.count()?;
        self.inner.setup().await
    }

    async fn commit(&self, changes: &[AccountChange]) -> Result<Commit> {
        if let Some(meddling) = self.before_commit.lock().await.take() {
            self.meddle(meddling).await;
        }
        let commit = self.inner.commit(changes).await?;
        self.count()?;
        Ok(commit)
    }
}

fn world() -> (World, Arc<Meddler>) {
    let store = Arc::new(Meddler::default());
    (
        World::over(store.clone(), Arc::new(ManualClock::new()), config()),
        store,
    )
}

#[tokio::test]
async fn who_is_locked_while_the_password_is_compared_does_not_get_in() {
    let (world, store) = world();
    let ada = world.account("ada").await;
    *store.before_commit.lock().await = Some(Meddling::Locks(ada.id));
    assert!(matches!(
        world.try_password("ada", PASSWORD).await,
        SignIn::Locked
    ));
}

#[tokio::test]
async fn a_password_that_is_replaced_while_it_is_compared_lets_nobody_in() {
    let (world, store) = world();
    let ada = world.account("ada").await;
    *store.before_commit.lock().await = Some(Meddling::SetsPassword(ada.id));
    assert!(matches!(world.try_password("ada", PASSWORD).await, SignIn::Wrong));
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_kept_and_nothing_is_compared_twice() {
    let (world, store) = world();
    let ada = world.account("ada").await;
    let hashes = world.accounts.password_hashes();
    *store.before_commit.lock().await = Some(Meddling::Promotes(ada.id.clone()));
    let SignIn::Done(signed_in) = world.try_password("ada", PASSWORD).await else {
        panic!("not in")
    };
    assert!(signed_in.account.admin);
    assert_eq!(world.accounts.password_hashes() - hashes, 1);
    *store.before_commit.lock().await = Some(Meddling::Locks(ada.id.clone()));
    let quota = AccountUpdate {
        quota_bytes: Some(Some(5)),
        ..Default::default()
    };
    let changed = world
        .accounts
        .admin_update(&OPERATOR, &ada.id, quota)
        .await
        .unwrap();
    assert!(changed.admin && changed.locked && changed.quota_bytes == Some(5));
}

#[tokio::test]
async fn a_password_is_not_changed_by_one_that_was_replaced_meanwhile() {
    let (world, store) = world();
    let ada = world.account("ada").await;
    let principal = world.principal(&world.signed_in("ada").await).await.unwrap();
    *store.before_commit.lock().await = Some(Meddling::SetsPassword(ada.id.clone()));
    let error = world
        .accounts
        .change_password(&principal, PASSWORD, "a better password")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let record = store
        .inner
        .account(AccountKey::Id(&ada.id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.password.as_str(), OTHER_HASH);
}

#[tokio::test]
async fn a_challenge_is_not_answered_for_somebody_who_is_locked_meanwhile() {
    let (world, store) = world();
    let ada = world.account("ada").await;
    let given = "given by the desk";
    world
        .accounts
        .admin_set_password(&OPERATOR, &ada.id, given, NextSignIn::MustChange)
        .await
        .unwrap();
    let SignIn::PasswordChangeRequired { challenge } = world.try_password("ada", given).await else {
        panic!("no other password was asked for");
    };
    *store.before_commit.lock().await = Some(Meddling::Locks(ada.id));
    let outcome = world
        .accounts
        .answer_challenge(challenge.expose(), PASSWORD)
        .await
        .unwrap();
    assert!(matches!(outcome, SignIn::Locked));
}

#[tokio::test]
async fn tokens_made_at_the_same_time_count_one_another() {
    let store = Arc::new(Meddler::default());
    let world = World::over(
        store.clone(),
        Arc::new(ManualClock::new()),
        config().with_max_tokens_per_account(2),
    );
    let ada = world.account("ada").await;
    let request = TokenRequest {
        name: TokenName::parse("backup").unwrap(),
        scopes: None,
        expires: None,
    };
    let first = world
        .accounts
        .create_token_for(&OPERATOR, &ada.id, request.clone())
        .await
        .unwrap();
    let rival = AppToken {
        id: TokenId::generate(world.clock.now(), &RandomIds),
        hash: SecretHash::of("rival"),
        ..first.token
    };
    *store.before_commit.lock().await = Some(Meddling::MakesToken(rival));
    let error = world
        .accounts
        .create_token_for(&OPERATOR, &ada.id, request)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(world.accounts.tokens(&ada.id).await.unwrap().len(), 2);
}

/// Fails the first, second, third… call of a use-case until it passes; `check` must hold after each.
async fn anomalies(act: impl AsyncFn(&World) -> Result<()>, check: impl AsyncFn(&World, Result<()>)) -> u32 {
    for call in 1..50 {
        let (world, store) = world();
        world.account("ada").await;
        store.fail_at(call);
        let outcome = act(&world).await;
        let failed = store.failed.load(Ordering::SeqCst);
        assert_eq!(failed > 0, outcome.is_err(), "a failure of the database is told");
        store.fail_at(0);
        check(&world, outcome).await;
        if failed == 0 {
            return call;
        }
    }
    panic!("it never passed");
}

#[tokio::test]
async fn a_database_that_fails_is_no_wrong_password() {
    let calls = anomalies(
        async |world: &World| world.accounts.sign_in(request("ada", PASSWORD)).await.map(drop),
        async |world: &World, _| {
            for _ in 0..10 {
                assert!(matches!(
                    world.try_password("ada", "wrong password").await,
                    SignIn::Wrong
                ));
            }
        },
    )
    .await;
    assert!(calls > 2, "a read and a commit failed");
}

#[tokio::test]
async fn whatever_call_fails_a_lock_is_whole_or_not_there() {
    anomalies(
        async |world: &World| {
            let id = world.accounts.admin_find(&OPERATOR, "ada").await?.id;
            world.accounts.admin_update(&OPERATOR, &id, LOCK).await.map(drop)
        },
        async |world: &World, _| {
            let ada = world.accounts.admin_find(&OPERATOR, "ada").await.unwrap();
            let again = world
                .accounts
                .admin_update(&OPERATOR, &ada.id, LOCK)
                .await
                .unwrap();
            assert!(again.locked, "the same call again has the same end");
            assert!(matches!(
                world.try_password("ada", PASSWORD).await,
                SignIn::Locked
            ));
        },
    )
    .await;
}

#[tokio::test]
async fn whatever_call_fails_a_changed_password_is_the_old_or_the_new_one() {
    anomalies(
        async |world: &World| {
            let SignIn::Done(signed_in) = world.accounts.sign_in(request("ada", PASSWORD)).await? else {
                panic!("not in");
            };
            let token = signed_in.session.token.expose();
            let principal = world.accounts.authenticate_session(token).await?.unwrap();
            let changed = world
                .accounts
                .change_password(&principal, PASSWORD, "a better password")
                .await?;
            assert_eq!(changed, PasswordChange::Done);
            Ok(())
        },
        async |world: &World, outcome| {
            let old = matches!(world.try_password("ada", PASSWORD).await, SignIn::Done(_));
            let new = matches!(
                world.try_password("ada", "a better password").await,
                SignIn::Done(_)
            );
            assert!(old != new && (new || outcome.is_err()));
        },
    )
    .await;
}

#[tokio::test]
async fn whatever_call_fails_there_is_at_most_one_first_administrator() {
    anomalies(
        async |world: &World| {
            let Some(token) = world.accounts.setup_token().await? else {
                return Ok(());
            };
            world
                .accounts
                .setup(token.expose(), registrant("root"), Device::default())
                .await
                .map(drop)
        },
        async |world: &World, outcome| {
            let token = world.accounts.setup_token().await.unwrap();
            let root = world.accounts.admin_find(&OPERATOR, "root").await;
            assert_eq!(
                root.is_ok(),
                token.is_none(),
                "without one there is a way to make one"
            );
            assert!(root.is_ok() || outcome.is_err());
        },
    )
    .await;
}
