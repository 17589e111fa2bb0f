//! Publishing in place: an object of a mount becomes a file, and no byte is copied.

use std::sync::Arc;

use super::place::{Arrival, Condition, Stored, Target};
use super::shared::{CampusDisk, Shared};
use super::upload::too_large;
use crate::catalog::record::{Blob, Extent, HashState, Node, OnConflict};
use crate::mount::{Mount, ObjectPath, ObjectRef};
use crate::storage::{BlobKey, StoreName};
use crate::{AccountId, EntryName, Error, NodeId, Result};

/// Where a file is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    /// The folder that the way begins in.
    pub folder: NodeId,
    /// Folders on the way from there; those that are missing are made.
    pub folders: Vec<EntryName>,
    /// The file's name.
    pub name: EntryName,
}

/// A file that is an object of a mount.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Published {
    /// It is new.
    Created(Node),
    /// There was a file in its place, which has a new version.
    NewVersion(Node),
    /// It was published before, and the object is as it was.
    Unchanged(Node),
}

impl CampusDisk {
    /// The names of the mounts.
    pub fn mounts(&self) -> impl Iterator<Item = &StoreName> {
        self.0.mounts.keys()
    }

    /// A mount by its name.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when none of this name is configured.
    pub fn mount(&self, name: &StoreName) -> Result<&Arc<dyn Mount>> {
        let unknown = || Error::invalid("mount", "no mount of this name is configured").on(name.to_string());
        self.0.mounts.get(name).ok_or_else(unknown)
    }

    /// Makes the object of now a file, in place: a content that lies in the mount, where it is read from then on. The file counts
    /// in its drive as any other. When others change the object, or delete it, reading this content fails with
    /// [`Changed`](crate::ErrorKind::Changed); publishing it again gives the file the bytes of then as a new version. To delete
    /// the file leaves the object alone.
    ///
    /// A file whose object is as it was when it was published is left as it is, so that a folder may be published again and again.
    ///
    /// Whether `account` may do so is for the caller to say: it is named in the event only.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a mount that is not configured, [`NotFound`](crate::ErrorKind::NotFound) when there is
    /// no object or no folder, [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when a folder has the name,
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) or [`QuotaExceeded`](crate::ErrorKind::QuotaExceeded) when it is too long, else what the
    /// mount and the catalog say.
    ///
    /// # Cancel safety
    /// When dropped, the file is there or it is not; a row that is left over is found by the sweep.
    pub async fn publish_in_place(
        &self,
        mount: &StoreName,
        path: &ObjectPath,
        place: FilePlace,
        account: &AccountId,
    ) -> Result<Published> {
        let object = self.mount(mount)?.look(path).await?;
        if object.len_bytes > self.0.policy.max_file_bytes {
            return Err(too_large(self.0.policy.max_file_bytes));
        }
        if let Some(node) = self.0.published(mount, &object, &place).await? {
            return Ok(Published::Unchanged(node));
        }
        let (extents, hash) = match object.len_bytes {
            0 => (Vec::new(), Some(HashState::begin(true))),
            _ => (vec![self.0.lease_object(mount, &object).await?], None),
        };
        let unhashed = hash.is_none();
        let arrival = Arrival {
            account: account.clone(),
            target: Target::Child {
                parent: place.folder,
                folders: place.folders,
                name: place.name,
                on_conflict: OnConflict::Version,
            },
            mime: None,
            bytes: Stored::Fresh {
                extents,
                attached: 0,
                size_bytes: object.len_bytes,
                hash,
                head: None,
            },
            condition: Condition::Any,
            reserved: None,
        };
        let placed = self.0.place_file(&arrival, |_, _| {}).await?;
        if unhashed {
            self.0.hash_later(placed.content);
        }
        Ok(match placed.created {
            true => Published::Created(placed.node),
            false => Published::NewVersion(placed.node),
        })
    }
}

impl Shared {
    /// The file at `place`, if it is the object as it is now.
    async fn published(
        &self,
        mount: &StoreName,
        object: &ObjectRef,
        place: &FilePlace,
    ) -> Result<Option<Node>> {
        let mut folder = place.folder;
        for name in &place.folders {
            match self.catalog.child(folder, name).await? {
                Some(node) => folder = node.id,
                None => return Ok(None),
            }
        }
        let Some(node) = self.catalog.child(folder, &place.name).await? else {
            return Ok(None);
        };
        let Some(content) = node.content else {
            return Ok(None);
        };
        if node.size_bytes != object.len_bytes {
            return Ok(None);
        }
        let content = self.catalog.content(content).await?;
        let is_object = match content.as_ref().map(|content| content.extents.as_slice()) {
            Some([]) => true,
            Some([extent]) if extent.store == *mount => self.object_of(extent).await? == *object,
            _ => false,
        };
        Ok(is_object.then_some(node))
    }

    /// A row for the object, and the extent that is all of it.
    async fn lease_object(&self, mount: &StoreName, object: &ObjectRef) -> Result<Extent> {
        let key = BlobKey::generate(&*self.ids);
        let mut set = self.change_set();
        set.push(Blob {
            object: Some(object.clone()),
            ..self.leased(mount, key, set.at + self.policy.blob_lease)
        });
        self.commit(set).await?;
        Ok(Extent {
            store: mount.clone(),
            blob: key,
            blob_len_bytes: object.len_bytes,
            offset_bytes: 0,
            len_bytes: object.len_bytes,
        })
    }

    /// Whether nobody but us can change or delete a content's bytes.
    pub(super) async fn is_ours(&self, content: crate::ContentId) -> Result<bool> {
        let content = self.catalog.content(content).await?;
        Ok(content.is_some_and(|content| {
            let mut extents = content.extents.iter();
            extents.all(|extent| !self.mounts.contains_key(&extent.store))
        }))
    }
}
