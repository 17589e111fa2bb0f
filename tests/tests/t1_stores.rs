//! A hall with several stores: which takes what, and the commands that move and read what lies in them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::path::{Path, PathBuf};

use campusdisk_tests::{Client, Hall, Upload, pattern};
use serde_json::Value;

const TWO_STORES: &str = r#"
[stores.primary]
kind = "local"
part_size_bytes = 1048576
[stores.archive]
kind = "local"
path = "archive"
"#;

fn content(file: &Value) -> String {
    format!("/api/v1/nodes/{}/content", file["id"].as_str().unwrap())
}

async fn read(client: &Client, file: &Value) -> Vec<u8> {
    client.get(&content(file)).await.expect(200).body
}

/// The files below a folder that are not about the store itself.
fn blobs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(blobs(&path));
        } else if entry.file_name().len() == 26 {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn files_move_to_another_store_while_the_hall_runs() {
    let hall = Hall::start_with(TWO_STORES).await;
    let (ada, bob) = (hall.account("ada"), hall.account("bob"));
    let (hers, his) = (ada.root().await, bob.root().await);
    let big = pattern(5_000_000, 1);
    let file = ada.put(&hers, "big", big.clone()).await;
    let small = ada.put(&hers, "small", "hello").await;
    let bobs = bob.put(&his, "f", pattern(300_000, 2)).await;

    let listed = hall.done(&["store", "list"], "");
    assert!(
        listed.contains("primary") && listed.contains("3 contents"),
        "{listed}"
    );
    let drive = bob.own_drive().await["id"].as_str().unwrap().to_owned();
    let migrate = ["store", "migrate", "--from", "primary", "--to", "archive"];
    let said = hall.done(&[&migrate[..], &["--dry-run", "--drive", &drive]].concat(), "");
    assert!(said.starts_with("1 content, 292.97 KiB would be moved"), "{said}");
    assert!(blobs(&hall.folder().join("data/archive")).is_empty());
    let said = hall.done(&[&migrate[..], &["--drive", &drive]].concat(), "");
    assert!(said.contains(": 1 content\n"), "{said}");
    let said = hall.done(&migrate, "");
    assert!(
        said.contains(": 2 contents") && said.contains("still \"primary\""),
        "{said}"
    );

    assert_eq!(read(&ada, &file).await, big);
    assert_eq!(read(&ada, &small).await, b"hello");
    assert_eq!(read(&bob, &bobs).await, pattern(300_000, 2));
    let verified = hall.done(&["store", "verify"], "");
    assert!(
        verified.contains("\"archive\": 3 contents") && verified.contains("\"primary\": 0 contents"),
        "{verified}"
    );
    hall.done(&["check"], "");
    campusdisk_tests::wait::until("the old bytes are gone", async || {
        blobs(&hall.folder().join("data/blobs")).is_empty()
    })
    .await;
    assert_eq!(read(&ada, &file).await, big);
}

#[tokio::test]
async fn bytes_that_changed_on_disk_are_named_with_their_file_and_not_moved() {
    let hall = Hall::start_with(TWO_STORES).await;
    let ada = hall.account("ada");
    let home = ada.root().await;
    let sound = ada.put(&home, "sound", pattern(400_000, 1)).await;
    let before = blobs(&hall.folder().join("data/blobs"));
    let broken = ada.put(&home, "broken", pattern(700_000, 2)).await;
    let mut new = blobs(&hall.folder().join("data/blobs"));
    new.retain(|blob| !before.contains(blob));
    let mut bytes = std::fs::read(&new[0]).unwrap();
    bytes[500_000] ^= 1;
    std::fs::write(&new[0], bytes).unwrap();

    let id = broken["id"].as_str().unwrap();
    for command in [
        &["store", "verify"][..],
        &["store", "migrate", "--from", "primary", "--to", "archive"],
    ] {
        let said = hall.run(command, "");
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert_eq!(said.err.matches("FAILED").count(), 1, "{said:?}");
        assert!(
            said.err.contains(id) && said.err.contains("1 content could not be"),
            "{said:?}"
        );
    }
    let moved = blobs(&hall.folder().join("data/archive"));
    let live: Vec<_> = moved
        .iter()
        .filter(|blob| blob.metadata().unwrap().len() == 400_000)
        .collect();
    assert_eq!(live.len(), 1);
    assert_eq!(read(&ada, &sound).await, pattern(400_000, 1));
}

#[tokio::test]
async fn what_names_no_store_or_drive_is_refused_in_plain_words() {
    let hall = Hall::start_with(TWO_STORES).await;
    let migrate = |from: &str, to: &str| hall.run(&["store", "migrate", "--from", from, "--to", to], "");
    let said = migrate("primary", "tape");
    assert!(
        said.err
            .contains("there is no store \"tape\"; under [stores] there is: archive, primary"),
        "{said:?}"
    );
    let said = migrate("primary", "primary");
    assert!(
        !said.status.success() && said.err.contains("is the store that"),
        "{said:?}"
    );
    let nobody = "01k0000000000000000000000a";
    let said = hall.run(&["store", "verify", "--drive", nobody], "");
    assert!(
        said.err.contains(&format!("there is no drive {nobody}")),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_store_that_files_lie_in_can_t_leave_the_configuration() {
    let mut hall = Hall::start_with(TWO_STORES).await;
    let ada = hall.account("ada");
    let home = ada.root().await;
    let file = ada.put(&home, "f", pattern(300_000, 1)).await;
    hall.done(&["store", "migrate", "--from", "primary", "--to", "archive"], "");
    let config = hall.folder().join("hall.toml");
    let whole = std::fs::read_to_string(&config).unwrap();
    let without = whole.split("[stores.archive]").next().unwrap();
    std::fs::write(&config, without).unwrap();
    hall.kill9();
    let said = hall.run(&["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    for words in [
        "blobs lie in the store \"archive\"",
        "[stores.archive]",
        "hall store migrate",
    ] {
        assert!(said.err.contains(words), "{words}: {said:?}");
    }
    let said = hall.run(&["check-config"], "");
    assert!(said.out.contains("FAILED  blobs lie in the store"), "{said:?}");
    std::fs::write(&config, whole).unwrap();
    hall.restart().await;
    assert_eq!(read(&ada, &file).await, pattern(300_000, 1));
}

#[tokio::test]
async fn rules_put_large_files_and_files_of_a_drive_into_other_stores() {
    let rules = "\n[[storage.placement]]\nstore = \"archive\"\nmin_bytes = 1000000\n";
    let mut hall = Hall::start_with(&format!("{TWO_STORES}{rules}")).await;
    let (ada, bob) = (hall.account("ada"), hall.account("bob"));
    let home = ada.root().await;
    let archive = hall.folder().join("data/archive");
    ada.put(&home, "small", pattern(999_999, 1)).await;
    assert_eq!(blobs(&archive).len(), 0);
    let large = pattern(1_000_000, 2);
    let upload = Upload::create(&ada, &home, "large", large.len()).await;
    upload.patch(0, large.clone()).await.expect(204);
    assert_eq!(blobs(&archive).len(), 1);

    let drive = bob.own_drive().await["id"].as_str().unwrap().to_owned();
    let config = hall.folder().join("hall.toml");
    let more = format!("[[storage.placement]]\nstore = \"archive\"\ndrives = [\"{drive}\"]\n");
    let whole = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{whole}{more}")).unwrap();
    hall.restart().await;
    let tiny = bob.put(&bob.root().await, "tiny", "x").await;
    assert_eq!(blobs(&archive).len(), 2);
    assert_eq!(read(&bob, &tiny).await, b"x");
    std::fs::write(
        &config,
        format!("{whole}[[storage.placement]]\nstore = \"tape\"\n"),
    )
    .unwrap();
    let said = hall.run(&["check-config"], "");
    assert!(
        said.err.contains("storage.placement names the store \"tape\""),
        "{said:?}"
    );
}
