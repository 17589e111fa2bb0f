//! Two NameNodes, of which one is active: who it is, and how the other one takes over.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::{Command, Stdio};

use campusdisk_hdfs::{HdfsConfig, HdfsStore};
use futures::FutureExt as _;
use serde_json::Value;
use tokio::sync::Mutex;

use super::store::{BLOCK_BYTES, config_of, fresh_root};
use super::{bean, http_client, until};
use crate::process::Process;
use crate::services::{endpoint, text};

/// Where the pair stands among the endpoints.
const PAIR: &str = "/hdfs-ha";

/// Whose turn it is to break the pair.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs a test on a whole pair, and makes it whole again whatever happens.
pub async fn on_pair(test: impl AsyncFnOnce(&NamePair)) {
    let _turn = TURN.lock().await;
    let pair = NamePair::find();
    pair.heal().await;
    let outcome = AssertUnwindSafe(test(&pair)).catch_unwind().await;
    pair.heal().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// The pair of a name service.
#[derive(Debug)]
pub struct NamePair {
    names: Vec<NameNode>,
    data_nodes: u64,
    admin: Vec<String>,
    client: reqwest::Client,
}

impl NamePair {
    /// The pair that `cargo xtask services up hdfs-ha` started.
    ///
    /// # Panics
    /// When it is not running.
    pub fn find() -> Self {
        let found = endpoint(PAIR);
        let list = |field: &str| found[field].as_array().expect("there is a list").clone();
        let word = |word: &Value| word.as_str().expect("a word of the command").to_owned();
        Self {
            names: list("namenodes").iter().map(NameNode::of).collect(),
            data_nodes: list("datanodes").len() as u64,
            admin: list("admin").iter().map(word).collect(),
            client: http_client(),
        }
    }

    /// A store on a root of its own, reached by the name of the service.
    pub fn store(&self, set: impl FnOnce(&mut HdfsConfig)) -> HdfsStore {
        let mut config = config_of(PAIR, &fresh_root("pair")).with_block_size_bytes(BLOCK_BYTES);
        set(&mut config);
        HdfsStore::connect(config).expect("a store")
    }

    /// The active NameNode, and the other one.
    ///
    /// # Panics
    /// When none is active.
    pub async fn active_and_standby(&self) -> (&NameNode, &NameNode) {
        let [one, other] = self.names.as_slice() else {
            panic!("a pair has two NameNodes")
        };
        if self.is(one, "active").await {
            return (one, other);
        }
        assert!(self.is(other, "active").await, "one is active");
        (other, one)
    }

    /// Whether a NameNode says that it is `active`, or `standby`.
    pub async fn is(&self, node: &NameNode, state: &str) -> bool {
        let status = bean(&self.client, &node.http, "NameNode", "NameNodeStatus").await;
        status.is_some_and(|status| status["State"] == state)
    }

    /// Makes another NameNode active, as an operator would: the one that is so far may be dead.
    ///
    /// # Panics
    /// When that fails.
    pub async fn fail_over(&self, from: &NameNode, to: &NameNode) {
        self.run(&["-failover", &from.id, &to.id]).await;
        assert!(self.is(to, "active").await, "{to:?} is active");
    }

    /// Starts what was killed, and waits until one NameNode is active, the other is not, and both know every DataNode.
    ///
    /// # Panics
    /// When that takes too long.
    async fn heal(&self) {
        for node in &self.names {
            if !node.is_running() {
                node.start().await;
            }
            until("a NameNode serves", async || {
                self.is(node, "active").await || self.is(node, "standby").await
            })
            .await;
        }
        if !self.is(&self.names[0], "active").await && !self.is(&self.names[1], "active").await {
            self.run(&["-transitionToActive", &self.names[0].id]).await;
        }
        for node in &self.names {
            until("a NameNode knows every DataNode", async || {
                let state = bean(&self.client, &node.http, "NameNode", "FSNamesystemState").await;
                let info = bean(&self.client, &node.http, "NameNode", "NameNodeInfo").await;
                let live = state.and_then(|state| state["NumLiveDataNodes"].as_u64());
                live == Some(self.data_nodes) && info.is_some_and(|info| info["Safemode"] == "")
            })
            .await;
        }
    }

    async fn run(&self, args: &[&str]) {
        let mut command = Command::new(&self.admin[0]);
        command.args(&self.admin[1..]).args(args).stdin(Stdio::null());
        let done = tokio::task::spawn_blocking(move || command.output());
        let done = done.await.expect("no panic").expect("Java starts");
        assert!(
            done.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// One of the two.
#[derive(Debug)]
pub struct NameNode {
    id: String,
    http: String,
    process: Process,
}

impl NameNode {
    fn of(found: &Value) -> Self {
        Self {
            id: text(found, "id").to_owned(),
            http: text(found, "http").to_owned(),
            process: Process::of(found),
        }
    }
}

impl Deref for NameNode {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
