//! The stores that this hall ever had, by their names in the catalog's settings. One that is taken out of the configuration while
//! blobs lie in it would be missed only by whoever asks for a file in it, and by the sweep; so the hall does not start then.

use campusdisk_core::catalog::Catalog;
use campusdisk_core::storage::StoreName;
use campusdisk_core::{ErrorKind, Result};

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::settings;

/// Names with a blank between them.
const KNOWN: &str = "hall.stores";

/// How often the names are noted anew when another instance notes its own at the same moment.
const TRIES: u32 = 3;

/// Notes the stores of the configuration, and forgets those that hold nothing any more.
///
/// # Errors
/// As [`check`], and what the catalog says.
pub(crate) async fn note(config: &Config, catalog: &dyn Catalog) -> Outcome {
    check(config, catalog).await?;
    let needed: Vec<&str> = config.stores.keys().map(String::as_str).collect();
    let needed = needed.join(" ");
    for left in (0..TRIES).rev() {
        if known(catalog).await?.is_some_and(|known| known == needed) {
            break;
        }
        match settings::store(catalog, &[(KNOWN, Some(needed.clone()))]).await {
            Err(error) if left > 0 && is_race(error.kind()) => {}
            stored => return Ok(stored?),
        }
    }
    Ok(())
}

/// Finds out whether a store is left out in which blobs lie.
///
/// # Errors
/// Which it is, or what the catalog says.
pub(crate) async fn check(config: &Config, catalog: &dyn Catalog) -> Outcome {
    let known = known(catalog).await?.unwrap_or_default();
    let missing = |name: &&str| !config.stores.contains_key(*name);
    for name in known.split_whitespace().filter(missing) {
        let store = StoreName::parse(name)?;
        if !catalog.blobs_of(&store, None, 1).await?.is_empty() {
            return Err(Failure::new(format!(
                "the store \"{name}\" is not in the configuration any more, but blobs lie in it: put [stores.{name}] back as it was. It \
                 can be left out once its files are deleted and `hall check` counts no blobs in it, neither leased nor condemned ones"
            )));
        }
    }
    Ok(())
}

async fn known(catalog: &dyn Catalog) -> Result<Option<String>> {
    let stored = catalog.setting(KNOWN).await?;
    Ok(stored.map(|setting| setting.value))
}

fn is_race(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict | ErrorKind::AlreadyExists)
}
