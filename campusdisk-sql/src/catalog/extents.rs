//! Inserting many extents by few statements.

use std::sync::LazyLock;

use campusdisk_core::catalog::record::Extent;

use super::rows::{self, EXTENT_COLUMNS};
use crate::session::{Args, placeholders};

/// How many extents one statement inserts at most.
const AT_ONCE: usize = 32;

/// The statements that insert 1, 2, 4, … extents.
pub(super) type Inserts = LazyLock<Vec<String>>;

pub(super) static CONTENT_EXTENTS: Inserts =
    LazyLock::new(|| statements("content_extents (content, position"));
pub(super) static UPLOAD_EXTENTS: Inserts = LazyLock::new(|| statements("upload_extents (upload, position"));

fn statements(head: &str) -> Vec<String> {
    let width = 2 + EXTENT_COLUMNS.len();
    let sizes = std::iter::successors(Some(1), |size| Some(size * 2));
    sizes
        .take_while(|&size| size <= AT_ONCE)
        .map(|size| {
            let values: Vec<_> = (0..size)
                .map(|row| format!("({})", placeholders(row * width, width)))
                .collect();
            let columns = EXTENT_COLUMNS.join(", ");
            format!("INSERT INTO {head}, {columns}) VALUES {}", values.join(", "))
        })
        .collect()
}

/// The statements that insert all extents of the record `id`.
pub(super) fn inserts(
    inserts: &'static Inserts,
    id: u128,
    extents: &[Extent],
) -> impl Iterator<Item = (&'static str, Args)> {
    let (mut rest, mut position) = (extents, 0u64);
    std::iter::from_fn(move || {
        let power = rest.len().checked_ilog2()?.min(AT_ONCE.ilog2());
        let (now, later) = rest.split_at(1 << power);
        rest = later;
        let mut args = Args::new();
        for extent in now {
            args = rows::push_extent(args.id(id).count(position), extent);
            position += 1;
        }
        Some((inserts.get(power as usize)?.as_str(), args))
    })
}
