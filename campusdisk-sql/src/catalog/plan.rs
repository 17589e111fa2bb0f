//! A change set as statements: what each primitive runs, and what has to come of it.

use std::sync::LazyLock;

use campusdisk_core::catalog::record::{BlobState, Content, NodeKind, Upload};
use campusdisk_core::catalog::{BlobStep, Bulk, Change, ChangeSet, Expect, Extension, Record, RecordKey};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{ErrorKind, UploadId};

use super::add::{self, Reason};
use super::extents::{self, CONTENT_EXTENTS};
use super::rows;
use super::table::{
    BLOBS, CONTENTS, DRIVES, EVENTS, LEASES, MEMBERS, NODES, SETTINGS, SHARES, Statements, TICKETS, UPLOADS,
    VERSIONS,
};
use super::upload_rows::upload_args;
use crate::session::Args;

/// What a change set does, in order.
pub(super) enum Step<'s> {
    Run(Statement),
    /// An upload that brings extents: they are inserted only with it.
    PutUpload(&'s Upload),
    Bulk(&'s Bulk),
}

impl Step<'_> {
    pub(super) fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Run(statement) => Some(statement),
            _ => None,
        }
    }
}

pub(super) struct Statement {
    pub(super) sql: &'static str,
    pub(super) args: Args,
    pub(super) wants: Wants,
}

