//! HDFS with two NameNodes, of which one is active: three JournalNodes keep their edits, and who fails over is whoever says so.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::hadoop::{
    self, Class, DATA_NODES, Hadoop, NAME_NODE, READY_LIMIT, Setting, VERSION, bean, setting,
};
use super::process::Daemon;
use super::{Purpose, Service};
use crate::net;

const NAME_SERVICE: &str = "labns";
const JOURNAL_NODES: usize = 3;
const JOURNAL_NODE: Class = Class("org.apache.hadoop.hdfs.qjournal.server.JournalNode", "-Xmx128m");
const ADMIN: Class = Class("org.apache.hadoop.hdfs.tools.DFSHAAdmin", "-Xmx128m");
const PROXY: &str = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider";

/// The pair of the full run.
#[derive(Debug)]
pub(super) struct HdfsHa;

impl Service for HdfsHa {
    fn name(&self) -> &'static str {
        "hdfs-ha"
    }

    fn title(&self) -> String {
        format!(
            "Hadoop HDFS {VERSION} (two NameNodes, {JOURNAL_NODES} JournalNodes and {DATA_NODES} DataNodes)"
        )
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["hdfs-ha"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::FullRun
    }

    fn provision(&self) -> Result<()> {
        hadoop::provision()
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let hadoop = Hadoop::plan(home)?;
        let journals = Node::plan(home, "journal", JOURNAL_NODES)?;
        let names = Node::plan(home, "nn", 2)?;
        let url = format!("hdfs://{NAME_SERVICE}");
        hadoop.write_configuration(&url, Vec::new(), settings(&journals, &names))?;

        let mut daemons = Vec::new();
        let mut known_journals = Vec::new();
        for journal in &journals {
            let daemon = hadoop.daemon(&journal.id, JOURNAL_NODE, &journal.journal_settings());
            known_journals.push(hadoop::start(&daemon)?);
            daemons.push(daemon);
        }
        let answers = |node: &Node| bean(&node.http_url(), "JournalNode", "JvmMetrics").is_some();
        wait("JournalNodes", &daemons, || journals.iter().all(answers))?;

        let mut known_names = Vec::new();
        for (name, how) in names.iter().zip(["-format", "-bootstrapStandby"]) {
            let words = hadoop.words(NAME_NODE, &name.name_settings());
            let log = format!("{}-format.log", name.id);
            hadoop.run(&words, &[how, "-force", "-nonInteractive"], &log)?;
            let daemon = hadoop.daemon(&name.id, NAME_NODE, &name.name_settings());
            let mut known = hadoop::start(&daemon)?;
            known["id"] = name.id.as_str().into();
            known["http"] = name.http_url().into();
            known_names.push(known);
            daemons.push(daemon);
            wait("a NameNode", &daemons, || name.state().is_some())?;
        }

        let (data_nodes, known_data): (Vec<_>, Vec<_>) = hadoop.start_data_nodes()?.into_iter().unzip();
        daemons.extend(data_nodes);
        let admin = hadoop.words(ADMIN, &[]);
        let first = names[0].id.as_str();
        hadoop.run(&admin, &["-transitionToActive", first], "transition.log")?;
        wait("the pair", &daemons, || {
            let ready = |name: &Node| hadoop::has_every_data_node(&name.http_url());
            names[0].state().as_deref() == Some("active") && names.iter().all(ready)
        })?;
        Ok(json!({
            "url": url,
            "name_service": NAME_SERVICE,
            "conf_dir": hadoop.conf(),
            // Words before `-failover FROM TO`, which works gracefully and after a kill, and before `-getServiceState ID`.
            "admin": admin,
            "namenodes": known_names,
            "journalnodes": known_journals,
            "datanodes": known_data,
        }))
    }
}

/// A NameNode or a JournalNode.
#[derive(Debug)]
struct Node {
    id: String,
    rpc: u16,
    http: u16,
    folder: String,
}

impl Node {
    fn plan(home: &Path, kind: &str, count: usize) -> Result<Vec<Self>> {
        let node = |number| {
            let id = format!("{kind}{number}");
            Ok(Self {
                rpc: net::free_port()?,
                http: net::free_port()?,
                folder: home.join(format!("{id}-data")).display().to_string(),
                id,
            })
        };
        (1..=count).map(node).collect()
    }

    fn rpc(&self) -> String {
        format!("127.0.0.1:{}", self.rpc)
    }

    fn http(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    fn http_url(&self) -> String {
        format!("http://{}", self.http())
    }

    /// Whether a NameNode is `active` or `standby`, once it serves.
    fn state(&self) -> Option<String> {
        let status = bean(&self.http_url(), "NameNode", "NameNodeStatus")?;
        let state = status["State"].as_str()?;
        ["active", "standby"].contains(&state).then(|| state.to_owned())
    }

    fn name_settings(&self) -> [Setting; 2] {
        [
            // Both have one IP address, by which they could not tell who they are.
            setting("dfs.ha.namenode.id", &self.id),
            setting("dfs.namenode.name.dir", format!("file://{}", self.folder)),
        ]
    }

    fn journal_settings(&self) -> [Setting; 3] {
        [
            setting("dfs.journalnode.edits.dir", &self.folder),
            setting("dfs.journalnode.rpc-address", self.rpc()),
            setting("dfs.journalnode.http-address", self.http()),
        ]
    }
}

fn settings(journals: &[Node], names: &[Node]) -> Vec<Setting> {
    let ids: Vec<&str> = names.iter().map(|name| name.id.as_str()).collect();
    let journals: Vec<String> = journals.iter().map(Node::rpc).collect();
    let edits = format!("qjournal://{}/{NAME_SERVICE}", journals.join(";"));
    let mut settings = vec![
        setting("dfs.nameservices", NAME_SERVICE),
        setting(format!("dfs.ha.namenodes.{NAME_SERVICE}"), ids.join(",")),
        setting("dfs.namenode.shared.edits.dir", edits),
        setting(
            format!("dfs.client.failover.proxy.provider.{NAME_SERVICE}"),
            PROXY,
        ),
        // A killed NameNode needs no fence, and the JournalNodes take no edits of one that was overtaken.
        setting("dfs.ha.fencing.methods", "shell(/bin/true)"),
        setting("dfs.ha.automatic-failover.enabled", false),
        setting("dfs.ha.tail-edits.period", 1),
    ];
    for name in names {
        let of = |key: &str| format!("dfs.namenode.{key}.{NAME_SERVICE}.{}", name.id);
        settings.push(setting(of("rpc-address"), name.rpc()));
        settings.push(setting(of("http-address"), name.http()));
    }
    settings
}

fn wait(what: &str, daemons: &[Daemon], ready: impl FnMut() -> bool) -> Result<()> {
    let alive = || daemons.iter().try_for_each(Daemon::check_alive);
    net::wait_ready(what, READY_LIMIT, ready, alive).map(drop)
}
