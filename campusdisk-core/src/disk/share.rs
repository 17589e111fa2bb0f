//! Shares as their makers see them.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params};
use ipnet::IpNet;
use tokio::sync::oneshot;

use super::shared::{Desk, Shared};
use crate::catalog::record::{Node, NodeKind, Share};
use crate::catalog::{Expect, Page, RecordKey};
use crate::{Error, ErrorKind, NodeId, Result, ShareId, Timestamp, id};

/// The password of a new share.
#[derive(Clone, PartialEq, Eq)]
pub enum SharePassword {
    /// This one.
    Chosen(String),
    /// A random one, told once.
    Random,
}

impl std::fmt::Debug for SharePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Chosen(_) => "Chosen(…)",
            Self::Random => "Random",
        })
    }
}

/// The conditions of a new share.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShareSpec {
    /// What visitors have to know.
    pub password: Option<SharePassword>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// How many downloads it allows; at least 1.
    pub max_downloads: Option<u32>,
    /// From which networks it answers; empty is from everywhere.
    pub networks: Vec<IpNet>,
    /// Whether visitors put files in instead of reading.
    pub drop: bool,
}

/// A share with what it shares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShareFacts {
    /// The share.
    pub share: Share,
    /// What it shares; `None` when that was deleted just now.
    pub node: Option<Node>,
}

impl Desk {
    /// Shares a node. Returns the share, and its password where a random one was made.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`Denied`](ErrorKind::Denied) (sharing needs the right to change), [`InvalidInput`](ErrorKind::InvalidInput) for conditions that
    /// make no sense.
    pub async fn share(&self, node: NodeId, spec: ShareSpec) -> Result<(Share, Option<String>)> {
        let place = self.may_write(node).await?;
        let shared = &self.shared;
        check_spec(&spec, &place.node, shared)?;
        let (password, told) = match spec.password {
            None => (None, None),
            Some(SharePassword::Chosen(password)) => (Some(password), None),
            Some(SharePassword::Random) => {
                let password = random_password(shared);
                (Some(password.clone()), Some(password))
            }
        };
        let hash = match password {
            Some(password) => Some(shared.hash_password(password).await?),
            None => None,
        };
        let mut set = shared.change_set();
        let share = Share {
            id: ShareId::generate(set.at, &*shared.ids),
            token: id::encode(shared.ids.random()),
            node,
            maker: self.actor.account.clone(),
            password: hash,
            expires: spec.expires,
            max_downloads: spec.max_downloads,
            networks: spec.networks,
            drop: spec.drop,
            created: set.at,
            ended: None,
            version: 1,
            downloads: 0,
        };
        set.push(share.clone());
        set.push(shared.node_event(&self.actor.account, "node.shared", &place.node));
        shared.commit(set).await?;
        Ok((share, told))
    }

    /// The actor's shares that have not ended, newest first; only those of `node`, where given.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn shares(
        &self,
        node: Option<NodeId>,
        before: Option<ShareId>,
        limit: u32,
    ) -> Result<Page<ShareFacts, ShareId>> {
        let catalog = &self.shared.catalog;
        let rows = catalog
            .shares_of(&self.actor.account, node, before, limit.saturating_add(1))
            .await?;
        let page = super::browse::page(rows, limit, |share| share.id);
        let mut items = Vec::with_capacity(page.items.len());
        for share in page.items {
            let node = self
                .shared
                .place(share.node)
                .await?
                .map(|place| place.node.clone());
            items.push(ShareFacts { share, node });
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// Ends a share of the actor's own.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for anybody else's, or one that has ended.
    pub async fn revoke(&self, id: ShareId) -> Result<()> {
        let mut tries = 0;
        loop {
            let share = self
                .shared
                .catalog
                .share(id)
                .await?
                .filter(|share| share.ended.is_none());
            let share = share
                .filter(|share| share.maker == self.actor.account)
                .ok_or_else(Error::not_found)?;
            let mut set = self.shared.change_set();
            set.push(Expect::Version(RecordKey::Share(id), share.version));
            set.push(Share {
                ended: Some(set.at),
                version: share.version + 1,
                ..share
            });
            match self.shared.commit(set).await {
                Err(error)
                    if error.kind() == ErrorKind::Conflict && tries < self.shared.policy.race_tries =>
                {
                    tries += 1
                }
                outcome => return outcome.map(drop),
            }
        }
    }
}

impl Shared {
    /// Hashes a share's password. It is told to several people anyway, so the cost is for guessers, not for servers.
    async fn hash_password(&self, password: String) -> Result<String> {
        self.blocking(move || {
            let hash = argon2().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|cause| {
                Error::new(ErrorKind::Internal, "the password could not be hashed").because(cause.to_string())
            })
        })
        .await?
    }

    pub(super) async fn password_fits(&self, password: String, hash: String) -> Result<bool> {
        use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};
        self.blocking(move || {
            let hash = PasswordHash::new(&hash);
            hash.is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _permit = self.throttles.hashing().await;
        let (answer, outcome) = oneshot::channel();
        // A caller that went away needs no answer.
        self.spawner
            .spawn_blocking(Box::new(move || drop(answer.send(work()))));
        outcome
            .await
            .map_err(|_| Error::new(ErrorKind::Internal, "a blocking task is gone"))
    }
}

/// Argon2id with the smallest parameters that OWASP recommends (Password Storage Cheat Sheet: 7 MiB, 5 passes).
fn argon2() -> Argon2<'static> {
    let params = Params::new(7 << 10, 5, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params)
}

/// Ten characters that are hard to mistake for one another: 50 bits.
fn random_password(shared: &Shared) -> String {
    id::encode(shared.ids.random()).chars().rev().take(10).collect()
}

fn check_spec(spec: &ShareSpec, node: &Node, shared: &Shared) -> Result<()> {
    if spec.drop && node.kind == NodeKind::File {
        return Err(Error::invalid("drop", "only a folder can take files in"));
    }
    if spec.drop && spec.max_downloads.is_some() {
        return Err(Error::invalid(
            "max_downloads",
            "nothing can be downloaded from a share that takes files in",
        ));
    }
    if spec.max_downloads == Some(0) {
        return Err(Error::invalid("max_downloads", "is at least 1"));
    }
    if spec.expires.is_some_and(|expires| expires <= shared.now()) {
        return Err(Error::invalid("expires", "is in the past"));
    }
    if spec.networks.len() > shared.policy.max_share_networks {
        return Err(Error::invalid("allow_from", "names too many networks"));
    }
    if let Some(SharePassword::Chosen(password)) = &spec.password
        && (password.is_empty() || password.len() > shared.policy.max_share_password_bytes)
    {
        return Err(Error::invalid("password", "is empty or too long"));
    }
    Ok(())
}
