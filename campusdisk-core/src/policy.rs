//! The limits and periods of an installation, each with its unit.

use std::time::Duration;

/// Limits and periods. Every list, body, name and queue has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Quota of a new personal drive in bytes; `None` is without limit.
    pub personal_quota_bytes: Option<u64>,
    /// Largest file in bytes.
    pub max_file_bytes: u64,
    /// Bytes too few for a blob of their own; an upload's last ones wait in the catalog.
    pub tail_bytes: usize,
    /// Most pieces of one upload that are smaller than a store's part; more are merged first.
    pub max_extents: usize,
    /// Pieces of body that wait between the network and the store, for one transfer in.
    pub queue_pieces: usize,
    /// Whether uploads are hashed by SHA-256 while they come in; else a job does it later.
    pub hash_inline: bool,
    /// How long an upload may rest before it is given up.
    pub upload_rest: Duration,
    /// How long HEAD, PATCH or DELETE of an upload wait for its running writer to keep what it has.
    pub takeover_wait: Duration,
    /// How long a writer may hold a blob key before the sweep takes it for dead.
    pub blob_lease: Duration,
    /// How many blob keys are leased at once.
    pub lease_batch: usize,
    /// How long a condemned blob's bytes are kept: at least the age of the oldest backup one wants to restore.
    pub purge_delay: Duration,
    /// How long deleted nodes stay in the trash.
    pub trash_rest: Duration,
    /// How long the bytes of a change set's id are remembered against applying it twice.
    pub change_memory: Duration,
    /// Rows changed in one batch of purge and sweep.
    pub batch_rows: u32,
    /// Most nodes copied by one request.
    pub max_copy_nodes: usize,
    /// Most nodes in one archive.
    pub max_archive_nodes: usize,
    /// Most nodes chosen for one archive, all of which stand in its address.
    pub max_archive_roots: usize,
    /// Deepest folder below a root.
    pub max_depth: usize,
    /// How stale rights and facts may be when another instance changed them.
    pub facts_stale: Duration,
    /// How many places (nodes with their rights and content) are kept in memory.
    pub facts_entries: u64,
    /// How many open readers are kept.
    pub open_readers: u64,
    /// Longest span of one request, on a store across a network, of which chunks are kept in the cache; longer ones only pass.
    pub kept_span_bytes: u64,
    /// Bytes of chunks that are read for the cache at once; what is more only passes.
    pub chunk_reads_bytes: u64,
    /// Most downloads of more than 1 MiB that run at once.
    pub max_downloads: usize,
    /// Most of these that one account, or one visitor of a share, runs at once; `None` is without limit.
    pub max_client_downloads: Option<usize>,
    /// Most downloads that wait for their turn; more are refused at once.
    pub max_waiting_downloads: usize,
    /// How long a download waits for its turn before it is refused.
    pub download_wait: Duration,
    /// How fast one download may be, in bytes a second, 65,536 at least; `None` is without limit.
    pub download_bytes_per_second: Option<u64>,
    /// How fast all downloads of one account, or of one visitor of a share, may be together, in bytes a second, 65,536 at least; `None` is without limit.
    pub client_bytes_per_second: Option<u64>,
    /// Pause between looks at running transfers whose rights may have ended.
    pub watch_period: Duration,
    /// How long a client may rest between requests for one content that count as one download.
    pub download_idle: Duration,
    /// How many downloads are kept in memory, running ones and those that may go on; beyond, the longest unused ends.
    pub tracked_downloads: usize,
    /// How many records of downloads wait for the catalog; beyond, the oldest is lost.
    pub queued_records: usize,
    /// Pause between writings of records of downloads.
    pub record_period: Duration,
    /// How long records of downloads are kept.
    pub records_rest: Duration,
    /// Pause between sweeps.
    pub sweep_period: Duration,
    /// Pause between relays of the outbox.
    pub relay_period: Duration,
    /// Wrong passwords for one share in an hour before it answers "later".
    pub share_tries_per_hour: u32,
    /// Wrong share passwords from one address in a minute before it is answered "later".
    pub address_tries_per_minute: u32,
    /// How much of a ticket's budget is taken at once, in bytes.
    pub ticket_slice_bytes: u64,
    /// Longest share password in bytes.
    pub max_share_password_bytes: usize,
    /// Most networks a share names.
    pub max_share_networks: usize,
    /// Most parts of one joined upload.
    pub max_join_parts: usize,
    /// How often a change that lost a race is computed again.
    pub race_tries: u32,
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            personal_quota_bytes: None,
            max_file_bytes: 5 << 40,
            tail_bytes: 256 << 10,
            max_extents: 1024,
            queue_pieces: 16,
            hash_inline: true,
            upload_rest: DAY * 7,
            takeover_wait: Duration::from_secs(5),
            blob_lease: Duration::from_secs(60 * 60),
            lease_batch: 32,
            purge_delay: DAY * 7,
            trash_rest: DAY * 30,
            change_memory: DAY * 2,
            batch_rows: 500,
            max_copy_nodes: 10_000,
            max_archive_nodes: 250_000,
            max_archive_roots: 300,
            max_depth: 200,
            facts_stale: Duration::from_millis(900),
            facts_entries: 100_000,
            open_readers: 512,
            kept_span_bytes: 16 << 20,
            chunk_reads_bytes: 64 << 20,
            max_downloads: 10_000,
            max_client_downloads: None,
            max_waiting_downloads: 1000,
            download_wait: Duration::from_secs(10),
            download_bytes_per_second: None,
            client_bytes_per_second: None,
            watch_period: Duration::from_millis(400),
            download_idle: Duration::from_secs(10 * 60),
            tracked_downloads: 50_000,
            queued_records: 50_000,
            record_period: Duration::from_millis(100),
            records_rest: DAY * 400,
            sweep_period: Duration::from_secs(60),
            relay_period: Duration::from_millis(250),
            share_tries_per_hour: 60,
            address_tries_per_minute: 10,
            ticket_slice_bytes: 8 << 20,
            max_share_password_bytes: 256,
            max_share_networks: 64,
            max_join_parts: 1000,
            race_tries: 128,
        }
    }
}
