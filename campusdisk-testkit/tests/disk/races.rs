//! The races of the design: each test fails when the rule that decides it is taken out.

use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::catalog::record::{BlobState, OnConflict};
use campusdisk_core::catalog::{Change, Record};
use campusdisk_core::{AppendOptions, CampusDisk, Desk, ErrorKind, PutOptions, UploadSpec};
use campusdisk_testkit::faulty::Fault;

use crate::fixture::{Fixture, append, kind, name, names, part, pattern, policy, put, read, upload};

fn places_a_file(change: &Change) -> bool {
    matches!(change, Change::Put(Record::Content(_)))
}

#[tokio::test]
async fn a_commit_slower_than_its_leases_fails_and_no_file_refers_to_a_condemned_blob() {
    let mut policy = policy();
    policy.purge_delay = Duration::from_secs(60);
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let putting = tokio::spawn(async move { put(&slow, root, "f", &pattern(2500)).await });
    gate.arrived().await;
    fixture.clock.advance(fixture.disk.policy().blob_lease * 2);
    assert!(fixture.disk.sweep().await.unwrap().condemned >= 3);
    gate.open();
    assert_eq!(kind(putting.await.unwrap()), ErrorKind::Conflict);
    assert_eq!(names(&desk, root).await, [""; 0]);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn an_extension_slower_than_its_leases_fails_and_the_upload_goes_on_where_it_stood() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(2500)).await.unwrap();
    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Extend(_)));
    let slow = desk.clone();
    let appending = tokio::spawn(async move { append(&slow, begun.id, 0, &pattern(1500)).await });
    gate.arrived().await;
    fixture.clock.advance(fixture.disk.policy().blob_lease * 2);
    fixture.disk.sweep().await.unwrap();
    gate.open();
    assert_eq!(kind(appending.await.unwrap()), ErrorKind::Conflict);
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 0);
    append(&desk, begun.id, 0, &pattern(2500)).await.unwrap();
    fixture.assert_settles().await;
}

/// The same person at another instance, which can't ask the first one's writers to end.
async fn elsewhere(fixture: &Fixture, desk: &Desk) -> (CampusDisk, Desk) {
    let disk = fixture.instance().await;
    let desk = disk.drive(desk.actor().clone());
    (disk, desk)
}

