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
mod rows;
mod sharing;
mod table;
mod upload_rows;

use async_trait::async_trait;
use campusdisk_core::Result;
use campusdisk_core::catalog::{Catalog, ChangeSet, Committed};

use crate::database::Database;

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
        self.database
            .write(Box::new(move |session| Box::pin(apply::apply_set(session, set))))
            .await
    }
}
