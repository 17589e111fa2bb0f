//! The domain and the seams of CampusDisk.

pub mod catalog;
pub mod media;
pub mod memory;
pub mod mount;
pub mod storage;
pub mod wrap;

mod body;
mod clock;
mod disk;
mod entry_name;
mod error;
mod id;
mod plan;
mod policy;
mod precondition;
mod range;
mod seam;
mod span;
mod zip;

pub use self::body::ByteBody;
pub use self::clock::{Clock, SystemClock, Timestamp};
pub use self::disk::{
    Admission, Algorithm, AppendOptions, Appended, Appending, Archive, CampusDisk, Checksum, Desk, Download,
    DownloadsFilter, DriveUsage, FilePlace, JobOptions, JobStep, JobSteps, Listing, NodeUpdate, Place,
    PlacementRule, Published, Put, PutOptions, Putting, ReadGrant, Restore, Seams, Settled, ShareFacts,
    SharePassword, ShareSpec, Stock, StockSize, Swept, Unlock, UploadFacts, UploadSpec, Visit, Visitor,
    Warmed, WriteGrant,
};
pub use self::entry_name::{EntryName, NameKey};
pub use self::error::{Error, ErrorKind, Result};
pub use self::id::{
    AccountId, ChangeId, ContentId, DownloadId, DriveId, EventId, GroupId, IdSource, InstallationId, NodeId,
    RandomIds, ShareId, TicketId, UploadId,
};
pub use self::plan::{Asked, ContentFacts, DownloadPlan, Method, plan};
pub use self::policy::Policy;
pub use self::precondition::{
    EntityTag, EntityTags, IfRange, Preconditions, Purpose, Validators, Verdict, format_http_date,
    parse_http_date,
};
pub use self::range::{RangeSet, Resolved};
pub use self::seam::{Actor, CHUNK_BYTES, ChunkCache, EventSink, Identity, Spawner, Task, TokioSpawner};
pub use self::span::Span;
