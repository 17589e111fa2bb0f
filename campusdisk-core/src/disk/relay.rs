//! The outbox's way to the event sink: one relay at a time, whichever instance it is.

use std::time::Duration;

use super::shared::CampusDisk;
use crate::catalog::record::Lease;
use crate::catalog::{Change, Expect, RecordKey};
use crate::{ErrorKind, Result};

const LEASE: &str = "relay";
const LEASE_LASTS: Duration = Duration::from_secs(30);

impl CampusDisk {
    /// Hands the outbox's events to the sink, oldest first, and takes them out. Returns how many.
    ///
    /// Only the instance that holds the lease does; its fencing token is expected in every commit, so that one that was
    /// overtaken takes nothing out.
    ///
    /// # Errors
    /// What sink or catalog say; the events come again.
    pub async fn relay(&self) -> Result<u64> {
        let mut relayed = 0;
        loop {
            // An empty outbox needs no lease.
            if self.0.catalog.events(1).await?.is_empty() {
                return Ok(relayed);
            }
            let Some(lease) = self.hold_lease().await? else {
                return Ok(relayed);
            };
            // Read under the lease: what another relay took out before is not sent again after later ones.
            let events = self.0.catalog.events(self.0.policy.batch_rows).await?;
            self.0.events.publish(&events).await?;
            let mut set = self.0.change_set();
            set.push(Expect::Version(RecordKey::Lease(LEASE.to_owned()), lease.version));
            relayed += events.len() as u64;
            set.changes.extend(
                events
                    .iter()
                    .map(|event| Change::Delete(RecordKey::Event(event.id))),
            );
            self.0.commit(set).await?;
        }
    }

    /// The lease, where this instance holds it or can take it.
    async fn hold_lease(&self) -> Result<Option<Lease>> {
        let now = self.0.now();
        let found = self.0.catalog.lease(LEASE).await?;
        let mut set = self.0.change_set();
        let lease = match found {
            // A lease that lasts needs no commit.
            Some(lease) if lease.holder == self.0.instance && now + LEASE_LASTS / 2 < lease.until => {
                return Ok(Some(lease));
            }
            Some(lease) if lease.holder != self.0.instance && now < lease.until => return Ok(None),
            Some(lease) => {
                set.push(Expect::Version(RecordKey::Lease(LEASE.to_owned()), lease.version));
                let token = if lease.holder == self.0.instance {
                    lease.token
                } else {
                    lease.token + 1
                };
                Lease {
                    holder: self.0.instance.clone(),
                    token,
                    until: now + LEASE_LASTS,
                    version: lease.version + 1,
                    ..lease
                }
            }
            None => {
                set.push(Expect::Absent(RecordKey::Lease(LEASE.to_owned())));
                Lease {
                    name: LEASE.to_owned(),
                    holder: self.0.instance.clone(),
                    token: 1,
                    until: now + LEASE_LASTS,
                    version: 1,
                }
            }
        };
        set.push(lease.clone());
        match self.0.commit(set).await {
            Ok(_) => Ok(Some(lease)),
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
