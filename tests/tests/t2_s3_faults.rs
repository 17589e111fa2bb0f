//! The store on S3 while its server dies, hangs, refuses and lies, and while answers are lost: on each of the real servers,
//! with a stretch of HTTP in between that fails when told.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use campusdisk_core::storage::{BlobRef, BlobStore, BlobWriter, CreateOptions};
use campusdisk_core::{Error, ErrorKind, Result, Span};
use campusdisk_s3::{S3Config, S3Encryption, S3Store};
use campusdisk_testkit::storage::{fresh_key, listed, pattern, put, read};
use campusdisk_tests::http_between::{Ask, Fault, HttpBetween};
use campusdisk_tests::process::Process;
use campusdisk_tests::s3::S3Server;
use campusdisk_tests::wait::{in_time, until};
use campusdisk_tests::{on_each_s3_server, sha256_hex};
use futures::StreamExt;
use tokio::sync::RwLock;

const MIB: usize = 1 << 20;

/// Goes in one PUT.
const SMALL_BYTES: usize = 300_000;

/// Goes in three parts.
const LARGE_BYTES: usize = 12 * MIB + 17;

on_each_s3_server! {
    an_upload_outlives_its_server
    a_put_whose_server_dies_under_it_is_sent_again
    a_download_goes_on_when_its_server_is_back
    a_server_that_hangs_is_unavailable_within_the_limit
    bytes_that_trickle_arrive_and_one_stalled_body_is_asked_for_again
    bodies_that_stall_for_ever_are_unavailable_within_the_limit
    refusals_for_a_while_are_not_noticed
    refusals_for_ever_are_unavailable_within_the_limit
    bodies_cut_short_are_taken_up_at_the_byte
    bodies_cut_short_are_taken_up_when_several_are_under_way
    answers_about_other_bytes_are_corrupt
    a_length_that_can_not_be_is_no_commit
    a_put_whose_answer_is_lost_is_committed
    parts_whose_last_answer_is_lost_are_committed
    an_object_of_another_writer_is_not_taken_for_ones_own
    a_list_of_uploads_that_is_refused_is_asked_for_again_and_one_that_there_is_not_is_empty
    the_server_is_told_how_to_encrypt
}

/// Whose turn it is to stop the servers.
static SERVERS: RwLock<()> = RwLock::const_new(());

async fn an_upload_outlives_its_server(server: &str) {
    let _alone = SERVERS.write().await;
    let bed = Bed::on(server).await;
    let bytes = pattern(1, LARGE_BYTES);
    let key = fresh_key();
    let mut writer = bed.store.create(&key, CreateOptions::default()).await.unwrap();
    write(&mut *writer, &bytes.slice(..6 * MIB)).await;
    assert_eq!(bed.server.unfinished(&bed.config).await, 1);
    let parts = bed.between.seen(Ask::Part).len();
    let process = bed.kill();
    write(&mut *writer, &bytes.slice(6 * MIB..)).await;
    until("a part meets nobody", async || {
        bed.between.seen(Ask::Part).len() > parts
    })
    .await;
    process.start().await;
    writer.commit().await.unwrap();
    assert!(bed.between.seen(Ask::Part).len() > 3, "a part was sent again");
    let len_bytes = bytes.len() as u64;
    bed.assert_holds(&BlobRef { key, len_bytes }, &bytes).await;
    assert_eq!(bed.server.unfinished(&bed.config).await, 0);
}

async fn a_put_whose_server_dies_under_it_is_sent_again(server: &str) {
    let _alone = SERVERS.write().await;
    let bed = Bed::on(server).await;
    let bytes = pattern(2, SMALL_BYTES);
    let process = bed.server.process();
    process.pause();
    let putting = tokio::spawn({
        let (store, bytes) = (bed.store.clone(), bytes.clone());
        async move { put(&store, &fresh_key(), bytes).await }
    });
    until("the PUT is under way", async || {
        !bed.between.seen(Ask::Put).is_empty()
    })
    .await;
    process.kill();
    process.start().await;
    let blob = in_time("the PUT", putting).await.unwrap().unwrap();
    assert!(bed.between.seen(Ask::Put).len() > 1, "it was sent again");
    bed.assert_holds(&blob, &bytes).await;
}

