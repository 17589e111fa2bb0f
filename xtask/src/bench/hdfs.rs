//! Files on HDFS, beside WebHDFS by curl, the bare client, and Hadoop's own command.

use std::path::Path;

use anyhow::Result;

use super::comparison::{Comparison, Unit};
use super::hall::{Hall, Setup};
use super::hdfs_cluster::{Cluster, RIVALS_FILE};
use super::setting::Setting;
use super::{crowd, downloads, hdfs_hot, load, room, uploads};

/// That of the cluster.
const REPLICATION: u64 = 3;

/// So little that nothing is found in memory: one piece of a file.
pub(crate) const COLD_CACHE_BYTES: u64 = 1 << 20;

/// What a crowd of slow downloads may cost, in MB.
const CROWD_MEGABYTES: f64 = 400.0;

pub(crate) fn measure(setting: &Setting<'_>, local: &Hall) -> Result<Vec<Comparison>> {
    let cluster = Cluster::of(setting)?;
    let cold = Setup {
        store: Some(cluster.store("/bench", "")),
        cache_bytes: Some(COLD_CACHE_BYTES),
        ..Setup::default()
    };
    let hall = setting.start_hall("hdfs", &cold)?;
    let file = downloads::large(setting)?;
    let url = hall.put("large", &file)?;
    let mut comparisons = download(setting, &cluster, &hall, &url)?;
    comparisons.extend(upload(setting, &cluster, &hall, &file)?);
    let place = format!("a file of {} on HDFS", setting.large_name());
    comparisons.push(crowd::memory(&hall, &url, &place, CROWD_MEGABYTES)?);
    comparisons.extend(hdfs_hot::small_and_cold(setting, &cluster, &hall)?);
    hall.stop()?;
    comparisons.extend(hdfs_hot::measure(setting, &cluster, local)?);
    comparisons.extend(upload_unsynced(setting, &cluster, &file)?);
    Ok(comparisons)
}

fn download(setting: &Setting<'_>, cluster: &Cluster, hall: &Hall, url: &str) -> Result<Vec<Comparison>> {
    let file = downloads::large(setting)?;
    cluster.raw("put", RIVALS_FILE, Some(&file))?;
    let bytes = setting.large_bytes();
    let by_web = || load::download(&cluster.location("GET", "OPEN", RIVALS_FILE)?, None, bytes);
    // Both from the page cache, by JVMs that have compiled what they need.
    load::download(url, hall.authorization(), bytes)?;
    by_web()?;
    let comparisons = setting.compare_all(
        &format!(
            "download of {} from HDFS, one curl, cold chunk cache",
            setting.large_name()
        ),
        Unit::MegabytesPerSecond,
        ("hall", &|| load::download(url, hall.authorization(), bytes)),
        &[
            (Some(2.0), ("WebHDFS OPEN by curl", &by_web)),
            (
                Some(2.0),
                ("hdfs dfs -cat", &|| cluster.shell_cat(RIVALS_FILE, bytes)),
            ),
            (
                Some(1.0),
                ("bare hdfs-native, the whole file as one stream", &|| {
                    cluster.raw("stream", RIVALS_FILE, None)
                }),
            ),
            (
                Some(0.9),
                ("bare hdfs-native, ranges of 4 MiB", &|| {
                    cluster.raw("get", RIVALS_FILE, None)
                }),
            ),
        ],
    );
    let used_bytes = room::used_bytes(&cluster.home)?;
    cluster.delete(RIVALS_FILE)?;
    room::await_free(&cluster.home, used_bytes - REPLICATION * bytes)?;
    comparisons
}

fn upload(setting: &Setting<'_>, cluster: &Cluster, hall: &Hall, file: &Path) -> Result<Vec<Comparison>> {
    let digest = uploads::sha256(file)?;
    let by_web = Setup {
        store: Some(cluster.store("/bench-web", "write_path = \"webhdfs\"")),
        ..Setup::default()
    };
    let by_web = setting.start_hall("hdfs-web", &by_web)?;
    let comparisons = setting.compare_all(
        &format!(
            "upload of {} to HDFS, one tus PATCH, replication 3, hashed and synced",
            setting.large_name()
        ),
        Unit::MegabytesPerSecond,
        ("hall", &|| uploads::hall_patch(setting, hall, file, &digest)),
        &[
            (
                Some(0.9),
                ("bare hdfs-native, synced", &|| {
                    cluster.put(&|| cluster.raw("put", RIVALS_FILE, Some(file)))
                }),
            ),
            (
                Some(0.9),
                ("WebHDFS CREATE by curl, synced", &|| {
                    cluster.put(&|| cluster.web_put(file, "&createflag=CREATE,SYNC_BLOCK"))
                }),
            ),
            (
                Some(1.3),
                ("hdfs dfs -put, not synced", &|| {
                    cluster.put(&|| cluster.shell_put(file, RIVALS_FILE))
                }),
            ),
            (
                None,
                ("hall, write_path = \"webhdfs\"", &|| {
                    uploads::hall_patch(setting, &by_web, file, &digest)
                }),
            ),
        ],
    )?;
    by_web.stop()?;
    Ok(comparisons)
}

/// Beside those who leave it to the operating system when bytes reach a disk, which in a run as short as this is after it.
fn upload_unsynced(setting: &Setting<'_>, cluster: &Cluster, file: &Path) -> Result<Vec<Comparison>> {
    let unsynced = Setup {
        store: Some(cluster.store("/bench-unsynced", "sync_blocks = false")),
        ..Setup::default()
    };
    let hall = setting.start_hall("hdfs-unsynced", &unsynced)?;
    let digest = uploads::sha256(file)?;
    setting.compare_all(
        &format!(
            "upload of {} to HDFS, one tus PATCH, replication 3, hashed and not synced",
            setting.large_name()
        ),
        Unit::MegabytesPerSecond,
        ("hall, sync_blocks = false", &|| {
            uploads::hall_patch(setting, &hall, file, &digest)
        }),
        &[
            (
                Some(0.9),
                ("WebHDFS CREATE by curl, not synced", &|| {
                    cluster.put(&|| cluster.web_put(file, ""))
                }),
            ),
            (
                Some(1.3),
                ("hdfs dfs -put, not synced", &|| {
                    cluster.put(&|| cluster.shell_put(file, RIVALS_FILE))
                }),
            ),
        ],
    )
}
