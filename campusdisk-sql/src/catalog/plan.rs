//! A change set as statements: what each primitive runs, and what has to come of it.

use std::sync::LazyLock;

use campusdisk_core::catalog::record::{Blob, BlobState, Content, DownloadRecord, Upload};
use campusdisk_core::catalog::{BlobStep, Bulk, Change, ChangeSet, Expect, Extension, Record, RecordKey};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{ErrorKind, NodeId, UploadId};

use super::add::{self, Reason};
use super::extents::{self, CONTENT_EXTENTS};
use super::rows;
use super::table::{
    BLOBS, CONTENTS, DOWNLOADS, DOWNLOADS_AT_ONCE, DRIVES, EVENTS, LEASES, MEMBERS, NODES, SETTINGS, SHARES,
    Statements, TICKETS, UPLOADS, VERSIONS,
};
use super::upload_rows::upload_args;
use crate::database::RECORD_SET;
use crate::session::{Args, Call, Lock, Rows, Touches};

const THERE: &str = "the record is there";

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
    touches: Touches,
}

impl Statement {
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            sql: self.sql,
            args: &self.args,
            lock: self.wants.lock(),
            wants: self.wants.rows(),
            touches: self.touches,
        }
    }
}

/// What a statement has to come to, or the set is refused.
pub(super) enum Wants {
    Nothing,
    /// Exactly one changed row, or the set was applied before.
    NotReplayed,
    /// A row, which the set goes on to change.
    Row(ErrorKind, &'static str),
    /// A row, of a folder, that only has to stay as it is; other sets may rely on it too. Why there is none is asked afterwards.
    Parent(NodeId),
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
    /// How many read or changed rows are what is wanted.
    pub(super) fn rows(&self) -> Rows {
        match self {
            Self::Nothing => Rows::Any,
            Self::NoRow(..) => Rows::Exactly(0),
            Self::Never(..) => Rows::Impossible,
            Self::NotReplayed
            | Self::Row(..)
            | Self::Parent(_)
            | Self::Change(..)
            | Self::Added(_)
            | Self::Extended(_) => Rows::Exactly(1),
        }
    }

    /// How the rows it reads are locked, when the rows that count are those it reads, not those it changes.
    pub(super) fn lock(&self) -> Option<Lock> {
        match self {
            Self::Row(..) | Self::NoRow(..) => Some(Lock::Alone),
            Self::Parent(_) | Self::Never(..) => Some(Lock::Shared),
            _ => None,
        }
    }
}

pub(super) fn steps(set: &ChangeSet) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(set.changes.len() + 4);
    let args = Args::new().id(set.id.as_u128()).time(set.at);
    steps.push(run("applied_sets", RECORD_SET, args, Wants::NotReplayed));
    // What was not there must not be there when it is put either: another instance may have put it since.
    let mut absent = Vec::new();
    let mut attached = Vec::new();
    let mut downloads: Vec<&DownloadRecord> = Vec::new();
    for (index, change) in set.changes.iter().enumerate() {
        match change {
            Change::Put(Record::Download(record)) if is_one_more(record, &downloads, &absent) => {
                downloads.push(record);
                continue;
            }
            _ => put_downloads(&mut steps, &mut downloads),
        }
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
                let new = expected.is_some();
                match attached_later(record, index, &set.changes) {
                    Some(attachment) => {
                        attached.push(attachment.index);
                        steps.push(put_attached(attachment, new));
                    }
                    None => put(&mut steps, record, new),
                }
            }
            Change::Delete(key) => {
                let (statements, args) = by_key(key);
                steps.push(run(statements.name, &statements.delete, args, Wants::Nothing));
            }
            Change::Add(counter, delta, bound) => {
                let add = add::statement(*counter, *delta, *bound);
                steps.push(run(add.table, add.sql, add.args, Wants::Added(add.reason)));
            }
            Change::Blob(..) if attached.contains(&index) => {}
            Change::Blob(store, key, step) => steps.push(step_blob(store, key, *step)),
            Change::Extend(extension) => extend(&mut steps, extension),
            Change::Append(event) => {
                let insert =
                    "INSERT INTO events (id, account, kind, payload, at) VALUES ($1, $2, $3, $4, $5)";
                steps.push(insert_plainly(EVENTS.name, insert, rows::event_args(event)));
            }
            Change::Bulk(bulk) => steps.push(Step::Bulk(bulk)),
        }
    }
    put_downloads(&mut steps, &mut downloads);
    steps
}

