//! What visitors of shares with a limit may fetch.

use campusdisk_core::catalog::record::Share;
use campusdisk_core::{AccountId, Actor, CampusDisk, ErrorKind, Span};
use futures::StreamExt;

use crate::fixture::{Fixture, folder, kind, name, pattern, put, read};
use crate::shares::{fetch, from, share, visit};

async fn limited(fixture: &Fixture, size: usize, limit: u32) -> Share {
    let (desk, root) = fixture.alice().await;
    let file = put(&desk, root, "f", &pattern(size)).await.unwrap();
    share(&desk, file, |spec| spec.max_downloads = Some(limit)).await
}

#[tokio::test]
async fn a_spent_ticket_fetches_twice_the_size_and_not_a_byte_more() {
    let fixture = Fixture::new().await;
    let made = limited(&fixture, 1500, 1).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    // Looking spends nothing.
    let admission = open.admit(None).unwrap();
    assert_eq!(open.download(&admission, None).await.unwrap().size_bytes(), 1500);
    assert_eq!(
        fixture.catalog.share(made.id).await.unwrap().unwrap().downloads,
        0
    );
    assert_eq!(fetch(&open, None, 0, 1500).await.unwrap(), pattern(1500));
    assert_eq!(fetch(&open, None, 0, 700).await.unwrap(), pattern(700));
    assert_eq!(
        fetch(&open, None, 1000, 1500).await.unwrap(),
        pattern(1500).slice(1000..)
    );
    assert_eq!(fetch(&open, None, 0, 300).await.unwrap().len(), 300);
    let again = visit(&fixture.disk, &made).await.unwrap();
    assert!(again.is_used_up(None).await.unwrap());
    assert_eq!(kind(fetch(&again, None, 0, 1).await), ErrorKind::NotFound);
    let other = fixture.disk.visit(&made.token, from("10.0.0.2")).await.unwrap();
    assert!(other.is_used_up(None).await.unwrap());
    assert_eq!(kind(fetch(&other, None, 0, 1).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn bytes_that_were_never_sent_go_back_into_the_budget() {
    let fixture = Fixture::new().await;
    let made = limited(&fixture, 1500, 1).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let admission = open.admit(None).unwrap();
    for _ in 0..20 {
        let span = campusdisk_core::Span::new(0, 1500).unwrap();
        // What was not sent comes back by a task of the service, perhaps a little later.
        let mut body = loop {
            let download = open.download(&admission, None).await.unwrap();
            match download.open(span).await {
                Err(error) if error.kind() == ErrorKind::NotFound => tokio::task::yield_now().await,
                body => break body.unwrap(),
            }
        };
        assert_eq!(body.next().await.unwrap().unwrap().len(), 100);
    }
    // 20 pieces of 100 bytes went out of 3000.
    let rest = loop {
        match fetch(&open, None, 0, 1000).await {
            Err(error) if error.kind() == ErrorKind::NotFound => tokio::task::yield_now().await,
            rest => break rest.unwrap(),
        }
    };
    assert_eq!(rest.len(), 1000);
    assert_eq!(kind(fetch(&open, None, 0, 1).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn as_many_clients_as_the_limit_says_get_in_when_all_come_at_once() {
    let fixture = Fixture::new().await;
    let made = limited(&fixture, 1500, 3).await;
    let racing = (0..10).map(|client| {
        let (disk, token) = (fixture.disk.clone(), made.token.clone());
        async move {
            let visit = disk.visit(&token, from(&format!("10.0.0.{client}"))).await?;
            fetch(&visit, None, 0, 1500).await
        }
    });
    let outcomes = futures::future::join_all(racing).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 3);
    assert!(
        outcomes
            .into_iter()
            .filter_map(Result::err)
            .all(|error| error.kind() == ErrorKind::NotFound)
    );
    assert_eq!(
        fixture.catalog.share(made.id).await.unwrap().unwrap().downloads,
        3
    );
}

#[tokio::test]
async fn ranges_of_one_client_that_come_at_once_spend_one_download_and_stay_in_its_budget() {
    let fixture = Fixture::new().await;
    let made = limited(&fixture, 1500, 1).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let racing = (0..10).map(|_| fetch(&open, None, 0, 1000));
    let outcomes = futures::future::join_all(racing).await;
    let got: usize = outcomes.iter().flatten().map(bytes::Bytes::len).sum();
    assert!((1000..=3000).contains(&got), "{got}");
    assert_eq!(
        fixture.catalog.share(made.id).await.unwrap().unwrap().downloads,
        1
    );
}

#[tokio::test]
async fn the_ticket_of_an_address_is_the_same_client_as_the_address() {
    let fixture = Fixture::new().await;
    let made = limited(&fixture, 1500, 1).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let admission = open.admit(None).unwrap();
    let ticket = admission.fresh_ticket().unwrap().to_owned();
    fetch(&open, None, 0, 1500).await.unwrap();
    // A browser that kept the ticket moves to another address and is still that client.
    let moved = fixture.disk.visit(&made.token, from("10.9.9.9")).await.unwrap();
    assert_eq!(moved.admit(Some(&ticket)).unwrap().fresh_ticket(), None);
    assert_eq!(
        fetch(&moved, Some(&ticket), 0, 1500).await.unwrap(),
        pattern(1500)
    );
    assert_eq!(
        fixture.catalog.share(made.id).await.unwrap().unwrap().downloads,
        1
    );
    // A ticket from the page is a client of its own.
    let page = moved.page_ticket().unwrap();
    assert_eq!(kind(fetch(&moved, Some(&page), 0, 1).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn in_a_shared_folder_the_budget_is_that_of_its_archive() {
    let fixture = Fixture::new().await;
    let (desk, root) = fixture.alice().await;
    let a = folder(&desk, root, "a").await;
    let inner = folder(&desk, a, "inner").await;
    let large = put(&desk, inner, "large", &pattern(1500)).await.unwrap();
    let made = share(&desk, a, |spec| spec.max_downloads = Some(1)).await;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let admission = open.admit(None).unwrap();
    let archive = open.archive(&admission, None).await.unwrap();
    let size_bytes = archive.size_bytes();
    // Looking spends nothing.
    assert_eq!(
        fixture.catalog.share(made.id).await.unwrap().unwrap().downloads,
        0
    );
    let whole = campusdisk_core::Span::whole(size_bytes).unwrap();
    let all = archive.open(whole).await.unwrap().collect(1 << 20).await.unwrap();
    assert_eq!(all.len() as u64, size_bytes);
    let get = async |len| {
        let download = open.download(&admission, Some(large)).await?;
        let span = campusdisk_core::Span::new(0, len).unwrap();
        download.open(span).await?.collect(1 << 20).await
    };
    // As much again, file by file or in the archive, and not a byte more.
    assert_eq!(get(1500).await.unwrap(), pattern(1500));
    let rest = campusdisk_core::Span::new(0, size_bytes - 1500).unwrap();
    let again = archive.open(rest).await.unwrap().collect(1 << 20).await.unwrap();
    assert_eq!(again, all.slice(..all.len() - 1500));
    assert_eq!(kind(get(1).await), ErrorKind::NotFound);
    assert_eq!(kind(archive.open(whole).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn saving_copies_into_ones_own_drive_and_takes_the_budget_of_a_whole_download() {
    let mut policy = crate::fixture::policy();
    policy.ticket_slice_bytes = 100;
    let fixture = Fixture::with(policy).await;
    let made = limited(&fixture, 1500, 1).await;
    let bob = fixture.desk("bob");
    let home = bob.home().await.unwrap().root;
    let open = visit(&fixture.disk, &made).await.unwrap();
    let admission = open.admit(None).unwrap();
    let objects = fixture.objects().await;
    let saved = open.save(&admission, &bob, None).await.unwrap();
    assert_eq!((saved.parent, saved.name.as_str()), (Some(home), "f"));
    assert_eq!(read(&bob, saved.id).await.unwrap(), pattern(1500));
    let again = open.save(&admission, &bob, Some(home)).await.unwrap();
    assert_eq!(again.name, name("f (2)"));
    assert_eq!(kind(open.save(&admission, &bob, None).await), ErrorKind::NotFound);
    assert_eq!(fixture.objects().await, objects, "no byte moved");
    let carol =
        fixture.desk_of(Actor::new(AccountId::parse("carol").unwrap(), "carol").with_quota_bytes(Some(10)));
    let (desk, _) = fixture.alice().await;
    let file = open.root().id;
    let free = share(&desk, file, |_| {}).await;
    let open = visit(&fixture.disk, &free).await.unwrap();
    let over = open.save(&open.admit(None).unwrap(), &carol, None).await;
    assert_eq!(kind(over), ErrorKind::QuotaExceeded);
    fixture.assert_settles().await;
}

/// How many bytes come of a span before there are no more.
async fn pull(disk: &CampusDisk, token: &str, address: &str, span: (u64, u64)) -> u64 {
    let Ok(visit) = disk.visit(token, from(address)).await else {
        return 0;
    };
    let admission = visit.admit(None).unwrap();
    let download = visit.download(&admission, None).await.unwrap();
    let Ok(mut body) = download.open(Span::new(span.0, span.1).unwrap()).await else {
        return 0;
    };
    let mut got = 0;
    while let Some(Ok(piece)) = body.next().await {
        got += piece.len() as u64;
    }
    got
}

#[tokio::test]
async fn neither_all_from_the_start_again_nor_one_byte_short_each_time_gives_more_than_the_budget() {
    for end in [1500, 1499] {
        let fixture = Fixture::new().await;
        let made = limited(&fixture, 1500, 1).await;
        let mut got = Vec::new();
        for _ in 0..5 {
            got.push(pull(&fixture.disk, &made.token, "10.0.0.1", (0, end)).await);
        }
        assert_eq!(got[..2], [end, end]);
        assert!(got.iter().sum::<u64>() <= 3000, "{got:?}");
        assert_eq!(got[4], 0);
        let share = fixture.catalog.share(made.id).await.unwrap().unwrap();
        assert_eq!(share.downloads, 1);
    }
}

#[tokio::test]
async fn from_many_addresses_no_more_clients_get_a_byte_than_the_limit_says() {
    let fixture = Fixture::new().await;
    let made = limited(&fixture, 1500, 2).await;
    let mut with_bytes = 0;
    for client in 0..40 {
        let address = format!("10.0.0.{client}");
        with_bytes += u64::from(pull(&fixture.disk, &made.token, &address, (0, 1)).await > 0);
    }
    assert_eq!(with_bytes, 2);
    let share = fixture.catalog.share(made.id).await.unwrap().unwrap();
    assert_eq!(share.downloads, 2);
}

#[tokio::test]
async fn two_instances_together_give_no_more_than_one_would() {
    let fixture = Fixture::new().await;
    let instances = [fixture.disk.clone(), fixture.instance().await];
    let made = limited(&fixture, 1500, 3).await;
    let racing = (0..20).map(|number: usize| {
        let (disk, token) = (instances[number % 2].clone(), made.token.clone());
        // Each client asks both.
        async move { pull(&disk, &token, &format!("10.0.0.{}", number / 2), (0, 1500)).await }
    });
    let got = futures::future::join_all(racing).await;
    let clients = got.chunks(2).filter(|both| both.iter().sum::<u64>() > 0).count();
    assert_eq!(clients, 3, "{got:?}");
    // One client on both, again and again, has its one budget.
    let one = limited_again(&fixture, &made).await;
    let racing = (0..10).map(|number: usize| {
        let (disk, token) = (instances[number % 2].clone(), one.token.clone());
        async move { pull(&disk, &token, "10.0.0.1", (0, 1500)).await }
    });
    let got = futures::future::join_all(racing).await;
    assert!((1..=3000).contains(&got.iter().sum::<u64>()), "{got:?}");
    let share = fixture.catalog.share(one.id).await.unwrap().unwrap();
    assert_eq!(share.downloads, 1);
}

/// Another share of the same file, for one download.
async fn limited_again(fixture: &Fixture, made: &Share) -> Share {
    let (desk, _) = fixture.alice().await;
    share(&desk, made.node, |spec| spec.max_downloads = Some(1)).await
}
