//! Reads of what the service itself keeps.

use async_trait::async_trait;
use campusdisk_core::catalog::record::{Blob, Event, Lease, Setting, Upload, Version};
use campusdisk_core::catalog::{Ledger, SweepQuery};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{ContentId, DriveId, Result, Timestamp};

use super::SqlCatalog;
use super::bulk::SUMS;
use super::read::{Query, extent_columns};
use super::rows;
use super::table::{BLOBS, EVENTS, LEASES, SETTINGS, VERSIONS};
use super::upload_rows::columns_with_extents;
use crate::session::{Args, Columns};

#[async_trait]
impl Ledger for SqlCatalog {
    async fn blob(&self, store: &StoreName, key: &BlobKey) -> Result<Option<Blob>> {
        let key = Args::new().text(store.as_str()).text(key.as_str());
        self.by_key(&BLOBS, key, rows::blob).await
    }

    async fn blobs(&self, query: &SweepQuery) -> Result<Vec<Blob>> {
        // The states are written out, not bound: only then do the partial indexes fit.
        let (condition, time, limit) = match *query {
            SweepQuery::LeaseOver(now, limit) => ("state = 'leased' AND until <= $2", now, limit),
            SweepQuery::Unreferenced(limit) => ("state = 'live' AND refs = 0", Timestamp::default(), limit),
            SweepQuery::CondemnedBefore(time, limit) => {
                ("state = 'condemned' AND condemned < $2", time, limit)
            }
        };
        let sql = format!("SELECT {} FROM blobs WHERE {condition} LIMIT $1", BLOBS.columns);
        let mut args = Args::new().int(limit.into());
        if condition.contains("$2") {
            args = args.time(time);
        }
        self.list(sql, args, rows::blob).await
    }

    async fn blobs_of(&self, store: &StoreName, after: Option<&BlobKey>, limit: u32) -> Result<Vec<Blob>> {
        let mut query = Query::new(format!("SELECT {} FROM blobs", BLOBS.columns));
        query.bind(" WHERE store = ", |args| args.push_text(Some(store.as_str())));
        if let Some(after) = after {
            query.bind(" AND key > ", |args| args.push_text(Some(after.as_str())));
        }
        query.bind(" ORDER BY key LIMIT ", |args| args.push_int(Some(limit.into())));
        self.list(query.sql, query.args, rows::blob).await
    }

    async fn uploads_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>> {
        let sql = format!(
            "SELECT {}, {} FROM (SELECT * FROM uploads WHERE expires <= $1 LIMIT $2) u \
             LEFT JOIN upload_extents e ON e.upload = u.id ORDER BY u.id, e.position",
            columns_with_extents("u", "e"),
            extent_columns("e")
        );
        let args = Args::new().time(now).int(limit.into());
        self.uploads_with_extents(sql, args).await
    }

    async fn unhashed(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<ContentId>> {
        let mut query = Query::new("SELECT id FROM contents WHERE sha256 IS NULL");
        if let Some(after) = after {
            query.bind(" AND id > ", |args| args.push_id(Some(after.as_u128())));
        }
        query.bind(" ORDER BY id LIMIT ", |args| args.push_int(Some(limit.into())));
        let id = |row: &mut Columns<'_>| Ok(ContentId::from_u128(row.id()?));
        self.list(query.sql, query.args, id).await
    }

    async fn contents_in(
        &self,
        store: &StoreName,
        drive: Option<DriveId>,
        after: Option<ContentId>,
        limit: u32,
    ) -> Result<Vec<ContentId>> {
        let mut query = extents_in("DISTINCT e.content", store, drive);
        if let Some(after) = after {
            query.bind(" AND e.content > ", |args| args.push_id(Some(after.as_u128())));
        }
        query.bind(" ORDER BY e.content LIMIT ", |args| {
            args.push_int(Some(limit.into()));
        });
        let id = |row: &mut Columns<'_>| Ok(ContentId::from_u128(row.id()?));
        self.list(query.sql, query.args, id).await
    }

    async fn sum_in(&self, store: &StoreName, drive: Option<DriveId>) -> Result<(u64, u64)> {
        let sums = "COUNT(DISTINCT e.content), CAST(COALESCE(SUM(e.len_bytes), 0) AS BIGINT)";
        let query = extents_in(sums, store, drive);
        let sums = |row: &mut Columns<'_>| Ok((row.count()?, row.count()?));
        Ok(self.first(query.sql, query.args, sums).await?.unwrap_or_default())
    }

    async fn versions_of(&self, content: ContentId, limit: u32) -> Result<Vec<Version>> {
        let mut query = Query::new(format!("SELECT {} FROM versions", VERSIONS.columns));
        query
            .bind(" WHERE content = ", |args| args.push_id(Some(content.as_u128())))
            .bind(" ORDER BY node, number LIMIT ", |args| {
                args.push_int(Some(limit.into()));
            });
        self.list(query.sql, query.args, rows::version).await
    }

    async fn stores(&self) -> Result<Vec<StoreName>> {
        // From name to name by the index: there are few stores and many blobs.
        let sql = "WITH RECURSIVE found (store) AS (SELECT MIN(store) FROM blobs UNION ALL \
                   SELECT (SELECT MIN(b.store) FROM blobs b WHERE b.store > found.store) FROM found \
                   WHERE found.store IS NOT NULL) SELECT store FROM found WHERE store IS NOT NULL";
        self.list(sql, Args::new(), |row| rows::store(row.text()?)).await
    }

    async fn setting(&self, key: &str) -> Result<Option<Setting>> {
        self.by_key(&SETTINGS, Args::new().text(key), rows::setting).await
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        self.by_key(&LEASES, Args::new().text(name), rows::lease).await
    }

    async fn events(&self, limit: u32) -> Result<Vec<Event>> {
        let sql = format!("SELECT {} FROM events ORDER BY number LIMIT $1", EVENTS.columns);
        self.list(sql, Args::new().int(limit.into()), rows::event).await
    }

    async fn recount(&self, drive: DriveId) -> Result<(u64, u64)> {
        let sums = |row: &mut crate::session::Columns<'_>| Ok((row.count()?, row.count()?));
        let args = Args::new().id(drive.as_u128());
        Ok(self.first(SUMS, args, sums).await?.unwrap_or_default())
    }
}

/// Reads of the extents that lie in a store, of all contents or of those of a drive.
fn extents_in(what: &str, store: &StoreName, drive: Option<DriveId>) -> Query {
    let mut query = Query::new(format!("SELECT {what} FROM content_extents e"));
    query.bind(" WHERE e.store = ", |args| args.push_text(Some(store.as_str())));
    if let Some(drive) = drive {
        query
            .bind(
                " AND EXISTS (SELECT 1 FROM versions v WHERE v.content = e.content AND v.drive = ",
                |args| args.push_id(Some(drive.as_u128())),
            )
            .say(")");
    }
    query
}
