//! Downloads: what is there, and its bytes.

use std::net::IpAddr;
use std::sync::Arc;

use super::access::{Place, ReadGrant};
use super::chain::Chain;
use super::intake::HEAD_BYTES;
use super::shared::{Desk, Shared};
use super::spent::Spent;
use super::tally::Request;
use super::tracker::{Name, Target};
use super::watch::Right;
use crate::catalog::record::{Content, Role};
use crate::{ByteBody, ContentId, Error, ErrorKind, NodeId, Result, Span, Timestamp, media};

/// A file that somebody may read, and what a client has to know of it before its bytes.
#[derive(Clone)]
pub struct Download {
    pub(super) shared: Arc<Shared>,
    place: ReadGrant,
    pub(super) content: Arc<Content>,
    right: Right,
    pub(super) ticket: Option<Spent>,
    pub(super) request: Request,
}

/// How many versions are looked at to find out whether a date stands for one content.
const VERSIONS_COMPARED: u32 = 100;

impl Download {
    pub(super) fn new(
        shared: Arc<Shared>,
        place: ReadGrant,
        right: Right,
        ticket: Option<Spent>,
        request: Request,
    ) -> Result<Self> {
        let content = place.file()?.clone();
        Ok(Self {
            shared,
            place,
            content,
            right,
            ticket,
            request,
        })
    }

    /// Says from which address it is asked for, for its record.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.request = self.request.with_address(address);
        self
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

    /// Whether the bytes begin as text in UTF-8 that is more than ASCII, which browsers do not find out by themselves. Reads the first of
    /// them, which counts as no download.
    ///
    /// # Errors
    /// What the store says, where they are not in the cache.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn begins_in_utf8(&self) -> Result<bool> {
        let Some(head) = Span::whole(self.content.size_bytes.min(HEAD_BYTES as u64)) else {
            return Ok(false);
        };
        let body = Chain::opened(self.shared.clone(), self.content.clone(), head).await?;
        Ok(media::begins_in_utf8(&body.collect(HEAD_BYTES).await?))
    }

    /// The bytes of `span`.
    ///
    /// The body goes on over failing replicas and changed layouts; when it can't, or when the right to it ends, it breaks.
    ///
    /// What comes out of it counts as delivered in the record of the [download](crate::catalog::record::DownloadRecord); all that is opened
    /// of this value and its clones counts as one request.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the content is gone or a ticket's budget used up, [`Unavailable`](ErrorKind::Unavailable) when the
    /// store can't be reached, or so many downloads run that this one's turn does not come.
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    pub async fn open(&self, span: Span) -> Result<ByteBody> {
        let body = self.bytes(span).await?;
        Ok(self.request.follow(&self.shared, self.target(), span, body))
    }

    /// All bytes, of which there may be none.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    pub async fn open_whole(&self) -> Result<ByteBody> {
        match Span::whole(self.content.size_bytes) {
            Some(span) => self.open(span).await,
            None => {
                self.request.follow_whole(&self.shared, &self.target(), None);
                Ok(ByteBody::empty())
            }
        }
    }

    pub(super) fn target(&self) -> Target {
        Target {
            content: self.content.id,
            size_bytes: self.content.size_bytes,
            node: self.place.node.id,
            name: Name::Entry(self.place.node.name.clone()),
        }
    }

    async fn bytes(&self, span: Span) -> Result<ByteBody> {
        if span.end() > self.content.size_bytes {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the span goes past the file's end",
            ));
        }
        let turn = self.shared.turn(self.request.client(), span).await?;
        let budget = match &self.ticket {
            Some(spent) => Some(spent.budget(self.shared.clone(), span.len()).await?),
            None => None,
        };
        let chain = Chain::downloaded(self.shared.clone(), self.content.clone(), span, budget);
        let watched = || self.shared.watch(self.right.clone(), self.place.node.id);
        let body = chain.begin(span, watched).await?;
        Ok(match turn {
            Some(turn) => turn.over(body),
            None => body,
        })
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
        let request = Request::of_account(self.actor.account.clone());
        Download::new(self.shared.clone(), grant, right, None, request)
    }
}
