//! A folder as a ZIP archive, beside the plain download of as many bytes.

use anyhow::{Context, Result, ensure};

use super::comparison::{Comparison, Unit};
use super::hall::Hall;
use super::setting::Setting;
use super::{downloads, load};

const FILES: u64 = 1000;
const FILE_BYTES: u64 = 1 << 20;

/// What part of the plain download's speed an archive must have.
const LEAST_RATIO: f64 = 0.8;

pub(crate) fn measure(setting: &Setting<'_>, hall: &Hall) -> Result<Comparison> {
    // A run with a smaller large file is one that is to be over soon.
    let files = FILES.min(setting.options.large_mib);
    let file = downloads::file(setting, "middle", FILE_BYTES)?;
    let folder = hall.make_folder("archive")?;
    for number in 0..files {
        hall.put_into(&folder, &format!("file-{number:04}"), &file)?;
    }
    let plain_bytes = files * FILE_BYTES;
    let plain = hall.put(
        "as-many-bytes",
        &downloads::file(setting, "as-many-bytes", plain_bytes)?,
    )?;
    let archive = hall.content(&folder);
    let head = load::headers_of("GET", &archive, hall.authorization(), &[])?;
    let length = load::header(&head, "Content-Length").and_then(|length| length.parse().ok());
    let archive_bytes: u64 = length.with_context(|| format!("no Content-Length in {head}"))?;
    ensure!(
        archive_bytes > plain_bytes,
        "an archive of {archive_bytes} bytes can't hold {plain_bytes}"
    );
    load::download(&plain, hall.authorization(), plain_bytes)?;
    setting.compare(
        &format!("ZIP archive of a folder of {files} × 1 MiB, one curl"),
        Unit::MegabytesPerSecond,
        LEAST_RATIO,
        ("hall, archive", &|| {
            load::download(&archive, hall.authorization(), archive_bytes)
        }),
        ("hall, one plain file of as many bytes", &|| {
            load::download(&plain, hall.authorization(), plain_bytes)
        }),
    )
}
