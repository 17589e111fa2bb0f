//! The catalog as statements.

mod add;
mod apply;
mod bulk;
mod extents;
mod ledger;
mod metadata;
mod plan;
#[cfg(test)]
pub(crate) mod query_plans;
mod read;
mod records;
mod rows;
mod sharing;
mod table;
mod upload_rows;

use std::sync::Arc;

use async_trait::async_trait;
use campusdisk_core::Result;
use campusdisk_core::catalog::{Catalog, ChangeSet, Committed};

use crate::database::{Answer, Database};

/// The catalog in a SQL database. Clones share it.
#[derive(Clone, Debug)]
pub struct SqlCatalog {
    database: Database,
}

impl SqlCatalog {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Catalog for SqlCatalog {
    async fn commit(&self, set: ChangeSet) -> Result<Committed> {
        let set = Arc::new(set);
        self.database
            .write(Box::new(move |session| {
                let set = set.clone();
                Box::pin(async move { apply::apply_set(session, &set).await })
            }))
            .await
    }
}

impl Answer for Committed {
    fn is_replay(&self) -> bool {
        self.replayed
    }

    fn of_one_statement() -> Self {
        // Bulk changes take several.
        Self::default()
    }
}
