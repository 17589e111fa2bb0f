//! Applying a change set: each primitive is a statement or two.

use campusdisk_core::catalog::record::{BlobState, NodeKind};
use campusdisk_core::catalog::{BlobStep, Change, ChangeSet, Committed, Expect, Extension, RecordKey};
use campusdisk_core::storage::{BlobKey, StoreName};
use campusdisk_core::{Error, ErrorKind, UploadId};

use super::table::{
    BLOBS, CONTENTS, DRIVES, EVENTS, LEASES, MEMBERS, NODES, SETTINGS, SHARES, Statements, TICKETS, UPLOADS,
    VERSIONS,
};
use super::{add, bulk, put, rows};
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Columns, Session};

pub(super) async fn apply_set(session: &mut Session, set: ChangeSet) -> Outcome<Committed> {
    let record = "INSERT INTO applied_sets (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    let args = Args::new().id(set.id.as_u128()).time(set.at);
    if session.execute(record, args).await? == 0 {
        return Ok(Committed {
            replayed: true,
            bulk: Vec::new(),
        });
    }
    let mut committed = Committed::default();
    for change in set.changes {
        match change {
            Change::Expect(expect) => check(session, &expect).await?,
            Change::Put(record) => put::put(session, &record).await?,
            Change::Delete(key) => {
                let (statements, args) = by_key(&key);
                session.execute(statements.delete.as_str(), args).await?;
            }
            Change::Add(counter, delta, bound) => add::add(session, counter, delta, bound).await?,
            Change::Blob(store, key, step) => step_blob(session, &store, &key, step).await?,
            Change::Extend(extension) => extend(session, &extension).await?,
            Change::Append(event) => {
                let insert =
                    "INSERT INTO events (id, account, kind, payload, at) VALUES ($1, $2, $3, $4, $5)";
                session.execute(insert, rows::event_args(&event)).await?;
            }
            Change::Bulk(bulk) => committed.bulk.push(bulk::apply(session, &bulk, set.at).await?),
        }
    }
    Ok(committed)
}