async fn a_download_goes_on_when_its_server_is_back(server: &str) {
    let _alone = SERVERS.write().await;
    let bed = Bed::on(server).await;
    let bytes = pattern(3, 64 * MIB);
    let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
    let reader = bed.store.open(&blob).await.unwrap();
    let mut body = reader.read(Span::whole(blob.len_bytes).unwrap()).await.unwrap();
    let mut got = Vec::new();
    while got.len() < bytes.len() / 3 {
        got.extend_from_slice(&body.next().await.unwrap().unwrap());
    }
    let process = bed.kill();
    let rest = tokio::spawn(body.collect(usize::MAX));
    until("the rest is asked for", async || {
        bed.between.seen(Ask::Get).len() > 1
    })
    .await;
    process.start().await;
    got.extend_from_slice(&in_time("the rest", rest).await.unwrap().unwrap());
    assert_eq!(sha256_hex(&got), sha256_hex(&bytes));
}

async fn a_server_that_hangs_is_unavailable_within_the_limit(server: &str) {
    const LIMIT: Duration = Duration::from_secs(1);
    let _alone = SERVERS.write().await;
    let bed = Bed::with(server, |config| {
        config.read_timeout = LIMIT;
        config.retry_timeout = LIMIT;
    })
    .await;
    let blob = put(&bed.store, &fresh_key(), pattern(4, SMALL_BYTES))
        .await
        .unwrap();
    let process = bed.server.process();
    process.pause();
    let started = Instant::now();
    let failures = [
        put(&bed.store, &fresh_key(), pattern(5, SMALL_BYTES)).await.err(),
        put(&bed.store, &fresh_key(), pattern(5, LARGE_BYTES)).await.err(),
        read(&bed.store, &blob, Span::new(0, 5).unwrap()).await.err(),
        listed(&bed.store, "", None).await.err(),
        bed.store.delete(&[fresh_key()]).await.err(),
        bed.store.tidy(Duration::ZERO).await.err(),
    ];
    let took = started.elapsed();
    process.resume();
    for failure in &failures {
        let kind = failure.as_ref().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::Unavailable), "{failure:?}");
    }
    // Each asks twice at most, with a pause in between.
    let limit = (LIMIT * 2 + Duration::from_secs(1)) * failures.len() as u32;
    assert!(took < limit, "it took {took:?}");
    until("the server goes on", async || bed.server.is_serving().await).await;
    read(&bed.store, &blob, Span::new(0, 5).unwrap()).await.unwrap();
}

async fn bytes_that_trickle_arrive_and_one_stalled_body_is_asked_for_again(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::with(server, |config| config.read_timeout = Duration::from_secs(1)).await;
    let bytes = pattern(6, SMALL_BYTES);
    let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
    let slowly = Fault::Trickle(2000, Duration::from_millis(10));
    bed.between.fail(Ask::Get, 1, slowly);
    bed.between.fail(Ask::Get, 1, Fault::Stall(100_000));
    for _ in 0..2 {
        let started = Instant::now();
        bed.assert_holds(&blob, &bytes).await;
        assert!(started.elapsed() > bed.config.read_timeout, "it was slow");
    }
    assert!(bed.between.is_done());
}

async fn bodies_that_stall_for_ever_are_unavailable_within_the_limit(server: &str) {
    const LIMIT: Duration = Duration::from_secs(1);
    let _turn = SERVERS.read().await;
    let bed = Bed::with(server, |config| {
        config.read_timeout = LIMIT;
        config.retry_timeout = LIMIT;
    })
    .await;
    let blob = put(&bed.store, &fresh_key(), pattern(7, SMALL_BYTES))
        .await
        .unwrap();
    bed.between.fail_always(Ask::Get, Fault::Stall(0));
    let started = Instant::now();
    let failure = bed.read(&blob).await.unwrap_err();
    let took = started.elapsed();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
    assert!(failure.to_string().contains("read_timeout"), "{failure}");
    assert!(
        took >= LIMIT && took < LIMIT * 2 + Duration::from_secs(1),
        "{took:?}"
    );
}

async fn refusals_for_a_while_are_not_noticed(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    for (status, code) in [
        (500, "InternalError"),
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
    ] {
        for ask in [
            Ask::Put,
            Ask::Begin,
            Ask::Part,
            Ask::Complete,
            Ask::Head,
            Ask::Get,
        ] {
            bed.between.fail(ask, 2, Fault::Refuse(status, code));
        }
        for len_bytes in [SMALL_BYTES, LARGE_BYTES] {
            let bytes = pattern(8, len_bytes);
            let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
            bed.assert_holds(&blob, &bytes).await;
        }
        assert!(bed.between.is_done(), "{code}");
    }
}

