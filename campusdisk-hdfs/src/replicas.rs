//! Sees that a file is not on one DataNode alone before its spool goes.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;
use crate::error::Failure;
use crate::file::SentFile;
use crate::web::Web;

/// How many replicas each block must have.
const ENOUGH: u32 = 2;

/// How long to wait for them: DataNodes tell of theirs within milliseconds, and the NameNode looks for blocks with too
/// few every 3 s.
const WAIT: Duration = Duration::from_secs(5);

/// How long to wait before looking again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Waits until each block of `sent` has two replicas on DataNodes that live, or as many as it is to have. Where that does
/// not come, the blob counts as under-replicated: the cluster goes on making replicas, and a reader finds it all the same.
pub(crate) async fn await_two(cluster: &Cluster, sent: &SentFile) {
    let needed = sent.replication.min(ENOUGH) as usize;
    let looked = match &cluster.web {
        Some(web) if needed > 1 && sent.len_bytes() > 0 && !web.rest.lasts() => {
            come(cluster, web, sent, needed).await
        }
        // Only WebHDFS tells which DataNodes hold a block.
        _ => Ok(true),
    };
    match looked {
        Ok(true) => return,
        Ok(false) => {
            tracing::warn!(store = %cluster.info.name, path = sent.path(), "a blob has fewer than {needed} replicas");
        }
        Err(failure) => {
            tracing::warn!(store = %cluster.info.name, path = sent.path(), %failure, "replicas can't be counted");
        }
    }
    cluster.under_replicated.fetch_add(1, Ordering::Relaxed);
}

async fn come(cluster: &Cluster, web: &Web, sent: &SentFile, needed: usize) -> Result<bool, Failure> {
    let until = Instant::now() + WAIT;
    let mut pause = FIRST_PAUSE;
    loop {
        let blocks = web.replicas(sent.path()).await?;
        let dead = avoided(cluster);
        if fewest(&blocks, &dead) >= needed || fewest(&blocks, &silent(cluster, web).await?) >= needed {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// How many replicas outside of `dead` the block with the fewest has.
fn fewest(blocks: &[Vec<String>], dead: &HashSet<String>) -> usize {
    let living = |nodes: &Vec<String>| nodes.iter().filter(|node| !dead.contains(*node)).count();
    blocks.iter().map(living).min().unwrap_or(0)
}

fn avoided(cluster: &Cluster) -> HashSet<String> {
    let nodes = cluster.avoid.now().into_iter();
    nodes.map(|node| node.address).collect()
}

/// The avoided nodes without a heartbeat since: one that was restarted holds its replicas again.
async fn silent(cluster: &Cluster, web: &Web) -> Result<HashSet<String>, Failure> {
    let heard = web.data_nodes().await?;
    let nodes = cluster.avoid.now().into_iter().filter(|avoided| {
        let node = heard.iter().find(|node| node.transfer == avoided.address);
        node.is_none_or(|node| !avoided.is_refuted_by(node.last_heartbeat))
    });
    Ok(nodes.map(|node| node.address).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_with_the_fewest_living_replicas_counts() {
        let block = |nodes: &[&str]| nodes.iter().map(|node| (*node).to_owned()).collect::<Vec<_>>();
        let blocks = [block(&["a:1", "b:1", "c:1"]), block(&["a:1", "b:1"])];
        let dead = |nodes: &[&str]| nodes.iter().map(|node| (*node).to_owned()).collect();
        assert_eq!(fewest(&blocks, &dead(&[])), 2);
        assert_eq!(fewest(&blocks, &dead(&["c:1"])), 2);
        assert_eq!(fewest(&blocks, &dead(&["b:1"])), 1);
        assert_eq!(fewest(&[], &dead(&[])), 0);
    }
}
