//! Records as rows: for each kind how it is written and how it is read, in the order of its table's columns.

use campusdisk_core::EntryName;
use campusdisk_core::catalog::record::{
    Blob, Content, DownloadRecord, Drive, Event, Extent, Lease, Member, Node, Setting, Share, Subject,
    Ticket, TrashMark, Version,
};
use campusdisk_core::mount::{ObjectPath, ObjectRef};
use campusdisk_core::storage::StoreName;
use campusdisk_core::{
    AccountId, ContentId, DownloadId, DriveId, EventId, GroupId, NodeId, ShareId, TicketId,
};

use crate::failure::{Failure, Outcome};
use crate::session::{Args, Columns};

const ACCOUNT: &str = "account";
const GROUP: &str = "group";

pub(super) fn account(text: &str) -> Outcome<AccountId> {
    AccountId::parse(text).map_err(|_| Failure::unreadable("an account that is none"))
}

pub(super) fn store(text: &str) -> Outcome<StoreName> {
    StoreName::parse(text).map_err(|_| Failure::unreadable("a store that is none"))
}

pub(super) fn entry_name(text: &str) -> Outcome<EntryName> {
    EntryName::parse(text).map_err(|_| Failure::unreadable("a name that is none"))
}

pub(super) fn opt_account(text: Option<&str>) -> Outcome<Option<AccountId>> {
    text.map(account).transpose()
}

pub(super) fn opt_u32(value: Option<i64>) -> Outcome<Option<u32>> {
    let value = value.map(u32::try_from);
    value
        .transpose()
        .map_err(|_| Failure::unreadable("a number of 32 bits"))
}

pub(super) fn sha256(bytes: Option<&[u8]>) -> Outcome<Option<[u8; 32]>> {
    let hash = bytes.map(<[u8; 32]>::try_from);
    hash.transpose().map_err(|_| Failure::unreadable("a hash"))
}

pub(super) fn drive_args(drive: &Drive) -> Args {
    Args::new()
        .id(drive.id.as_u128())
        .text(drive.kind.as_str())
        .text(&drive.name)
        .opt_text(drive.owner.as_ref().map(AccountId::as_str))
        .id(drive.root.as_u128())
        .opt_count(drive.quota_bytes)
        .time(drive.created)
        .count(drive.version)
        .count(drive.used_bytes)
        .count(drive.reserved_bytes)
        .count(drive.tree_version)
}

pub(super) fn drive(row: &mut Columns<'_>) -> Outcome<Drive> {
    Ok(Drive {
        id: DriveId::from_u128(row.id()?),
        kind: row.word()?,
        name: row.text()?.to_owned(),
        owner: opt_account(row.opt_text()?)?,
        root: NodeId::from_u128(row.id()?),
        quota_bytes: row.opt_count()?,
        created: row.time()?,
        version: row.count()?,
        used_bytes: row.count()?,
        reserved_bytes: row.count()?,
        tree_version: row.count()?,
    })
}

/// The two columns of a subject.
pub(super) fn subject_columns(subject: &Subject) -> (&'static str, &str) {
    match subject {
        Subject::Account(id) => (ACCOUNT, id.as_str()),
        Subject::Group(id) => (GROUP, id.as_str()),
    }
}

pub(super) fn member_key(drive: DriveId, subject: &Subject) -> Args {
    let (kind, subject) = subject_columns(subject);
    Args::new().id(drive.as_u128()).text(kind).text(subject)
}

pub(super) fn member_args(member: &Member) -> Args {
    member_key(member.drive, &member.subject).text(member.role.as_str())
}

pub(super) fn member(row: &mut Columns<'_>) -> Outcome<Member> {
    Ok(Member {
        drive: DriveId::from_u128(row.id()?),
        subject: match (row.text()?, row.text()?) {
            (ACCOUNT, id) => Subject::Account(account(id)?),
            (GROUP, id) => {
                let group = GroupId::parse(id);
                Subject::Group(group.map_err(|_| Failure::unreadable("a group that is none"))?)
            }
            _ => return Err(Failure::unreadable("a kind of member")),
        },
        role: row.word()?,
    })
}

pub(super) fn node_args(node: &Node) -> Args {
    let trashed = node.trashed.as_ref();
    Args::new()
        .id(node.id.as_u128())
        .id(node.drive.as_u128())
        .opt_id(node.parent.map(NodeId::as_u128))
        .text(node.kind.as_str())
        .text(node.name.as_str())
        .blob(node.name.key().as_bytes())
        .opt_id(node.content.map(ContentId::as_u128))
        .count(node.size_bytes)
        .opt_text(node.mime.as_deref())
        .text(node.category.as_str())
        .time(node.created)
        .time(node.modified)
        .count(node.version)
        .opt_time(trashed.map(|mark| mark.at))
        .opt_time(trashed.map(|mark| mark.expires))
        .opt_text(trashed.map(|mark| mark.by.as_str()))
}

