//! Shares as their makers see them, and when a share lives.

use std::net::IpAddr;
use std::time::Duration;

use campusdisk_core::catalog::record::{Role, Share, Subject};
use campusdisk_core::catalog::{Change, Record};
use campusdisk_core::{
    AccountId, CampusDisk, Desk, ErrorKind, NodeId, NodeUpdate, Restore, Result, SharePassword, ShareSpec,
    Span, Unlock, Visit, Visitor,
};
use futures::StreamExt;

use crate::fixture::{Fixture, append, folder, kind, name, names, pattern, policy, put};

pub(crate) fn from(address: &str) -> Visitor {
    let address: IpAddr = address.parse().unwrap();
    Visitor { address }
}

pub(crate) async fn share(desk: &Desk, node: NodeId, set: impl FnOnce(&mut ShareSpec)) -> Share {
    let mut spec = ShareSpec::default();
    set(&mut spec);
    desk.share(node, spec).await.unwrap().0
}

pub(crate) async fn visit(disk: &CampusDisk, share: &Share) -> Result<Visit> {
    disk.visit(&share.token, from("10.0.0.1")).await
}

/// Fetches bytes of the share's file.
pub(crate) async fn fetch(visit: &Visit, ticket: Option<&str>, start: u64, end: u64) -> Result<bytes::Bytes> {
    let admission = visit.admit(ticket)?;
    let download = visit.download(&admission, None).await?;
    download
        .open(Span::new(start, end).unwrap())
        .await?
        .collect(1 << 20)
        .await
}

#[tokio::test]
async fn a_shared_file_is_read_by_anybody_with_the_link_until_it_is_revoked() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(1500)).await.unwrap();
    let made = share(&desk, file, |_| {}).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    assert_eq!(fetch(&open, None, 0, 1500).await.unwrap(), pattern(1500));
    assert_eq!(open.root().name, name("f"));
    let listed = desk.shares(None, None, 10).await.unwrap();
    assert_eq!(listed.items[0].share.downloads, 1);
    assert_eq!(listed.items[0].node.as_ref().unwrap().id, file);
    assert_eq!(
        kind(fixture.desk("bob").revoke(made.id).await),
        ErrorKind::NotFound
    );
    desk.revoke(made.id).await.unwrap();
    assert_eq!(kind(desk.revoke(made.id).await), ErrorKind::NotFound);
    assert_eq!(kind(visit(&fixture.disk, &made).await), ErrorKind::NotFound);
    assert!(desk.shares(None, None, 10).await.unwrap().items.is_empty());
    let unknown = fixture.disk.visit("unknown", from("10.0.0.1")).await;
    assert_eq!(kind(unknown), ErrorKind::NotFound);
}

#[tokio::test]
async fn conditions_that_make_no_sense_and_foreign_nodes_are_refused() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    let a = folder(&desk, root, "a").await;
    let past = fixture.disk.now();
    type Set = Box<dyn Fn(&mut ShareSpec)>;
    let wrong: Vec<(NodeId, Set)> = vec![
        (file, Box::new(|spec| spec.drop = true)),
        (
            a,
            Box::new(|spec| (spec.drop, spec.max_downloads) = (true, Some(1))),
        ),
        (file, Box::new(|spec| spec.max_downloads = Some(0))),
        (file, Box::new(move |spec| spec.expires = Some(past))),
        (
            file,
            Box::new(|spec| spec.networks = vec!["10.0.0.0/8".parse().unwrap(); 65]),
        ),
        (
            file,
            Box::new(|spec| spec.password = Some(SharePassword::Chosen(String::new()))),
        ),
        (
            file,
            Box::new(|spec| spec.password = Some(SharePassword::Chosen("x".repeat(257)))),
        ),
    ];
    for (node, set) in wrong {
        let mut spec = ShareSpec::default();
        set(&mut spec);
        assert_eq!(kind(desk.share(node, spec).await), ErrorKind::InvalidInput);
    }
    let bob = fixture.desk("bob");
    assert_eq!(
        kind(bob.share(file, ShareSpec::default()).await),
        ErrorKind::NotFound
    );
    let drive = desk.home().await.unwrap().id;
    let subject = Subject::Account(AccountId::parse("bob").unwrap());
    fixture
        .disk
        .set_member(drive, subject, Some(Role::Reader))
        .await
        .unwrap();
    assert_eq!(
        kind(bob.share(file, ShareSpec::default()).await),
        ErrorKind::Denied
    );
}

