//! DataNodes that failed lately: the NameNode would go on choosing them until it has noticed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The transfer addresses (`IP:port`) of DataNodes that are not to take part for a while, oldest first.
#[derive(Debug)]
pub(crate) struct AvoidList {
    avoid_for: Duration,
    nodes: Mutex<Vec<Avoided>>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Avoided {
    /// Its transfer address.
    pub(crate) address: String,
    since: Instant,
}

impl Avoided {
    /// Whether a node whose last heartbeat is so long ago has shown life since it is avoided.
    pub(crate) fn is_refuted_by(&self, last_heartbeat: Duration) -> bool {
        // The NameNode tells whole seconds.
        last_heartbeat + Duration::from_secs(1) < self.since.elapsed()
    }
}

impl AvoidList {
    pub(crate) fn new(avoid_for: Duration) -> Self {
        Self {
            avoid_for,
            nodes: Mutex::default(),
        }
    }

    /// Avoids a node from now on, or anew.
    pub(crate) fn note(&self, address: String) {
        let mut nodes = self.nodes();
        nodes.retain(|node| node.address != address);
        nodes.push(Avoided {
            address,
            since: Instant::now(),
        });
    }

    /// The nodes that are avoided now.
    pub(crate) fn now(&self) -> Vec<Avoided> {
        let mut nodes = self.nodes();
        nodes.retain(|node| node.since.elapsed() < self.avoid_for);
        nodes.clone()
    }

    /// Takes the node off that is avoided longest, and says whether there was one.
    pub(crate) fn forgive_oldest(&self) -> bool {
        let mut nodes = self.nodes();
        let some = !nodes.is_empty();
        nodes.drain(..usize::from(some));
        some
    }

    /// Avoids nobody any more.
    pub(crate) fn forgive_all(&self) {
        self.nodes().clear();
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Avoided>> {
        // Each change leaves a list that is one.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &AvoidList) -> Vec<String> {
        list.now().into_iter().map(|node| node.address).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_avoided_for_a_while_and_longer_when_it_fails_again() {
        let list = AvoidList::new(Duration::from_secs(60));
        list.note("10.0.0.1:9866".to_owned());
        list.note("10.0.0.2:9866".to_owned());
        tokio::time::advance(Duration::from_secs(40)).await;
        list.note("10.0.0.1:9866".to_owned());
        assert_eq!(addresses(&list), ["10.0.0.2:9866", "10.0.0.1:9866"]);
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(addresses(&list), ["10.0.0.1:9866"]);
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(addresses(&list), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_forgiven_first() {
        let list = AvoidList::new(Duration::from_secs(60));
        list.note("a:1".to_owned());
        list.note("b:1".to_owned());
        assert!(list.forgive_oldest());
        assert_eq!(addresses(&list), ["b:1"]);
        assert!(list.forgive_oldest());
        assert!(!list.forgive_oldest());
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_heartbeat_after_the_failure_shows_life() {
        let list = AvoidList::new(Duration::from_secs(60));
        list.note("a:1".to_owned());
        tokio::time::advance(Duration::from_secs(10)).await;
        let node = list.now().remove(0);
        assert!(!node.is_refuted_by(Duration::from_secs(12)));
        assert!(!node.is_refuted_by(Duration::from_secs(9)));
        assert!(node.is_refuted_by(Duration::from_secs(3)));
    }
}
