//! Deletes files that nobody will finish.

use std::sync::Arc;
use std::time::Duration;

use campusdisk_core::{Clock, SystemClock, Timestamp};
use futures::TryStreamExt;

use crate::cluster::Cluster;
use crate::error::Failure;
use crate::list;

/// Deletes what lies in the folder of files being written and was begun at least `older_than` ago.
///
/// A file is as old as the NameNode says, so that its clock and ours must not differ by hours. Deleting one that is
/// open, of a writer that was killed, needs no recovery of its lease.
pub(crate) async fn tidy(cluster: &Arc<Cluster>, older_than: Duration) -> Result<u64, Failure> {
    let latest = SystemClock.now() - older_than;
    let mut deleted = 0;
    let mut files = list::entries(Arc::clone(cluster), cluster.writing());
    while let Some(file) = files.try_next().await? {
        let begun = Timestamp::from_millis(i64::try_from(file.modification_time).unwrap_or(i64::MAX));
        if file.isdir || begun > latest {
            continue;
        }
        cluster.delete(&file.path).await?;
        deleted += 1;
    }
    Ok(deleted)
}
