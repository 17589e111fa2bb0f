//! What this process believes for a moment: who holds a session or token, and who is locked.

use std::hash::Hash;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Facts read from the store, believed for less than a second, and forgotten at once when this process changes them.
#[derive(Debug)]
pub(crate) struct Beliefs<K: Eq + Hash + Send + Sync + 'static, V: Clone + Send + Sync + 'static> {
    /// Counts what was forgotten. Held for reading while a fact is noted, so that none that was read before a change
    /// is noted after the change made it forgotten.
    forgotten: RwLock<u64>,
    facts: moka::sync::Cache<K, V>,
}

/// When a fact was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(u64);

impl<K: Eq + Hash + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Beliefs<K, V> {
    pub(crate) fn new(entries: u64, ttl: Duration) -> Self {
        Self {
            forgotten: RwLock::default(),
            facts: moka::sync::Cache::builder()
                .max_capacity(entries)
                .time_to_live(ttl)
                .build(),
        }
    }

    pub(crate) fn recall(&self, key: &K) -> Option<V> {
        self.facts.get(key)
    }

    /// To be called before reading what [`note`](Self::note) is then given.
    pub(crate) fn moment(&self) -> Moment {
        Moment(*self.forgotten.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn note(&self, read_at: Moment, key: K, value: V) {
        let forgotten = self.forgotten.read().unwrap_or_else(PoisonError::into_inner);
        if *forgotten == read_at.0 {
            self.facts.insert(key, value);
        }
    }

    /// To be called after the change is stored.
    pub(crate) fn forget(&self, key: &K) {
        *self.forgotten.write().unwrap_or_else(PoisonError::into_inner) += 1;
        self.facts.invalidate(key);
    }

    /// To be called after the change is stored.
    pub(crate) fn forget_all(&self) {
        *self.forgotten.write().unwrap_or_else(PoisonError::into_inner) += 1;
        self.facts.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_believed_after_it() {
        let beliefs = Beliefs::new(8, Duration::from_secs(60));
        let before = beliefs.moment();
        beliefs.forget(&1);
        beliefs.note(before, 1, "old");
        assert_eq!(beliefs.recall(&1), None);
        beliefs.note(beliefs.moment(), 1, "new");
        assert_eq!(beliefs.recall(&1), Some("new"));
        beliefs.forget_all();
        assert_eq!(beliefs.recall(&1), None);
    }
}
