//! Uploads of one large file, beside tusd and nginx's DAV PUT.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::comparison::{Comparison, Unit};
use super::hall::{Hall, Hashing, Setup};
use super::setting::Setting;
use super::{downloads, load, room};
use crate::{command, net};

const TUS: &str = "Tus-Resumable: 1.0.0";
/// How long hashing may take.
const HASH_LIMIT: Duration = Duration::from_secs(60);
/// The most memory that the hall may have had resident after all of this.
const MOST_MEGABYTES: f64 = 150.0;

pub(crate) fn measure(setting: &Setting<'_>, hall: &Hall) -> Result<Vec<Comparison>> {
    // What it held in memory for another part does not count here.
    hall.restart()?;
    let file = downloads::large(setting)?;
    let digest = sha256(&file)?;
    let late = setting.start_hall(
        "late",
        &Setup {
            hashing: Hashing::Job,
            ..Setup::default()
        },
    )?;
    let tusd = || tusd_patch(setting, &file);
    let ours = || hall_patch(setting, hall, &file, &digest);
    let unhashed = || hall_patch(setting, &late, &file, &digest);
    let size = setting.large_name();
    let mut comparisons = setting.compare_all(
        &format!("upload of {size}, one tus PATCH, hashed and synced"),
        Unit::MegabytesPerSecond,
        ("hall", &ours),
        &[
            (Some(0.75), ("tusd, neither hashed nor synced", &tusd)),
            (
                Some(1.0),
                ("nginx DAV PUT, neither hashed nor synced", &|| {
                    nginx_put(setting, &file)
                }),
            ),
        ],
    )?;
    comparisons.push(setting.compare(
        &format!("upload of {size}, one tus PATCH, hashing left to a job"),
        Unit::MegabytesPerSecond,
        1.2,
        ("hall, policy.hashing = \"job\"", &unhashed),
        ("tusd", &tusd),
    )?);
    for (name, hall) in [("hall", hall), ("hall, hashing by a job", &late)] {
        let comparison = Comparison::with_limit(
            "resident memory at its peak, after all of the above",
            Unit::Megabytes,
            MOST_MEGABYTES,
            (name, vec![hall.peak_megabytes()?]),
        );
        println!("{}", comparison.line());
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// The SHA-256 of a file, as the hall names it.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let said = command::output_of(std::process::Command::new("sha256sum").arg(file))?;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

/// MB/s of one upload by tus, whose file is looked at and taken away.
pub(crate) fn hall_patch(setting: &Setting<'_>, hall: &Hall, file: &Path, digest: &str) -> Result<f64> {
    let before_bytes = room::used_bytes(hall.stored_in())?;
    let length = format!("Upload-Length: {}", setting.large_bytes());
    // The word "upload" in base 64.
    let headers = [TUS, &length, "Upload-Metadata: filename dXBsb2Fk"];
    let uploads = format!("{}/api/v1/uploads", hall.endpoint);
    let created = load::headers_of("POST", &uploads, hall.authorization(), &headers)?;
    let location = load::header(&created, "Location").with_context(|| format!("no Location in {created}"))?;
    // Relative to the address of the POST.
    let url = format!("{}/api/v1/{location}", hall.endpoint);
    let speed = load::upload("PATCH", &url, hall.authorization(), &PATCH_HEADERS, file, "204")?;
    let head = load::headers_of(
        "GET",
        &format!("{}/api/v1/uploads", hall.endpoint),
        hall.authorization(),
        &[],
    )?;
    ensure!(head.starts_with("HTTP/1.1 200"), "the list of uploads: {head}");
    let search = hall.get("/api/v1/search?q=upload")?;
    let found: Value = serde_json::from_str(&search)?;
    let id = found.pointer("/items/0/id").and_then(Value::as_str);
    let id = id.context("the uploaded file is not there")?.to_owned();
    // Neither the job that hashes nor the disk that frees room may run into what is measured next.
    net::wait_until("the SHA-256 of the uploaded file", HASH_LIMIT, || {
        let node: Value = serde_json::from_str(&hall.get(&format!("/api/v1/nodes/{id}"))?)?;
        let found = node.get("sha256").and_then(Value::as_str);
        ensure!(
            found.is_none_or(|found| found == digest),
            "the uploaded file has another SHA-256: {node}"
        );
        Ok(found.is_some())
    })?;
    hall.purge(&id)?;
    room::await_free(hall.stored_in(), before_bytes)?;
    Ok(speed)
}

fn tusd_patch(setting: &Setting<'_>, file: &Path) -> Result<f64> {
    let length = format!("Upload-Length: {}", setting.large_bytes());
    let created = load::headers_of(
        "POST",
        &setting.endpoint("/tusd/endpoint")?,
        None,
        &[TUS, &length],
    )?;
    let url = load::header(&created, "Location").with_context(|| format!("no Location in {created}"))?;
    let speed = load::upload("PATCH", url, None, &PATCH_HEADERS, file, "204")?;
    load::headers_of("DELETE", url, None, &[TUS])?;
    Ok(speed)
}

const PATCH_HEADERS: [&str; 3] = [
    TUS,
    "Upload-Offset: 0",
    "Content-Type: application/offset+octet-stream",
];

fn nginx_put(setting: &Setting<'_>, file: &Path) -> Result<f64> {
    let url = format!("{}/dav/upload", setting.endpoint("/nginx/endpoint")?);
    let speed = load::upload("PUT", &url, None, &[], file, "201")?;
    load::headers_of("DELETE", &url, None, &[])?;
    Ok(speed)
}
