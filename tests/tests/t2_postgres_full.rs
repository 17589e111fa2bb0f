//! PostgreSQL on a disk that fills up: a real one that only this test's server sees.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::Path;

use campusdisk_core::ErrorKind;
use campusdisk_core::catalog::{Catalog, ChangeSet};
use campusdisk_sql::{PostgresDatabase, PostgresOptions, SqlCatalog};
use campusdisk_testkit::small_disk::on_a_small_disk;
use campusdisk_tests::counted::{COUNTED, counted, counting, drive, is_there, set};
use campusdisk_tests::postgres::OwnServer;

#[test]
fn a_full_disk_refuses_changes_and_nothing_else_and_takes_them_once_there_is_room() {
    let name = "a_full_disk_refuses_changes_and_nothing_else_and_takes_them_once_there_is_room";
    on_a_small_disk(name, 96, async |disk| {
        // The log of changes lies elsewhere: without room for that, PostgreSQL ends itself, which is another fault.
        let log_folder = tempfile::tempdir().unwrap();
        let server = OwnServer::start(&disk.join("data"), &log_folder.path().join("log")).await;
        let options = PostgresOptions::default();
        let database = PostgresDatabase::connect(&server.url(), options).await.unwrap();
        let catalog = database.catalog();
        catalog.commit(set().with(drive(COUNTED))).await.unwrap();
        catalog.commit(counting("kept")).await.unwrap();

        // Somebody else fills the disk.
        let ballast = disk.join("ballast");
        fill(&ballast);
        let (key, refused, applied) = commit_until_refused(&catalog).await;
        // It stays so, and nothing of what was refused is there.
        for same in [refused.clone(), refused.clone()] {
            let error = catalog.commit(same).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
        }
        assert!(!is_there(&catalog, &key).await);
        assert_eq!(counted(&catalog).await, applied + 1);
        // Who reads does not notice, nor does who needs a new connection.
        let another = PostgresDatabase::connect(&server.url(), PostgresOptions::default()).await;
        assert!(is_there(&another.unwrap().catalog(), "kept").await);

        std::fs::remove_file(&ballast).unwrap();
        assert!(!catalog.commit(refused).await.unwrap().replayed);
        assert!(is_there(&catalog, &key).await);
        assert_eq!(counted(&catalog).await, applied + 2);
        database.close().await;
    });
}

/// Commits until a table or an index needs another page; returns what was refused then, and how many were applied before.
async fn commit_until_refused(catalog: &SqlCatalog) -> (String, ChangeSet, u64) {
    for number in 0..5000 {
        let key = number.to_string();
        let set = counting(&key);
        if let Err(error) = catalog.commit(set.clone()).await {
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
            let says = "the disk of the database is full";
            assert!(error.to_string().contains(says), "{error}");
            return (key, set, number);
        }
    }
    panic!("a full disk took 5000 sets")
}

/// Writes a file as long as there is room.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for piece in [&[0; 1 << 20][..], &[0; 4096]] {
        loop {
            match file.write_all(piece) {
                Ok(()) => {}
                Err(error) if error.kind() == IoErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
