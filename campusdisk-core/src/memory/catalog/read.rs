//! Reads, as scans and sorts.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::MemoryCatalog;
use super::state::State;
use crate::catalog::record::{
    Blob, Content, DownloadRecord, Drive, Event, Lease, Member, Node, Role, Setting, Share, Subject, Ticket,
    Upload, Version,
};
use crate::catalog::{
    ChildrenQuery, Cursor, DownloadsQuery, Ledger, Metadata, Only, Order, Records, SearchQuery, Sharing,
    SortValue, SweepQuery, Trash,
};
use crate::storage::{BlobKey, StoreName};
use crate::{
    AccountId, ContentId, DownloadId, DriveId, EntryName, NameKey, NodeId, Result, ShareId, TicketId,
    Timestamp, UploadId,
};

#[async_trait]
impl Metadata for MemoryCatalog {
    async fn drive(&self, id: DriveId) -> Result<Option<Drive>> {
        Ok(self.with(|state| state.drives.get(&id).cloned()))
    }

    async fn drives_of(&self, subjects: &[Subject]) -> Result<Vec<(Drive, Role)>> {
        Ok(self.with(|state| {
            let role_in = |drive: &Drive| {
                let mine = state
                    .members
                    .values()
                    .filter(|member| member.drive == drive.id && subjects.contains(&member.subject));
                mine.map(|member| member.role).max()
            };
            state
                .drives
                .values()
                .filter_map(|drive| Some((drive.clone(), role_in(drive)?)))
                .collect()
        }))
    }

    async fn drives(&self, after: Option<DriveId>, limit: u32) -> Result<Vec<Drive>> {
        Ok(self.with(|state| {
            let later = state
                .drives
                .values()
                .filter(|drive| after.is_none_or(|after| drive.id > after));
            page(later, limit)
        }))
    }

    async fn members(&self, drive: DriveId) -> Result<Vec<Member>> {
        Ok(self.with(|state| {
            state
                .members
                .values()
                .filter(|member| member.drive == drive)
                .cloned()
                .collect()
        }))
    }

    async fn node(&self, id: NodeId) -> Result<Option<Node>> {
        Ok(self.with(|state| state.nodes.get(&id).cloned()))
    }

    async fn child(&self, parent: NodeId, name: &EntryName) -> Result<Option<Node>> {
        Ok(self.with(|state| {
            let id = state.names.get(&(parent, name.key()))?;
            state.nodes.get(id).cloned()
        }))
    }

    async fn children(&self, parent: NodeId, query: &ChildrenQuery) -> Result<Vec<Node>> {
        let mut rows = self.with(|state| state.live_children(parent));
        rows.retain(|node| query.only.is_none_or(|only| only.takes(node)));
        let place = |node: &Node| place(&Cursor::after(node, query.sort));
        rows.sort_by_cached_key(place);
        if let Some(after) = &query.after {
            let after = self::place(after);
            rows.retain(|node| match query.order {
                Order::Ascending => place(node) > after,
                Order::Descending => place(node) < after,
            });
        }
        if query.order == Order::Descending {
            rows.reverse();
        }
        rows.truncate(query.limit as usize);
        Ok(rows)
    }

    async fn path(&self, id: NodeId) -> Result<Vec<Node>> {
        Ok(self.with(|state| state.path(id)))
    }

    async fn path_and_content(&self, id: NodeId) -> Result<(Vec<Node>, Option<Content>)> {
        Ok(self.with(|state| {
            let path = state.path(id);
            let content = path.last().and_then(|node| state.contents.get(&node.content?));
            let content = content.cloned();
            (path, content)
        }))
    }

