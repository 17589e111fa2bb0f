//! WebHDFS: what writing needs of the cluster's HTTP interface.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::HdfsConfig;
use crate::blocks::Located;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::rest::Rest;

/// How long connecting may take: the servers are in the same data centre.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Connections that ask at once whether a DataNode answers. It serves several by one thread, and a thread that waits for
/// a hanging neighbour serves none; a living node has others.
const QUESTIONS: usize = 4;

/// Files are for the store's user alone.
const FILE_PERMISSION: &str = "600";

/// Of how much of a file it is asked at once where it lies: a file has as many blocks as it likes.
const LOCATED_BYTES: u64 = 4 << 30;

/// The bean of the NameNode that knows the DataNodes.
const NAME_NODE_INFO: &str = "Hadoop:service=NameNode,name=NameNodeInfo";

/// That one, the one that knows whether the NameNode is active, and the one that counts blocks.
const STATE_BEANS: &str = "Hadoop:service=NameNode,name=*Name*";

/// The HTTP interface of one cluster.
#[derive(Debug)]
pub(crate) struct Web {
    name_nodes: Vec<String>,
    /// Which of them answered last.
    active: AtomicUsize,
    /// After nobody could be reached.
    pub(crate) rest: Rest,
    user: String,
    rpc_timeout: Duration,
    to_name_nodes: Client,
    /// Keeps no connection, so that each one tells how its DataNode is now.
    to_data_nodes: Client,
}

impl Web {
    pub(crate) fn new(config: &HdfsConfig) -> Result<Self, Failure> {
        let name_nodes = match config.web_urls.as_slice() {
            [] => Hadoop::read(config).web_urls(config.url.as_deref()),
            named => named
                .iter()
                .map(|url| url.trim_end_matches('/').to_owned())
                .collect(),
        };
        let client = || client(is_plain(&name_nodes));
        Ok(Self {
            to_name_nodes: client().build()?,
            // Who waits for a neighbour takes nothing, for longer than the system would bear by default.
            to_data_nodes: client()
                .pool_max_idle_per_host(0)
                .tcp_user_timeout(None)
                .build()?,
            active: AtomicUsize::new(0),
            rest: Rest::default(),
            user: user(config),
            rpc_timeout: config.rpc_timeout,
            name_nodes,
        })
    }

    /// Asks at which DataNode `path`, a new file, is to be written. Makes nothing yet.
    pub(crate) async fn place(
        &self,
        path: &str,
        config: &HdfsConfig,
        avoided: &[String],
    ) -> Result<Url, Failure> {
        let mut query = vec![
            ("overwrite", "false".to_owned()),
            ("noredirect", "true".to_owned()),
            ("permission", FILE_PERMISSION.to_owned()),
            ("createflag", create_flags(config).to_owned()),
            ("blocksize", config.block_size_bytes.to_string()),
        ];
        if let Some(replication) = config.replication {
            query.push(("replication", replication.to_string()));
        }
        if !avoided.is_empty() {
            query.push(("excludedatanodes", avoided.join(",")));
        }
        let placed: Placed = self.operate(Method::PUT, "CREATE", path, &query).await?;
        placed.location.parse().map_err(|_| Failure::strange_answer())
    }