#[tokio::test]
async fn a_writer_that_was_taken_over_and_wakes_up_later_changes_nothing() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(2000)).await.unwrap();
    // It stops before it records its bytes, all of the letter x.
    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Extend(_)));
    let slow = desk.clone();
    let stopped =
        tokio::spawn(async move { append(&slow, begun.id, 0, &Bytes::from(vec![b'x'; 1500])).await });
    gate.arrived().await;
    // Another request waits five seconds for it and takes over, but has sent nothing yet.
    let mut next = desk.append(begun.id, 0, AppendOptions::default()).await.unwrap();
    gate.open();
    assert_eq!(kind(stopped.await.unwrap()), ErrorKind::Conflict);
    assert_eq!(
        fixture
            .catalog
            .upload(begun.id)
            .await
            .unwrap()
            .unwrap()
            .offset_bytes,
        0
    );
    next.write(pattern(2000)).await.unwrap();
    let node = next.finish().await.unwrap().node.unwrap();
    assert_eq!(read(&desk, node.id).await.unwrap(), pattern(2000));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_taken_over_writer_that_wakes_up_at_its_last_byte_makes_no_file() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(1500)).await.unwrap();
    append(&desk, begun.id, 0, &Bytes::from(vec![b'x'; 1000]))
        .await
        .unwrap();
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let stopped =
        tokio::spawn(async move { append(&slow, begun.id, 1000, &Bytes::from(vec![b'x'; 500])).await });
    gate.arrived().await;
    let (_, other) = elsewhere(&fixture, &desk).await;
    let mut next = other
        .append(begun.id, 1000, AppendOptions::default())
        .await
        .unwrap();
    next.write(Bytes::from(vec![b'y'; 500])).await.unwrap();
    gate.open();
    assert_eq!(kind(stopped.await.unwrap()), ErrorKind::Conflict);
    assert_eq!(names(&desk, root).await, [""; 0]);
    let node = next.finish().await.unwrap().node.unwrap();
    let bytes = read(&desk, node.id).await.unwrap();
    assert_eq!(bytes[1000..], [b'y'; 500]);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_asked_for_again_and_applied_once() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let lose = |times| {
        fixture
            .faults
            .fail_next_of("commit set", times, Fault::After(ErrorKind::Unavailable))
    };
    let begun = upload(&desk, "u", Some(2500)).await.unwrap();
    for at in [0, 1250] {
        lose(3);
        append(
            &desk,
            begun.id,
            at,
            &pattern(2500).slice(at as usize..at as usize + 1250),
        )
        .await
        .unwrap();
    }
    lose(1);
    let file = put(&desk, root, "f", &pattern(50)).await.unwrap();
    lose(2);
    let folder = desk.create_folder(root, name("a")).await.unwrap().id;
    lose(1);
    desk.copy(file, folder, None).await.unwrap();
    lose(1);
    desk.restore_version(file, 1).await.unwrap();
    assert_eq!(names(&desk, root).await, ["a", "f", "u"]);
    assert_eq!(desk.versions(file, None, 10).await.unwrap().items.len(), 2);
    assert_eq!(desk.home().await.unwrap().used_bytes, 2500 + 3 * 50);
    lose(1);
    desk.trash(folder, None).await.unwrap();
    lose(1);
    desk.purge(folder).await.unwrap();
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_slow_reader_goes_on_over_a_new_layout_whose_old_blobs_are_deleted() {
    use futures::StreamExt;
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(3000);
    let begun = upload(&desk, "f", Some(3000)).await.unwrap();
    for at in (0..3000).step_by(300) {
        append(&desk, begun.id, at as u64, &bytes.slice(at..at + 300))
            .await
            .unwrap();
    }
    let node = desk.upload(begun.id).await.unwrap().node.unwrap();
    let download = desk.download(node).await.unwrap();
    let whole = campusdisk_core::Span::new(0, 3000).unwrap();
    let mut body = download.open(whole).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..4 {
        got.extend_from_slice(&body.next().await.unwrap().unwrap());
    }
    let old = fixture.objects().await;
    fixture
        .disk
        .relayout(download.place().node.content.unwrap())
        .await
        .unwrap();
    fixture.settle().await;
    assert!(fixture.objects().await.keys().all(|key| !old.contains_key(key)));
    while let Some(piece) = body.next().await {
        got.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(Bytes::from(got), bytes);
    // So does one that knows the old layout and begins only now.
    let late = download.open(whole).await.unwrap().collect(3000).await;
    assert_eq!(late.unwrap(), bytes);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_new_layout_made_twice_at_once_is_made_once() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let part = part(&desk, &pattern(2500)).await.unwrap();
    let join = async |file: &str| {
        let joined = desk.join(UploadSpec::file(name(file), None), &[part]).await;
        joined.unwrap().node.unwrap()
    };
    let file = join("f").await;
    // The old blobs are the part's too, so that letting them go twice would not be noticed by itself.
    let content = desk.node(file).await.unwrap().node.content.unwrap();
    while fixture
        .catalog
        .content(content)
        .await
        .unwrap()
        .unwrap()
        .sha256
        .is_none()
    {
        tokio::task::yield_now().await;
    }
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = fixture.disk.clone();
    let slow = tokio::spawn(async move { slow.relayout(content).await });
    gate.arrived().await;
    fixture.disk.relayout(content).await.unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::Conflict);
    fixture.assert_settles().await;
    for file in [file, join("g").await] {
        assert_eq!(read(&desk, file).await.unwrap(), pattern(2500));
    }
    fixture.assert_settles().await;
}

