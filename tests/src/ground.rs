//! Real stores and a real database for halls of tests: chosen by a test, or by the run for all that do not choose.

use campusdisk_core::{IdSource as _, RandomIds};

use crate::postgres::Schema;
use crate::services::{endpoint, text};

/// Says where halls keep files: `hdfs` or `s3`, with their records in PostgreSQL. Unset, they keep all on this machine.
const GROUND_ENV: &str = "CAMPUSDISK_TEST_GROUND";

/// The settings of a store as keys and values of the hall's configuration.
pub type Settings = Vec<(&'static str, String)>;

/// A folder of the common HDFS cluster that nobody else has.
pub fn on_hdfs() -> Settings {
    let cluster = endpoint("/hdfs");
    vec![
        ("kind", "hdfs".to_owned()),
        ("root", format!("/ground/{:032x}", RandomIds.random())),
        ("url", text(&cluster, "url").to_owned()),
        ("conf_dir", text(&cluster, "conf_dir").to_owned()),
    ]
}

/// A prefix of the common bucket that nobody else has.
pub fn on_s3() -> Settings {
    let server = endpoint("/s3/versitygw");
    let found = |field| text(&server, field).to_owned();
    vec![
        ("kind", "s3".to_owned()),
        ("bucket", found("bucket")),
        ("prefix", format!("ground-{:032x}", RandomIds.random())),
        ("endpoint", found("endpoint")),
        ("region", found("region")),
        ("access_key_id", found("access_key")),
        ("secret_access_key", found("secret_key")),
        ("allow_http", "true".to_owned()),
    ]
}

/// A store of this name in a configuration.
pub fn section(name: &str, settings: &Settings) -> String {
    let line = |(key, value): &(&str, String)| match value.as_str() {
        "true" => format!("{key} = true\n"),
        value => format!("{key} = \"{value}\"\n"),
    };
    let lines: String = settings.iter().map(line).collect();
    format!("[stores.{name}]\n{lines}")
}

/// A place for the files and records of one hall.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The kind of its store.
    pub(crate) kind: String,
    /// What the hall's environment says of it.
    pub(crate) variables: Vec<(String, String)>,
    /// For as long as the hall is used.
    _schema: Schema,
}

impl Ground {
    /// The ground of a hall with this configuration; none where that names stores or a database itself.
    pub(crate) async fn of(config: &str) -> Option<Self> {
        let kind = std::env::var(GROUND_ENV).ok()?;
        if config.contains("[stores") || config.contains("[database]") {
            return None;
        }
        let store = match kind.as_str() {
            "hdfs" => on_hdfs(),
            "s3" => on_s3(),
            other => panic!("{GROUND_ENV} is hdfs or s3, not {other}"),
        };
        let schema = Schema::fresh().await;
        let variable =
            |(key, value): (&str, String)| (format!("HALL__STORES__PRIMARY__{}", key.to_uppercase()), value);
        let database = ("HALL__DATABASE__POSTGRES_URL".to_owned(), schema.url().to_owned());
        Some(Self {
            kind,
            variables: store.into_iter().map(variable).chain([database]).collect(),
            _schema: schema,
        })
    }
}
