//! Folders and selections as ZIP archives. Nothing is made beforehand: any span of one can be asked for, as of a file.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::StreamExt;
use subtle::ConstantTimeEq;

use super::access::Place;
use super::archive_layout::Layout;
use super::chain::Chain;
use super::shared::{Desk, Shared};
use super::spent::{Budget, Spent};
use super::tally::Request;
use super::tracker::{Name, Target};
use super::watch::{Right, Watch};
use crate::catalog::record::{NodeKind, Role};
use crate::{AccountId, ByteBody, ContentId, Error, ErrorKind, NodeId, Result, Span, Timestamp, zip};

/// How long an address of a selection serves.
const OFFER: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of the directory is written at once.
const DIRECTORY_PIECE_BYTES: usize = 64 << 10;

/// Nodes as one ZIP archive that somebody may read, and what a client has to know of it before its bytes.
///
/// Files are stored as they are, so its length is known and any span can be read. It is as the nodes were when it was asked for;
/// [`content_id`](Self::content_id) is another once anything below them changed.
#[derive(Clone)]
pub struct Archive {
    shared: Arc<Shared>,
    layout: Arc<Layout>,
    name: Arc<str>,
    right: Right,
    roots: Vec<NodeId>,
    ticket: Option<Spent>,
    request: Request,
}

