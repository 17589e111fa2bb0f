//! What people and administrators do with accounts ends as promised.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod admin;
mod credentials;
mod races;
mod setup;
mod sign_in;

use std::sync::{Arc, Mutex};

use campusdisk_accounts::{
    Account, AccountEvent, AccountListener, AccountStore, Accounts, AccountsConfig, AccountsSeams,
    Administrator, Lifetime, MemoryAccountStore, NewAccount, Principal, Registrant, SignIn, SignInRequest,
    SignedIn,
};
use campusdisk_core::RandomIds;
use campusdisk_testkit::manual::ManualClock;

const OPERATOR: Administrator = Administrator::operator();
const PASSWORD: &str = "correct horse battery";

/// Accounts in memory under a clock that the test moves.
struct World {
    accounts: Accounts,
    clock: Arc<ManualClock>,
    store: Arc<dyn AccountStore>,
    events: Arc<Events>,
}

#[derive(Debug, Default)]
struct Events(Mutex<Vec<AccountEvent>>);

impl AccountListener for Events {
    fn notice(&self, event: &AccountEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    fn take(&self) -> Vec<AccountEvent> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The cheapest hashes argon2 makes: these tests count them.
fn config() -> AccountsConfig {
    AccountsConfig::default()
        .with_argon2_memory_kib(8)
        .with_argon2_passes(1)
}

impl World {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: AccountsConfig) -> Self {
        Self::over(
            Arc::new(MemoryAccountStore::default()),
            Arc::new(ManualClock::new()),
            config,
        )
    }

    fn over(store: Arc<dyn AccountStore>, clock: Arc<ManualClock>, config: AccountsConfig) -> Self {
        let seams = AccountsSeams {
            store: store.clone(),
            clock: clock.clone(),
            ids: Arc::new(RandomIds),
        };
        let (accounts, events) = (Accounts::new(seams, config).unwrap(), Arc::new(Events::default()));
        accounts.listen(events.clone());
        Self {
            accounts,
            clock,
            store,
            events,
        }
    }

    /// Other accounts over the same store and clock, as another process has them.
    fn beside(&self, config: AccountsConfig) -> Self {
        Self::over(self.store.clone(), self.clock.clone(), config)
    }

    async fn account(&self, username: &str) -> Account {
        self.accounts.register(registrant(username)).await.unwrap()
    }

    async fn administrator(&self, username: &str) -> Account {
        let new = NewAccount {
            registrant: registrant(username),
            admin: true,
        };
        self.accounts.create(&OPERATOR, new).await.unwrap()
    }

    async fn try_password(&self, username: &str, password: &str) -> SignIn {
        self.accounts.sign_in(request(username, password)).await.unwrap()
    }

    async fn signed_in(&self, username: &str) -> SignedIn {
        let SignIn::Done(signed_in) = self.try_password(username, PASSWORD).await else {
            panic!("{username} could not sign in");
        };
        signed_in
    }

    async fn principal(&self, signed_in: &SignedIn) -> Option<Arc<Principal>> {
        self.accounts
            .authenticate_session(signed_in.session.token.expose())
            .await
            .unwrap()
    }
}

fn registrant(username: &str) -> Registrant<'_> {
    Registrant {
        username,
        password: PASSWORD,
        email: None,
    }
}

fn request<'a>(username: &'a str, password: &'a str) -> SignInRequest<'a> {
    SignInRequest {
        username,
        password,
        lifetime: Lifetime::Browser,
        address: Some([10, 0, 0, 1].into()),
        user_agent: Some("test/1.0"),
    }
}
