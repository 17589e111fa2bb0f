//! Records of downloads: written behind the bytes, read by their owners and by administrators.

use super::browse::page;
use super::shared::{CampusDisk, Desk, Shared};
use super::tracker::Which;
use crate::catalog::record::{DownloadOutcome, DownloadRecord, Event};
use crate::catalog::{Change, ChangeSet, DownloadsQuery, Page};
use crate::{AccountId, DownloadId, ErrorKind, EventId, NodeId, Result, Timestamp};

/// Which downloads of all. Without anything: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadsFilter {
    /// Those that began at this time or later.
    pub from: Option<Timestamp>,
    /// Those that began before this time.
    pub to: Option<Timestamp>,
    /// Those of this account.
    pub account: Option<AccountId>,
    /// Those of this node.
    pub node: Option<NodeId>,
}

impl Desk {
    /// A page of the actor's downloads, latest first: those that began before the one of `before`.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn downloads(
        &self,
        before: Option<DownloadId>,
        limit: u32,
    ) -> Result<Page<DownloadRecord, DownloadId>> {
        let filter = DownloadsFilter {
            account: Some(self.actor.account.clone()),
            ..DownloadsFilter::default()
        };
        self.shared.downloads(&filter, before, limit).await
    }
}

impl CampusDisk {
    /// A page of everybody's downloads, latest first: those that began before the one of `before`. For administrators.
    ///
    /// # Errors
    /// What the catalog says.
    pub async fn downloads(
        &self,
        filter: &DownloadsFilter,
        before: Option<DownloadId>,
        limit: u32,
    ) -> Result<Page<DownloadRecord, DownloadId>> {
        self.0.downloads(filter, before, limit).await
    }

    /// Ends downloads that rested for [`download_idle`](crate::Policy::download_idle) and writes the records that changed, with the events
    /// `download.completed` and `download.aborted`. Returns how many records. [`run_background`](Self::run_background) calls it.
    ///
    /// A new record is written at once; one that changes again waits a second for more. A process that is killed loses what was not written.
    ///
    /// # Errors
    /// What the catalog says; the records wait, or are lost where it will not take them.
    ///
    /// # Cancel safety
    /// Cancel safe: what was on its way to the catalog is sent again by the next call.
    pub async fn record_downloads(&self) -> Result<u64> {
        self.0.tracker.end_idle(self.0.now());
        self.0.write_records(Which::Due).await
    }
}

impl Shared {
    /// Ends every download and writes all records.
    pub(super) async fn end_downloads(&self) {
        self.tracker.end_all(self.now());
        if let Err(error) = self.write_records(Which::All).await {
            tracing::warn!(%error, "the last records of downloads are lost");
        }
    }

    async fn write_records(&self, which: Which) -> Result<u64> {
        let mut unanswered = self.tracker.unanswered.lock().await;
        let mut written = 0;
        loop {
            let set = match unanswered.take() {
                Some(set) => set,
                None => match self.next_records(which) {
                    Some(set) => set,
                    None => return Ok(written),
                },
            };
            let puts = set
                .changes
                .iter()
                .filter(|change| matches!(change, Change::Put(_)));
            let records = puts.count() as u64;
            let set = unanswered.insert(set).clone();
            match self.commit(set).await {
                // A database that is away or full may take them later.
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::LimitExceeded) => {
                    return Err(error);
                }
                answer => {
                    *unanswered = None;
                    answer?;
                    written += records;
                }
            }
        }
    }

    fn next_records(&self, which: Which) -> Option<ChangeSet> {
        let mut set = self.change_set();
        let rows = usize::try_from(self.policy.batch_rows).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        for tracked in self.tracker.take(which, set.at, rows) {
            let (record, kind) = tracked.to_be_written();
            events.extend(kind.map(|kind| event(&record, kind, set.at)));
            set.push(record);
        }
        // Records stand together, so that a catalog may write many by one statement.
        set.changes.extend(events.into_iter().map(Into::into));
        (!set.changes.is_empty()).then_some(set)
    }

    async fn downloads(
        &self,
        filter: &DownloadsFilter,
        before: Option<DownloadId>,
        limit: u32,
    ) -> Result<Page<DownloadRecord, DownloadId>> {
        let all = DownloadsQuery::latest(limit.saturating_add(1));
        let end = filter.to.map_or(all.before, first_id);
        let query = DownloadsQuery {
            account: filter.account.clone(),
            node: filter.node,
            from: filter.from.map_or(all.from, first_id),
            before: before.map_or(end, |before| before.min(end)),
            ..all
        };
        let mut records = self.catalog.downloads(&query).await?;
        let now = self.now();
        for record in &mut records {
            // Whoever sent it was killed, or its client has taken nothing for that long.
            if record.outcome == DownloadOutcome::Running
                && now.since(record.ended) >= self.policy.download_idle
            {
                record.outcome = DownloadOutcome::Aborted;
            }
        }
        Ok(page(records, limit, |record| record.id))
    }
}

/// The lowest id of a download that began at this time.
pub(super) fn first_id(at: Timestamp) -> DownloadId {
    // Ids hold 48 bits of time.
    let millis = u128::from(at.as_millis().clamp(0, (1 << 48) - 1).unsigned_abs());
    DownloadId::from_u128(millis << 80)
}

/// The event of a download that came to its end. Its id is the download's, so that it is the same however often it is made.
fn event(record: &DownloadRecord, kind: &str, at: Timestamp) -> Event {
    let facts = serde_json::json!({
        "download": record.id, "node": record.node, "name": record.name, "share": record.share,
        "address": record.address, "started": record.started.to_string(), "ended": record.ended.to_string(),
        "bytes": record.sent_bytes, "requests": record.requests,
    });
    Event {
        id: EventId::from_u128(record.id.as_u128()),
        account: record.account.clone(),
        kind: kind.to_owned(),
        payload: facts.to_string(),
        at,
    }
}
