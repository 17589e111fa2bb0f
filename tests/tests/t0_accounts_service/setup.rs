//! The first administrator, and registration.

use campusdisk_accounts::{AccountEvent, Device, NewAccount, Registrant, Registration};
use campusdisk_core::ErrorKind;
use futures::future::join_all;

use crate::{OPERATOR, World, config, registrant};

#[tokio::test]
async fn there_is_no_account_before_the_setup_token_is_used() {
    let world = World::new();
    assert_eq!(
        world
            .accounts
            .admin_list(&OPERATOR, None, Default::default())
            .await
            .unwrap()
            .items,
        []
    );
    let token = world.accounts.setup_token().await.unwrap().unwrap();
    let wrong = world
        .accounts
        .setup("guess", registrant("ada"), Device::default())
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Denied);
    let ada = world
        .accounts
        .setup(token.expose(), registrant("ada"), Device::default())
        .await
        .unwrap();
    assert!(ada.account.admin && world.principal(&ada).await.unwrap().may_administer());
    assert_eq!(world.events.take(), [AccountEvent::Created(ada.account.id)]);
}

#[tokio::test]
async fn the_setup_token_is_dead_once_there_is_an_administrator() {
    let world = World::new();
    let token = world.accounts.setup_token().await.unwrap().unwrap();
    world.administrator("ada").await;
    let late = world
        .accounts
        .setup(token.expose(), registrant("eve"), Device::default())
        .await
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::NotFound);
    assert!(world.accounts.setup_token().await.unwrap().is_none());
    assert_eq!(world.store.setup().await.unwrap().token, None);
}

#[tokio::test]
async fn each_start_makes_another_setup_token_and_only_the_last_is_good() {
    let world = World::new();
    let first = world.accounts.setup_token().await.unwrap().unwrap();
    let second = world.accounts.setup_token().await.unwrap().unwrap();
    let old = world
        .accounts
        .setup(first.expose(), registrant("ada"), Device::default())
        .await
        .unwrap_err();
    assert_eq!(old.kind(), ErrorKind::Denied);
    world
        .accounts
        .setup(second.expose(), registrant("ada"), Device::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refused_setup_leaves_the_token_good() {
    let world = World::new();
    let token = world.accounts.setup_token().await.unwrap().unwrap();
    let weak = Registrant {
        password: "password",
        ..registrant("ada")
    };
    let error = world
        .accounts
        .setup(token.expose(), weak, Device::default())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidInput, Some("password"))
    );
    world.account("ada").await;
    let taken = world
        .accounts
        .setup(token.expose(), registrant("ADA"), Device::default())
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    world
        .accounts
        .setup(token.expose(), registrant("bob"), Device::default())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_setups_one_makes_the_administrator() {
    let world = World::new();
    let token = world.accounts.setup_token().await.unwrap().unwrap();
    let names: Vec<_> = (0..16).map(|number| format!("racer {number}")).collect();
    let tasks = names.iter().map(|name| {
        world
            .accounts
            .setup(token.expose(), registrant(name), Device::default())
    });
    let outcomes = join_all(tasks).await;
    let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(lost.clone().all(|error| error.kind() == ErrorKind::NotFound) && lost.count() == 15);
    let all = world
        .accounts
        .admin_list(&OPERATOR, None, Default::default())
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_registrations_of_one_name_one_is_done() {
    let world = World::new();
    let names = ["ada", "ADA", "Ada", "aDa", "ａｄａ", "ada"];
    let outcomes = join_all(names.map(|name| world.accounts.register(registrant(name)))).await;
    let lost: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    assert_eq!(lost.len(), 5);
    assert!(lost.iter().all(|error| error.kind() == ErrorKind::AlreadyExists));
}

#[tokio::test]
async fn a_registration_names_the_field_that_is_wrong() {
    let world = World::new();
    let good = Registrant {
        email: Some("ada@example.edu"),
        ..registrant("ada")
    };
    let account = world.accounts.register(good).await.unwrap();
    assert!(!account.admin && !account.locked && account.id.as_str().len() == 26);
    for (bad, field) in [
        (Registrant { username: "", ..good }, "username"),
        (
            Registrant {
                username: "a:b",
                ..good
            },
            "username",
        ),
        (
            Registrant {
                password: "short",
                ..good
            },
            "password",
        ),
        (
            Registrant {
                password: "Password1",
                ..good
            },
            "password",
        ),
        (
            Registrant {
                email: Some("nowhere"),
                ..good
            },
            "email",
        ),
    ] {
        let error = world.accounts.register(bad).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some(field))
        );
    }
    let other = Registrant {
        email: Some("ADA@example.edu"),
        ..registrant("bob")
    };
    assert_eq!(
        world.accounts.register(other).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
}

#[tokio::test]
async fn a_taken_name_costs_no_hash() {
    let world = World::new();
    world.account("ada").await;
    let before = world.accounts.password_hashes();
    assert_eq!(
        world
            .accounts
            .register(registrant("Ada"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(world.accounts.password_hashes(), before);
}

#[tokio::test]
async fn closed_registration_is_for_administrators_only() {
    let world = World::with(config().with_registration(Registration::Closed));
    assert_eq!(
        world
            .accounts
            .register(registrant("ada"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Denied
    );
    let new = NewAccount {
        registrant: registrant("ada"),
        admin: false,
    };
    assert!(!world.accounts.create(&OPERATOR, new).await.unwrap().admin);
}

#[tokio::test]
async fn a_new_account_has_the_configured_quota_and_its_name_for_all_to_read() {
    let world = World::with(config().with_default_quota_bytes(Some(1 << 30)));
    let ada = world.account("Ada").await;
    assert_eq!(
        (ada.quota_bytes, ada.display_name.as_str()),
        (Some(1 << 30), "Ada")
    );
}
