//! What the configuration says and refuses.

use std::io::Write as _;

use serde_json::Value;

use super::mount::{HdfsMountSettings, S3MountSettings};
use super::store::{HdfsSettings, S3Settings};
use super::*;

const SAMPLE: &str = include_str!("../../hall.toml");

fn load(text: &str) -> Outcome<Config> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Config::load(Overrides {
        file: Some(file.path().to_owned()),
        ..Overrides::default()
    })
}

fn refusal(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

/// Every key below `value` as `section.key`, and whether it has a value.
fn keys(prefix: &str, value: &Value, found: &mut Vec<(String, bool)>) {
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match field {
            Value::Object(inner) if !inner.is_empty() => keys(&path, field, found),
            Value::Object(_) => {}
            field => found.push((path, !field.is_null())),
        }
    }
}

/// The keys a TOML text sets, those in commented lines too when `comments` says so.
fn keys_of_sample(comments: bool) -> Vec<String> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in SAMPLE.lines() {
        let line = match line.strip_prefix('#') {
            Some(_) if !comments => continue,
            Some(bare) => bare,
            None => line,
        };
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            found.push(format!("{section}{key}"));
        }
    }
    found
}

#[test]
fn the_sample_file_says_what_is_the_default() {
    assert_eq!(load(SAMPLE).unwrap(), Config::default());
}

#[test]
fn each_sample_has_the_store_and_the_database_of_its_name() {
    for (sample, store, database) in [
        (include_str!("../../samples/local.toml"), "local", "sqlite"),
        (
            include_str!("../../samples/hdfs-and-postgresql.toml"),
            "hdfs",
            "postgres",
        ),
        (
            include_str!("../../samples/s3-and-postgresql.toml"),
            "s3",
            "postgres",
        ),
    ] {
        let config = load(sample).unwrap();
        let kinds: Vec<_> = config.stores.values().map(StoreSettings::kind).collect();
        assert_eq!((kinds, config.database.kind()), (vec![store], database));
    }
}

#[test]
fn the_sample_file_has_every_key() {
    let mut expected = Vec::new();
    keys(
        "",
        &serde_json::to_value(Config::default()).unwrap(),
        &mut expected,
    );
    let (set, named) = (keys_of_sample(false), keys_of_sample(true));
    for (key, has_value) in expected {
        let within = if has_value { &set } else { &named };
        assert!(within.contains(&key), "{key} is missing");
    }
}

#[test]
fn the_sample_file_has_every_key_of_the_other_stores_with_its_default() {
    let other = |name: &str, value: Value| {
        let mut expected = Vec::new();
        keys(&format!("stores.{name}"), &value, &mut expected);
        let named = keys_of_sample(true);
        for (key, _) in expected {
            assert!(named.contains(&key), "{key} is missing");
        }
    };
    other("cluster", serde_json::to_value(HdfsSettings::default()).unwrap());
    other("bucket", serde_json::to_value(S3Settings::default()).unwrap());

    let commented = SAMPLE
        .lines()
        .skip_while(|line| *line != "#[stores.cluster]")
        .take_while(|line| !line.is_empty());
    let commented: Vec<_> = commented
        .filter_map(|line| line.strip_prefix('#').filter(|bare| !bare.starts_with(' ')))
        .collect();
    let text = format!("{}\n[stores.primary]\nkind = \"local\"\n", commented.join("\n"));
    let config = load(&text).unwrap();
    let StoreSettings::Hdfs(hdfs) = &config.stores["cluster"] else {
        panic!("{config:?}")
    };
    assert_eq!(
        HdfsSettings {
            url: None,
            conf_dir: None,
            user: None,
            principal: None,
            keytab: None,
            replication: None,
            options: BTreeMap::new(),
            ..hdfs.clone()
        },
        HdfsSettings::default()
    );
    let StoreSettings::S3(s3) = &config.stores["bucket"] else {
        panic!("{config:?}")
    };
    assert_eq!(
        S3Settings {
            endpoint: None,
            access_key_id: None,
            secret_access_key: None,
            encryption_key_id: None,
            ..s3.clone()
        },
        S3Settings::default()
    );
}

