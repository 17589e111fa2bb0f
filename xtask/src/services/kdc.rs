//! A Kerberos realm of a service's own: its KDC, on the loopback address, and keytabs. Nothing of it lies outside the folder.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::process::Daemon;
use crate::provision::apt::{self, Program};
use crate::{command, net};

pub(super) const REALM: &str = "CAMPUS.EXAMPLE";

/// A realm whose KDC nobody runs, and one for whose KDC a test may listen.
pub(super) const AWAY: &str = "AWAY.EXAMPLE";
pub(super) const SILENT: &str = "SILENT.EXAMPLE";

/// Nobody runs the discard service.
const NOBODYS_PORT: u16 = 9;

/// Names the file that tells every program of Kerberos where the realm is.
pub(super) const CONF_ENV: &str = "KRB5_CONFIG";
pub(super) const CONF: &str = "krb5.conf";

const READY_LIMIT: Duration = Duration::from_secs(30);
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
const KDC: &str = "krb5kdc";
const DATABASE: &str = "kdb5_util";
const ADMIN: &str = "kadmin.local";
const PROGRAMS: [Program; 3] = [
    Program::new(KDC, "Kerberos", Some("krb5-kdc")),
    Program::new(DATABASE, "Kerberos", Some("krb5-kdc")),
    Program::new(ADMIN, "Kerberos", Some("krb5-admin-server")),
];

/// Gets the programs. The library that clients load comes with them.
///
/// # Errors
/// Where they can't be installed.
pub(super) fn provision() -> Result<()> {
    apt::ensure(&PROGRAMS)
}

/// The realm.
#[derive(Debug)]
pub(super) struct Kdc {
    home: PathBuf,
    port: u16,
    silent_port: u16,
}

impl Kdc {
    /// Makes the realm, without anybody in it.
    pub(super) fn make(home: &Path) -> Result<Self> {
        let kdc = Self {
            home: home.to_path_buf(),
            port: net::free_port()?,
            silent_port: net::free_port()?,
        };
        fs::write(kdc.conf(), kdc.client_text())?;
        fs::write(kdc.server_conf(), kdc.server_text())?;
        let words = ["create", "-s", "-r", REALM, "-P", "of-a-test"];
        kdc.run(DATABASE, &words, "kdc-create.log")?;
        Ok(kdc)
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Where the KDC of [`SILENT`] would be, as `IP:port`.
    pub(super) fn silent(&self) -> String {
        local(self.silent_port)
    }

    pub(super) fn conf(&self) -> PathBuf {
        self.home.join(CONF)
    }

    /// Adds somebody, whose tickets last as long as `life` says where it does, such as `20 seconds`.
    pub(super) fn add(&self, name: &str, life: Option<&str>) -> Result<()> {
        let life = life.map_or_else(String::new, |life| format!(" -maxlife \"{life}\""));
        self.ask(&format!("addprinc -randkey{life} {name}"))
    }

    /// Gives somebody new keys, and writes them into the keytab of this name as well; keys of before count no more.
    pub(super) fn write_keytab(&self, name: &str, keytab: &str) -> Result<PathBuf> {
        let path = self.home.join(keytab);
        self.ask(&format!("ktadd -k {} {name}", path.display()))?;
        // The administrator's program ends well whatever came of it.
        fs::metadata(&path).with_context(|| format!("{name} got no keytab, see kdc-admin.log"))?;
        Ok(path)
    }

    /// Starts it, and waits until it serves.
    pub(super) fn start(&self) -> Result<Daemon> {
        let daemon = Daemon::new("kdc", &self.home)
            .with_env(CONF_ENV, self.conf().display().to_string())
            .with_env("KRB5_KDC_PROFILE", self.server_conf().display().to_string())
            .with_args([apt::program(KDC)?.display().to_string(), "-n".to_owned()]);
        daemon.start()?;
        let ready = || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
        net::wait_ready("the KDC", READY_LIMIT, ready, || daemon.check_alive())?;
        Ok(daemon)
    }

    fn ask(&self, query: &str) -> Result<()> {
        self.run(ADMIN, &["-r", REALM, "-q", query], "kdc-admin.log")
    }

    fn run(&self, program: &str, words: &[&str], log: &str) -> Result<()> {
        let mut command = Command::new(apt::program(program)?);
        command
            .args(words)
            .env(CONF_ENV, self.conf())
            .env("KRB5_KDC_PROFILE", self.server_conf());
        command::run_logged(command, &self.home.join(log), COMMAND_LIMIT)
    }

    fn server_conf(&self) -> PathBuf {
        self.home.join("kdc.conf")
    }

    /// Names are taken as they are: this machine's may mean anything, and there need be no DNS. By TCP alone, a KDC that is
    /// not there is known at once. Tickets that somebody has on this machine are none of ours.
    fn client_text(&self) -> String {
        let realm = |realm: &str, port: u16| format!(" {realm} = {{\n  kdc = {}\n }}\n", local(port));
        format!(
            "[libdefaults]\n default_realm = {REALM}\n default_ccache_name = FILE:{}\n dns_lookup_kdc = false\n \
             dns_lookup_realm = false\n dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n\
             [realms]\n{}{}{}",
            self.home.join("tickets").display(),
            realm(REALM, self.port),
            realm(AWAY, NOBODYS_PORT),
            realm(SILENT, self.silent_port),
        )
    }

    fn server_text(&self) -> String {
        let file = |name: &str| self.home.join(name).display().to_string();
        format!(
            "[realms]\n {REALM} = {{\n  database_name = {}\n  key_stash_file = {}\n  acl_file = {}\n  \
             kdc_listen = \"\"\n  kdc_tcp_listen = {}\n }}\n[logging]\n kdc = STDERR\n",
            file("kdc-database"),
            file("kdc-stash"),
            file("kdc-acl"),
            local(self.port)
        )
    }
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
