//! Resumable uploads: names, checksums, lengths, takeover, joins.

use std::time::Duration;

use bytes::Bytes;
use campusdisk_core::catalog::record::{OnConflict, UploadKind};
use campusdisk_core::{
    Algorithm, AppendOptions, Checksum, ErrorKind, NodeUpdate, UploadFacts, UploadId, UploadSpec,
};

use crate::fixture::{
    Fixture, append, folder, kind, name, names, part, pattern, policy, put, read, sha256, upload,
};

fn spec(file: &str, len: usize, on_conflict: OnConflict) -> UploadSpec {
    UploadSpec::file(name(file), Some(len as u64)).with_on_conflict(on_conflict)
}

fn checked(bytes: &[u8]) -> AppendOptions {
    let mut options = AppendOptions::default();
    options.checksum = Some(Checksum::new(Algorithm::Sha256, &sha256(bytes)).unwrap());
    options
}

fn of_length(len_bytes: u64) -> AppendOptions {
    let mut options = AppendOptions::default();
    options.len_bytes = Some(len_bytes);
    options
}

#[tokio::test]
async fn a_taken_name_is_evaded_replaced_or_refused_as_the_upload_says() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let old = put(&desk, root, "f.txt", &pattern(5)).await.unwrap();
    let refused = desk.create_upload(spec("f.txt", 5, OnConflict::Fail)).await;
    assert_eq!(kind(refused), ErrorKind::AlreadyExists);
    let begun = desk
        .create_upload(spec("f.txt", 6, OnConflict::Rename))
        .await
        .unwrap();
    let node = append(&desk, begun.id, 0, &pattern(6)).await.unwrap().node;
    assert_eq!(node.unwrap().name, name("f (2).txt"));
    let begun = desk
        .create_upload(spec("f.txt", 7, OnConflict::Version))
        .await
        .unwrap();
    let node = append(&desk, begun.id, 0, &pattern(7))
        .await
        .unwrap()
        .node
        .unwrap();
    assert_eq!((node.id, node.size_bytes), (old, 7));
    assert_eq!(read(&desk, old).await.unwrap(), pattern(7));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn an_upload_whose_name_is_taken_at_its_end_keeps_its_bytes_until_the_name_is_free() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let begun = desk
        .create_upload(spec("f", 1500, OnConflict::Fail))
        .await
        .unwrap();
    let other = put(&desk, root, "f", &pattern(5)).await.unwrap();
    let refused = append(&desk, begun.id, 0, &pattern(1500)).await;
    assert_eq!(kind(refused), ErrorKind::AlreadyExists);
    let facts = desk.upload(begun.id).await.unwrap();
    assert_eq!((facts.offset_bytes, facts.node), (1500, None));
    fixture.settle().await;
    assert_eq!(
        kind(append(&desk, begun.id, 1500, &Bytes::new()).await),
        ErrorKind::AlreadyExists
    );
    let mut update = NodeUpdate::default();
    update.name = Some(name("other"));
    desk.update(other, update).await.unwrap();
    let node = append(&desk, begun.id, 1500, &Bytes::new()).await.unwrap().node;
    assert_eq!(read(&desk, node.unwrap().id).await.unwrap(), pattern(1500));
    // Asked again, it is done already.
    let again = append(&desk, begun.id, 1500, &Bytes::new()).await.unwrap();
    assert_eq!(again.node.unwrap().name, name("f"));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_folder_with_the_name_is_never_replaced() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    folder(&desk, root, "f").await;
    let begun = desk
        .create_upload(spec("f", 5, OnConflict::Version))
        .await
        .unwrap();
    assert_eq!(
        kind(append(&desk, begun.id, 0, &pattern(5)).await),
        ErrorKind::AlreadyExists
    );
}

