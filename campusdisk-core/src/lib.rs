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
mod plan;
mod precondition;
mod range;
mod span;

pub use self::body::ByteBody;
pub use self::clock::{Clock, SystemClock, Timestamp};
pub use self::entry_name::{EntryName, NameKey};
pub use self::error::{Error, ErrorKind, Result};
pub use self::id::{
    AccountId, ChangeId, ContentId, DriveId, EventId, GroupId, IdSource, InstallationId, NodeId, RandomIds,
    ShareId, TicketId, UploadId,
};
pub use self::plan::{Asked, ContentFacts, DownloadPlan, Method, plan};
pub use self::precondition::{
    EntityTag, EntityTags, IfRange, Preconditions, Purpose, Validators, Verdict, format_http_date,
    parse_http_date,
};
pub use self::range::{RangeSet, Resolved};
pub use self::span::Span;