pub(super) fn node(row: &mut Columns<'_>) -> Outcome<Node> {
    let id = NodeId::from_u128(row.id()?);
    let drive = DriveId::from_u128(row.id()?);
    let parent = row.opt_id()?.map(NodeId::from_u128);
    let kind = row.word()?;
    let name = entry_name(row.text()?)?;
    // The key follows from the name.
    row.opt_blob()?;
    Ok(Node {
        id,
        drive,
        parent,
        kind,
        name,
        content: row.opt_id()?.map(ContentId::from_u128),
        size_bytes: row.count()?,
        mime: row.opt_text()?.map(str::to_owned),
        category: row.word()?,
        created: row.time()?,
        modified: row.time()?,
        version: row.count()?,
        trashed: trash_mark(row)?,
    })
}

fn trash_mark(row: &mut Columns<'_>) -> Outcome<Option<TrashMark>> {
    match (row.opt_time()?, row.opt_time()?, row.opt_text()?) {
        (Some(at), Some(expires), Some(by)) => Ok(Some(TrashMark {
            at,
            expires,
            by: account(by)?,
        })),
        (None, None, None) => Ok(None),
        _ => Err(Failure::unreadable("half a mark of the trash")),
    }
}

pub(super) fn version_args(version: &Version) -> Args {
    Args::new()
        .id(version.node.as_u128())
        .count(version.number)
        .id(version.drive.as_u128())
        .id(version.content.as_u128())
        .count(version.size_bytes)
        .opt_text(version.mime.as_deref())
        .time(version.created)
}

pub(super) fn version(row: &mut Columns<'_>) -> Outcome<Version> {
    Ok(Version {
        node: NodeId::from_u128(row.id()?),
        number: row.count()?,
        drive: DriveId::from_u128(row.id()?),
        content: ContentId::from_u128(row.id()?),
        size_bytes: row.count()?,
        mime: row.opt_text()?.map(str::to_owned),
        created: row.time()?,
    })
}

pub(super) fn content_args(content: &Content) -> Args {
    Args::new()
        .id(content.id.as_u128())
        .count(content.size_bytes)
        .opt_count(content.crc32.map(u64::from))
        .opt_blob(content.sha256.as_ref().map(<[u8; 32]>::as_slice))
        .time(content.created)
        .count(content.layout_version)
        .count(content.refs)
}

/// A content without its extents.
pub(super) fn content(row: &mut Columns<'_>) -> Outcome<Content> {
    Ok(Content {
        id: ContentId::from_u128(row.id()?),
        size_bytes: row.count()?,
        crc32: crc32(row)?,
        sha256: sha256(row.opt_blob()?)?,
        created: row.time()?,
        layout_version: row.count()?,
        refs: row.count()?,
        extents: Vec::new(),
    })
}

/// The CRC-32 of a content, where it is known.
pub(super) fn crc32(row: &mut Columns<'_>) -> Outcome<Option<u32>> {
    opt_u32(row.opt_int()?)
}

/// The columns of an extent beside whose it is and where it stands.
pub(super) const EXTENT_COLUMNS: [&str; 5] = ["store", "blob", "blob_len_bytes", "offset_bytes", "len_bytes"];

pub(super) fn push_extent(args: Args, extent: &Extent) -> Args {
    args.text(extent.store.as_str())
        .text(extent.blob.as_str())
        .count(extent.blob_len_bytes)
        .count(extent.offset_bytes)
        .count(extent.len_bytes)
}

/// The extent of a joined row, if the record has any.
pub(super) fn opt_extent(row: &mut Columns<'_>) -> Outcome<Option<Extent>> {
    let Some(name) = row.opt_text()? else {
        return Ok(None);
    };
    Ok(Some(Extent {
        store: store(name)?,
        blob: row.word()?,
        blob_len_bytes: row.count()?,
        offset_bytes: row.count()?,
        len_bytes: row.count()?,
    }))
}

pub(super) fn blob_args(blob: &Blob) -> Args {
    Args::new()
        .text(blob.store.as_str())
        .text(blob.key.as_str())
        .text(blob.state.as_str())
        .text(&blob.owner)
        .time(blob.until)
        .opt_time(blob.condemned)
        .opt_text(blob.object.as_ref().map(|object| object.path.as_str()))
        .opt_count(blob.object.as_ref().map(|object| object.len_bytes))
        .opt_text(blob.object.as_ref().map(|object| object.mark.as_str()))
        .count(blob.refs)
}

pub(super) fn blob(row: &mut Columns<'_>) -> Outcome<Blob> {
    Ok(Blob {
        store: store(row.text()?)?,
        key: row.word()?,
        state: row.word()?,
        owner: row.text()?.to_owned(),
        until: row.time()?,
        condemned: row.opt_time()?,
        object: object(row)?,
        refs: row.count()?,
    })
}

/// Which object of a mount a blob is, if it is any.
fn object(row: &mut Columns<'_>) -> Outcome<Option<ObjectRef>> {
    let path = row.opt_text()?.map(ObjectPath::parse).transpose();
    let path = path.map_err(|_| Failure::unreadable("an object's path that is none"))?;
    let len_bytes = row.opt_count()?;
    let mark = row.opt_text()?;
    Ok(path.map(|path| ObjectRef {
        path,
        len_bytes: len_bytes.unwrap_or_default(),
        mark: mark.unwrap_or_default().to_owned(),
    }))
}