#[tokio::test]
async fn a_share_lives_only_while_its_time_its_node_its_maker_and_their_rights_do() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let file = put(&desk, a, "f", &pattern(5)).await.unwrap();
    let lives = async |share: &Share| visit(&fixture.disk, share).await.is_ok();
    let hour = fixture.disk.now() + Duration::from_secs(3600);
    let timed = share(&desk, file, |spec| spec.expires = Some(hour)).await;
    assert!(lives(&timed).await);
    fixture.clock.advance(Duration::from_secs(3600));
    assert!(!lives(&timed).await);

    let made = share(&desk, file, |_| {}).await;
    desk.trash(a, None).await.unwrap();
    assert!(!lives(&made).await);
    assert!(desk.shares(None, None, 10).await.unwrap().items.is_empty());
    desk.restore(a, Restore::Fail).await.unwrap();
    assert!(!lives(&made).await, "a share does not come back with its file");

    let made = share(&desk, file, |_| {}).await;
    fixture.identity.lock(&desk.actor().account);
    assert!(!lives(&made).await);
    fixture.identity.admit(desk.actor().clone());
    assert!(lives(&made).await);

    let drive = desk.home().await.unwrap().id;
    let (bob, subject) = (
        fixture.desk("bob"),
        Subject::Account(AccountId::parse("bob").unwrap()),
    );
    fixture
        .disk
        .set_member(drive, subject.clone(), Some(Role::Contributor))
        .await
        .unwrap();
    let of_bob = share(&bob, file, |_| {}).await;
    assert!(lives(&of_bob).await);
    fixture
        .disk
        .set_member(drive, subject, Some(Role::Reader))
        .await
        .unwrap();
    assert!(!lives(&of_bob).await);

    desk.trash(a, None).await.unwrap();
    desk.purge(a).await.unwrap();
    assert!(!lives(&made).await);
    assert!(desk.shares(None, None, 10).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_share_made_or_moved_while_its_folder_is_deleted_does_not_come_back_with_it() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let deep = folder(&desk, a, "deep").await;
    let file = put(&desk, deep, "f", &pattern(5)).await.unwrap();
    let comer = put(&desk, root, "comer", &pattern(5)).await.unwrap();
    let of_comer = share(&desk, comer, |_| {}).await;

    let gate = fixture
        .gates
        .hold_commit(|change| matches!(change, Change::Put(Record::Share(_))));
    let sharer = desk.clone();
    let sharing = tokio::spawn(async move { sharer.share(file, ShareSpec::default()).await });
    gate.arrived().await;
    let gate_of_move = fixture
        .gates
        .hold_commit(move |change| matches!(change, Change::Put(Record::Node(node)) if node.id == comer));
    let mover = desk.clone();
    let mut to = NodeUpdate::default();
    to.parent = Some(deep);
    let moving = tokio::spawn(async move { mover.update(comer, to).await });
    gate_of_move.arrived().await;

    desk.trash(a, None).await.unwrap();
    gate.open();
    gate_of_move.open();
    let (made, _) = sharing.await.unwrap().unwrap();
    moving.await.unwrap().unwrap();
    desk.restore(a, Restore::Fail).await.unwrap();
    for made in [made, of_comer] {
        assert_eq!(kind(visit(&fixture.disk, &made).await), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_share_answers_only_in_its_networks() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    let made = share(&desk, file, |spec| {
        spec.networks = vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
    })
    .await;
    for (address, inside) in [
        ("10.1.2.3", true),
        ("10.2.0.1", false),
        ("fd00::1", true),
        ("::1", false),
    ] {
        let visit = fixture.disk.visit(&made.token, from(address)).await;
        assert_eq!(visit.is_ok(), inside, "{address}");
    }
}

#[tokio::test]
async fn a_password_opens_a_share_with_a_ticket_of_that_share_only() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    let mut spec = ShareSpec::default();
    spec.password = Some(SharePassword::Random);
    let (made, told) = desk.share(file, spec).await.unwrap();
    let other = share(&desk, file, |spec| {
        spec.password = Some(SharePassword::Chosen("pw".into()))
    })
    .await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    assert_eq!(kind(open.admit(None)), ErrorKind::Denied);
    assert_eq!(open.page_ticket(), None);
    assert_eq!(open.unlock("wrong").await.unwrap(), Unlock::Wrong);
    let Unlock::Open(ticket) = open.unlock(&told.unwrap()).await.unwrap() else {
        panic!("the password fits")
    };
    assert_eq!(fetch(&open, Some(&ticket), 0, 5).await.unwrap(), pattern(5));
    let elsewhere = visit(&fixture.disk, &other).await.unwrap();
    assert_eq!(kind(elsewhere.admit(Some(&ticket))), ErrorKind::Denied);
    assert_eq!(kind(open.admit(Some("AAAA"))), ErrorKind::Denied);
}

#[tokio::test]
async fn guesses_are_slowed_for_a_share_and_for_an_address_also_when_they_come_at_once() {
    let mut policy = policy();
    policy.address_tries_per_minute = 3;
    policy.share_tries_per_hour = 5;
    let fixture = Fixture::with(policy).await;
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(5)).await.unwrap();
    let made = share(&desk, file, |spec| {
        spec.password = Some(SharePassword::Chosen("pw".into()))
    })
    .await;
    let guess = async |address: &str, password: &str| {
        let visit = fixture.disk.visit(&made.token, from(address)).await.unwrap();
        visit.unlock(password).await.unwrap()
    };
    let wrong = |answers: Vec<Unlock>| {
        answers
            .into_iter()
            .filter(|answer| *answer == Unlock::Wrong)
            .count()
    };
    // Right ones cost nothing.
    for _ in 0..4 {
        assert!(matches!(guess("10.0.0.1", "pw").await, Unlock::Open(_)));
    }
    let at_once = futures::future::join_all((0..8).map(|_| guess("10.0.0.1", "x"))).await;
    assert_eq!(wrong(at_once), 3);
    assert_eq!(
        guess("10.0.0.1", "pw").await,
        Unlock::Later(Duration::from_secs(60))
    );
    fixture.clock.advance(Duration::from_secs(60));
    assert!(matches!(guess("10.0.0.1", "pw").await, Unlock::Open(_)));
    let others: Vec<_> = futures::stream::iter(["10.0.0.2", "10.0.0.3", "10.0.0.4"])
        .then(|address| guess(address, "x"))
        .collect()
        .await;
    assert_eq!(wrong(others), 2);
    assert_eq!(
        guess("10.0.0.9", "pw").await,
        Unlock::Later(Duration::from_secs(3540))
    );
    fixture.clock.advance(Duration::from_secs(3540));
    assert!(matches!(guess("10.0.0.9", "pw").await, Unlock::Open(_)));
}

