//! Each use-case with its first, second, third … call to catalog or store failing: nothing acknowledged is lost, nothing
//! half shows, no counter is off, nothing stays behind.

use bytes::Bytes;
use campusdisk_core::{Desk, ErrorKind, NodeId, Result, UploadId, UploadSpec};
use campusdisk_testkit::faulty::{Fault, Faults, anomaly_loop};

use crate::fixture::{Fixture, append, name, names, part, pattern, policy, put, read, upload};

const FAULTS: [Fault; 4] = [
    Fault::Before(ErrorKind::Unavailable),
    Fault::After(ErrorKind::Unavailable),
    // One that trying again does not mend.
    Fault::Before(ErrorKind::Internal),
    Fault::After(ErrorKind::Internal),
];

/// What was there before the scenario began.
struct World {
    fixture: Fixture,
    desk: Desk,
    root: NodeId,
    old: NodeId,
    trashed: NodeId,
    parts: [UploadId; 2],
    begun: UploadId,
}

const OLD: usize = 1300;
const NEW: usize = 2400;

async fn world(faults: Faults) -> World {
    let mut policy = policy();
    policy.max_extents = 3;
    policy.batch_rows = 2;
    let fixture = Fixture::faulty(policy, faults).await;
    let (desk, root) = fixture.alice().await;
    let old = put(&desk, root, "old", &pattern(OLD)).await.unwrap();
    let folder = desk.create_folder(root, name("gone")).await.unwrap().id;
    for file in ["1", "2", "3"] {
        put(&desk, folder, file, &pattern(1100)).await.unwrap();
    }
    desk.trash(folder, None).await.unwrap();
    let bytes = pattern(NEW);
    let parts = [
        part(&desk, &bytes.slice(..1200)).await.unwrap(),
        part(&desk, &bytes.slice(1200..)).await.unwrap(),
    ];
    let begun = upload(&desk, "resumed", Some(NEW as u64)).await.unwrap().id;
    append(&desk, begun, 0, &bytes.slice(..1150)).await.unwrap();
    World {
        fixture,
        desk,
        root,
        old,
        trashed: folder,
        parts,
        begun,
    }
}

/// Whatever failed: what was there is there, what shows is whole, what can be finished is finished, and all settles.
async fn check(world: &World, outcome: &Result<()>, appears: Option<&str>) {
    let World {
        fixture, desk, root, ..
    } = world;
    // Tasks of the service that outlive their request come to their end first.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    fixture.assert_sound().await;
    let found = names(desk, *root).await;
    for file in &found {
        let node = desk.child(*root, &name(file)).await.unwrap().node.clone();
        if node.content.is_none() {
            continue;
        }
        let expected = match node.size_bytes as usize {
            size @ (OLD | NEW) => pattern(size),
            size => panic!("a file of {size} bytes shows"),
        };
        assert_eq!(read(desk, node.id).await.unwrap(), expected, "{file}");
    }
    if let (Ok(()), Some(file)) = (outcome, appears) {
        assert!(found.iter().any(|found| found == file), "{file} was acknowledged");
    }
    finish(world).await;
    fixture.assert_settles().await;
}

/// The upload goes on where it stands, and makes its file.
async fn finish(world: &World) {
    let Ok(facts) = world.desk.upload(world.begun).await else {
        return;
    };
    if facts.node.is_none() {
        let rest = pattern(NEW).slice(facts.offset_bytes as usize..);
        let done = append(&world.desk, world.begun, facts.offset_bytes, &rest)
            .await
            .unwrap();
        assert!(done.node.is_some());
    }
    let node = world.desk.upload(world.begun).await.unwrap().node;
    if let Ok(bytes) = read(&world.desk, node.unwrap()).await {
        assert_eq!(bytes, pattern(NEW));
    }
}

