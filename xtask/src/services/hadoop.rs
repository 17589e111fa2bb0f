//! What clusters of Hadoop's processes share: jars, configuration, DataNodes, and questions to a NameNode.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::Daemon;
use crate::provision::maven::{self, Artifact};
use crate::{command, net};

pub(super) const VERSION: &str = "3.5.0";
pub(super) const DATA_NODES: usize = 3;

/// How long one of Hadoop's commands may take.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(90);
pub(super) const READY_LIMIT: Duration = Duration::from_secs(180);

pub(super) const NAME_NODE: Class = Class("org.apache.hadoop.hdfs.server.namenode.NameNode", "-Xmx384m");
const DATA_NODE: Class = Class("org.apache.hadoop.hdfs.server.datanode.DataNode", "-Xmx256m");

const LOG4J: &str = "log4j.rootLogger=INFO,err\n\
    log4j.appender.err=org.apache.log4j.ConsoleAppender\n\
    log4j.appender.err.target=System.err\n\
    log4j.appender.err.layout=org.apache.log4j.PatternLayout\n\
    log4j.appender.err.layout.ConversionPattern=%d{ISO8601} %p %c{2}: %m%n\n";

/// A program of Hadoop by its class, and the flag for its heap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class(pub(super) &'static str, pub(super) &'static str);

/// A setting of Hadoop.
pub(super) type Setting = (String, String);

/// Gets the jars, and sees that there is a Java.
///
/// # Errors
/// When there is none, or Maven's registry can't be reached.
pub(super) fn provision() -> Result<()> {
    command::output_of(Command::new("java").arg("-version")).context("a JDK of 17 or newer is needed")?;
    jars().map(drop)
}

/// Hadoop's command for files, on the cluster whose configuration lies in `conf_dir`; its arguments are still to come.
///
/// # Errors
/// When the jars can't be had.
pub(crate) fn shell(conf_dir: &Path) -> Result<Command> {
    let mut java = Command::new("java");
    java.args(["-cp", &format!("{}:{}/*", conf_dir.display(), jars()?.display())])
        .arg("org.apache.hadoop.fs.FsShell");
    Ok(java)
}

/// A cluster as far as its NameNodes don't matter.
#[derive(Debug)]
pub(super) struct Hadoop {
    home: PathBuf,
    class_path: String,
    flags: Vec<String>,
    nodes: Vec<DataNodePorts>,
}

#[derive(Debug)]
struct DataNodePorts {
    transfer: u16,
    ipc: u16,
    http: u16,
}

