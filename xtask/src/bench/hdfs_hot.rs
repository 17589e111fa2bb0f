//! What is asked for again: files on HDFS from the hall's memory, beside the same files on local disk; and small files that are not.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::comparison::{Comparison, Unit};
use super::hall::{Hall, Setup};
use super::hdfs_cluster::Cluster;
use super::setting::Setting;
use super::{client, downloads, load};

/// What part of the local disk's speed memory must have.
const LEAST_HOT: f64 = 0.8;

/// Twice the large file of a run with the usual settings.
const HOT_CACHE_BYTES: u64 = 2 << 30;

/// How often the large file is read before it is measured: a cache may keep only what is asked for again.
const WARMING: usize = 3;

const SMALL_BYTES: u64 = 4 << 10;
const CONNECTIONS: usize = 64;

/// How many small files are asked for once each.
const SMALL_FILES: u64 = 2000;

/// How often they are read before they are measured.
const WARMING_JVMS: usize = 5;

pub(crate) fn measure(setting: &Setting<'_>, cluster: &Cluster, local: &Hall) -> Result<Vec<Comparison>> {
    let hot = Setup {
        store: Some(cluster.store("/bench-hot", "")),
        cache_bytes: Some(HOT_CACHE_BYTES),
        ..Setup::default()
    };
    let hall = setting.start_hall("hdfs-hot", &hot)?;
    let large = downloads::large(setting)?;
    let small = downloads::file(setting, "small", SMALL_BYTES)?;
    let urls = |name: &str, file: &Path| -> Result<(String, String)> {
        Ok((hall.put(name, file)?, local.put(name, file)?))
    };
    let large = urls("large-and-hot", &large)?;
    let small = urls("small-and-hot", &small)?;
    let (bytes, seconds) = (setting.large_bytes(), setting.options.seconds);
    let download = |hall: &Hall, url: &str| load::download(url, hall.authorization(), bytes);
    for _ in 0..WARMING {
        download(&hall, &large.0)?;
        download(local, &large.1)?;
    }
    let rate = |hall: &Hall, url: &str| load::request_rate(url, hall.authorization(), seconds);
    rate(&hall, &small.0)?;
    let comparisons = vec![
        setting.compare(
            &format!("download of {} again, one curl", setting.large_name()),
            Unit::MegabytesPerSecond,
            LEAST_HOT,
            ("hall, HDFS, 2 GiB of chunk cache", &|| download(&hall, &large.0)),
            ("hall, local disk", &|| download(local, &large.1)),
        )?,
        setting.compare(
            "downloads of 4 KiB again, 64 connections",
            Unit::RequestsPerSecond,
            LEAST_HOT,
            ("hall, HDFS", &|| rate(&hall, &small.0)),
            ("hall, local disk", &|| rate(local, &small.1)),
        )?,
    ];
    hall.stop()?;
    Ok(comparisons)
}

/// Small files, each asked for once of a hall that has just started, of WebHDFS, and of the cluster by the bare client; all give the hall's
/// own blobs.
pub(crate) fn small_and_cold(
    setting: &Setting<'_>,
    cluster: &Cluster,
    hall: &Hall,
) -> Result<Vec<Comparison>> {
    let folder = hall.make_folder("small files")?;
    fill(setting, hall, &folder)?;
    let mut ours: Vec<String> = hall
        .children(&folder)?
        .iter()
        .map(|node| hall.content(node))
        .collect();
    let mut blobs = cluster.files_of("/bench", SMALL_BYTES)?;
    ensure!(
        blobs.len() >= ours.len(),
        "{} files have {} blobs: 4 KiB do not go to the store any more",
        ours.len(),
        blobs.len()
    );
    let count = usize::try_from(SMALL_FILES)?;
    ours.truncate(count);
    blobs.truncate(count);
    let theirs: Vec<String> = blobs.iter().map(|path| cluster.web("OPEN", path)).collect();
    let by_web = || client::once_each(&theirs, None, CONNECTIONS, SMALL_BYTES);
    let bare = || cluster.raw_each(&blobs);
    // JVMs that have just begun are slow at anything. These go on compiling for longer than this, for all alike.
    for _ in 0..WARMING_JVMS {
        bare()?;
        by_web()?;
    }
    setting.compare_all(
        &format!(
            "downloads of {} files of 4 KiB from HDFS, each once, 64 connections",
            ours.len()
        ),
        Unit::RequestsPerSecond,
        ("hall, just started", &|| {
            hall.restart()?;
            client::once_each(&ours, hall.authorization(), CONNECTIONS, SMALL_BYTES)
        }),
        &[
            (Some(8.0), ("WebHDFS OPEN", &by_web)),
            (None, ("bare hdfs-native, no HTTP", &bare)),
        ],
    )
}

fn fill(setting: &Setting<'_>, hall: &Hall, folder: &str) -> Result<()> {
    let script = setting.folder.join("small.lua");
    let children = format!("{}/api/v1/nodes/{folder}/children", hall.endpoint);
    let mut made = 0;
    // Each run of wrk makes as many as it can in its time; the names say which run they are of.
    for run in 0.. {
        if made >= SMALL_FILES {
            break;
        }
        fs::write(&script, put_script(run))?;
        made += load::scripted(&children, hall.authorization(), &script, 5)?.requests;
    }
    println!("bench: {made} small files on HDFS");
    Ok(())
}

/// What wrk asks: each thread puts files of its own.
fn put_script(run: u32) -> String {
    format!(
        "local threads = 0\n\
         function setup(thread) thread:set('me', threads); threads = threads + 1 end\n\
         local count = 0\n\
         local body = string.rep('x', {SMALL_BYTES})\n\
         function request()\n\
           count = count + 1\n\
           local name = string.format('/small-{run}-%d-%06d', me, count)\n\
           return wrk.format('PUT', wrk.path .. name, nil, body)\n\
         end\n"
    )
}
