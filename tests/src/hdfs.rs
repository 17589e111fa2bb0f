//! The common HDFS cluster, node by node: who is alive, who is connected, what lies on its disk, and how to kill, pause and
//! restart each.

mod disk;
mod harness;
mod pair;
mod store;
mod wire;

use std::fs;
use std::ops::Deref;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

pub use self::harness::HdfsHarness;
pub use self::pair::{NameNode, NamePair, on_pair};
pub use self::store::{
    assert_same, client, fresh_root, hall_store, on_cluster, path_of, placed, store, store_with, unfinished,
    write,
};
pub use self::wire::Wire;

use crate::process::Process;
use crate::services::{endpoint, text};
use crate::wait::until_within;

/// How long nodes have to come up again, and the cluster to get where a test waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster whose nodes are processes of their own.
#[derive(Debug)]
pub struct HdfsCluster {
    /// The NameNode.
    pub name_node: HdfsNode,
    /// The DataNodes.
    pub data_nodes: Vec<HdfsNode>,
    http: String,
    client: reqwest::Client,
}

impl HdfsCluster {
    /// The cluster that `cargo xtask services up` started.
    ///
    /// # Panics
    /// When it is not running.
    pub fn find() -> Self {
        let found = endpoint("/hdfs");
        let data_nodes = found["datanodes"].as_array().expect("there are DataNodes");
        Self {
            http: text(&found, "http").to_owned(),
            name_node: HdfsNode::of(&found["namenode"]),
            data_nodes: data_nodes.iter().map(HdfsNode::of).collect(),
            client: http_client(),
        }
    }

