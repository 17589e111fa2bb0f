//! Signing in, throttling, and the password that must be changed.

use std::time::Duration;

use campusdisk_accounts::{AccountKey, AccountUpdate, NextSignIn, SignIn, SignInRequest};
use campusdisk_core::ErrorKind;
use futures::future::join_all;

use crate::{OPERATOR, PASSWORD, World, config, request};

const TEN_BAD_ONES: u32 = 10;

#[tokio::test]
async fn the_right_password_begins_a_session_whatever_the_case_of_the_name() {
    let world = World::new();
    let ada = world.account("Ada").await;
    let signed_in = world.signed_in("aDA").await;
    assert_eq!(signed_in.account, ada);
    let principal = world.principal(&signed_in).await.unwrap();
    assert_eq!(principal.account, ada.id);
    assert!(!principal.may_administer());
}

#[tokio::test]
async fn a_password_is_compared_whole() {
    let world = World::new();
    world.account("ada").await;
    for near in [
        " correct horse battery",
        "correct horse battery ",
        "Correct horse battery",
        "correct horse batter",
        "",
    ] {
        assert!(
            matches!(world.try_password("ada", near).await, SignIn::Wrong),
            "{near:?}"
        );
    }
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_cost_and_answer_the_same() {
    let world = World::new();
    world.account("ada").await;
    let long = "x".repeat(5000);
    for (name, password) in [
        ("ada", "wrong password"),
        ("nobody", "wrong password"),
        ("ada", long.as_str()),
        ("nobody", &long),
        ("", ""),
    ] {
        let before = world.accounts.password_hashes();
        assert!(matches!(world.try_password(name, password).await, SignIn::Wrong));
        assert_eq!(world.accounts.password_hashes() - before, 1, "{name:?}");
    }
}

#[tokio::test]
async fn a_lock_is_told_only_to_whoever_has_the_password() {
    let world = World::new();
    let ada = world.account("ada").await;
    let lock = AccountUpdate {
        locked: Some(true),
        ..Default::default()
    };
    world
        .accounts
        .admin_update(&OPERATOR, &ada.id, lock)
        .await
        .unwrap();
    assert!(matches!(
        world.try_password("ada", "wrong password").await,
        SignIn::Wrong
    ));
    assert!(matches!(
        world.try_password("ada", PASSWORD).await,
        SignIn::Locked
    ));
}

#[tokio::test]
async fn ten_failures_a_minute_are_too_many_for_one_account_and_address() {
    let world = World::new();
    world.account("ada").await;
    world.account("bob").await;
    for _ in 0..TEN_BAD_ONES {
        assert!(matches!(
            world.try_password("ada", "wrong password").await,
            SignIn::Wrong
        ));
        world.clock.advance(Duration::from_secs(2));
    }
    let hashes = world.accounts.password_hashes();
    let SignIn::Throttled { retry_after } = world.try_password("ADA", PASSWORD).await else {
        panic!("the eleventh was looked at");
    };
    assert_eq!(
        (retry_after, world.accounts.password_hashes()),
        (Duration::from_secs(40), hashes)
    );
    assert!(matches!(
        world.try_password("bob", PASSWORD).await,
        SignIn::Done(_)
    ));
    let elsewhere = SignInRequest {
        address: Some([10, 0, 0, 2].into()),
        ..request("ada", PASSWORD)
    };
    assert!(matches!(
        world.accounts.sign_in(elsewhere).await.unwrap(),
        SignIn::Done(_)
    ));
    world.clock.advance(retry_after);
    assert!(matches!(
        world.try_password("ada", PASSWORD).await,
        SignIn::Done(_)
    ));
}

#[tokio::test]
async fn unknown_names_are_throttled_like_known_ones() {
    let world = World::new();
    for _ in 0..TEN_BAD_ONES {
        assert!(matches!(
            world.try_password("nobody", "wrong password").await,
            SignIn::Wrong
        ));
    }
    assert!(matches!(
        world.try_password("nobody", "wrong password").await,
        SignIn::Throttled { .. }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_made_at_once_are_counted_too() {
    let world = World::new();
    world.account("ada").await;
    let guesses = (0..40).map(|_| world.try_password("ada", "wrong password"));
    let outcomes = join_all(guesses).await;
    let wrong = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, SignIn::Wrong))
        .count();
    let throttled = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, SignIn::Throttled { .. }))
        .count();
    assert_eq!((wrong, throttled), (10, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_know_the_password_are_let_in_at_once() {
    let world = World::new();
    world.account("ada").await;
    let outcomes = join_all((0..40).map(|_| world.try_password("ada", PASSWORD))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, SignIn::Done(_))));
}

#[tokio::test]
async fn changed_parameters_reach_an_account_when_it_signs_in() {
    let world = World::new();
    let ada = world.account("ada").await;
    let stronger = world.beside(config().with_argon2_passes(3));
    let before = stronger.accounts.password_hashes();
    stronger.signed_in("ada").await;
    assert_eq!(stronger.accounts.password_hashes() - before, 2);
    let record = world
        .store
        .account(AccountKey::Id(&ada.id))
        .await
        .unwrap()
        .unwrap();
    assert!(
        record
            .password
            .as_str()
            .starts_with("$argon2id$v=19$m=8,t=3,p=1$")
    );
    stronger.signed_in("ada").await;
    assert_eq!(stronger.accounts.password_hashes() - before, 3);
}

#[tokio::test]
async fn a_full_queue_is_unavailable_and_no_failure() {
    let world = World::with(config().with_hashing_parallel(1).with_hashing_queue(0));
    world.account("ada").await;
    let outcomes = join_all((0..30).map(|_| world.accounts.sign_in(request("ada", PASSWORD)))).await;
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(
        refused
            .clone()
            .all(|error| error.kind() == ErrorKind::Unavailable && error.is_retryable())
    );
    assert!(refused.count() > 0);
    world.signed_in("ada").await;
}

#[tokio::test]
async fn a_password_set_by_an_administrator_must_be_changed() {
    let world = World::new();
    let ada = world.account("ada").await;
    let before = world.signed_in("ada").await;
    let given = "given by the desk";
    world
        .accounts
        .admin_set_password(&OPERATOR, &ada.id, given, NextSignIn::MustChange)
        .await
        .unwrap();
    assert!(world.principal(&before).await.is_none());
    let SignIn::PasswordChangeRequired { challenge } = world.try_password("ada", given).await else {
        panic!("no other password was asked for");
    };
    let challenge = challenge.expose();
    assert!(
        world
            .accounts
            .authenticate_session(challenge)
            .await
            .unwrap()
            .is_none(),
        "it admits to nothing else"
    );
    for bad in [given, "short", "password1"] {
        let error = world.accounts.answer_challenge(challenge, bad).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidInput, Some("new"))
        );
    }
    let SignIn::Done(signed_in) = world
        .accounts
        .answer_challenge(challenge, PASSWORD)
        .await
        .unwrap()
    else {
        panic!("the new password was not taken");
    };
    assert!(world.principal(&signed_in).await.is_some());
    let again = world
        .accounts
        .answer_challenge(challenge, "yet another one")
        .await
        .unwrap();
    assert!(matches!(again, SignIn::Wrong), "a challenge is good once");
    world.signed_in("ada").await;
}

