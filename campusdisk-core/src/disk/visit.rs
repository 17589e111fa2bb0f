//! Shares as their visitors see them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::access::{Place, ReadGrant, WriteGrant};
use super::archive::Archive;
use super::copy::Taken;
use super::download::Download;
use super::shared::{CampusDisk, Desk, Shared};
use super::spent::Spent;
use super::tally::Request;
use super::upload::{AppendOptions, Appending, UploadFacts, UploadSpec};
use super::watch::Right;
use super::whole::{PutOptions, Putting};
use crate::catalog::ChildrenQuery;
use crate::catalog::record::{Node, NodeKind, OnConflict, Role, Share, Upload};
use crate::{EntryName, Error, ErrorKind, NodeId, Result, ShareId, TicketId, UploadId};

/// Where a visitor comes from.
#[derive(Clone, Copy, Debug)]
pub struct Visitor {
    /// The client's address.
    pub address: IpAddr,
}

/// A visit to a share that lives. Made by [`CampusDisk::visit`].
#[derive(Clone)]
pub struct Visit {
    shared: Arc<Shared>,
    share: Share,
    root: Arc<Place>,
    name: String,
    visitor: Visitor,
}

/// How a try of a password ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlock {
    /// It fits; this ticket opens the share from now on.
    Open(String),
    /// It does not.
    Wrong,
    /// Too many wrong ones came; none is looked at for so long.
    Later(Duration),
}

/// Proof that a visitor is let in, and as which client.
#[derive(Clone, Debug)]
pub struct Admission {
    client: String,
    /// What the client should show next time, where it showed nothing yet.
    fresh_ticket: Option<String>,
}

impl Admission {
    /// A ticket that the client should keep (a browser as a cookie), so that it stays one client.
    pub fn fresh_ticket(&self) -> Option<&str> {
        self.fresh_ticket.as_deref()
    }
}

impl CampusDisk {
    /// A visit to the share whose link carries `token`.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), always the same, when it is unknown, expired, revoked, not for this network, when what it shares is
    /// gone, or when its maker may not share that any more.
    pub async fn visit(&self, token: &str, visitor: Visitor) -> Result<Visit> {
        let share = self
            .0
            .catalog
            .share_by_token(token)
            .await?
            .ok_or_else(Error::not_found)?;
        let open = share.networks.is_empty()
            || share
                .networks
                .iter()
                .any(|network| network.contains(&visitor.address));
        let root = self
            .0
            .shared_place(&share)
            .await?
            .filter(|_| open)
            .ok_or_else(Error::not_found)?;
        let name = self.0.name_for_visitors(&root.node).await?;
        Ok(Visit {
            shared: self.0.clone(),
            share,
            root,
            name,
            visitor,
        })
    }
}

impl Shared {
    pub(super) async fn name_for_visitors(&self, root: &Node) -> Result<String> {
        if root.parent.is_some() {
            return Ok(root.name.as_str().to_owned());
        }
        let drive = self.catalog.drive(root.drive).await?;
        Ok(drive.ok_or_else(Error::not_found)?.name)
    }

    /// What a share shares, while it lives.
    async fn shared_place(&self, share: &Share) -> Result<Option<Arc<Place>>> {
        if share.ended.is_some() || share.expires.is_some_and(|expires| expires <= self.now()) {
            return Ok(None);
        }
        let Some(maker) = self.identity.actor(&share.maker).await? else {
            return Ok(None);
        };
        let Some(place) = self.place(share.node).await? else {
            return Ok(None);
        };
        let role = self.role(&maker, place.node.drive).await?;
        Ok(role.filter(|&role| role >= Role::Contributor).map(|_| place))
    }

    pub(super) async fn share_lives(&self, id: ShareId) -> Result<bool> {
        match self.catalog.share(id).await? {
            Some(share) => Ok(self.shared_place(&share).await?.is_some()),
            None => Ok(false),
        }
    }