async fn refusals_for_ever_are_unavailable_within_the_limit(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::with(server, |config| config.retry_timeout = Duration::from_secs(1)).await;
    let blob = put(&bed.store, &fresh_key(), pattern(9, SMALL_BYTES))
        .await
        .unwrap();
    for ask in [Ask::Put, Ask::Begin, Ask::Head, Ask::Get] {
        bed.between.fail_always(ask, Fault::Refuse(503, "SlowDown"));
    }
    // The longest pause is 2 s.
    let once = bed.config.retry_timeout + Duration::from_secs(3);
    for (what, limit) in [(SMALL_BYTES, once * 2), (LARGE_BYTES, once * 2), (0, once)] {
        let started = Instant::now();
        let failure = match what {
            0 => bed.read(&blob).await.unwrap_err(),
            len_bytes => put(&bed.store, &fresh_key(), pattern(9, len_bytes))
                .await
                .unwrap_err(),
        };
        let took = started.elapsed();
        assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
        assert!(
            took >= bed.config.retry_timeout && took < limit,
            "{what}: {took:?}"
        );
    }
}

async fn bodies_cut_short_are_taken_up_at_the_byte(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    let bytes = pattern(10, SMALL_BYTES);
    let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
    for cut in [0, 1, 70_001, 100_000, 129_997] {
        bed.between.fail(Ask::Get, 1, Fault::Cut(cut));
    }
    bed.assert_holds(&blob, &bytes).await;
    assert!(bed.between.is_done());
    let begun: Vec<String> = [0, 0, 1, 70_002, 170_002, 299_999]
        .iter()
        .map(|start| format!("range: bytes={start}-299999\r\n"))
        .collect();
    let asked = bed.between.seen(Ask::Get);
    assert_eq!(asked.len(), begun.len());
    for (head, range) in asked.iter().zip(&begun) {
        assert!(head.contains(range), "{range} in {head}");
    }
}

async fn bodies_cut_short_are_taken_up_when_several_are_under_way(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::with(server, |config| {
        config.gets_in_flight = 3;
        config.window_bytes = 100_000;
    })
    .await;
    let bytes = pattern(10, SMALL_BYTES);
    let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
    for cut in [0, 70_001, 99_999, 1] {
        bed.between.fail(Ask::Get, 1, Fault::Cut(cut));
    }
    bed.assert_holds(&blob, &bytes).await;
    assert!(bed.between.is_done());
    let asked = bed.between.seen(Ask::Get);
    assert_eq!(asked.len(), 3 + 4);
    for range in ["0-99999", "100000-199999", "200000-299999"] {
        let window = format!("range: bytes={range}\r\n");
        assert!(asked.iter().any(|head| head.contains(&window)), "{range}");
    }
}

async fn answers_about_other_bytes_are_corrupt(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    let bytes = pattern(11, SMALL_BYTES);
    let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
    for range in [
        "bytes 0-299999/300001",
        "bytes 1-299999/300000",
        "bytes 0-299998/300000",
        "bytes 0-9/10",
        "bytes 0-299999/*",
        "nonsense",
    ] {
        let lie = Fault::Lie("content-range", range.to_owned());
        bed.between.fail(Ask::Get, 1, lie);
        let failure = bed.read(&blob).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Corrupt, "{range}: {failure:?}");
    }
    // In the middle, too: what came before stands, and nothing wrong follows.
    bed.between.fail(Ask::Get, 1, Fault::Cut(1000));
    let lie = Fault::Lie("content-range", "bytes 999-299998/300000".to_owned());
    bed.between.fail(Ask::Get, 1, lie);
    let failure = bed.read(&blob).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Corrupt, "{failure:?}");
    // The length of a body alone can't lie: what is missing is asked for again.
    for length in ["1000", "300001"] {
        let lie = Fault::Lie("content-length", length.to_owned());
        bed.between.fail(Ask::Get, 1, lie);
        bed.assert_holds(&blob, &bytes).await;
    }
    assert!(bed.between.is_done());
}

