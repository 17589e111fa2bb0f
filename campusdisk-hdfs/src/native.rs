//! Writes by the client library: while all goes well, and for clusters whose HTTP interface can't be reached.
//!
//! The library can't leave a dead DataNode out, so a write succeeds when the NameNode happens to choose none. With fewer
//! replicas that is likelier; the file is told to have all of them afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdfs_native::WriteOptions;
use hdfs_native::file::FileWriter;

use crate::cluster::Cluster;
use crate::error::Failure;
use crate::file::NewFile;
use crate::spool::SpoolReader;

/// Files are for the store's user alone.
const FILE_PERMISSION: u32 = 0o600;

/// How many replicas fewer are asked for, and how often. With one of three DataNodes dead, one replica of one block fails
/// in one of three tries, at once.
const FEWER: [(u32, usize); 3] = [(0, 2), (1, 4), (2, 12)];

/// What HDFS takes where nobody says otherwise.
const USUAL_REPLICATION: u32 = 3;

/// How long to wait before the next try: the NameNode chooses anew each time, so it need not be long.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends what `spool` has and will have to a closed file that will be `name`.
pub(crate) async fn send(
    cluster: &Arc<Cluster>,
    name: &str,
    spool: &SpoolReader,
) -> Result<NewFile, Failure> {
    let mut last = None;
    let tries = FEWER.map(|(fewer, times)| std::iter::repeat_n(fewer, times));
    for fewer in tries.into_iter().flatten() {
        let replication = (fewer > 0).then(|| replicas(cluster).saturating_sub(fewer).max(1));
        let file = NewFile::fresh(cluster, name);
        let writer = create(cluster, &file, replication.or(cluster.config.replication)).await?;
        match write(cluster, writer, spool.clone()).await {
            Ok(()) => {
                if let Some(replication) = replication {
                    raise(cluster, &file, replication).await;
                }
                return Ok(file);
            }
            Err(failure) if failure.may_pass() => {
                tracing::debug!(%name, %failure, "a blob is written again");
                last = Some(failure);
                drop(file);
                cluster.resent.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(last.unwrap_or_else(Failure::strange_answer))
}

fn replicas(cluster: &Cluster) -> u32 {
    cluster.config.replication.unwrap_or(USUAL_REPLICATION)
}

/// Makes an empty file that is being written.
pub(crate) async fn create(
    cluster: &Cluster,
    file: &NewFile,
    replication: Option<u32>,
) -> Result<FileWriter, Failure> {
    let options = || WriteOptions {
        block_size: Some(cluster.config.block_size_bytes),
        replication,
        permission: FILE_PERMISSION,
        overwrite: false,
        create_parent: true,
    };
    let path = file.path();
    cluster
        .call(path, |client, path| {
            let options = options();
            async move { client.create(&path, options).await }
        })
        .await
}

/// Sends what `spool` has and will have, and closes the file.
pub(crate) async fn write(
    cluster: &Cluster,
    mut writer: FileWriter,
    mut spool: SpoolReader,
) -> Result<(), Failure> {
    let limit = cluster.config.write_gap;
    let silent = |_| Failure::silent("write_gap", limit);
    let mut at = 0;
    while let Some(piece) = spool.piece(at).await.map_err(|error| Failure::of_spool(&error))? {
        at += piece.len() as u64;
        let written = tokio::time::timeout(limit, writer.write_bytes(piece)).await;
        written.map_err(silent)??;
    }
    let closed = tokio::time::timeout(limit, writer.close()).await;
    Ok(closed.map_err(silent)??)
}

/// Asks for the replicas that were not asked for at first.
async fn raise(cluster: &Cluster, file: &NewFile, replication: u32) {
    if replication < replicas(cluster).min(2) {
        cluster.under_replicated.fetch_add(1, Ordering::Relaxed);
    }
    let (path, all) = (file.path(), replicas(cluster));
    let raised = cluster
        .call(path, |client, path| async move {
            client.set_replication(&path, all).await
        })
        .await;
    if let Err(failure) = raised {
        tracing::warn!(path, %failure, "a blob keeps {replication} replicas");
    }
}
