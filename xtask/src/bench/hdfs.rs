//! Files on HDFS, beside WebHDFS by curl, the bare client, and Hadoop's own command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::hall::{Hall, Store};
use super::report::Comparison;
use super::slow::Readers;
use super::{Setting, downloads, load, room, uploads};
use crate::{command, services};

/// The block size of the store, which rivals have too.
const BLOCK_BYTES: u64 = 128 << 20;

/// That of the cluster.
const REPLICATION: u64 = 3;

const SLOW: Readers = Readers {
    count: 200,
    rate_bytes: 64 << 10,
    seconds: 20,
};

/// The most memory that the hall may have had resident after all of this.
const MOST_MEGABYTES: f64 = 300.0;

pub(crate) fn measure(setting: &Setting<'_>) -> Result<Vec<Comparison>> {
    let cluster = Cluster::of(setting)?;
    let folder = setting.bed.folder("hall-hdfs")?;
    let hall = Hall::start(
        &setting.programs.hall,
        &folder,
        "hdfs",
        true,
        Some(&cluster.store("/bench", true)),
    )?;
    let file = downloads::large(setting)?;
    let url = hall.put("large", &file)?;
    let mut comparisons = download(setting, &cluster, &hall, &url)?;
    comparisons.extend(upload(setting, &cluster, &hall, &file)?);
    comparisons.push(slow_readers(&hall, &url)?);
    drop(hall);
    comparisons.extend(upload_unsynced(setting, &cluster, &file)?);
    Ok(comparisons)
}

fn download(setting: &Setting<'_>, cluster: &Cluster, hall: &Hall, url: &str) -> Result<Vec<Comparison>> {
    let file = downloads::large(setting)?;
    cluster.raw(&["put", &cluster.conf_dir, RIVALS_FILE], Some(&file))?;
    let bytes = setting.large_bytes();
    let by_web = || load::download(&cluster.location("GET", "OPEN", RIVALS_FILE)?, None, bytes);
    let by_client = || cluster.raw(&["get", &cluster.conf_dir, RIVALS_FILE], None);
    // Both from the page cache, by JVMs that have compiled what they need.
    load::download(url, hall.authorization(), bytes)?;
    by_web()?;
    let comparisons = setting.compare_all(
        "download of 1 GiB from HDFS, one curl",
        "MB/s",
        ("hall", &|| load::download(url, hall.authorization(), bytes)),
        &[
            (1.5, ("WebHDFS OPEN by curl", &by_web)),
            (0.9, ("bare hdfs-native, ranges of 4 MiB", &by_client)),
        ],
    );
    let used_bytes = room::used_bytes(&cluster.home)?;
    cluster.delete(RIVALS_FILE)?;
    room::await_free(&cluster.home, used_bytes - REPLICATION * bytes)?;
    comparisons
}

fn upload(setting: &Setting<'_>, cluster: &Cluster, hall: &Hall, file: &Path) -> Result<Vec<Comparison>> {
    let digest = uploads::sha256(file)?;
    setting.compare_all(
        "upload of 1 GiB to HDFS, one tus PATCH, replication 3, hashed and synced",
        "MB/s",
        ("hall", &|| uploads::hall_patch(setting, hall, file, &digest)),
        &[
            (
                0.9,
                ("bare hdfs-native, synced", &|| {
                    cluster.put(&|| cluster.raw(&["put", &cluster.conf_dir, RIVALS_FILE], Some(file)))
                }),
            ),
            (
                0.9,
                ("WebHDFS CREATE by curl, synced", &|| {
                    cluster.put(&|| cluster.web_put(file, "&createflag=CREATE,SYNC_BLOCK"))
                }),
            ),
        ],
    )
}

/// Beside those who leave it to the operating system when bytes reach a disk, which in a run as short as this is after it.
fn upload_unsynced(setting: &Setting<'_>, cluster: &Cluster, file: &Path) -> Result<Vec<Comparison>> {
    let folder = setting.bed.folder("hall-hdfs-unsynced")?;
    let store = cluster.store("/bench-unsynced", false);
    let hall = Hall::start(
        &setting.programs.hall,
        &folder,
        "hdfs-unsynced",
        true,
        Some(&store),
    )?;
    let digest = uploads::sha256(file)?;
    setting.compare_all(
        "upload of 1 GiB to HDFS, one tus PATCH, replication 3, hashed and not synced",
        "MB/s",
        ("hall, sync_blocks = false", &|| {
            uploads::hall_patch(setting, &hall, file, &digest)
        }),
        &[
            (
                0.9,
                ("WebHDFS CREATE by curl, not synced", &|| {
                    cluster.put(&|| cluster.web_put(file, ""))
                }),
            ),
            (
                1.3,
                ("hdfs dfs -put, not synced", &|| {
                    cluster.put(&|| cluster.shell_put(file, RIVALS_FILE))
                }),
            ),
        ],
    )
}

