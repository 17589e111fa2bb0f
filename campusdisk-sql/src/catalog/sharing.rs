//! Reads of shares, tickets and the trash.

use async_trait::async_trait;
use campusdisk_core::catalog::record::{Node, Share, Ticket};
use campusdisk_core::catalog::{Sharing, Trash};
use campusdisk_core::{AccountId, DriveId, NodeId, Result, ShareId, TicketId, Timestamp};

use super::SqlCatalog;
use super::metadata::drive_ids;
use super::read::Query;
use super::rows;
use super::table::{NODES, SHARES, TICKETS};
use crate::session::Args;

#[async_trait]
impl Sharing for SqlCatalog {
    async fn share(&self, id: ShareId) -> Result<Option<Share>> {
        self.by_key(&SHARES, Args::new().id(id.as_u128()), rows::share)
            .await
    }

    async fn share_by_token(&self, token: &str) -> Result<Option<Share>> {
        let sql = format!("SELECT {} FROM shares WHERE token = $1", SHARES.columns);
        self.first(sql, Args::new().text(token), rows::share).await
    }

    async fn shares_of(
        &self,
        maker: &AccountId,
        node: Option<NodeId>,
        before: Option<ShareId>,
        limit: u32,
    ) -> Result<Vec<Share>> {
        let mut query = Query::new(format!("SELECT {} FROM shares", SHARES.columns));
        query
            .bind(" WHERE maker = ", |args| args.push_text(Some(maker.as_str())))
            .say(" AND ended IS NULL");
        if let Some(node) = node {
            query.bind(" AND node = ", |args| args.push_id(Some(node.as_u128())));
        }
        if let Some(before) = before {
            query.bind(" AND id < ", |args| args.push_id(Some(before.as_u128())));
        }
        query.bind(" ORDER BY id DESC LIMIT ", |args| {
            args.push_int(Some(limit.into()));
        });
        self.list(query.sql, query.args, rows::share).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>> {
        self.by_key(&TICKETS, Args::new().id(id.as_u128()), rows::ticket)
            .await
    }

    async fn ticket_of(&self, share: ShareId, client: &str) -> Result<Option<Ticket>> {
        let sql = format!(
            "SELECT {} FROM tickets WHERE share = $1 AND client = $2",
            TICKETS.columns
        );
        let args = Args::new().id(share.as_u128()).text(client);
        self.first(sql, args, rows::ticket).await
    }
}

#[async_trait]
impl Trash for SqlCatalog {
    async fn trashed(
        &self,
        drives: &[DriveId],
        after: Option<(Timestamp, NodeId)>,
        limit: u32,
    ) -> Result<Vec<Node>> {
        if drives.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Query::new(format!("SELECT {} FROM nodes", NODES.columns));
        query
            .say(" WHERE trashed_at IS NOT NULL AND drive IN ")
            .ids(&drive_ids(drives));
        if let Some((at, id)) = after {
            query
                .bind(" AND (trashed_at, id) < (", |args| {
                    args.push_int(Some(at.as_millis()));
                })
                .bind(", ", |args| args.push_id(Some(id.as_u128())))
                .say(")");
        }
        query.bind(" ORDER BY trashed_at DESC, id DESC LIMIT ", |args| {
            args.push_int(Some(limit.into()));
        });
        self.list(query.sql, query.args, rows::node).await
    }

    async fn trash_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<Node>> {
        let sql = format!(
            "SELECT {} FROM nodes WHERE trashed_at IS NOT NULL AND trash_expires <= $1 LIMIT $2",
            NODES.columns
        );
        let args = Args::new().time(now).int(limit.into());
        self.list(sql, args, rows::node).await
    }
}