impl Hadoop {
    pub(super) fn plan(home: &Path) -> Result<Self> {
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
            flags: Vec::new(),
            nodes: (0..DATA_NODES).map(node).collect::<Result<_>>()?,
        })
    }

    /// Gives every Java of it another flag.
    #[must_use]
    pub(super) fn with_flag(mut self, flag: String) -> Self {
        self.flags.push(flag);
        self
    }

    pub(super) fn conf(&self) -> PathBuf {
        self.home.join("conf")
    }

    /// Writes the configuration of a cluster that is reached at `url`: the common settings, and those of this one for each of the
    /// two files, among them where its NameNodes are.
    pub(super) fn write_configuration(
        &self,
        url: &str,
        core: Vec<Setting>,
        hdfs: Vec<Setting>,
    ) -> Result<()> {
        let conf = self.conf();
        fs::create_dir_all(&conf)?;
        let mut common = vec![
            setting("fs.defaultFS", url),
            setting("hadoop.tmp.dir", self.home.join("tmp").display()),
            setting("fs.trash.interval", 60),
        ];
        // When a DataNode counts as dead is left at Hadoop's defaults (10.5 minutes): uploads must not depend on it.
        let mut common_hdfs = vec![
            setting("dfs.replication", 3),
            setting("dfs.namenode.fs-limits.min-block-size", 1_048_576),
            setting("dfs.blocksize", 16_777_216),
            setting("dfs.webhdfs.enabled", true),
            // Restarts of the NameNode would otherwise wait 30 s, and an empty one would open with no DataNode.
            setting("dfs.namenode.safemode.extension", 0),
            setting("dfs.namenode.safemode.min.datanodes", 1),
            setting("dfs.namenode.datanode.registration.ip-hostname-check", false),
            // On a small idle cluster the load check rejects healthy nodes as too busy.
            setting("dfs.namenode.redundancy.considerLoad", false),
        ];
        common.extend(core);
        common_hdfs.extend(hdfs);
        fs::write(conf.join("core-site.xml"), site(&common))?;
        fs::write(conf.join("hdfs-site.xml"), site(&common_hdfs))?;
        fs::write(conf.join("log4j.properties"), LOG4J)?;
        // The jars of 3.5.0 hold no web applications, and the servers refuse to start without.
        for application in ["hdfs", "datanode", "journal", "secondary", "static"] {
            let folder = conf.join("webapps").join(application).join("WEB-INF");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("web.xml"), "<web-app/>\n")?;
        }
        Ok(())
    }

    /// The words that run a program of Hadoop with settings of its own.
    pub(super) fn words(&self, class: Class, settings: &[Setting]) -> Vec<String> {
        let Class(name, heap) = class;
        let java = [
            "java",
            "-XX:+UseSerialGC",
            "-Djava.net.preferIPv4Stack=true",
            heap,
        ];
        let mut words: Vec<String> = java.map(str::to_owned).to_vec();
        words.extend(self.flags.iter().cloned());
        words.extend(["-cp", &self.class_path, name].map(str::to_owned));
        for (key, value) in settings {
            words.extend(["-D".to_owned(), format!("{key}={value}")]);
        }
        words
    }

    /// Runs a program of Hadoop to its end, with its output in the file `log`.
    pub(super) fn run(&self, words: &[String], args: &[&str], log: &str) -> Result<()> {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(args);
        command::run_logged(command, &self.home.join(log), COMMAND_LIMIT)
    }

    pub(super) fn daemon(&self, name: impl Into<String>, class: Class, settings: &[Setting]) -> Daemon {
        Daemon::new(name, &self.home).with_args(self.words(class, settings))
    }

    /// Starts a whole cluster of one NameNode, with more settings, and says what tests need to know of it. Nobody is waited for once
    /// one of its processes, or of those `beside` it, has ended.
    pub(super) fn start_with_one_name_node(
        &self,
        core: Vec<Setting>,
        mut hdfs: Vec<Setting>,
        beside: &[&Daemon],
    ) -> Result<Value> {
        let (rpc, web) = (local_address()?, local_address()?);
        let (url, http) = (format!("hdfs://{rpc}"), format!("http://{web}"));
        let names = self.home.join("name");
        hdfs.extend([
            setting("dfs.namenode.name.dir", format!("file://{}", names.display())),
            setting("dfs.namenode.rpc-address", rpc),
            setting("dfs.namenode.http-address", web),
        ]);
        self.write_configuration(&url, core, hdfs)?;
        let format = ["-format", "-force", "-nonInteractive"];
        self.run(&self.words(NAME_NODE, &[]), &format, "format.log")?;
        let name_node = self.daemon("namenode", NAME_NODE, &[]);
        let known = start(&name_node)?;
        let (data_nodes, listed): (Vec<_>, Vec<_>) = self.start_data_nodes()?.into_iter().unzip();
        let alive = || {
            let all = data_nodes.iter().chain([&name_node]);
            all.chain(beside.iter().copied())
                .try_for_each(|daemon| daemon.check_alive())
        };
        net::wait_ready("HDFS", READY_LIMIT, || has_every_data_node(&http), alive)?;
        Ok(json!({
            "url": url,
            "http": http,
            "conf_dir": self.conf(),
            "namenode": known,
            "datanodes": listed,
        }))
    }

    /// The DataNodes, with what tests need to know of each.
    pub(super) fn start_data_nodes(&self) -> Result<Vec<(Daemon, Value)>> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .map(|(index, ports)| {
                let local = |port: u16| format!("127.0.0.1:{port}");
                let data = self.home.join(format!("data{index}"));
                let settings = [
                    setting("dfs.datanode.data.dir", format!("file://{}", data.display())),
                    setting("dfs.datanode.address", local(ports.transfer)),
                    setting("dfs.datanode.ipc.address", local(ports.ipc)),
                    setting("dfs.datanode.http.address", local(ports.http)),
                ];
                let daemon = self.daemon(format!("datanode{index}"), DATA_NODE, &settings);
                let mut known = start(&daemon)?;
                known["transfer"] = local(ports.transfer).into();
                known["http"] = format!("http://{}", local(ports.http)).into();
                Ok((daemon, known))
            })
            .collect()
    }
}

/// Starts a process, and says what tests need to know of it.
pub(super) fn start(daemon: &Daemon) -> Result<Value> {
    Ok(json!({
        "pid": daemon.start()?.pid,
        "pid_file": daemon.pid_file(),
        "start": daemon.start_command(),
    }))
}

/// A bean of the process whose HTTP address is `http`.
pub(super) fn bean(http: &str, service: &str, name: &str) -> Option<Value> {
    let body = net::http_get(&format!("{http}/jmx?qry=Hadoop:service={service},name={name}"))?;
    let beans: Value = serde_json::from_str(&body).ok()?;
    beans["beans"].get(0).cloned()
}

/// Whether a NameNode is out of safe mode with every DataNode, by its own figures.
pub(super) fn has_every_data_node(http: &str) -> bool {
    let live =
        bean(http, "NameNode", "FSNamesystemState").and_then(|state| state["NumLiveDataNodes"].as_u64());
    live == u64::try_from(DATA_NODES).ok()
        && bean(http, "NameNode", "NameNodeInfo").is_some_and(|info| info["Safemode"] == "")
}

/// A free address of this machine, as `IP:port`.
fn local_address() -> Result<String> {
    Ok(format!("127.0.0.1:{}", net::free_port()?))
}

pub(super) fn setting(key: impl Into<String>, value: impl ToString) -> Setting {
    (key.into(), value.to_string())
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
fn site(settings: &[Setting]) -> String {
    let property =
        |(key, value): &Setting| format!("  <property><name>{key}</name><value>{value}</value></property>\n");
    format!(
        "<configuration>\n{}</configuration>\n",
        settings.iter().map(property).collect::<String>()
    )
}
