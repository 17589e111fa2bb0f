//! Objects that others write, on this machine, a cluster or a bucket, and a hall that publishes them.

use std::fs;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::mount::Mount;
use campusdisk_core::storage::StoreName;
use campusdisk_core::{Error, ErrorKind, IdSource as _, RandomIds, Result};
use campusdisk_hdfs::{HdfsConfig, HdfsMount};
use campusdisk_local::LocalMount;
use campusdisk_s3::{S3Config, S3Mount};
use campusdisk_testkit::mount::MountHarness;
use hdfs_native::{Client, HdfsError, WriteOptions};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};

use crate::hdfs::client;
use crate::s3::S3Server;
use crate::services::{endpoint, text};
use crate::{Answer, Hall, sha256_hex};

fn name() -> StoreName {
    StoreName::parse("spark").expect("a name")
}

/// Somebody else's place, which a hall can mount.
pub trait Others: MountHarness {
    /// The hall's settings of the mount `spark`.
    fn settings(&self) -> String;
}

/// A folder of this machine that others write to.
#[derive(Debug)]
pub struct OthersFolder {
    folder: tempfile::TempDir,
    mount: LocalMount,
}

impl OthersFolder {
    /// An empty one.
    pub fn fresh() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mount = LocalMount::new(name(), folder.path());
        Self { folder, mount }
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }
}

fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "the other one failed").because(cause)
}

#[async_trait]
impl MountHarness for OthersFolder {
    fn mount(&self) -> Arc<dyn Mount> {
        Arc::new(self.mount.clone())
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let path = self.folder.path().join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(path, bytes).map_err(failed)
    }