async fn try_all(appears: Option<&str>, scenario: impl AsyncFn(&World) -> Result<()>) {
    for fault in FAULTS {
        let met = anomaly_loop(fault, world, &scenario, async |world, outcome| {
            check(world, outcome, appears).await;
        })
        .await;
        assert!(met >= 2, "{met} calls could fail");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_survives_the_failure_of_any_call() {
    try_all(Some("new"), async |world| {
        let begun = upload(&world.desk, "new", Some(NEW as u64)).await?;
        append(&world.desk, begun.id, 0, &pattern(NEW)).await.map(drop)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_resumed_upload_survives_the_failure_of_any_call() {
    try_all(Some("resumed"), async |world| {
        let bytes = pattern(NEW);
        // Small pieces, so that they are merged on the way.
        let mut at = world.desk.upload(world.begun).await?.offset_bytes;
        while at < NEW as u64 {
            let to = (at + 250).min(NEW as u64);
            append(
                &world.desk,
                world.begun,
                at,
                &bytes.slice(at as usize..to as usize),
            )
            .await?;
            at = to;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_put_survives_the_failure_of_any_call() {
    try_all(Some("new"), async |world| {
        put(&world.desk, world.root, "new", &pattern(NEW)).await.map(drop)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn overwriting_survives_the_failure_of_any_call() {
    for fault in FAULTS {
        anomaly_loop(
            fault,
            world,
            async |world| put(&world.desk, world.root, "old", &pattern(NEW)).await.map(drop),
            async |world, outcome| {
                let bytes = read(&world.desk, world.old).await.unwrap();
                let acknowledged = bytes == pattern(NEW);
                assert!(acknowledged || bytes == pattern(OLD));
                assert!(acknowledged || outcome.is_err());
                check(world, outcome, Some("old")).await;
                // The content before is still a version.
                let versions = world.desk.versions(world.old, None, 10).await.unwrap().items;
                assert_eq!(versions.last().unwrap().0.size_bytes, OLD as u64);
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_survives_the_failure_of_any_call() {
    try_all(Some("joined"), async |world| {
        let spec = UploadSpec::file(name("joined"), None);
        world.desk.join(spec, &world.parts).await.map(drop)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_a_move_and_a_version_survive_the_failure_of_any_call() {
    try_all(Some("copy"), async |world| {
        let folder = world.desk.create_folder(world.root, name("folder")).await?.id;
        world.desk.copy(world.old, world.root, Some(name("copy"))).await?;
        let mut update = campusdisk_core::NodeUpdate::default();
        update.parent = Some(folder);
        world.desk.update(world.old, update).await?;
        world.desk.restore_version(world.old, 1).await.map(drop)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trash_restore_and_purge_survive_the_failure_of_any_call() {
    try_all(None, async |world| {
        world.desk.trash(world.old, None).await?;
        world.desk.restore(world.old, Default::default()).await?;
        world.desk.purge(world.trashed).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn termination_survives_the_failure_of_any_call() {
    try_all(None, async |world| world.desk.terminate(world.begun).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_sweep_survives_the_failure_of_any_call() {
    for fault in FAULTS {
        let met = anomaly_loop(
            fault,
            async |faults| {
                let world = world(faults).await;
                world.desk.empty_trash().await.unwrap();
                let mut gone = world
                    .desk
                    .put(world.root, name("x"), Default::default())
                    .await
                    .unwrap();
                gone.write(pattern(1500)).await.unwrap();
                drop(gone);
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                world
            },
            async |world| {
                for _ in 0..2 {
                    world
                        .fixture
                        .clock
                        .advance(world.fixture.disk.policy().blob_lease * 2);
                    world.fixture.disk.sweep().await?;
                }
                Ok(())
            },
            async |world, outcome| check(world, outcome, None).await,
        )
        .await;
        assert!(met > 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_delivers_the_right_bytes_or_breaks_whichever_call_fails() {
    for fault in [
        FAULTS[0],
        FAULTS[1],
        Fault::HalfWay(ErrorKind::Unavailable),
        FAULTS[2],
    ] {
        anomaly_loop(
            fault,
            world,
            async |world| {
                let bytes = read(&world.desk, world.old).await?;
                assert_eq!(bytes, pattern(OLD));
                Ok(())
            },
            async |world, outcome| {
                check(world, outcome, None).await;
                // A body goes on over what a second try mends.
                let asked = world.fixture.faults.fired();
                if let Some(&op) = asked.last()
                    && ["read", "piece", "open"].contains(&op)
                    && fault != FAULTS[2]
                {
                    assert!(outcome.is_ok(), "{op} {fault:?} {outcome:?}");
                }
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_relayout_survives_the_failure_of_any_call() {
    try_all(None, async |world| {
        let content = world.desk.node(world.old).await?.node.content.unwrap();
        world.fixture.disk.relayout(content).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_append_with_a_checksum_survives_the_failure_of_any_call_and_counts_whole() {
    for fault in FAULTS {
        anomaly_loop(
            fault,
            world,
            async |world| {
                let bytes: Bytes = pattern(NEW).slice(1150..2350);
                let mut options = campusdisk_core::AppendOptions::default();
                let digest = crate::fixture::sha256(&bytes);
                options.checksum = Some(campusdisk_core::Checksum::new(
                    campusdisk_core::Algorithm::Sha256,
                    &digest,
                )?);
                let mut appending = world.desk.append(world.begun, 1150, options).await?;
                for piece in bytes.chunks(100) {
                    appending.write(Bytes::copy_from_slice(piece)).await?;
                }
                appending.finish().await.map(drop)
            },
            async |world, outcome| {
                let at = world.desk.upload(world.begun).await.unwrap().offset_bytes;
                assert!(at == 2350 || at == 1150 && outcome.is_err(), "{at} {outcome:?}");
                check(world, outcome, None).await;
            },
        )
        .await;
    }
}
