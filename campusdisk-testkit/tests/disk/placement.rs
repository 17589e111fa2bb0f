//! Which store takes new bytes.

use campusdisk_core::storage::StoreName;
use campusdisk_core::{CampusDisk, Desk, ErrorKind, NodeId, PlacementRule, PutOptions, Result, UploadSpec};

use crate::fixture::{Fixture, append, kind, name, pattern, read, upload};

/// The service again, with rules.
async fn with_rules(fixture: &Fixture, rules: Vec<PlacementRule>) -> Result<CampusDisk> {
    let mut seams = fixture.seams.clone();
    seams.placement = rules;
    CampusDisk::open(seams, fixture.disk.policy().clone()).await
}

fn to_archive() -> PlacementRule {
    PlacementRule::to(StoreName::parse("archive").unwrap())
}

async fn put_sized(desk: &Desk, folder: NodeId, len: usize, tell: bool) -> NodeId {
    let mut options = PutOptions::default();
    options.len_bytes = tell.then_some(len as u64);
    let file = format!("{len} {tell}");
    let mut putting = desk.put(folder, name(&file), options).await.unwrap();
    putting.write(pattern(len)).await.unwrap();
    putting.finish().await.unwrap().node.id
}

async fn stores_of(fixture: &Fixture, file: NodeId) -> Vec<String> {
    let node = fixture.catalog.node(file).await.unwrap().unwrap();
    let content = fixture
        .catalog
        .content(node.content.unwrap())
        .await
        .unwrap()
        .unwrap();
    let mut stores: Vec<_> = content
        .extents
        .iter()
        .map(|extent| extent.store.to_string())
        .collect();
    stores.dedup();
    stores
}

#[tokio::test]
async fn the_first_rule_that_fits_says_which_store_takes_a_file() {
    let fixture = Fixture::new().await;
    let bob = fixture.desk("bob");
    let bobs = bob.home().await.unwrap();
    let rules = vec![
        to_archive().with_sizes(Some(2000), Some(4000)),
        PlacementRule::to(StoreName::parse("primary").unwrap()).with_sizes(Some(4001), None),
        to_archive().with_drives(vec![bobs.id]),
    ];
    let disk = with_rules(&fixture, rules).await.unwrap();
    let (alice, bob) = (
        disk.drive(fixture.alice().await.0.actor().clone()),
        disk.drive(bob.actor().clone()),
    );
    let hers = alice.home().await.unwrap().root;
    let cases = [
        (&alice, hers, 1999, true, "primary"),
        (&alice, hers, 2000, true, "archive"),
        (&alice, hers, 4000, true, "archive"),
        (&alice, hers, 4001, true, "primary"),
        (&alice, hers, 3000, false, "primary"),
        (&bob, bobs.root, 10, true, "archive"),
        (&bob, bobs.root, 10, false, "archive"),
        (&bob, bobs.root, 5000, true, "primary"),
    ];
    for (desk, folder, len, tell, store) in cases {
        let file = put_sized(desk, folder, len, tell).await;
        assert_eq!(
            stores_of(&fixture, file).await,
            [store],
            "{len} bytes, told: {tell}"
        );
        assert_eq!(read(desk, file).await.unwrap(), pattern(len));
    }
    fixture.assert_settles().await;
}

#[tokio::test]
async fn an_upload_whose_rule_changes_lies_in_two_stores_and_reads_whole() {
    let fixture = Fixture::new().await;
    let (desk, _) = fixture.alice().await;
    let begun = upload(&desk, "f", Some(4000)).await.unwrap();
    append(&desk, begun.id, 0, &pattern(4000).slice(..1500))
        .await
        .unwrap();
    let disk = with_rules(&fixture, vec![to_archive()]).await.unwrap();
    let later = disk.drive(desk.actor().clone());
    let ended = append(&later, begun.id, 1500, &pattern(4000).slice(1500..))
        .await
        .unwrap();
    let file = ended.node.unwrap().id;
    assert_eq!(stores_of(&fixture, file).await, ["primary", "archive"]);
    assert_eq!(read(&desk, file).await.unwrap(), pattern(4000));
    fixture.assert_settles().await;
}

#[tokio::test]
async fn many_small_pieces_are_merged_in_the_store_of_their_rule() {
    let mut policy = crate::fixture::policy();
    policy.max_extents = 4;
    let fixture = Fixture::with(policy).await;
    let disk = with_rules(&fixture, vec![to_archive()]).await.unwrap();
    let desk = disk.drive(fixture.alice().await.0.actor().clone());
    let bytes = pattern(6000);
    let spec = UploadSpec::file(name("f"), Some(6000));
    let begun = desk.create_upload(spec).await.unwrap();
    for at in (0..6000).step_by(300) {
        append(&desk, begun.id, at as u64, &bytes.slice(at..at + 300))
            .await
            .unwrap();
    }
    let file = desk.upload(begun.id).await.unwrap().node.unwrap();
    assert_eq!(stores_of(&fixture, file).await, ["archive"]);
    assert_eq!(read(&desk, file).await.unwrap(), bytes);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_rule_for_a_store_that_is_not_there_is_refused() {
    let fixture = Fixture::new().await;
    let nowhere = PlacementRule::to(StoreName::parse("nowhere").unwrap());
    let refused = with_rules(&fixture, vec![nowhere]).await;
    assert_eq!(kind(refused), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_service_does_not_open_without_a_store_that_blobs_lie_in() {
    let fixture = Fixture::new().await;
    let disk = with_rules(&fixture, vec![to_archive()]).await.unwrap();
    let desk = disk.drive(fixture.alice().await.0.actor().clone());
    let root = desk.home().await.unwrap().root;
    let file = put_sized(&desk, root, 10, true).await;
    let mut seams = fixture.seams.clone();
    seams.stores.truncate(1);
    let refused = CampusDisk::open(seams.clone(), fixture.disk.policy().clone()).await;
    let error = refused.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("archive"), "{error}");
    // When nothing of it is left, not even a leased key, the store may go.
    desk.trash(file, None).await.unwrap();
    desk.empty_trash().await.unwrap();
    fixture.settle().await;
    CampusDisk::open(seams, fixture.disk.policy().clone())
        .await
        .unwrap();
}
