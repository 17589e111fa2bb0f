//! The tables, and the ways to put records into and out of them.

use super::table::Table;
use crate::catalog::record::{
    Blob, Content, DownloadRecord, Drive, DriveKind, Event, Lease, Member, Node, Setting, Share, Subject,
    Ticket, Upload, Version,
};
use crate::catalog::{Record, RecordKey};
use crate::storage::{BlobKey, StoreName};
use crate::{
    ChangeId, ContentId, DownloadId, DriveId, Error, ErrorKind, EventId, NameKey, NodeId, Result, ShareId,
    TicketId, Timestamp, UploadId,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) drives: Table<DriveId, Drive>,
    pub(super) members: Table<(DriveId, Subject), Member>,
    pub(super) nodes: Table<NodeId, Node>,
    /// The live child of a folder with a name.
    pub(super) names: Table<(NodeId, NameKey), NodeId>,
    /// All children of a folder, live and trashed.
    pub(super) children: Table<(NodeId, NodeId), ()>,
    pub(super) versions: Table<(NodeId, u64), Version>,
    pub(super) contents: Table<ContentId, Content>,
    pub(super) blobs: Table<(StoreName, BlobKey), Blob>,
    pub(super) uploads: Table<UploadId, Upload>,
    pub(super) shares: Table<ShareId, Share>,
    pub(super) tokens: Table<String, ShareId>,
    pub(super) tickets: Table<TicketId, Ticket>,
    pub(super) clients: Table<(ShareId, String), TicketId>,
    pub(super) downloads: Table<DownloadId, DownloadRecord>,
    pub(super) leases: Table<String, Lease>,
    pub(super) settings: Table<String, Setting>,
    pub(super) events: Table<u64, Event>,
    pub(super) event_numbers: Table<EventId, u64>,
    pub(super) applied: Table<ChangeId, Timestamp>,
}

macro_rules! each_table {
    ($state:ident, $call:ident) => {{
        $state.drives.$call();
        $state.members.$call();
        $state.nodes.$call();
        $state.names.$call();
        $state.children.$call();
        $state.versions.$call();
        $state.contents.$call();
        $state.blobs.$call();
        $state.uploads.$call();
        $state.shares.$call();
        $state.tokens.$call();
        $state.tickets.$call();
        $state.clients.$call();
        $state.downloads.$call();
        $state.leases.$call();
        $state.settings.$call();
        $state.events.$call();
        $state.event_numbers.$call();
        $state.applied.$call();
    }};
}

impl State {
    /// Makes what was changed since the last `keep` permanent.
    pub(super) fn keep(&mut self) {
        each_table!(self, keep);
    }

    /// Takes back what was changed since the last `keep`.
    pub(super) fn undo(&mut self) {
        each_table!(self, undo);
    }

    pub(super) fn put(&mut self, record: Record) -> Result<()> {
        match record {
            Record::Drive(drive) => self.put_drive(drive)?,
            Record::Member(member) => self
                .members
                .insert((member.drive, member.subject.clone()), member),
            Record::Node(node) => self.put_node(node)?,
            Record::Version(version) => self.versions.insert((version.node, version.number), version),
            Record::Content(mut content) => {
                if let Some(old) = self.contents.get(&content.id) {
                    content.refs = old.refs;
                }
                self.contents.insert(content.id, content);
            }
            Record::Blob(mut blob) => {
                let key = (blob.store.clone(), blob.key);
                if let Some(old) = self.blobs.get(&key) {
                    blob.refs = old.refs;
                }
                self.blobs.insert(key, blob);
            }
            Record::Upload(mut upload) => {
                if let Some(old) = self.uploads.get(&upload.id) {
                    upload.extents.clone_from(&old.extents);
                }
                self.uploads.insert(upload.id, upload);
            }
            Record::Share(share) => self.put_share(share)?,
            Record::Ticket(ticket) => self.put_ticket(ticket)?,
            Record::Download(record) => self.downloads.insert(record.id, record),
            Record::Lease(lease) => self.leases.insert(lease.name.clone(), lease),
            Record::Setting(setting) => self.settings.insert(setting.key.clone(), setting),
        }
        Ok(())
    }

    fn put_drive(&mut self, mut drive: Drive) -> Result<()> {
        let owner = |drive: &Drive| match drive.kind {
            DriveKind::Personal => drive.owner.clone(),
            _ => None,
        };
        let mine = owner(&drive);
        if mine.is_some()
            && self
                .drives
                .values()
                .any(|other| other.id != drive.id && owner(other) == mine)
        {
            return Err(taken("the account has a personal drive"));
        }
        if let Some(old) = self.drives.get(&drive.id) {
            drive.used_bytes = old.used_bytes;
            drive.reserved_bytes = old.reserved_bytes;
            drive.tree_version = old.tree_version;
        }
        self.drives.insert(drive.id, drive);
        Ok(())
    }

