//! The store on HDFS that believes nobody without a Kerberos ticket. Only in a full run.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::error::Error as _;
use std::time::{Duration, Instant};

use campusdisk_core::{Error, ErrorKind, Span};
use campusdisk_hdfs::{HdfsConfig, HdfsStore, WritePath};
use campusdisk_testkit::storage::{fresh_key, listed, pattern, put, read};
use campusdisk_testkit::storage_conformance;
use campusdisk_tests::Hall;
use campusdisk_tests::hdfs::{HdfsHarness, Wire, assert_same, fresh_root, until};
use campusdisk_tests::services::{endpoint, text};

const CLUSTER: &str = "/hdfs-kerberos";

/// How long a connection stands before it is cut.
const STANDS: Duration = Duration::from_secs(4);

storage_conformance!(hdfs_kerberos, HdfsHarness::fresh(CLUSTER));

/// Settings that would be right.
fn config() -> HdfsConfig {
    HdfsHarness::config(CLUSTER, &fresh_root("kerberos"))
}

/// Settings with the principal and keytab of this part of the endpoint.
fn config_of(part: &str) -> HdfsConfig {
    let found = endpoint(&format!("{CLUSTER}/{part}"));
    config().with_keytab(text(&found, "principal"), text(&found, "keytab"))
}

/// What comes of writing, reading and listing where nobody is known to the cluster.
async fn failures(config: HdfsConfig) -> [Error; 2] {
    let store = HdfsStore::connect(config).unwrap();
    [
        put(&store, &fresh_key(), pattern(1, 5)).await.unwrap_err(),
        listed(&store, "", None).await.unwrap_err(),
    ]
}