    /// Brings every node back to life and waits until the cluster is whole.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn heal(&self) {
        for node in self.data_nodes.iter().chain([&self.name_node]) {
            match node.is_running() {
                true => node.resume(),
                false => node.start().await,
            }
        }
        if self.safe_mode().await.is_some_and(|text| !text.is_empty()) {
            self.set_safe_mode("leave");
        }
        until("the NameNode is out of safe mode", async || {
            self.safe_mode().await.is_some_and(|text| text.is_empty())
        })
        .await;
        for node in &self.data_nodes {
            until("a DataNode serves the NameNode", async || {
                self.is_serving(node).await
            })
            .await;
        }
    }

    /// Lets the NameNode `enter` or `leave` safe mode.
    ///
    /// # Panics
    /// When it doesn't.
    pub fn set_safe_mode(&self, change: &str) {
        let words = self.name_node.command();
        let class_path = words.iter().skip_while(|word| *word != "-cp").nth(1);
        let done = Command::new("java")
            .args(["-cp", class_path.expect("Java has a class path")])
            .args(["org.apache.hadoop.hdfs.tools.DFSAdmin", "-safemode", change])
            .output()
            .expect("Java starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Whether the NameNode takes a DataNode for alive.
    pub async fn lists_as_alive(&self, node: &HdfsNode) -> bool {
        let info = self.bean(&self.http, "NameNode", "NameNodeInfo").await;
        let nodes = info.and_then(|info| serde_json::from_str::<Value>(info["LiveNodes"].as_str()?).ok());
        let nodes = nodes.expect("the NameNode knows its DataNodes");
        nodes
            .as_object()
            .is_some_and(|nodes| nodes.values().any(|live| live["xferaddr"] == *node.transfer))
    }

    /// The transfer addresses of the DataNodes that hold each block of a file.
    ///
    /// # Panics
    /// When the NameNode doesn't tell.
    pub async fn replicas(&self, path: &str) -> Vec<Vec<String>> {
        let answer = self
            .webhdfs(reqwest::Method::GET, "GETFILEBLOCKLOCATIONS", path, &[])
            .await;
        let found: Value = answer.json().await.expect("in JSON");
        let blocks = found["BlockLocations"]["BlockLocation"]
            .as_array()
            .expect("there are blocks");
        let names = |block: &Value| {
            let names = block["names"].as_array().expect("with nodes").iter();
            names
                .map(|name| name.as_str().expect("that have names").to_owned())
                .collect()
        };
        blocks.iter().map(names).collect()
    }

    /// The DataNodes to whose HTTP port this process has a connection: they write for it.
    pub fn coordinators(&self) -> Vec<&HdfsNode> {
        self.connected(|node| node.http.as_str())
    }

    /// The DataNodes to whose transfer port this process has a connection: it reads from them.
    pub fn sources(&self) -> Vec<&HdfsNode> {
        self.connected(|node| node.transfer.as_str())
    }

    fn connected(&self, address: impl Fn(&HdfsNode) -> &str) -> Vec<&HdfsNode> {
        let ports = connected_ports();
        let port = |node: &HdfsNode| {
            address(node)
                .rsplit(':')
                .next()
                .and_then(|port| port.parse().ok())
        };
        let nodes = self.data_nodes.iter();
        nodes
            .filter(|node| port(node).is_some_and(|port: u16| ports.contains(&port)))
            .collect()
    }

    /// What the NameNode says about its safe mode, empty when it is in none; `None` when it says nothing.
    async fn safe_mode(&self) -> Option<String> {
        let info = self.bean(&self.http, "NameNode", "NameNodeInfo").await?;
        info["Safemode"].as_str().map(ToOwned::to_owned)
    }

    /// Whether a DataNode is registered at the NameNode, and both have heard of each other just now.
    async fn is_serving(&self, node: &HdfsNode) -> bool {
        let info = self.bean(&node.http, "DataNode", "DataNodeInfo").await;
        let actors =
            info.and_then(|info| serde_json::from_str::<Value>(info["BPServiceActorInfo"].as_str()?).ok());
        actors.is_some_and(|actors| {
            let recent = actors[0]["LastHeartbeatResponseTime"]
                .as_str()
                .and_then(|seconds| seconds.parse().ok())
                .is_some_and(|seconds: u64| seconds <= 5);
            actors[0]["ActorState"] == "RUNNING" && recent
        })
    }

    async fn bean(&self, http: &str, service: &str, name: &str) -> Option<Value> {
        bean(&self.client, http, service, name).await
    }
}

/// One process of the cluster.
#[derive(Debug)]
pub struct HdfsNode {
    /// Where it transfers blocks, as `IP:port`; empty for the NameNode.
    pub transfer: String,
    http: String,
    process: Process,
}

impl HdfsNode {
    fn of(found: &Value) -> Self {
        let optional = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Self {
            transfer: optional("transfer"),
            http: optional("http"),
            process: Process::of(found),
        }
    }
}

impl Deref for HdfsNode {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
        .expect("it is a client")
}

/// What a process says of itself at its HTTP address.
async fn bean(client: &reqwest::Client, http: &str, service: &str, name: &str) -> Option<Value> {
    let query = [("qry", format!("Hadoop:service={service},name={name}"))];
    let answer = client.get(format!("{http}/jmx")).query(&query).send().await;
    let beans: Value = answer.ok()?.json().await.ok()?;
    beans["beans"].get(0).cloned()
}

/// Waits until something holds of the cluster.
///
/// # Panics
/// When it does not come true within two minutes.
pub async fn until(what: &str, holds: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, holds).await;
}

/// The remote ports of this process's established connections.
fn connected_ports() -> Vec<u16> {
    let own: Vec<String> = fs::read_dir("/proc/self/fd")
        .expect("there are open files")
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let socket = link.to_str()?.strip_prefix("socket:[")?;
            socket.strip_suffix(']').map(ToOwned::to_owned)
        })
        .collect();
    let table = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let lines = table("/proc/self/net/tcp") + &table("/proc/self/net/tcp6");
    let port = |line: &str| {
        // local, remote, state (01 is established), …, inode
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours =
            fields.get(3) == Some(&"01") && own.iter().any(|inode| Some(&inode.as_str()) == fields.get(9));
        let remote = fields.get(2)?.rsplit(':').next()?;
        ours.then(|| u16::from_str_radix(remote, 16).ok())?
    };
    lines.lines().filter_map(port).collect()
}
