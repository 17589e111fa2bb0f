//! Every store of accounts keeps its contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_accounts::{
    AccountStore, Accounts, AccountsConfig, AccountsSeams, Administrator, Page, Registrant,
};
use campusdisk_core::{RandomIds, Result, SystemClock};
use campusdisk_sql::SqliteDatabase;
use campusdisk_testkit::accounts::{AccountsHarness, MemoryAccountsHarness};
use campusdisk_testkit::accounts_conformance;
use futures::future::join_all;
use tempfile::TempDir;

accounts_conformance!(memory, MemoryAccountsHarness::default());
accounts_conformance!(sqlite, SqliteHarness::fresh().await);

/// Accounts in a file of their own.
#[derive(Debug)]
struct SqliteHarness {
    folder: TempDir,
    database: SqliteDatabase,
}

impl SqliteHarness {
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(folder.path().join("campusdisk.db"))
            .await
            .unwrap();
        Self { folder, database }
    }
}

#[async_trait]
impl AccountsHarness for SqliteHarness {
    fn store(&self) -> Arc<dyn AccountStore> {
        Arc::new(self.database.accounts())
    }

    async fn reopen(&self) -> Result<Arc<dyn AccountStore>> {
        self.database.close().await;
        let again = SqliteDatabase::open(self.folder.path().join("campusdisk.db")).await?;
        Ok(Arc::new(again.accounts()))
    }
}

/// As a command beside a running server has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_have_the_file_open_write_in_turns_and_see_one_another() {
    let harness = SqliteHarness::fresh().await;
    let other = SqliteDatabase::open(harness.folder.path().join("campusdisk.db"))
        .await
        .unwrap();
    let stores: [Arc<dyn AccountStore>; 2] = [harness.store(), Arc::new(other.accounts())];
    let accounts = stores.map(|store| {
        let seams = AccountsSeams {
            store,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        };
        let cheap = AccountsConfig::default()
            .with_argon2_memory_kib(8)
            .with_argon2_passes(1);
        Accounts::new(seams, cheap).unwrap()
    });
    let names: Vec<_> = (0..20).map(|number| format!("person {number:02}")).collect();
    let registrations = names.iter().enumerate().map(|(number, name)| {
        accounts[number % 2].register(Registrant {
            username: name,
            password: "correct horse battery",
            email: None,
        })
    });
    for registered in join_all(registrations).await {
        registered.unwrap();
    }
    for each in &accounts {
        let listed = each
            .admin_list(&Administrator::operator(), None, Page::default())
            .await
            .unwrap();
        let listed: Vec<_> = listed
            .items
            .iter()
            .map(|account| account.username.to_string())
            .collect();
        assert_eq!(listed, names);
    }
}
