//! HDFS of several processes: a NameNode and three DataNodes from the Maven artifacts.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::hadoop::{self, DATA_NODES, Hadoop, NAME_NODE, READY_LIMIT, VERSION, local_address, setting};
use super::{Purpose, Service};
use crate::net;

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
        hadoop::provision()
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let hadoop = Hadoop::plan(home)?;
        let (rpc, web) = (local_address()?, local_address()?);
        let (url, http) = (format!("hdfs://{rpc}"), format!("http://{web}"));
        let names = home.join("name");
        hadoop.write_configuration(
            &url,
            Vec::new(),
            vec![
                setting("dfs.namenode.name.dir", format!("file://{}", names.display())),
                setting("dfs.namenode.rpc-address", rpc),
                setting("dfs.namenode.http-address", web),
            ],
        )?;
        let format = ["-format", "-force", "-nonInteractive"];
        hadoop.run(&hadoop.words(NAME_NODE, &[]), &format, "format.log")?;
        let name_node = hadoop.daemon("namenode", NAME_NODE, &[]);
        let known = hadoop::start(&name_node)?;
        let (data_nodes, listed): (Vec<_>, Vec<_>) = hadoop.start_data_nodes()?.into_iter().unzip();
        let alive = || {
            let mut daemons = data_nodes.iter().chain([&name_node]);
            daemons.try_for_each(|daemon| daemon.check_alive())
        };
        net::wait_ready("HDFS", READY_LIMIT, || hadoop::has_every_data_node(&http), alive)?;
        let data_node_pids: Vec<&Value> = listed.iter().map(|node| &node["pid"]).collect();
        Ok(json!({
            "url": url,
            "http": http,
            "conf_dir": hadoop.conf(),
            "pids": { "namenode": known["pid"], "datanodes": data_node_pids },
            "namenode": known,
            "datanodes": listed,
        }))
    }
}