async fn a_length_that_can_not_be_is_no_commit(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    for len_bytes in [SMALL_BYTES, LARGE_BYTES] {
        if len_bytes > SMALL_BYTES {
            // Whether the key is free.
            bed.between
                .fail(Ask::Head, 1, Fault::Lie("x-amz-nothing", "at all".to_owned()));
        }
        let lie = Fault::Lie("content-length", (len_bytes - 1).to_string());
        bed.between.fail(Ask::Head, 1, lie);
        let failure = put(&bed.store, &fresh_key(), pattern(12, len_bytes))
            .await
            .unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Corrupt, "{failure:?}");
        assert!(bed.between.is_done());
    }
    assert!(listed(&bed.store, "", None).await.unwrap().is_empty());
}

async fn a_put_whose_answer_is_lost_is_committed(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    for fault in [Fault::LoseAnswer, Fault::Deny(500, "InternalError")] {
        bed.between.fail(Ask::Put, 1, fault);
        let bytes = pattern(13, SMALL_BYTES);
        let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
        bed.assert_holds(&blob, &bytes).await;
        assert!(bed.between.is_done());
    }
    // When nobody can tell whether it arrived, that is what the failure says, and the blob is whole.
    let bed = Bed::with(server, |config| config.retry_timeout = Duration::from_millis(300)).await;
    bed.between.fail_always(Ask::Put, Fault::LoseAnswer);
    bed.between.fail_always(Ask::Head, Fault::Refuse(503, "SlowDown"));
    let bytes = pattern(13, SMALL_BYTES);
    let failure = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
    let found = listed(&bed.store, "", None).await.unwrap();
    assert_eq!(found.len(), 1);
    let (key, len_bytes) = (found[0].key, found[0].len_bytes);
    bed.assert_holds(&BlobRef { key, len_bytes }, &bytes).await;
}

async fn parts_whose_last_answer_is_lost_are_committed(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    for fault in [Fault::LoseAnswer, Fault::Deny(500, "InternalError")] {
        // And that of a part and of the beginning: each is sent again.
        for ask in [Ask::Begin, Ask::Part, Ask::Complete] {
            bed.between.fail(ask, 1, fault.clone());
        }
        let bytes = pattern(14, LARGE_BYTES);
        let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
        bed.assert_holds(&blob, &bytes).await;
        assert!(bed.between.is_done());
    }
    // The beginnings whose answers were lost stay behind, until somebody tidies.
    assert_eq!(bed.server.unfinished(&bed.config).await, 2);
    assert_eq!(bed.store.tidy(Duration::ZERO).await.unwrap(), 2);
    // When no answer comes at all, what lies there tells.
    let bed = Bed::with(server, |config| config.retry_timeout = Duration::from_millis(300)).await;
    bed.between.fail_always(Ask::Complete, Fault::LoseAnswer);
    let bytes = pattern(14, LARGE_BYTES);
    let blob = put(&bed.store, &fresh_key(), bytes.clone()).await.unwrap();
    bed.assert_holds(&blob, &bytes).await;
    assert!(!bed.between.seen(Ask::Complete).is_empty());
}

async fn an_object_of_another_writer_is_not_taken_for_ones_own(server: &str) {
    let _turn = SERVERS.read().await;
    let bed = Bed::with(server, |config| config.retry_timeout = Duration::from_secs(1)).await;
    for (ask, len_bytes) in [(Ask::Put, SMALL_BYTES), (Ask::Complete, LARGE_BYTES)] {
        let key = fresh_key();
        let mut writer = bed.store.create(&key, CreateOptions::default()).await.unwrap();
        write(&mut *writer, &pattern(15, len_bytes)).await;
        let bytes = pattern(16, len_bytes);
        let other = S3Store::connect(bed.config.clone()).unwrap();
        let blob = put(&other, &key, bytes.clone()).await.unwrap();
        // It has the same length, so that only the mark can tell.
        bed.between.fail_always(ask, Fault::LoseAnswer);
        let failure = writer.commit().await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::AlreadyExists, "{failure:?}");
        bed.assert_holds(&blob, &bytes).await;
    }
}

