//! HDFS of several processes: a NameNode and three DataNodes from the Maven artifacts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service};
use crate::provision::maven::{self, Artifact};
use crate::{command, net};

const VERSION: &str = "3.5.0";
const DATA_NODES: usize = 3;
const FORMAT_LIMIT: Duration = Duration::from_secs(90);
const READY_LIMIT: Duration = Duration::from_secs(180);
const NAME_NODE_CLASS: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const DATA_NODE_CLASS: &str = "org.apache.hadoop.hdfs.server.datanode.DataNode";

const LOG4J: &str = "log4j.rootLogger=INFO,err\n\
    log4j.appender.err=org.apache.log4j.ConsoleAppender\n\
    log4j.appender.err.target=System.err\n\
    log4j.appender.err.layout=org.apache.log4j.PatternLayout\n\
    log4j.appender.err.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n\n";

/// The cluster of every run.
#[derive(Debug)]
pub(super) struct Hdfs;

impl Service for Hdfs {
    fn name(&self) -> &'static str {
        "hdfs"
    }

    fn title(&self) -> String {
        format!("Hadoop HDFS {VERSION} (NameNode and {DATA_NODES} DataNodes)")
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["hdfs"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Tests
    }

    fn provision(&self) -> Result<()> {
        command::output_of(Command::new("java").arg("-version")).context("a JDK of 17 or newer is needed")?;
        jars().map(drop)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let cluster = Cluster::plan(home)?;
        cluster.write_configuration()?;
        command::run_logged(cluster.format(), &home.join("format.log"), FORMAT_LIMIT)?;
        let name_node = cluster.name_node();
        let data_nodes = cluster.data_nodes();
        let pid = name_node.start()?.pid;
        let mut listed = Vec::new();
        for (daemon, node) in data_nodes.iter().zip(&cluster.nodes) {
            listed.push(json!({
                "pid": daemon.start()?.pid,
                "pid_file": daemon.pid_file(),
                "transfer": format!("127.0.0.1:{}", node.transfer),
                "http": format!("http://127.0.0.1:{}", node.http),
                "start": daemon.start_command(),
            }));
        }
        let alive = || {
            data_nodes
                .iter()
                .chain([&name_node])
                .try_for_each(Daemon::check_alive)
        };
        net::wait_ready("HDFS", READY_LIMIT, || cluster.is_ready(), alive)?;
        let data_node_pids: Vec<&Value> = listed.iter().map(|node| &node["pid"]).collect();
        Ok(json!({
            "url": format!("hdfs://127.0.0.1:{}", cluster.rpc),
            "http": cluster.http_url(),
            "conf_dir": cluster.conf(),
            "pids": { "namenode": pid, "datanodes": data_node_pids },
            "namenode": { "pid": pid, "pid_file": name_node.pid_file(), "start": name_node.start_command() },
            "datanodes": listed,
        }))
    }
}

#[derive(Debug)]
struct Cluster {
    home: PathBuf,
    class_path: String,
    rpc: u16,
    http: u16,
    nodes: Vec<DataNodePorts>,
}

#[derive(Debug)]
struct DataNodePorts {
    transfer: u16,
    ipc: u16,
    http: u16,
}

impl Cluster {
    fn plan(home: &Path) -> Result<Self> {
        let node = |_| {
            Ok(DataNodePorts {
                transfer: net::free_port()?,
                ipc: net::free_port()?,
                http: net::free_port()?,
            })
        };
        Ok(Self {
            home: home.to_path_buf(),
            // The configuration comes first: it holds the web applications the jars lack.
            class_path: format!("{}:{}/*", home.join("conf").display(), jars()?.display()),
            rpc: net::free_port()?,
            http: net::free_port()?,
            nodes: (0..DATA_NODES).map(node).collect::<Result<_>>()?,
        })
    }

    fn conf(&self) -> PathBuf {
        self.home.join("conf")
    }

    fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    fn write_configuration(&self) -> Result<()> {
        let conf = self.conf();
        fs::create_dir_all(&conf)?;
        fs::write(conf.join("core-site.xml"), site(&self.core_settings()))?;
        fs::write(conf.join("hdfs-site.xml"), site(&self.hdfs_settings()))?;
        fs::write(conf.join("log4j.properties"), LOG4J)?;
        // The jars of 3.5.0 hold no web applications, and the servers refuse to start without.
        for application in ["hdfs", "datanode", "journal", "secondary", "static"] {
            let folder = conf.join("webapps").join(application).join("WEB-INF");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("web.xml"), "<web-app/>\n")?;
        }
        Ok(())
    }

    fn core_settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("fs.defaultFS", format!("hdfs://127.0.0.1:{}", self.rpc)),
            ("hadoop.tmp.dir", self.home.join("tmp").display().to_string()),
            ("fs.trash.interval", "60".to_owned()),
        ]
    }

    fn hdfs_settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            (
                "dfs.namenode.name.dir",
                format!("file://{}", self.home.join("name").display()),
            ),
            ("dfs.namenode.rpc-address", format!("127.0.0.1:{}", self.rpc)),
            ("dfs.namenode.http-address", format!("127.0.0.1:{}", self.http)),
        ];
        // When a DataNode counts as dead is left at Hadoop's defaults (10.5 minutes): uploads must not depend on it.
        let fixed = [
            ("dfs.replication", "3"),
            ("dfs.namenode.fs-limits.min-block-size", "1048576"),
            ("dfs.blocksize", "16777216"),
            ("dfs.webhdfs.enabled", "true"),
            // Restarts of the NameNode would otherwise wait 30 s, and an empty one would open with no DataNode.
            ("dfs.namenode.safemode.extension", "0"),
            ("dfs.namenode.safemode.min.datanodes", "1"),
            ("dfs.namenode.datanode.registration.ip-hostname-check", "false"),
            // On a small idle cluster the load check rejects healthy nodes as too busy.
            ("dfs.namenode.redundancy.considerLoad", "false"),
        ];
        settings.extend(fixed.map(|(key, value)| (key, value.to_owned())));
        settings
    }

    fn format(&self) -> Command {
        let mut format = Command::new("java");
        format.args([
            "-cp",
            &self.class_path,
            NAME_NODE_CLASS,
            "-format",
            "-force",
            "-nonInteractive",
        ]);
        format
    }

    fn name_node(&self) -> Daemon {
        Daemon::new("namenode", &self.home).with_args(self.java("-Xmx384m", NAME_NODE_CLASS))
    }

    fn data_nodes(&self) -> Vec<Daemon> {
        let daemon = |(index, ports): (usize, &DataNodePorts)| {
            let data = self.home.join(format!("data{index}"));
            let settings = [
                format!("dfs.datanode.data.dir=file://{}", data.display()),
                format!("dfs.datanode.address=127.0.0.1:{}", ports.transfer),
                format!("dfs.datanode.ipc.address=127.0.0.1:{}", ports.ipc),
                format!("dfs.datanode.http.address=127.0.0.1:{}", ports.http),
            ];
            Daemon::new(format!("datanode{index}"), &self.home)
                .with_args(self.java("-Xmx256m", DATA_NODE_CLASS))
                .with_args(
                    settings
                        .into_iter()
                        .flat_map(|setting| ["-D".to_owned(), setting]),
                )
        };
        self.nodes.iter().enumerate().map(daemon).collect()
    }

    fn java(&self, heap: &str, class: &str) -> [String; 7] {
        let flags = [
            "java",
            "-XX:+UseSerialGC",
            "-Djava.net.preferIPv4Stack=true",
            heap,
        ];
        let [java, collector, stack, heap] = flags.map(str::to_owned);
        [
            java,
            collector,
            stack,
            heap,
            "-cp".to_owned(),
            self.class_path.clone(),
            class.to_owned(),
        ]
    }

    /// Out of safe mode with every DataNode, by the NameNode's own figures.
    fn is_ready(&self) -> bool {
        let bean = |name: &str| {
            let body = net::http_get(&format!(
                "{}/jmx?qry=Hadoop:service=NameNode,name={name}",
                self.http_url()
            ))?;
            serde_json::from_str::<Value>(&body).ok()?["beans"]
                .get(0)
                .cloned()
        };
        let live = bean("FSNamesystemState").and_then(|state| state["NumLiveDataNodes"].as_u64());
        live == u64::try_from(DATA_NODES).ok()
            && bean("NameNodeInfo").is_some_and(|info| info["Safemode"] == "")
    }
}

fn jars() -> Result<PathBuf> {
    let artifact = |name| Artifact {
        group: "org.apache.hadoop",
        name,
        version: VERSION,
    };
    maven::jars(
        &format!("hadoop-{VERSION}"),
        &["hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client"].map(artifact),
    )
}

/// A Hadoop configuration file.
fn site(settings: &[(&str, String)]) -> String {
    let property = |(key, value): &(&str, String)| {
        format!("  <property><name>{key}</name><value>{value}</value></property>\n")
    };
    format!(
        "<configuration>\n{}</configuration>\n",
        settings.iter().map(property).collect::<String>()
    )
}
