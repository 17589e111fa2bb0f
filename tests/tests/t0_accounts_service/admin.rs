//! Administration: lists, locks, ranks, quotas and groups.

use std::slice::from_ref;
use std::time::{Duration, Instant};

use campusdisk_accounts::{AccountEvent, AccountUpdate, GroupName, Page, TokenName, TokenRequest};
use campusdisk_core::{AccountId, ErrorKind, GroupId};
use futures::future::join;

use crate::{OPERATOR, World, config};

const LOCK: AccountUpdate = AccountUpdate {
    locked: Some(true),
    admin: None,
    quota_bytes: None,
};
const UNLOCK: AccountUpdate = AccountUpdate {
    locked: Some(false),
    admin: None,
    quota_bytes: None,
};
const DEMOTE: AccountUpdate = AccountUpdate {
    locked: None,
    admin: Some(false),
    quota_bytes: None,
};

#[tokio::test]
async fn a_lock_ends_sessions_and_tokens_at_once_and_for_ever() {
    let world = World::new();
    let ada = world.account("ada").await;
    let session = world.signed_in("ada").await;
    let request = TokenRequest {
        name: TokenName::parse("backup").unwrap(),
        scopes: None,
        expires: None,
    };
    let token = world
        .accounts
        .create_token_for(&OPERATOR, &ada.id, request)
        .await
        .unwrap();
    let works = async || {
        let token = world
            .accounts
            .authenticate_token(token.secret.expose())
            .await
            .unwrap();
        let active = world.accounts.is_active(&ada.id).await.unwrap();
        (world.principal(&session).await.is_some(), token.is_some(), active)
    };
    assert_eq!(works().await, (true, true, true));
    world.events.take();
    assert!(
        world
            .accounts
            .admin_update(&OPERATOR, &ada.id, LOCK)
            .await
            .unwrap()
            .locked
    );
    assert_eq!(works().await, (false, false, false));
    world
        .accounts
        .admin_update(&OPERATOR, &ada.id, UNLOCK)
        .await
        .unwrap();
    assert_eq!(works().await, (false, false, true));
    let told = world.events.take();
    assert_eq!(
        told,
        [
            AccountEvent::Locked(ada.id.clone()),
            AccountEvent::Unlocked(ada.id.clone())
        ]
    );
    world.signed_in("ada").await;
}