async fn a_list_of_uploads_that_is_refused_is_asked_for_again_and_one_that_there_is_not_is_empty(
    server: &str,
) {
    let _turn = SERVERS.read().await;
    let bed = Bed::on(server).await;
    let mut writer = bed
        .store
        .create(&fresh_key(), CreateOptions::default())
        .await
        .unwrap();
    write(&mut *writer, &pattern(18, LARGE_BYTES)).await;
    let refuse = |times, status, code| {
        bed.between.fail(Ask::Uploads, times, Fault::Refuse(status, code));
    };
    refuse(1, 501, "NotImplemented");
    assert_eq!(bed.store.tidy(Duration::ZERO).await.unwrap(), 0);
    refuse(1, 403, "AccessDenied");
    let failure = bed.store.tidy(Duration::ZERO).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Denied, "{failure:?}");
    assert_eq!(bed.between.seen(Ask::Uploads).len(), 2);
    refuse(2, 503, "SlowDown");
    bed.store.tidy(Duration::ZERO).await.unwrap();
    assert!(bed.between.is_done());
    assert_eq!(bed.between.seen(Ask::Uploads).len(), 5);
    bed.tidy_all().await;
    // What the upload lost shows as what it is: nothing was committed, and it may begin again.
    let failure = writer.commit().await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure:?}");
}

async fn the_server_is_told_how_to_encrypt(server: &str) {
    let _turn = SERVERS.read().await;
    let key_id = "campus".to_owned();
    for (encryption, told) in [
        (S3Encryption::Unasked, ""),
        (
            S3Encryption::ServerKeys,
            "x-amz-server-side-encryption: AES256\r\n",
        ),
        (
            S3Encryption::Kms { key_id },
            "x-amz-server-side-encryption-aws-kms-key-id: campus\r\n",
        ),
    ] {
        let bed = Bed::with(server, |config| {
            config.encryption = encryption.clone();
            config.retry_timeout = Duration::from_millis(100);
        })
        .await;
        for (ask, len_bytes) in [(Ask::Put, SMALL_BYTES), (Ask::Begin, LARGE_BYTES)] {
            let stored = put(&bed.store, &fresh_key(), pattern(17, len_bytes)).await;
            // These servers have no keys; some of them say so.
            assert!(
                stored.is_ok() || encryption != S3Encryption::Unasked,
                "{stored:?}"
            );
            for head in bed.between.seen(ask) {
                let head = head.to_ascii_lowercase();
                assert!(head.contains(&told.to_ascii_lowercase()), "{told} in {head}");
                let is_told = head.contains("x-amz-server-side-encryption");
                assert_eq!(is_told, encryption != S3Encryption::Unasked);
            }
        }
    }
}

/// A store with a prefix of its own, and what lies between it and a server.
struct Bed {
    server: S3Server,
    between: HttpBetween,
    config: S3Config,
    store: S3Store,
}

impl Bed {
    async fn on(server: &str) -> Self {
        Self::with(server, |_| ()).await
    }

    async fn with(server: &str, change: impl FnOnce(&mut S3Config)) -> Self {
        let server = S3Server::find(server).await;
        let between = HttpBetween::start(server.address()).await;
        let mut config = server.config();
        config.endpoint = Some(between.endpoint());
        config.single_put_max_bytes = 5 << 20;
        config.multipart_bytes = 5 << 20;
        config.parts_in_flight = 2;
        change(&mut config);
        Self {
            store: S3Store::connect(config.clone()).unwrap(),
            server,
            between,
            config,
        }
    }

    fn kill(&self) -> Process {
        let process = self.server.process();
        process.kill();
        process
    }

    /// Tidies until nothing is left: a part that was on its way may arrive after its upload was aborted.
    async fn tidy_all(&self) {
        until("nothing is left", async || {
            self.store.tidy(Duration::ZERO).await.unwrap();
            self.server.unfinished(&self.config).await == 0
        })
        .await;
    }

    async fn read(&self, blob: &BlobRef) -> Result<Bytes> {
        read(&self.store, blob, Span::whole(blob.len_bytes).unwrap()).await
    }

    async fn assert_holds(&self, blob: &BlobRef, bytes: &Bytes) {
        let got = self.read(blob).await.unwrap();
        assert_eq!(sha256_hex(&got), sha256_hex(bytes));
    }
}

async fn write(writer: &mut dyn BlobWriter, bytes: &Bytes) {
    for start in (0..bytes.len()).step_by(MIB) {
        let end = bytes.len().min(start + MIB);
        writer.write(bytes.slice(start..end)).await.unwrap();
    }
}
