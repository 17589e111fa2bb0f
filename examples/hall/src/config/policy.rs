//! Limits and periods of the service, with their units in the keys' names.

use std::time::Duration;

use campusdisk_core::Policy;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// When uploads are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hashing {
    /// While they come in.
    Inline,
    /// Later, by a job.
    Job,
}

/// [`Policy`] as an operator writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicySettings {
    pub(crate) personal_quota_bytes: Option<u64>,
    pub(crate) max_file_bytes: u64,
    pub(crate) tail_bytes: usize,
    pub(crate) max_extents: usize,
    pub(crate) queue_pieces: usize,
    pub(crate) hashing: Hashing,
    pub(crate) upload_rest_seconds: u64,
    pub(crate) takeover_wait_ms: u64,
    pub(crate) blob_lease_seconds: u64,
    pub(crate) lease_batch: usize,
    pub(crate) purge_delay_seconds: u64,
    pub(crate) trash_rest_seconds: u64,
    pub(crate) change_memory_seconds: u64,
    pub(crate) batch_rows: u32,
    pub(crate) max_copy_nodes: usize,
    pub(crate) max_archive_nodes: usize,
    pub(crate) max_archive_roots: usize,
    pub(crate) max_depth: usize,
    pub(crate) facts_stale_ms: u64,
    pub(crate) facts_entries: u64,
    pub(crate) open_readers: u64,
    pub(crate) max_downloads: usize,
    pub(crate) max_client_downloads: Option<usize>,
    pub(crate) max_waiting_downloads: usize,
    pub(crate) download_wait_ms: u64,
    pub(crate) download_bytes_per_second: Option<u64>,
    pub(crate) client_bytes_per_second: Option<u64>,
    pub(crate) kept_span_bytes: u64,
    pub(crate) chunk_reads_bytes: u64,
    pub(crate) watch_period_ms: u64,
    pub(crate) download_idle_seconds: u64,
    pub(crate) tracked_downloads: usize,
    pub(crate) queued_records: usize,
    pub(crate) record_period_ms: u64,
    pub(crate) records_rest_seconds: u64,
    pub(crate) sweep_period_ms: u64,
    pub(crate) relay_period_ms: u64,
    pub(crate) share_tries_per_hour: u32,
    pub(crate) address_tries_per_minute: u32,
    pub(crate) ticket_slice_bytes: u64,
    pub(crate) max_share_password_bytes: usize,
    pub(crate) max_share_networks: usize,
    pub(crate) max_join_parts: usize,
    pub(crate) race_tries: u32,
}

impl Default for PolicySettings {
    fn default() -> Self {
        let policy = Policy::default();
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            personal_quota_bytes: policy.personal_quota_bytes,
            max_file_bytes: policy.max_file_bytes,
            tail_bytes: policy.tail_bytes,
            max_extents: policy.max_extents,
            queue_pieces: policy.queue_pieces,
            hashing: if policy.hash_inline {
                Hashing::Inline
            } else {
                Hashing::Job
            },
            upload_rest_seconds: policy.upload_rest.as_secs(),
            takeover_wait_ms: milliseconds(policy.takeover_wait),
            blob_lease_seconds: policy.blob_lease.as_secs(),
            lease_batch: policy.lease_batch,
            purge_delay_seconds: policy.purge_delay.as_secs(),
            trash_rest_seconds: policy.trash_rest.as_secs(),
            change_memory_seconds: policy.change_memory.as_secs(),
            batch_rows: policy.batch_rows,
            max_copy_nodes: policy.max_copy_nodes,
            max_archive_nodes: policy.max_archive_nodes,
            max_archive_roots: policy.max_archive_roots,
            max_depth: policy.max_depth,
            facts_stale_ms: milliseconds(policy.facts_stale),
            facts_entries: policy.facts_entries,
            open_readers: policy.open_readers,
            max_downloads: policy.max_downloads,
            max_client_downloads: policy.max_client_downloads,
            max_waiting_downloads: policy.max_waiting_downloads,
            download_wait_ms: milliseconds(policy.download_wait),
            download_bytes_per_second: policy.download_bytes_per_second,
            client_bytes_per_second: policy.client_bytes_per_second,
            kept_span_bytes: policy.kept_span_bytes,
            chunk_reads_bytes: policy.chunk_reads_bytes,
            watch_period_ms: milliseconds(policy.watch_period),
            download_idle_seconds: policy.download_idle.as_secs(),
            tracked_downloads: policy.tracked_downloads,
            queued_records: policy.queued_records,
            record_period_ms: milliseconds(policy.record_period),
            records_rest_seconds: policy.records_rest.as_secs(),
            sweep_period_ms: milliseconds(policy.sweep_period),
            relay_period_ms: milliseconds(policy.relay_period),
            share_tries_per_hour: policy.share_tries_per_hour,
            address_tries_per_minute: policy.address_tries_per_minute,
            ticket_slice_bytes: policy.ticket_slice_bytes,
            max_share_password_bytes: policy.max_share_password_bytes,
            max_share_networks: policy.max_share_networks,
            max_join_parts: policy.max_join_parts,
            race_tries: policy.race_tries,
        }
    }
}

