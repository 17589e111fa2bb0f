//! The HDFS cluster of the benches, and how rivals use it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::hall::Store;
use super::setting::Setting;
use super::{load, room};
use crate::{command, services};

/// The block size of the store, which rivals have too.
const BLOCK_BYTES: u64 = 128 << 20;

/// The file that rivals write and read.
pub(crate) const RIVALS_FILE: &str = "/bench-rivals";

/// The cluster, and how rivals use it.
pub(crate) struct Cluster {
    url: String,
    http: String,
    pub(crate) conf_dir: String,
    /// Where its DataNodes keep their blocks.
    pub(crate) home: PathBuf,
    /// Who started it, and so may do anything.
    user: String,
    raw: PathBuf,
}

impl Cluster {
    pub(crate) fn of(setting: &Setting<'_>) -> Result<Self> {
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

    /// The store of a hall in the folder `root`.
    pub(crate) fn store(&self, root: &str, setting: &str) -> Store {
        let (url, conf_dir) = (&self.url, &self.conf_dir);
        Store {
            section: format!(
                "[stores.primary]\nkind = \"hdfs\"\nroot = \"{root}\"\nurl = \"{url}\"\nconf_dir = \"{conf_dir}\"\n\
                 {setting}\n"
            ),
            folder: self.home.clone(),
        }
    }

    /// Measures how a rival puts its file, which is taken away again.
    pub(crate) fn put(&self, put: &dyn Fn() -> Result<f64>) -> Result<f64> {
        room::measured(&self.home, put, &|| self.delete(RIVALS_FILE))
    }

    /// MB/s of WebHDFS, with more flags.
    pub(crate) fn web_put(&self, file: &Path, flags: &str) -> Result<f64> {
        let create = format!("CREATE&blocksize={BLOCK_BYTES}{flags}");
        let place = self.location("PUT", &create, RIVALS_FILE)?;
        let content = ["Content-Type: application/octet-stream"];
        load::upload("PUT", &place, None, &content, file, "201")
    }

    /// MB/s of the bare client: a verb, a path on the cluster, and perhaps a file of this machine.
    pub(crate) fn raw(&self, verb: &str, path: &str, file: Option<&Path>) -> Result<f64> {
        load::figure(self.raw_command(verb, path).args(file))
    }

    /// Files a second of the bare client, which opens and reads each of them, many at once.
    pub(crate) fn raw_each(&self, paths: &[String]) -> Result<f64> {
        let (first, rest) = paths.split_first().context("there are files to read")?;
        load::figure(self.raw_command("each", first).args(rest))
    }

    /// The files of `len_bytes` bytes below a folder that are written to their ends.
    pub(crate) fn files_of(&self, folder: &str, len_bytes: u64) -> Result<Vec<String>> {
        let listed = command::output_of(&mut self.raw_command("list", folder))?;
        let files = listed.lines().filter_map(|line| line.split_once(' '));
        let is_whole = |path: &str| !path.contains("/.writing/");
        let of_length = files.filter(|(length, path)| length.parse() == Ok(len_bytes) && is_whole(path));
        Ok(of_length.map(|(_, path)| path.to_owned()).collect())
    }

    fn raw_command(&self, verb: &str, path: &str) -> Command {
        let mut raw = Command::new(&self.raw);
        raw.args([verb, &self.conf_dir, path]);
        raw
    }

    /// The NameNode's address for an operation on a path.
    pub(crate) fn web(&self, operation: &str, path: &str) -> String {
        format!(
            "{}/webhdfs/v1{path}?op={operation}&user.name={}",
            self.http, self.user
        )
    }

    /// The DataNode to which the NameNode sends a client.
    pub(crate) fn location(&self, method: &str, operation: &str, path: &str) -> Result<String> {
        let answer = load::headers_of(method, &self.web(operation, path), None, &[])?;
        let place = load::header(&answer, "Location").with_context(|| format!("no Location in {answer}"))?;
        Ok(place.to_owned())
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        load::body_of("DELETE", &self.web("DELETE", path), None).map(drop)
    }

    /// MB/s of Hadoop's own command, with the start of its JVM, as whoever types it waits for that too.
    pub(crate) fn shell_put(&self, file: &Path, path: &str) -> Result<f64> {
        let mut shell = self.shell()?;
        shell.arg("-D").arg(format!("dfs.blocksize={BLOCK_BYTES}"));
        shell.arg("-put").arg(file).arg(path);
        timed(shell, file.metadata()?.len())
    }

    /// As [`shell_put`](Self::shell_put), for a file that is thrown away.
    pub(crate) fn shell_cat(&self, path: &str, len_bytes: u64) -> Result<f64> {
        let mut shell = self.shell()?;
        shell.args(["-cat", path]);
        timed(shell, len_bytes)
    }

    fn shell(&self) -> Result<Command> {
        services::hadoop_shell(Path::new(&self.conf_dir))
    }
}

fn timed(mut command: Command, len_bytes: u64) -> Result<f64> {
    let what = command::describe(&command);
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    let elapsed = started.elapsed();
    ensure!(
        output.status.success(),
        "{what} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(len_bytes as f64 / 1e6 / elapsed.as_secs_f64())
}
