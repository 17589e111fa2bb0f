//! A bucket of the benches, and how rivals use it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::hall::Store;
use super::load;
use super::setting::Setting;
use crate::command;

/// The object that rivals write and read.
const RIVALS_KEY: &str = "bench-rivals";

/// The bucket made where a server has none.
const BUCKET: &str = "campusdisk-bench";

/// A bucket, and how rivals use it.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) endpoint: String,
    name: String,
    region: String,
    access_key: String,
    secret_key: String,
    /// Where its server keeps bytes.
    pub(crate) folder: PathBuf,
    raw: PathBuf,
}

impl Bucket {
    /// That of versitygw.
    pub(crate) fn of_versitygw(setting: &Setting<'_>) -> Result<Self> {
        let found = |field| setting.endpoint(&format!("/s3/versitygw/{field}"));
        Self::found(setting, "versitygw", found("bucket")?, found("data")?.into())
    }

    /// One of radosgw, which is made.
    pub(crate) fn of_radosgw(setting: &Setting<'_>) -> Result<Self> {
        let bucket = Self::found(setting, "radosgw", BUCKET.to_owned(), PathBuf::new())?;
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "-X",
            "PUT",
        ])
        // Without this header radosgw finds another signature than curl.
        .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
        .args(["--aws-sigv4", &format!("aws:amz:{}:s3", bucket.region)])
        .args(["--user", &format!("{}:{}", bucket.access_key, bucket.secret_key)])
        .arg(format!("{}/{BUCKET}", bucket.endpoint));
        command::output_of(&mut curl)?;
        Ok(bucket)
    }

    fn found(setting: &Setting<'_>, server: &str, name: String, folder: PathBuf) -> Result<Self> {
        let found = |field| setting.endpoint(&format!("/s3/{server}/{field}"));
        Ok(Self {
            endpoint: found("endpoint")?,
            name,
            region: found("region")?,
            access_key: found("access_key")?,
            secret_key: found("secret_key")?,
            folder,
            raw: setting.programs.s3_raw.clone(),
        })
    }

    /// The same bucket, reached by another address.
    pub(crate) fn by_way_of(&self, endpoint: String) -> Self {
        Self {
            endpoint,
            ..self.clone()
        }
    }

    /// The store of a hall below a prefix, with more settings.
    pub(crate) fn store(&self, prefix: &str, more: &str) -> Store {
        let settings = [
            ("kind", "s3"),
            ("bucket", &self.name),
            ("prefix", prefix),
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
            section: format!("[stores.primary]\n{lines}allow_http = true\n{more}"),
            folder: self.folder.clone(),
        }
    }

    /// MB/s of the bare client.
    pub(crate) fn raw(&self, verb: &str, file: Option<&Path>) -> Result<f64> {
        load::figure(&mut self.command(verb, file))
    }

    /// An address by which anybody can read the rivals' object for an hour.
    pub(crate) fn signed(&self) -> Result<String> {
        let said = command::output_of(&mut self.command("sign", None))?;
        Ok(said.trim().to_owned())
    }

    pub(crate) fn delete(&self) -> Result<()> {
        command::output_of(&mut self.command("delete", None)).map(drop)
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
