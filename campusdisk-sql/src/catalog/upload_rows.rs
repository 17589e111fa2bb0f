//! Uploads as rows; by far the widest record.

use bytes::Bytes;
use campusdisk_core::catalog::record::{HashState, Upload};
use campusdisk_core::{DriveId, EntryName, NodeId, ShareId, UploadId};

use super::rows::{account, entry_name, opt_u32, sha256};
use super::table::UPLOADS;
use crate::failure::{Failure, Outcome};
use crate::session::{Args, Columns};

pub(super) fn upload_args(upload: &Upload) -> Args {
    let folders: Vec<_> = upload.folders.iter().map(EntryName::as_str).collect();
    // No name has a slash: joined by it they can be told apart again.
    Args::new()
        .id(upload.id.as_u128())
        .text(upload.kind.as_str())
        .text(upload.account.as_str())
        .opt_id(upload.share.map(ShareId::as_u128))
        .id(upload.drive.as_u128())
        .id(upload.parent.as_u128())
        .text(&folders.join("/"))
        .opt_text(upload.name.as_ref().map(EntryName::as_str))
        .text(upload.on_conflict.as_str())
        .opt_text(upload.mime.as_deref())
        .opt_blob(upload.declared_sha256.as_ref().map(<[u8; 32]>::as_slice))
        .text(&upload.metadata)
        .opt_count(upload.len_bytes)
        .count(upload.offset_bytes)
        .opt_blob(upload.hash.sha256.as_deref())
        .count(u64::from(upload.hash.crc32))
        .count(upload.reserved_bytes)
        .count(upload.epoch)
        .opt_id(upload.node.map(NodeId::as_u128))
        .time(upload.created)
        .time(upload.expires)
        .count(upload.version)
        .blob(&upload.tail)
        .count(upload.extents.len() as u64)
}

/// All columns with the alias before them; the tail, which may be long, only in the row of the first extent.
pub(super) fn columns_with_extents(alias: &str, extents: &str) -> String {
    let once = format!("CASE WHEN {extents}.position > 0 THEN NULL ELSE {alias}.tail END");
    UPLOADS.columns_of(alias).replace(&format!("{alias}.tail"), &once)
}

/// An upload without its extents.
pub(super) fn upload(row: &mut Columns<'_>) -> Outcome<Upload> {
    let upload = Upload {
        id: UploadId::from_u128(row.id()?),
        kind: row.word()?,
        account: account(row.text()?)?,
        share: row.opt_id()?.map(ShareId::from_u128),
        drive: DriveId::from_u128(row.id()?),
        parent: NodeId::from_u128(row.id()?),
        folders: folders(row.text()?)?,
        name: row.opt_text()?.map(entry_name).transpose()?,
        on_conflict: row.word()?,
        mime: row.opt_text()?.map(str::to_owned),
        declared_sha256: sha256(row.opt_blob()?)?,
        metadata: row.text()?.to_owned(),
        len_bytes: row.opt_count()?,
        offset_bytes: row.count()?,
        hash: HashState {
            sha256: row.opt_blob()?.map(<[u8]>::to_vec),
            crc32: opt_u32(row.opt_int()?)?.ok_or_else(|| Failure::unreadable("a missing CRC-32"))?,
        },
        reserved_bytes: row.count()?,
        epoch: row.count()?,
        node: row.opt_id()?.map(NodeId::from_u128),
        created: row.time()?,
        expires: row.time()?,
        version: row.count()?,
        tail: Bytes::copy_from_slice(row.opt_blob()?.unwrap_or_default()),
        extents: Vec::new(),
    };
    // The number of extents, which joined rows show by themselves.
    row.opt_int()?;
    Ok(upload)
}

fn folders(text: &str) -> Outcome<Vec<EntryName>> {
    let parts = text.split('/').filter(|part| !part.is_empty());
    parts.map(entry_name).collect()
}