#[tokio::test]
async fn folders_on_the_way_are_made_once_by_uploads_that_race_and_no_name_is_evaded() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let mut gates = Vec::new();
    let mut running = Vec::new();
    for file in ["1", "2", "3"] {
        let mut spec = spec(file, 50, OnConflict::Rename);
        spec.folders = vec![name("a"), name("b")];
        let begun = desk.create_upload(spec).await.unwrap();
        let gate = fixture.gates.hold_commit(|change| {
            use campusdisk_core::catalog::{Change, Record};
            matches!(change, Change::Put(Record::Content(_)))
        });
        let desk = desk.clone();
        running.push(tokio::spawn(async move {
            append(&desk, begun.id, 0, &pattern(50)).await
        }));
        gate.arrived().await;
        gates.push(gate);
    }
    // All three have found no folder; now all three want to make it.
    gates.iter().for_each(|gate| gate.open());
    for task in running {
        task.await.unwrap().unwrap();
    }
    assert_eq!(names(&desk, root).await, ["a"]);
    let a = desk.child(root, &name("a")).await.unwrap().node.id;
    let b = desk.child(a, &name("b")).await.unwrap().node.id;
    assert_eq!(names(&desk, b).await, ["1", "2", "3"]);
    let mut onto_file = spec("x", 5, OnConflict::Rename);
    onto_file.folders = vec![name("a"), name("b"), name("1")];
    let begun = desk.create_upload(onto_file).await.unwrap();
    assert_eq!(
        kind(append(&desk, begun.id, 0, &pattern(5)).await),
        ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn a_declared_sha256_is_verified_before_the_file_appears_also_when_hashing_is_left_to_a_job() {
    for inline in [true, false] {
        let mut policy = policy();
        policy.hash_inline = inline;
        let fixture = Fixture::with(policy).await;
        let (desk, root) = fixture.alice().await;
        let bytes = pattern(2500);
        for (declared, fits) in [(sha256(&bytes), true), ([1; 32], false)] {
            let spec = spec("f", 2500, OnConflict::Fail).with_sha256(declared);
            let begun = desk.create_upload(spec).await.unwrap();
            append(&desk, begun.id, 0, &bytes.slice(..1250)).await.unwrap();
            let done = append(&desk, begun.id, 1250, &bytes.slice(1250..)).await;
            if fits {
                let node = done.unwrap().node.unwrap();
                desk.trash(node.id, None).await.unwrap();
                desk.purge(node.id).await.unwrap();
            } else {
                assert_eq!(kind(done), ErrorKind::Corrupt);
                assert_eq!(kind(desk.upload(begun.id).await), ErrorKind::NotFound);
            }
            assert_eq!(names(&desk, root).await, [""; 0]);
        }
        fixture.assert_settles().await;
        assert!(fixture.objects().await.is_empty());
    }
}

#[tokio::test]
async fn a_content_that_the_actor_may_read_already_is_uploaded_at_once_and_no_foreign_one() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let bytes = pattern(1500);
    put(&desk, root, "f", &bytes).await.unwrap();
    let declared = spec("g", 1500, OnConflict::Rename).with_sha256(sha256(&bytes));
    let done = desk.create_upload(declared.clone()).await.unwrap();
    assert_eq!(done.offset_bytes, 1500);
    assert_eq!(read(&desk, done.node.unwrap()).await.unwrap(), bytes);
    let bob = fixture.desk("bob");
    let begun = bob.create_upload(declared).await.unwrap();
    assert_eq!((begun.offset_bytes, begun.node), (0, None));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_content_purged_before_it_is_taken_over_is_uploaded_the_ordinary_way() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let bytes = pattern(1500);
    let file = put(&desk, root, "f", &bytes).await.unwrap();
    desk.trash(file, None).await.unwrap();
    let gate = fixture.gates.hold("content");
    let declared = spec("g", 1500, OnConflict::Rename).with_sha256(sha256(&bytes));
    let creator = desk.clone();
    let creating = tokio::spawn(async move { creator.create_upload(declared).await });
    gate.arrived().await;
    desk.purge(file).await.unwrap();
    gate.open();
    let begun = creating.await.unwrap().unwrap();
    assert_eq!((begun.offset_bytes, begun.node), (0, None));
    append(&desk, begun.id, 0, &bytes).await.unwrap();
    fixture.assert_settles().await;
}

#[tokio::test]
async fn an_empty_file_is_complete_at_once() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let done = upload(&desk, "empty", Some(0)).await.unwrap();
    assert_eq!(read(&desk, done.node.unwrap()).await.unwrap(), Bytes::new());
    let wrong = spec("wrong", 0, OnConflict::Rename).with_sha256([1; 32]);
    assert_eq!(kind(desk.create_upload(wrong).await), ErrorKind::Corrupt);
    let open = upload(&desk, "late", None).await.unwrap();
    let appending = desk.append(open.id, 0, of_length(0)).await.unwrap();
    assert!(appending.finish().await.unwrap().node.is_some());
    assert_eq!(names(&desk, root).await, ["empty", "late"]);
}

