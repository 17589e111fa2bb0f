//! The versions of a file.

use std::sync::Arc;

use super::place::{is_lost_race, signed, version_of};
use super::shared::Desk;
use crate::catalog::record::{Content, Node, NodeKind, Version};
use crate::catalog::{Bound, Change, Counter, Expect, Page, RecordKey};
use crate::{Error, ErrorKind, NodeId, Result};

impl Desk {
    /// The contents a file had, newest first, with what is known of their bytes.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not see it, [`InvalidInput`](ErrorKind::InvalidInput) for a folder.
    pub async fn versions(
        &self,
        file: NodeId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page<(Version, Option<Arc<Content>>), u64>> {
        let grant = self.may_read(file).await?;
        if grant.node.kind == NodeKind::Folder {
            return Err(Error::new(ErrorKind::InvalidInput, "is a folder, not a file"));
        }
        let rows = self
            .shared
            .catalog
            .versions(file, before, limit.saturating_add(1))
            .await?;
        let page = super::browse::page(rows, limit, |version| version.number);
        let mut items = Vec::with_capacity(page.items.len());
        for version in page.items {
            let content = self.shared.catalog.content(version.content).await?.map(Arc::new);
            items.push((version, content));
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// Makes an earlier content the file's present one again, as a new version.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) without such a version, [`Denied`](ErrorKind::Denied), [`QuotaExceeded`](ErrorKind::QuotaExceeded): every version counts.
    pub async fn restore_version(&self, file: NodeId, number: u64) -> Result<Node> {
        let mut tries = 0;
        loop {
            match self.try_restore_version(file, number).await {
                Err(error) if is_lost_race(&error) && tries < self.shared.policy.race_tries => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_restore_version(&self, file: NodeId, number: u64) -> Result<Node> {
        self.may_write(file).await?;
        let place = self
            .shared
            .fresh_place(file)
            .await?
            .ok_or_else(Error::not_found)?;
        let version = self
            .shared
            .catalog
            .version(file, number)
            .await?
            .ok_or_else(Error::not_found)?;
        let old = &place.node;
        let mut set = self.shared.change_set();
        let node = Node {
            content: Some(version.content),
            size_bytes: version.size_bytes,
            category: version
                .mime
                .as_deref()
                .map_or(old.category, crate::media::category),
            mime: version.mime,
            modified: set.at,
            version: old.version + 1,
            ..old.clone()
        };
        set.push(Expect::Version(RecordKey::Node(file), old.version));
        set.push(Change::Add(Counter::ContentRefs(version.content), 1, Bound::None));
        set.push(node.clone());
        set.push(version_of(&node, version.content, set.at));
        set.push(Change::Add(
            Counter::DriveUsed(node.drive),
            signed(node.size_bytes)?,
            Bound::Quota,
        ));
        set.push(self.shared.node_event(&self.actor.account, "node.changed", &node));
        self.shared.commit(set).await?;
        Ok(node)
    }
}
