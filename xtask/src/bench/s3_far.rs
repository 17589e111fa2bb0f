//! A file on an S3 server that is far away, beside one GET of the bare client.

use anyhow::Result;

use super::comparison::{Comparison, Unit};
use super::hall::Setup;
use super::s3_bucket::Bucket;
use super::setting::Setting;
use super::shaper::{Shape, Shaper};
use super::{downloads, load};

/// How the hall is told that the way is long.
const MANY_GETS: &str = "gets_in_flight = 8\n";

pub(crate) fn measure(setting: &Setting<'_>, near: &Bucket) -> Result<Comparison> {
    let way = Shaper::start(&near.endpoint, Shape::FAR)?;
    let far = near.by_way_of(way.endpoint());
    let setup = Setup {
        store: Some(far.store("bench-far", MANY_GETS)),
        ..Setup::default()
    };
    let hall = setting.start_hall("s3-far", &setup)?;
    // One stream takes 20 s for 1 GiB.
    let mib = setting.options.large_mib.div_ceil(4);
    let file = downloads::file(setting, "quarter", mib << 20)?;
    let url = hall.put("far", &file)?;
    near.raw("put", Some(&file))?;
    let comparison = setting.compare(
        &format!("download of {mib} MiB from S3, one curl, 20 ms and at most 1 MiB in flight per stream"),
        Unit::MegabytesPerSecond,
        3.0,
        ("hall, gets_in_flight = 8", &|| {
            load::download(&url, hall.authorization(), mib << 20)
        }),
        ("bare object_store, one GET", &|| far.raw("get", None)),
    );
    near.delete()?;
    comparison
}
