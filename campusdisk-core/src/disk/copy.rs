//! Copies: new nodes over the same contents, no byte moves.

use std::collections::HashSet;

use super::access::Place;
use super::place::{signed, version_of};
use super::shared::{Desk, Shared};
use super::tree::CYCLE;
use crate::catalog::record::{Node, NodeKind};
use crate::catalog::{Bound, Change, ChangeSet, Counter, Expect};
use crate::{DriveId, EntryName, Error, ErrorKind, NodeId, Result};

/// What to do when a copy's name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Refuse,
    Evade,
}

impl Desk {
    /// Copies a file or a whole folder into a folder.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied), [`AlreadyExists`](ErrorKind::AlreadyExists) when the name is taken, [`QuotaExceeded`](ErrorKind::QuotaExceeded), [`Conflict`](ErrorKind::Conflict)
    /// for a folder into itself, [`LimitExceeded`](ErrorKind::LimitExceeded) for a folder of more nodes than the policy copies at once.
    pub async fn copy(&self, id: NodeId, parent: NodeId, name: Option<EntryName>) -> Result<Node> {
        self.again_after_races(|| self.try_copy(id, parent, name.clone()))
            .await
    }

    async fn try_copy(&self, id: NodeId, parent: NodeId, name: Option<EntryName>) -> Result<Node> {
        let source = self.may_read(id).await?;
        let target = self.may_write_fresh(parent).await?.folder()?;
        // Into its own folder a copy can't have its own name; there it takes the next free one.
        let taken = if name.is_none() && source.node.parent == Some(parent) {
            Taken::Evade
        } else {
            Taken::Refuse
        };
        self.shared
            .copy(&self.actor.account, &source, &target, name, taken)
            .await
    }
}

impl Shared {
    pub(super) async fn copy(
        &self,
        account: &crate::AccountId,
        source: &Place,
        target: &Place,
        name: Option<EntryName>,
        taken: Taken,
    ) -> Result<Node> {
        if source.node.parent.is_none() && name.is_none() {
            return Err(Error::invalid("name", "a copy of a whole drive needs one"));
        }
        if source.node.kind == NodeKind::Folder && target.is_within(source.node.id) {
            return Err(
                Error::new(ErrorKind::Conflict, "a folder can't be copied into itself").during(CYCLE),
            );
        }
        let wanted = name.unwrap_or_else(|| source.node.name.clone());
        let mut lost = HashSet::new();
        let mut tries = 0;
        loop {
            let parent = target.node.id;
            let name = if taken == Taken::Evade && self.catalog.child(parent, &wanted).await?.is_some() {
                self.free_name(parent, &wanted, &lost).await?
            } else {
                wanted.clone()
            };
            let mut set = self.change_set();
            set.push(Expect::ParentLive(parent, target.node.drive))
                .push(Expect::NameFree(parent, name.clone()));
            let node = self
                .copy_tree(&source.node, parent, target.node.drive, name, &mut set)
                .await?;
            set.push(self.node_event(account, "node.created", &node));
            match self.commit(set).await {
                Err(error)
                    if taken == Taken::Evade
                        && error.kind() == ErrorKind::AlreadyExists
                        && tries < self.policy.race_tries =>
                {
                    tries += 1;
                    lost.insert((parent, node.name));
                }
                // Something below the folder was purged while it was looked through.
                Err(error)
                    if error.kind() == ErrorKind::NotFound && node.kind == NodeKind::Folder && tries < 4 =>
                {
                    tries += 1;
                }
                outcome => return outcome.map(|_| node),
            }
        }
    }

    /// Adds copies of the tree under `source` to the set, breadth first, parents before children.
    async fn copy_tree(
        &self,
        source: &Node,
        parent: NodeId,
        drive: DriveId,
        name: EntryName,
        set: &mut ChangeSet,
    ) -> Result<Node> {
        let root = self.copy_node(source, parent, drive, name, set);
        let (mut count, mut size_bytes) = (1usize, source.size_bytes);
        let mut folders = vec![(source.id, root.id, source.kind)];
        while let Some((from, to, kind)) = folders.pop() {
            if kind == NodeKind::File {
                continue;
            }
            let limit = self.policy.max_copy_nodes;
            let children = self.all_children(from, limit.saturating_sub(count)).await?;
            count += children.len();
            if count > limit {
                let text = format!("a folder of more than {limit} entries can't be copied at once");
                return Err(Error::new(ErrorKind::LimitExceeded, text));
            }
            for child in &children {
                size_bytes = size_bytes.saturating_add(child.size_bytes);
                let copy = self.copy_node(child, to, drive, child.name.clone(), set);
                folders.push((child.id, copy.id, child.kind));
            }
        }
        set.push(Change::Add(
            Counter::DriveUsed(drive),
            signed(size_bytes)?,
            Bound::Quota,
        ));
        Ok(root)
    }

    fn copy_node(
        &self,
        source: &Node,
        parent: NodeId,
        drive: DriveId,
        name: EntryName,
        set: &mut ChangeSet,
    ) -> Node {
        let node = Node {
            content: source.content,
            size_bytes: source.size_bytes,
            mime: source.mime.clone(),
            category: source.category,
            modified: source.modified,
            ..self.new_node(drive, parent, name, source.kind, set.at)
        };
        if let Some(content) = node.content {
            set.push(Change::Add(Counter::ContentRefs(content), 1, Bound::None));
            set.push(node.clone());
            set.push(version_of(&node, content, set.at));
        } else {
            set.push(node.clone());
        }
        node
    }
}