#[tokio::test]
async fn two_joins_of_one_part_at_once_make_two_whole_files_and_count_both() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let bytes = pattern(1500);
    // Another reservation, so that one set free twice would not be noticed by itself.
    upload(&desk, "other", Some(5000)).await.unwrap();
    let part = part(&desk, &bytes).await.unwrap();
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let slow = tokio::spawn(async move { slow.join(UploadSpec::file(name("f"), None), &[part]).await });
    gate.arrived().await;
    desk.join(UploadSpec::file(name("g"), None), &[part])
        .await
        .unwrap();
    gate.open();
    slow.await.unwrap().unwrap();
    assert_eq!(names(&desk, root).await, ["f", "g"]);
    for file in ["f", "g"] {
        let file = desk.child(root, &name(file)).await.unwrap().node.id;
        assert_eq!(read(&desk, file).await.unwrap(), bytes);
    }
    let home = desk.home().await.unwrap();
    assert_eq!((home.used_bytes, home.reserved_bytes), (3000, 5000));
    desk.terminate(part).await.unwrap();
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_join_of_a_part_that_is_given_up_meanwhile_finds_nothing() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let part = part(&desk, &pattern(1500)).await.unwrap();
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let slow = tokio::spawn(async move { slow.join(UploadSpec::file(name("f"), None), &[part]).await });
    gate.arrived().await;
    desk.terminate(part).await.unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::NotFound);
    assert_eq!(names(&desk, root).await, [""; 0]);
    fixture.assert_settles().await;
    assert!(fixture.objects().await.is_empty());
}

#[tokio::test]
async fn of_two_requests_that_begin_to_write_one_upload_at_once_only_one_writes() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(1500)).await.unwrap();
    let (_, other) = elsewhere(&fixture, &desk).await;
    let raises = |change: &Change| matches!(change, Change::Put(Record::Upload(_)));
    let gates = [
        fixture.gates.hold_commit(raises),
        fixture.gates.hold_commit(raises),
    ];
    let writers = [(desk.clone(), b'x'), (other, b'y')].map(|(desk, letter)| {
        tokio::spawn(async move { append(&desk, begun.id, 0, &Bytes::from(vec![letter; 1500])).await })
    });
    // Both have read epoch 0, then both raise it.
    for gate in &gates {
        gate.arrived().await;
    }
    gates.iter().for_each(|gate| gate.open());
    let outcomes = futures::future::join_all(writers).await;
    let won: Vec<_> = outcomes
        .into_iter()
        .filter_map(|outcome| outcome.unwrap().ok())
        .collect();
    let files = won.iter().filter(|done| done.node.is_some()).count();
    assert_eq!(files, 1);
    let node = desk.upload(begun.id).await.unwrap().node.unwrap();
    let bytes = read(&desk, node).await.unwrap();
    assert!(
        bytes.iter().all(|byte| *byte == bytes[0]),
        "one writer's bytes only"
    );
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_request_that_begins_to_write_long_after_it_looked_does_not_set_the_upload_back() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(1500)).await.unwrap();
    let (_, other) = elsewhere(&fixture, &desk).await;
    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Put(Record::Upload(_))));
    let late = tokio::spawn(async move { append(&other, begun.id, 0, &pattern(1500)).await });
    gate.arrived().await;
    append(&desk, begun.id, 0, &pattern(1100)).await.unwrap();
    gate.open();
    assert_eq!(kind(late.await.unwrap()), ErrorKind::Conflict);
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 1100);
    let rest = pattern(1500).slice(1100..);
    let node = append(&desk, begun.id, 1100, &rest).await.unwrap().node.unwrap();
    assert_eq!(read(&desk, node.id).await.unwrap(), pattern(1500));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn sixty_four_that_race_for_one_name_or_one_file_all_arrive() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "versions", &pattern(10)).await.unwrap();
    let racing = (0..64).map(|_| {
        let desk = desk.clone();
        tokio::spawn(async move {
            let begun = upload(&desk, "f", Some(50)).await?;
            append(&desk, begun.id, 0, &pattern(50)).await?;
            put(&desk, root, "versions", &pattern(20)).await
        })
    });
    for outcome in futures::future::join_all(racing).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(names(&desk, root).await.len(), 65);
    assert_eq!(desk.versions(file, None, 100).await.unwrap().items.len(), 65);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn puts_and_uploads_that_race_for_one_name_all_arrive() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let (mut gates, mut running) = (Vec::new(), Vec::new());
    for index in 0..12usize {
        gates.push(fixture.gates.hold_commit(places_a_file));
        let desk = desk.clone();
        running.push(tokio::spawn(async move {
            let bytes = pattern(50 + index);
            if index % 2 == 0 {
                return put(&desk, root, "f", &bytes).await.map(drop);
            }
            let begun = upload(&desk, "f", Some(bytes.len() as u64)).await?;
            append(&desk, begun.id, 0, &bytes).await.map(drop)
        }));
    }
    for gate in &gates {
        gate.arrived().await;
    }
    gates.iter().for_each(|gate| gate.open());
    for outcome in futures::future::join_all(running).await {
        outcome.unwrap().unwrap();
    }
    // Each of six uploads has a name of its own; the puts share one file, whichever name they met first.
    let mut contents = 0;
    for file in names(&desk, root).await {
        let file = desk.child(root, &name(&file)).await.unwrap().node.id;
        contents += desk.versions(file, None, 100).await.unwrap().items.len();
    }
    assert_eq!(contents, 12);
    assert!(names(&desk, root).await.len() >= 6);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn an_upload_that_refuses_taken_names_and_loses_one_at_the_last_moment_says_so() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let spec = UploadSpec::file(name("f"), Some(50)).with_on_conflict(OnConflict::Fail);
    let begun = desk.create_upload(spec).await.unwrap();
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let slow = tokio::spawn(async move { append(&slow, begun.id, 0, &pattern(50)).await });
    gate.arrived().await;
    put(&desk, root, "f", &pattern(7)).await.unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::AlreadyExists);
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 50);
    assert_eq!(names(&desk, root).await, ["f"]);
}

