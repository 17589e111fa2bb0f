//! Downloads from local disk, beside nginx with sendfile.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Setting;
use super::hall::Hall;
use super::load;
use super::report::Comparison;

pub(crate) fn measure(setting: &Setting, hall: &Hall) -> Result<Vec<Comparison>> {
    let large = large(setting)?;
    let middle = file(setting, "middle", 1 << 20)?;
    let small = file(setting, "small", 4 << 10)?;
    let nginx = setting.endpoint("/nginx/endpoint")?;
    let nginx_root = PathBuf::from(setting.endpoint("/nginx/root")?);
    let mut urls = Vec::new();
    for path in [&large, &middle, &small] {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let len_bytes = fs::copy(path, nginx_root.join(name))?;
        let (ours, theirs) = (hall.put(name, path)?, format!("{nginx}/{name}"));
        // Both from the page cache: the hall's has not been read since it was written past it.
        load::download(&ours, hall.authorization(), len_bytes)?;
        load::download(&theirs, None, len_bytes)?;
        urls.push((ours, theirs));
    }
    let [large_urls, middle_urls, small_urls] = urls.as_slice() else {
        return Ok(Vec::new());
    };
    let (bytes, seconds) = (setting.large_bytes(), setting.options.seconds);
    let nginx = "nginx, sendfile";
    Ok(vec![
        setting.compare(
            "download of 1 GiB, one curl",
            "MB/s",
            1.2,
            ("hall", &|| {
                load::download(&large_urls.0, hall.authorization(), bytes)
            }),
            (nginx, &|| load::download(&large_urls.1, None, bytes)),
        )?,
        setting.compare(
            "downloads of 1 MiB, 64 connections",
            "MB/s",
            1.0,
            ("hall", &|| {
                Ok(load::many(&middle_urls.0, hall.authorization(), seconds)?.megabytes_per_second)
            }),
            (nginx, &|| {
                Ok(load::many(&middle_urls.1, None, seconds)?.megabytes_per_second)
            }),
        )?,
        setting.compare(
            "downloads of 4 KiB, 64 connections, signed in, rights checked",
            "requests/s",
            0.5,
            ("hall", &|| {
                Ok(load::many(&small_urls.0, hall.authorization(), seconds)?.requests_per_second)
            }),
            ("nginx, bare static file", &|| {
                Ok(load::many(&small_urls.1, None, seconds)?.requests_per_second)
            }),
        )?,
    ])
}

/// The large file, which is made once.
pub(crate) fn large(setting: &Setting) -> Result<PathBuf> {
    let path = setting.folder.join("large");
    if path.exists() {
        return Ok(path);
    }
    file(setting, "large", setting.large_bytes())
}

/// A file of bytes that do not repeat.
fn file(setting: &Setting, name: &str, len_bytes: u64) -> Result<PathBuf> {
    fs::create_dir_all(&setting.folder)?;
    let path = setting.folder.join(name);
    write_noise(&path, len_bytes)?;
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
