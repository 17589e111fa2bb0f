//! What ends a download before it begins, and who is told a token.

#![allow(clippy::unwrap_used, reason = "a test ends where it can't go on")]

mod common;

use common::{Answer, Fetch, File, MIB, Server};

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_and_not_tried_again() {
    let problem = r#"{"title":"Not here","detail":"No such file, or none of yours.","status":404}"#;
    let server =
        Server::start(move |_| Answer::new(404, problem).with("content-type", "application/problem+json"))
            .await;
    let fetch = Fetch::new();
    let err = fetch.run(&[&server.url("/a.bin?ticket=secret")]).await.expect(1);
    assert!(
        err.contains("/a.bin answered 404 Not Found: Not here: No such file, or none of yours."),
        "{err}"
    );
    assert!(!err.contains("secret"), "{err}");
    assert_eq!((server.asked().len(), fetch.names().len()), (1, 0));
}

#[tokio::test]
async fn it_gives_up_after_as_many_tries_as_it_was_told() {
    let server = Server::start(|_| Answer::new(502, "")).await;
    let fetch = Fetch::new();
    let err = fetch
        .run(&["--tries", "3", &server.url("/a.bin")])
        .await
        .expect(1);
    assert!(
        err.contains("nothing more came in 3 tries") && err.contains("502 Bad Gateway"),
        "{err}"
    );
    assert_eq!(server.asked().len(), 3);
    let later = Server::start(|_| Answer::new(429, "").with("retry-after", "86400")).await;
    let err = fetch.run(&[&later.url("/a.bin")]).await.expect(1);
    assert!(err.contains("asks to come back in 86400 s"), "{err}");
    assert_eq!((later.asked().len(), fetch.names().len()), (1, 0));
}

#[tokio::test]
async fn a_file_of_that_name_is_kept_unless_it_may_be_replaced() {
    let file = File::new(MIB, "\"a\"");
    let server = Server::of(&file).await;
    let fetch = Fetch::new();
    std::fs::write(fetch.path("a.bin"), "mine").unwrap();
    let err = fetch.run(&[&server.url("/a.bin")]).await.expect(4);
    assert!(
        err.contains("a.bin is there already; --force replaces it"),
        "{err}"
    );
    assert_eq!((fetch.read("a.bin"), fetch.names().len()), (b"mine".to_vec(), 1));
    let said = fetch.run(&["--quiet", "--force", &server.url("/a.bin")]).await;
    assert_eq!((said.out.as_str(), said.err.as_str()), ("a.bin\n", ""));
    assert_eq!(
        (fetch.read("a.bin"), fetch.names().len()),
        (file.bytes.to_vec(), 1)
    );
}

#[tokio::test]
async fn output_is_a_file_or_a_folder_and_for_several_addresses_a_folder() {
    let file = File::new(1000, "\"a\"");
    let server = Server::of(&file).await;
    let fetch = Fetch::new();
    std::fs::create_dir(fetch.path("into")).unwrap();
    let (a, b) = (server.url("/a"), server.url("/b"));
    fetch.run(&["-o", "into", &a, &b]).await.expect(0);
    assert_eq!(
        (fetch.read("into/a"), fetch.read("into/b")),
        (file.bytes.to_vec(), file.bytes.to_vec())
    );
    fetch.run(&["-o", "c", &a]).await.expect(0);
    assert_eq!(fetch.read("c"), file.bytes);
    fetch.run(&["-o", "d", &a, &b]).await.expect(2);
    fetch.run(&["-o", "d/", &a]).await.expect(2);
    fetch.run(&["ftp://campus.test/a"]).await.expect(2);
    fetch.run(&["--connections", "0", &a]).await.expect(2);
    fetch.run(&[]).await.expect(2);
}

#[tokio::test]
async fn one_failure_of_several_gives_its_code_and_the_others_are_there() {
    let file = File::new(1000, "\"a\"");
    let served = file.clone();
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/gone" => Answer::new(410, ""),
        _ => served.answer(asked),
    })
    .await;
    let fetch = Fetch::new();
    let urls = [server.url("/gone"), server.url("/b")];
    let err = fetch.run(&[&urls[0], &urls[1]]).await.expect(1);
    assert!(err.contains("410 Gone"), "{err}");
    assert_eq!(fetch.names(), ["b"]);
}

#[tokio::test]
async fn a_token_goes_to_its_own_origin_and_not_where_that_redirects() {
    let file = File::new(5 * MIB, "\"a\"");
    let other = Server::of(&file).await;
    let elsewhere = other.url("/a.bin");
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/start" => Answer::new(302, "").with("location", "/next"),
        _ => Answer::new(307, "").with("location", &elsewhere),
    })
    .await;
    let fetch = Fetch::new();
    let url = server.url("/start");
    let args = ["--token", "abc", "--header", "X-Key: def", "-o", "a", &url];
    fetch.run(&args).await.expect(0);
    assert_eq!(fetch.read("a"), file.bytes);
    let has_both = |asked: &common::Asked| {
        asked.header("authorization") == Some("Bearer abc") && asked.header("x-key") == Some("def")
    };
    assert!(server.asked().len() >= 2 && server.asked().iter().all(has_both));
    let has_none =
        |asked: &common::Asked| asked.header("authorization").is_none() && asked.header("x-key").is_none();
    assert!(other.asked().len() >= 2 && other.asked().iter().all(has_none));
    assert_eq!(server.asked().len(), 2, "where it led is asked from then on");
}

#[tokio::test]
async fn a_way_by_redirects_that_is_over_is_gone_again_from_its_start() {
    // More than the longest span.
    let file = File::new(33 * MIB, "\"a\"");
    let served = file.clone();
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/start" => Answer::new(302, "").with("location", &format!("/for-now-{}", asked.number)),
        // The first address serves two answers.
        "/for-now-0" if asked.number > 2 => Answer::new(403, ""),
        _ => served.answer(asked),
    })
    .await;
    let fetch = Fetch::new();
    fetch
        .run(&["-c", "1", "-o", "a", &server.url("/start")])
        .await
        .expect(0);
    assert_eq!(fetch.read("a"), file.bytes);
    assert!(
        server
            .asked()
            .iter()
            .filter(|asked| asked.path == "/start")
            .count()
            == 2
    );
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = Server::start(|_| Answer::new(302, "").with("location", "/round")).await;
    let fetch = Fetch::new();
    let err = fetch.run(&[&server.url("/round")]).await.expect(1);
    assert!(err.contains("redirects more than 10 times"), "{err}");
}
