//! What a drive should hold, as plain maps: the measure for random sequences of use-cases.
//!
//! The model knows no ids, contents or blobs. Each of its methods says what the use-case of that name must answer and, where
//! that is success, does it. It is slow and obvious on purpose.
//!
//! # Example: a file that is put twice has two versions and both count
//! ```
//! use bytes::Bytes;
//! use campusdisk_testkit::model::Model;
//!
//! let mut model = Model::new(None);
//! let file = model.put(Model::ROOT, "report", Bytes::from_static(b"old"))?;
//! assert_eq!(model.put(Model::ROOT, "report", Bytes::from_static(b"newer"))?, file);
//! assert_eq!(model.used_bytes(), 8);
//! # Ok::<(), campusdisk_core::ErrorKind>(())
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use campusdisk_core::{EntryName, ErrorKind};

/// A node of the model, whatever becomes of it.
pub type Handle = usize;

/// What a use-case must answer.
pub type Answer<T> = Result<T, ErrorKind>;

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its folder; only the root has none.
    pub parent: Option<Handle>,
    /// Its name.
    pub name: String,
    /// Whether it was deleted itself.
    pub trashed: bool,
    /// The contents a file had, the present one last; none for a folder.
    pub versions: Vec<Bytes>,
}

impl Entry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.versions.is_empty()
    }
}

/// An upload that is no file yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// The folder it goes to.
    pub parent: Handle,
    /// The name it wants.
    pub name: String,
    /// All its bytes, sent or not.
    pub bytes: Bytes,
    /// How many are stored.
    pub offset_bytes: usize,
}

/// A drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    quota_bytes: Option<u64>,
    entries: BTreeMap<Handle, Entry>,
    next: Handle,
    uploads: BTreeMap<usize, OpenUpload>,
}

impl Model {
    /// The root folder.
    pub const ROOT: Handle = 0;

    /// An empty drive.
    pub fn new(quota_bytes: Option<u64>) -> Self {
        let root = Entry {
            parent: None,
            name: String::new(),
            trashed: false,
            versions: Vec::new(),
        };
        Self {
            quota_bytes,
            entries: BTreeMap::from([(Self::ROOT, root)]),
            next: 1,
            uploads: BTreeMap::new(),
        }
    }

    /// An entry that was not purged.
    pub fn entry(&self, handle: Handle) -> Option<&Entry> {
        self.entries.get(&handle)
    }

    /// Whether it and every folder above it are live.
    pub fn is_visible(&self, handle: Handle) -> bool {
        let mut at = Some(handle);
        while let Some(handle) = at {
            match self.entry(handle) {
                Some(entry) if !entry.trashed => at = entry.parent,
                _ => return false,
            }
        }
        true
    }

    /// The live entries of a folder by name.
    pub fn children(&self, folder: Handle) -> BTreeMap<&str, Handle> {
        let live = |entry: &Entry| entry.parent == Some(folder) && !entry.trashed;
        let found = self.entries.iter().filter(|(_, entry)| live(entry));
        found
            .map(|(handle, entry)| (entry.name.as_str(), *handle))
            .collect()
    }

    /// What was deleted itself.
    pub fn trashed(&self) -> Vec<Handle> {
        let found = self.entries.iter().filter(|(_, entry)| entry.trashed);
        found.map(|(handle, _)| *handle).collect()
    }

    /// The sizes of all versions of all files, deleted ones too.
    pub fn used_bytes(&self) -> u64 {
        let versions = self.entries.values().flat_map(|entry| &entry.versions);
        versions.map(|bytes| bytes.len() as u64).sum()
    }

    /// What open uploads reserve.
    pub fn reserved_bytes(&self) -> u64 {
        self.uploads
            .values()
            .map(|upload| upload.bytes.len() as u64)
            .sum()
    }

    /// An upload that is no file yet.
    pub fn upload(&self, number: usize) -> Option<&OpenUpload> {
        self.uploads.get(&number)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn create_folder(&mut self, parent: Handle, name: &str) -> Answer<Handle> {
        self.folder(parent)?;
        self.name_is_free(parent, name)?;
        Ok(self.insert(parent, name, Vec::new()))
    }

    /// Puts a file, or a new version of the one that has the name.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn put(&mut self, parent: Handle, name: &str, bytes: Bytes) -> Answer<Handle> {
        self.folder(parent)?;
        let existing = self.children(parent).get(name).copied();
        if existing.is_some_and(|handle| self.entry(handle).is_some_and(Entry::is_folder)) {
            return Err(ErrorKind::AlreadyExists);
        }
        self.room_for(bytes.len())?;
        let Some(handle) = existing else {
            return Ok(self.insert(parent, name, vec![bytes]));
        };
        self.change(handle, |entry| entry.versions.push(bytes));
        Ok(handle)
    }

