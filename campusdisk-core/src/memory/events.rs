//! Events kept in this process, and handed to whoever listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::catalog::record::Event;
use crate::{EventSink, Result};

/// Keeps the latest events in memory.
#[derive(Clone, Debug)]
pub struct MemoryEvents {
    latest: Arc<Mutex<VecDeque<Event>>>,
    limit: usize,
}

impl MemoryEvents {
    /// A sink that keeps the latest `limit` events.
    pub fn new(limit: usize) -> Self {
        Self {
            latest: Arc::default(),
            limit,
        }
    }

    /// The events that are kept, oldest first.
    pub fn latest(&self) -> Vec<Event> {
        self.latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

#[async_trait]
impl EventSink for MemoryEvents {
    async fn publish(&self, events: &[Event]) -> Result<()> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.extend(events.iter().cloned());
        let surplus = latest.len().saturating_sub(self.limit);
        latest.drain(..surplus);
        Ok(())
    }
}