fn slow_readers(hall: &Hall, url: &str) -> Result<Comparison> {
    SLOW.get(url, hall.authorization())?;
    let comparison = Comparison {
        name: format!(
            "resident memory at its peak, after all of the above on HDFS and {} readers of 64 KiB/s \
             (a ceiling: the ratio is ceiling to peak)",
            SLOW.count
        ),
        unit: "MB",
        hall: ("allowed".to_owned(), vec![MOST_MEGABYTES]),
        rival: ("hall".to_owned(), vec![hall.peak_megabytes()?]),
        least_ratio: 1.0,
    };
    println!("{}", comparison.line());
    Ok(comparison)
}

const RIVALS_FILE: &str = "/bench-rivals";

/// The cluster, and how rivals use it.
struct Cluster {
    url: String,
    http: String,
    conf_dir: String,
    home: PathBuf,
    /// Who started it, and so may do anything.
    user: String,
    raw: PathBuf,
}

impl Cluster {
    fn of(setting: &Setting<'_>) -> Result<Self> {
        let conf_dir = setting.endpoint("/hdfs/conf_dir")?;
        let home = Path::new(&conf_dir)
            .parent()
            .context("the configuration lies in a folder")?;
        Ok(Self {
            url: setting.endpoint("/hdfs/url")?,
            http: setting.endpoint("/hdfs/http")?,
            home: home.to_path_buf(),
            user: command::output_of(Command::new("id").arg("-un"))?
                .trim()
                .to_owned(),
            raw: setting.programs.hdfs_raw.clone(),
            conf_dir,
        })
    }

    fn store(&self, root: &str, sync_blocks: bool) -> Store {
        let (url, conf_dir) = (&self.url, &self.conf_dir);
        Store {
            section: format!(
                "[stores.primary]\nkind = \"hdfs\"\nroot = \"{root}\"\nurl = \"{url}\"\nconf_dir = \"{conf_dir}\"\n\
                 sync_blocks = {sync_blocks}\n"
            ),
            folder: self.home.clone(),
        }
    }

    /// Measures how a rival puts its file, which is taken away again.
    fn put(&self, put: &dyn Fn() -> Result<f64>) -> Result<f64> {
        room::measured(&self.home, put, &|| self.delete(RIVALS_FILE))
    }

    /// MB/s of WebHDFS, with more flags.
    fn web_put(&self, file: &Path, flags: &str) -> Result<f64> {
        let create = format!("CREATE&blocksize={BLOCK_BYTES}{flags}");
        let place = self.location("PUT", &create, RIVALS_FILE)?;
        let content = ["Content-Type: application/octet-stream"];
        load::upload("PUT", &place, None, &content, file, "201")
    }

    /// MB/s of the bare client.
    fn raw(&self, words: &[&str], file: Option<&Path>) -> Result<f64> {
        let mut raw = Command::new(&self.raw);
        raw.args(words).args(file);
        load::figure(&mut raw)
    }

    /// The DataNode to which the NameNode sends a client.
    fn location(&self, method: &str, operation: &str, path: &str) -> Result<String> {
        let url = format!(
            "{}/webhdfs/v1{path}?op={operation}&user.name={}",
            self.http, self.user
        );
        let answer = load::headers_of(method, &url, None, &[])?;
        let place = load::header(&answer, "Location").with_context(|| format!("no Location in {answer}"))?;
        Ok(place.to_owned())
    }

    fn delete(&self, path: &str) -> Result<()> {
        let url = format!("{}/webhdfs/v1{path}?op=DELETE&user.name={}", self.http, self.user);
        load::body_of("DELETE", &url, None).map(drop)
    }

    /// MB/s of Hadoop's own command, with the start of its JVM, as whoever types it waits for that too.
    fn shell_put(&self, file: &Path, path: &str) -> Result<f64> {
        let mut shell = services::hadoop_shell(Path::new(&self.conf_dir))?;
        shell.arg("-D").arg(format!("dfs.blocksize={BLOCK_BYTES}"));
        shell.arg("-put").arg(file).arg(path);
        let started = Instant::now();
        command::output_of(&mut shell)?;
        Ok(file.metadata()?.len() as f64 / 1e6 / started.elapsed().as_secs_f64())
    }
}
