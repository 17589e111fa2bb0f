//! What an operator can set.

use std::path::PathBuf;
use std::time::Duration;

use campusdisk_core::storage::StoreName;
use campusdisk_core::{Error, Result};

const MIB: u64 = 1 << 20;

/// HDFS counts checksums in chunks of this, and a block must be made of whole ones.
const CHUNK_BYTES: u64 = 512;

/// How blobs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WritePath {
    /// By the client library, four blobs at once, as long as no DataNode fails: it is the quickest. Once one did, and for what comes at
    /// the same time, by WebHDFS, for [`avoid_for`](HdfsConfig::avoid_for); and by the library alone for a minute after nobody could be
    /// reached by HTTP.
    #[default]
    Auto,
    /// By WebHDFS only: a DataNode writes for us, with Hadoop's own client, which outlives other DataNodes.
    WebHdfs,
    /// By the client library only, which does not: a blob is then written again, with fewer replicas if need be.
    Native,
}

/// Where the cluster is and how to speak to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HdfsConfig {
    /// The store's name.
    pub name: StoreName,
    /// The folder everything of the store lies in, absolute, such as `/campusdisk`. Made when it is missing.
    pub root: String,
    /// The NameNode or name service, such as `hdfs://namenode:8020`; `None` means `fs.defaultFS` of the configuration.
    pub url: Option<String>,
    /// A folder with `core-site.xml` and `hdfs-site.xml`; `None` means that of `HADOOP_CONF_DIR` or `HADOOP_HOME`.
    pub conf_dir: Option<PathBuf>,
    /// Hadoop settings that go before those of the folder.
    pub options: Vec<(String, String)>,
    /// Whose files these are; `None` means whom Hadoop would take (`HADOOP_USER_NAME`, or the process's own user).
    pub user: Option<String>,
    /// Who we are to a cluster with Kerberos, such as `campusdisk@CAMPUS.EXAMPLE`; goes with `keytab`. `None` means whom the
    /// process's own tickets name (`kinit`, `KRB5CCNAME`).
    pub principal: Option<String>,
    /// The file with the keys of `principal`. Tickets are got with them and renewed, and kept in memory.
    pub keytab: Option<PathBuf>,
    /// How many replicas a block has; `None` means the cluster's default.
    pub replication: Option<u32>,
    /// The block size of new files, which is also the size uploads are cut to. Default 128 MiB.
    pub block_size_bytes: u64,
    /// How much of a span is asked for at once, at most. One body holds up to this in memory; of whoever takes less than 8 MiB/s,
    /// 384 KiB. Default 4 MiB.
    pub window_bytes: u64,
    /// How long one call of the NameNode may take. Default 10 s.
    pub rpc_timeout: Duration,
    /// How long nothing may come while reading, before the file is opened again. Default 5 s.
    pub read_gap: Duration,
    /// How long nothing may move while writing, before it is looked who hangs. Default 20 s.
    pub write_gap: Duration,
    /// How blobs are written. Default [`WritePath::Auto`].
    pub write_path: WritePath,
    /// Whether the blocks of a blob are on the disks of their DataNodes before it is committed. Without that they may be in the page
    /// caches of all of them when the power goes, unless the cluster is told otherwise (`dfs.datanode.synconclose`), as with Hadoop's
    /// own tools; uploads are faster. The client library always asks for it. Default yes.
    pub sync_blocks: bool,
    /// HTTP addresses of the NameNodes, such as `http://namenode:9870`; when empty, those of the configuration, or port 9870
    /// of the `url`.
    pub web_urls: Vec<String>,
    /// How long a DataNode that failed is not asked to write: at least as long as the NameNode takes to declare it dead.
    /// Default 11 min; with Hadoop's defaults that takes 10.5 min.
    pub avoid_for: Duration,
    /// Whether deleted blobs go to the trash of the user, `.Trash` in its home folder, as with Hadoop's own shell. There they take room
    /// until the NameNode empties it. When that is, and whether there is a trash at all, says the cluster's `fs.trash.interval`; a
    /// store whose cluster keeps none is refused when it claims its root. Default no.
    pub trash: bool,
    /// Where blobs lie until the cluster has them, one part of an upload each; made when missing. Default: the system's
    /// folder for temporary files.
    pub spool_dir: PathBuf,
}

impl HdfsConfig {
    /// The defaults for the folder `root`.
    pub fn new(name: StoreName, root: impl Into<String>) -> Self {
        Self {
            name,
            root: root.into(),
            url: None,
            conf_dir: None,
            options: Vec::new(),
            user: None,
            principal: None,
            keytab: None,
            replication: None,
            block_size_bytes: 128 * MIB,
            window_bytes: 4 * MIB,
            rpc_timeout: Duration::from_secs(10),
            read_gap: Duration::from_secs(5),
            write_gap: Duration::from_secs(20),
            write_path: WritePath::Auto,
            sync_blocks: true,
            web_urls: Vec::new(),
            avoid_for: Duration::from_secs(11 * 60),
            trash: false,
            spool_dir: std::env::temp_dir(),
        }
    }

    /// Sets the NameNode or name service.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Sets the folder with `core-site.xml` and `hdfs-site.xml`.
    #[must_use]
    pub fn with_conf_dir(mut self, conf_dir: impl Into<PathBuf>) -> Self {
        self.conf_dir = Some(conf_dir.into());
        self
    }

    /// Adds a Hadoop setting.
    #[must_use]
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Sets whose files these are.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets who we are to a cluster with Kerberos, and the file with the keys.
    #[must_use]
    pub fn with_keytab(mut self, principal: impl Into<String>, keytab: impl Into<PathBuf>) -> Self {
        self.principal = Some(principal.into());
        self.keytab = Some(keytab.into());
        self
    }