    /// Renames or moves.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn update(&mut self, handle: Handle, name: Option<&str>, parent: Option<Handle>) -> Answer<()> {
        let old = self.visible(handle)?.clone();
        let Some(old_parent) = old.parent else {
            return Err(ErrorKind::InvalidInput);
        };
        let to = parent.unwrap_or(old_parent);
        if to != old_parent {
            self.folder(to)?;
            if old.is_folder() && self.is_within(to, handle) {
                return Err(ErrorKind::Conflict);
            }
        }
        let name = name.unwrap_or(&old.name).to_owned();
        match self.children(to).get(name.as_str()) {
            Some(&taken) if taken != handle => return Err(ErrorKind::AlreadyExists),
            _ => {}
        }
        self.change(handle, |entry| (entry.name, entry.parent) = (name, Some(to)));
        Ok(())
    }

    /// Copies into a folder; beside the original under the next free name.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn copy(&mut self, handle: Handle, parent: Handle) -> Answer<Handle> {
        let source = self.visible(handle)?.clone();
        self.folder(parent)?;
        if source.parent.is_none() {
            return Err(ErrorKind::InvalidInput);
        }
        if source.is_folder() && self.is_within(parent, handle) {
            return Err(ErrorKind::Conflict);
        }
        let name = if source.parent == Some(parent) {
            self.free_name(parent, &source.name)
        } else {
            self.name_is_free(parent, &source.name)?;
            source.name.clone()
        };
        self.room_for(self.live_size(handle))?;
        Ok(self.copy_below(handle, parent, &name))
    }

    /// Deletes into the trash.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn trash(&mut self, handle: Handle) -> Answer<()> {
        if self.visible(handle)?.parent.is_none() {
            return Err(ErrorKind::InvalidInput);
        }
        self.change(handle, |entry| entry.trashed = true);
        Ok(())
    }

    /// Takes out of the trash, into the root where the folder is gone.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn restore(&mut self, handle: Handle, evade: bool) -> Answer<()> {
        let old = self.in_trash(handle)?.clone();
        let parent = old.parent.filter(|&parent| self.is_visible(parent));
        let parent = parent.unwrap_or(Self::ROOT);
        let name = match self.name_is_free(parent, &old.name) {
            Ok(()) => old.name,
            Err(_) if evade => self.free_name(parent, &old.name),
            Err(kind) => return Err(kind),
        };
        self.change(handle, |entry| {
            (entry.name, entry.parent, entry.trashed) = (name, Some(parent), false);
        });
        Ok(())
    }

    /// Removes for good what is in the trash.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn purge(&mut self, handle: Handle) -> Answer<()> {
        self.in_trash(handle)?;
        let doomed: Vec<_> = self.entries.keys().copied().collect();
        let doomed: Vec<_> = doomed
            .into_iter()
            .filter(|&below| self.is_within(below, handle))
            .collect();
        for handle in doomed {
            self.entries.remove(&handle);
        }
        Ok(())
    }

    /// Makes an earlier content, counted from the first, the present one again.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn restore_version(&mut self, handle: Handle, index: usize) -> Answer<()> {
        let versions = &self.visible(handle)?.versions;
        let bytes = versions.get(index).ok_or(ErrorKind::NotFound)?.clone();
        self.room_for(bytes.len())?;
        self.change(handle, |entry| entry.versions.push(bytes));
        Ok(())
    }

    /// Begins upload `number`. One of no bytes is a file at once.
    ///
    /// # Errors
    /// The kind of the service's error.
    pub fn begin_upload(&mut self, number: usize, parent: Handle, name: &str, bytes: Bytes) -> Answer<()> {
        self.folder(parent)?;
        self.room_for(bytes.len())?;
        let upload = OpenUpload {
            parent,
            name: name.to_owned(),
            bytes,
            offset_bytes: 0,
        };
        self.uploads.insert(number, upload);
        if self.upload(number).is_some_and(|upload| upload.bytes.is_empty()) {
            self.sent(number, 0)
                .inspect_err(|_| drop(self.uploads.remove(&number)))?;
        }
        Ok(())
    }

    /// An upload got on to `offset_bytes`; with the last byte it is a file, under the next free name.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when its folder is gone; its bytes stay.
    pub fn sent(&mut self, number: usize, offset_bytes: usize) -> Answer<Option<Handle>> {
        let upload = self.uploads.get_mut(&number).ok_or(ErrorKind::NotFound)?;
        upload.offset_bytes = offset_bytes;
        if offset_bytes < upload.bytes.len() {
            return Ok(None);
        }
        let upload = upload.clone();
        self.folder(upload.parent)?;
        self.uploads.remove(&number);
        let name = match self.name_is_free(upload.parent, &upload.name) {
            Ok(()) => upload.name,
            Err(_) => self.free_name(upload.parent, &upload.name),
        };
        Ok(Some(self.insert(upload.parent, &name, vec![upload.bytes])))
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is none.
    pub fn terminate(&mut self, number: usize) -> Answer<()> {
        self.uploads.remove(&number).map(drop).ok_or(ErrorKind::NotFound)
    }

    fn visible(&self, handle: Handle) -> Answer<&Entry> {
        let entry = self.entry(handle).filter(|_| self.is_visible(handle));
        entry.ok_or(ErrorKind::NotFound)
    }

    fn folder(&self, handle: Handle) -> Answer<()> {
        if self.visible(handle)?.is_folder() {
            Ok(())
        } else {
            Err(ErrorKind::InvalidInput)
        }
    }

    fn in_trash(&self, handle: Handle) -> Answer<&Entry> {
        let entry = self.entry(handle).filter(|entry| entry.trashed);
        entry.ok_or(ErrorKind::NotFound)
    }

    fn name_is_free(&self, folder: Handle, name: &str) -> Answer<()> {
        if self.children(folder).contains_key(name) {
            Err(ErrorKind::AlreadyExists)
        } else {
            Ok(())
        }
    }

    fn free_name(&self, folder: Handle, name: &str) -> String {
        let number = |number| {
            EntryName::parse(name).map_or_else(|_| name.to_owned(), |name| name.numbered(number).to_string())
        };
        let mut candidates = (2..).map(number);
        let free = candidates.find(|candidate| self.name_is_free(folder, candidate).is_ok());
        free.unwrap_or_default()
    }

    fn room_for(&self, bytes: usize) -> Answer<()> {
        let wanted = self.used_bytes() + self.reserved_bytes() + bytes as u64;
        match self.quota_bytes {
            Some(quota) if bytes > 0 && wanted > quota => Err(ErrorKind::QuotaExceeded),
            _ => Ok(()),
        }
    }

    /// Whether `above` is the entry or one of the folders above it.
    fn is_within(&self, handle: Handle, above: Handle) -> bool {
        let parent = |handle: &Handle| self.entry(*handle)?.parent;
        std::iter::successors(Some(handle), parent).any(|at| at == above)
    }

    fn live_size(&self, handle: Handle) -> usize {
        let own = self
            .entry(handle)
            .and_then(|entry| entry.versions.last())
            .map_or(0, Bytes::len);
        let below = self.children(handle).into_values();
        own + below.map(|child| self.live_size(child)).sum::<usize>()
    }

    fn copy_below(&mut self, handle: Handle, parent: Handle, name: &str) -> Handle {
        let present = self
            .entry(handle)
            .and_then(|entry| entry.versions.last().cloned());
        let children: Vec<_> = self
            .children(handle)
            .into_iter()
            .map(|(name, child)| (name.to_owned(), child))
            .collect();
        let copy = self.insert(parent, name, present.into_iter().collect());
        for (name, child) in children {
            self.copy_below(child, copy, &name);
        }
        copy
    }

    fn insert(&mut self, parent: Handle, name: &str, versions: Vec<Bytes>) -> Handle {
        let handle = self.next;
        self.next += 1;
        let entry = Entry {
            parent: Some(parent),
            name: name.to_owned(),
            trashed: false,
            versions,
        };
        self.entries.insert(handle, entry);
        handle
    }

    fn change(&mut self, handle: Handle, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&handle) {
            change(entry);
        }
    }
}
