//! The access check: who may do what to a node. Only it makes grants.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use super::shared::{Desk, Shared};
use crate::catalog::record::{Content, Member, Node, NodeKind, Role, Subject};
use crate::catalog::{Bulk, Change, ChangeSet, Record, RecordKey};
use crate::{Actor, DriveId, Error, ErrorKind, NodeId, Policy, Result};

/// A live node with its content, as the catalog had it at most a moment ago.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Place {
    /// The node.
    pub node: Node,
    /// A file's content.
    pub content: Option<Arc<Content>>,
    /// The ids of the folders above it, the root first.
    pub ancestors: Vec<NodeId>,
}

impl Place {
    /// Whether `folder` is the node or one of the folders above it.
    pub fn is_within(&self, folder: NodeId) -> bool {
        self.node.id == folder || self.ancestors.contains(&folder)
    }
}

/// Proof that somebody may read a node. Only the access check makes one, and only it opens bytes.
#[derive(Clone, Debug)]
pub struct ReadGrant(Arc<Place>);

impl ReadGrant {
    pub(super) fn of(place: Arc<Place>) -> Self {
        Self(place)
    }
}

impl Deref for ReadGrant {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

/// Proof that somebody may change a node.
#[derive(Clone, Debug)]
pub struct WriteGrant(Arc<Place>);

impl WriteGrant {
    pub(super) fn of(place: Arc<Place>) -> Self {
        Self(place)
    }

    /// Refuses what is no folder.
    pub(super) fn folder(self) -> Result<Self> {
        match self.node.kind {
            NodeKind::Folder => Ok(self),
            NodeKind::File => Err(Error::new(ErrorKind::InvalidInput, "is a file, not a folder")),
        }
    }
}

impl Deref for WriteGrant {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

impl Desk {
    /// Checks that the actor may read the node.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when they may not, or it is not there, or in the trash.
    pub async fn may_read(&self, node: NodeId) -> Result<ReadGrant> {
        self.may(node, Role::Reader).await.map(ReadGrant)
    }

    /// Checks that the actor may change the node.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when they may not even read it, [`Denied`](ErrorKind::Denied) when only read.
    pub async fn may_write(&self, node: NodeId) -> Result<WriteGrant> {
        self.may(node, Role::Contributor).await.map(WriteGrant)
    }

    /// As [`may_write`](Self::may_write), of the node as the catalog has it now: in the drive that it is in now.
    pub(super) async fn may_write_fresh(&self, node: NodeId) -> Result<WriteGrant> {
        let place = self
            .shared
            .fresh_place(node)
            .await?
            .ok_or_else(Error::not_found)?;
        self.may_at(place, Role::Contributor).await.map(WriteGrant)
    }

    pub(super) async fn may(&self, node: NodeId, least: Role) -> Result<Arc<Place>> {
        let place = self.shared.place(node).await?.ok_or_else(Error::not_found)?;
        self.may_at(place, least).await
    }

    async fn may_at(&self, place: Arc<Place>, least: Role) -> Result<Arc<Place>> {
        let role = self.shared.role(&self.actor, place.node.drive).await?;
        let role = role.ok_or_else(Error::not_found)?;
        if role < least {
            return Err(Error::new(
                ErrorKind::Denied,
                format!("this needs the role {least} in the drive"),
            ));
        }
        Ok(place)
    }
}

impl Shared {
    /// The actor's role in a drive.
    pub(super) async fn role(&self, actor: &Actor, drive: DriveId) -> Result<Option<Role>> {
        let members = match self.facts.members.get(&drive) {
            Some(members) => members,
            None => {
                let before = self.facts.generation();
                let members = Arc::new(self.catalog.members(drive).await?);
                self.facts
                    .keep(before, |facts| facts.members.insert(drive, members.clone()));
                members
            }
        };
        Ok(members
            .iter()
            .filter(|member| applies(member, actor))
            .map(|member| member.role)
            .max())
    }

    /// The live node, from memory where it is fresh.
    pub(super) async fn place(&self, node: NodeId) -> Result<Option<Arc<Place>>> {
        if let Some(place) = self.facts.places.get(&node) {
            return Ok(Some(place));
        }
        let before = self.facts.generation();
        let place = self.fresh_place(node).await?;
        if let Some(place) = &place {
            self.facts
                .keep(before, |facts| facts.places.insert(node, place.clone()));
        }
        Ok(place)
    }

    /// The live node, from the catalog.
    pub(super) async fn fresh_place(&self, node: NodeId) -> Result<Option<Arc<Place>>> {
        let (mut path, content) = self.catalog.path_and_content(node).await?;
        let Some(node) = path.pop() else { return Ok(None) };
        if node.trashed.is_some() || path.iter().any(|folder| folder.trashed.is_some()) {
            return Ok(None);
        }
        Ok(Some(Arc::new(Place {
            node,
            content: content.map(Arc::new),
            ancestors: path.iter().map(|folder| folder.id).collect(),
        })))
    }
}

fn applies(member: &Member, actor: &Actor) -> bool {
    match &member.subject {
        Subject::Account(account) => *account == actor.account,
        Subject::Group(group) => actor.groups.contains(group),
    }
}

/// Rights and facts kept in memory: exact in this process, a moment stale across instances.
pub(super) struct Facts {
    places: Cache<NodeId, Arc<Place>>,
    members: Cache<DriveId, Arc<Vec<Member>>>,
    /// Raised after each commit that changes facts, so that a read begun before it is not kept.
    generation: AtomicU64,
}

impl Facts {
    pub(super) fn new(policy: &Policy) -> Self {
        let places = Cache::builder()
            .max_capacity(policy.facts_entries)
            .time_to_live(policy.facts_stale);
        let members = Cache::builder()
            .max_capacity(policy.facts_entries)
            .time_to_live(policy.facts_stale);
        Self {
            places: places.build(),
            members: members.build(),
            generation: AtomicU64::new(0),
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Keeps what was read since `before`, unless a commit came between; then, or when one comes right now, it is dropped again.
    fn keep(&self, before: u64, insert: impl FnOnce(&Self)) {
        if self.generation() != before {
            return;
        }
        insert(self);
        if self.generation() != before {
            self.places.invalidate_all();
            self.members.invalidate_all();
        }
    }

    /// Forgets what a committed set changed.
    pub(super) fn forget(&self, set: &ChangeSet) {
        let mut nodes = HashSet::new();
        let mut everything = false;
        for change in &set.changes {
            match change {
                Change::Put(Record::Node(node)) if node.kind == NodeKind::File => {
                    nodes.insert(node.id);
                }
                // A folder's change may move or hide everything below it; a new one hides nothing.
                Change::Put(Record::Node(node)) if node.version > 1 => everything = true,
                Change::Put(Record::Content(content)) if content.layout_version > 1 => everything = true,
                Change::Put(Record::Member(_) | Record::Drive(_))
                | Change::Delete(RecordKey::Node(_) | RecordKey::Member(..) | RecordKey::Drive(_))
                | Change::Bulk(Bulk::Purge { .. } | Bulk::Rehome { .. }) => everything = true,
                _ => {}
            }
        }
        if nodes.is_empty() && !everything {
            return;
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        if everything {
            self.places.invalidate_all();
            self.members.invalidate_all();
        } else {
            nodes.iter().for_each(|node| self.places.invalidate(node));
        }
    }
}
