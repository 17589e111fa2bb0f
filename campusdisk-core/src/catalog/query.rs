//! What pages are asked for by.

use super::record::{BlobState, Category, Node, NodeKind};
use crate::{AccountId, DownloadId, DriveId, NameKey, NodeId, Timestamp};

/// Rows and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C = String> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<C>,
}

/// By what children are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Sort {
    /// By name key.
    #[default]
    Name,
    /// By size, then name key.
    Size,
    /// By time of change, then name key.
    Modified,
}

/// Up or down. Ties go the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// The value of the sort column in the last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortValue {
    /// Sorted by name: nothing beside the name key.
    Name,
    /// Sorted by size.
    Size(u64),
    /// Sorted by time of change.
    Modified(Timestamp),
}

/// The last row of a page of children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its value in the sort column.
    pub value: SortValue,
    /// Its name key, which no other live sibling has.
    pub name: NameKey,
}

impl Cursor {
    /// The cursor after `node` in a listing by `sort`.
    pub fn after(node: &Node, sort: Sort) -> Self {
        let value = match sort {
            Sort::Name => SortValue::Name,
            Sort::Size => SortValue::Size(node.size_bytes),
            Sort::Modified => SortValue::Modified(node.modified),
        };
        Self {
            value,
            name: node.name.key(),
        }
    }
}

/// Which kind of children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Folders.
    Folders,
    /// Files of this category.
    Files(Category),
}

impl Only {
    /// Whether this is one of them.
    pub fn takes(self, node: &Node) -> bool {
        match self {
            Self::Folders => node.kind == NodeKind::Folder,
            Self::Files(category) => node.kind == NodeKind::File && node.category == category,
        }
    }
}

/// Which children of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildrenQuery {
    /// By what.
    pub sort: Sort,
    /// Up or down.
    pub order: Order,
    /// Only these; all without it.
    pub only: Option<Only>,
    /// Only what comes after this row; its value is of the kind that `sort` says.
    pub after: Option<Cursor>,
    /// At most so many rows.
    pub limit: u32,
}

impl ChildrenQuery {
    /// The first `limit` children by name.
    pub fn first(limit: u32) -> Self {
        Self {
            sort: Sort::Name,
            order: Order::Ascending,
            only: None,
            after: None,
            limit,
        }
    }
}

/// Which nodes a search finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// In which drives.
    pub drives: Vec<DriveId>,
    /// Folded text that the folded name contains.
    pub text: String,
    /// Only files of this category.
    pub category: Option<Category>,
    /// Only what comes after this row.
    pub after: Option<(NameKey, NodeId)>,
    /// At most so many rows.
    pub limit: u32,
}

/// Which records of downloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadsQuery {
    /// Only this account's.
    pub account: Option<AccountId>,
    /// Only those of this node.
    pub node: Option<NodeId>,
    /// Only ids from this one on.
    pub from: DownloadId,
    /// Only ids below this one: the end of a time, or the last row of the page before.
    pub before: DownloadId,
    /// At most so many rows.
    pub limit: u32,
}

impl DownloadsQuery {
    /// The latest `limit` records of all.
    pub fn latest(limit: u32) -> Self {
        Self {
            account: None,
            node: None,
            from: DownloadId::from_u128(0),
            before: DownloadId::from_u128(u128::MAX),
            limit,
        }
    }
}

/// Which blobs the sweep looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepQuery {
    /// Leased ones whose lease was over at this time.
    LeaseOver(Timestamp, u32),
    /// Live ones with no references.
    Unreferenced(u32),
    /// Condemned ones since before this time.
    CondemnedBefore(Timestamp, u32),
}

impl SweepQuery {
    /// The state of the blobs it asks for.
    pub fn state(&self) -> BlobState {
        match self {
            Self::LeaseOver(..) => BlobState::Leased,
            Self::Unreferenced(..) => BlobState::Live,
            Self::CondemnedBefore(..) => BlobState::Condemned,
        }
    }
}
