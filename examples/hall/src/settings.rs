//! The hall's own entries among the catalog's settings.

use campusdisk_core::catalog::record::Setting;
use campusdisk_core::catalog::{Catalog, Change, ChangeSet, Expect, RecordKey};
use campusdisk_core::{ChangeId, Clock as _, RandomIds, Result, SystemClock};

/// Gives entries values, or takes them away, all in one commit.
///
/// # Errors
/// [`Conflict`](campusdisk_core::ErrorKind::Conflict) or [`AlreadyExists`](campusdisk_core::ErrorKind::AlreadyExists) when somebody
/// else changed one just now, else what the catalog says.
pub(crate) async fn store(catalog: &dyn Catalog, entries: &[(&str, Option<String>)]) -> Result<()> {
    let now = SystemClock.now();
    let mut set = ChangeSet::new(ChangeId::generate(now, &RandomIds), now);
    for (key, value) in entries {
        let there = catalog.setting(key).await?;
        let record = RecordKey::Setting((*key).to_owned());
        let version = there.map(|setting| setting.version);
        set.push(match version {
            Some(version) => Expect::Version(record.clone(), version),
            None => Expect::Absent(record.clone()),
        });
        match value {
            Some(value) => set.push(Setting {
                key: (*key).to_owned(),
                value: value.clone(),
                version: version.unwrap_or(0) + 1,
            }),
            None => set.push(Change::Delete(record)),
        };
    }
    if set.changes.is_empty() {
        return Ok(());
    }
    catalog.commit(set).await.map(drop)
}
