//! Whether a cluster takes blobs.

use campusdisk_core::storage::HealthFacts;

use crate::WritePath;
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::web::ClusterState;

/// Asks the NameNode how it stands, by each way that the store uses.
pub(crate) async fn health(cluster: &Cluster) -> Result<HealthFacts, Failure> {
    let root = cluster.config.root.as_str();
    // A root that is not there yet is made by the first blob.
    let (by_client, by_web) = futures::join!(cluster.status(root), by_web(cluster));
    by_client?;
    by_web
}

async fn by_web(cluster: &Cluster) -> Result<HealthFacts, Failure> {
    let Some(web) = &cluster.web else {
        return Ok(HealthFacts::well());
    };
    match web.state().await {
        Ok(state) => Ok(facts(state)),
        Err(failure) if is_fatal(&failure, cluster.config.write_path) => Err(failure),
        Err(failure) => Ok(HealthFacts::well().with_reason(failure.says())),
    }
}

/// Whether blobs can't be written where asking by HTTP fails like this. A server that only refuses to tell figures may take them,
/// and where nobody is reached the client library may write.
fn is_fatal(failure: &Failure, write_path: WritePath) -> bool {
    match write_path {
        WritePath::Auto => failure.is_of_connection() && !failure.is_unreached(),
        WritePath::WebHdfs | WritePath::Native => failure.is_of_connection(),
    }
}

fn facts(state: ClusterState) -> HealthFacts {
    let mut facts = HealthFacts::well()
        .with_room(state.free_bytes, state.total_bytes)
        .with_figure("live_nodes", state.live_nodes);
    let figures = [
        ("dead_nodes", state.dead_nodes),
        ("under_replicated_blocks", state.under_replicated_blocks),
        ("missing_blocks", state.missing_blocks),
    ];
    for (name, value) in figures {
        facts = value
            .into_iter()
            .fold(facts, |facts, value| facts.with_figure(name, value));
    }
    if !state.safe_mode.is_empty() {
        facts = facts.refusing(Failure::in_safe_mode(state.safe_mode).to_string());
    }
    if state.live_nodes == 0 {
        facts = facts.refusing("no DataNode of the cluster is up");
    } else if state.free_bytes == Some(0) {
        facts = facts.refusing("the DataNodes have no room left (hdfs dfsadmin -report)");
    }
    match state.missing_blocks {
        None | Some(0) => facts,
        Some(_) => facts.with_reason(
            "blocks of the cluster have no replica left, perhaps of files that are not the hall's (hdfs fsck / -list-corruptfileblocks)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use campusdisk_core::ErrorKind;

    use super::*;

    fn state() -> ClusterState {
        ClusterState {
            live_nodes: 3,
            dead_nodes: Some(1),
            under_replicated_blocks: Some(7),
            missing_blocks: Some(0),
            free_bytes: Some(5),
            total_bytes: Some(9),
            safe_mode: String::new(),
        }
    }

    #[test]
    fn a_cluster_that_works_has_figures_and_no_complaints() {
        let found = facts(state());
        assert!(found.takes_bytes && found.reasons.is_empty(), "{found:?}");
        assert_eq!((found.free_bytes, found.total_bytes), (Some(5), Some(9)));
        let figures: Vec<_> = found
            .figures
            .iter()
            .map(|figure| (figure.name, figure.value))
            .collect();
        let expected = [
            ("live_nodes", 3),
            ("dead_nodes", 1),
            ("under_replicated_blocks", 7),
            ("missing_blocks", 0),
        ];
        assert_eq!(figures, expected);
    }

    #[test]
    fn http_that_is_away_is_fatal_where_nothing_else_writes_and_a_hanging_one_always() {
        let (away, hanging) = (
            Failure::no_address(),
            Failure::silent("rpc_timeout", Duration::from_secs(1)),
        );
        let refused = Failure::new(ErrorKind::Denied, "no figures for you");
        let fatal = |write_path| [&away, &hanging, &refused].map(|failure| is_fatal(failure, write_path));
        assert_eq!(fatal(WritePath::Auto), [false, true, false]);
        assert_eq!(fatal(WritePath::WebHdfs), [true, true, false]);
    }

    #[test]
    fn safe_mode_no_node_and_no_room_refuse_and_lost_blocks_only_complain() {
        let refusals = [
            (
                "turned on manually",
                ClusterState {
                    safe_mode: "It was turned on manually.".to_owned(),
                    ..state()
                },
            ),
            (
                "no DataNode",
                ClusterState {
                    live_nodes: 0,
                    ..state()
                },
            ),
            (
                "no room",
                ClusterState {
                    free_bytes: Some(0),
                    ..state()
                },
            ),
        ];
        for (word, state) in refusals {
            let found = facts(state);
            assert!(!found.takes_bytes, "{found:?}");
            assert!(
                found.reasons.len() == 1 && found.reasons[0].contains(word),
                "{found:?}"
            );
        }
        let found = facts(ClusterState {
            missing_blocks: Some(2),
            ..state()
        });
        assert!(found.takes_bytes && found.reasons.len() == 1, "{found:?}");
    }
}
