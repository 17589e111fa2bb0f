//! Folders made, nodes renamed and moved.

use std::collections::BTreeSet;

use super::access::Place;
use super::shared::Desk;
use crate::catalog::record::{Node, NodeKind};
use crate::catalog::{Bound, Bulk, Change, Counter, Expect, RecordKey};
use crate::{DriveId, EntryName, Error, ErrorKind, NodeId, Result};

/// What to change about a node.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NodeUpdate {
    /// Another name.
    pub name: Option<EntryName>,
    /// Another folder, perhaps in another drive.
    pub parent: Option<NodeId>,
    /// Only while the node has one of these versions; else [`Changed`](ErrorKind::Changed).
    pub if_version: Option<Vec<u64>>,
}

impl Desk {
    /// Makes a folder.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied) for the parent, [`AlreadyExists`](ErrorKind::AlreadyExists) when the name is taken,
    /// [`InvalidInput`](ErrorKind::InvalidInput) in a file or too deep.
    pub async fn create_folder(&self, parent: NodeId, name: EntryName) -> Result<Node> {
        self.again_after_races(|| self.try_create_folder(parent, &name))
            .await
    }

    async fn try_create_folder(&self, parent: NodeId, name: &EntryName) -> Result<Node> {
        let place = self.may_write_fresh(parent).await?.folder()?;
        self.check_depth(&place, 1)?;
        let (drive, mut set) = (place.node.drive, self.shared.change_set());
        let node = self
            .shared
            .new_node(drive, parent, name.clone(), NodeKind::Folder, set.at);
        set.push(Expect::ParentLive(parent, drive))
            .push(Expect::NameFree(parent, name.clone()))
            .push(node.clone());
        set.push(self.shared.node_event(&self.actor.account, "node.created", &node));
        self.shared.commit(set).await?;
        Ok(node)
    }

    /// Renames or moves a node. No byte moves.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied) for the node or the folder, [`AlreadyExists`](ErrorKind::AlreadyExists) when the name is taken,
    /// [`Conflict`](ErrorKind::Conflict) for a folder into itself, [`Changed`](ErrorKind::Changed) when the node has another version than expected,
    /// [`QuotaExceeded`](ErrorKind::QuotaExceeded) when another drive has no room for it, [`InvalidInput`](ErrorKind::InvalidInput) for a drive's root.
    pub async fn update(&self, id: NodeId, update: NodeUpdate) -> Result<Node> {
        self.again_after_races(|| self.try_update(id, &update)).await
    }

    async fn try_update(&self, id: NodeId, update: &NodeUpdate) -> Result<Node> {
        let place = self.may_write_fresh(id).await?;
        let old = &place.node;
        check_version(old, update.if_version.as_deref())?;
        let Some(old_parent) = old.parent else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a drive's root can be neither renamed nor moved",
            ));
        };
        let mut set = self.shared.change_set();
        set.push(Expect::Version(RecordKey::Node(id), old.version));
        let mut node = Node {
            version: old.version + 1,
            ..old.clone()
        };
        if let Some(name) = &update.name {
            node.name = name.clone();
        }
        let mut rehome = None;
        if let Some(parent) = update.parent.filter(|&parent| parent != old_parent) {
            let mut target = self.may_write_fresh(parent).await?.folder()?;
            if old.kind == NodeKind::Folder {
                // Read before the check for cycles: whoever moves a folder meanwhile changes it.
                for drive in BTreeSet::from([old.drive, target.node.drive]) {
                    self.expect_tree(drive, &mut set).await?;
                }
                target = self.may_write_fresh(parent).await?;
                if target.is_within(id) {
                    return Err(
                        Error::new(ErrorKind::Conflict, "a folder can't be moved into itself").during(CYCLE),
                    );
                }
                self.check_depth(&target, 1)?;
            }
            let drive = target.node.drive;
            set.push(Expect::ParentLive(parent, drive));
            node.parent = Some(parent);
            rehome = Some(drive).filter(|&drive| drive != old.drive);
            node.drive = drive;
        }
        set.push(node.clone());
        if let Some(drive) = rehome {
            set.push(Bulk::Rehome { root: id, drive });
        }
        set.push(self.shared.node_event(&self.actor.account, "node.moved", &node));
        self.shared.commit(set).await?;
        Ok(node)
    }

    /// Does something again while it loses races, as when its folder was moved to another drive meanwhile.
    pub(super) async fn again_after_races<T, F>(&self, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        for _ in 0..self.shared.policy.race_tries {
            match attempt().await {
                // A cycle is a conflict too, and stays one however often it is tried.
                Err(error) if error.kind() == ErrorKind::Conflict && error.operation() != Some(CYCLE) => {}
                outcome => return outcome,
            }
        }
        attempt().await
    }

    /// Adds that no folder moved in or out of the drive since now, and that one does.
    async fn expect_tree(&self, drive: DriveId, set: &mut crate::catalog::ChangeSet) -> Result<()> {
        let drive = self
            .shared
            .catalog
            .drive(drive)
            .await?
            .ok_or_else(Error::not_found)?;
        set.push(Expect::TreeVersion(drive.id, drive.tree_version));
        set.push(Change::Add(Counter::DriveTree(drive.id), 1, Bound::None));
        Ok(())
    }

    fn check_depth(&self, parent: &Place, more: usize) -> Result<()> {
        if parent.ancestors.len() + more > self.shared.policy.max_depth {
            return Err(Error::invalid("parent", "lies too deep below the drive's root"));
        }
        Ok(())
    }
}

/// Marks the one conflict that trying again does not mend: of a folder into itself.
pub(super) const CYCLE: &str = "place folder";

/// Refuses a node that is not at an expected version (RFC 9110 §13.1.1, on the node's own facts).
pub(super) fn check_version(node: &Node, expected: Option<&[u64]>) -> Result<()> {
    match expected {
        Some(versions) if !versions.contains(&node.version) => Err(Error::new(
            ErrorKind::Changed,
            "the entry is not as the request expects it",
        )),
        _ => Ok(()),
    }
}
