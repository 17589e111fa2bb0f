//! curl and wrk, and what they say.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command;

/// MB/s of one download by curl of exactly `len_bytes` bytes.
pub(crate) fn download(url: &str, authorization: Option<&str>, len_bytes: u64) -> Result<f64> {
    let mut curl = curl(authorization);
    curl.args([
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download} %{speed_download}",
        url,
    ]);
    let said = command::output_of(&mut curl)?;
    let words: Vec<&str> = said.split_whitespace().collect();
    let [status, size, speed] = words.as_slice() else {
        bail!("curl said: {said}")
    };
    ensure!(
        *status == "200" && size.parse() == Ok(len_bytes),
        "download of {url}: status {status}, {size} bytes"
    );
    megabytes(speed)
}

/// MB/s of one upload by curl, with these further headers, that is answered `expected`.
pub(crate) fn upload(
    method: &str,
    url: &str,
    authorization: Option<&str>,
    headers: &[&str],
    file: &Path,
    expected: &str,
) -> Result<f64> {
    let mut curl = curl(authorization);
    for header in headers {
        curl.args(["-H", header]);
    }
    curl.args([
        "-X",
        method,
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{speed_upload}",
        "-T",
    ])
    .arg(file)
    .arg(url);
    let said = command::output_of(&mut curl)?;
    let (status, speed) = said
        .split_once(' ')
        .with_context(|| format!("curl said: {said}"))?;
    ensure!(
        status == expected,
        "upload to {url}: status {status} instead of {expected}"
    );
    megabytes(speed)
}

/// The figure that a program prints and nothing else.
pub(crate) fn figure(program: &mut Command) -> Result<f64> {
    let said = command::output_of(program)?;
    let figure = said.trim().parse();
    figure.with_context(|| format!("{} said: {said}", command::describe(program)))
}

/// What many connections got in all.
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) megabytes_per_second: f64,
}

/// GETs of one URL by 64 connections for so many seconds. Any answer but 2xx is a failed measure.
pub(crate) fn many(url: &str, authorization: Option<&str>, seconds: u64) -> Result<Load> {
    Load::parse(&wrk(url, authorization, seconds, None)?)
}

/// Requests a second, else as [`many`].
pub(crate) fn request_rate(url: &str, authorization: Option<&str>, seconds: u64) -> Result<f64> {
    Ok(many(url, authorization, seconds)?.requests_per_second)
}

/// Requests as `script` makes them, by 64 connections for so many seconds. Any answer but 2xx is a failed measure.
pub(crate) fn scripted(url: &str, authorization: Option<&str>, script: &Path, seconds: u64) -> Result<Load> {
    Load::parse(&wrk(url, authorization, seconds, Some(script))?)
}

impl Load {
    fn parse(said: &str) -> Result<Self> {
        let count = said
            .lines()
            .find_map(|line| line.trim().split_once(" requests in "));
        let (count, _) = count.with_context(|| format!("wrk said no count: {said}"))?;
        Ok(Self {
            requests: count.parse()?,
            requests_per_second: after(said, "Requests/sec:")?.parse()?,
            megabytes_per_second: scaled(after(said, "Transfer/sec:")?)? / 1e6,
        })
    }
}

fn wrk(url: &str, authorization: Option<&str>, seconds: u64, script: Option<&Path>) -> Result<String> {
    let mut wrk = Command::new("wrk");
    // What takes longer than its own 2 s is slow, not lost.
    wrk.args(["-t2", "-c64", "--timeout", "30s", &format!("-d{seconds}s")]);
    if let Some(authorization) = authorization {
        wrk.args(["-H", &format!("Authorization: {authorization}")]);
    }
    if let Some(script) = script {
        wrk.arg("-s").arg(script);
    }
    let said = command::output_of(wrk.arg(url))?;
    if let Some(line) = said
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"))
    {
        bail!("wrk of {url}: {}", line.trim());
    }
    Ok(said)
}

/// What stands behind `label` in the words of wrk.
fn after<'a>(said: &'a str, label: &str) -> Result<&'a str> {
    let found = said.lines().find_map(|line| line.trim().strip_prefix(label));
    found
        .map(str::trim)
        .with_context(|| format!("wrk said no {label} {said}"))
}

/// How long one GET took by curl's clock, from its connected socket to the last byte.
pub(crate) fn milliseconds(url: &str, authorization: Option<&str>) -> Result<f64> {
    let mut curl = curl(authorization);
    curl.args([
        "--fail",
        "-o",
        "/dev/null",
        "-w",
        "%{time_connect} %{time_total}",
        url,
    ]);
    let said = command::output_of(&mut curl)?;
    let (connected, total) = said
        .split_once(' ')
        .with_context(|| format!("curl said: {said}"))?;
    Ok((total.trim().parse::<f64>()? - connected.parse::<f64>()?) * 1e3)
}

/// The headers of a request without a body of its own.
pub(crate) fn headers_of(
    method: &str,
    url: &str,
    authorization: Option<&str>,
    headers: &[&str],
) -> Result<String> {
    let mut curl = curl(authorization);
    for header in headers {
        curl.args(["-H", header]);
    }
    command::output_of(curl.args(["-X", method, "-D", "-", "-o", "/dev/null", url]))
}

/// The value of a header in what [`headers_of`] gave.
pub(crate) fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    headers.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The body of a successful request.
pub(crate) fn body_of(method: &str, url: &str, authorization: Option<&str>) -> Result<String> {
    command::output_of(curl(authorization).args(["--fail", "-X", method, url]))
}

/// The answer to a document that is posted.
pub(crate) fn post(url: &str, authorization: Option<&str>, document: &serde_json::Value) -> Result<String> {
    let mut curl = curl(authorization);
    curl.args(["--fail", "--json", &document.to_string(), url]);
    command::output_of(&mut curl)
}

fn curl(authorization: Option<&str>) -> Command {
    let mut curl = Command::new("curl");
    // No waiting for 100-continue: it would measure a round trip, not a transfer.
    curl.args(["--silent", "--show-error", "--noproxy", "*", "-H", "Expect:"]);
    if let Some(authorization) = authorization {
        curl.args(["-H", &format!("Authorization: {authorization}")]);
    }
    curl
}

fn megabytes(bytes: &str) -> Result<f64> {
    Ok(bytes
        .trim()
        .parse::<f64>()
        .with_context(|| format!("curl's speed: {bytes}"))?
        / 1e6)
}

/// wrk's `3.45GB` as bytes; its units are powers of 1,024.
fn scaled(text: &str) -> Result<f64> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "B" => 1.0,
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        unit => bail!("wrk's unit {unit}"),
    };
    Ok(digits.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_wrk_are_powers_of_1024() {
        assert_eq!(scaled("1.50KB").unwrap(), 1536.0);
        assert_eq!(scaled("2.00GB").unwrap(), 2_147_483_648.0);
        assert!(scaled("2.00TB").is_err());
    }

    #[test]
    fn what_wrk_says_is_read() {
        let said = "Running 1s test @ http://127.0.0.1:1/\n  2 threads and 64 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n  \
                    93164 requests in 1.10s, 379.83MB read\nRequests/sec:  84689.58\nTransfer/sec:    345.29MB\n";
        let load = Load::parse(said).unwrap();
        assert_eq!((load.requests, load.requests_per_second), (93_164, 84_689.58));
        assert!((load.megabytes_per_second - 362.06).abs() < 0.01);
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        assert_eq!(
            header("HTTP/1.1 201 Created\r\nlocation: uploads/1\r\n", "Location"),
            Some("uploads/1")
        );
    }
}