    /// A ticket as text: its id, and a signature that only this installation can make for this share.
    fn sign_ticket(&self, share: ShareId, ticket: TicketId) -> String {
        let mut token = ticket.as_u128().to_be_bytes().to_vec();
        token.extend_from_slice(&self.ticket_signature(share, ticket));
        URL_SAFE_NO_PAD.encode(token)
    }

    fn read_ticket(&self, share: ShareId, text: &str) -> Option<TicketId> {
        let token = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, signature) = token.split_first_chunk::<16>()?;
        let ticket = TicketId::from_u128(u128::from_be_bytes(*id));
        let fits: bool = self.ticket_signature(share, ticket).ct_eq(signature).into();
        fits.then_some(ticket)
    }

    fn ticket_signature(&self, share: ShareId, ticket: TicketId) -> [u8; 32] {
        let ids = [share.as_u128(), ticket.as_u128()].map(u128::to_be_bytes);
        self.signature("share ticket", &[ids.as_flattened()])
    }
}

impl Visit {
    /// The share.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// What it shares. Names and sizes may be told before a password, nothing else.
    pub fn root(&self) -> &Node {
        &self.root.node
    }

    /// What visitors see it called: by the node's name, and a whole drive, whose root has none of its own, by the drive's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the share has no download left that `ticket` (or the address) could spend: it looks like a dead one then.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn is_used_up(&self, ticket: Option<&str>) -> Result<bool> {
        let Some(limit) = self.share.max_downloads else {
            return Ok(false);
        };
        if self.share.downloads < u64::from(limit) {
            return Ok(false);
        }
        let spent = match self.client(ticket) {
            Some(client) => self.shared.catalog.ticket_of(self.share.id, &client).await?,
            None => None,
        };
        Ok(spent.is_none_or(|ticket| {
            ticket
                .budget_bytes
                .is_some_and(|budget| ticket.granted_bytes >= budget)
        }))
    }

    /// Tries a password.
    ///
    /// # Errors
    /// What the catalog says; a wrong password is no error but [`Unlock::Wrong`].
    pub async fn unlock(&self, password: &str) -> Result<Unlock> {
        let Some(hash) = self.share.password.clone() else {
            return Ok(Unlock::Open(self.fresh_ticket()));
        };
        let (throttles, id, address) = (&self.shared.throttles, self.share.id, self.visitor.address);
        // Counted as wrong before it is looked at, so that many at once get no more tries than one after another.
        if let Some(wait) = throttles.take(id, address, self.shared.now()) {
            return Ok(Unlock::Later(wait));
        }
        let too_long = password.len() > self.shared.policy.max_share_password_bytes;
        if too_long || !self.shared.password_fits(password.to_owned(), hash).await? {
            return Ok(Unlock::Wrong);
        }
        throttles.give_back(id, address);
        Ok(Unlock::Open(self.fresh_ticket()))
    }

    /// Lets the visitor in: by the ticket it shows, or, where there is no password, as its address.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) when the password is missing.
    pub fn admit(&self, ticket: Option<&str>) -> Result<Admission> {
        match self.client(ticket) {
            Some(client) => {
                // A client known by its address gets a ticket of that same admission, so that it stays one client.
                let known =
                    ticket.is_some_and(|ticket| self.shared.read_ticket(self.share.id, ticket).is_some());
                let fresh_ticket =
                    (!known).then(|| self.shared.sign_ticket(self.share.id, self.address_ticket()));
                Ok(Admission { client, fresh_ticket })
            }
            None => Err(Error::new(ErrorKind::Denied, "this share needs its password")),
        }
    }

    /// A ticket of a client of its own, for a browser that opens the share's page.
    pub fn page_ticket(&self) -> Option<String> {
        self.share.password.is_none().then(|| self.fresh_ticket())
    }

    /// A file of the share to read. The first byte spends a download.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when it is not in the share, or the share takes files in; [`InvalidInput`](ErrorKind::InvalidInput) for a folder.
    pub async fn download(&self, admission: &Admission, node: Option<NodeId>) -> Result<Download> {
        let place = self.inside(node).await?;
        let right = Right::Share(self.share.id);
        let spent = Some(self.spent(admission));
        let request = self.request(admission);
        Download::new(self.shared.clone(), ReadGrant::of(place), right, spent, request)
    }

    /// A folder of the share, with everything below it, as a ZIP archive; without a node all of what is shared.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when it is not in the share; [`LimitExceeded`](ErrorKind::LimitExceeded) for more nodes than the policy
    /// puts into one.
    pub async fn archive(&self, admission: &Admission, folder: Option<NodeId>) -> Result<Archive> {
        let place = self.inside(folder).await?;
        let right = Right::Share(self.share.id);
        let spent = Some(self.spent(admission));
        Archive::of(&self.shared, &[place], right, spent, self.request(admission)).await
    }

    /// A node of the share.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when it is not in the share, or the share takes files in.
    pub async fn node(&self, _: &Admission, node: Option<NodeId>) -> Result<Arc<Place>> {
        self.inside(node).await
    }

    /// A page of a folder of the share.
    ///
    /// # Errors
    /// As for [`node`](Self::node); [`InvalidInput`](ErrorKind::InvalidInput) for a file.
    pub async fn children(
        &self,
        _: &Admission,
        folder: Option<NodeId>,
        query: &ChildrenQuery,
    ) -> Result<super::Listing> {
        let place = self.inside(folder).await?;
        self.shared.list(&place, query).await
    }

    /// Puts a file into a share that takes files in. A taken name gets another; nothing is replaced.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for a share that is read, else as for [`Desk::put`].
    pub async fn put(&self, _: &Admission, name: EntryName, options: PutOptions) -> Result<Putting> {
        let folder = self.drop_folder()?;
        let (parent, drive) = (folder.node.id, folder.node.drive);
        let target = super::place::Target::Child {
            parent,
            folders: Vec::new(),
            name,
            on_conflict: OnConflict::Rename,
        };
        let right = (Right::Share(self.share.id), parent);
        self.shared
            .start_put(&self.share.maker, target, drive, None, options, right)
            .await
    }

    /// Begins an upload into a share that takes files in.
    ///
    /// # Errors
    /// As for [`put`](Self::put) and [`Desk::create_upload`].
    pub async fn create_upload(&self, _: &Admission, spec: UploadSpec) -> Result<UploadFacts> {
        let folder = self.drop_folder()?;
        let spec = UploadSpec {
            on_conflict: OnConflict::Rename,
            ..spec
        };
        let (maker, share) = (&self.share.maker, Some(self.share.id));
        let upload = self.shared.new_upload(maker, share, folder.node.id, spec).await?;
        self.shared.begin_upload(upload, &[]).await
    }

    /// Joins parts that came through this share.
    ///
    /// # Errors
    /// As for [`Desk::join`].
    pub async fn join(&self, _: &Admission, spec: UploadSpec, parts: &[UploadId]) -> Result<UploadFacts> {
        let folder = self.drop_folder()?;
        for part in parts {
            self.own_upload(*part).await?;
        }
        let spec = UploadSpec {
            on_conflict: OnConflict::Rename,
            kind: crate::catalog::record::UploadKind::Joined,
            ..spec
        };
        let (maker, share) = (&self.share.maker, Some(self.share.id));
        let upload = self.shared.new_upload(maker, share, folder.node.id, spec).await?;
        self.shared.join(upload, parts).await
    }

    /// An upload that came through this share.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for any other.
    pub async fn upload(&self, _: &Admission, id: UploadId) -> Result<UploadFacts> {
        self.own_upload(id).await?;
        self.shared.take_over(id).await;
        Ok(self.own_upload(id).await?.into())
    }

    /// Appends to an upload that came through this share.
    ///
    /// # Errors
    /// As for [`Desk::append`].
    pub async fn append(
        &self,
        _: &Admission,
        id: UploadId,
        offset_bytes: u64,
        options: AppendOptions,
    ) -> Result<Appending> {
        self.own_upload(id).await?;
        self.shared.append(id, offset_bytes, options).await
    }

    /// Gives up an upload that came through this share.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for any other.
    pub async fn terminate(&self, _: &Admission, id: UploadId) -> Result<()> {
        self.own_upload(id).await?;
        self.shared.terminate(id).await
    }

    /// Copies what is shared into a folder of the visitor's own. It spends a download; no byte moves.
    ///
    /// # Errors
    /// As for [`Desk::copy`]; [`NotFound`](ErrorKind::NotFound) when no download is left.
    pub async fn save(&self, admission: &Admission, desk: &Desk, parent: Option<NodeId>) -> Result<Node> {
        let source = self.inside(None).await?;
        let parent = match parent {
            Some(parent) => parent,
            None => desk.home().await?.root,
        };
        let target: WriteGrant = desk.may_write(parent).await?.folder()?;
        self.spent(admission).whole(&self.shared).await?;
        // A drive may be called what no folder can be.
        let name = EntryName::parse(&self.name).unwrap_or_else(|_| source.node.name.clone());
        self.shared
            .copy(&desk.actor().account, &source, &target, Some(name), Taken::Evade)
            .await
    }

    /// The node, where it is the share's own or lies below it, in a share that is read.
    async fn inside(&self, node: Option<NodeId>) -> Result<Arc<Place>> {
        if self.share.drop {
            return Err(Error::not_found());
        }
        match node {
            None => Ok(self.root.clone()),
            Some(node) => {
                let place = self.shared.place(node).await?.ok_or_else(Error::not_found)?;
                if place.is_within(self.share.node) {
                    Ok(place)
                } else {
                    Err(Error::not_found())
                }
            }
        }
    }

    fn spent(&self, admission: &Admission) -> Spent {
        Spent::new(self.share.clone(), self.root.clone(), admission.client.clone())
    }

    fn request(&self, admission: &Admission) -> Request {
        Request::of_visitor(self.share.id, &admission.client, self.visitor.address)
    }

    fn drop_folder(&self) -> Result<&Place> {
        let takes_files = self.share.drop && self.root.node.kind == NodeKind::Folder;
        if takes_files {
            Ok(&self.root)
        } else {
            Err(Error::not_found())
        }
    }

    async fn own_upload(&self, id: UploadId) -> Result<Upload> {
        let upload = self.shared.catalog.upload(id).await?;
        upload
            .filter(|upload| upload.share == Some(self.share.id))
            .ok_or_else(Error::not_found)
    }

    fn fresh_ticket(&self) -> String {
        let ticket = TicketId::from_u128(self.shared.ids.random());
        self.shared.sign_ticket(self.share.id, ticket)
    }

    /// Which client this is; `None` when the password is missing.
    fn client(&self, ticket: Option<&str>) -> Option<String> {
        let ticket = ticket.and_then(|ticket| self.shared.read_ticket(self.share.id, ticket));
        match ticket {
            Some(ticket) => Some(ticket.to_string()),
            None if self.share.password.is_none() => Some(self.address_ticket().to_string()),
            None => None,
        }
    }

    /// The ticket that stands for the visitor's address.
    fn address_ticket(&self) -> TicketId {
        use sha2::Digest;
        let digest = Sha256::new()
            .chain_update(self.shared.ticket_key)
            .chain_update(self.share.id.as_u128().to_be_bytes())
            .chain_update(self.visitor.address.to_string())
            .finalize();
        let (id, _) = digest.split_at(16);
        TicketId::from_u128(id.iter().fold(0, |id, &byte| id << 8 | u128::from(byte)))
    }
}

impl std::fmt::Debug for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visit")
            .field("share", &self.share.id)
            .finish_non_exhaustive()
    }
}
