//! How bytes that came in get their place in a drive: content, version, node, usage and event in one commit.

use std::collections::HashSet;

use bytes::Bytes;

use super::access::{ReadGrant, WriteGrant};
use super::blobs::attach;
use super::intake::HEAD_BYTES;
use super::shared::Shared;
use crate::catalog::record::{Content, Extent, HashState, Node, NodeKind, OnConflict, Version};
use crate::catalog::{Bound, Change, ChangeSet, Counter, Expect, RecordKey};
use crate::{
    AccountId, ContentId, DriveId, EntryName, Error, ErrorKind, NodeId, Result, Span, Timestamp, media,
};

/// Bytes that are stored and want a place.
pub(super) struct Arrival {
    pub(super) account: AccountId,
    pub(super) target: Target,
    pub(super) mime: Option<String>,
    pub(super) bytes: Stored,
    /// What a client expects of the file that is there now.
    pub(super) condition: Condition,
    /// What is set free of which drive's reservations: the upload's, which its folder may have left since.
    pub(super) reserved: Option<(DriveId, u64)>,
}

/// Where an arrival goes.
pub(super) enum Target {
    /// Into a folder, under a name.
    Child {
        parent: NodeId,
        folders: Vec<EntryName>,
        name: EntryName,
        on_conflict: OnConflict,
    },
    /// Into this file, as its new version.
    Node(NodeId),
}

/// Where an arrival's bytes lie.
pub(super) enum Stored {
    /// In these extents; the first `attached` belong to an upload that passes them on.
    Fresh {
        extents: Vec<Extent>,
        attached: usize,
        size_bytes: u64,
        /// `None` when nobody has read the bytes yet.
        hash: Option<HashState>,
        head: Option<Bytes>,
    },
    /// In a content that is there.
    Content { id: ContentId, size_bytes: u64 },
}

/// What must hold of the file that has the place now.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) enum Condition {
    #[default]
    Any,
    /// There must be none (`If-None-Match: *`).
    Absent,
    /// It must have one of these contents (`If-Match`).
    Content(Vec<ContentId>),
    /// There must be one, whichever (`If-Match: *`).
    Present,
}

impl Condition {
    pub(super) fn check(&self, existing: Option<&Node>) -> Result<()> {
        let content = existing.and_then(|node| node.content);
        let holds = match self {
            Self::Any => true,
            Self::Absent => existing.is_none(),
            Self::Present => existing.is_some(),
            Self::Content(wanted) => content.is_some_and(|content| wanted.contains(&content)),
        };
        if holds {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Changed,
                "the file is not as the request expects it",
            ))
        }
    }
}

/// Names in folders that were lost to somebody else.
pub(super) type Lost = HashSet<(NodeId, EntryName)>;

/// A file that got its place, and whether it is a new one.
pub(super) struct Placed {
    pub(super) node: Node,
    pub(super) content: ContentId,
    pub(super) created: bool,
}