#[tokio::test]
async fn an_append_with_a_checksum_counts_whole_or_not_at_all() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(5000);
    let begun = upload(&desk, "f", Some(5000)).await.unwrap();
    append(&desk, begun.id, 0, &bytes.slice(..50)).await.unwrap();
    // Wrong bytes, a client that goes away, and another request that asks: nothing counts.
    let mut wrong = desk.append(begun.id, 50, checked(b"other")).await.unwrap();
    wrong.write(bytes.slice(50..3500)).await.unwrap();
    assert_eq!(kind(wrong.finish().await), ErrorKind::Corrupt);
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 50);
    let mut gone = desk
        .append(begun.id, 50, checked(&bytes[50..3500]))
        .await
        .unwrap();
    gone.write(bytes.slice(50..3000)).await.unwrap();
    drop(gone);
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 50);
    let mut asked = desk
        .append(begun.id, 50, checked(&bytes[50..3500]))
        .await
        .unwrap();
    asked.write(bytes.slice(50..3000)).await.unwrap();
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 50);
    assert_eq!(kind(asked.finish().await), ErrorKind::Conflict);
    let mut right = desk
        .append(begun.id, 50, checked(&bytes[50..3500]))
        .await
        .unwrap();
    right.write(bytes.slice(50..3500)).await.unwrap();
    assert_eq!(right.finish().await.unwrap().offset_bytes, 3500);
    let mut last = desk
        .append(begun.id, 3500, checked(&bytes[3500..]))
        .await
        .unwrap();
    last.write(bytes.slice(3500..)).await.unwrap();
    let node = last.finish().await.unwrap().node.unwrap();
    assert_eq!(read(&desk, node.id).await.unwrap(), bytes);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_length_is_declared_once_and_not_below_what_is_stored() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", None).await.unwrap();
    append(&desk, begun.id, 0, &pattern(1500).slice(..1050))
        .await
        .unwrap();
    assert_eq!(
        kind(desk.append(begun.id, 1050, of_length(1049)).await),
        ErrorKind::InvalidInput
    );
    drop(desk.append(begun.id, 1050, of_length(1500)).await.unwrap());
    assert_eq!(
        kind(desk.append(begun.id, 1050, of_length(1501)).await),
        ErrorKind::InvalidInput
    );
    let mut long = AppendOptions::default();
    long.body_bytes = Some(451);
    assert_eq!(
        kind(desk.append(begun.id, 1050, long).await),
        ErrorKind::LimitExceeded
    );
    let done = append(&desk, begun.id, 1050, &pattern(1500).slice(1050..)).await;
    assert_eq!(
        read(&desk, done.unwrap().node.unwrap().id).await.unwrap(),
        pattern(1500)
    );
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_running_writer_keeps_what_it_has_when_another_request_asks_also_while_bytes_keep_coming() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(100_000)).await.unwrap();
    let mut appending = desk.append(begun.id, 0, AppendOptions::default()).await.unwrap();
    // A client that never pauses; the queue is always full.
    let client = tokio::spawn(async move {
        let bytes = pattern(100_000);
        let mut sent = 0;
        loop {
            if let Err(error) = appending.write(bytes.slice(sent..sent + 10)).await {
                // Asked again, the answer is the same.
                assert_eq!(kind(appending.finish().await), error.kind());
                return (sent as u64, error.kind());
            }
            sent += 10;
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    let at = desk.upload(begun.id).await.unwrap().offset_bytes;
    let (sent, why) = client.await.unwrap();
    assert_eq!(why, ErrorKind::Conflict);
    assert!(at > 0 && at < 100_000, "{at}");
    assert_eq!(sent, at, "every byte that was taken is kept");
    let rest = pattern(100_000).slice(at as usize..);
    let node = append(&desk, begun.id, at, &rest).await.unwrap().node.unwrap();
    assert_eq!(read(&desk, node.id).await.unwrap(), pattern(100_000));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn many_tiny_appends_make_no_tiny_blobs() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(3000);
    let begun = upload(&desk, "f", Some(3000)).await.unwrap();
    for at in (0..3000).step_by(10) {
        append(&desk, begun.id, at as u64, &bytes.slice(at..at + 10))
            .await
            .unwrap();
    }
    let node = desk.upload(begun.id).await.unwrap().node.unwrap();
    assert_eq!(read(&desk, node).await.unwrap(), bytes);
    let objects = fixture.objects().await;
    assert!(objects.len() <= 30, "{} blobs", objects.len());
    assert!(objects.values().all(|&len_bytes| len_bytes >= 100));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn many_small_pieces_are_merged_and_whole_parts_are_left_alone() {
    let mut policy = policy();
    policy.max_extents = 4;
    let fixture = Fixture::with(policy).await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(9000);
    let begun = upload(&desk, "f", Some(9000)).await.unwrap();
    let row = async || fixture.catalog.upload(begun.id).await.unwrap().unwrap();
    append(&desk, begun.id, 0, &bytes.slice(..3000)).await.unwrap();
    let whole: Vec<_> = row().await.extents;
    assert_eq!(whole.len(), 3);
    for at in (3000..9000).step_by(150) {
        append(&desk, begun.id, at as u64, &bytes.slice(at..at + 150))
            .await
            .unwrap();
        let extents = row().await.extents;
        if at + 150 < 9000 {
            assert_eq!(extents[..3], whole);
            let small = extents.iter().filter(|extent| extent.len_bytes < 1000).count();
            assert!(small <= 4, "{small} small pieces at {at}");
        }
    }
    let node = row().await.node.unwrap();
    assert_eq!(read(&desk, node).await.unwrap(), bytes);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_transfer_slower_than_the_leases_of_its_blobs_arrives_all_the_same() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let bytes = pattern(8000);
    // Each piece takes a tenth of a lease, in steps: an eighth of one is how long a writer may be at what it was told, for which a database wants some real time.
    let step = fixture.disk.policy().blob_lease / 50;
    let tick = async || {
        for _ in 0..5 {
            fixture.clock.advance(step);
            tokio::time::sleep(Duration::from_millis(5)).await;
            fixture.disk.sweep().await.unwrap();
        }
    };
    let mut putting = desk.put(root, name("put"), Default::default()).await.unwrap();
    for piece in bytes.chunks(200) {
        putting.write(Bytes::copy_from_slice(piece)).await.unwrap();
        tick().await;
    }
    let put = putting.finish().await.unwrap().node.id;
    let begun = upload(&desk, "uploaded", Some(16_000)).await.unwrap();
    for (at, options) in [(0, checked(&bytes)), (8000, AppendOptions::default())] {
        let mut appending = desk.append(begun.id, at, options).await.unwrap();
        for piece in bytes.chunks(200) {
            appending.write(Bytes::copy_from_slice(piece)).await.unwrap();
            tick().await;
        }
        appending.finish().await.unwrap();
    }
    let uploaded = desk.upload(begun.id).await.unwrap().node.unwrap();
    assert_eq!(read(&desk, put).await.unwrap(), bytes);
    assert_eq!(
        read(&desk, uploaded).await.unwrap(),
        [bytes.clone(), bytes].concat()
    );
    fixture.assert_settles().await;
}

#[tokio::test]
async fn only_finished_parts_of_ones_own_are_joined_and_a_joined_upload_takes_no_bytes() {
    let mut policy = policy();
    policy.max_join_parts = 2;
    let fixture = Fixture::with(policy).await;
    let (desk, _) = fixture.alice().await;
    let whole = part(&desk, &pattern(50)).await.unwrap();
    let unfinished = desk
        .create_upload(UploadSpec::partial(Some(50)))
        .await
        .unwrap()
        .id;
    let file = upload(&desk, "f", Some(5)).await.unwrap().id;
    let foreign = part(&fixture.desk("bob"), &pattern(50)).await.unwrap();
    let join = async |parts: &[UploadId]| {
        let spec = UploadSpec::file(name("joined"), None);
        desk.join(spec, parts).await
    };
    for (parts, expected) in [
        (vec![], ErrorKind::InvalidInput),
        (vec![whole, unfinished], ErrorKind::InvalidInput),
        (vec![file], ErrorKind::InvalidInput),
        (vec![whole, foreign], ErrorKind::NotFound),
        (vec![whole; 3], ErrorKind::LimitExceeded),
    ] {
        assert_eq!(kind(join(&parts).await), expected);
    }
    let wrong = UploadSpec::file(name("joined"), None).with_sha256([1; 32]);
    assert_eq!(kind(desk.join(wrong, &[whole]).await), ErrorKind::Corrupt);
    let twice = [pattern(50), pattern(50)].concat();
    let right = UploadSpec::file(name("joined"), None).with_sha256(sha256(&twice));
    let joined = desk.join(right, &[whole, whole]).await.unwrap();
    assert_eq!((joined.kind, joined.offset_bytes), (UploadKind::Joined, 100));
    assert_eq!(read(&desk, joined.node.unwrap()).await.unwrap(), twice);
    assert_eq!(
        kind(append(&desk, joined.id, 100, &pattern(1)).await),
        ErrorKind::Denied
    );
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_part_whose_length_was_declared_after_its_bytes_is_joined_with_its_tail() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let open = desk.create_upload(UploadSpec::partial(None)).await.unwrap();
    append(&desk, open.id, 0, &pattern(50)).await.unwrap();
    // The length is recorded with the new epoch, then the writer fails before it puts the tail anywhere.
    fixture.faults.fail_next_of(
        "create",
        1,
        campusdisk_testkit::faulty::Fault::Before(ErrorKind::Unavailable),
    );
    let appending = desk.append(open.id, 50, of_length(50)).await.unwrap();
    assert_eq!(kind(appending.finish().await), ErrorKind::Unavailable);
    let joined = desk
        .join(UploadSpec::file(name("joined"), None), &[open.id])
        .await
        .unwrap();
    assert_eq!(read(&desk, joined.node.unwrap()).await.unwrap(), pattern(50));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_joined_file_gets_its_sha256_from_a_job() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let bytes = pattern(2500);
    let parts = [
        part(&desk, &bytes.slice(..1200)).await.unwrap(),
        part(&desk, &bytes.slice(1200..)).await.unwrap(),
    ];
    let joined = desk
        .join(UploadSpec::file(name("joined"), None), &parts)
        .await
        .unwrap();
    let node = joined.node.unwrap();
    while desk
        .node(node)
        .await
        .unwrap()
        .content
        .as_ref()
        .unwrap()
        .sha256
        .is_none()
    {
        tokio::task::yield_now().await;
    }
    let content = desk.node(node).await.unwrap().content.clone().unwrap();
    assert_eq!(content.sha256, Some(sha256(&bytes)));
    let (put_crc, _) = {
        let root = desk.home().await.unwrap().root;
        let file = put(&desk, root, "same", &bytes).await.unwrap();
        let content = desk.node(file).await.unwrap().content.clone().unwrap();
        (content.crc32, file)
    };
    assert_eq!(
        content.crc32, put_crc,
        "the checksums of parts combine to the file's"
    );
    fixture.assert_settles().await;
}

#[tokio::test]
async fn the_unfinished_uploads_of_a_person_are_listed_in_pages() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let mut begun = Vec::new();
    for index in 0..5 {
        begun.push(upload(&desk, &index.to_string(), Some(5)).await.unwrap().id);
    }
    append(&desk, begun.remove(2), 0, &pattern(5)).await.unwrap();
    upload(&fixture.desk("bob"), "x", Some(5)).await.unwrap();
    begun.sort();
    let (mut seen, mut after): (Vec<UploadFacts>, _) = (Vec::new(), None);
    loop {
        let page = desk.uploads(after, 3).await.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.iter().map(|facts| facts.id).collect::<Vec<_>>(), begun);
}

#[tokio::test]
async fn a_stopping_service_keeps_what_running_uploads_sent_and_takes_no_new_ones() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(5000)).await.unwrap();
    let mut appending = desk.append(begun.id, 0, AppendOptions::default()).await.unwrap();
    appending.write(pattern(5000).slice(..1550)).await.unwrap();
    let putting = desk.put(root, name("g"), Default::default()).await.unwrap();
    assert!(fixture.disk.shutdown(Duration::from_secs(5)).await);
    assert_eq!(kind(appending.finish().await), ErrorKind::Unavailable);
    assert_eq!(kind(putting.finish().await), ErrorKind::Unavailable);
    assert_eq!(
        kind(append(&desk, begun.id, 1550, &pattern(1)).await),
        ErrorKind::Unavailable
    );
    let next = fixture.instance().await;
    let desk = next.drive(desk.actor().clone());
    assert_eq!(desk.upload(begun.id).await.unwrap().offset_bytes, 1550);
    let node = append(&desk, begun.id, 1550, &pattern(5000).slice(1550..)).await;
    assert_eq!(
        read(&desk, node.unwrap().node.unwrap().id).await.unwrap(),
        pattern(5000)
    );
    fixture.assert_settles().await;
}
