//! radosgw: Ceph's S3 server, over a monitor and one OSD that keeps everything in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::process::Daemon;
use super::{Purpose, Service, versitygw};
use crate::provision::apt;
use crate::{command, net};

const STEP_LIMIT: Duration = Duration::from_secs(60);
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How much the OSD says it can hold; it takes what is stored, and no more.
const STORE_BYTES: u64 = 4 << 30;

/// Of the cluster and of its OSD. Each cluster is alone on its ports, so they need not differ.
const CLUSTER_ID: &str = "9f7d3c52-5a1e-4c0b-8f7a-2d1c6e8b4a10";
const OSD_ID: &str = "1b0e7a64-3c9d-4f25-9a6b-7e5d2f8c4b31";

/// The second S3 server of every run: what S3 leaves open, it answers otherwise than the first.
#[derive(Debug)]
pub(super) struct RadosGw;

impl Service for RadosGw {
    fn name(&self) -> &'static str {
        "radosgw"
    }

    fn title(&self) -> String {
        // `ceph version 16.2.15 (…) pacific (stable)`
        let said = apt::program("radosgw")
            .and_then(|path| command::output_of(Command::new(path).arg("--version")))
            .unwrap_or_default();
        let version = said.split_whitespace().nth(2).unwrap_or_default();
        format!("radosgw {version}").trim_end().to_owned()
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["s3", "radosgw"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::Tests
    }

    fn provision(&self) -> Result<()> {
        apt::ensure(&apt::CEPH)
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let cluster = Cluster::plan(home)?;
        fs::write(cluster.conf(), cluster.configuration())?;
        for folder in ["mon", "osd", "rgw"] {
            fs::create_dir_all(home.join(folder))?;
        }
        let mut alive = vec![cluster.start_monitor()?];
        alive.push(cluster.start_osd(&alive)?);
        let gateway = Daemon::new("radosgw", home)
            .with_args(cluster.words("radosgw")?)
            .with_args(["-f", "-n", "client.rgw.a"]);
        gateway.start()?;
        alive.push(gateway.clone());
        let endpoint = format!("http://127.0.0.1:{}", cluster.http);
        net::wait_ready(
            "radosgw",
            READY_LIMIT,
            || net::http_get(&endpoint).is_some(),
            || alive.iter().try_for_each(Daemon::check_alive),
        )?;
        let keys = [
            ("--access-key", versitygw::ACCESS_KEY),
            ("--secret-key", versitygw::SECRET_KEY),
        ];
        let keys = keys.iter().flat_map(|(name, key)| [*name, *key]);
        let user = ["user", "create", "--uid=lab", "--display-name=lab"];
        cluster.run("radosgw-admin", user.into_iter().chain(keys))?;
        Ok(json!({
            "endpoint": endpoint,
            "access_key": versitygw::ACCESS_KEY,
            "secret_key": versitygw::SECRET_KEY,
            "region": "us-east-1",
            "pid_file": gateway.pid_file(),
            "start": gateway.start_command(),
        }))
    }
}

#[derive(Debug)]
struct Cluster {
    home: PathBuf,
    monitor: u16,
    monitor_v1: u16,
    /// The OSD binds several ports from here on.
    osd: u16,
    http: u16,
}

impl Cluster {
    fn plan(home: &Path) -> Result<Self> {
        Ok(Self {
            home: home.to_path_buf(),
            monitor: net::free_port()?,
            monitor_v1: net::free_port()?,
            osd: net::free_port()?,
            http: net::free_port()?,
        })
    }

    fn conf(&self) -> PathBuf {
        self.home.join("ceph.conf")
    }

    fn addresses(&self) -> String {
        format!("[v2:127.0.0.1:{},v1:127.0.0.1:{}]", self.monitor, self.monitor_v1)
    }

    fn configuration(&self) -> String {
        let home = self.home.display();
        format!(
            "[global]
fsid = {CLUSTER_ID}
mon host = {addresses}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = {osd}
ms bind port max = {osd_last}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {STORE_BYTES}
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 1
# Each of the gateway's pools is a round of the monitor, which takes seconds by default.
paxos propose interval = 0.05
paxos min wait = 0.01
mon tick interval = 1
run dir = {home}
# The path of a socket has a length limit; nobody asks there.
admin socket =
log file = {home}/$name.ceph.log
crash dir = {home}
[mon.a]
host = localhost
mon data = {home}/mon
mon addr = 127.0.0.1:{monitor_v1}
[osd.0]
host = localhost
osd data = {home}/osd
[client.rgw.a]
host = localhost
rgw data = {home}/rgw
# Its own default, encryption, needs keys, which this cluster has none of.
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:{http}
rgw dns name = localhost
rgw dynamic resharding = false
# What was deleted is kept for two hours by default, and fills the store.
rgw gc obj min wait = 5
rgw gc processor period = 5
",
            addresses = self.addresses(),
            osd = self.osd,
            osd_last = self.osd + 200,
            monitor_v1 = self.monitor_v1,
            http = self.http,
        )
    }

    fn start_monitor(&self) -> Result<Daemon> {
        let (map, data) = (self.home.join("monmap"), self.home.join("mon"));
        let (map, data) = (map.display().to_string(), data.display().to_string());
        let addresses = self.addresses();
        self.run(
            "monmaptool",
            ["--create", "--fsid", CLUSTER_ID, "--addv", "a", &addresses, &map],
        )?;
        self.run(
            "ceph-mon",
            ["--mkfs", "-i", "a", "--monmap", &map, "--mon-data", &data],
        )?;
        let monitor = Daemon::new("mon", &self.home)
            .with_args(self.words("ceph-mon")?)
            .with_args(["-f", "-i", "a"]);
        monitor.start()?;
        // Waits for the monitor, too.
        self.run("ceph", ["--connect-timeout", "30", "osd", "new", OSD_ID, "0"])
            .with_context(|| format!("its log:\n{}", command::tail(&monitor.log())))?;
        Ok(monitor)
    }

    fn start_osd(&self, alive: &[Daemon]) -> Result<Daemon> {
        let data = self.home.join("osd").display().to_string();
        self.run(
            "ceph-osd",
            ["-i", "0", "--mkfs", "--osd-uuid", OSD_ID, "--osd-data", &data],
        )?;
        let osd = Daemon::new("osd", &self.home)
            .with_args(self.words("ceph-osd")?)
            .with_args(["-f", "-i", "0"]);
        osd.start()?;
        let ask = self.words("ceph")?;
        let is_up = || {
            let mut ceph = Command::new(&ask[0]);
            ceph.args(&ask[1..]).args(["osd", "stat"]);
            command::output_of(&mut ceph).is_ok_and(|said| said.contains("1 up"))
        };
        net::wait_ready("Ceph's OSD", READY_LIMIT, is_up, || {
            alive.iter().chain([&osd]).try_for_each(Daemon::check_alive)
        })?;
        Ok(osd)
    }

    /// Runs one of Ceph's programs on this cluster to its end.
    fn run<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let words = self.words(program)?;
        let mut ceph = Command::new(&words[0]);
        ceph.args(&words[1..]).args(args);
        command::run_logged(ceph, &self.home.join(format!("{program}.log")), STEP_LIMIT)
    }

    /// What a command of one of Ceph's programs begins with.
    fn words(&self, program: &str) -> Result<Vec<String>> {
        let conf = self.conf();
        Ok(vec![
            apt::program(program)?.display().to_string(),
            "-c".to_owned(),
            conf.display().to_string(),
        ])
    }
}
