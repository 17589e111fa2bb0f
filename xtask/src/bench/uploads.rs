//! Uploads of one large file, beside tusd and nginx's DAV PUT.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Setting;
use super::downloads;
use super::hall::Hall;
use super::load;
use super::report::Comparison;
use super::room;
use crate::{command, net};

const TUS: &str = "Tus-Resumable: 1.0.0";
/// How long hashing may take.
const HASH_LIMIT: Duration = Duration::from_secs(60);
/// The most memory that the hall may have had resident after all of this.
const MOST_MEGABYTES: f64 = 150.0;

pub(crate) fn measure(setting: &Setting, hall: &Hall) -> Result<Vec<Comparison>> {
    let file = downloads::large(setting)?;
    let digest = sha256(&file)?;
    let late_folder = setting.bed.folder("hall-late")?;
    let late = Hall::start(&setting.programs.hall, &late_folder, "late", false, None)?;
    let tusd = || tusd_patch(setting, &file);
    let ours = || hall_patch(setting, hall, &file, &digest);
    let unhashed = || hall_patch(setting, &late, &file, &digest);
    let mut comparisons = vec![
        setting.compare(
            "upload of 1 GiB, one tus PATCH, hashed and synced",
            "MB/s",
            0.6,
            ("hall", &ours),
            ("tusd, neither hashed nor synced", &tusd),
        )?,
        setting.compare(
            "upload of 1 GiB, one tus PATCH, hashed and synced",
            "MB/s",
            0.85,
            ("hall", &ours),
            ("nginx DAV PUT, neither hashed nor synced", &|| {
                nginx_put(setting, &file)
            }),
        )?,
        setting.compare(
            "upload of 1 GiB, one tus PATCH, hashing left to a job",
            "MB/s",
            1.2,
            ("hall, policy.hashing = \"job\"", &unhashed),
            ("tusd", &tusd),
        )?,
    ];
    for (name, hall) in [("hall", hall), ("hall, hashing by a job", &late)] {
        let peak = hall.peak_megabytes()?;
        comparisons.push(Comparison {
            name: "resident memory at its peak, after all of the above (a ceiling: the ratio is ceiling to peak)".to_owned(),
            unit: "MB",
            hall: ("allowed".to_owned(), vec![MOST_MEGABYTES]),
            rival: (name.to_owned(), vec![peak]),
            least_ratio: 1.0,
        });
    }
    Ok(comparisons)
}

/// The SHA-256 of a file, as the hall names it.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let said = command::output_of(std::process::Command::new("sha256sum").arg(file))?;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

/// MB/s of one upload by tus, whose file is looked at and taken away.
pub(crate) fn hall_patch(setting: &Setting, hall: &Hall, file: &Path, digest: &str) -> Result<f64> {
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

fn tusd_patch(setting: &Setting, file: &Path) -> Result<f64> {
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

fn nginx_put(setting: &Setting, file: &Path) -> Result<f64> {
    let url = format!("{}/dav/upload", setting.endpoint("/nginx/endpoint")?);
    let speed = load::upload("PUT", &url, None, &[], file, "201")?;
    load::headers_of("DELETE", &url, None, &[])?;
    Ok(speed)
}
