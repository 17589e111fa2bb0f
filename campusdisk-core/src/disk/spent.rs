//! What visitors of a share with a limit spend: one download for each client, and bytes out of its budget.

use std::sync::Arc;

use super::access::Place;
use super::place::{is_lost_race, signed};
use super::shared::Shared;
use crate::catalog::record::{NodeKind, Share, Ticket};
use crate::catalog::{Bound, Change, Counter, Expect, RecordKey};
use crate::{Error, ErrorKind, Result, TicketId, Timestamp};

/// How a client's bytes through a share are counted.
#[derive(Clone)]
pub(super) struct Spent {
    share: Share,
    root: Arc<Place>,
    client: String,
}

impl Spent {
    pub(super) fn new(share: Share, root: Arc<Place>, client: String) -> Self {
        Self { share, root, client }
    }

    /// Whether every byte has to be paid for.
    pub(super) fn is_limited(&self) -> bool {
        self.share.max_downloads.is_some()
    }

    /// Spends a whole download at once, for what is saved without a byte being sent.
    pub(super) async fn whole(&self, shared: &Arc<Shared>) -> Result<()> {
        let size_bytes = match self.share.max_downloads {
            Some(_) => shared.size_of(&self.root).await?,
            None => 0,
        };
        let mut budget = self.budget(shared.clone(), size_bytes).await?;
        budget.pay(size_bytes).await
    }

    /// Spends the client's ticket, if it did not before, and takes a first slice of its budget.
    pub(super) async fn budget(&self, shared: Arc<Shared>, wanted_bytes: u64) -> Result<Budget> {
        let ticket = self.spend(&shared).await?;
        let limit_bytes = ticket.budget_bytes;
        let mut budget = Budget {
            shared,
            ticket: ticket.id,
            limit_bytes,
            left_bytes: 0,
            wanted_bytes,
        };
        budget.take(1.min(wanted_bytes)).await?;
        Ok(budget)
    }

    async fn spend(&self, shared: &Shared) -> Result<Ticket> {
        let mut tries = 0;
        loop {
            if let Some(ticket) = shared.catalog.ticket_of(self.share.id, &self.client).await? {
                return Ok(ticket);
            }
            // Twice the size: room for parallel ranges, resuming and repeats, but not for a second visitor.
            let budget_bytes = match self.share.max_downloads {
                Some(_) => Some(shared.size_of(&self.root).await?.saturating_mul(2)),
                None => None,
            };
            let mut set = shared.change_set();
            let ticket = Ticket {
                id: TicketId::from_u128(shared.ids.random()),
                share: self.share.id,
                client: self.client.clone(),
                spent: Some(set.at),
                budget_bytes,
                created: set.at,
                expires: self.share.expires.unwrap_or(Timestamp::from_millis(i64::MAX)),
                version: 1,
                granted_bytes: 0,
            };
            let bound = self
                .share
                .max_downloads
                .map_or(Bound::None, |limit| Bound::AtMost(limit.into()));
            set.push(Expect::Absent(RecordKey::Ticket(ticket.id)))
                .push(ticket.clone());
            set.push(Change::Add(Counter::ShareDownloads(self.share.id), 1, bound));
            match shared.commit(set).await {
                Ok(_) => return Ok(ticket),
                Err(error) if error.kind() == ErrorKind::LimitExceeded => return Err(Error::not_found()),
                // The same client's other request was faster.
                Err(error) if is_lost_race(&error) && tries < shared.policy.race_tries => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Shared {
    /// How many bytes whoever fetches all of a share gets: those of its file, or of the archive of its folder.
    async fn size_of(&self, place: &Arc<Place>) -> Result<u64> {
        match place.node.kind {
            NodeKind::File => Ok(place.node.size_bytes),
            NodeKind::Folder => self.archive_bytes(std::slice::from_ref(place)).await,
        }
    }
}

/// Bytes of a ticket's budget, taken from the catalog in slices before they are sent. What is left goes back on drop.
pub(super) struct Budget {
    shared: Arc<Shared>,
    ticket: TicketId,
    limit_bytes: Option<u64>,
    left_bytes: u64,
    /// How many bytes are still to be paid for in all.
    wanted_bytes: u64,
}

impl Budget {
    /// Pays for bytes about to be sent.
    pub(super) async fn pay(&mut self, bytes: u64) -> Result<()> {
        if self.limit_bytes.is_none() {
            return Ok(());
        }
        if self.left_bytes < bytes {
            self.take(bytes - self.left_bytes).await?;
        }
        self.left_bytes = self.left_bytes.saturating_sub(bytes);
        self.wanted_bytes = self.wanted_bytes.saturating_sub(bytes);
        Ok(())
    }

    /// Takes at least `needed_bytes`, better a slice.
    async fn take(&mut self, needed_bytes: u64) -> Result<()> {
        let Some(limit) = self.limit_bytes else {
            return Ok(());
        };
        let ahead = self
            .wanted_bytes
            .saturating_sub(self.left_bytes)
            .min(self.shared.policy.ticket_slice_bytes);
        for bytes in [ahead.max(needed_bytes), needed_bytes] {
            let mut set = self.shared.change_set();
            let bytes_signed = signed(bytes)?;
            set.push(Change::Add(
                Counter::TicketGranted(self.ticket),
                bytes_signed,
                Bound::AtMost(limit),
            ));
            match self.shared.commit(set).await {
                Ok(_) => {
                    self.left_bytes += bytes;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::LimitExceeded => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::not_found())
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let (shared, left) = (self.shared.clone(), self.left_bytes);
        let Ok(back) = signed(left) else {
            return;
        };
        if back == 0 || self.limit_bytes.is_none() {
            return;
        }
        let mut set = shared.change_set();
        set.push(Change::Add(
            Counter::TicketGranted(self.ticket),
            -back,
            Bound::None,
        ));
        let task = shared.clone();
        shared.spawn(async move {
            if let Err(error) = task.commit(set).await {
                tracing::debug!(%error, "unsent bytes stay counted against a ticket");
            }
        });
    }
}
