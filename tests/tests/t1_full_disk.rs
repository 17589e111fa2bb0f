//! A disk that fills up under a hall: a real one of 96 MiB that only this test sees.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it can't go on"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use campusdisk_testkit::small_disk::on_a_small_disk;
use campusdisk_tests::{Client, Hall, Upload, pattern};

const MIB: usize = 1 << 20;

/// Deleted bytes go at once, and uploads leave 16 MiB.
const CONFIG: &str = "
[accounts]
argon2_memory_kib = 64
argon2_passes = 1

[policy]
purge_delay_seconds = 0
sweep_period_ms = 200

[storage]
reserve_bytes = 16777216

[stores.primary]
kind = \"local\"
part_size_bytes = 4194304
";

struct Case {
    hall: Hall,
    ada: Client,
    root: String,
}

impl Case {
    async fn on(disk: &Path) -> Self {
        let hall = Hall::start_in(disk, CONFIG).await;
        let ada = hall.account("ada");
        let root = ada.root().await;
        Self { hall, ada, root }
    }

    async fn try_put(&self, name: &str, len: usize) -> u16 {
        let path = format!("/api/v1/nodes/{}/children/{name}", self.root);
        self.ada.send("PUT", &path, &[], pattern(len, 1)).await.status
    }

    /// Puts a file again and again until there is room for it.
    async fn put_once_there_is_room(&self, name: &str, len: usize) {
        let begun = Instant::now();
        loop {
            match self.try_put(name, len).await {
                201 => return,
                507 => assert!(begun.elapsed() < Duration::from_secs(30), "no room came back"),
                status => panic!("{name}: {status}"),
            }
        }
    }

    /// Whatever else there is goes on: reading, renaming, deleting.
    async fn others_go_on(&self, kept: &serde_json::Value, doomed: &serde_json::Value) {
        let (kept, doomed) = (kept["id"].as_str().unwrap(), doomed["id"].as_str().unwrap());
        let content = format!("/api/v1/nodes/{kept}/content");
        assert!(self.ada.get(&content).await.expect(200).body == pattern(MIB, 2));
        let range = [("range", "bytes=5-9")];
        let part = self.ada.get_with(&content, &range).await.expect(206);
        assert_eq!(part.body, pattern(MIB, 2)[5..10]);
        let name = serde_json::json!({"name": "renamed"});
        self.ada
            .patch(&format!("/api/v1/nodes/{kept}"), name)
            .await
            .expect(200);
        let path = format!("/api/v1/nodes/{doomed}");
        self.ada.delete(&path).await.expect(204);
        let path = format!("/api/v1/trash/{doomed}");
        self.ada.delete(&path).await.expect(204);
    }
}

#[test]
fn a_full_disk_refuses_uploads_and_nothing_else_and_they_go_on_once_there_is_room() {
    let name = "a_full_disk_refuses_uploads_and_nothing_else_and_they_go_on_once_there_is_room";
    on_a_small_disk(name, 96, async |disk| {
        let case = Case::on(disk).await;
        let (ada, root) = (&case.ada, case.root.as_str());
        let kept = ada.put(root, "kept", pattern(MIB, 2)).await;
        let doomed = ada.put(root, "doomed", pattern(MIB, 3)).await;
        let bytes = pattern(12 * MIB, 4);
        let upload = Upload::create(ada, root, "up", bytes.len()).await;
        upload.patch(0, bytes[..5 * MIB].to_vec()).await.expect(204);

        // Somebody else fills the disk, until no file of 1 MiB is taken.
        let ballast = disk.join("ballast");
        fs::create_dir(&ballast).unwrap();
        for number in 0.. {
            if case.try_put(&format!("filler-{number}"), MIB).await == 507 {
                break;
            }
            assert!(number < 96, "a disk of 96 MiB took more");
            fs::write(ballast.join(number.to_string()), vec![0; 3 * MIB]).unwrap();
        }
        assert_eq!(case.try_put("late", MIB).await, 507);
        let late = format!("/api/v1/nodes/{root}/children/late");
        ada.get(&late).await.expect(404);
        let stored = upload.offset().await;
        assert_eq!(stored, 5 * MIB, "what was acknowledged");
        upload.patch(stored, bytes[stored..].to_vec()).await.expect(507);
        let stored = upload.offset().await;
        assert!((5 * MIB..bytes.len()).contains(&stored), "{stored}");
        case.others_go_on(&kept, &doomed).await;

        fs::remove_dir_all(&ballast).unwrap();
        let done = upload.patch(stored, bytes[stored..].to_vec()).await.expect(204);
        let node = done.header("campusdisk-node");
        let content = ada
            .get(&format!("/api/v1/nodes/{node}/content"))
            .await
            .expect(200);
        assert!(content.body == bytes);
        assert_eq!(case.try_put("late", MIB).await, 201);
        case.hall.done(&["check"], "");
    });
}

#[test]
fn an_upload_that_fills_the_disk_is_kept_as_far_as_it_came_and_can_be_given_up() {
    let name = "an_upload_that_fills_the_disk_is_kept_as_far_as_it_came_and_can_be_given_up";
    on_a_small_disk(name, 96, async |disk| {
        let case = Case::on(disk).await;
        let (ada, root) = (&case.ada, case.root.as_str());
        let kept = ada.put(root, "kept", pattern(MIB, 2)).await;
        let doomed = ada.put(root, "doomed", pattern(MIB, 3)).await;
        let bytes = pattern(120 * MIB, 5);
        let upload = Upload::create(ada, root, "too much", bytes.len()).await;
        upload.patch(0, bytes.clone()).await.expect(507);
        let stored = upload.offset().await;
        assert!((32 * MIB..96 * MIB).contains(&stored), "{stored}");
        assert_eq!(case.try_put("late", 8 * MIB).await, 507);
        case.others_go_on(&kept, &doomed).await;
        assert_eq!(upload.offset().await, stored, "it can be gone on with");
        upload.terminate().await.expect(204);
        case.put_once_there_is_room("late", 40 * MIB).await;
        case.hall.done(&["check"], "");
    });
}