/// The statements and the key of a record.
fn by_key(key: &RecordKey) -> (&'static Statements, Args) {
    let args = Args::new();
    match key {
        RecordKey::Drive(id) => (&DRIVES, args.id(id.as_u128())),
        RecordKey::Member(drive, subject) => (&MEMBERS, rows::member_key(*drive, subject)),
        RecordKey::Node(id) => (&NODES, args.id(id.as_u128())),
        RecordKey::Version(node, number) => (&VERSIONS, args.id(node.as_u128()).count(*number)),
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

async fn check(session: &mut Session, expect: &Expect) -> Outcome<()> {
    let conflict = |message| (true, ErrorKind::Conflict, message);
    let (sql, args, (found, kind, message)): (&'static str, _, _) = match expect {
        Expect::Version(key, version) => {
            let (statements, args) = by_key(key);
            let changed = conflict("somebody else changed the record");
            match &statements.exists_with_version {
                Some(sql) => (sql, args.count(*version), changed),
                None if *version == 0 => (&statements.exists, args, changed),
                None => return Err(Failure::refused(changed.1, changed.2)),
            }
        }
        Expect::Absent(key) => {
            let (statements, args) = by_key(key);
            let there = (false, ErrorKind::AlreadyExists, "the record is there");
            (&statements.exists, args, there)
        }
        Expect::NameFree(parent, name) => (
            "SELECT 1 FROM nodes WHERE parent = $1 AND name_key = $2 AND trashed_at IS NULL",
            Args::new().id(parent.as_u128()).blob(name.key().as_bytes()),
            (
                false,
                ErrorKind::AlreadyExists,
                "the folder has an entry of this name",
            ),
        ),
        Expect::ParentLive(id) => (
            "SELECT 1 FROM nodes WHERE id = $1 AND kind = $2 AND trashed_at IS NULL",
            Args::new().id(id.as_u128()).text(NodeKind::Folder.as_str()),
            (true, ErrorKind::NotFound, "the folder is not there"),
        ),
        Expect::TreeVersion(id, version) => (
            "SELECT 1 FROM drives WHERE id = $1 AND tree_version = $2",
            Args::new().id(id.as_u128()).count(*version),
            conflict("folders of the drive were moved"),
        ),
        Expect::UploadAt(id, epoch, offset) => (
            "SELECT 1 FROM uploads WHERE id = $1 AND epoch = $2 AND offset_bytes = $3",
            Args::new().id(id.as_u128()).count(*epoch).count(*offset),
            conflict("the upload went on elsewhere"),
        ),
    };
    let sql = session.locking(sql);
    if session.row(sql, args).await?.is_some() == found {
        Ok(())
    } else {
        Err(Failure::refused(kind, message))
    }
}

async fn step_blob(session: &mut Session, store: &StoreName, key: &BlobKey, step: BlobStep) -> Outcome<()> {
    let args = Args::new().text(store.as_str()).text(key.as_str());
    let changed = match step {
        BlobStep::Attach(count) => {
            let attach = "UPDATE blobs SET refs = refs + $3, state = $4 \
                WHERE store = $1 AND key = $2 AND state <> $5";
            let args = args
                .count(u64::from(count))
                .text(BlobState::Live.as_str())
                .text(BlobState::Condemned.as_str());
            session.execute(attach, args).await?
        }
        BlobStep::Detach(count) => {
            let detach = "UPDATE blobs SET refs = refs - $3 WHERE store = $1 AND key = $2 AND refs >= $3";
            session.execute(detach, args.count(u64::from(count))).await?
        }
        BlobStep::Condemn { now } => {
            let condemn = "UPDATE blobs SET state = $4, condemned = $3 \
                WHERE store = $1 AND key = $2 AND refs = 0 AND (state = $5 OR (state = $6 AND until <= $3))";
            let args = args
                .time(now)
                .text(BlobState::Condemned.as_str())
                .text(BlobState::Live.as_str())
                .text(BlobState::Leased.as_str());
            session.execute(condemn, args).await?
        }
    };
    if changed == 1 {
        Ok(())
    } else {
        let message = "the blob is not in a state for this";
        Err(Failure::refused(ErrorKind::Conflict, message))
    }
}

async fn extend(session: &mut Session, extension: &Extension) -> Outcome<()> {
    let update = "UPDATE uploads SET offset_bytes = $4, tail = $5, hash_sha256 = $6, hash_crc32 = $7, \
        expires = $8, extent_count = extent_count + $9 \
        WHERE id = $1 AND epoch = $2 AND offset_bytes = $3 RETURNING extent_count";
    let id = extension.upload.as_u128();
    let added = extension.extents.len() as u64;
    let args = Args::new()
        .id(id)
        .count(extension.epoch)
        .count(extension.from_bytes)
        .count(extension.to_bytes)
        .blob(&extension.tail)
        .opt_blob(extension.hash.sha256.as_deref())
        .count(u64::from(extension.hash.crc32))
        .time(extension.expires)
        .count(added);
    let Some(row) = session.row(update, args).await? else {
        return Err(not_extended(session, extension.upload).await?);
    };
    for extent in &extension.extents {
        step_blob(session, &extent.store, &extent.blob, BlobStep::Attach(1)).await?;
    }
    let first = Columns::of(&row).count()?.saturating_sub(added);
    put::extents(session, &put::UPLOAD_EXTENTS, id, first, &extension.extents).await
}

async fn not_extended(session: &mut Session, upload: UploadId) -> Outcome<Failure> {
    let args = Args::new().id(upload.as_u128());
    Ok(match session.row(UPLOADS.exists.as_str(), args).await? {
        Some(_) => Failure::refused(ErrorKind::Conflict, "the upload went on elsewhere"),
        None => Failure::Refused(Error::not_found()),
    })
}
