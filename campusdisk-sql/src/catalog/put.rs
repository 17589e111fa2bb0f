//! Putting records into their tables.

use std::sync::LazyLock;

use campusdisk_core::catalog::Record;
use campusdisk_core::catalog::record::{Content, Extent, Upload};

use super::rows::{self, EXTENT_COLUMNS};
use super::table::{
    BLOBS, CONTENTS, DRIVES, LEASES, MEMBERS, NODES, SETTINGS, SHARES, TICKETS, UPLOADS, VERSIONS,
};
use super::upload_rows::upload_args;
use crate::failure::Outcome;
use crate::session::{Args, Session, placeholders};

/// How many extents one statement inserts at most.
const EXTENTS_AT_ONCE: usize = 32;

pub(super) async fn put(session: &mut Session, record: &Record) -> Outcome<()> {
    let (statements, args) = match record {
        Record::Drive(drive) => (&DRIVES, rows::drive_args(drive)),
        Record::Member(member) => (&MEMBERS, rows::member_args(member)),
        Record::Node(node) => (&NODES, rows::node_args(node)),
        Record::Version(version) => (&VERSIONS, rows::version_args(version)),
        Record::Content(content) => return put_content(session, content).await,
        Record::Blob(blob) => (&BLOBS, rows::blob_args(blob)),
        Record::Upload(upload) => return put_upload(session, upload).await,
        Record::Share(share) => (&SHARES, rows::share_args(share)),
        Record::Ticket(ticket) => (&TICKETS, rows::ticket_args(ticket)),
        Record::Lease(lease) => (&LEASES, rows::lease_args(lease)),
        Record::Setting(setting) => (&SETTINGS, rows::setting_args(setting)),
    };
    session.execute(statements.upsert.as_str(), args).await?;
    Ok(())
}

/// Most contents are new: those take one statement, and one for their extents.
async fn put_content(session: &mut Session, content: &Content) -> Outcome<()> {
    let args = rows::content_args(content);
    if session.execute(CONTENTS.insert_new.as_str(), args).await? == 0 {
        let args = rows::content_args(content);
        session.execute(CONTENTS.upsert.as_str(), args).await?;
        let old = "DELETE FROM content_extents WHERE content = $1";
        let args = Args::new().id(content.id.as_u128());
        session.execute(old, args).await?;
    }
    extents(
        session,
        &CONTENT_EXTENTS,
        content.id.as_u128(),
        0,
        &content.extents,
    )
    .await
}

async fn put_upload(session: &mut Session, upload: &Upload) -> Outcome<()> {
    if upload.extents.is_empty() {
        session
            .execute(UPLOADS.upsert.as_str(), upload_args(upload))
            .await?;
        return Ok(());
    }
    let inserted = session
        .execute(UPLOADS.insert_new.as_str(), upload_args(upload))
        .await?;
    if inserted == 0 {
        session
            .execute(UPLOADS.upsert.as_str(), upload_args(upload))
            .await?;
        return Ok(());
    }
    extents(session, &UPLOAD_EXTENTS, upload.id.as_u128(), 0, &upload.extents).await
}

/// The statements that insert 1, 2, 4, … extents.
pub(super) type ExtentInserts = LazyLock<Vec<String>>;

pub(super) static CONTENT_EXTENTS: ExtentInserts =
    LazyLock::new(|| extent_inserts("content_extents (content, position"));
pub(super) static UPLOAD_EXTENTS: ExtentInserts =
    LazyLock::new(|| extent_inserts("upload_extents (upload, position"));

fn extent_inserts(head: &str) -> Vec<String> {
    let width = 2 + EXTENT_COLUMNS.len();
    let sizes = std::iter::successors(Some(1), |size| Some(size * 2));
    sizes
        .take_while(|&size| size <= EXTENTS_AT_ONCE)
        .map(|size| {
            let values: Vec<_> = (0..size)
                .map(|row| format!("({})", placeholders(row * width, width)))
                .collect();
            let columns = EXTENT_COLUMNS.join(", ");
            format!("INSERT INTO {head}, {columns}) VALUES {}", values.join(", "))
        })
        .collect()
}

/// Inserts extents of the record `id`, the first one at position `first`.
pub(super) async fn extents(
    session: &mut Session,
    inserts: &'static ExtentInserts,
    id: u128,
    first: u64,
    extents: &[Extent],
) -> Outcome<()> {
    let mut position = first;
    let mut rest = extents;
    while !rest.is_empty() {
        let power = rest.len().ilog2().min(EXTENTS_AT_ONCE.ilog2());
        let (now, later) = rest.split_at(1 << power);
        rest = later;
        let mut args = Args::new();
        for extent in now {
            args = rows::push_extent(args.id(id).count(position), extent);
            position += 1;
        }
        if let Some(insert) = inserts.get(power as usize) {
            session.execute(insert.as_str(), args).await?;
        }
    }
    Ok(())
}
