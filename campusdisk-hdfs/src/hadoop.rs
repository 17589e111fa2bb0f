//! What Hadoop's configuration says about the NameNodes.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use crate::HdfsConfig;

/// The files of a configuration folder; later ones go before earlier ones.
const FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];

/// Says how whoever asks shows who they are.
pub(crate) const AUTHENTICATION: &str = "hadoop.security.authentication";

/// NameNodes of which one at a time is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameService {
    /// The setting that names them, and their names.
    key: String,
    ids: Vec<String>,
}

impl NameService {
    pub(crate) fn count(&self) -> usize {
        self.ids.len()
    }

    /// The setting that lets a client begin with another NameNode at each `turn`.
    pub(crate) fn beginning_with(&self, turn: u64) -> (String, String) {
        let mut ids = self.ids.clone();
        let first = turn.checked_rem(ids.len() as u64);
        ids.rotate_left(first.and_then(|first| usize::try_from(first).ok()).unwrap_or(0));
        (self.key.clone(), ids.join(","))
    }
}

/// Hadoop's settings, as far as they are written down: defaults are not in here.
#[derive(Debug, Default)]
pub(crate) struct Hadoop(HashMap<String, String>);

#[derive(Debug, Deserialize)]
struct Site {
    #[serde(default)]
    property: Vec<Property>,
}

#[derive(Debug, Deserialize)]
struct Property {
    name: String,
    #[serde(default)]
    value: String,
}

impl Hadoop {
    /// Reads the folder that the client library reads too. What is missing or can't be read says nothing here.
    pub(crate) fn read(config: &HdfsConfig) -> Self {
        let below_home = || env::var_os("HADOOP_HOME").map(|home| PathBuf::from(home).join("etc/hadoop"));
        let folder = config
            .conf_dir
            .clone()
            .or_else(|| env::var_os("HADOOP_CONF_DIR").map(PathBuf::from))
            .or_else(below_home);
        let mut settings = Self::default();
        for path in folder
            .iter()
            .flat_map(|folder| FILES.map(|file| folder.join(file)))
        {
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            if let Err(error) = settings.add(&text) {
                tracing::warn!(path = %path.display(), %error, "no addresses can be read from this file (web_urls)");
            }
        }
        settings.0.extend(config.options.iter().cloned());
        settings
    }

    fn add(&mut self, text: &str) -> Result<(), quick_xml::DeError> {
        let site: Site = quick_xml::de::from_str(text)?;
        let pairs = site
            .property
            .into_iter()
            .map(|one| (one.name.trim().to_owned(), one.value.trim().to_owned()));
        self.0.extend(pairs);
        Ok(())
    }

    /// Whether who we are is shown by Kerberos.
    pub(crate) fn has_kerberos(&self) -> bool {
        let authentication = self.get(AUTHENTICATION);
        authentication.is_some_and(|authentication| !authentication.eq_ignore_ascii_case("simple"))
    }

    /// Whether DataNodes want to be sure of who takes blocks, or that nobody listens.
    pub(crate) fn protects_transfers(&self) -> bool {
        let encrypts = self.get("dfs.encrypt.data.transfer");
        self.has_kerberos()
            || self.get("dfs.data.transfer.protection").is_some()
            || encrypts.is_some_and(|encrypts| encrypts.eq_ignore_ascii_case("true"))
    }

    /// Whether DataNodes are reached by their names, and not by the addresses that the NameNode knows.
    pub(crate) fn names_data_nodes(&self) -> bool {
        let by_name = self.get("dfs.client.use.datanode.hostname");
        by_name.is_some_and(|by_name| by_name.eq_ignore_ascii_case("true"))
    }

    /// The NameNodes behind `url`, or behind `fs.defaultFS`, if it is no single one: an address with a port is.
    pub(crate) fn name_service(&self, url: Option<&str>) -> Option<NameService> {
        let url = self.url(url).filter(|url| url.port().is_none())?;
        self.service_of(url.host_str()?)
    }

    fn url(&self, url: Option<&str>) -> Option<Url> {
        url.or_else(|| self.get("fs.defaultFS"))?.parse().ok()
    }

    fn service_of(&self, host: &str) -> Option<NameService> {
        let key = format!("dfs.ha.namenodes.{host}");
        let ids = self.get(&key)?.split(',').map(|id| id.trim().to_owned());
        let ids: Vec<String> = ids.filter(|id| !id.is_empty()).collect();
        (!ids.is_empty()).then_some(NameService { key, ids })
    }

    /// The HTTP addresses of the NameNodes behind `url`, or behind `fs.defaultFS`, in the order they are named.
    pub(crate) fn web_urls(&self, url: Option<&str>) -> Vec<String> {
        let Some(url) = self.url(url) else {
            return Vec::new();
        };
        let Some(host) = url.host_str() else {
            return Vec::new();
        };
        match self.service_of(host) {
            Some(service) => service
                .ids
                .iter()
                .filter_map(|id| {
                    let suffix = format!(".{host}.{id}");
                    let rpc = self.get(&format!("dfs.namenode.rpc-address{suffix}"));
                    self.web_url(&suffix, rpc.and_then(host_of))
                })
                .collect(),
            None => self.web_url("", Some(host)).into_iter().collect(),
        }
    }