impl Shared {
    /// Gives an arrival its place. `more` adds changes to the same commit, knowing the node.
    pub(super) async fn place_file(
        &self,
        arrival: &Arrival,
        more: impl Fn(&mut ChangeSet, &Node) + Send + Sync,
    ) -> Result<Placed> {
        let now = self.now();
        let content = match &arrival.bytes {
            Stored::Fresh { .. } => ContentId::generate(now, &*self.ids),
            Stored::Content { id, .. } => *id,
        };
        let head = self.head_of(&arrival.bytes).await?;
        let mut taken = Lost::new();
        let mut stale = None;
        let mut tries = 0;
        loop {
            let mut set = self.change_set();
            let mut placed = self.find_place(arrival, content, &mut set, &taken).await?;
            if let Some((version, drive, error)) = stale.take()
                && (version, drive) == (placed.node.version, placed.node.drive)
            {
                // The node is as it was, so the conflict was about something that stays: a condemned blob, another writer.
                return Err(error);
            }
            let mime = media::media_type(arrival.mime.as_deref(), &placed.node.name, &head);
            placed.node.category = media::category(&mime);
            placed.node.mime = Some(mime);
            self.add_changes(arrival, &placed, now, &mut set)?;
            more(&mut set, &placed.node);
            match self.commit(set).await {
                Ok(_) => return Ok(placed),
                Err(error) if is_lost_race(&error) && tries < self.policy.race_tries => {
                    tries += 1;
                    match (error.kind(), placed.node.parent) {
                        (ErrorKind::AlreadyExists, Some(folder)) => {
                            taken.insert((folder, placed.node.name.clone()));
                        }
                        _ => stale = Some((placed.node.version, placed.node.drive, error)),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The node as it will be, and the expectations that make it so.
    async fn find_place(
        &self,
        arrival: &Arrival,
        content: ContentId,
        set: &mut ChangeSet,
        taken: &Lost,
    ) -> Result<Placed> {
        match &arrival.target {
            Target::Node(id) => {
                let existing = self
                    .fresh_place(*id)
                    .await?
                    .ok_or_else(Error::not_found)?
                    .node
                    .clone();
                arrival.condition.check(Some(&existing))?;
                self.next_version(existing, content, arrival, set)
            }
            Target::Child {
                parent,
                folders,
                name,
                on_conflict,
            } => {
                let (folder, drive, fresh) =
                    self.make_folders(&arrival.account, *parent, folders, set).await?;
                let existing = if fresh {
                    None
                } else {
                    self.catalog.child(folder, name).await?
                };
                arrival.condition.check(existing.as_ref())?;
                let name = match (existing, on_conflict) {
                    (None, _) if !taken.contains(&(folder, name.clone())) => name.clone(),
                    (Some(existing), OnConflict::Version) => {
                        return self.next_version(existing, content, arrival, set);
                    }
                    // The name was lost to somebody in between: look again.
                    (None, OnConflict::Version | OnConflict::Fail) => name.clone(),
                    (Some(_), OnConflict::Fail) => {
                        return Err(Error::new(
                            ErrorKind::AlreadyExists,
                            "the folder has an entry of this name",
                        ));
                    }
                    (_, OnConflict::Rename) => self.free_name(folder, name, taken).await?,
                };
                set.push(Expect::NameFree(folder, name.clone()));
                let node = self.new_node(drive, folder, name, NodeKind::File, set.at);
                let node = Node {
                    content: Some(content),
                    size_bytes: arrival.bytes.size_bytes(),
                    ..node
                };
                Ok(Placed {
                    node,
                    content,
                    created: true,
                })
            }
        }
    }

    /// The folder under `parent` at the end of `folders`; what is missing is added to the set. Tells whether the last is new.
    async fn make_folders(
        &self,
        account: &AccountId,
        parent: NodeId,
        folders: &[EntryName],
        set: &mut ChangeSet,
    ) -> Result<(NodeId, DriveId, bool)> {
        let place = self.fresh_place(parent).await?.ok_or_else(Error::not_found)?;
        let folder = WriteGrant::of(place.clone()).folder()?;
        if folder.ancestors.len() + folders.len() > self.policy.max_depth {
            return Err(Error::invalid("folders", "lie too deep below the drive's root"));
        }
        let drive = place.node.drive;
        set.push(Expect::ParentLive(parent, drive));
        let (mut at, mut fresh) = (parent, false);
        for name in folders {
            let existing = if fresh {
                None
            } else {
                self.catalog.child(at, name).await?
            };
            match existing {
                Some(node) if node.kind == NodeKind::Folder => {
                    at = node.id;
                    set.push(Expect::ParentLive(at, drive));
                }
                Some(_) => {
                    return Err(Error::invalid(
                        "folders",
                        "a file has the name of a folder on the way",
                    ));
                }
                None => {
                    let node = self.new_node(drive, at, name.clone(), NodeKind::Folder, set.at);
                    at = node.id;
                    fresh = true;
                    set.push(node.clone());
                    set.push(self.node_event(account, "node.created", &node));
                }
            }
        }
        Ok((at, drive, fresh))
    }

    fn next_version(
        &self,
        existing: Node,
        content: ContentId,
        arrival: &Arrival,
        set: &mut ChangeSet,
    ) -> Result<Placed> {
        if existing.kind == NodeKind::Folder {
            return Err(Error::new(ErrorKind::AlreadyExists, "a folder has this name"));
        }
        set.push(Expect::Version(RecordKey::Node(existing.id), existing.version));
        let node = Node {
            content: Some(content),
            size_bytes: arrival.bytes.size_bytes(),
            modified: set.at,
            version: existing.version + 1,
            ..existing
        };
        Ok(Placed {
            node,
            content,
            created: false,
        })
    }

    fn add_changes(
        &self,
        arrival: &Arrival,
        placed: &Placed,
        created: Timestamp,
        set: &mut ChangeSet,
    ) -> Result<()> {
        let node = &placed.node;
        match &arrival.bytes {
            Stored::Fresh {
                extents,
                attached,
                size_bytes,
                hash,
                ..
            } => {
                set.changes
                    .extend(attach(extents.get(*attached..).unwrap_or_default()));
                set.push(Content {
                    id: placed.content,
                    size_bytes: *size_bytes,
                    crc32: hash.as_ref().map(|hash| hash.crc32),
                    sha256: hash.as_ref().map(HashState::sha256_digest).transpose()?.flatten(),
                    created,
                    layout_version: 1,
                    extents: extents.clone(),
                    refs: 1,
                });
            }
            Stored::Content { id, .. } => {
                set.push(Change::Add(Counter::ContentRefs(*id), 1, Bound::None));
            }
        }
        set.push(node.clone());
        set.push(version_of(node, placed.content, set.at));
        if let Some((drive, bytes)) = arrival.reserved {
            set.push(Change::Add(
                Counter::DriveReserved(drive),
                -signed(bytes)?,
                Bound::None,
            ));
        }
        set.push(Change::Add(
            Counter::DriveUsed(node.drive),
            signed(node.size_bytes)?,
            Bound::Quota,
        ));
        let kind = if placed.created {
            "node.created"
        } else {
            "node.changed"
        };
        set.push(self.node_event(&arrival.account, kind, node));
        Ok(())
    }

    /// The next free name beside `name`: `report (2).pdf`. Whoever lost some already passes over some at random, twice as many
    /// each time, so that any number of rivals soon stand at different names.
    pub(super) async fn free_name(
        &self,
        folder: NodeId,
        name: &EntryName,
        taken: &Lost,
    ) -> Result<EntryName> {
        // One by one while few are taken, then in growing strides: thousands of equal names need few look-ups.
        let (mut number, mut stride) = (2u32, 1u32);
        let spread = 1 << taken.len().min(10);
        let mut pass_over = self.ids.random() % spread;
        while number < 1_000_000 {
            let candidate = name.numbered(number);
            if self.catalog.child(folder, &candidate).await?.is_none() {
                let place = (folder, candidate);
                if pass_over == 0 && !taken.contains(&place) {
                    return Ok(place.1);
                }
                pass_over = pass_over.saturating_sub(1);
            }
            if number > 64 {
                stride = stride.saturating_mul(2).min(1000);
            }
            number += stride;
        }
        Err(Error::new(
            ErrorKind::AlreadyExists,
            "a million entries have this name already",
        ))
    }

    pub(super) fn new_node(
        &self,
        drive: DriveId,
        parent: NodeId,
        name: EntryName,
        kind: NodeKind,
        now: Timestamp,
    ) -> Node {
        Node {
            id: NodeId::generate(now, &*self.ids),
            drive,
            parent: Some(parent),
            kind,
            name,
            content: None,
            size_bytes: 0,
            mime: None,
            category: crate::catalog::record::Category::Other,
            created: now,
            modified: now,
            version: 1,
            trashed: None,
        }
    }

    pub(super) fn node_event(
        &self,
        account: &AccountId,
        kind: &'static str,
        node: &Node,
    ) -> crate::catalog::record::Event {
        let facts = serde_json::json!({
            "node": node.id, "drive": node.drive, "parent": node.parent, "name": node.name, "kind": node.kind.as_str(),
            "size": node.size_bytes, "version": node.version,
        });
        self.event(account, kind, &facts)
    }

    /// The first bytes of what is stored.
    async fn head_of(&self, bytes: &Stored) -> Result<Bytes> {
        match bytes {
            Stored::Fresh { head: Some(head), .. } => Ok(head.clone()),
            Stored::Fresh { extents, .. } => self.head_of_extents(extents).await,
            Stored::Content { id, .. } => match self.catalog.content(*id).await? {
                Some(content) => self.head_of_extents(&content.extents).await,
                None => Err(Error::not_found()),
            },
        }
    }

    async fn head_of_extents(&self, extents: &[Extent]) -> Result<Bytes> {
        let Some(first) = extents.first() else {
            return Ok(Bytes::new());
        };
        let len_bytes = first.len_bytes.min(HEAD_BYTES as u64);
        match Span::new(first.offset_bytes, first.offset_bytes + len_bytes) {
            Some(span) => {
                self.reader(first)
                    .await?
                    .read(span)
                    .await?
                    .collect(HEAD_BYTES)
                    .await
            }
            None => Ok(Bytes::new()),
        }
    }
}

impl Stored {
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::Fresh { size_bytes, .. } | Self::Content { size_bytes, .. } => *size_bytes,
        }
    }
}

/// The version row for a node's present content.
pub(super) fn version_of(node: &Node, content: ContentId, created: Timestamp) -> Version {
    Version {
        node: node.id,
        drive: node.drive,
        number: node.version,
        content,
        size_bytes: node.size_bytes,
        mime: node.mime.clone(),
        created,
    }
}

/// A size as a counter's delta.
pub(super) fn signed(bytes: u64) -> Result<i64> {
    i64::try_from(bytes).map_err(|_| Error::new(ErrorKind::LimitExceeded, "is larger than 2^63 bytes"))
}

/// Whether somebody else was faster, so that reading and deciding again may succeed.
pub(super) fn is_lost_race(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists)
}

impl ReadGrant {
    /// The file's content.
    pub(super) fn file(&self) -> Result<&std::sync::Arc<Content>> {
        self.content
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "is a folder, not a file"))
    }
}
