//! A record of every kind, with every field filled and with none, and how each is read back.

use bytes::Bytes;
use campusdisk_core::catalog::record::{
    BlobState, Category, DownloadOutcome, DriveKind, HashState, Lease, Member, OnConflict, Role, Setting,
    Subject, TrashMark, UploadKind, Version,
};
use campusdisk_core::catalog::{Catalog, Record, RecordKey};
use campusdisk_core::{ContentId, GroupId, ShareId};

use super::desk::{Desk, account, at, extent, name};

/// The largest number a catalog keeps.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// One record of each kind with nothing left out, and numbers of 64 bits.
pub(super) fn full(desk: &Desk) -> Vec<Record> {
    let mut drive = desk.new_drive(Some(LARGEST));
    drive.kind = DriveKind::Personal;
    drive.owner = Some(account("mei@campus"));
    (drive.used_bytes, drive.reserved_bytes, drive.tree_version) = (5 << 40, 6, 7);

    let mut node = desk.file(&drive, "论文 Ünïcode.PDF");
    node.content = Some(ContentId::from_u128(u128::MAX));
    (node.size_bytes, node.version) = (LARGEST, 3);
    (node.created, node.modified) = (at(-1), at(17));
    node.category = Category::Video;
    node.trashed = Some(TrashMark {
        at: at(20),
        expires: at(30),
        by: account("lin"),
    });

    let mut blob = desk.blob();
    (blob.state, blob.condemned, blob.refs) = (BlobState::Condemned, Some(at(5)), 0);

    let mut content = desk.content(&blob, LARGEST);
    (content.crc32, content.sha256, content.refs) = (Some(u32::MAX), Some([0xa5; 32]), 2);
    content.extents = (0..5).map(|index| extent(&blob, index, 1 + index)).collect();
    content.extents.push(extent(&blob, LARGEST - 9, 9));

    let mut upload = desk.upload(&drive);
    (upload.kind, upload.on_conflict) = (UploadKind::Joined, OnConflict::Version);
    upload.share = Some(ShareId::from_u128(12));
    upload.folders = vec![name("Kurs \"7\""), name("a,b")];
    upload.mime = Some("application/pdf".to_owned());
    upload.declared_sha256 = Some([7; 32]);
    upload.metadata = "filename dGhlc2lz,empty".to_owned();
    (upload.len_bytes, upload.offset_bytes) = (Some(LARGEST), 1 << 50);
    upload.tail = Bytes::from(vec![0x5a; 200_000]);
    upload.hash = HashState {
        sha256: Some(vec![1, 2, 3]),
        crc32: 0xdead_beef,
    };
    (upload.reserved_bytes, upload.epoch, upload.node) = (9, 4, Some(node.id));
    upload.extents = (0..3).map(|index| extent(&blob, index, 10)).collect();

    let mut share = desk.share(node.id);
    share.password = Some("$argon2id$…".to_owned());
    (share.expires, share.ended) = (Some(at(99)), Some(at(98)));
    share.max_downloads = Some(u32::MAX);
    share.networks = ["10.0.0.0/8", "fe80::/10"]
        .iter()
        .map(|network| network.parse().expect("is a network"))
        .collect();
    (share.drop, share.downloads) = (true, 3);

    let mut ticket = desk.ticket(share.id, "192.0.2.7");
    (ticket.spent, ticket.budget_bytes, ticket.granted_bytes) = (Some(at(1)), Some(1 << 60), 1 << 59);

    let mut download = desk.download(node.id);
    (download.account, download.share) = (Some(account("mei@campus")), Some(share.id));
    download.address = Some("2001:db8::7".parse().expect("is an address"));
    (download.name, download.ended) = ("论文 Ünïcode.PDF.zip".to_owned(), at(70));
    (download.sent_bytes, download.requests) = (LARGEST, LARGEST - 1);
    download.outcome = DownloadOutcome::Completed;

    let version = Version {
        number: LARGEST,
        ..desk.version(&node, &content)
    };
    let member = Member {
        drive: drive.id,
        subject: Subject::Group(GroupId::parse("physics").expect("is a group")),
        role: Role::Contributor,
    };
    let lease = Lease {
        name: "relay".to_owned(),
        holder: "hall-1".to_owned(),
        token: 3,
        until: at(10),
        version: 2,
    };
    let setting = Setting {
        key: "installation".to_owned(),
        value: "值".to_owned(),
        version: 2,
    };
    vec![
        Record::Drive(drive),
        Record::Member(member),
        Record::Node(node),
        Record::Version(version),
        Record::Content(content),
        Record::Blob(blob),
        Record::Upload(upload),
        Record::Share(share),
        Record::Ticket(ticket),
        Record::Download(download),
        Record::Lease(lease),
        Record::Setting(setting),
    ]
}

