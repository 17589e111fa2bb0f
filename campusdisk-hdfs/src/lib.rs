//! CampusDisk blobs on HDFS.
//!
//! [`HdfsStore`] keeps each blob as one file `root/ab/c/abc…`. A blob is spooled on this machine, in a file without a name, and
//! a task sends it from there to `root/.writing/…`. When the file is closed, has its length and is on two DataNodes that
//! live, it is renamed to its place without overwriting, so a blob is there whole or not at all, and a key can't be
//! taken twice.
//!
//! What survives what: each block ends with a sync (`SYNC_BLOCK`, unless [`sync_blocks`](HdfsConfig::sync_blocks) is off), so closing waits until its replicas are on the disks
//! of their DataNodes, and renaming until the NameNode has written its journal; so a committed blob survives what the
//! cluster is configured to survive.
//!
//! * **Writing goes by the client library as long as all goes well**, four blobs at once, as it is the quickest. A DataNode that dies or
//!   hangs ends such a write; the spool is sent again, and what comes in the next [`avoid_for`](HdfsConfig::avoid_for) too, by WebHDFS,
//!   and without those of the block's DataNodes that don't answer by HTTP.
//! * **Writing by WebHDFS** outlives that: a DataNode takes the bytes and writes them with Hadoop's own client, which leaves out
//!   other DataNodes that die meanwhile. When that DataNode itself dies or hangs, it is avoided for
//!   [`avoid_for`](HdfsConfig::avoid_for) and the spool is sent again through another, up to five times in all. So a
//!   DataNode that dies under an upload, or died just before it, shows as a pause of milliseconds. One that hangs costs
//!   [`write_gap`](HdfsConfig::write_gap), and when it hangs behind the one that writes for us, the minute or so after
//!   which Hadoop's client gives it up (`dfs.client.socket-timeout`): `commit` then takes so long, up to 100 s for one try,
//!   which a limit put around it must allow. So does each new blob until the NameNode leaves that node out: after 10.5
//!   minutes, or 30 s with `dfs.namenode.avoid.write.stale.datanode=true` in its configuration.
//! * A blob whose replicas don't come counts as [`under_replicated`](HdfsStore::under_replicated) and is committed all the
//!   same, because the cluster goes on making them.
//! * **Where HTTP can't be used** ([`WritePath`]), the client library writes. It can't leave a dead DataNode out, so a
//!   blob is written again, in the end with fewer replicas, until the NameNode happens to choose living ones; the
//!   other replicas follow when the cluster makes them. Nobody counts them there.
//! * **With Kerberos** ([`principal`](HdfsConfig::principal), [`keytab`](HdfsConfig::keytab), and `hadoop.security.authentication` in
//!   the configuration) tickets come from the keytab, are renewed and stay in memory; without one, those of the process's user count
//!   (`KRB5CCNAME`), which `kinit` must renew. The system's `libgssapi_krb5` and `krb5.conf` are needed. Blobs are written by the client
//!   library, as WebHDFS is spoken to by name only, and [`WritePath::WebHdfs`] is refused. [`user`](HdfsConfig::user) is then somebody
//!   for whom the principal acts, which the cluster must allow (`hadoop.proxyuser`).
//! * Reading is done by the client library in windows, so that a slow client holds a window and not the library's whole
//!   queue; long spans of quick clients are taken from the DataNodes themselves ([`directly_read_bytes`](HdfsStore::directly_read_bytes)),
//!   where HTTP tells where blocks lie and DataNodes ask neither for tickets nor for encryption. Every wait has a limit, after which reading
//!   goes on elsewhere where it stopped: a DataNode that dies under a read costs milliseconds, one that hangs costs
//!   [`read_gap`](HdfsConfig::read_gap), for short spans each time that it comes first among the replicas of a block. A replica that
//!   does not fit its checksums is passed over; where no other is left, reading ends in [`Unavailable`](campusdisk_core::ErrorKind::Unavailable), because DataNodes that are down would look the same.
//! * A root with a space quota is full ([`LimitExceeded`](campusdisk_core::ErrorKind::LimitExceeded)) while less is left of it than a whole
//!   block times its replicas: HDFS counts a block that is being written as if it were full.
//! * No call of the client library to the NameNode has a time limit; here each has
//!   [`rpc_timeout`](HdfsConfig::rpc_timeout). After it expired the connection can't be trusted, so the next call
//!   gets a new client.
//! * [`health`](campusdisk_core::storage::StoreHealth) asks the NameNode by both ways, HTTP for its figures: safe mode, no living DataNode and
//!   no room mean that no blobs are taken. Where blobs are written without HTTP it only tells that the NameNode answers. Free and
//!   total bytes are those of the disks: a blob takes its length once for each replica.
//! * Writers that die leave files in `root/.writing`, which [`tidy`](campusdisk_core::storage::BlobStore::tidy) deletes.
//!   The spool goes with the process.
//!
//! # Example
//! ```
//! use campusdisk_core::storage::{BlobStore, StoreName};
//! use campusdisk_hdfs::{HdfsConfig, HdfsStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> campusdisk_core::Result<()> {
//! let config = HdfsConfig::new(StoreName::parse("primary")?, "/campusdisk")
//!     .with_url("hdfs://namenode.campus.example:8020")
//!     .with_user("campusdisk");
//! let store = HdfsStore::connect(config)?;
//! assert_eq!(store.info().part_size_bytes, 128 << 20);
//! # Ok(())
//! # }
//! ```

mod avoid;
mod blocks;
mod cluster;
mod config;
mod direct;
mod error;
mod file;
mod hadoop;
mod health;
mod kerberos;
mod list;
mod mount;
mod native;
mod pace;
mod reader;
mod replicas;
mod rest;
mod send;
mod spool;
mod store;
mod tidy;
mod transfer;
mod web;
mod writer;

pub use self::config::{HdfsConfig, WritePath};
pub use self::mount::HdfsMount;
pub use self::store::HdfsStore;
