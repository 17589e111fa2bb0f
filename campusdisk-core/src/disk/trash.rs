//! The trash: delete, look, restore, purge.

use super::place::{Lost, is_lost_race};
use super::shared::{Desk, Shared};
use super::tree::check_version;
use crate::catalog::record::{Node, NodeKind, Role, TrashMark};
use crate::catalog::{Bulk, Expect, Page, RecordKey};
use crate::{DriveId, Error, ErrorKind, NodeId, Result, Timestamp};

/// What to do when the name of a restored node is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Restore {
    /// Refuse.
    #[default]
    Fail,
    /// Take the next free name.
    Rename,
}

impl Desk {
    /// Puts a node into the trash. What is below it goes out of sight with it, and the shares of all that end.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied), [`Changed`](ErrorKind::Changed) when it has none of the expected versions,
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a drive's root.
    pub async fn trash(&self, id: NodeId, if_version: Option<&[u64]>) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.try_trash(id, if_version).await {
                Err(error) if is_lost_race(&error) && tries < self.shared.policy.race_tries => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_trash(&self, id: NodeId, if_version: Option<&[u64]>) -> Result<()> {
        self.may_write(id).await?;
        let place = self.shared.fresh_place(id).await?.ok_or_else(Error::not_found)?;
        let old = &place.node;
        check_version(old, if_version)?;
        if old.parent.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a drive's root can't be deleted",
            ));
        }
        let mut set = self.shared.change_set();
        set.push(Expect::Version(RecordKey::Node(id), old.version));
        let mark = TrashMark {
            at: set.at,
            expires: set.at + self.shared.policy.trash_rest,
            by: self.actor.account.clone(),
        };
        let node = Node {
            trashed: Some(mark),
            version: old.version + 1,
            ..old.clone()
        };
        set.push(node.clone());
        set.push(Bulk::EndShares { root: id });
        set.push(self.shared.node_event(&self.actor.account, "node.trashed", &node));
        self.shared.commit(set).await.map(drop)
    }

    /// What lies in the trash of the drives the actor may write to, latest first, but for what is being purged: a page may
    /// have fewer rows than `limit`, and others after it.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn trashed(
        &self,
        after: Option<(Timestamp, NodeId)>,
        limit: u32,
    ) -> Result<Page<Node, (Timestamp, NodeId)>> {
        let drives = self.drives_at_least(Role::Contributor).await?;
        let rows = self
            .shared
            .catalog
            .trashed(&drives, after, limit.saturating_add(1))
            .await?;
        let cursor = |node: &Node| {
            (
                node.trashed
                    .as_ref()
                    .map_or_else(Timestamp::default, |mark| mark.at),
                node.id,
            )
        };
        let mut page = super::browse::page(rows, limit, cursor);
        let now = self.shared.now();
        page.items.retain(|node| !is_due(node, now));
        Ok(page)
    }

    /// Takes a node out of the trash: to its folder, or, where that is gone, into the drive's root. Its shares stay ended.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when it is not in the actor's trash, or its time there is over or its purge has begun; [`AlreadyExists`](ErrorKind::AlreadyExists) when its name is taken and that is refused.
    pub async fn restore(&self, id: NodeId, conflict: Restore) -> Result<Node> {
        let (mut tries, mut lost) = (0, Lost::new());
        loop {
            match self.try_restore(id, conflict, &mut lost).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && conflict == Restore::Fail => {
                    return Err(error);
                }
                // The folder went away meanwhile, or somebody else was faster.
                Err(error)
                    if (is_lost_race(&error)
                        || error.kind() == ErrorKind::NotFound && error.operation().is_none())
                        && tries < self.shared.policy.race_tries =>
                {
                    tries += 1;
                    self.trashed_node(id, Role::Contributor).await?;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_restore(&self, id: NodeId, conflict: Restore, lost: &mut Lost) -> Result<Node> {
        let old = self.trashed_node(id, Role::Contributor).await?;
        if is_due(&old, self.shared.now()) {
            return Err(missing());
        }
        let parent = match old.parent {
            Some(parent) if self.shared.fresh_place(parent).await?.is_some() => parent,
            _ => {
                self.shared
                    .catalog
                    .drive(old.drive)
                    .await?
                    .ok_or_else(Error::not_found)?
                    .root
            }
        };
        let mut name = old.name.clone();
        if conflict == Restore::Rename && self.shared.catalog.child(parent, &name).await?.is_some() {
            name = self.shared.free_name(parent, &name, lost).await?;
            lost.insert((parent, name.clone()));
        }
        let mut set = self.shared.change_set();
        set.push(Expect::Version(RecordKey::Node(id), old.version));
        set.push(Expect::ParentLive(parent, old.drive))
            .push(Expect::NameFree(parent, name.clone()));
        let node = Node {
            trashed: None,
            parent: Some(parent),
            name,
            version: old.version + 1,
            ..old
        };
        set.push(node.clone());
        // Also those that were on their way into the catalog, or moved with their file below the node, while it was deleted.
        set.push(Bulk::EndShares { root: id });
        set.push(
            self.shared
                .node_event(&self.actor.account, "node.restored", &node),
        );
        self.shared.commit(set).await?;
        Ok(node)
    }

    /// Removes a trashed node and all below it for good.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when it is not in the actor's trash, [`Denied`](ErrorKind::Denied) unless they manage the drive.
    ///
    /// # Cancel safety
    /// When dropped, part of it may be gone; the sweep purges the rest.
    pub async fn purge(&self, id: NodeId) -> Result<()> {
        let node = self.trashed_node(id, Role::Manager).await?;
        self.shared.purge(&node).await
    }

    /// Purges everything in the trash of the drives the actor manages.
    ///
    /// # Errors
    /// What the catalog says; what was purged before is gone.
    pub async fn empty_trash(&self) -> Result<()> {
        let drives = self.drives_at_least(Role::Manager).await?;
        loop {
            let nodes = self
                .shared
                .catalog
                .trashed(&drives, None, self.shared.policy.batch_rows)
                .await?;
            if nodes.is_empty() {
                return Ok(());
            }
            for node in &nodes {
                self.shared.purge(node).await?;
            }
        }
    }

    async fn drives_at_least(&self, least: Role) -> Result<Vec<DriveId>> {
        let drives = self.shared.catalog.drives_of(&self.actor.subjects()).await?;
        Ok(drives
            .into_iter()
            .filter(|(_, role)| *role >= least)
            .map(|(drive, _)| drive.id)
            .collect())
    }

    /// A node that was deleted itself, not only along with a folder above it.
    async fn trashed_node(&self, id: NodeId, least: Role) -> Result<Node> {
        let node = self
            .shared
            .catalog
            .node(id)
            .await?
            .filter(|node| node.trashed.is_some());
        let node = node.ok_or_else(missing)?;
        let role = self
            .shared
            .role(&self.actor, node.drive)
            .await?
            .ok_or_else(missing)?;
        if role < Role::Contributor {
            return Err(missing());
        }
        if role < least {
            return Err(Error::new(
                ErrorKind::Denied,
                format!("this needs the role {least} in the drive"),
            ));
        }
        Ok(node)
    }
}

fn missing() -> Error {
    Error::not_found().during("look into the trash")
}

/// Whether the node's time in the trash is over: it may be half purged already.
fn is_due(node: &Node, now: Timestamp) -> bool {
    node.trashed.as_ref().is_some_and(|mark| mark.expires <= now)
}

impl Shared {
    /// Purges a trashed node batch by batch. A node that was restored meanwhile stays.
    ///
    /// The first batch makes the node due by every clock: from then on it can't be restored, and the sweep finishes what a
    /// crash leaves.
    pub(super) async fn purge(&self, node: &Node) -> Result<()> {
        let mut begun = self.change_set();
        begun.push(Expect::Version(RecordKey::Node(node.id), node.version));
        // A file is gone with the first batch.
        if node.kind == NodeKind::Folder {
            begun.push(Node {
                trashed: node.trashed.clone().map(|mark| TrashMark {
                    expires: Timestamp::default(),
                    ..mark
                }),
                version: node.version + 1,
                ..node.clone()
            });
        }
        let mut begun = Some(begun);
        loop {
            let mut set = begun.take().unwrap_or_else(|| self.change_set());
            set.push(Bulk::Purge {
                root: node.id,
                limit: self.policy.batch_rows,
            });
            let committed = match self.commit(set).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    let now = self.catalog.node(node.id).await?;
                    // Somebody else has begun to purge it: both go on. Else it was restored, or is gone.
                    match now.is_some_and(|now| is_due(&now, self.now())) {
                        true => continue,
                        false => return Ok(()),
                    }
                }
                outcome => outcome?,
            };
            // A replayed set says nothing about what is left; the next batch does.
            if committed.bulk.first().is_some_and(|outcome| outcome.done) {
                return Ok(());
            }
        }
    }
}