/// Records of the kinds with optional fields, all left out.
pub(super) fn bare(desk: &Desk) -> Vec<Record> {
    let drive = desk.new_drive(None);
    let mut root = desk.folder(&drive, "root");
    root.parent = None;
    let blob = desk.blob();
    let mut content = desk.content(&blob, 0);
    content.extents.clear();
    let mut upload = desk.upload(&drive);
    (upload.name, upload.kind) = (None, UploadKind::Partial);
    let root_id = root.id;
    let share = desk.share(root_id);
    let ticket = desk.ticket(share.id, "");
    let version = Version {
        mime: None,
        ..desk.version(&root, &content)
    };
    let member = Member {
        drive: drive.id,
        subject: Subject::Account(account("mei")),
        role: Role::Reader,
    };
    vec![
        Record::Drive(drive),
        Record::Member(member),
        Record::Node(root),
        Record::Version(version),
        Record::Content(content),
        Record::Blob(blob),
        Record::Upload(upload),
        Record::Share(share),
        Record::Ticket(ticket),
        Record::Download(desk.download(root_id)),
    ]
}

/// Records and what replaces them: all fields but key and counters differ.
pub(super) fn replacements(desk: &Desk) -> Vec<(Record, Record)> {
    let filled = full(desk);
    let pairs = filled.into_iter().filter_map(|new| {
        let old = bare(desk)
            .into_iter()
            .find(|old| std::mem::discriminant(old) == std::mem::discriminant(&new))?;
        Some((with_key_of(old, &new)?, new))
    });
    pairs.collect()
}

/// `old` under the key, with the counters and the extents of an upload of `new`; those a second put leaves as they are.
fn with_key_of(old: Record, new: &Record) -> Option<Record> {
    Some(match (old, new) {
        (Record::Drive(mut old), Record::Drive(new)) => {
            (old.id, old.used_bytes) = (new.id, new.used_bytes);
            (old.reserved_bytes, old.tree_version) = (new.reserved_bytes, new.tree_version);
            Record::Drive(old)
        }
        (Record::Node(mut old), Record::Node(new)) => {
            old.id = new.id;
            Record::Node(old)
        }
        (Record::Version(mut old), Record::Version(new)) => {
            (old.node, old.number) = (new.node, new.number);
            Record::Version(old)
        }
        (Record::Content(mut old), Record::Content(new)) => {
            (old.id, old.refs) = (new.id, new.refs);
            Record::Content(old)
        }
        (Record::Blob(mut old), Record::Blob(new)) => {
            (old.key, old.refs) = (new.key, new.refs);
            old.store = new.store.clone();
            Record::Blob(old)
        }
        (Record::Upload(mut old), Record::Upload(new)) => {
            old.id = new.id;
            old.extents = new.extents.clone();
            Record::Upload(old)
        }
        (Record::Share(mut old), Record::Share(new)) => {
            (old.id, old.downloads) = (new.id, new.downloads);
            Record::Share(old)
        }
        (Record::Ticket(mut old), Record::Ticket(new)) => {
            (old.id, old.granted_bytes) = (new.id, new.granted_bytes);
            Record::Ticket(old)
        }
        (Record::Download(mut old), Record::Download(new)) => {
            old.id = new.id;
            Record::Download(old)
        }
        _ => return None,
    })
}

/// What `Expect::Version` compares.
pub(super) fn version_of(record: &Record) -> u64 {
    match record {
        Record::Drive(row) => row.version,
        Record::Node(row) => row.version,
        Record::Content(row) => row.layout_version,
        Record::Upload(row) => row.version,
        Record::Share(row) => row.version,
        Record::Ticket(row) => row.version,
        Record::Lease(row) => row.version,
        Record::Setting(row) => row.version,
        Record::Member(_) | Record::Version(_) | Record::Blob(_) | Record::Download(_) => 0,
    }
}

/// Reads the record with this key.
pub(super) async fn read(catalog: &dyn Catalog, key: &RecordKey) -> Option<Record> {
    let row = match key {
        RecordKey::Drive(id) => catalog.drive(*id).await.map(|row| row.map(Record::Drive)),
        RecordKey::Member(drive, subject) => catalog.members(*drive).await.map(|rows| {
            let mut rows = rows.into_iter();
            rows.find(|row| row.subject == *subject).map(Record::Member)
        }),
        RecordKey::Node(id) => catalog.node(*id).await.map(|row| row.map(Record::Node)),
        RecordKey::Version(node, number) => {
            let row = catalog.version(*node, *number).await;
            row.map(|row| row.map(Record::Version))
        }
        RecordKey::Content(id) => catalog.content(*id).await.map(|row| row.map(Record::Content)),
        RecordKey::Blob(store, key) => catalog.blob(store, key).await.map(|row| row.map(Record::Blob)),
        RecordKey::Upload(id) => catalog.upload(*id).await.map(|row| row.map(Record::Upload)),
        RecordKey::Share(id) => catalog.share(*id).await.map(|row| row.map(Record::Share)),
        RecordKey::Ticket(id) => catalog.ticket(*id).await.map(|row| row.map(Record::Ticket)),
        RecordKey::Download(id) => catalog.download(*id).await.map(|row| row.map(Record::Download)),
        RecordKey::Lease(name) => catalog.lease(name).await.map(|row| row.map(Record::Lease)),
        RecordKey::Setting(key) => catalog.setting(key).await.map(|row| row.map(Record::Setting)),
        RecordKey::Event(_) => Ok(None),
    };
    row.expect("the read is answered")
}