    /// The address of the NameNode whose settings end in `suffix` and which runs on `host`.
    fn web_url(&self, suffix: &str, host: Option<&str>) -> Option<String> {
        let only_tls = self.get("dfs.http.policy") == Some("HTTPS_ONLY");
        let (scheme, port) = if only_tls { ("https", 9871) } else { ("http", 9870) };
        let named = self.get(&format!("dfs.namenode.{scheme}-address{suffix}"));
        let (named_host, port) = match named.and_then(|address| address.rsplit_once(':')) {
            Some((named_host, named_port)) => (Some(named_host), named_port.parse().ok()?),
            None => (None, port),
        };
        // `0.0.0.0` says where the NameNode listens, not where it is.
        let host = named_host.filter(|named| *named != "0.0.0.0").or(host)?;
        Some(format!("{scheme}://{host}:{port}"))
    }

    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key).map(String::as_str);
        // A variable is for Hadoop to put in; without it the value says nothing.
        value.filter(|value| !value.is_empty() && !value.contains("${"))
    }
}

fn host_of(address: &str) -> Option<&str> {
    address.rsplit_once(':').map(|(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hadoop(pairs: &[(&str, &str)]) -> Hadoop {
        let mut hadoop = Hadoop::default();
        let property = |(name, value): &(&str, &str)| {
            format!("<property><name>{name}</name><value>{value}</value></property>")
        };
        let text: String = pairs.iter().map(property).collect();
        hadoop
            .add(&format!(
                "<?xml version=\"1.0\"?>\n<configuration>{text}</configuration>"
            ))
            .unwrap();
        hadoop
    }

    #[test]
    fn a_file_as_hadoop_writes_it_is_read() {
        let mut hadoop = Hadoop::default();
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<?xml-stylesheet href=\"c.xsl\"?>\n<!-- ours -->\n\
            <configuration>\n <property>\n  <name>a</name>\n  <value> 1 </value>\n  <final>true</final>\n </property>\n\
            <property><name>b</name><description>none</description></property></configuration>";
        hadoop.add(text).unwrap();
        assert_eq!(hadoop.get("a"), Some("1"));
        assert_eq!(hadoop.get("b"), None);
        hadoop.add("<configuration/>").unwrap();
        assert!(hadoop.add("<configuration><property>").is_err());
    }

    #[test]
    fn the_address_is_the_one_named_or_the_usual_port() {
        let none = Hadoop::default();
        assert_eq!(none.web_urls(Some("hdfs://nn:8020")), ["http://nn:9870"]);
        assert_eq!(none.web_urls(None), [""; 0]);
        let named = hadoop(&[
            ("fs.defaultFS", "hdfs://nn:8020"),
            ("dfs.namenode.http-address", "web:50070"),
        ]);
        assert_eq!(named.web_urls(None), ["http://web:50070"]);
        let anywhere = hadoop(&[("dfs.namenode.http-address", "0.0.0.0:50070")]);
        assert_eq!(anywhere.web_urls(Some("hdfs://nn")), ["http://nn:50070"]);
        let secure = hadoop(&[
            ("dfs.http.policy", "HTTPS_ONLY"),
            ("dfs.namenode.http-address", "web:50070"),
        ]);
        assert_eq!(secure.web_urls(Some("hdfs://nn:8020")), ["https://nn:9871"]);
    }

    #[test]
    fn a_name_service_has_the_addresses_of_its_namenodes_in_order() {
        let hadoop = hadoop(&[
            ("fs.defaultFS", "hdfs://campus"),
            ("dfs.ha.namenodes.campus", "nn1, nn2,nn3"),
            ("dfs.namenode.http-address.campus.nn1", "one:9870"),
            ("dfs.namenode.rpc-address.campus.nn2", "two:8020"),
            ("dfs.namenode.http-address.campus.nn2", "${two}:9870"),
        ]);
        assert_eq!(hadoop.web_urls(None), ["http://one:9870", "http://two:9870"]);
    }

    #[test]
    fn who_asks_shows_a_ticket_where_the_configuration_says_so() {
        let said = |authentication| hadoop(&[(AUTHENTICATION, authentication)]).has_kerberos();
        assert_eq!([said("kerberos"), said("simple"), said("")], [true, false, false]);
        assert!(!Hadoop::default().has_kerberos());
    }

    #[test]
    fn who_protects_transfers_is_not_read_from_directly() {
        let protects = |name, value| hadoop(&[(name, value)]).protects_transfers();
        assert!(protects(AUTHENTICATION, "kerberos"));
        assert!(protects("dfs.encrypt.data.transfer", "true"));
        assert!(protects("dfs.data.transfer.protection", "integrity"));
        assert!(!protects("dfs.encrypt.data.transfer", "false"));
    }

    #[test]
    fn a_client_begins_with_another_namenode_at_each_turn() {
        let hadoop = hadoop(&[("dfs.ha.namenodes.campus", "nn1, nn2,nn3")]);
        let service = hadoop.name_service(Some("hdfs://campus")).unwrap();
        let order = |turn| service.beginning_with(turn).1;
        assert_eq!(
            [order(0), order(1), order(3)],
            ["nn1,nn2,nn3", "nn2,nn3,nn1", "nn1,nn2,nn3"]
        );
        assert_eq!(service.beginning_with(0).0, "dfs.ha.namenodes.campus");
        assert_eq!(hadoop.name_service(Some("hdfs://campus:8020")), None);
        assert_eq!(hadoop.name_service(Some("hdfs://namenode")), None);
    }
}