    async fn search(&self, query: &SearchQuery) -> Result<Vec<Node>> {
        Ok(self.with(|state| {
            let mut found: Vec<_> = state
                .nodes
                .values()
                .filter(|node| {
                    query.drives.contains(&node.drive)
                        && query
                            .category
                            .is_none_or(|category| Only::Files(category).takes(node))
                })
                .filter(|node| node.name.folded().contains(&query.text))
                .filter(|node| state.upwards(node.id).all(|node| node.trashed.is_none()))
                .map(|node| ((node.name.key(), node.id), node))
                .filter(|(place, _)| query.after.as_ref().is_none_or(|after| place > after))
                .collect();
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            page(found.into_iter().map(|(_, node)| node), query.limit)
        }))
    }

    async fn content(&self, id: ContentId) -> Result<Option<Content>> {
        Ok(self.with(|state| state.contents.get(&id).cloned()))
    }

    async fn versions(&self, node: NodeId, before: Option<u64>, limit: u32) -> Result<Vec<Version>> {
        Ok(self.with(|state| {
            let older = state
                .versions
                .range((node, 0)..(node, before.unwrap_or(u64::MAX)));
            page(older.rev().map(|(_, version)| version), limit)
        }))
    }

    async fn version(&self, node: NodeId, number: u64) -> Result<Option<Version>> {
        Ok(self.with(|state| state.versions.get(&(node, number)).cloned()))
    }

    async fn crc32s(&self, contents: &[ContentId]) -> Result<Vec<(ContentId, Option<u32>)>> {
        Ok(self.with(|state| {
            let found = contents.iter().filter_map(|id| state.contents.get(id));
            found.map(|content| (content.id, content.crc32)).collect()
        }))
    }

    async fn content_by_sha256(
        &self,
        drives: &[DriveId],
        sha256: &[u8; 32],
        size_bytes: u64,
    ) -> Result<Option<ContentId>> {
        Ok(self.with(|state| {
            let same = |content: &Content| {
                content.size_bytes == size_bytes && content.sha256.as_ref() == Some(sha256)
            };
            state
                .versions
                .values()
                .filter(|version| drives.contains(&version.drive))
                .find(|version| state.contents.get(&version.content).is_some_and(same))
                .map(|version| version.content)
        }))
    }

    async fn upload(&self, id: UploadId) -> Result<Option<Upload>> {
        Ok(self.with(|state| state.uploads.get(&id).cloned()))
    }

    async fn uploads_of(
        &self,
        account: &AccountId,
        after: Option<UploadId>,
        limit: u32,
    ) -> Result<Vec<Upload>> {
        let mut uploads = self.with(|state| {
            let open = state
                .uploads
                .values()
                .filter(|upload| upload.account == *account && upload.node.is_none());
            page(
                open.filter(|upload| after.is_none_or(|after| upload.id > after)),
                limit,
            )
        });
        for upload in &mut uploads {
            upload.extents.clear();
        }
        Ok(uploads)
    }
}

#[async_trait]
impl Sharing for MemoryCatalog {
    async fn share(&self, id: ShareId) -> Result<Option<Share>> {
        Ok(self.with(|state| state.shares.get(&id).cloned()))
    }

    async fn share_by_token(&self, token: &str) -> Result<Option<Share>> {
        Ok(self.with(|state| {
            let id = state.tokens.get(&token.to_owned())?;
            state.shares.get(id).cloned()
        }))
    }