#[tokio::test]
async fn an_upload_through_a_drop_share_is_its_visitors_and_counts_for_its_maker() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    put(&desk, a, "f", &pattern(5)).await.unwrap();
    let made = share(&desk, a, |spec| spec.drop = true).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let admission = open.admit(None).unwrap();
    for outcome in [
        open.node(&admission, None).await.map(drop),
        open.download(&admission, None).await.map(drop),
    ] {
        assert_eq!(kind(outcome), ErrorKind::NotFound);
    }
    let mut putting = open.put(&admission, name("f"), Default::default()).await.unwrap();
    putting.write(pattern(1500)).await.unwrap();
    assert_eq!(putting.finish().await.unwrap().node.name, name("f (2)"));
    let spec = campusdisk_core::UploadSpec::file(name("f"), Some(1500));
    let begun = open.create_upload(&admission, spec).await.unwrap();
    assert_eq!(kind(desk.upload(begun.id).await), ErrorKind::NotFound);
    assert!(desk.uploads(None, 10).await.unwrap().items.is_empty());
    assert_eq!(
        kind(append(&desk, begun.id, 0, &pattern(5)).await),
        ErrorKind::NotFound
    );
    let mut appending = open
        .append(&admission, begun.id, 0, Default::default())
        .await
        .unwrap();
    appending.write(pattern(1500)).await.unwrap();
    assert_eq!(
        open.upload(&admission, begun.id).await.unwrap().offset_bytes,
        1500
    );
    assert_eq!(names(&desk, a).await, ["f", "f (2)", "f (3)"]);
    let second = open
        .create_upload(&admission, campusdisk_core::UploadSpec::partial(Some(50)))
        .await
        .unwrap();
    let mut appending = open
        .append(&admission, second.id, 0, Default::default())
        .await
        .unwrap();
    appending.write(pattern(50)).await.unwrap();
    appending.finish().await.unwrap();
    let joined = campusdisk_core::UploadSpec::file(name("joined"), None);
    open.join(&admission, joined.clone(), &[second.id]).await.unwrap();
    open.terminate(&admission, second.id).await.unwrap();
    assert_eq!(
        kind(open.join(&admission, joined, &[second.id]).await),
        ErrorKind::NotFound
    );
    let read_share = share(&desk, a, |_| {}).await;
    let reading = visit(&fixture.disk, &read_share).await.unwrap();
    let put = reading.put(&admission, name("g"), Default::default()).await;
    assert_eq!(kind(put), ErrorKind::NotFound);
    fixture.assert_settles().await;
}

#[tokio::test]
async fn a_shared_folder_shows_what_lies_inside_and_nothing_else() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let inner = folder(&desk, a, "inner").await;
    let file = put(&desk, inner, "f", &pattern(1500)).await.unwrap();
    let outside = put(&desk, root, "outside", &pattern(5)).await.unwrap();
    let made = share(&desk, a, |_| {}).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let admission = open.admit(None).unwrap();
    let query = campusdisk_core::catalog::ChildrenQuery::first(10);
    let listed = open.children(&admission, None, &query).await.unwrap();
    assert_eq!(listed.items[0].id, inner);
    assert_eq!(
        open.node(&admission, Some(file)).await.unwrap().node.size_bytes,
        1500
    );
    for hidden in [root, outside] {
        assert_eq!(
            kind(open.node(&admission, Some(hidden)).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(open.download(&admission, Some(hidden)).await),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(open.children(&admission, Some(hidden), &query).await),
            ErrorKind::NotFound
        );
    }
    desk.trash(file, None).await.unwrap();
    assert_eq!(kind(open.node(&admission, Some(file)).await), ErrorKind::NotFound);
}
