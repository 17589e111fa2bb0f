//! A hall that publishes what others keep in a folder of its machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use campusdisk_testkit::mount::MountHarness as _;
use campusdisk_testkit::storage::pattern;
use campusdisk_tests::Hall;
use campusdisk_tests::mounts::{Others as _, OthersFolder, publish_and_let_go};

const FILE_BYTES: usize = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_published_read_changed_published_again_and_let_go() {
    publish_and_let_go(&OthersFolder::fresh()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_that_is_killed_goes_on_where_it_was() {
    let others = OthersFolder::fresh();
    let names: Vec<_> = (0..150)
        .map(|number| format!("{:02}/{number:03}.pdf", number % 7))
        .collect();
    for name in &names {
        others.write(name, pattern(1, FILE_BYTES)).await.unwrap();
    }
    let hall = Hall::start_with(&others.settings()).await;
    let ada = hall.account("ada");
    let drive = ada.own_drive().await["id"].as_str().unwrap().to_owned();
    let publish = ["mount", "publish", "spark", "--drive", &drive, "--account", "ada"];
    let mut kills = 0;
    for files in [1, 5, 20, 40, 60, 80] {
        let published = async || {
            let drive = ada.own_drive().await;
            drive["used_bytes"].as_u64().unwrap() >= files * FILE_BYTES as u64
        };
        kills += usize::from(!hall.run_and_kill_once(&publish, published).await);
    }
    let said = hall.done(&publish, "");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        kills > 0 && last.contains("unchanged"),
        "{kills} kills, then {said}"
    );
    assert_eq!(hall.done(&publish, ""), "150 unchanged");
    let home = ada.root().await;
    let listed = ada
        .get(&format!("/api/v1/nodes/{home}/children"))
        .await
        .expect(200)
        .json();
    let mut files = 0;
    for folder in listed["items"].as_array().unwrap() {
        let folder = folder["id"].as_str().unwrap();
        let listed = ada
            .get(&format!("/api/v1/nodes/{folder}/children"))
            .await
            .expect(200)
            .json();
        for file in listed["items"].as_array().unwrap() {
            assert_eq!(file["version"], 1, "{file}");
            files += 1;
        }
    }
    assert_eq!(files, names.len());
    hall.done(&["check"], "");
}

#[tokio::test]
async fn what_can_not_be_published_is_named_and_the_rest_is() {
    let others = OthersFolder::fresh();
    for name in ["good.txt", "bad. ", "folder /deep.txt"] {
        others.write(name, pattern(1, 10)).await.unwrap();
    }
    let hall = Hall::start_with(&others.settings()).await;
    let ada = hall.account("ada");
    let drive = ada.own_drive().await["id"].as_str().unwrap().to_owned();
    let said = hall.run(
        &["mount", "publish", "spark", "--drive", &drive, "--account", "ada"],
        "",
    );
    assert!(!said.status.success(), "{said:?}");
    assert!(said.out.ends_with("1 new\n"), "{said:?}");
    assert!(
        said.err.contains("FAILED bad. :") && said.err.contains("FAILED folder /deep.txt:"),
        "{said:?}"
    );
    assert!(said.err.contains("2 objects could not be published"), "{said:?}");
    let said = hall.run(&["mount", "list", "sparks"], "");
    assert!(
        said.err
            .contains("there is no mount \"sparks\"; under [mounts] there is: spark"),
        "{said:?}"
    );
    let said = hall.run(&["mount", "publish", "spark", "--drive", "nothing"], "");
    assert!(said.err.contains("--drive"), "{said:?}");
}