    /// Sets how many replicas a block has.
    #[must_use]
    pub fn with_replication(mut self, replication: u32) -> Self {
        self.replication = Some(replication);
        self
    }

    /// Sets the block size of new files.
    #[must_use]
    pub fn with_block_size_bytes(mut self, block_size_bytes: u64) -> Self {
        self.block_size_bytes = block_size_bytes;
        self
    }

    /// Sets how blobs are written.
    #[must_use]
    pub fn with_write_path(mut self, write_path: WritePath) -> Self {
        self.write_path = write_path;
        self
    }

    /// Sets whether blocks are on disks before a blob is committed.
    #[must_use]
    pub fn with_sync_blocks(mut self, sync_blocks: bool) -> Self {
        self.sync_blocks = sync_blocks;
        self
    }

    /// Sets whether deleted blobs go to the trash of the user.
    #[must_use]
    pub fn with_trash(mut self, trash: bool) -> Self {
        self.trash = trash;
        self
    }

    /// Sets where blobs lie until the cluster has them.
    #[must_use]
    pub fn with_spool_dir(mut self, spool_dir: impl Into<PathBuf>) -> Self {
        self.spool_dir = spool_dir.into();
        self
    }

    /// Sets the HTTP addresses of the NameNodes.
    #[must_use]
    pub fn with_web_urls(mut self, web_urls: Vec<String>) -> Self {
        self.web_urls = web_urls;
        self
    }

    /// Refuses what HDFS would refuse later, or what would make blobs land where nobody looks.
    pub(crate) fn check(&self) -> Result<()> {
        let folder = |folder: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=');
            !folder.is_empty() && folder != "." && folder != ".." && folder.bytes().all(plain)
        };
        let absolute = self.root.strip_prefix('/');
        if !absolute.is_some_and(|folders| folders.split('/').all(folder)) {
            return Err(Error::invalid(
                "root",
                "a root is / and folders of A-Z a-z 0-9 . - _ = with one / between them, such as /campusdisk",
            ));
        }
        match (&self.principal, &self.keytab) {
            (Some(principal), _) if principal.trim().is_empty() => {
                return Err(Error::invalid(
                    "principal",
                    "a principal is such as campusdisk@CAMPUS.EXAMPLE",
                ));
            }
            (Some(_), None) => {
                return Err(Error::invalid(
                    "keytab",
                    "goes with principal: give both or neither",
                ));
            }
            (None, Some(_)) => {
                return Err(Error::invalid(
                    "principal",
                    "goes with keytab: give both or neither",
                ));
            }
            _ => {}
        }
        if self.block_size_bytes < MIB || !self.block_size_bytes.is_multiple_of(CHUNK_BYTES) {
            return Err(Error::invalid(
                "block_size_bytes",
                "a block has at least 1 MiB and whole chunks of 512 bytes",
            ));
        }
        if self.window_bytes == 0 {
            return Err(Error::invalid("window_bytes", "a window has at least one byte"));
        }
        let web_url = |url: &String| {
            let http = url.starts_with("http://") || url.starts_with("https://");
            http && url
                .parse::<reqwest::Url>()
                .is_ok_and(|url| url.has_host() && url.query().is_none())
        };
        if !self.web_urls.iter().all(web_url) {
            return Err(Error::invalid(
                "web_urls",
                "an HTTP address of a NameNode is such as http://namenode:9870",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(root: &str) -> HdfsConfig {
        HdfsConfig::new(StoreName::parse("primary").unwrap(), root)
    }

    #[test]
    fn a_root_that_hdfs_would_refuse_or_move_is_refused() {
        for root in [
            "",
            "/",
            "campusdisk",
            "/a/",
            "//a",
            "/a/../b",
            "/a:b",
            "/user name",
        ] {
            let error = config(root).check().unwrap_err();
            assert_eq!(error.field(), Some("root"), "{root}");
        }
        config("/data/hall-1").check().unwrap();
    }

    #[test]
    fn an_http_address_has_scheme_and_host() {
        for url in [
            "namenode:9870",
            "hdfs://namenode:8020",
            "http://",
            "http://a/?op=x",
        ] {
            let config = config("/a").with_web_urls(vec![url.to_owned()]);
            assert_eq!(config.check().unwrap_err().field(), Some("web_urls"), "{url}");
        }
        let urls = vec!["http://a:9870".to_owned(), "https://gate/hdfs".to_owned()];
        config("/a").with_web_urls(urls).check().unwrap();
    }

    #[test]
    fn a_principal_and_its_keytab_go_together() {
        let field = |config: HdfsConfig| config.check().unwrap_err().field();
        let mut alone = config("/a");
        alone.principal = Some("portal@CAMPUS.EXAMPLE".to_owned());
        assert_eq!(field(alone), Some("keytab"));
        let mut alone = config("/a");
        alone.keytab = Some(PathBuf::from("/etc/portal.keytab"));
        assert_eq!(field(alone), Some("principal"));
        assert_eq!(
            field(config("/a").with_keytab(" ", "/etc/portal.keytab")),
            Some("principal")
        );
        let both = config("/a").with_keytab("portal@CAMPUS.EXAMPLE", "/etc/portal.keytab");
        both.check().unwrap();
    }

    #[test]
    fn a_block_is_made_of_whole_chunks() {
        for block_size_bytes in [4096, (1 << 20) + 1] {
            let config = config("/a").with_block_size_bytes(block_size_bytes);
            assert_eq!(config.check().unwrap_err().field(), Some("block_size_bytes"));
        }
    }
}
