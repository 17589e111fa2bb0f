//! What answers and requests look like in JSON.

use campusdisk_core::catalog::record::Content;
use campusdisk_core::catalog::record::{Drive, Node, NodeKind, Role, Version};
use campusdisk_core::{EntityTag, EntryName, Error, Place, Timestamp, UploadFacts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Problem, Result};

/// A file or folder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeBody {
    /// Its id.
    pub id: String,
    /// The drive it is in.
    pub drive: String,
    /// `file` or `folder`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its folder; null for a drive's root.
    pub parent: Option<String>,
    /// A file's size in bytes; 0 for a folder.
    pub size: u64,
    /// A file's media type.
    pub mime: Option<String>,
    /// `audio`, `image`, `video`, `document` or `other`.
    pub category: &'static str,
    /// Counts every change of the node.
    pub version: u64,
    /// The entity tag of a file's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The SHA-256 of a file's content in hexadecimal digits, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// When it was made.
    pub created: String,
    /// When it last changed.
    pub modified: String,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trashed: Option<String>,
    /// When it will be purged from the trash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl NodeBody {
    /// A node and, where it is at hand, its content.
    pub(crate) fn new(node: &Node, content: Option<&Content>) -> Self {
        Self {
            id: node.id.to_string(),
            drive: node.drive.to_string(),
            kind: node.kind.as_str(),
            name: node.name.as_str().to_owned(),
            parent: node.parent.map(|parent| parent.to_string()),
            size: node.size_bytes,
            mime: node.mime.clone().filter(|_| node.kind == NodeKind::File),
            category: node.category.as_str(),
            version: node.version,
            etag: node
                .content
                .map(|content| EntityTag::of_content(content).to_string()),
            sha256: content
                .and_then(|content| content.sha256)
                .map(|digest| hex(&digest)),
            created: node.created.to_string(),
            modified: node.modified.to_string(),
            trashed: node.trashed.as_ref().map(|mark| mark.at.to_string()),
            expires: node.trashed.as_ref().map(|mark| mark.expires.to_string()),
        }
    }
}

impl From<&Place> for NodeBody {
    fn from(place: &Place) -> Self {
        Self::new(&place.node, place.content.as_deref())
    }
}

impl From<&Node> for NodeBody {
    fn from(node: &Node) -> Self {
        Self::new(node, None)
    }
}

/// A file or folder inside a share.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SharedNode)]
pub(crate) struct SharedNodeBody {
    /// Its id.
    pub id: String,
    /// `file` or `folder`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// A file's size in bytes; 0 for a folder.
    pub size: u64,
    /// A file's media type.
    pub mime: Option<String>,
    /// `audio`, `image`, `video`, `document` or `other`.
    pub category: &'static str,
    /// The entity tag of a file's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it last changed.
    pub modified: String,
}

impl From<&Node> for SharedNodeBody {
    fn from(node: &Node) -> Self {
        let NodeBody {
            id,
            kind,
            name,
            size,
            mime,
            category,
            etag,
            modified,
            ..
        } = node.into();
        Self {
            id,
            kind,
            name,
            size,
            mime,
            category,
            etag,
            modified,
        }
    }
}

/// A drive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drive)]
pub(crate) struct DriveBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its root folder.
    pub root: String,
    /// `personal`, `departmental` or `service`.
    pub kind: &'static str,
    /// What the caller may do in it: `reader`, `contributor` or `manager`.
    pub role: &'static str,
    /// What is kept in it: versions and trash too.
    pub used_bytes: u64,
    /// How much it may keep; null is without limit.
    pub quota_bytes: Option<u64>,
}

impl DriveBody {
    pub(crate) fn new(drive: &Drive, role: Role) -> Self {
        Self {
            id: drive.id.to_string(),
            name: drive.name.clone(),
            root: drive.root.to_string(),
            kind: drive.kind.as_str(),
            role: role.as_str(),
            used_bytes: drive.used_bytes,
            quota_bytes: drive.quota_bytes,
        }
    }
}

/// A content that a file had or has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Version)]
pub(crate) struct VersionBody {
    /// The node's `version` that it came with.
    pub version: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// Its SHA-256 in hexadecimal digits, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// When it became the file's content.
    pub created: String,
}

impl VersionBody {
    pub(crate) fn new(version: &Version, content: Option<&Content>) -> Self {
        Self {
            version: version.number,
            size: version.size_bytes,
            etag: EntityTag::of_content(version.content).to_string(),
            sha256: content
                .and_then(|content| content.sha256)
                .map(|digest| hex(&digest)),
            created: version.created.to_string(),
        }
    }
}

/// An unfinished upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadBody {
    /// Its id.
    pub id: String,
    /// Where to go on, relative to the list's address.
    pub url: String,
    /// The file's name; null for a part of a joined upload.
    pub name: Option<String>,
    /// The folder it goes to.
    pub parent: String,
    /// How many bytes it will have; null while that is open.
    pub size: Option<u64>,
    /// How many bytes are stored.
    pub offset: u64,
    /// When it began.
    pub created: String,
    /// When it is given up.
    pub expires: String,
}

impl From<&UploadFacts> for UploadBody {
    fn from(upload: &UploadFacts) -> Self {
        Self {
            id: upload.id.to_string(),
            url: format!("uploads/{}", upload.id),
            name: upload.name.as_ref().map(|name| name.as_str().to_owned()),
            parent: upload.parent.to_string(),
            size: upload.len_bytes,
            offset: upload.offset_bytes,
            created: upload.created.to_string(),
            expires: upload.expires.to_string(),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing into a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// A name of a request.
///
/// # Errors
/// 422 with the rule that is broken.
pub(crate) fn entry_name(text: &str) -> Result<EntryName> {
    EntryName::parse(text).map_err(Problem::from)
}

/// A time of a request.
///
/// # Errors
/// 422 in `field`.
pub(crate) fn time(field: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    text.map(|text| Timestamp::parse(field, text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_two_digits_each() {
        assert_eq!(hex(&[0, 15, 255]), "000fff");
    }
}