/// What a statement has to come to, or the set is refused.
pub(super) enum Wants {
    Nothing,
    /// Exactly one changed row, or the set was applied before.
    NotReplayed,
    /// A row.
    Row(ErrorKind, &'static str),
    /// No row.
    NoRow(ErrorKind, &'static str),
    /// A changed row.
    Change(ErrorKind, &'static str),
    /// A changed row; why there is none is asked afterwards.
    Added(Reason),
    /// A changed row; without one the upload is elsewhere or gone.
    Extended(UploadId),
    /// What can't hold.
    Never(ErrorKind, &'static str),
}

impl Wants {
    /// Whether `rows` read or changed rows are what is wanted.
    pub(super) fn is_met_by(&self, rows: u64) -> bool {
        match self {
            Self::Nothing => true,
            Self::NoRow(..) => rows == 0,
            Self::Never(..) => false,
            Self::NotReplayed | Self::Row(..) | Self::Change(..) | Self::Added(_) | Self::Extended(_) => {
                rows == 1
            }
        }
    }

    /// Whether the rows are those it reads, not those it changes.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Row(..) | Self::NoRow(..))
    }
}

pub(super) fn steps(set: &ChangeSet) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(set.changes.len() + 4);
    let record = "INSERT INTO applied_sets (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    let args = Args::new().id(set.id.as_u128()).time(set.at);
    steps.push(run(record, args, Wants::NotReplayed));
    // What was not there must not be there when it is put either: another instance may have put it since.
    let mut absent = Vec::new();
    for change in &set.changes {
        match change {
            Change::Expect(expect) => {
                if let Expect::Absent(key) = expect {
                    absent.push(key.clone());
                }
                steps.push(Step::Run(check(expect)));
            }
            Change::Put(record) => {
                let expected = absent.iter().position(|key| *key == record.key());
                if let Some(index) = expected {
                    absent.swap_remove(index);
                }
                put(&mut steps, record, expected.is_some());
            }
            Change::Delete(key) => {
                let (statements, args) = by_key(key);
                steps.push(run(&statements.delete, args, Wants::Nothing));
            }
            Change::Add(counter, delta, bound) => {
                let (sql, args, reason) = add::statement(*counter, *delta, *bound);
                steps.push(run(sql, args, Wants::Added(reason)));
            }
            Change::Blob(store, key, step) => steps.push(step_blob(store, key, *step)),
            Change::Extend(extension) => extend(&mut steps, extension),
            Change::Append(event) => {
                let insert =
                    "INSERT INTO events (id, account, kind, payload, at) VALUES ($1, $2, $3, $4, $5)";
                steps.push(run(insert, rows::event_args(event), Wants::Nothing));
            }
            Change::Bulk(bulk) => steps.push(Step::Bulk(bulk)),
        }
    }
    steps
}

fn run(sql: &'static str, args: Args, wants: Wants) -> Step<'static> {
    Step::Run(Statement { sql, args, wants })
}

/// The statements and the key of a record.
fn by_key(key: &RecordKey) -> (&'static Statements, Args) {
    let args = Args::new();
    match key {
        RecordKey::Drive(id) => (&DRIVES, args.id(id.as_u128())),
        RecordKey::Member(drive, subject) => (&MEMBERS, rows::member_key(*drive, subject)),
        RecordKey::Node(id) => (&NODES, args.id(id.as_u128())),
        RecordKey::Version(node, number) => (&VERSIONS, args.id(node.as_u128()).sought(*number)),
        RecordKey::Content(id) => (&CONTENTS, args.id(id.as_u128())),
        RecordKey::Blob(store, key) => (&BLOBS, args.text(store.as_str()).text(key.as_str())),
        RecordKey::Upload(id) => (&UPLOADS, args.id(id.as_u128())),
        RecordKey::Share(id) => (&SHARES, args.id(id.as_u128())),
        RecordKey::Ticket(id) => (&TICKETS, args.id(id.as_u128())),
        RecordKey::Lease(name) => (&LEASES, args.text(name)),
        RecordKey::Setting(key) => (&SETTINGS, args.text(key)),
        RecordKey::Event(id) => (&EVENTS, args.id(id.as_u128())),
    }
}

fn check(expect: &Expect) -> Statement {
    let (sql, args, wants): (&'static str, _, _) = match expect {
        Expect::Version(key, version) => {
            let changed = "somebody else changed the record";
            let (statements, args) = by_key(key);
            match &statements.exists_with_version {
                Some(sql) => (
                    sql,
                    args.sought(*version),
                    Wants::Row(ErrorKind::Conflict, changed),
                ),
                None if *version == 0 => {
                    let there = Wants::Row(ErrorKind::Conflict, changed);
                    (&statements.exists, args, there)
                }
                None => {
                    let never = Wants::Never(ErrorKind::Conflict, changed);
                    (&statements.exists, args, never)
                }
            }
        }
        Expect::Absent(key) => {
            let (statements, args) = by_key(key);
            let absent = Wants::NoRow(ErrorKind::AlreadyExists, "the record is there");
            (&statements.exists, args, absent)
        }
        Expect::NameFree(parent, name) => (
            "SELECT 1 FROM nodes WHERE parent = $1 AND name_key = $2 AND trashed_at IS NULL",
            Args::new().id(parent.as_u128()).blob(name.key().as_bytes()),
            Wants::NoRow(ErrorKind::AlreadyExists, "the folder has an entry of this name"),
        ),
        Expect::ParentLive(id) => (
            "SELECT 1 FROM nodes WHERE id = $1 AND kind = $2 AND trashed_at IS NULL",
            Args::new().id(id.as_u128()).text(NodeKind::Folder.as_str()),
            Wants::Row(ErrorKind::NotFound, "the folder is not there"),
        ),
        Expect::TreeVersion(id, version) => (
            "SELECT 1 FROM drives WHERE id = $1 AND tree_version = $2",
            Args::new().id(id.as_u128()).sought(*version),
            Wants::Row(ErrorKind::Conflict, "folders of the drive were moved"),
        ),
        Expect::UploadAt(id, epoch, offset) => (
            "SELECT 1 FROM uploads WHERE id = $1 AND epoch = $2 AND offset_bytes = $3",
            Args::new().id(id.as_u128()).sought(*epoch).sought(*offset),
            Wants::Row(ErrorKind::Conflict, "the upload went on elsewhere"),
        ),
    };
    Statement { sql, args, wants }
}

fn put<'s>(steps: &mut Vec<Step<'s>>, record: &'s Record, new: bool) {
    let (statements, args): (&'static LazyLock<Statements>, _) = match record {
        Record::Drive(drive) => (&DRIVES, rows::drive_args(drive)),
        Record::Member(member) => (&MEMBERS, rows::member_args(member)),
        Record::Node(node) => (&NODES, rows::node_args(node)),
        Record::Version(version) => (&VERSIONS, rows::version_args(version)),
        Record::Content(content) => (&CONTENTS, rows::content_args(content)),
        Record::Blob(blob) => (&BLOBS, rows::blob_args(blob)),
        Record::Upload(upload) if !upload.extents.is_empty() => {
            steps.push(Step::PutUpload(upload));
            return;
        }
        Record::Upload(upload) => (&UPLOADS, upload_args(upload)),
        Record::Share(share) => (&SHARES, rows::share_args(share)),
        Record::Ticket(ticket) => (&TICKETS, rows::ticket_args(ticket)),
        Record::Lease(lease) => (&LEASES, rows::lease_args(lease)),
        Record::Setting(setting) => (&SETTINGS, rows::setting_args(setting)),
    };
    steps.push(if new {
        let there = Wants::Change(ErrorKind::AlreadyExists, "the record is there");
        run(&statements.insert_new, args, there)
    } else {
        run(&statements.upsert, args, Wants::Nothing)
    });
    if let Record::Content(content) = record {
        put_extents(steps, content, new);
    }
}

fn put_extents(steps: &mut Vec<Step<'_>>, content: &Content, new: bool) {
    let id = content.id.as_u128();
    if !new {
        let old = "DELETE FROM content_extents WHERE content = $1";
        steps.push(run(old, Args::new().id(id), Wants::Nothing));
    }
    let inserts = extents::inserts(&CONTENT_EXTENTS, id, &content.extents);
    steps.extend(inserts.map(|(sql, args)| run(sql, args, Wants::Nothing)));
}

fn step_blob(store: &StoreName, key: &BlobKey, step: BlobStep) -> Step<'static> {
    let args = Args::new().text(store.as_str()).text(key.as_str());
    let (sql, args) = match step {
        BlobStep::Attach(count) => (
            "UPDATE blobs SET refs = refs + $3, state = $4 WHERE store = $1 AND key = $2 AND state <> $5",
            args.count(u64::from(count))
                .text(BlobState::Live.as_str())
                .text(BlobState::Condemned.as_str()),
        ),
        BlobStep::Detach(count) => (
            "UPDATE blobs SET refs = refs - $3 WHERE store = $1 AND key = $2 AND refs >= $3",
            args.count(u64::from(count)),
        ),
        BlobStep::Condemn { now } => (
            "UPDATE blobs SET state = $4, condemned = $3 \
             WHERE store = $1 AND key = $2 AND refs = 0 AND (state = $5 OR (state = $6 AND until <= $3))",
            args.time(now)
                .text(BlobState::Condemned.as_str())
                .text(BlobState::Live.as_str())
                .text(BlobState::Leased.as_str()),
        ),
    };
    let message = "the blob is not in a state for this";
    run(sql, args, Wants::Change(ErrorKind::Conflict, message))
}

fn extend(steps: &mut Vec<Step<'_>>, extension: &Extension) {
    let update = "UPDATE uploads SET offset_bytes = $4, tail = $5, hash_sha256 = $6, hash_crc32 = $7, \
        expires = $8, extent_count = extent_count + $9 WHERE id = $1 AND epoch = $2 AND offset_bytes = $3";
    let id = extension.upload.as_u128();
    let added = extension.extents.len() as u64;
    let args = Args::new()
        .id(id)
        .sought(extension.epoch)
        .sought(extension.from_bytes)
        .count(extension.to_bytes)
        .blob(&extension.tail)
        .opt_blob(extension.hash.sha256.as_deref())
        .count(u64::from(extension.hash.crc32))
        .time(extension.expires)
        .count(added);
    steps.push(run(update, args, Wants::Extended(extension.upload)));
    // The count includes the new extents: the first of them stands `added` before it.
    let insert = "INSERT INTO upload_extents \
        (upload, position, store, blob, blob_len_bytes, offset_bytes, len_bytes) \
        VALUES ($1, (SELECT extent_count FROM uploads WHERE id = $1) - $2, $3, $4, $5, $6, $7)";
    for (index, extent) in (0u64..).zip(&extension.extents) {
        steps.push(step_blob(&extent.store, &extent.blob, BlobStep::Attach(1)));
        let args = rows::push_extent(Args::new().id(id).count(added - index), extent);
        steps.push(run(insert, args, Wants::Nothing));
    }
}
