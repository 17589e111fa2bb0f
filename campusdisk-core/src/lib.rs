//! The domain and the seams of CampusDisk.

pub mod catalog;
pub mod memory;
pub mod storage;
pub mod wrap;

mod body;
mod clock;
mod entry_name;
mod error;
mod id;
mod span;

pub use self::body::ByteBody;
pub use self::clock::{Clock, SystemClock, Timestamp};
pub use self::entry_name::{EntryName, NameKey};
pub use self::error::{Error, ErrorKind, Result};
pub use self::id::{
    AccountId, ChangeId, ContentId, DriveId, EventId, GroupId, IdSource, InstallationId, NodeId, RandomIds,
    ShareId, TicketId, UploadId,
};
pub use self::span::Span;