    async fn shares_of(
        &self,
        maker: &AccountId,
        node: Option<NodeId>,
        before: Option<ShareId>,
        limit: u32,
    ) -> Result<Vec<Share>> {
        Ok(self.with(|state| {
            let open = state
                .shares
                .values()
                .rev()
                .filter(|share| share.maker == *maker && share.ended.is_none())
                .filter(|share| node.is_none_or(|node| share.node == node));
            page(
                open.filter(|share| before.is_none_or(|before| share.id < before)),
                limit,
            )
        }))
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>> {
        Ok(self.with(|state| state.tickets.get(&id).cloned()))
    }

    async fn ticket_of(&self, share: ShareId, client: &str) -> Result<Option<Ticket>> {
        Ok(self.with(|state| {
            let id = state.clients.get(&(share, client.to_owned()))?;
            state.tickets.get(id).cloned()
        }))
    }
}

#[async_trait]
impl Trash for MemoryCatalog {
    async fn trashed(
        &self,
        drives: &[DriveId],
        after: Option<(Timestamp, NodeId)>,
        limit: u32,
    ) -> Result<Vec<Node>> {
        Ok(self.with(|state| {
            let mut rows: Vec<_> = state
                .nodes
                .values()
                .filter(|node| drives.contains(&node.drive))
                .filter_map(|node| Some(((node.trashed.as_ref()?.at, node.id), node)))
                .filter(|(place, _)| after.is_none_or(|after| *place < after))
                .collect();
            rows.sort_by_key(|&(place, _)| std::cmp::Reverse(place));
            page(rows.into_iter().map(|(_, node)| node), limit)
        }))
    }

    async fn trash_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<Node>> {
        Ok(self.with(|state| {
            let over = |node: &&Node| node.trashed.as_ref().is_some_and(|mark| mark.expires <= now);
            page(state.nodes.values().filter(over), limit)
        }))
    }
}

#[async_trait]
impl Records for MemoryCatalog {
    async fn download(&self, id: DownloadId) -> Result<Option<DownloadRecord>> {
        Ok(self.with(|state| state.downloads.get(&id).cloned()))
    }

    async fn downloads(&self, query: &DownloadsQuery) -> Result<Vec<DownloadRecord>> {
        let is_asked_for = |record: &DownloadRecord| {
            let of_account = query.account.is_none() || query.account == record.account;
            of_account && query.node.is_none_or(|node| node == record.node)
        };
        // No table has ranges that end before they begin.
        if query.before <= query.from {
            return Ok(Vec::new());
        }
        Ok(self.with(|state| {
            let latest = state.downloads.range(query.from..query.before).rev();
            let asked = latest
                .map(|(_, record)| record)
                .filter(|record| is_asked_for(record));
            page(asked, query.limit)
        }))
    }
}

#[async_trait]
impl Ledger for MemoryCatalog {
    async fn blob(&self, store: &StoreName, key: &BlobKey) -> Result<Option<Blob>> {
        Ok(self.with(|state| state.blobs.get(&(store.clone(), *key)).cloned()))
    }

    async fn blobs(&self, query: &SweepQuery) -> Result<Vec<Blob>> {
        let (SweepQuery::LeaseOver(_, limit)
        | SweepQuery::Unreferenced(limit)
        | SweepQuery::CondemnedBefore(_, limit)) = *query;
        let wanted = |blob: &&Blob| match *query {
            SweepQuery::LeaseOver(now, _) => blob.until <= now,
            SweepQuery::Unreferenced(_) => blob.refs == 0,
            SweepQuery::CondemnedBefore(time, _) => blob.condemned.is_some_and(|since| since < time),
        };
        Ok(self.with(|state| {
            let in_state = state.blobs.values().filter(|blob| blob.state == query.state());
            page(in_state.filter(wanted), limit)
        }))
    }

    async fn blobs_of(&self, store: &StoreName, after: Option<&BlobKey>, limit: u32) -> Result<Vec<Blob>> {
        Ok(self.with(|state| {
            let of_store = state.blobs.values().filter(|blob| blob.store == *store);
            page(
                of_store.filter(|blob| after.is_none_or(|after| blob.key > *after)),
                limit,
            )
        }))
    }

    async fn uploads_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>> {
        Ok(self.with(|state| {
            page(
                state.uploads.values().filter(|upload| upload.expires <= now),
                limit,
            )
        }))
    }

