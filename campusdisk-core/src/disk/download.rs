//! Downloads: what is there, and its bytes.

use std::sync::Arc;

use super::access::{Place, ReadGrant};
use super::chain::Chain;
use super::shared::{Desk, Shared};
use super::spent::Spent;
use super::turns::Client;
use super::watch::Right;
use crate::catalog::record::{Content, Role};
use crate::{ByteBody, ContentId, Error, ErrorKind, NodeId, Result, Span, Timestamp, media};

/// A file that somebody may read, and what a client has to know of it before its bytes.
#[derive(Clone)]
pub struct Download {
    shared: Arc<Shared>,
    place: ReadGrant,
    content: Arc<Content>,
    right: Right,
    ticket: Option<Spent>,
}

/// How many versions are looked at to find out whether a date stands for one content.
const VERSIONS_COMPARED: u32 = 100;

impl Download {
    pub(super) fn new(
        shared: Arc<Shared>,
        place: ReadGrant,
        right: Right,
        ticket: Option<Spent>,
    ) -> Result<Self> {
        let content = place.file()?.clone();
        Ok(Self {
            shared,
            place,
            content,
            right,
            ticket,
        })
    }

    /// The file.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The content's id: made once, the base of a strong entity tag.
    pub fn content_id(&self) -> ContentId {
        self.content.id
    }

    /// How many bytes there are.
    pub fn size_bytes(&self) -> u64 {
        self.content.size_bytes
    }

    /// When the file got this content.
    pub fn modified(&self) -> Timestamp {
        self.place.node.modified
    }

    /// Whether no other content of the file ever had [`modified`](Self::modified) to the second, so that this date stands for these
    /// bytes alone (RFC 9110 §8.8.2.2). Asks the catalog only where the file was changed at all; of a file with very many versions
    /// it is not known.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn has_date_of_its_own(&self) -> Result<bool> {
        let node = &self.place.node;
        if node.version == 1 {
            return Ok(true);
        }
        let versions = self
            .shared
            .catalog
            .versions(node.id, None, VERSIONS_COMPARED)
            .await?;
        let second = node.modified.floor_to_second();
        let same = versions
            .iter()
            .filter(|version| version.content != self.content.id)
            .any(|version| version.created.floor_to_second() == second);
        Ok(!same && versions.len() < VERSIONS_COMPARED as usize)
    }

    /// The SHA-256 of the bytes, once known.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.content.sha256
    }

    /// The media type.
    pub fn mime(&self) -> &str {
        self.place.node.mime.as_deref().unwrap_or(media::OCTET_STREAM)
    }

    /// The bytes of `span`.
    ///
    /// The body goes on over failing replicas and changed layouts; when it can't, or when the right to it ends, it breaks.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the content is gone or a ticket's budget used up, [`Unavailable`](ErrorKind::Unavailable) when the
    /// store can't be reached, or so many downloads run that this one's turn does not come.
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    pub async fn open(&self, span: Span) -> Result<ByteBody> {
        if span.end() > self.content.size_bytes {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the span goes past the file's end",
            ));
        }
        let turn = self.shared.turn(&self.client(), span).await?;
        let budget = match &self.ticket {
            Some(spent) => Some(spent.budget(self.shared.clone(), span.len()).await?),
            None => None,
        };
        let chain = Chain::downloaded(self.shared.clone(), self.content.clone(), span, budget)?;
        let watched = || self.shared.watch(self.right.clone(), self.place.node.id);
        let body = chain.begin(span, watched).await?;
        Ok(match turn {
            Some(turn) => turn.over(body),
            None => body,
        })
    }

    /// Who downloads it.
    fn client(&self) -> Client {
        Client::of(&self.right, self.ticket.as_ref())
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A file to read.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not, [`InvalidInput`](ErrorKind::InvalidInput) for a folder.
    pub async fn download(&self, node: NodeId) -> Result<Download> {
        let grant = self.may_read(node).await?;
        let right = Right::Account(self.actor.account.clone(), Role::Reader);
        Download::new(self.shared.clone(), grant, right, None)
    }
}