/// Whether a record may be written together with those before it: each is another one, and is there or not as it likes.
fn is_one_more(record: &DownloadRecord, before: &[&DownloadRecord], absent: &[RecordKey]) -> bool {
    let is_other = |other: &&DownloadRecord| other.id != record.id;
    before.iter().all(is_other) && !absent.contains(&RecordKey::Download(record.id))
}

/// Writes records by few statements.
fn put_downloads(steps: &mut Vec<Step<'_>>, records: &mut Vec<&DownloadRecord>) {
    let mut rest = records.as_slice();
    while let Some(power) = rest.len().checked_ilog2() {
        let power = (power as usize).min(DOWNLOADS_AT_ONCE.len() - 1);
        let (now, later) = rest.split_at(1 << power);
        rest = later;
        let push = |args, record: &&DownloadRecord| rows::push_download(args, record);
        let args = now.iter().fold(Args::new(), push);
        if let Some(sql) = DOWNLOADS_AT_ONCE.get(power) {
            steps.push(run(DOWNLOADS.name, sql, args, Wants::Nothing));
        }
    }
    records.clear();
}

/// A statement that changes rows of `table`.
fn run(table: &'static str, sql: &'static str, args: Args, wants: Wants) -> Step<'static> {
    Step::Run(Statement {
        sql,
        args,
        wants,
        touches: Touches::writes(table),
    })
}

/// A statement that adds rows to `table` and looks at none.
fn insert_plainly(table: &'static str, sql: &'static str, args: Args) -> Step<'static> {
    Step::Run(Statement {
        sql,
        args,
        wants: Wants::Nothing,
        touches: Touches::inserts(table),
    })
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
        RecordKey::Download(id) => (&DOWNLOADS, args.id(id.as_u128())),
        RecordKey::Lease(name) => (&LEASES, args.text(name)),
        RecordKey::Setting(key) => (&SETTINGS, args.text(key)),
        RecordKey::Event(id) => (&EVENTS, args.id(id.as_u128())),
    }
}

fn check(expect: &Expect) -> Statement {
    let (table, sql, args, wants): (_, &'static str, _, _) = match expect {
        Expect::Version(key, version) => {
            let changed = "somebody else changed the record";
            let (statements, args) = by_key(key);
            let table = statements.name;
            match &statements.exists_with_version {
                Some(sql) => (
                    table,
                    sql,
                    args.sought(*version),
                    Wants::Row(ErrorKind::Conflict, changed),
                ),
                None if *version == 0 => {
                    let there = Wants::Row(ErrorKind::Conflict, changed);
                    (table, &statements.exists, args, there)
                }
                None => {
                    let never = Wants::Never(ErrorKind::Conflict, changed);
                    (table, &statements.exists, args, never)
                }
            }
        }
        Expect::Absent(key) => {
            let (statements, args) = by_key(key);
            let absent = Wants::NoRow(ErrorKind::AlreadyExists, THERE);
            (statements.name, &statements.exists, args, absent)
        }
        Expect::NameFree(parent, name) => (
            NODES.name,
            "SELECT 1 FROM nodes WHERE parent = $1 AND name_key = $2 AND trashed_at IS NULL",
            Args::new().id(parent.as_u128()).blob(name.key().as_bytes()),
            Wants::NoRow(ErrorKind::AlreadyExists, "the folder has an entry of this name"),
        ),
        Expect::ParentLive(id, drive) => (
            NODES.name,
            "SELECT 1 FROM nodes WHERE id = $1 AND kind = 'folder' AND trashed_at IS NULL AND drive = $2",
            Args::new().id(id.as_u128()).id(drive.as_u128()),
            // Everybody who puts something into the folder relies on it, and must not wait for the others.
            Wants::Parent(*id),
        ),
        Expect::TreeVersion(id, version) => (
            DRIVES.name,
            "SELECT 1 FROM drives WHERE id = $1 AND tree_version = $2",
            Args::new().id(id.as_u128()).sought(*version),
            Wants::Row(ErrorKind::Conflict, "folders of the drive were moved"),
        ),
        Expect::UploadAt(id, epoch, offset) => (
            UPLOADS.name,
            "SELECT 1 FROM uploads WHERE id = $1 AND epoch = $2 AND offset_bytes = $3",
            Args::new().id(id.as_u128()).sought(*epoch).sought(*offset),
            Wants::Row(ErrorKind::Conflict, "the upload went on elsewhere"),
        ),
    };
    Statement {
        sql,
        args,
        wants,
        touches: Touches::reads(table),
    }
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
        Record::Download(record) => (&DOWNLOADS, rows::push_download(Args::new(), record)),
        Record::Lease(lease) => (&LEASES, rows::lease_args(lease)),
        Record::Setting(setting) => (&SETTINGS, rows::setting_args(setting)),
    };
    steps.push(if new {
        let there = Wants::Change(ErrorKind::AlreadyExists, THERE);
        run(statements.name, &statements.insert_new, args, there)
    } else {
        run(statements.name, &statements.upsert, args, Wants::Nothing)
    });
    if let Record::Content(content) = record {
        put_extents(steps, content, new);
    }
}