    async fn unhashed(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<ContentId>> {
        Ok(self.with(|state| {
            let unhashed = state.contents.values().filter(|row| row.sha256.is_none());
            let later = unhashed
                .map(|row| &row.id)
                .filter(|&&id| after.is_none_or(|after| id > after));
            page(later, limit)
        }))
    }

    async fn contents_in(
        &self,
        store: &StoreName,
        drive: Option<DriveId>,
        after: Option<ContentId>,
        limit: u32,
    ) -> Result<Vec<ContentId>> {
        Ok(self.with(|state| {
            let later = state
                .contents_in(store, drive)
                .map(|content| &content.id)
                .filter(|&&id| after.is_none_or(|after| id > after));
            page(later, limit)
        }))
    }

    async fn sum_in(&self, store: &StoreName, drive: Option<DriveId>) -> Result<(u64, u64)> {
        Ok(self.with(|state| {
            state
                .contents_in(store, drive)
                .fold((0, 0), |(contents, bytes), content| {
                    let here = content.extents.iter().filter(|extent| extent.store == *store);
                    let here: u64 = here.map(|extent| extent.len_bytes).sum();
                    (contents + 1, bytes + here)
                })
        }))
    }

    async fn versions_of(&self, content: ContentId, limit: u32) -> Result<Vec<Version>> {
        Ok(self.with(|state| {
            let of_content = state
                .versions
                .values()
                .filter(|version| version.content == content);
            page(of_content, limit)
        }))
    }

    async fn stores(&self) -> Result<Vec<StoreName>> {
        Ok(self.with(|state| {
            let stores: BTreeSet<_> = state.blobs.values().map(|blob| blob.store.clone()).collect();
            stores.into_iter().collect()
        }))
    }

    async fn setting(&self, key: &str) -> Result<Option<Setting>> {
        Ok(self.with(|state| state.settings.get(&key.to_owned()).cloned()))
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        Ok(self.with(|state| state.leases.get(&name.to_owned()).cloned()))
    }

    async fn events(&self, limit: u32) -> Result<Vec<Event>> {
        Ok(self.with(|state| page(state.events.values(), limit)))
    }

    async fn recount(&self, drive: DriveId) -> Result<(u64, u64)> {
        Ok(self.with(|state| state.sums_of(drive)))
    }
}

impl State {
    fn live_children(&self, parent: NodeId) -> Vec<Node> {
        let (first, last) = (NodeId::from_u128(0), NodeId::from_u128(u128::MAX));
        self.children
            .range((parent, first)..=(parent, last))
            .filter_map(|(&(_, child), ())| self.nodes.get(&child))
            .filter(|node| node.trashed.is_none())
            .cloned()
            .collect()
    }

    /// The contents with an extent in the store that a version in the drive has.
    fn contents_in<'a>(
        &'a self,
        store: &'a StoreName,
        drive: Option<DriveId>,
    ) -> impl Iterator<Item = &'a Content> {
        let of_drive = move |id: ContentId| {
            drive.is_none_or(|drive| {
                let mut versions = self.versions.values();
                versions.any(|version| version.content == id && version.drive == drive)
            })
        };
        self.contents.values().filter(move |content| {
            content.extents.iter().any(|extent| extent.store == *store) && of_drive(content.id)
        })
    }

    /// The node and its ancestors, from the root down to the node.
    fn path(&self, id: NodeId) -> Vec<Node> {
        let mut path: Vec<_> = self.upwards(id).cloned().collect();
        path.reverse();
        path
    }

    /// The node, its folder, and so on up to the root.
    fn upwards(&self, id: NodeId) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.nodes.get(&id), |node| self.nodes.get(&node.parent?))
    }
}

fn page<'a, T: Clone + 'a>(rows: impl Iterator<Item = &'a T>, limit: u32) -> Vec<T> {
    rows.take(limit as usize).cloned().collect()
}

/// Where a row stands in a listing: by the sort's value, then by name.
fn place(cursor: &Cursor) -> (u64, i64, NameKey) {
    let (size, modified) = match cursor.value {
        SortValue::Name => (0, 0),
        SortValue::Size(size_bytes) => (size_bytes, 0),
        SortValue::Modified(modified) => (0, modified.as_millis()),
    };
    (size, modified, cursor.name.clone())
}
