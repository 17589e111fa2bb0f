//! The numbers that a record brings, because a catalog keeps none above [`LARGEST`].

use crate::catalog::record::Extent;
use crate::catalog::{Extension, Record};
use crate::{Error, ErrorKind, Result};

/// The largest number a catalog keeps: what a signed 64-bit column holds.
pub(super) const LARGEST: u64 = i64::MAX.unsigned_abs();

pub(super) fn check(record: &Record) -> Result<()> {
    match record {
        Record::Drive(drive) => {
            let counters = [drive.used_bytes, drive.reserved_bytes, drive.tree_version];
            all_fit(&counters)?;
            all_fit(&[drive.quota_bytes.unwrap_or_default(), drive.version])
        }
        Record::Node(node) => all_fit(&[node.size_bytes, node.version]),
        Record::Version(version) => all_fit(&[version.number, version.size_bytes]),
        Record::Content(content) => {
            all_fit(&[content.size_bytes, content.layout_version, content.refs])?;
            extents_fit(&content.extents)
        }
        Record::Blob(blob) => all_fit(&[blob.refs]),
        Record::Upload(upload) => {
            let lengths = [upload.len_bytes.unwrap_or_default(), upload.offset_bytes];
            all_fit(&lengths)?;
            all_fit(&[upload.reserved_bytes, upload.epoch, upload.version])?;
            extents_fit(&upload.extents)
        }
        Record::Share(share) => all_fit(&[share.version, share.downloads]),
        Record::Ticket(ticket) => {
            let budget = ticket.budget_bytes.unwrap_or_default();
            all_fit(&[budget, ticket.version, ticket.granted_bytes])
        }
        Record::Download(record) => all_fit(&[record.sent_bytes, record.requests]),
        Record::Lease(lease) => all_fit(&[lease.token, lease.version]),
        Record::Setting(setting) => all_fit(&[setting.version]),
        Record::Member(_) => Ok(()),
    }
}

pub(super) fn check_extension(extension: &Extension) -> Result<()> {
    all_fit(&[extension.to_bytes])?;
    extents_fit(&extension.extents)
}

fn extents_fit(extents: &[Extent]) -> Result<()> {
    let lengths = |extent: &Extent| [extent.blob_len_bytes, extent.offset_bytes, extent.len_bytes];
    extents.iter().try_for_each(|extent| all_fit(&lengths(extent)))
}

fn all_fit(numbers: &[u64]) -> Result<()> {
    match numbers.iter().all(|&number| number <= LARGEST) {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            "a number is above the largest one a catalog keeps, 2^63 - 1",
        )),
    }
}
