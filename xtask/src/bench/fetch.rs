//! The download client `fetch` on a long way, beside curl and aria2.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::comparison::{Comparison, Unit};
use super::hall::Hall;
use super::setting::Setting;
use super::shaper::{Shape, Shaper};
use super::{downloads, load, uploads};
use crate::command;

pub(crate) fn measure(setting: &Setting<'_>, hall: &Hall) -> Result<Vec<Comparison>> {
    // One stream takes 20 s for 1 GiB.
    let mib = setting.options.large_mib.div_ceil(4);
    let bytes = mib << 20;
    let file = downloads::file(setting, "quarter", bytes)?;
    let near = hall.put("far", &file)?;
    load::download(&near, hall.authorization(), bytes)?;
    let way = Shaper::start(&hall.endpoint, Shape::FAR)?;
    let url = near.replacen(&hall.endpoint, &way.endpoint(), 1);
    let digest = uploads::sha256(&file)?;
    let folder = setting.folder.join("fetched");
    std::fs::create_dir_all(&folder)?;
    let got = folder.join("got");
    let fetched = |start| whole(fetch(setting, hall, &got, &url, start), &got, &digest);
    setting.compare_all(
        &format!("download of {mib} MiB, 20 ms and at most 1 MiB in flight per stream"),
        Unit::MegabytesPerSecond,
        ("fetch, 8 connections", &|| fetched("8")),
        &[
            (
                Some(4.0),
                ("curl", &|| load::download(&url, hall.authorization(), bytes)),
            ),
            (None, ("fetch, which finds out how many", &|| fetched("2"))),
            (
                Some(1.0),
                ("aria2c -x8 -s8", &|| {
                    whole(aria2(hall, &folder, &url), &got, &digest)
                }),
            ),
        ],
    )
}

/// Begins with `start` connections, and has eight at most, as aria2 has from the start.
fn fetch(setting: &Setting<'_>, hall: &Hall, output: &Path, url: &str, start: &str) -> Command {
    let mut fetch = Command::new(&setting.programs.fetch);
    fetch
        .args(["--start", start])
        .args([
            "--connections",
            "8",
            "--token",
            hall.token(),
            "--quiet",
            "--force",
        ])
        .arg("--output")
        .arg(output)
        .arg(url)
        .env("NO_PROXY", "127.0.0.1");
    fetch
}

fn aria2(hall: &Hall, folder: &Path, url: &str) -> Command {
    let mut aria2 = Command::new("aria2c");
    aria2
        .args(["-x8", "-s8", "--no-conf", "--quiet", "--file-allocation=none"])
        .args(["--allow-overwrite=true", "--all-proxy=", "--out=got"])
        .arg(format!("--dir={}", folder.display()))
        .arg(format!("--header=Authorization: {}", hall.authorization))
        .arg(url);
    aria2
}

/// MB/s of a client that writes the file `got`, which is then looked at.
fn whole(mut client: Command, got: &Path, digest: &str) -> Result<f64> {
    if got.exists() {
        std::fs::remove_file(got)?;
    }
    let started = Instant::now();
    command::output_of(&mut client)?;
    let elapsed = started.elapsed();
    ensure!(
        uploads::sha256(got)? == digest,
        "{} wrote other bytes",
        client.get_program().to_string_lossy()
    );
    Ok(got.metadata()?.len() as f64 / 1e6 / elapsed.as_secs_f64())
}