#[test]
fn the_sample_file_has_every_key_of_each_kind_of_mount_with_its_default() {
    let named = keys_of_sample(true);
    for (name, value) in [
        (
            "spark",
            serde_json::to_value(HdfsMountSettings::default()).unwrap(),
        ),
        (
            "exports",
            serde_json::to_value(S3MountSettings::default()).unwrap(),
        ),
    ] {
        let mut expected = Vec::new();
        keys(&format!("mounts.{name}"), &value, &mut expected);
        for (key, _) in expected {
            assert!(named.contains(&key), "{key} is missing");
        }
    }
    let commented = SAMPLE
        .lines()
        .skip_while(|line| *line != "#[mounts.spark]")
        .take_while(|line| !line.is_empty());
    let commented: Vec<_> = commented
        .filter_map(|line| line.strip_prefix('#').filter(|bare| !bare.starts_with(' ')))
        .collect();
    let config = load(&commented.join("\n")).unwrap();
    let MountSettings::Hdfs(hdfs) = &config.mounts["spark"] else {
        panic!("{config:?}")
    };
    assert_eq!(
        HdfsMountSettings {
            url: None,
            conf_dir: None,
            user: None,
            principal: None,
            keytab: None,
            options: BTreeMap::new(),
            ..hdfs.clone()
        },
        HdfsMountSettings::default()
    );
    let MountSettings::S3(s3) = &config.mounts["exports"] else {
        panic!("{config:?}")
    };
    assert_eq!(
        S3MountSettings {
            endpoint: None,
            access_key_id: None,
            secret_access_key: None,
            ..s3.clone()
        },
        S3MountSettings::default()
    );
    assert_eq!(config.mounts["scans"].kind(), "local");
}

#[test]
fn a_mount_has_a_name_of_its_own_and_no_settings_for_writing() {
    let twice =
        refusal("[stores.primary]\nkind = \"local\"\n[mounts.primary]\nkind = \"local\"\npath = \"/srv\"");
    assert!(twice.contains("[mounts.primary]"), "{twice}");
    let writing = refusal("[mounts.spark]\nkind = \"hdfs\"\nreplication = 3");
    assert!(writing.contains("replication"), "{writing}");
}

/// The names of the fields that a struct shows.
fn fields(shown: &str) -> Vec<&str> {
    let own = shown
        .lines()
        .filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    own.filter_map(|line| line.trim().split_once(": "))
        .map(|(field, _)| field)
        .collect()
}

fn has_key(settings: &Value, field: &str) -> bool {
    let units = ["", "_seconds", "_ms"];
    units
        .iter()
        .any(|unit| settings.get(format!("{field}{unit}")).is_some())
}

#[test]
fn every_limit_of_the_service_and_the_adapter_has_a_key() {
    let policy = format!("{:#?}", campusdisk_core::Policy::default());
    let settings = serde_json::to_value(PolicySettings::default()).unwrap();
    let policy = fields(&policy);
    assert!(policy.contains(&"max_depth"));
    for field in policy {
        let field = if field == "hash_inline" { "hashing" } else { field };
        assert!(has_key(&settings, field), "policy: {field} has no key");
    }
    assert_eq!(
        PolicySettings::default().policy(),
        campusdisk_core::Policy::default()
    );

    let http = format!("{:#?}", HttpOptions::default());
    let settings = serde_json::to_value(HttpSettings::default()).unwrap();
    // Cookies are for https where the public address is.
    for field in fields(&http)
        .into_iter()
        .filter(|field| *field != "secure_cookies")
    {
        assert!(has_key(&settings, field), "http: {field} has no key");
    }
    assert_eq!(HttpSettings::default().options(), HttpOptions::default());
}

