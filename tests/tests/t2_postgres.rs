//! The catalog and the accounts on a real PostgreSQL keep the contracts that they keep on SQLite.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_accounts::AccountStore;
use campusdisk_core::Result;
use campusdisk_core::catalog::Catalog;
use campusdisk_sql::{PostgresDatabase, PostgresOptions};
use campusdisk_testkit::accounts::AccountsHarness;
use campusdisk_testkit::{accounts_conformance, catalog_conformance};
use campusdisk_tests::postgres::Schema;

catalog_conformance!(catalog_on_postgres, postgres);
accounts_conformance!(accounts_on_postgres, PostgresHarness::fresh().await);

async fn postgres() -> (Arc<dyn Catalog>, Schema) {
    let schema = Schema::fresh().await;
    let database = PostgresDatabase::connect(schema.url(), PostgresOptions::default())
        .await
        .unwrap();
    (Arc::new(database.catalog()), schema)
}

/// Accounts in a schema of their own.
#[derive(Debug)]
struct PostgresHarness {
    database: PostgresDatabase,
    schema: Schema,
}

impl PostgresHarness {
    async fn fresh() -> Self {
        let schema = Schema::fresh().await;
        let database = PostgresDatabase::connect(schema.url(), PostgresOptions::default())
            .await
            .unwrap();
        Self { database, schema }
    }
}

#[async_trait]
impl AccountsHarness for PostgresHarness {
    fn store(&self) -> Arc<dyn AccountStore> {
        Arc::new(self.database.accounts())
    }

    async fn reopen(&self) -> Result<Arc<dyn AccountStore>> {
        self.database.close().await;
        let again = PostgresDatabase::connect(self.schema.url(), PostgresOptions::default()).await?;
        Ok(Arc::new(again.accounts()))
    }
}
