//! What a hall is called, and what administrators see of its configuration.

use campusdisk_core::memory::MemoryCatalog;

use super::*;

async fn site(catalog: &Arc<MemoryCatalog>, config: &Config) -> Site {
    Site::open(catalog.clone(), config).await.unwrap()
}

fn named(name: &str) -> FaceUpdate {
    FaceUpdate {
        name: Some(HallName::parse(name).unwrap()),
        language: Some(Some(Language::Chinese)),
    }
}

#[tokio::test]
async fn what_was_said_is_there_after_a_restart() {
    let (catalog, config) = (Arc::new(MemoryCatalog::default()), Config::default());
    let first = site(&catalog, &config).await;
    assert_eq!(first.face().name, "CampusDisk");
    first.change(named("示例大学")).await.unwrap();
    first.change(named("示例大学网盘")).await.unwrap();
    let face = site(&catalog, &config).await.face();
    assert_eq!(face, first.face());
    assert_eq!(
        (face.name.as_str(), face.language),
        ("示例大学网盘", Some(Language::Chinese))
    );
    let forget = FaceUpdate {
        language: Some(None),
        ..FaceUpdate::default()
    };
    first.change(forget).await.unwrap();
    assert_eq!(site(&catalog, &config).await.face().language, None);
}

#[tokio::test]
async fn the_configuration_goes_before_what_was_said() {
    let (catalog, mut config) = (Arc::new(MemoryCatalog::default()), Config::default());
    let open = site(&catalog, &config).await;
    open.change(named("Said")).await.unwrap();
    config.page.name = Some("Configured".to_owned());
    let face = site(&catalog, &config).await.face();
    assert_eq!((face.name.as_str(), face.fixed), ("Configured", vec!["name"]));
    assert_eq!(face.language, Some(Language::Chinese));
}

#[test]
fn a_name_is_one_line_that_shows_something() {
    for good in ["示", "Hall of the University", &"字".repeat(100)] {
        assert_eq!(HallName::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "  ", " a", "a ", "a\nb", "a\u{202e}b", &"字".repeat(101)] {
        assert_eq!(HallName::parse(bad).unwrap_err().field(), Some("name"), "{bad:?}");
    }
}

#[test]
fn the_overview_has_every_setting_in_the_order_of_the_sample_and_no_secret() {
    let text = r#"{"stores": {"bucket": {"kind": "s3", "access_key_id": "AK", "secret_access_key": "hunter2"},
        "cluster": {"kind": "hdfs", "options": {"fs.secret": "hunter2"}}}, "policy": {"max_depth": 7},
        "cache": {"redis_url": "redis://:hunter2@cache"},
        "storage": {"placement": [{"store": "bucket", "drives": ["d1", "d2"], "min_bytes": 7}]}}"#;
    let config: Config = serde_json::from_str(text).unwrap();
    let groups = serde_json::to_value(overview::groups(&config).unwrap()).unwrap();
    let shown = groups.to_string();
    assert!(!shown.contains("hunter2") && !shown.contains("\"AK\""), "{shown}");
    let names: Vec<_> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| &group["name"])
        .collect();
    let expected = [
        "",
        "http",
        "page",
        "log",
        "database",
        "storage",
        "stores.bucket",
        "stores.cluster",
        "cache",
        "events",
        "accounts",
        "policy",
    ];
    assert_eq!(names, expected);
    let of = |group: usize, key: &str| {
        let settings = groups[group]["settings"].as_array().unwrap();
        settings
            .iter()
            .find(|setting| setting["key"] == key)
            .unwrap()
            .clone()
    };
    assert_eq!(of(6, "secret_access_key")["value"], true);
    assert_eq!(of(6, "secret_access_key")["secret"], true);
    assert_eq!(of(8, "redis_url")["value"], true);
    assert_eq!(of(7, "options")["value"], serde_json::json!(["fs.secret"]));
    let rules = of(5, "placement")["value"].clone();
    assert_eq!(rules.as_array().unwrap().len(), 1);
    let rule = rules[0].as_str().unwrap();
    for part in ["store: bucket", "drives: d1 d2", "min_bytes: 7"] {
        assert!(rule.contains(part), "{rule}");
    }
    assert!(!rule.contains("max_bytes"), "{rule}");
    assert_eq!(of(11, "max_depth")["changed"], true);
    assert_eq!(of(11, "max_file_bytes")["changed"], false);
    assert_eq!(groups[0]["settings"][0]["key"], "listen");
    assert_eq!(groups[11]["settings"][0]["key"], "personal_quota_bytes");
}
