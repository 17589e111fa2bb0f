//! Files on an S3 server, beside nginx as its proxy, and the bare client.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::hall::{Hall, Store};
use super::report::Comparison;
use super::{Setting, downloads, load, room, uploads};
use crate::{command, services};

const RIVALS_KEY: &str = "bench-rivals";

pub(crate) fn measure(setting: &Setting<'_>) -> Result<Vec<Comparison>> {
    let bucket = Bucket::of(setting)?;
    let folder = setting.bed.folder("hall-s3")?;
    let hall = Hall::start(&setting.programs.hall, &folder, "s3", true, Some(&bucket.store()))?;
    let file = downloads::large(setting)?;
    let mut comparisons = download(setting, &bucket, &hall, &file)?;
    comparisons.push(upload(setting, &bucket, &hall, &file)?);
    Ok(comparisons)
}

fn download(setting: &Setting<'_>, bucket: &Bucket, hall: &Hall, file: &Path) -> Result<Vec<Comparison>> {
    let url = hall.put("large", file)?;
    bucket.raw("put", Some(file))?;
    let proxy = services::s3_proxy(&setting.bed.folder("nginx-proxy")?, &bucket.endpoint)?;
    let signed = bucket.said("sign", None)?;
    let path = signed.trim().strip_prefix(&bucket.endpoint);
    let path = path.with_context(|| format!("signed for another server: {signed}"))?;
    let bytes = setting.large_bytes();
    let ours = || load::download(&url, hall.authorization(), bytes);
    let buffered = || load::download(&format!("{proxy}/buffered{path}"), None, bytes);
    let unbuffered = || load::download(&format!("{proxy}/unbuffered{path}"), None, bytes);
    // Both from the page cache.
    ours()?;
    buffered()?;
    let comparisons = setting.compare_all(
        "download of 1 GiB from S3, one curl",
        "MB/s",
        ("hall", &ours),
        &[
            (0.9, ("nginx proxy_pass, 64 buffers of 256 KiB", &buffered)),
            (2.0, ("nginx proxy_pass, buffering off", &unbuffered)),
            (0.65, ("bare object_store, one GET", &|| bucket.raw("get", None))),
        ],
    );
    bucket.said("delete", None)?;
    comparisons
}

fn upload(setting: &Setting<'_>, bucket: &Bucket, hall: &Hall, file: &Path) -> Result<Comparison> {
    let digest = uploads::sha256(file)?;
    let bare = || {
        room::measured(&bucket.folder, &|| bucket.raw("put", Some(file)), &|| {
            bucket.said("delete", None).map(drop)
        })
    };
    setting.compare(
        "upload of 1 GiB to S3, one tus PATCH, hashed",
        "MB/s",
        0.9,
        ("hall", &|| uploads::hall_patch(setting, hall, file, &digest)),
        ("bare object_store, multipart with the same parts", &bare),
    )
}

/// The bucket, and how rivals use it.
struct Bucket {
    endpoint: String,
    name: String,
    region: String,
    access_key: String,
    secret_key: String,
    folder: PathBuf,
    raw: PathBuf,
}

impl Bucket {
    fn of(setting: &Setting<'_>) -> Result<Self> {
        let found = |field| setting.endpoint(&format!("/s3/versitygw/{field}"));
        Ok(Self {
            endpoint: found("endpoint")?,
            name: found("bucket")?,
            region: found("region")?,
            access_key: found("access_key")?,
            secret_key: found("secret_key")?,
            folder: found("data")?.into(),
            raw: setting.programs.s3_raw.clone(),
        })
    }

    fn store(&self) -> Store {
        let settings = [
            ("kind", "s3"),
            ("bucket", &self.name),
            ("prefix", "bench"),
            ("endpoint", &self.endpoint),
            ("region", &self.region),
            ("access_key_id", &self.access_key),
            ("secret_access_key", &self.secret_key),
        ];
        let lines: String = settings
            .iter()
            .map(|(key, value)| format!("{key} = \"{value}\"\n"))
            .collect();
        Store {
            section: format!("[stores.primary]\n{lines}allow_http = true\n"),
            folder: self.folder.clone(),
        }
    }

    /// MB/s of the bare client.
    fn raw(&self, verb: &str, file: Option<&Path>) -> Result<f64> {
        load::figure(&mut self.command(verb, file))
    }

    fn said(&self, verb: &str, file: Option<&Path>) -> Result<String> {
        command::output_of(&mut self.command(verb, file))
    }

    fn command(&self, verb: &str, file: Option<&Path>) -> Command {
        let mut raw = Command::new(&self.raw);
        raw.args([verb, RIVALS_KEY])
            .args(file)
            .env("AWS_ENDPOINT", &self.endpoint)
            .env("AWS_BUCKET", &self.name)
            .env("AWS_REGION", &self.region)
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_key);
        raw
    }
}