/// The least rate that a download may be held to: pieces of a slower one would look like a rest.
const LEAST_RATE: u64 = 65_536;

impl PolicySettings {
    /// Checks what the service would not run with.
    pub(crate) fn check(&self) -> Outcome {
        if self.max_downloads == 0 || self.max_client_downloads == Some(0) {
            return Err(Failure::new(
                "policy.max_downloads and policy.max_client_downloads are at least 1",
            ));
        }
        let rates = [
            ("download_bytes_per_second", self.download_bytes_per_second),
            ("client_bytes_per_second", self.client_bytes_per_second),
        ];
        match rates
            .iter()
            .find(|(_, rate)| rate.is_some_and(|rate| rate < LEAST_RATE))
        {
            Some((name, _)) => Err(Failure::new(format!(
                "policy.{name} is at least {LEAST_RATE}; without it there is no limit"
            ))),
            None => Ok(()),
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        let seconds = Duration::from_secs;
        let milliseconds = Duration::from_millis;
        let mut policy = Policy::default();
        policy.personal_quota_bytes = self.personal_quota_bytes;
        policy.max_file_bytes = self.max_file_bytes;
        policy.tail_bytes = self.tail_bytes;
        policy.max_extents = self.max_extents;
        policy.queue_pieces = self.queue_pieces;
        policy.hash_inline = self.hashing == Hashing::Inline;
        policy.upload_rest = seconds(self.upload_rest_seconds);
        policy.takeover_wait = milliseconds(self.takeover_wait_ms);
        policy.blob_lease = seconds(self.blob_lease_seconds);
        policy.lease_batch = self.lease_batch;
        policy.purge_delay = seconds(self.purge_delay_seconds);
        policy.trash_rest = seconds(self.trash_rest_seconds);
        policy.change_memory = seconds(self.change_memory_seconds);
        policy.batch_rows = self.batch_rows;
        policy.max_copy_nodes = self.max_copy_nodes;
        policy.max_archive_nodes = self.max_archive_nodes;
        policy.max_archive_roots = self.max_archive_roots;
        policy.max_depth = self.max_depth;
        policy.facts_stale = milliseconds(self.facts_stale_ms);
        policy.facts_entries = self.facts_entries;
        policy.open_readers = self.open_readers;
        policy.max_downloads = self.max_downloads;
        policy.max_client_downloads = self.max_client_downloads;
        policy.max_waiting_downloads = self.max_waiting_downloads;
        policy.download_wait = milliseconds(self.download_wait_ms);
        policy.download_bytes_per_second = self.download_bytes_per_second;
        policy.client_bytes_per_second = self.client_bytes_per_second;
        policy.kept_span_bytes = self.kept_span_bytes;
        policy.chunk_reads_bytes = self.chunk_reads_bytes;
        policy.watch_period = milliseconds(self.watch_period_ms);
        policy.download_idle = seconds(self.download_idle_seconds);
        policy.tracked_downloads = self.tracked_downloads;
        policy.queued_records = self.queued_records;
        policy.record_period = milliseconds(self.record_period_ms);
        policy.records_rest = seconds(self.records_rest_seconds);
        policy.sweep_period = milliseconds(self.sweep_period_ms);
        policy.relay_period = milliseconds(self.relay_period_ms);
        policy.share_tries_per_hour = self.share_tries_per_hour;
        policy.address_tries_per_minute = self.address_tries_per_minute;
        policy.ticket_slice_bytes = self.ticket_slice_bytes;
        policy.max_share_password_bytes = self.max_share_password_bytes;
        policy.max_share_networks = self.max_share_networks;
        policy.max_join_parts = self.max_join_parts;
        policy.race_tries = self.race_tries;
        policy
    }
}
