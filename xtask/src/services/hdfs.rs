//! HDFS of several processes: a NameNode and three DataNodes from the Maven artifacts.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::hadoop::{self, DATA_NODES, Hadoop, VERSION};
use super::{Purpose, Service};

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
        Hadoop::plan(home)?.start_with_one_name_node(Vec::new(), Vec::new(), &[])
    }
}
