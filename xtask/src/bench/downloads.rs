//! Downloads from local disk, beside nginx with sendfile, dufs, and Flask's `send_file`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::comparison::{Comparison, Unit};
use super::hall::Hall;
use super::setting::Setting;
use super::{archives, crowd, first_byte, load};

const NGINX: &str = "nginx, sendfile";
const DUFS: &str = "dufs";
const FLASK: &str = "Flask send_file under gunicorn";

/// How much a request at random asks for.
const RANGE_BYTES: u64 = 64 << 10;

/// What a crowd of slow downloads may cost, in MB.
const CROWD_MEGABYTES: f64 = 200.0;

pub(crate) fn measure(setting: &Setting<'_>, hall: &Hall) -> Result<Vec<Comparison>> {
    let large = Everywhere::put(setting, hall, &large(setting)?)?;
    let middle = Everywhere::put(setting, hall, &file(setting, "middle", 1 << 20)?)?;
    let small = Everywhere::put(setting, hall, &file(setting, "small", 4 << 10)?)?;
    let mut comparisons = one_connection(setting, &large)?;
    comparisons.extend(many_connections(setting, &middle, &small)?);
    comparisons.push(ranges(setting, &large)?);
    let ours = (small.hall.as_str(), hall.authorization());
    comparisons.extend(first_byte::measure(setting, ours, ("nginx", &small.nginx))?);
    comparisons.push(archives::measure(setting, hall)?);
    comparisons.push(crowd::fast_one(setting, hall, &large.hall)?);
    let place = format!("a local file of {}", setting.large_name());
    comparisons.push(crowd::memory(hall, &large.hall, &place, CROWD_MEGABYTES)?);
    Ok(comparisons)
}

fn one_connection(setting: &Setting<'_>, large: &Everywhere) -> Result<Vec<Comparison>> {
    let bytes = setting.large_bytes();
    let by = |url, authorization| move || load::download(url, authorization, bytes);
    setting.compare_all(
        &format!("download of {}, one curl", setting.large_name()),
        Unit::MegabytesPerSecond,
        ("hall", &by(&large.hall, large.authorization())),
        &[
            (Some(1.5), (NGINX, &by(&large.nginx, None))),
            (None, (DUFS, &by(&large.dufs, None))),
            (None, (FLASK, &by(&large.flask, None))),
        ],
    )
}

fn many_connections(
    setting: &Setting<'_>,
    middle: &Everywhere,
    small: &Everywhere,
) -> Result<Vec<Comparison>> {
    let seconds = setting.options.seconds;
    let bytes_of = |url, authorization| {
        move || -> Result<f64> { Ok(load::many(url, authorization, seconds)?.megabytes_per_second) }
    };
    let requests_of = |url, authorization| move || load::request_rate(url, authorization, seconds);
    let mut comparisons = vec![setting.compare(
        "downloads of 1 MiB, 64 connections",
        Unit::MegabytesPerSecond,
        1.15,
        ("hall", &bytes_of(&middle.hall, middle.authorization())),
        (NGINX, &bytes_of(&middle.nginx, None)),
    )?];
    comparisons.extend(setting.compare_all(
        "downloads of 4 KiB, 64 connections, signed in, rights checked, recorded",
        Unit::RequestsPerSecond,
        ("hall", &requests_of(&small.hall, small.authorization())),
        &[
            (
                Some(1.0),
                ("nginx, bare static file", &requests_of(&small.nginx, None)),
            ),
            (Some(20.0), (DUFS, &requests_of(&small.dufs, None))),
            (None, (FLASK, &requests_of(&small.flask, None))),
        ],
    )?);
    Ok(comparisons)
}