async fn assert_explained(config: HdfsConfig, kind: ErrorKind, words: &[&str]) {
    for failure in failures(config).await {
        let said = failure.to_string();
        assert_eq!(failure.kind(), kind, "{said}: {:?}", failure.source());
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}

#[tokio::test]
async fn without_a_ticket_it_is_said_how_to_get_one() {
    let mut nobody = config();
    (nobody.principal, nobody.keytab) = (None, None);
    assert_explained(
        nobody,
        ErrorKind::Denied,
        &["no Kerberos ticket", "kinit", "keytab"],
    )
    .await;
}

#[tokio::test]
async fn a_keytab_without_the_principal_or_with_old_keys_is_told_apart() {
    let found = endpoint(CLUSTER);
    let stranger = config().with_keytab("nobody@CAMPUS.EXAMPLE", text(&found, "keytab"));
    assert_explained(stranger, ErrorKind::Denied, &["no keys of the principal"]).await;
    let stale = config().with_keytab(text(&found, "principal"), text(&found, "stale_keytab"));
    assert_explained(stale, ErrorKind::Denied, &["does not take the keys", "keytab"]).await;
}

#[tokio::test]
async fn a_client_that_is_hung_up_on_is_told_what_may_be_wrong_with_who_it_is() {
    let words = [
        "ended the connection",
        "hadoop.security.authentication",
        "user",
        "hadoop.proxyuser",
    ];
    let proxy = config().with_user("somebody-else");
    assert_explained(proxy, ErrorKind::Unavailable, &words).await;
    let mut simple = config().with_option("hadoop.security.authentication", "simple");
    (simple.principal, simple.keytab) = (None, None);
    assert_explained(simple, ErrorKind::Unavailable, &words).await;
}

#[tokio::test]
async fn a_kdc_that_is_away_is_unavailable_at_once() {
    let started = Instant::now();
    assert_explained(
        config_of("away"),
        ErrorKind::Unavailable,
        &["KDC can't be reached", "krb5.conf"],
    )
    .await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_kdc_that_says_nothing_holds_nobody_longer_than_the_limit() {
    // Connections are accepted by the system, and nobody ever reads them.
    let address = text(&endpoint(&format!("{CLUSTER}/silent")), "kdc").to_owned();
    let _silent = std::net::TcpListener::bind(address).unwrap();
    let mut config = config_of("silent");
    config.rpc_timeout = Duration::from_millis(500);
    let started = Instant::now();
    assert_explained(config, ErrorKind::Unavailable, &["said nothing", "rpc_timeout"]).await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn what_can_t_go_with_kerberos_is_refused_before_anybody_is_asked() {
    let found = endpoint(CLUSTER);
    let refused = |config: HdfsConfig, word: &str| {
        let error = HdfsStore::connect(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    };
    refused(config().with_write_path(WritePath::WebHdfs), "write_path");
    refused(
        config().with_keytab(text(&found, "principal"), "/nowhere/portal.keytab"),
        "/nowhere/portal.keytab",
    );
    let simple = config().with_option("hadoop.security.authentication", "simple");
    refused(simple, "hadoop.security.authentication");
}

#[tokio::test]
async fn reading_and_writing_go_on_when_tickets_end() {
    let found = endpoint(CLUSTER);
    let life = Duration::from_secs(found["hasty"]["life_seconds"].as_u64().unwrap());
    let log = text(&found["kdc"], "log");
    let before = tickets_in(log);
    // A connection that stands needs no ticket any more, so it has to be made again and again.
    let wire = Wire::start(text(&found, "url")).await;
    let store = HdfsStore::connect(config_of("hasty").with_url(wire.url())).unwrap();
    let (started, bytes) = (Instant::now(), pattern(1, 3 << 20));
    let first = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
    let mut rounds = 0;
    while started.elapsed() < life * 3 {
        let since = Instant::now();
        until("a part of a ticket's life has passed", async || {
            since.elapsed() > STANDS
        })
        .await;
        wire.cut();
        assert_same(&store, &first, &bytes).await;
        let next = put(&store, &fresh_key(), bytes.clone()).await.unwrap();
        let part = Span::new(5, 2 << 20).unwrap();
        assert!(read(&store, &next, part).await.unwrap() == bytes.slice(5..2 << 20));
        rounds += 1;
    }
    // The life of three tickets has passed.
    let tickets = tickets_in(log) - before;
    assert!(tickets >= 3, "{tickets} tickets in {rounds} rounds");
}

/// How many tickets the KDC has given the principal whose tickets end soon, by its log.
fn tickets_in(log: &str) -> usize {
    let said = std::fs::read_to_string(log).unwrap();
    let given = |line: &&str| line.contains("AS_REQ") && line.contains("ISSUE") && line.contains("hasty@");
    said.lines().filter(given).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hall_takes_a_principal_and_explains_a_wrong_keytab() {
    let hall = Hall::start().await;
    let found = endpoint(CLUSTER);
    let store = |keytab: &str| {
        format!(
            "[stores.primary]\nkind = \"hdfs\"\nroot = \"{}\"\nurl = \"{}\"\nconf_dir = \"{}\"\n\
             block_size_bytes = 1048576\nprincipal = \"{}\"\n{keytab}",
            fresh_root("hall"),
            text(&found, "url"),
            text(&found, "conf_dir"),
            text(&found, "principal"),
        )
    };
    let check = |config: String| {
        std::fs::write(hall.folder().join("hall.toml"), config).unwrap();
        hall.run(&["check-config"], "")
    };
    let keytab = |name: &str| format!("keytab = \"{}\"\n", text(&found, name));
    let said = check(store(&keytab("keytab")));
    assert!(said.status.success(), "{said:?}");
    for (wrong, word) in [
        (keytab("stale_keytab"), "newer ones were made"),
        (String::new(), "goes with principal"),
        (
            "keytab = \"/nowhere/portal.keytab\"\n".to_owned(),
            "/nowhere/portal.keytab",
        ),
        (
            format!("{}write_path = \"webhdfs\"\n", keytab("keytab")),
            "write_path",
        ),
    ] {
        let said = check(store(&wrong));
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(
            said.out.contains(word) || said.err.contains(word),
            "{word}: {said:?}"
        );
    }
}
