//! What lies on the cluster's disks, and how much may.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Method, Response};
use serde_json::Value;

use super::{HdfsCluster, HdfsNode};

impl HdfsCluster {
    /// Limits the bytes that may lie below a folder, every replica counted and every open block as if it were full.
    ///
    /// # Panics
    /// When the NameNode doesn't take it.
    pub async fn set_space_quota(&self, folder: &str, quota_bytes: Option<u64>) {
        // -1 is no limit.
        let quota = quota_bytes.map_or_else(|| "-1".to_owned(), |bytes| bytes.to_string());
        let query = [("storagespacequota", quota.as_str())];
        self.webhdfs(Method::PUT, "SETQUOTA", folder, &query).await;
    }

    /// The numbers of a file's blocks, by which DataNodes name the files they keep them in.
    ///
    /// # Panics
    /// When the NameNode doesn't tell.
    pub async fn blocks(&self, path: &str) -> Vec<u64> {
        let answer = self.webhdfs(Method::GET, "GET_BLOCK_LOCATIONS", path, &[]).await;
        let found: Value = answer.json().await.expect("in JSON");
        let blocks = found["LocatedBlocks"]["locatedBlocks"].as_array();
        let number = |block: &Value| block["block"]["blockId"].as_u64().expect("with numbers");
        blocks.expect("there are blocks").iter().map(number).collect()
    }

    /// Asks the NameNode for an operation on a path, which it must do.
    pub(super) async fn webhdfs(
        &self,
        method: Method,
        operation: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Response {
        let request = self
            .client
            .request(method, format!("{}/webhdfs/v1{path}", self.http));
        let common = [("op", operation), ("user.name", "root")];
        let answer = request.query(&common).query(query).send().await;
        let answer = answer.expect("the NameNode answers");
        assert!(answer.status().is_success(), "{operation} {path}: {answer:?}");
        answer
    }
}

impl HdfsNode {
    /// Ends it at once and starts it again; it may serve a little later.
    ///
    /// # Panics
    /// When it was not running.
    pub async fn restart(&self) {
        self.kill();
        self.start().await;
    }

    /// The file in which this DataNode keeps a block; the file of its checksums lies beside it.
    ///
    /// # Panics
    /// When it keeps none.
    pub fn block_file(&self, number: u64) -> PathBuf {
        let mut words = self.command().iter();
        let folder = words.find_map(|word| word.strip_prefix("dfs.datanode.data.dir=file://"));
        let folder = Path::new(folder.expect("a DataNode has a folder"));
        found_below(folder, &format!("blk_{number}"))
            .unwrap_or_else(|| panic!("the block {number} is not below {}", folder.display()))
    }
}

fn found_below(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of a DataNode").flatten();
    entries.map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            return found_below(&path, name);
        }
        path.ends_with(name).then_some(path)
    })
}
