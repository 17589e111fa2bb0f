//! Mounts on the real servers: the contract, and a hall that publishes what lies there.

use campusdisk_testkit::mount_conformance;
use campusdisk_tests::mounts::{OthersOnHdfs, OthersOnS3, publish_and_let_go};
use campusdisk_tests::on_each_s3_server;

mount_conformance!(hdfs, OthersOnHdfs::fresh());
mount_conformance!(versitygw, OthersOnS3::fresh("versitygw").await);
mount_conformance!(radosgw, OthersOnS3::fresh("radosgw").await);

on_each_s3_server! {
    objects_of_a_bucket_are_published_and_let_go
}

async fn objects_of_a_bucket_are_published_and_let_go(server: &str) {
    publish_and_let_go(&OthersOnS3::fresh(server).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_cluster_are_published_and_let_go() {
    publish_and_let_go(&OthersOnHdfs::fresh()).await;
}
