//! Whether a cluster can take blobs.

use campusdisk_core::ErrorKind;

use crate::cluster::Cluster;
use crate::error::Failure;

/// How the cluster of a store stands, by its NameNode's own figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HdfsHealth {
    /// DataNodes that count as alive: one that died does for as long as the cluster's settings say, ten minutes mostly.
    pub live_data_nodes: usize,
    /// Bytes free on them. A blob takes its length once for each replica.
    pub free_bytes: u64,
}

/// Asks the NameNode how it stands.
pub(crate) async fn health(cluster: &Cluster) -> Result<HdfsHealth, Failure> {
    let Some(web) = &cluster.web else {
        return Err(Failure::no_address());
    };
    let state = web.state().await?;
    if !state.safe_mode.is_empty() {
        return Err(Failure::in_safe_mode(state.safe_mode));
    }
    if state.data_nodes.is_empty() {
        let says = "no DataNode of the cluster is up";
        return Err(Failure::new(ErrorKind::Unavailable, says));
    }
    Ok(HdfsHealth {
        live_data_nodes: state.data_nodes.len(),
        free_bytes: state.free_bytes,
    })
}
