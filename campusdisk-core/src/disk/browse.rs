//! Looking around: drives, folders, search.

use std::sync::Arc;

use super::access::Place;
use super::shared::Desk;
use crate::catalog::record::{Category, Drive, DriveKind, Member, Node, NodeKind, Role};
use crate::catalog::{ChildrenQuery, Cursor, Expect, Page, RecordKey, SearchQuery};
use crate::{DriveId, EntryName, Error, ErrorKind, NameKey, NodeId, Result, entry_name};

/// A page of a folder.
pub type Listing = Page<Node, Cursor>;

impl Desk {
    /// The drives the actor is a member of: their own first, then by id.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn drives(&self) -> Result<Vec<(Drive, Role)>> {
        self.home().await?;
        let mut drives = self.shared.catalog.drives_of(&self.actor.subjects()).await?;
        drives.sort_by_key(|(drive, _)| (drive.owner.as_ref() != Some(&self.actor.account), drive.id));
        Ok(drives)
    }

    /// The actor's own drive, made when it is first asked for.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn home(&self) -> Result<Drive> {
        let mut tries = 0;
        loop {
            if let Some(drive) = self.find_home().await? {
                return Ok(drive);
            }
            match self.make_home().await {
                Ok(drive) => return Ok(drive),
                // Another request of the same person was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < 3 => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn find_home(&self) -> Result<Option<Drive>> {
        let subject = [crate::catalog::record::Subject::Account(
            self.actor.account.clone(),
        )];
        let drives = self.shared.catalog.drives_of(&subject).await?;
        let own = |drive: &Drive| {
            drive.kind == DriveKind::Personal && drive.owner.as_ref() == Some(&self.actor.account)
        };
        Ok(drives.into_iter().map(|(drive, _)| drive).find(own))
    }

    async fn make_home(&self) -> Result<Drive> {
        let shared = &self.shared;
        let mut set = shared.change_set();
        let id = DriveId::generate(set.at, &*shared.ids);
        // A request's actor may have less about it than who knows the accounts: a token has no quota.
        let known = shared.identity.actor(&self.actor.account).await?;
        let actor = known.as_ref().unwrap_or(&self.actor);
        let quota_bytes = actor.quota_bytes.or(shared.policy.personal_quota_bytes);
        let name = actor.display_name.clone();
        let owner = Some(self.actor.account.clone());
        let drive = shared.new_drive(id, DriveKind::Personal, name, owner, quota_bytes, &mut set);
        set.push(Member {
            drive: id,
            subject: crate::catalog::record::Subject::Account(self.actor.account.clone()),
            role: Role::Manager,
        });
        shared.commit(set).await?;
        Ok(drive)
    }

    pub(super) async fn drive_ids(&self) -> Result<Vec<DriveId>> {
        let drives = self.shared.catalog.drives_of(&self.actor.subjects()).await?;
        Ok(drives.into_iter().map(|(drive, _)| drive.id).collect())
    }

    /// A node with its content.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not see it.
    pub async fn node(&self, id: NodeId) -> Result<Arc<Place>> {
        self.may(id, Role::Reader).await
    }

    /// The live child of a folder with this name.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when folder or child are not there for the actor.
    pub async fn child(&self, folder: NodeId, name: &EntryName) -> Result<Arc<Place>> {
        self.may_read(folder).await?;
        let child = self
            .shared
            .catalog
            .child(folder, name)
            .await?
            .ok_or_else(Error::not_found)?;
        self.node(child.id).await
    }

    /// A page of a folder's children.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not see the folder, [`InvalidInput`](ErrorKind::InvalidInput) for a file.
    pub async fn children(&self, folder: NodeId, query: &ChildrenQuery) -> Result<Listing> {
        let place = self.may_read(folder).await?;
        self.shared.list(&place, query).await
    }

    /// The folders above a node and the node itself, the drive's root first.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not see it.
    pub async fn path(&self, id: NodeId) -> Result<Vec<Node>> {
        self.may_read(id).await?;
        self.shared.catalog.path(id).await
    }

    /// Nodes in the actor's drives whose name contains `text`, whatever the case.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn search(
        &self,
        text: &str,
        category: Option<Category>,
        after: Option<(NameKey, NodeId)>,
        limit: u32,
    ) -> Result<Page<Node, (NameKey, NodeId)>> {
        let query = SearchQuery {
            drives: self.drive_ids().await?,
            text: entry_name::fold(text),
            category,
            after,
            limit: limit.saturating_add(1),
        };
        let nodes = self.shared.catalog.search(&query).await?;
        Ok(page(nodes, limit, |node| (node.name.key(), node.id)))
    }
}

impl super::shared::Shared {
    pub(super) async fn list(&self, folder: &Place, query: &ChildrenQuery) -> Result<Listing> {
        if folder.node.kind == NodeKind::File {
            return Err(Error::new(ErrorKind::InvalidInput, "is a file, not a folder"));
        }
        let more = ChildrenQuery {
            limit: query.limit.saturating_add(1),
            ..query.clone()
        };
        let nodes = self.catalog.children(folder.node.id, &more).await?;
        Ok(page(nodes, query.limit, |node| Cursor::after(node, query.sort)))
    }

    /// A new drive with its root, added to the set.
    /// The live children of a folder by name; reading ends once there are more than `most`.
    pub(super) async fn all_children(&self, folder: NodeId, most: usize) -> Result<Vec<Node>> {
        let mut query = ChildrenQuery::first(self.policy.batch_rows);
        let mut all = Vec::new();
        loop {
            let children = self.catalog.children(folder, &query).await?;
            let count = children.len() as u64;
            query.after = children.last().map(|last| Cursor::after(last, query.sort));
            all.extend(children);
            if count < u64::from(query.limit) || all.len() > most {
                return Ok(all);
            }
        }
    }

    pub(super) fn new_drive(
        &self,
        id: DriveId,
        kind: DriveKind,
        name: String,
        owner: Option<crate::AccountId>,
        quota_bytes: Option<u64>,
        set: &mut crate::catalog::ChangeSet,
    ) -> Drive {
        let root = NodeId::generate(set.at, &*self.ids);
        let drive = Drive {
            id,
            kind,
            name,
            owner,
            root,
            quota_bytes,
            created: set.at,
            version: 1,
            used_bytes: 0,
            reserved_bytes: 0,
            tree_version: 0,
        };
        set.push(Expect::Absent(RecordKey::Drive(id)));
        set.push(drive.clone());
        // A root's name is never shown and never compared: it has no siblings.
        let name = root_name();
        let node = self.new_node(id, root, name, NodeKind::Folder, set.at);
        set.push(Node {
            id: root,
            parent: None,
            ..node
        });
        drive
    }
}

#[expect(clippy::expect_used, reason = "the word obeys every rule for names")]
fn root_name() -> EntryName {
    EntryName::parse("root").expect("a plain word is a name")
}

/// The first `limit` of rows that were asked for with one more, and the cursor after them where there are more.
pub(super) fn page<T, C>(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { items: rows, next }
}