pub(super) fn share_args(share: &Share) -> Args {
    let networks: Vec<_> = share.networks.iter().map(ToString::to_string).collect();
    Args::new()
        .id(share.id.as_u128())
        .text(&share.token)
        .id(share.node.as_u128())
        .text(share.maker.as_str())
        .opt_text(share.password.as_deref())
        .opt_time(share.expires)
        .opt_count(share.max_downloads.map(u64::from))
        .text(&networks.join(" "))
        .int(i64::from(share.drop))
        .time(share.created)
        .opt_time(share.ended)
        .count(share.version)
        .count(share.downloads)
}

pub(super) fn share(row: &mut Columns<'_>) -> Outcome<Share> {
    Ok(Share {
        id: ShareId::from_u128(row.id()?),
        token: row.text()?.to_owned(),
        node: NodeId::from_u128(row.id()?),
        maker: account(row.text()?)?,
        password: row.opt_text()?.map(str::to_owned),
        expires: row.opt_time()?,
        max_downloads: opt_u32(row.opt_int()?)?,
        networks: row
            .text()?
            .split_ascii_whitespace()
            .map(|network| network.parse().map_err(|_| Failure::unreadable("a network")))
            .collect::<Outcome<_>>()?,
        drop: row.int()? != 0,
        created: row.time()?,
        ended: row.opt_time()?,
        version: row.count()?,
        downloads: row.count()?,
    })
}

pub(super) fn ticket_args(ticket: &Ticket) -> Args {
    Args::new()
        .id(ticket.id.as_u128())
        .id(ticket.share.as_u128())
        .text(&ticket.client)
        .opt_time(ticket.spent)
        .opt_count(ticket.budget_bytes)
        .time(ticket.created)
        .time(ticket.expires)
        .count(ticket.version)
        .count(ticket.granted_bytes)
}

pub(super) fn ticket(row: &mut Columns<'_>) -> Outcome<Ticket> {
    Ok(Ticket {
        id: TicketId::from_u128(row.id()?),
        share: ShareId::from_u128(row.id()?),
        client: row.text()?.to_owned(),
        spent: row.opt_time()?,
        budget_bytes: row.opt_count()?,
        created: row.time()?,
        expires: row.time()?,
        version: row.count()?,
        granted_bytes: row.count()?,
    })
}

pub(super) fn push_download(args: Args, record: &DownloadRecord) -> Args {
    args.id(record.id.as_u128())
        .id(record.node.as_u128())
        .text(&record.name)
        .opt_text(record.account.as_ref().map(AccountId::as_str))
        .opt_id(record.share.map(ShareId::as_u128))
        .opt_text(record.address.map(|address| address.to_string()).as_deref())
        .time(record.started)
        .time(record.ended)
        .count(record.sent_bytes)
        .count(record.requests)
        .text(record.outcome.as_str())
}

pub(super) fn download(row: &mut Columns<'_>) -> Outcome<DownloadRecord> {
    Ok(DownloadRecord {
        id: DownloadId::from_u128(row.id()?),
        node: NodeId::from_u128(row.id()?),
        name: row.text()?.to_owned(),
        account: opt_account(row.opt_text()?)?,
        share: row.opt_id()?.map(ShareId::from_u128),
        address: match row.opt_text()? {
            Some(text) => Some(text.parse().map_err(|_| Failure::unreadable("an address"))?),
            None => None,
        },
        started: row.time()?,
        ended: row.time()?,
        sent_bytes: row.count()?,
        requests: row.count()?,
        outcome: row.word()?,
    })
}

pub(super) fn event_args(event: &Event) -> Args {
    Args::new()
        .id(event.id.as_u128())
        .opt_text(event.account.as_ref().map(AccountId::as_str))
        .text(&event.kind)
        .text(&event.payload)
        .time(event.at)
}

pub(super) fn event(row: &mut Columns<'_>) -> Outcome<Event> {
    Ok(Event {
        id: EventId::from_u128(row.id()?),
        account: opt_account(row.opt_text()?)?,
        kind: row.text()?.to_owned(),
        payload: row.text()?.to_owned(),
        at: row.time()?,
    })
}

pub(super) fn lease_args(lease: &Lease) -> Args {
    Args::new()
        .text(&lease.name)
        .text(&lease.holder)
        .count(lease.token)
        .time(lease.until)
        .count(lease.version)
}

pub(super) fn lease(row: &mut Columns<'_>) -> Outcome<Lease> {
    Ok(Lease {
        name: row.text()?.to_owned(),
        holder: row.text()?.to_owned(),
        token: row.count()?,
        until: row.time()?,
        version: row.count()?,
    })
}

pub(super) fn setting_args(setting: &Setting) -> Args {
    Args::new()
        .text(&setting.key)
        .text(&setting.value)
        .count(setting.version)
}

pub(super) fn setting(row: &mut Columns<'_>) -> Outcome<Setting> {
    Ok(Setting {
        key: row.text()?.to_owned(),
        value: row.text()?.to_owned(),
        version: row.count()?,
    })
}