#[tokio::test]
async fn a_put_that_lost_its_file_to_another_condition_changes_nothing() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    let mut options = PutOptions::default();
    options.if_content = desk
        .node(file)
        .await
        .unwrap()
        .node
        .content
        .map(|content| vec![content]);
    let gate = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let slow = tokio::spawn(async move {
        let mut putting = slow.put_content(file, options).await?;
        putting.write(pattern(50)).await?;
        putting.finish().await
    });
    gate.arrived().await;
    put(&desk, root, "f", &pattern(7)).await.unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::Changed);
    assert_eq!(read(&desk, file).await.unwrap(), pattern(7));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn the_sweep_of_a_blob_that_is_attached_meanwhile_leaves_it_and_condemns_the_others() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    // The leases are over, but the writer is only slow.
    let slow_commit = fixture.gates.hold_commit(places_a_file);
    let slow = desk.clone();
    let putting = tokio::spawn(async move { put(&slow, root, "f", &pattern(2500)).await });
    slow_commit.arrived().await;
    fixture.clock.advance(fixture.disk.policy().blob_lease * 2);
    let condemn = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Blob(..)));
    let sweeper = fixture.disk.clone();
    let sweep = tokio::spawn(async move { sweeper.sweep().await });
    condemn.arrived().await;
    slow_commit.open();
    let file = putting.await.unwrap().unwrap();
    condemn.open();
    assert_eq!(
        sweep.await.unwrap().unwrap().condemned,
        1,
        "the key that was leased and not used"
    );
    let rows = fixture
        .catalog
        .blobs_of(&fixture.store.info().name, None, 100)
        .await
        .unwrap();
    assert_eq!(
        rows.iter().filter(|blob| blob.state == BlobState::Live).count(),
        3
    );
    assert_eq!(read(&desk, file).await.unwrap(), pattern(2500));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_merge_of_pieces_that_loses_to_a_join_leaves_the_reservation_as_the_join_left_it() {
    let mut policy = policy();
    policy.max_extents = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, _) = fixture.alice().await;
    let part = desk
        .create_upload(UploadSpec::partial(Some(600)))
        .await
        .unwrap()
        .id;
    append(&desk, part, 0, &pattern(300)).await.unwrap();
    // The merge is what deletes an upload's row to write it anew.
    let gate = fixture.gates.hold_commit(|change| {
        matches!(
            change,
            Change::Delete(campusdisk_core::catalog::RecordKey::Upload(_))
        )
    });
    let slow = desk.clone();
    let slow = tokio::spawn(async move { append(&slow, part, 300, &pattern(600).slice(300..)).await });
    gate.arrived().await;
    let (_, other) = elsewhere(&fixture, &desk).await;
    let joined = other
        .join(UploadSpec::file(name("f"), None), &[part])
        .await
        .unwrap();
    gate.open();
    assert_eq!(kind(slow.await.unwrap()), ErrorKind::Conflict);
    assert_eq!(read(&desk, joined.node.unwrap()).await.unwrap(), pattern(600));
    fixture.assert_settles().await;
}
