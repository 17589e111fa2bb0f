//! HDFS with Kerberos: as every run has it, but nobody is believed without a ticket, and blocks go with tokens and under SASL.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::hadoop::{self, DATA_NODES, Hadoop, Setting, VERSION, setting};
use super::kdc::{self, AWAY, Kdc, REALM, SILENT};
use super::{Purpose, Service};

/// Who asks the cluster for things.
const USER: &str = "portal";

/// Who does so with tickets that end soon, and when they do.
const HASTY: &str = "hasty";
const HASTY_LIFE_SECONDS: u32 = 15;

/// What the servers are called: the names of their users, and for HTTP the one that SPNEGO prescribes.
const SERVERS: [&str; 3] = ["nn/localhost", "dn/localhost", "HTTP/localhost"];

/// The cluster of the full run.
#[derive(Debug)]
pub(super) struct HdfsKerberos;

impl Service for HdfsKerberos {
    fn name(&self) -> &'static str {
        "hdfs-kerberos"
    }

    fn title(&self) -> String {
        format!("Hadoop HDFS {VERSION} with Kerberos (KDC, NameNode and {DATA_NODES} DataNodes)")
    }

    fn endpoint_key(&self) -> &'static [&'static str] {
        &["hdfs-kerberos"]
    }

    fn purpose(&self) -> Purpose {
        Purpose::FullRun
    }

    fn provision(&self) -> Result<()> {
        hadoop::provision()?;
        kdc::provision()
    }

    fn start(&self, home: &Path) -> Result<Value> {
        let kdc = Kdc::make(home)?;
        let people = People::join(&kdc)?;
        let kdc_daemon = kdc.start()?;

        let realm = format!("-Djava.security.krb5.conf={}", kdc.conf().display());
        let hadoop = Hadoop::plan(home)?.with_flag(realm);
        let mut cluster = hadoop.start_with_one_name_node(
            people.core_settings(),
            people.hdfs_settings(),
            &[&kdc_daemon],
        )?;
        let login = json!({
            "krb5_conf": kdc.conf(),
            "principal": format!("{USER}@{REALM}"),
            "keytab": people.user_keytab,
            // Keys of the same principal that count no more.
            "stale_keytab": people.stale_keytab,
            // Somebody whose tickets last so long only.
            "hasty": {
                "principal": format!("{HASTY}@{REALM}"),
                "keytab": people.hasty_keytab,
                "life_seconds": HASTY_LIFE_SECONDS,
            },
            // Somebody whose KDC is not there, and somebody whose KDC is whoever listens there.
            "away": { "principal": format!("{USER}@{AWAY}"), "keytab": people.away_keytab },
            "silent": {
                "principal": format!("{USER}@{SILENT}"),
                "keytab": people.silent_keytab,
                "kdc": kdc.silent(),
            },
            "kdc": {
                "pid_file": kdc_daemon.pid_file(),
                "start": kdc_daemon.start_command(),
                "log": kdc_daemon.log(),
            },
        });
        if let (Value::Object(cluster), Value::Object(login)) = (&mut cluster, login) {
            cluster.extend(login);
        }
        Ok(cluster)
    }
}

/// Keytabs of everybody, by path.
#[derive(Debug)]
struct People {
    server_keytab: String,
    user_keytab: String,
    stale_keytab: String,
    hasty_keytab: String,
    away_keytab: String,
    silent_keytab: String,
}

impl People {
    fn join(kdc: &Kdc) -> Result<Self> {
        let keytab = |name: &str, file: &str| -> Result<String> {
            Ok(kdc.write_keytab(name, file)?.display().to_string())
        };
        for server in SERVERS {
            kdc.add(server, None)?;
        }
        kdc.add(USER, None)?;
        kdc.add(HASTY, Some(&format!("{HASTY_LIFE_SECONDS} seconds")))?;
        // Only their keytabs matter: no KDC answers for these realms.
        let [away, silent] = [AWAY, SILENT].map(|realm| format!("{USER}@{realm}"));
        kdc.add(&away, None)?;
        kdc.add(&silent, None)?;
        for server in SERVERS {
            keytab(server, "servers.keytab")?;
        }
        Ok(Self {
            server_keytab: kdc.home().join("servers.keytab").display().to_string(),
            stale_keytab: keytab(USER, "stale.keytab")?,
            user_keytab: keytab(USER, "portal.keytab")?,
            hasty_keytab: keytab(HASTY, "hasty.keytab")?,
            away_keytab: keytab(&away, "away.keytab")?,
            silent_keytab: keytab(&silent, "silent.keytab")?,
        })
    }

    fn core_settings(&self) -> Vec<Setting> {
        vec![
            setting("hadoop.security.authentication", "kerberos"),
            setting("hadoop.security.authorization", true),
            // Without this HTTP would believe any name.
            setting("hadoop.http.authentication.type", "kerberos"),
            setting(
                "hadoop.http.authentication.kerberos.principal",
                principal(SERVERS[2]),
            ),
            setting("hadoop.http.authentication.kerberos.keytab", &self.server_keytab),
            // Whether the cluster is up is asked without a ticket.
            setting("hadoop.http.authentication.kerberos.endpoint.whitelist", "/jmx"),
            // Those who ask may make folders below the root, and need not be users of this machine.
            setting(
                "hadoop.user.group.static.mapping.overrides",
                format!("nn=;dn=;{USER}=supergroup;{HASTY}=supergroup"),
            ),
        ]
    }

    fn hdfs_settings(&self) -> Vec<Setting> {
        let [name_node, data_node, web] = SERVERS.map(principal);
        vec![
            setting("dfs.block.access.token.enable", true),
            setting("dfs.namenode.kerberos.principal", name_node),
            setting("dfs.namenode.keytab.file", &self.server_keytab),
            setting("dfs.datanode.kerberos.principal", data_node),
            setting("dfs.datanode.keytab.file", &self.server_keytab),
            setting("dfs.web.authentication.kerberos.principal", web),
            setting("dfs.web.authentication.kerberos.keytab", &self.server_keytab),
            // As clusters have it whose DataNodes need no root; those want HTTPS too, which nobody speaks here.
            setting("dfs.data.transfer.protection", "authentication"),
            setting("ignore.secure.ports.for.testing", true),
        ]
    }
}

fn principal(name: &str) -> String {
    format!("{name}@{REALM}")
}