#[test]
fn a_misspelt_key_is_refused_with_the_nearest_right_one() {
    for (text, wrong, right) in [
        ("lisen = \"127.0.0.1:1\"", "lisen", "listen"),
        (
            "[http]\nmax_conections = 1",
            "http.max_conections",
            "http.max_connections",
        ),
        (
            "[policy]\ntrash_rest_second = 1",
            "policy.trash_rest_second",
            "policy.trash_rest_seconds",
        ),
        ("[acounts]\nregistration = \"open\"", "acounts", "accounts"),
        (
            "[accounts]\nregistraton = \"open\"",
            "accounts.registraton",
            "accounts.registration",
        ),
        (
            "[stores.primary]\nkind = \"local\"\npaht = \"x\"",
            "stores.primary.paht",
            "stores.primary.path",
        ),
        (
            "[stores.primary]\nkind = \"s3\"\nbuket = \"x\"",
            "stores.primary.buket",
            "stores.primary.bucket",
        ),
        (
            "[stores.primary]\nkind = \"hdfs\"\nwrite_pat = \"auto\"",
            "stores.primary.write_pat",
            "stores.primary.write_path",
        ),
        (
            "[stores.primary]\nkind = \"hdfs\"\nspol_dir = \"x\"",
            "stores.primary.spol_dir",
            "stores.primary.spool_dir",
        ),
    ] {
        let said = refusal(text);
        assert!(
            said.contains(&format!("there is no key {wrong}; did you mean {right}?")),
            "{said}"
        );
    }
}

#[test]
fn two_stores_of_one_name_are_refused() {
    let said = refusal("[stores.tape]\nkind = \"local\"\n[stores.tape]\nkind = \"local\"\n");
    assert!(said.contains("tape") && said.contains("twice"), "{said}");
}

#[test]
fn a_wrong_value_is_named_with_its_key() {
    let cases = [
        ("listen = \"nowhere\"", "listen"),
        ("[policy]\nmax_depth = \"deep\"", "policy.max_depth"),
        ("[stores.primary]\nkind = \"tape\"", "tape"),
        ("[stores.primary]\nkind = \"hdfs\"\nwrite_path = \"ftp\"", "ftp"),
        ("[storage]\nprimary = \"tape\"", "storage.primary"),
        ("[http]\nprefix = \"disk/\"", "http.prefix"),
        (
            "[database]\npostgres_url = \"postgres://a@b/c\"\nbusy_timeout_ms = 0",
            "database.busy_timeout_ms",
        ),
        ("[database]\nwait_seconds = 100000", "database.wait_seconds"),
        (
            "[http]\ntrusted_proxies = [\"10.0.0.0/99\"]",
            "http.trusted_proxies",
        ),
        ("[accounts]\ncache_ttl_ms = 5000", "cache_ttl_ms"),
        (
            "[http]\nfront_server = \"blobs\"\ntrusted_proxies = [\"127.0.0.1/32\"]",
            "http.front_server",
        ),
        ("[http]\nfront_server = \"/blobs\"", "http.trusted_proxies"),
        (
            "[http]\nsigned_address_seconds = 0",
            "http.signed_address_seconds",
        ),
        ("[cache]\nredis_ttl_seconds = 0", "cache.redis_ttl_seconds"),
        ("[cache]\nredis_connections = 65", "cache.redis_connections"),
        ("[log]\nformat = \"xml\"", "xml"),
        ("[policy]\nmax_downloads = 0", "policy.max_downloads"),
        (
            "[policy]\nclient_bytes_per_second = 100",
            "policy.client_bytes_per_second",
        ),
        ("= 3", "line"),
    ];
    for (text, named) in cases {
        let said = refusal(text);
        assert!(said.contains(named), "{text}: {said}");
    }
    let missing = Overrides {
        file: Some("/no/such/hall.toml".into()),
        ..Overrides::default()
    };
    assert!(
        Config::load(missing)
            .unwrap_err()
            .to_string()
            .contains("/no/such/hall.toml")
    );
}

#[test]
fn secrets_of_the_configuration_do_not_show() {
    let text = "[database]\npostgres_url = \"postgres://hall:hunter2@db/hall\"\n\
        [cache]\nredis_url = \"redis://:hunter2@cache\"\n[stores.primary]\nkind = \"s3\"\n\
        access_key_id = \"AK\"\nsecret_access_key = \"hunter2\"\n";
    let config = load(text).unwrap();
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(shown.contains("AK") && !shown.contains("hunter2"), "{shown}");
}