fn put_extents(steps: &mut Vec<Step<'_>>, content: &Content, new: bool) {
    let id = content.id.as_u128();
    if !new {
        let old = "DELETE FROM content_extents WHERE content = $1";
        steps.push(run("content_extents", old, Args::new().id(id), Wants::Nothing));
    }
    let inserts = extents::inserts(&CONTENT_EXTENTS, id, &content.extents);
    steps.extend(inserts.map(|(sql, args)| insert_plainly("content_extents", sql, args)));
}

/// A blob as it is once a later change of the set attached it.
struct Attachment {
    blob: Blob,
    count: u32,
    /// Where in the set that change is.
    index: usize,
}

/// The change that attaches the blob which `changes[index]` puts, when nothing between looks at that blob. Put as attached it takes
/// one statement instead of two, and the set may fit one call.
fn attached_later(record: &Record, index: usize, changes: &[Change]) -> Option<Attachment> {
    let Record::Blob(blob) = record else { return None };
    if blob.state == BlobState::Condemned {
        return None;
    }
    let own = record.key();
    let is_own = |store: &StoreName, key: &BlobKey| *store == blob.store && *key == blob.key;
    for (later, change) in changes.iter().enumerate().skip(index + 1) {
        match change {
            Change::Blob(store, key, BlobStep::Attach(count)) if is_own(store, key) => {
                let refs = blob.refs.checked_add(u64::from(*count))?;
                let blob = Blob {
                    state: BlobState::Live,
                    refs,
                    ..blob.clone()
                };
                return Some(Attachment {
                    blob,
                    count: *count,
                    index: later,
                });
            }
            Change::Blob(store, key, _) if is_own(store, key) => return None,
            Change::Expect(Expect::Version(key, _) | Expect::Absent(key)) | Change::Delete(key)
                if *key == own =>
            {
                return None;
            }
            Change::Put(record) if record.key() == own => return None,
            Change::Extend(_) | Change::Bulk(_) => return None,
            _ => {}
        }
    }
    None
}

fn put_attached(attachment: Attachment, new: bool) -> Step<'static> {
    /// As the upsert of blobs, but what is counted already is kept and added to: `$11` is what is added.
    static UPSERT: LazyLock<String> = LazyLock::new(|| format!("{}, refs = blobs.refs + $11", BLOBS.upsert));
    let args = rows::blob_args(&attachment.blob);
    if new {
        let there = Wants::Change(ErrorKind::AlreadyExists, THERE);
        return run(BLOBS.name, &BLOBS.insert_new, args, there);
    }
    let args = args.count(u64::from(attachment.count));
    run(BLOBS.name, &UPSERT, args, Wants::Nothing)
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
    run(BLOBS.name, sql, args, Wants::Change(ErrorKind::Conflict, message))
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
    steps.push(run(UPLOADS.name, update, args, Wants::Extended(extension.upload)));
    // The count includes the new extents: the first of them stands `added` before it.
    let insert = "INSERT INTO upload_extents \
        (upload, position, store, blob, blob_len_bytes, offset_bytes, len_bytes) \
        VALUES ($1, (SELECT extent_count FROM uploads WHERE id = $1) - $2, $3, $4, $5, $6, $7)";
    for (index, extent) in (0u64..).zip(&extension.extents) {
        steps.push(step_blob(&extent.store, &extent.blob, BlobStep::Attach(1)));
        let args = rows::push_extent(Args::new().id(id).count(added - index), extent);
        steps.push(Step::Run(Statement {
            sql: insert,
            args,
            wants: Wants::Nothing,
            touches: Touches {
                reads: UPLOADS.name,
                writes: "upload_extents",
            },
        }));
    }
}