    /// Writes the file at the address that [`place`](Self::place) gave. Has no limit in time.
    pub(crate) async fn put(&self, place: Url, body: Body) -> Result<(), Failure> {
        let request = self.to_data_nodes.put(place);
        let answer = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(body)
            .send()
            .await?;
        match answer.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(refusal(answer).await),
        }
    }

    /// Whether the server at `place` answers at all, whatever it says.
    pub(crate) async fn answers(&self, place: &Url) -> bool {
        let mut address = place.clone();
        address.set_path("/webhdfs/v1/");
        address.set_query(None);
        let question = || {
            let request = self.to_data_nodes.get(address.clone()).timeout(CONNECT_LIMIT);
            Box::pin(request.send())
        };
        let questions = (0..QUESTIONS).map(|_| question());
        futures::future::select_ok(questions).await.is_ok()
    }

    /// Whether a DataNode answers at all, whatever it says.
    pub(crate) async fn is_up(&self, node: &DataNode) -> bool {
        match node.page(is_plain(&self.name_nodes)) {
            Some(page) => self.answers(&page).await,
            // Nobody can ask it.
            None => true,
        }
    }

    /// The transfer addresses of the DataNodes that hold each block of a file, or are to hold it where it is being
    /// written, as the NameNode knows them.
    pub(crate) async fn replicas(&self, path: &str) -> Result<Vec<Vec<String>>, Failure> {
        let found: ReplicasOf = self
            .operate(Method::GET, "GETFILEBLOCKLOCATIONS", path, &[])
            .await?;
        let blocks = found.locations.blocks.into_iter();
        Ok(blocks.map(|block| block.names).collect())
    }

    /// Where the blocks of a file lie, from the one at `offset` on.
    pub(crate) async fn located(&self, path: &str, offset: u64) -> Result<Located, Failure> {
        let span = [
            ("offset", offset.to_string()),
            ("length", LOCATED_BYTES.to_string()),
        ];
        let found: Blocks = self
            .operate(Method::GET, "GET_BLOCK_LOCATIONS", path, &span)
            .await?;
        Ok(found.located)
    }

    /// What is known of a file besides.
    pub(crate) async fn file(&self, path: &str) -> Result<FileFacts, Failure> {
        let found: FileStatus = self.operate(Method::GET, "GETFILESTATUS", path, &[]).await?;
        Ok(found.file)
    }

    /// The DataNodes that the NameNode takes for alive.
    pub(crate) async fn data_nodes(&self) -> Result<Vec<DataNode>, Failure> {
        self.beans(NAME_NODE_INFO, |beans| {
            let nodes = beans.text("NameNodeInfo", "LiveNodes").and_then(parse_live_nodes);
            nodes.ok_or_else(Failure::strange_answer)
        })
        .await
    }

    /// How the active NameNode says that the cluster stands.
    pub(crate) async fn state(&self) -> Result<ClusterState, Failure> {
        self.beans(STATE_BEANS, |beans| ClusterState::of(&beans)).await
    }

    /// Reads what a NameNode says of itself; one that stands by answers this like the active one.
    async fn beans<T>(&self, query: &str, read: impl Fn(Beans) -> Result<T, Failure>) -> Result<T, Failure> {
        let request = |url: &str| {
            let request = self.to_name_nodes.get(format!("{url}/jmx"));
            request.query(&[("qry", query)])
        };
        self.first_to_answer(request, read).await
    }

    async fn operate<T: DeserializeOwned>(
        &self,
        method: Method,
        operation: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let common = [("op", operation), ("user.name", self.user.as_str())];
        let request = |url: &str| {
            self.to_name_nodes
                .request(method.clone(), format!("{url}/webhdfs/v1{path}"))
                .query(&common)
                .query(query)
        };
        self.first_to_answer(request, Ok).await
    }

    /// Asks the NameNodes in turn, beginning with the one that answered last, until one is active and answers.
    async fn first_to_answer<A: DeserializeOwned, T>(
        &self,
        request: impl Fn(&str) -> RequestBuilder,
        read: impl Fn(A) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (count, first) = (self.name_nodes.len(), self.active.load(Ordering::Relaxed));
        let mut last = Failure::no_address();
        let in_turn = self.name_nodes.iter().enumerate().cycle();
        for (index, url) in in_turn.skip(first).take(count) {
            match self.ask(request(url)).await.and_then(&read) {
                Err(failure) if failure.is_for_another_name_node() => last = last.or(failure),
                answer => {
                    self.active.store(index, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(last)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let answered = async {
            let answer = request.send().await?;
            match answer.status() {
                StatusCode::OK => Ok(answer.json().await?),
                _ => Err(refusal(answer).await),
            }
        };
        match tokio::time::timeout(self.rpc_timeout, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::silent("rpc_timeout", self.rpc_timeout)),
        }
    }
}

/// How a cluster stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterState {
    /// DataNodes that count as alive: one that died does for as long as the cluster's settings say, ten minutes mostly.
    pub(crate) live_nodes: u64,
    pub(crate) dead_nodes: Option<u64>,
    /// Blocks that have fewer replicas than they should, or will once those on the way are there.
    pub(crate) under_replicated_blocks: Option<u64>,
    /// Blocks that have none.
    pub(crate) missing_blocks: Option<u64>,
    /// How many bytes are free on the DataNodes.
    pub(crate) free_bytes: Option<u64>,
    /// How many bytes the DataNodes have for HDFS in all.
    pub(crate) total_bytes: Option<u64>,
    /// Why the NameNode is in safe mode; empty where it is in none.
    pub(crate) safe_mode: String,
}

impl ClusterState {
    fn of(beans: &Beans) -> Result<Self, Failure> {
        if let Some("standby" | "observer") = beans.text("NameNodeStatus", "State") {
            return Err(Failure::standing_by());
        }
        let info = |attribute| beans.number("NameNodeInfo", attribute);
        let nodes = |attribute| count_nodes(beans.text("NameNodeInfo", attribute)?);
        Ok(Self {
            live_nodes: nodes("LiveNodes").ok_or_else(Failure::strange_answer)?,
            dead_nodes: nodes("DeadNodes"),
            under_replicated_blocks: beans.number("FSNamesystemState", "UnderReplicatedBlocks"),
            missing_blocks: info("NumberOfMissingBlocks"),
            free_bytes: info("Free"),
            total_bytes: info("Total"),
            safe_mode: beans
                .text("NameNodeInfo", "Safemode")
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

/// A DataNode as the NameNode describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataNode {
    /// Where it transfers blocks, as `IP:port`: by this the NameNode knows it.
    pub(crate) transfer: String,
    /// How long ago its last heartbeat was.
    pub(crate) last_heartbeat: Duration,
    host: String,
    web: [String; 2],
}

impl DataNode {
    /// Whether a place that the NameNode gave is on this node.
    pub(crate) fn serves(&self, place: &Url) -> bool {
        let (Some(host), Some(port)) = (place.host_str(), place.port_or_known_default()) else {
            return false;
        };
        // Places have the name of the host, the bean has its IP.
        let is_host = |web_host: &str| host == self.host || host == web_host;
        self.web
            .iter()
            .filter_map(|address| address.rsplit_once(':'))
            .any(|(web_host, web_port)| is_host(web_host) && web_port == port.to_string())
    }

    /// Where it answers, by HTTP or by HTTPS.
    fn page(&self, is_plain: bool) -> Option<Url> {
        let [plain, secure] = &self.web;
        let page = match is_plain {
            true => format!("http://{plain}/"),
            false => format!("https://{secure}/"),
        };
        page.parse().ok()
    }
}

#[derive(Debug, Deserialize)]
struct Placed {
    #[serde(rename = "Location")]
    location: String,
}

#[derive(Debug, Deserialize)]
struct Blocks {
    #[serde(rename = "LocatedBlocks")]
    located: Located,
}

#[derive(Debug, Deserialize)]
struct FileStatus {
    #[serde(rename = "FileStatus")]
    file: FileFacts,
}

/// What the NameNode says of a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileFacts {
    #[serde(rename = "modificationTime")]
    pub(crate) modified_millis: u64,
    #[serde(rename = "encBit", default)]
    is_encrypted: bool,
    #[serde(rename = "ecBit", default)]
    is_striped: bool,
}

impl FileFacts {
    /// Whether its blocks have its bytes, one after the other.
    pub(crate) fn is_plain(&self) -> bool {
        !self.is_encrypted && !self.is_striped
    }
}

#[derive(Debug, Deserialize)]
struct ReplicasOf {
    #[serde(rename = "BlockLocations")]
    locations: BlockLocations,
}

#[derive(Debug, Deserialize)]
struct BlockLocations {
    #[serde(rename = "BlockLocation", default)]
    blocks: Vec<BlockLocation>,
}

#[derive(Debug, Deserialize)]
struct BlockLocation {
    names: Vec<String>,
}

/// What a NameNode says of itself: objects of Java, by name.
#[derive(Debug, Deserialize)]
struct Beans {
    beans: Vec<Value>,
}

impl Beans {
    fn text(&self, bean: &str, attribute: &str) -> Option<&str> {
        self.attribute(bean, attribute)?.as_str()
    }

    fn number(&self, bean: &str, attribute: &str) -> Option<u64> {
        self.attribute(bean, attribute)?.as_u64()
    }

    fn attribute(&self, bean: &str, attribute: &str) -> Option<&Value> {
        let name = format!("Hadoop:service=NameNode,name={bean}");
        let mut beans = self.beans.iter();
        beans.find(|bean| bean["name"] == *name)?.get(attribute)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LiveNode {
    info_addr: String,
    #[serde(default)]
    info_secure_addr: String,
    #[serde(rename = "xferaddr")]
    transfer: String,
    #[serde(default)]
    last_contact: u64,
}

/// The attribute is itself a JSON text, whose keys are `host:port` with the port of transfers.
fn parse_live_nodes(text: &str) -> Option<Vec<DataNode>> {
    let nodes: HashMap<String, LiveNode> = serde_json::from_str(text).ok()?;
    let node = |(name, node): (String, LiveNode)| DataNode {
        host: name
            .rsplit_once(':')
            .map_or_else(String::new, |(host, _)| host.to_owned()),
        transfer: node.transfer,
        last_heartbeat: Duration::from_secs(node.last_contact),
        web: [node.info_addr, node.info_secure_addr],
    };
    Some(nodes.into_iter().map(node).collect())
}

/// How many nodes an attribute has, whatever it says of each.
fn count_nodes(text: &str) -> Option<u64> {
    let nodes: HashMap<String, IgnoredAny> = serde_json::from_str(text).ok()?;
    Some(nodes.len() as u64)
}

async fn refusal(answer: Response) -> Failure {
    let status = answer.status();
    // A body that breaks says no more than the status.
    let body = answer.text().await.unwrap_or_default();
    Failure::refused(status, &body)
}

/// How files are made. With the second flag blocks reach the disks of their DataNodes before they count as closed.
fn create_flags(config: &HdfsConfig) -> &'static str {
    match config.sync_blocks {
        true => "CREATE,SYNC_BLOCK",
        false => "CREATE",
    }
}

fn is_plain(urls: &[String]) -> bool {
    urls.iter().all(|url| url.starts_with("http://"))
}

fn client(plain: bool) -> ClientBuilder {
    let builder = Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .redirect(redirect::Policy::none())
        .no_proxy();
    // Certificates that nothing needs are not looked for: a slim container may have none.
    if plain {
        return builder.tls_certs_only([]);
    }
    builder
}

/// Whom Hadoop would take.
fn user(config: &HdfsConfig) -> String {
    let named = config.user.clone();
    named
        .or_else(|| std::env::var("HADOOP_USER_NAME").ok())
        .or_else(|| whoami::username().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a NameNode of 3.5.0 writes it, shortened.
    const LIVE_NODES: &str = r#"{
        "dn1.campus.example:9866": {"infoAddr": "10.0.0.1:9864", "infoSecureAddr": "10.0.0.1:0",
            "xferaddr": "10.0.0.1:9866", "lastContact": 2, "adminState": "In Service"},
        "dn2.campus.example:9866": {"infoAddr": "10.0.0.2:9864", "infoSecureAddr": "10.0.0.2:9865",
            "xferaddr": "10.0.0.2:9866", "lastContact": 0, "capacity": 270553174016}
    }"#;

    #[test]
    fn a_place_is_found_by_name_and_by_ip() {
        let nodes = parse_live_nodes(LIVE_NODES).unwrap();
        let at = |url: &str| {
            let url = url.parse().unwrap();
            let found = nodes.iter().find(|node| node.serves(&url));
            found.map(|node| node.transfer.as_str())
        };
        assert_eq!(
            at("http://dn1.campus.example:9864/webhdfs/v1/a?op=CREATE"),
            Some("10.0.0.1:9866")
        );
        assert_eq!(at("http://10.0.0.2:9864/webhdfs/v1/a"), Some("10.0.0.2:9866"));
        assert_eq!(at("https://dn2.campus.example:9865/"), Some("10.0.0.2:9866"));
        assert_eq!(at("http://dn1.campus.example:9866/"), None);
        assert_eq!(at("http://dn3.campus.example:9864/"), None);
        let first = nodes
            .iter()
            .find(|node| node.transfer == "10.0.0.1:9866")
            .unwrap();
        assert_eq!(first.last_heartbeat, Duration::from_secs(2));
        let page = |is_plain| first.page(is_plain).unwrap().to_string();
        assert_eq!(page(true), "http://10.0.0.1:9864/");
        assert_eq!(page(false), "https://10.0.0.1:0/");
    }

    fn beans(text: &str) -> Beans {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_state_of_a_cluster_is_read() {
        let beans = beans(
            r#"{"beans":[
                {"name":"Hadoop:service=NameNode,name=FSNamesystemState","UnderReplicatedBlocks":4},
                {"name":"Hadoop:service=NameNode,name=NameNodeStatus","State":"active"},
                {"name":"Hadoop:service=NameNode,name=NameNodeInfo","Total":270553174016,"Free":81173741568,
                 "Safemode":"Safe mode is ON. It was turned on manually.","LiveNodes":"{\"dn1:9866\":{\"usedSpace\":1}}",
                 "DeadNodes":"{\"dn2:9866\":{\"lastContact\":700},\"dn3:9866\":{}}","NumberOfMissingBlocks":0}]}"#,
        );
        let state = ClusterState {
            live_nodes: 1,
            dead_nodes: Some(2),
            under_replicated_blocks: Some(4),
            missing_blocks: Some(0),
            free_bytes: Some(81_173_741_568),
            total_bytes: Some(270_553_174_016),
            safe_mode: "Safe mode is ON. It was turned on manually.".to_owned(),
        };
        assert_eq!(ClusterState::of(&beans).unwrap(), state);
    }

    #[test]
    fn a_namenode_that_stands_by_is_not_asked_and_a_stranger_is_none() {
        let standby = beans(
            r#"{"beans":[{"name":"Hadoop:service=NameNode,name=NameNodeStatus","State":"standby"},
                {"name":"Hadoop:service=NameNode,name=NameNodeInfo","LiveNodes":"{}"}]}"#,
        );
        let failure = ClusterState::of(&standby).unwrap_err();
        assert!(failure.is_for_another_name_node(), "{failure}");
        let failure = ClusterState::of(&beans(r#"{"beans":[]}"#)).unwrap_err();
        assert!(failure.is_unreached(), "{failure}");
    }

    #[test]
    fn what_is_no_list_of_nodes_is_none() {
        assert_eq!(parse_live_nodes(""), None);
        assert_eq!(parse_live_nodes("{\"a:1\": {}}"), None);
        assert_eq!(parse_live_nodes("{}"), Some(Vec::new()));
    }

    #[test]
    fn the_nodes_of_each_block_are_read() {
        let text = r#"{"BlockLocations":{"BlockLocation":[
            {"names":["10.0.0.1:9866","10.0.0.2:9866"],"offset":0,"length":16777216,"corrupt":false},
            {"names":[],"offset":16777216,"length":1}]}}"#;
        let located: ReplicasOf = serde_json::from_str(text).unwrap();
        let names: Vec<_> = located
            .locations
            .blocks
            .iter()
            .map(|block| block.names.len())
            .collect();
        assert_eq!(names, [2, 0]);
        let empty: ReplicasOf = serde_json::from_str(r#"{"BlockLocations":{"BlockLocation":[]}}"#).unwrap();
        assert!(empty.locations.blocks.is_empty());
    }
}