    fn put_node(&mut self, node: Node) -> Result<()> {
        self.remove_node(node.id);
        if let Some(parent) = node.parent {
            if node.trashed.is_none() {
                let name = (parent, node.name.key());
                if self.names.contains(&name) {
                    return Err(taken("the folder has an entry of this name"));
                }
                self.names.insert(name, node.id);
            }
            self.children.insert((parent, node.id), ());
        }
        self.nodes.insert(node.id, node);
        Ok(())
    }

    pub(super) fn remove_node(&mut self, id: NodeId) {
        let Some(node) = self.nodes.remove(&id) else {
            return;
        };
        if let Some(parent) = node.parent {
            if node.trashed.is_none() {
                self.names.remove(&(parent, node.name.key()));
            }
            self.children.remove(&(parent, id));
        }
    }

    fn put_share(&mut self, mut share: Share) -> Result<()> {
        if let Some(old) = self.shares.get(&share.id) {
            share.downloads = old.downloads;
            let token = old.token.clone();
            self.tokens.remove(&token);
        }
        if self.tokens.contains(&share.token) {
            return Err(taken("another share has this token"));
        }
        self.tokens.insert(share.token.clone(), share.id);
        self.shares.insert(share.id, share);
        Ok(())
    }

    fn put_ticket(&mut self, mut ticket: Ticket) -> Result<()> {
        if let Some(old) = self.tickets.get(&ticket.id) {
            ticket.granted_bytes = old.granted_bytes;
            let client = (old.share, old.client.clone());
            self.clients.remove(&client);
        }
        let client = (ticket.share, ticket.client.clone());
        if self.clients.contains(&client) {
            return Err(taken("the client has a ticket of this share"));
        }
        self.clients.insert(client, ticket.id);
        self.tickets.insert(ticket.id, ticket);
        Ok(())
    }

    pub(super) fn append(&mut self, event: Event) -> Result<()> {
        if self.event_numbers.contains(&event.id) {
            return Err(taken("the outbox has an event of this id"));
        }
        let number = self.events.range(..).next_back().map_or(0, |(last, _)| last + 1);
        self.event_numbers.insert(event.id, number);
        self.events.insert(number, event);
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &RecordKey) {
        match key {
            RecordKey::Drive(id) => drop(self.drives.remove(id)),
            RecordKey::Member(drive, subject) => drop(self.members.remove(&(*drive, subject.clone()))),
            RecordKey::Node(id) => self.remove_node(*id),
            RecordKey::Version(node, number) => drop(self.versions.remove(&(*node, *number))),
            RecordKey::Content(id) => drop(self.contents.remove(id)),
            RecordKey::Blob(store, key) => drop(self.blobs.remove(&(store.clone(), *key))),
            RecordKey::Upload(id) => drop(self.uploads.remove(id)),
            RecordKey::Share(id) => {
                if let Some(share) = self.shares.remove(id) {
                    self.tokens.remove(&share.token);
                }
            }
            RecordKey::Ticket(id) => {
                if let Some(ticket) = self.tickets.remove(id) {
                    self.clients.remove(&(ticket.share, ticket.client));
                }
            }
            RecordKey::Download(id) => drop(self.downloads.remove(id)),
            RecordKey::Lease(name) => drop(self.leases.remove(name)),
            RecordKey::Setting(key) => drop(self.settings.remove(key)),
            RecordKey::Event(id) => {
                if let Some(number) = self.event_numbers.remove(id) {
                    self.events.remove(&number);
                }
            }
        }
    }

    /// The version of a record that is there; 0 for kinds that have none.
    pub(super) fn version_of(&self, key: &RecordKey) -> Option<u64> {
        match key {
            RecordKey::Drive(id) => self.drives.get(id).map(|drive| drive.version),
            RecordKey::Member(drive, subject) => self.members.get(&(*drive, subject.clone())).map(|_| 0),
            RecordKey::Node(id) => self.nodes.get(id).map(|node| node.version),
            RecordKey::Version(node, number) => self.versions.get(&(*node, *number)).map(|_| 0),
            RecordKey::Content(id) => self.contents.get(id).map(|content| content.layout_version),
            RecordKey::Blob(store, key) => self.blobs.get(&(store.clone(), *key)).map(|_| 0),
            RecordKey::Upload(id) => self.uploads.get(id).map(|upload| upload.version),
            RecordKey::Share(id) => self.shares.get(id).map(|share| share.version),
            RecordKey::Ticket(id) => self.tickets.get(id).map(|ticket| ticket.version),
            RecordKey::Download(id) => self.downloads.get(id).map(|_| 0),
            RecordKey::Lease(name) => self.leases.get(name).map(|lease| lease.version),
            RecordKey::Setting(key) => self.settings.get(key).map(|setting| setting.version),
            RecordKey::Event(id) => self.event_numbers.get(id).map(|_| 0),
        }
    }
}

fn taken(message: &'static str) -> Error {
    Error::new(ErrorKind::AlreadyExists, message)
}