    async fn delete(&self, path: &str) -> Result<()> {
        fs::remove_file(self.folder.path().join(path)).map_err(failed)
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        match fs::read(self.folder.path().join(path)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Others for OthersFolder {
    fn settings(&self) -> String {
        let path = self.folder.path().display();
        format!("\n[mounts.spark]\nkind = \"local\"\npath = \"{path}\"\n")
    }
}

/// A folder of the common cluster that others write to.
#[derive(Debug)]
pub struct OthersOnHdfs {
    root: String,
    mount: HdfsMount,
    client: Client,
}

impl OthersOnHdfs {
    /// An empty one.
    ///
    /// # Panics
    /// When the cluster is not running.
    pub fn fresh() -> Self {
        let root = format!("/others/case-{:032x}", RandomIds.random());
        let cluster = endpoint("/hdfs");
        let config = HdfsConfig::new(name(), &root)
            .with_url(text(&cluster, "url"))
            .with_conf_dir(text(&cluster, "conf_dir"));
        Self {
            mount: HdfsMount::connect(config).expect("a mount"),
            client: client(),
            root,
        }
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }
}

#[async_trait]
impl MountHarness for OthersOnHdfs {
    fn mount(&self) -> Arc<dyn Mount> {
        Arc::new(self.mount.clone())
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let options = WriteOptions::default().overwrite(true).block_size(4 << 20);
        let path = self.path(path);
        let mut file = self.client.create(&path, options).await.map_err(failed)?;
        file.write_bytes(bytes).await.map_err(failed)?;
        file.close().await.map_err(failed)
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let deleted = self.client.delete(&self.path(path), false).await;
        deleted.map(drop).map_err(failed)
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        match self.client.read(&self.path(path)).await {
            Ok(file) => {
                let bytes = file.read_range(0, file.file_length()).await;
                bytes.map(Some).map_err(failed)
            }
            Err(HdfsError::RPCError(class, _)) if class == "java.io.FileNotFoundException" => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Others for OthersOnHdfs {
    fn settings(&self) -> String {
        let cluster = endpoint("/hdfs");
        format!(
            "\n[mounts.spark]\nkind = \"hdfs\"\nroot = \"{}\"\nurl = \"{}\"\nconf_dir = \"{}\"\n",
            self.root,
            text(&cluster, "url"),
            text(&cluster, "conf_dir"),
        )
    }
}

/// A prefix of the common bucket of a server that others write to.
#[derive(Debug)]
pub struct OthersOnS3 {
    server: S3Server,
    config: S3Config,
    mount: S3Mount,
}

impl OthersOnS3 {
    /// An empty one.
    ///
    /// # Panics
    /// When the server is not running.
    pub async fn fresh(server: &str) -> Self {
        let server = S3Server::find(server).await;
        let mut config = server.config();
        config.name = name();
        Self {
            mount: S3Mount::connect(config.clone()).expect("a mount"),
            config,
            server,
        }
    }

    fn path(&self, path: &str) -> Path {
        let whole = format!("{}/{path}", self.config.prefix);
        Path::parse(whole).expect("a path")
    }
}

#[async_trait]
impl MountHarness for OthersOnS3 {
    fn mount(&self) -> Arc<dyn Mount> {
        Arc::new(self.mount.clone())
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(path);
        let put = self.server.amazon().put(&path, PutPayload::from(bytes));
        put.await.map(drop).map_err(failed)
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.server
            .amazon()
            .delete(&self.path(path))
            .await
            .map_err(failed)
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        match self.server.amazon().get(&self.path(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Others for OthersOnS3 {
    fn settings(&self) -> String {
        let (access_key_id, secret_access_key) = self.server.keys();
        format!(
            "\n[mounts.spark]\nkind = \"s3\"\nbucket = \"{}\"\nendpoint = \"http://{}\"\nregion = \"{}\"\nprefix = \"{}\"\n\
             access_key_id = \"{access_key_id}\"\nsecret_access_key = \"{secret_access_key}\"\nallow_http = true\n",
            self.config.bucket,
            self.server.address(),
            self.config.region,
            self.config.prefix,
        )
    }
}

/// What a hall does with a mount, from the first look to the last: publishing, reading, changes by others, publishing again, letting go.
///
/// # Panics
/// When something is not as it must be.
pub async fn publish_and_let_go(others: &dyn Others) {
    let long = crate::pattern(3_000_000, 1);
    let short = Bytes::from_static("学号,成绩\n1,95\n".as_bytes());
    let write =
        async |path: &str, bytes: &Bytes| others.write(path, bytes.clone()).await.expect("it is written");
    write("job/grades/张三.csv", &short).await;
    write("job/grades/lecture.bin", &long.clone().into()).await;
    write("job/_SUCCESS", &Bytes::new()).await;
    write("other/f", &short).await;
    let hall = Hall::start_with(&others.settings()).await;
    let ada = hall.account("ada");
    let home = ada.root().await;
    let drive = ada.own_drive().await["id"].as_str().expect("an id").to_owned();

    let said = hall.done(&["check-config"], "");
    assert!(said.contains("found an object and read it"), "{said}");
    let said = hall.done(&["mount", "list", "spark", "--under", "job"], "");
    assert!(
        said.contains("job/grades/张三.csv") && !said.contains("other/f"),
        "{said}"
    );
    let publish = [
        "mount",
        "publish",
        "spark",
        "--under",
        "job",
        "--into",
        "2026",
        "--drive",
        &drive,
        "--account",
        "ada",
    ];
    let said = hall.done(&[&publish[..], &["--dry-run"]].concat(), "");
    assert!(said.ends_with("2 would be, 1 hidden"), "{said}");
    assert!(ada.names(&home).await.is_empty());
    let said = hall.done(&publish, "");
    assert!(said.ends_with("2 new, 1 hidden"), "{said}");
    let said = hall.done(&publish, "");
    assert_eq!(said, "2 unchanged, 1 hidden");

    let at = async |folder: &str, name: &str| {
        let listed = ada
            .get(&format!("/api/v1/nodes/{folder}/children"))
            .await
            .expect(200);
        let items = listed.json()["items"].as_array().cloned().unwrap_or_default();
        let found = items.into_iter().find(|item| item["name"] == name);
        let id = found.and_then(|item| item["id"].as_str().map(str::to_owned));
        id.expect("it is there")
    };
    let year = at(&home, "2026").await;
    let grades = at(&year, "grades").await;
    let (csv, lecture) = (at(&grades, "张三.csv").await, at(&grades, "lecture.bin").await);
    let content = |node: &str| format!("/api/v1/nodes/{node}/content");
    let read = async |node: &str| ada.get(&content(node)).await;
    assert_eq!(read(&csv).await.expect(200).body, short);
    assert_eq!(
        sha256_hex(&read(&lecture).await.expect(200).body),
        sha256_hex(&long)
    );
    let part = [("range", "bytes=1000000-2000000")];
    let part = ada.get_with(&content(&lecture), &part).await.expect(206);
    assert!(
        part.body == long[1_000_000..=2_000_000],
        "the range has other bytes"
    );
    let verified = hall.done(&["store", "verify", "--store", "spark"], "");
    assert!(verified.contains("\"spark\": 2 contents"), "{verified}");

    // Others write on, with as many bytes.
    let later: Bytes = crate::pattern(3_000_000, 2).into();
    write("job/grades/lecture.bin", &later).await;
    let is_changed = |answer: Answer| answer.expect_problem(409, "changed");
    is_changed(read(&lecture).await);
    is_changed(ada.get_with(&content(&lecture), &[("range", "bytes=5-9")]).await);
    assert_eq!(
        hall.done(&publish, "").lines().last(),
        Some("1 new version, 1 unchanged, 1 hidden")
    );
    // Another process published it: this one knows within a second.
    crate::wait::until("the new version is read", async || {
        let answer = read(&lecture).await;
        answer.status == 200 && sha256_hex(&answer.body) == sha256_hex(&later)
    })
    .await;
    others
        .delete("job/grades/lecture.bin")
        .await
        .expect("it is deleted");
    is_changed(read(&lecture).await);

    // What moves into a store is the hall's own, and stays. What is not as it was stays where it is not.
    let migrate = [
        "store", "migrate", "--from", "spark", "--to", "primary", "--drive", &drive,
    ];
    let said = hall.run(&migrate, "");
    assert!(
        !said.status.success() && said.out.contains(": 1 content\n"),
        "{said:?}"
    );
    assert!(said.err.contains("changed since it was published"), "{said:?}");
    others.delete("job/grades/张三.csv").await.expect("it is deleted");
    assert_eq!(read(&csv).await.expect(200).body, short);
    let onto = hall.run(&["store", "migrate", "--from", "primary", "--to", "spark"], "");
    assert!(onto.err.contains("is a mount"), "{onto:?}");

    // Files go; the objects are others'.
    write("job/grades/lecture.bin", &later).await;
    ada.delete(&format!("/api/v1/nodes/{year}")).await.expect(204);
    ada.delete("/api/v1/trash").await.expect(204);
    crate::wait::until("nothing lies in the mount any more", async || {
        hall.done(&["mount", "list"], "").contains("0 contents published")
    })
    .await;
    let planted = others
        .planted("job/grades/lecture.bin")
        .await
        .expect("it is found");
    assert_eq!(planted, Some(later));
    hall.done(&["check"], "");
}
