//! Sessions and app tokens, from their beginning to every end.

use std::slice::from_ref;
use std::time::Duration;

use campusdisk_accounts::{
    AccountEvent, AccountUpdate, DisplayName, Email, IssuedToken, Lifetime, PasswordChange, ProfileUpdate,
    Proof, Scope, Scopes, SignIn, SignInRequest, TokenId, TokenName, TokenRequest,
};
use campusdisk_core::{Clock as _, ErrorKind, RandomIds};
use futures::future::join_all;

use crate::{OPERATOR, PASSWORD, World, config};

fn wanted(scopes: Option<Scopes>) -> TokenRequest {
    TokenRequest {
        name: TokenName::parse("backup").unwrap(),
        scopes,
        expires: None,
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

impl World {
    async fn token_works(&self, issued: &IssuedToken) -> bool {
        self.accounts
            .authenticate_token(issued.secret.expose())
            .await
            .unwrap()
            .is_some()
    }
}

#[tokio::test]
async fn a_signed_out_session_is_dead_at_once() {
    let world = World::new();
    world.account("ada").await;
    let (here, there) = (world.signed_in("ada").await, world.signed_in("ada").await);
    assert!(world.principal(&here).await.is_some() && world.principal(&there).await.is_some());
    world
        .accounts
        .sign_out(here.session.token.expose())
        .await
        .unwrap();
    assert!(world.principal(&here).await.is_none() && world.principal(&there).await.is_some());
    world.accounts.sign_out("nothing").await.unwrap();
}

#[tokio::test]
async fn a_browser_session_lives_on_while_it_is_used_and_ends_when_it_is_not() {
    let world = World::new();
    world.account("ada").await;
    let session = world.signed_in("ada").await;
    for _ in 0..5 {
        world.clock.advance(hours(11));
        // What is believed for a moment of real time must not hide that the clock moved.
        assert!(world.beside(config()).principal(&session).await.is_some());
    }
    world.clock.advance(hours(12));
    assert!(world.principal(&session).await.is_none());
}

#[tokio::test]
async fn a_believed_session_still_ends_in_time() {
    let world = World::new();
    world.account("ada").await;
    let session = world.signed_in("ada").await;
    assert!(world.principal(&session).await.is_some());
    world.clock.advance(hours(12));
    assert!(world.principal(&session).await.is_none());
}

#[tokio::test]
async fn a_remembered_session_lives_30_days() {
    let world = World::new();
    world.account("ada").await;
    let request = SignInRequest {
        username: "ada",
        password: PASSWORD,
        lifetime: Lifetime::Remembered,
        address: None,
        user_agent: None,
    };
    let SignIn::Done(session) = world.accounts.sign_in(request).await.unwrap() else {
        panic!("not in")
    };
    assert_eq!(session.session.expires.since(world.clock.now()), hours(30 * 24));
    world.clock.advance(hours(30 * 24) - Duration::from_millis(1));
    assert!(world.principal(&session).await.is_some());
    world.clock.advance(Duration::from_millis(1));
    assert!(world.principal(&session).await.is_none());
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let world = World::new();
    let ada = world.account("ada").await;
    let (here, there) = (world.signed_in("ada").await, world.signed_in("ada").await);
    let principal = world.principal(&here).await.unwrap();
    world.principal(&there).await.unwrap();
    let token = world
        .accounts
        .create_token(&principal, wanted(None))
        .await
        .unwrap();
    world.events.take();
    let changed = world
        .accounts
        .change_password(&principal, PASSWORD, "a better password")
        .await
        .unwrap();
    assert_eq!(changed, PasswordChange::Done);
    assert!(world.principal(&here).await.is_some() && world.principal(&there).await.is_none());
    assert!(world.token_works(&token).await);
    assert_eq!(world.events.take(), [AccountEvent::PasswordChanged(ada.id)]);
    assert!(matches!(world.try_password("ada", PASSWORD).await, SignIn::Wrong));
    assert!(matches!(
        world.try_password("ada", "a better password").await,
        SignIn::Done(_)
    ));
}

#[tokio::test]
async fn changing_a_password_needs_the_current_one_and_guessing_it_is_throttled() {
    let world = World::new();
    world.account("ada").await;
    let principal = world.principal(&world.signed_in("ada").await).await.unwrap();
    let try_it = async |current| {
        world
            .accounts
            .change_password(&principal, current, "a better password")
            .await
            .unwrap()
    };
    for _ in 0..10 {
        assert_eq!(try_it("wrong password").await, PasswordChange::Wrong);
    }
    assert!(matches!(try_it(PASSWORD).await, PasswordChange::Throttled { .. }));
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(try_it(PASSWORD).await, PasswordChange::Done);
    let weak = world
        .accounts
        .change_password(&principal, "a better password", "12345678")
        .await
        .unwrap_err();
    assert_eq!(
        (weak.kind(), weak.field()),
        (ErrorKind::InvalidInput, Some("new"))
    );
}

#[tokio::test]
async fn a_token_shows_its_secret_once_and_does_what_its_scopes_say() {
    let world = World::new();
    world.account("ada").await;
    let maker = world.principal(&world.signed_in("ada").await).await.unwrap();
    let issued = world.accounts.create_token(&maker, wanted(None)).await.unwrap();
    let principal = world
        .accounts
        .authenticate_token(issued.secret.expose())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (principal.scopes, principal.proof),
        (Scopes::USUAL, Proof::Token(issued.token.id))
    );
    assert!(principal.may(Scope::Write) && !principal.may(Scope::Account));
    assert_eq!(
        world.accounts.tokens(&maker.account).await.unwrap(),
        from_ref(&issued.token)
    );
    assert!(!format!("{issued:?}").contains(issued.secret.expose()));
}

#[tokio::test]
async fn a_token_is_no_session_and_a_session_no_token() {
    let world = World::new();
    world.account("ada").await;
    let session = world.signed_in("ada").await;
    let maker = world.principal(&session).await.unwrap();
    let issued = world.accounts.create_token(&maker, wanted(None)).await.unwrap();
    assert!(
        world
            .accounts
            .authenticate_session(issued.secret.expose())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        world
            .accounts
            .authenticate_token(session.session.token.expose())
            .await
            .unwrap()
            .is_none()
    );
    let basic = async |name: &str, secret: &str| {
        world
            .accounts
            .authenticate_basic(name, secret)
            .await
            .unwrap()
            .is_some()
    };
    assert!(basic("ADA", issued.secret.expose()).await);
    assert!(!basic("bob", issued.secret.expose()).await);
    assert!(!basic("ada", PASSWORD).await);
}

#[tokio::test]
async fn nobody_gives_a_token_more_than_they_may() {
    let world = World::new();
    world.account("ada").await;
    let maker = world.principal(&world.signed_in("ada").await).await.unwrap();
    let admin = world
        .accounts
        .create_token(&maker, wanted(Some(Scopes::ALL)))
        .await
        .unwrap_err();
    assert_eq!(admin.kind(), ErrorKind::Denied);
    let narrow = Scopes::parse(["read", "account"]).unwrap();
    let issued = world
        .accounts
        .create_token(&maker, wanted(Some(narrow)))
        .await
        .unwrap();
    let script = world
        .accounts
        .authenticate_token(issued.secret.expose())
        .await
        .unwrap()
        .unwrap();
    let more = world
        .accounts
        .create_token(&script, wanted(Some(Scopes::USUAL)))
        .await
        .unwrap_err();
    assert_eq!(more.kind(), ErrorKind::Denied);
    let usual = world.accounts.create_token(&script, wanted(None)).await.unwrap();
    assert_eq!(usual.token.scopes, Scopes::parse(["read"]).unwrap());
}

#[tokio::test]
async fn a_token_of_the_command_line_may_what_its_account_may() {
    let world = World::new();
    let (root, ada) = (world.administrator("root").await, world.account("ada").await);
    let of = async |id| {
        world
            .accounts
            .create_token_for(&OPERATOR, id, wanted(None))
            .await
            .unwrap()
    };
    let (roots, adas) = (of(&root.id).await, of(&ada.id).await);
    assert_eq!(roots.token.scopes, Scopes::ALL);
    assert_eq!(adas.token.scopes.to_string(), "read write share account");
    let principal = world
        .accounts
        .authenticate_token(roots.secret.expose())
        .await
        .unwrap()
        .unwrap();
    assert!(principal.may_administer());
    let demoted = AccountUpdate {
        admin: Some(false),
        ..Default::default()
    };
    world.administrator("other").await;
    world
        .accounts
        .admin_update(&OPERATOR, &root.id, demoted)
        .await
        .unwrap();
    let principal = world
        .accounts
        .authenticate_token(roots.secret.expose())
        .await
        .unwrap()
        .unwrap();
    assert!(
        !principal.may_administer(),
        "the scope outlives the rank, the right does not"
    );
}

#[tokio::test]
async fn a_token_ends_at_its_time_or_when_revoked() {
    let world = World::new();
    world.account("ada").await;
    let maker = world.principal(&world.signed_in("ada").await).await.unwrap();
    let now = world.clock.now();
    let past = TokenRequest {
        expires: Some(now),
        ..wanted(None)
    };
    let error = world.accounts.create_token(&maker, past).await.unwrap_err();
    assert_eq!(error.field(), Some("expires"));
    let hour = TokenRequest {
        expires: Some(now + hours(1)),
        ..wanted(None)
    };
    let (short, long) = (
        world.accounts.create_token(&maker, hour).await.unwrap(),
        world.accounts.create_token(&maker, wanted(None)).await.unwrap(),
    );
    assert!(world.token_works(&short).await && world.token_works(&long).await);
    world.clock.advance(hours(1));
    assert!(!world.token_works(&short).await && world.token_works(&long).await);
    world
        .accounts
        .revoke_token(&maker.account, long.token.id)
        .await
        .unwrap();
    assert!(!world.token_works(&long).await);
    let again = world
        .accounts
        .revoke_token(&maker.account, long.token.id)
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_token_of_another_is_not_found() {
    let world = World::new();
    let (ada, bob) = (world.account("ada").await, world.account("bob").await);
    let issued = world
        .accounts
        .create_token_for(&OPERATOR, &ada.id, wanted(None))
        .await
        .unwrap();
    let error = world
        .accounts
        .revoke_token(&bob.id, issued.token.id)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(world.token_works(&issued).await);
    let none = TokenId::generate(world.clock.now(), &RandomIds);
    assert_eq!(
        world
            .accounts
            .revoke_token(&ada.id, none)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_tokens_is_limited_also_for_those_made_at_once() {
    let world = World::with(config().with_max_tokens_per_account(3));
    let ada = world.account("ada").await;
    let outcomes =
        join_all((0..6).map(|_| world.accounts.create_token_for(&OPERATOR, &ada.id, wanted(None)))).await;
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(
        refused
            .clone()
            .all(|error| error.kind() == ErrorKind::LimitExceeded)
    );
    assert_eq!(
        (
            refused.count(),
            world.accounts.tokens(&ada.id).await.unwrap().len()
        ),
        (3, 3)
    );
}

#[tokio::test]
async fn the_number_of_sessions_is_limited_and_the_oldest_end() {
    let world = World::with(config().with_max_sessions_per_account(2));
    world.account("ada").await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(world.signed_in("ada").await);
        world.clock.advance(Duration::from_secs(1));
    }
    let mut alive = Vec::new();
    for session in &sessions {
        alive.push(world.principal(session).await.is_some());
    }
    assert_eq!(alive, [false, true, true]);
}

#[tokio::test]
async fn the_sweep_removes_what_expired() {
    let world = World::new();
    let ada = world.account("ada").await;
    world.signed_in("ada").await;
    let hour = TokenRequest {
        expires: Some(world.clock.now() + hours(1)),
        ..wanted(None)
    };
    world
        .accounts
        .create_token_for(&OPERATOR, &ada.id, hour)
        .await
        .unwrap();
    world.accounts.sweep().await.unwrap();
    assert_eq!(world.accounts.tokens(&ada.id).await.unwrap().len(), 1);
    world.clock.advance(hours(1));
    world.accounts.sweep().await.unwrap();
    assert_eq!(world.accounts.tokens(&ada.id).await.unwrap(), []);
}

#[tokio::test]
async fn a_profile_changes_only_where_it_is_named() {
    let world = World::new();
    let (ada, bob) = (world.account("ada").await, world.account("bob").await);
    let email = |text| Some(Some(Email::parse(text).unwrap()));
    let update = ProfileUpdate {
        display_name: Some(DisplayName::parse("Ada Lovelace").unwrap()),
        email: email("ada@example.edu"),
        ..Default::default()
    };
    let changed = world.accounts.update_profile(&ada.id, update).await.unwrap();
    assert_eq!(world.accounts.me(&ada.id).await.unwrap(), changed);
    assert_eq!(
        (changed.display_name.as_str(), changed.phone.as_str()),
        ("Ada Lovelace", "")
    );
    let taken = ProfileUpdate {
        email: email("Ada@Example.edu"),
        ..Default::default()
    };
    let error = world.accounts.update_profile(&bob.id, taken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let nowhere = ProfileUpdate {
        email: Some(None),
        ..Default::default()
    };
    let changed = world.accounts.update_profile(&ada.id, nowhere).await.unwrap();
    assert_eq!(
        (changed.email, changed.display_name.as_str()),
        (None, "Ada Lovelace")
    );
}
