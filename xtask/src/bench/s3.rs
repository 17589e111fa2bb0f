//! Files on an S3 server, beside nginx as its proxy, the bare client, and the server itself.

use std::path::Path;

use anyhow::{Context, Result};

use super::comparison::{Comparison, Unit};
use super::hall::{Hall, Setup};
use super::s3_bucket::Bucket;
use super::setting::Setting;
use super::{downloads, load, room, s3_far, uploads};
use crate::services;

pub(crate) fn measure(setting: &Setting<'_>) -> Result<Vec<Comparison>> {
    let bucket = Bucket::of_versitygw(setting)?;
    let setup = Setup {
        store: Some(bucket.store("bench", "")),
        ..Setup::default()
    };
    let hall = setting.start_hall("s3", &setup)?;
    let file = downloads::large(setting)?;
    let mut comparisons = download(setting, &bucket, &hall, &file)?;
    comparisons.push(upload(setting, &bucket, &hall, &file)?);
    hall.stop()?;
    comparisons.push(s3_far::measure(setting, &bucket)?);
    comparisons.push(small_and_hot(setting)?);
    Ok(comparisons)
}

fn download(setting: &Setting<'_>, bucket: &Bucket, hall: &Hall, file: &Path) -> Result<Vec<Comparison>> {
    let url = hall.put("large", file)?;
    bucket.raw("put", Some(file))?;
    let proxy = services::s3_proxy(&setting.bed.folder("nginx-proxy")?, &bucket.endpoint)?;
    let signed = bucket.signed()?;
    let path = signed.strip_prefix(&bucket.endpoint);
    let path = path.with_context(|| format!("signed for another server: {signed}"))?;
    let bytes = setting.large_bytes();
    let ours = || load::download(&url, hall.authorization(), bytes);
    let buffered = || load::download(&format!("{proxy}/buffered{path}"), None, bytes);
    let unbuffered = || load::download(&format!("{proxy}/unbuffered{path}"), None, bytes);
    // Both from the page cache.
    ours()?;
    buffered()?;
    let comparisons = setting.compare_all(
        &format!("download of {} from S3, one curl", setting.large_name()),
        Unit::MegabytesPerSecond,
        ("hall", &ours),
        &[
            (Some(1.1), ("nginx proxy_pass, 64 buffers of 256 KiB", &buffered)),
            (Some(2.0), ("nginx proxy_pass, buffering off", &unbuffered)),
            (
                Some(0.65),
                ("bare object_store, one GET", &|| bucket.raw("get", None)),
            ),
        ],
    );
    bucket.delete()?;
    comparisons
}

fn upload(setting: &Setting<'_>, bucket: &Bucket, hall: &Hall, file: &Path) -> Result<Comparison> {
    let digest = uploads::sha256(file)?;
    let bare = || {
        room::measured(&bucket.folder, &|| bucket.raw("put", Some(file)), &|| {
            bucket.delete()
        })
    };
    setting.compare(
        &format!("upload of {} to S3, one tus PATCH, hashed", setting.large_name()),
        Unit::MegabytesPerSecond,
        0.9,
        ("hall", &|| uploads::hall_patch(setting, hall, file, &digest)),
        ("bare object_store, multipart with the same parts", &bare),
    )
}

/// A small file again and again, beside the server that keeps it.
fn small_and_hot(setting: &Setting<'_>) -> Result<Comparison> {
    let bucket = Bucket::of_radosgw(setting)?;
    let setup = Setup {
        store: Some(bucket.store("bench", "")),
        ..Setup::default()
    };
    let hall = setting.start_hall("radosgw", &setup)?;
    let file = downloads::file(setting, "small", 4 << 10)?;
    let url = hall.put("small", &file)?;
    bucket.raw("put", Some(&file))?;
    let signed = bucket.signed()?;
    let rate = |url: &str, authorization| load::request_rate(url, authorization, setting.options.seconds);
    rate(&url, hall.authorization())?;
    setting.compare(
        "downloads of 4 KiB again, 64 connections",
        Unit::RequestsPerSecond,
        20.0,
        ("hall, radosgw", &|| rate(&url, hall.authorization())),
        ("radosgw, a signed address", &|| rate(&signed, None)),
    )
}
