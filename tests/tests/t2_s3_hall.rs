//! The hall on each of the real S3 servers, killed in the middle of an upload.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::fs;

use campusdisk_tests::s3::S3Server;
use campusdisk_tests::wait::until;
use campusdisk_tests::{Hall, Upload, on_each_s3_server, pattern, sha256_hex};
use futures::channel::mpsc::unbounded;

const MIB: usize = 1 << 20;

on_each_s3_server! {
    a_hall_killed_in_mid_upload_leaves_parts_that_its_sweep_removes_and_the_upload_goes_on
}

async fn a_hall_killed_in_mid_upload_leaves_parts_that_its_sweep_removes_and_the_upload_goes_on(
    server: &str,
) {
    let server = S3Server::find(server).await;
    let store = server.config();
    let mut hall = Hall::start_with(&server.hall_store(&store)).await;
    let ada = hall.account("ada");
    let bytes = pattern(40 * MIB, 5);
    let upload = Upload::create(&ada, &ada.root().await, "lecture.mp4", bytes.len()).await;
    let (sender, receiver) = unbounded();
    let patch = tokio::spawn({
        let (upload, body) = (upload.clone(), reqwest::Body::wrap_stream(receiver));
        async move { upload.patch(0, body).await }
    });
    let piece = Ok::<_, std::io::Error>(bytes[..25 * MIB].to_vec());
    sender.unbounded_send(piece).unwrap();
    until("parts are on the server", async || {
        server.unfinished(&store).await == 1
    })
    .await;
    assert!(!patch.is_finished());
    hall.kill9();
    patch.abort();
    assert_eq!(server.unfinished(&store).await, 1);

    // What is older than twice this is nobody's.
    let file = hall.folder().join("hall.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("[policy]\n", "[policy]\nblob_lease_seconds = 3\n"),
    )
    .unwrap();
    hall.restart().await;
    until("the sweep", async || server.unfinished(&store).await == 0).await;

    let offset = upload.offset().await;
    assert!(offset < 25 * MIB, "what was not acknowledged is lost: {offset}");
    upload.patch(offset, bytes[offset..].to_vec()).await.expect(204);
    let listing = format!("/api/v1/nodes/{}/children", ada.root().await);
    let entries = ada.get(&listing).await.expect(200).json();
    let node = entries["items"][0]["id"].as_str().unwrap();
    let content = ada.get(&format!("/api/v1/nodes/{node}/content")).await;
    assert_eq!(sha256_hex(&content.expect(200).body), sha256_hex(&bytes));
}