#[tokio::test]
async fn a_challenge_ends_with_its_time_and_with_another_password() {
    let world = World::new();
    let ada = world.account("ada").await;
    let set = async |password| {
        let next = NextSignIn::MustChange;
        world
            .accounts
            .admin_set_password(&OPERATOR, &ada.id, password, next)
            .await
            .unwrap();
        let SignIn::PasswordChangeRequired { challenge } = world.try_password("ada", password).await else {
            panic!("no other password was asked for");
        };
        challenge
    };
    let overtaken = set("first of the desk").await;
    let expired = set("second of the desk").await;
    let outcome = world
        .accounts
        .answer_challenge(overtaken.expose(), PASSWORD)
        .await
        .unwrap();
    assert!(matches!(outcome, SignIn::Wrong));
    world.clock.advance(Duration::from_secs(600));
    let outcome = world
        .accounts
        .answer_challenge(expired.expose(), PASSWORD)
        .await
        .unwrap();
    assert!(matches!(outcome, SignIn::Wrong));
    let lock = AccountUpdate {
        locked: Some(true),
        ..Default::default()
    };
    let locked = set("third of the desk").await;
    world
        .accounts
        .admin_update(&OPERATOR, &ada.id, lock)
        .await
        .unwrap();
    let outcome = world
        .accounts
        .answer_challenge(locked.expose(), PASSWORD)
        .await
        .unwrap();
    assert!(matches!(outcome, SignIn::Wrong), "the lock ended it");
}

#[tokio::test]
async fn a_password_the_operator_keeps_need_not_be_changed() {
    let world = World::new();
    let ada = world.account("ada").await;
    world
        .accounts
        .admin_set_password(&OPERATOR, &ada.id, "set at the console", NextSignIn::Keeps)
        .await
        .unwrap();
    assert!(matches!(
        world.try_password("ada", "set at the console").await,
        SignIn::Done(_)
    ));
}