#[tokio::test]
async fn a_lock_made_by_another_process_is_noticed_within_a_second() {
    let (world, other) = {
        let world = World::new();
        let other = world.beside(config());
        (world, other)
    };
    let ada = world.account("ada").await;
    let session = world.signed_in("ada").await;
    assert!(world.principal(&session).await.is_some() && world.accounts.is_active(&ada.id).await.unwrap());
    other
        .accounts
        .admin_update(&OPERATOR, &ada.id, LOCK)
        .await
        .unwrap();
    let locked = Instant::now();
    while world.principal(&session).await.is_some() || world.accounts.is_active(&ada.id).await.unwrap() {
        assert!(locked.elapsed() < Duration::from_secs(1), "it was not noticed");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nobody_is_active_who_is_not_there() {
    let world = World::new();
    assert!(
        !world
            .accounts
            .is_active(&AccountId::parse("nobody").unwrap())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_last_administrator_can_be_neither_locked_nor_demoted() {
    let world = World::new();
    let (root, other) = (
        world.administrator("root").await,
        world.administrator("other").await,
    );
    world
        .accounts
        .admin_update(&OPERATOR, &other.id, LOCK)
        .await
        .unwrap();
    for update in [LOCK, DEMOTE] {
        let error = world
            .accounts
            .admin_update(&OPERATOR, &root.id, update)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
    assert!(world.accounts.me(&root.id).await.unwrap().admin);
    world
        .accounts
        .admin_update(&OPERATOR, &other.id, UNLOCK)
        .await
        .unwrap();
    assert!(
        !world
            .accounts
            .admin_update(&OPERATOR, &root.id, DEMOTE)
            .await
            .unwrap()
            .admin
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_administrators_who_lock_one_another_one_stays() {
    for _ in 0..20 {
        let world = World::new();
        let (ada, bob) = (world.administrator("ada").await, world.administrator("bob").await);
        let (first, second) = join(
            world.accounts.admin_update(&OPERATOR, &ada.id, LOCK),
            world.accounts.admin_update(&OPERATOR, &bob.id, LOCK),
        )
        .await;
        assert!(first.is_ok() != second.is_ok());
    }
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let world = World::new();
    let ada = world.account("ada").await;
    let quota = |quota_bytes| AccountUpdate {
        quota_bytes: Some(quota_bytes),
        ..Default::default()
    };
    let changed = world
        .accounts
        .admin_update(&OPERATOR, &ada.id, quota(Some(5)))
        .await
        .unwrap();
    assert_eq!(
        (changed.quota_bytes, changed.locked, changed.admin),
        (Some(5), false, false)
    );
    assert_eq!(
        world
            .accounts
            .admin_update(&OPERATOR, &ada.id, DEMOTE)
            .await
            .unwrap()
            .quota_bytes,
        Some(5)
    );
    assert_eq!(
        world
            .accounts
            .admin_update(&OPERATOR, &ada.id, quota(None))
            .await
            .unwrap()
            .quota_bytes,
        None
    );
    let error = world
        .accounts
        .admin_update(&OPERATOR, &ada.id, quota(Some(1 << 63)))
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("quota_bytes"));
    let nobody = AccountId::parse("nobody").unwrap();
    let error = world
        .accounts
        .admin_update(&OPERATOR, &nobody, quota(None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn accounts_are_listed_in_pages_and_searched_without_regard_to_case() {
    let world = World::new();
    for name in ["dan", "Bob", "ada", "Cyn", "eve"] {
        world.account(name).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Page {
            after: after.as_deref(),
            limit: 2,
        };
        let listed = world.accounts.admin_list(&OPERATOR, None, page).await.unwrap();
        seen.extend(listed.items.iter().map(|account| account.username.to_string()));
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["ada", "Bob", "Cyn", "dan", "eve"]);
    let found = world
        .accounts
        .admin_list(&OPERATOR, Some("BO"), Page::default())
        .await
        .unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(
        world.accounts.admin_find(&OPERATOR, "bob").await.unwrap(),
        found.items[0]
    );
    assert_eq!(
        world
            .accounts
            .admin_get(&OPERATOR, &found.items[0].id)
            .await
            .unwrap(),
        found.items[0]
    );
}

#[tokio::test]
async fn a_bad_page_is_refused() {
    let world = World::new();
    let list = async |after, limit| {
        world
            .accounts
            .admin_list(&OPERATOR, None, Page { after, limit })
            .await
            .map_err(|error| error.field())
    };
    for limit in [0, 1001] {
        assert_eq!(list(None, limit).await, Err(Some("limit")));
    }
    assert_eq!(list(Some("not base 64!"), 10).await, Err(Some("after")));
    assert!(list(None, 1000).await.is_ok());
}

#[tokio::test]
async fn groups_reach_the_principal_of_their_members_at_once() {
    let world = World::new();
    let ada = world.account("ada").await;
    let session = world.signed_in("ada").await;
    let groups = async || world.principal(&session).await.unwrap().groups.clone();
    assert_eq!(groups().await, []);
    let physics = world
        .accounts
        .create_group(&OPERATOR, GroupName::parse("Physics").unwrap())
        .await
        .unwrap();
    world
        .accounts
        .add_member(&OPERATOR, &physics.id, &ada.id)
        .await
        .unwrap();
    assert_eq!(groups().await, from_ref(&physics.id));
    let members = world
        .accounts
        .members(&OPERATOR, &physics.id, Page::default())
        .await
        .unwrap();
    assert_eq!(members.items, from_ref(&ada));
    let mine = world.accounts.groups_of(&ada.id, Page::default()).await.unwrap();
    assert_eq!(mine.items, from_ref(&physics));
    world
        .accounts
        .remove_member(&OPERATOR, &physics.id, &ada.id)
        .await
        .unwrap();
    assert_eq!(groups().await, []);
    world
        .accounts
        .add_member(&OPERATOR, &physics.id, &ada.id)
        .await
        .unwrap();
    world.accounts.delete_group(&OPERATOR, &physics.id).await.unwrap();
    assert_eq!(groups().await, []);
    assert_eq!(
        world.accounts.groups(None, Page::default()).await.unwrap().items,
        []
    );
}

#[tokio::test]
async fn groups_that_are_not_there_are_not_found_and_names_are_taken_once() {
    let world = World::new();
    let ada = world.account("ada").await;
    let name = |text| GroupName::parse(text).unwrap();
    let physics = world
        .accounts
        .create_group(&OPERATOR, name("Physics"))
        .await
        .unwrap();
    let taken = world
        .accounts
        .create_group(&OPERATOR, name("physics"))
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    let none = GroupId::parse("none").unwrap();
    let nobody = AccountId::parse("nobody").unwrap();
    for missing in [
        world.accounts.add_member(&OPERATOR, &none, &ada.id).await,
        world.accounts.add_member(&OPERATOR, &physics.id, &nobody).await,
        world.accounts.delete_group(&OPERATOR, &none).await,
        world
            .accounts
            .members(&OPERATOR, &none, Page::default())
            .await
            .map(drop),
    ] {
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