/// Ranges at random, the same ones asked of both.
fn ranges(setting: &Setting<'_>, large: &Everywhere) -> Result<Comparison> {
    let script = setting.folder.join("ranges.lua");
    fs::write(&script, range_script(setting.large_bytes()))?;
    // With `tcp_nopush`, which nginx is quicker with elsewhere, the last bytes of most ranges would wait for an acknowledgement.
    let theirs = large.nginx_unpushed.as_str();
    for (url, authorization) in [(large.hall.as_str(), large.authorization()), (theirs, None)] {
        let range = format!("Range: bytes=1-{RANGE_BYTES}");
        let answer = load::headers_of("GET", url, authorization, &[&range])?;
        let length = load::header(&answer, "Content-Length").and_then(|length| length.parse().ok());
        ensure!(
            answer.starts_with("HTTP/1.1 206") && length == Some(RANGE_BYTES),
            "a range of {url} is answered: {answer}"
        );
    }
    let seconds = setting.options.seconds;
    let rate = |url: &str, authorization| -> Result<f64> {
        Ok(load::scripted(url, authorization, &script, seconds)?.requests_per_second)
    };
    setting.compare(
        &format!(
            "ranges of 64 KiB at random in {}, 64 connections",
            setting.large_name()
        ),
        Unit::RequestsPerSecond,
        1.0,
        ("hall", &|| rate(&large.hall, large.authorization())),
        ("nginx, sendfile, tcp_nopush off", &|| rate(theirs, None)),
    )
}

/// What wrk asks: each thread has a seed of its own, so that every run asks the same.
fn range_script(len_bytes: u64) -> String {
    let last = len_bytes.saturating_sub(RANGE_BYTES);
    format!(
        "local threads = 0\n\
         function setup(thread) thread:set('me', threads); threads = threads + 1 end\n\
         function init() math.randomseed(me + 1) end\n\
         function request()\n\
           local first = math.random(0, {last})\n\
           wrk.headers['Range'] = string.format('bytes=%d-%d', first, first + {RANGE_BYTES} - 1)\n\
           return wrk.format()\n\
         end\n"
    )
}

/// A file that every server has, by its addresses.
struct Everywhere {
    hall: String,
    authorization: String,
    nginx: String,
    nginx_unpushed: String,
    dufs: String,
    flask: String,
}

impl Everywhere {
    fn put(setting: &Setting<'_>, hall: &Hall, path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.context("the file has a name")?;
        let at = |server: &str| {
            let root = PathBuf::from(setting.endpoint(&format!("/{server}/root"))?);
            link(path, &root.join(name))?;
            Ok::<_, anyhow::Error>(format!(
                "{}/{name}",
                setting.endpoint(&format!("/{server}/endpoint"))?
            ))
        };
        let found = Self {
            hall: hall.put(name, path)?,
            authorization: hall.authorization.clone(),
            nginx_unpushed: format!("{}/unpushed/{name}", setting.endpoint("/nginx/endpoint")?),
            nginx: at("nginx")?,
            dufs: at("dufs")?,
            flask: at("flask")?,
        };
        // All from the page cache: the hall's has not been read since it was written past it.
        let len_bytes = path.metadata()?.len();
        load::download(&found.hall, found.authorization(), len_bytes)?;
        for url in [&found.nginx, &found.dufs, &found.flask] {
            load::download(url, None, len_bytes)?;
        }
        Ok(found)
    }

    fn authorization(&self) -> Option<&str> {
        Some(&self.authorization)
    }
}

/// The same bytes under another name: all rivals read the same pages of memory.
fn link(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_file(to)?;
    }
    fs::hard_link(from, to).with_context(|| format!("link {}", to.display()))
}

/// The large file, which is made once.
pub(crate) fn large(setting: &Setting<'_>) -> Result<PathBuf> {
    file(setting, "large", setting.large_bytes())
}

/// A file of bytes that do not repeat, made where there is none of that name.
pub(crate) fn file(setting: &Setting<'_>, name: &str, len_bytes: u64) -> Result<PathBuf> {
    fs::create_dir_all(&setting.folder)?;
    let path = setting.folder.join(name);
    if !path.exists() {
        write_noise(&path, len_bytes)?;
    }
    Ok(path)
}

fn write_noise(path: &Path, len_bytes: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = len_bytes;
    while left > 0 {
        // xorshift64 (Marsaglia 2003): enough that nothing along the way can compress it.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bytes = state.to_le_bytes();
        let take = usize::try_from(left.min(8)).unwrap_or(8);
        out.write_all(&bytes[..take])?;
        left -= take as u64;
    }
    out.flush()?;
    Ok(())
}
