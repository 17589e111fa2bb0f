//! The circuit breaker: lets calls through to the server while it answers, and none while it does not.

use std::sync::{Arc, PoisonError, RwLock};

use campusdisk_core::{Error, Result};
use redis::{Client, RedisError};

use crate::config::RedisOptions;
use crate::connections::Connections;
use crate::error::{self, Fault};

/// Holds the connections while it is closed.
///
/// It opens when a connection ends or enough calls fail in a row, and a task of its own closes it again: no call waits for a connection. Connections by
/// which no call has succeeded yet are on trial: one failure gives them up, so a server that takes connections and brings no chunks costs one call
/// in each rest.
#[derive(Debug)]
pub(crate) struct Breaker {
    client: Client,
    address: String,
    options: RedisOptions,
    state: RwLock<State>,
}

#[derive(Clone, Debug)]
enum State {
    /// Calls go through.
    Closed(Arc<Connections>),
    /// None does, and why.
    Open(Error),
}

impl Breaker {
    /// An open one.
    pub(crate) fn new(client: Client, options: RedisOptions) -> Self {
        let address = error::address(&client);
        Self {
            state: RwLock::new(State::Open(error::late(&address))),
            client,
            address,
            options,
        }
    }

    /// The connections while it is closed.
    ///
    /// # Errors
    /// Why it is open.
    pub(crate) fn connections(&self) -> Result<Arc<Connections>> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Closed(connections) => Ok(connections.clone()),
            State::Open(reason) => Err(reason.clone()),
        }
    }

    /// Notes how a call by `connections` failed, and opens where that is enough.
    pub(crate) fn failed(&self, connections: &Arc<Connections>, fault: Fault, error: RedisError) {
        let failures = connections.failed();
        let enough = match connections.are_proven() {
            true => self.options.failures_to_open,
            false => 1,
        };
        if fault == Fault::Gone || failures >= enough {
            self.open(connections, error::explained(error, &self.address));
        }
    }

    /// Connects once, and closes if that worked.
    pub(crate) async fn try_to_close(&self) {
        let opened = Connections::open(&self.client, &self.options).await;
        let next = match opened {
            Ok(connections) => {
                tracing::info!(address = self.address, "the cache on Redis is used");
                State::Closed(Arc::new(connections))
            }
            Err(reason) => {
                tracing::debug!(%reason, "the cache on Redis is tried again later");
                State::Open(reason)
            }
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Connects again and again whenever it is open, after a rest unless the connections had worked before.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn look_after(&self) {
        loop {
            let had_worked = match self.connections() {
                Ok(connections) => {
                    connections.given_up().await;
                    connections.are_proven()
                }
                Err(_) => false,
            };
            if !had_worked {
                tokio::time::sleep(self.options.rest).await;
            }
            self.try_to_close().await;
        }
    }

    /// Opens for good, once nobody looks after it any more.
    pub(crate) fn stop(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Open(error::stopped());
    }

    /// Opens, unless other connections took the place of these.
    fn open(&self, connections: &Arc<Connections>, reason: Error) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let is_theirs = matches!(&*state, State::Closed(now) if Arc::ptr_eq(now, connections));
        if is_theirs {
            tracing::warn!(
                error = &reason as &dyn std::error::Error,
                "the cache on Redis is not used until it answers again; downloads go on without it"
            );
            *state = State::Open(reason);
            connections.give_up();
        }
    }
}