impl Archive {
    pub(super) async fn of(
        shared: &Arc<Shared>,
        places: &[Arc<Place>],
        right: Right,
        ticket: Option<Spent>,
        request: Request,
    ) -> Result<Self> {
        let name = match places {
            [place] => shared.name_for_visitors(&place.node).await?,
            _ => SELECTION.to_owned(),
        };
        Ok(Self {
            layout: Arc::new(shared.archive_layout(places).await?),
            shared: shared.clone(),
            name: format!("{name}.zip").into(),
            right,
            roots: places.iter().map(|place| place.node.id).collect(),
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

    /// What a client may call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stands for these bytes, as a content's id does for a file's: the base of a strong entity tag.
    pub fn content_id(&self) -> ContentId {
        ContentId::from_u128(self.layout.tag)
    }

    /// How many bytes there are.
    pub fn size_bytes(&self) -> u64 {
        self.layout.size_bytes
    }

    /// When anything that is in it was changed last. What was removed leaves no trace here.
    pub fn modified(&self) -> Timestamp {
        self.layout.modified
    }

    /// The bytes of `span`.
    ///
    /// # Errors
    /// As for [`Download::open`](super::Download::open).
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    pub async fn open(&self, span: Span) -> Result<ByteBody> {
        let body = self.bytes(span).await?;
        let target = Target {
            content: self.content_id(),
            size_bytes: self.layout.size_bytes,
            // No archive is of nothing.
            node: self.roots.first().copied().unwrap_or(NodeId::from_u128(0)),
            name: Name::Text(self.name.clone()),
        };
        Ok(self.request.follow(&self.shared, target, span, body))
    }

    /// All bytes.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    ///
    /// # Cancel safety
    /// Cancel safe; so is dropping the body.
    pub async fn open_whole(&self) -> Result<ByteBody> {
        match Span::whole(self.layout.size_bytes) {
            Some(span) => self.open(span).await,
            None => Err(broken_layout()),
        }
    }

    async fn bytes(&self, span: Span) -> Result<ByteBody> {
        if span.end() > self.layout.size_bytes {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the span goes past the archive's end",
            ));
        }
        let turn = self.shared.turn(self.request.client(), span).await?;
        let budget = match &self.ticket {
            Some(spent) => Some(spent.budget(self.shared.clone(), span.len()).await?),
            None => None,
        };
        let watch = |root: &NodeId| self.shared.watch(self.right.clone(), *root);
        let mut sending = Sending {
            watches: self.roots.iter().map(watch).collect(),
            shared: self.shared.clone(),
            layout: self.layout.clone(),
            at: span.start(),
            end: span.end(),
            data: None,
            budget,
        };
        // So that a store that can't be reached is said with a status.
        if let At::Data(content, inside) = sending.place() {
            sending.open(content, inside).await?;
        }
        let body = ByteBody::stream(
            span.len(),
            futures::stream::unfold(Some(sending), |sending| async move {
                let mut sending = sending?;
                match sending.next().await {
                    Ok(piece) => piece.map(|piece| (Ok(piece), Some(sending))),
                    Err(error) => Some((Err(error), None)),
                }
            }),
        );
        Ok(match turn {
            Some(turn) => turn.over(body),
            None => body,
        })
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What an archive of several nodes is called.
const SELECTION: &str = "selection";

/// An archive on its way.
struct Sending {
    shared: Arc<Shared>,
    layout: Arc<Layout>,
    at: u64,
    end: u64,
    /// The bytes of the file that `at` is in.
    data: Option<ByteBody>,
    watches: Vec<Watch>,
    budget: Option<Budget>,
}

/// What stands at some offset of an archive, from there on.
enum At {
    Made(Bytes),
    Data(ContentId, Span),
}

impl Sending {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.at < self.end {
            if self.watches.iter().any(Watch::has_ended) {
                return Err(Error::new(
                    ErrorKind::Denied,
                    "the right to these files has ended",
                ));
            }
            let piece = match &mut self.data {
                Some(data) => data.next().await.transpose()?,
                None => match self.place() {
                    At::Made(bytes) if bytes.is_empty() => return Err(broken_layout()),
                    At::Made(bytes) => Some(bytes),
                    At::Data(content, inside) => {
                        self.open(content, inside).await?;
                        continue;
                    }
                },
            };
            let Some(piece) = piece else {
                self.data = None;
                continue;
            };
            self.at += piece.len() as u64;
            if let Some(budget) = &mut self.budget {
                budget.pay(piece.len() as u64).await?;
            }
            return Ok(Some(piece));
        }
        Ok(None)
    }

    async fn open(&mut self, id: ContentId, inside: Span) -> Result<()> {
        let content = self.shared.catalog.content(id).await?;
        // It was purged since; what is left of the archive can't be had any more.
        let content = content.ok_or_else(Error::not_found)?;
        let opened = Chain::opened(self.shared.clone(), Arc::new(content), inside).await?;
        self.data = Some(opened);
        Ok(())
    }

    /// What stands at `at`, at most up to `end`.
    fn place(&self) -> At {
        let layout = &self.layout;
        if let Some(in_directory) = self.at.checked_sub(layout.directory_offset) {
            return At::Made(self.directory_from(in_directory));
        }
        let index = layout.parts.partition_point(|part| part.offset <= self.at);
        let Some(part) = index.checked_sub(1).and_then(|index| layout.parts.get(index)) else {
            return At::Made(Bytes::new());
        };
        let data_offset = part.data_offset();
        let inside = (self.at.checked_sub(data_offset))
            .and_then(|start| Span::new(start, part.end().min(self.end) - data_offset));
        match (inside, part.content) {
            (Some(inside), Some(content)) => At::Data(content, inside),
            _ => {
                let mut head = Vec::new();
                part.entry.local(&mut head);
                At::Made(self.cut(head, self.at - part.offset))
            }
        }
    }

    /// The directory, or what stands behind it, from an offset in it on.
    fn directory_from(&self, offset: u64) -> Bytes {
        let layout = &self.layout;
        let mut out = Vec::new();
        if offset >= layout.directory_bytes {
            let (entries, bytes) = (layout.parts.len() as u64, layout.directory_bytes);
            zip::end(entries, layout.directory_offset, bytes, &mut out);
            return self.cut(out, offset - bytes);
        }
        let index = layout
            .parts
            .partition_point(|part| part.directory_offset <= offset);
        let parts = layout.parts.get(index.saturating_sub(1)..).unwrap_or_default();
        let start = parts.first().map_or(offset, |part| part.directory_offset);
        for part in parts {
            part.entry.central(part.offset, &mut out);
            if out.len() >= DIRECTORY_PIECE_BYTES {
                break;
            }
        }
        self.cut(out, offset - start)
    }

    /// `bytes` from `skip` on, and not past the end.
    fn cut(&self, bytes: Vec<u8>, skip: u64) -> Bytes {
        let mut bytes = Bytes::from(bytes);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
        let mut rest = bytes.split_off(skip);
        rest.truncate(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        rest
    }
}

fn broken_layout() -> Error {
    Error::new(ErrorKind::Internal, "the parts of an archive leave a gap")
}

impl Desk {
    /// A folder, with everything below it, as a ZIP archive.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not read it, [`InvalidInput`](ErrorKind::InvalidInput) for a file,
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) for more nodes than the policy puts into one.
    pub async fn archive(&self, folder: NodeId) -> Result<Archive> {
        let place = self.may(folder, Role::Reader).await?;
        if place.node.kind == NodeKind::File {
            return Err(Error::new(ErrorKind::InvalidInput, "is a file, not a folder"));
        }
        self.archive_of(&[place]).await
    }

    /// Makes a word that stands for an archive of these nodes, for the actor and for a day.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the actor may not read one of them, [`InvalidInput`](ErrorKind::InvalidInput) without a node,
    /// [`LimitExceeded`](ErrorKind::LimitExceeded) for more than the policy names in one address.
    pub async fn offer_archive(&self, nodes: &[NodeId]) -> Result<String> {
        let limit = self.shared.policy.max_archive_roots;
        if nodes.is_empty() {
            return Err(Error::invalid("nodes", "an archive is made of one node or more"));
        }
        if nodes.len() > limit {
            let text =
                format!("more than {limit} nodes can't be chosen for one archive; choose their folder");
            return Err(Error::new(ErrorKind::LimitExceeded, text));
        }
        for node in nodes {
            self.may_read(*node).await?;
        }
        let expires = self.shared.now() + OFFER;
        Ok(self.shared.sign_offer(&self.actor.account, expires, nodes))
    }

    /// The archive that a word of [`offer_archive`](Self::offer_archive) stands for, as its nodes are now.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when it is not the actor's or its day is over, or one of its nodes may not be read any more.
    pub async fn offered_archive(&self, offer: &str) -> Result<Archive> {
        let nodes = self.shared.read_offer(&self.actor.account, offer);
        let mut places = Vec::new();
        for node in nodes.ok_or_else(Error::not_found)? {
            places.push(self.may(node, Role::Reader).await?);
        }
        self.archive_of(&places).await
    }

    async fn archive_of(&self, places: &[Arc<Place>]) -> Result<Archive> {
        let right = Right::Account(self.actor.account.clone(), Role::Reader);
        let request = Request::of_account(self.actor.account.clone());
        Archive::of(&self.shared, places, right, None, request).await
    }
}

impl Shared {
    /// The nodes of a selection as text, with a signature that only this installation can make for this account.
    fn sign_offer(&self, account: &AccountId, expires: Timestamp, nodes: &[NodeId]) -> String {
        let mut offer = expires.as_millis().to_be_bytes().to_vec();
        for node in nodes {
            offer.extend_from_slice(&node.as_u128().to_be_bytes());
        }
        let signature = self.offer_signature(account, &offer);
        offer.extend_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(offer)
    }

    fn read_offer(&self, account: &AccountId, text: &str) -> Option<Vec<NodeId>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (offer, signature) = bytes.split_last_chunk::<32>()?;
        let fits: bool = self.offer_signature(account, offer).ct_eq(signature).into();
        let (expires, nodes) = offer.split_first_chunk::<8>().filter(|_| fits)?;
        if Timestamp::from_millis(i64::from_be_bytes(*expires)) <= self.now() {
            return None;
        }
        let (nodes, []) = nodes.as_chunks::<16>() else {
            return None;
        };
        let id = |bytes: &[u8; 16]| NodeId::from_u128(u128::from_be_bytes(*bytes));
        Some(nodes.iter().map(id).collect())
    }

    fn offer_signature(&self, account: &AccountId, offer: &[u8]) -> [u8; 32] {
        self.signature("archive offer", &[offer, account.as_str().as_bytes()])
    }
}
