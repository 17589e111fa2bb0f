//! Reads of the records of downloads.

use async_trait::async_trait;
use campusdisk_core::catalog::record::DownloadRecord;
use campusdisk_core::catalog::{DownloadsQuery, Records};
use campusdisk_core::{AccountId, DownloadId, Result};

use super::SqlCatalog;
use super::read::Query;
use super::rows;
use super::table::DOWNLOADS;
use crate::session::Args;

#[async_trait]
impl Records for SqlCatalog {
    async fn download(&self, id: DownloadId) -> Result<Option<DownloadRecord>> {
        self.by_key(&DOWNLOADS, Args::new().id(id.as_u128()), rows::download)
            .await
    }

    async fn downloads(&self, query: &DownloadsQuery) -> Result<Vec<DownloadRecord>> {
        let mut select = Query::new(format!("SELECT {} FROM downloads", DOWNLOADS.columns));
        // Both ends are always said, so that there is always an index to walk.
        select
            .bind(" WHERE id >= ", |args| args.push_id(Some(query.from.as_u128())))
            .bind(" AND id < ", |args| args.push_id(Some(query.before.as_u128())));
        if let Some(account) = query.account.as_ref().map(AccountId::as_str) {
            select.bind(" AND account = ", |args| args.push_text(Some(account)));
        }
        if let Some(node) = query.node {
            select.bind(" AND node = ", |args| args.push_id(Some(node.as_u128())));
        }
        select.bind(" ORDER BY id DESC LIMIT ", |args| {
            args.push_int(Some(query.limit.into()));
        });
        self.list(select.sql, select.args, rows::download).await
    }
}
