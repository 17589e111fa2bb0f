//! The watch over running transfers: whoever loses the right to one loses the transfer, within a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::shared::{CampusDisk, Shared};
use crate::catalog::record::{Role, Upload};
use crate::{AccountId, NodeId, ShareId};

/// Whose right a transfer goes by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Right {
    /// An account's role in the node's drive.
    Account(AccountId, Role),
    /// A share that lives.
    Share(ShareId),
}

/// The running transfers.
#[derive(Default)]
pub(super) struct Watches {
    entries: Mutex<HashMap<u64, Arc<Entry>>>,
    next: AtomicU64,
}

struct Entry {
    right: Right,
    node: NodeId,
    ended: AtomicBool,
    wake: Notify,
}

/// One transfer under watch; leaves the register when dropped.
pub(super) struct Watch {
    shared: Arc<Shared>,
    number: u64,
    entry: Arc<Entry>,
}

impl Watch {
    /// Whether the right has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.entry.ended.load(Ordering::Relaxed)
    }

    /// Waits until the right ends. Cancel safe.
    pub(super) async fn ended(&self) {
        let wake = self.entry.wake.notified();
        if !self.has_ended() {
            wake.await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.watches.lock().remove(&self.number);
    }
}

impl Watches {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn watch(self: &Arc<Self>, right: Right, node: NodeId) -> Watch {
        let number = self.watches.next.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            right,
            node,
            ended: AtomicBool::new(false),
            wake: Notify::new(),
        });
        self.watches.lock().insert(number, entry.clone());
        Watch {
            shared: self.clone(),
            number,
            entry,
        }
    }

    pub(super) fn watch_upload(self: &Arc<Self>, upload: &Upload) -> Watch {
        let right = match upload.share {
            Some(share) => Right::Share(share),
            None => Right::Account(upload.account.clone(), Role::Contributor),
        };
        self.watch(right, upload.parent)
    }

    /// Whether the right still holds. What can't be found out now holds.
    async fn still_holds(&self, right: &Right, node: NodeId) -> bool {
        let held = match right {
            Right::Share(share) => self.share_lives(*share).await,
            Right::Account(account, least) => self.account_holds(account, *least, node).await,
        };
        held.unwrap_or(true)
    }

    async fn account_holds(&self, account: &AccountId, least: Role, node: NodeId) -> crate::Result<bool> {
        let Some(actor) = self.identity.actor(account).await? else {
            return Ok(false);
        };
        let path = self.catalog.path(node).await?;
        let Some(last) = path.last() else { return Ok(false) };
        if path.iter().any(|node| node.trashed.is_some()) {
            return Ok(false);
        }
        Ok(self
            .role(&actor, last.drive)
            .await?
            .is_some_and(|role| role >= least))
    }
}

impl CampusDisk {
    /// Looks once at every running transfer and ends those whose right has ended. [`run_background`](Self::run_background) calls it.
    pub async fn look_after_transfers(&self) {
        let entries: Vec<_> = self.0.watches.lock().values().cloned().collect();
        let mut answers: HashMap<(Right, NodeId), bool> = HashMap::new();
        for entry in entries {
            let question = (entry.right.clone(), entry.node);
            let holds = match answers.get(&question) {
                Some(&holds) => holds,
                None => {
                    let holds = self.0.still_holds(&entry.right, entry.node).await;
                    answers.insert(question, holds);
                    holds
                }
            };
            if !holds {
                entry.ended.store(true, Ordering::Relaxed);
                entry.wake.notify_waiters();
            }
        }
    }
}
