//! What this hall is called and what it speaks: as configured, else as its administrators say.
//!
//! What they say lies among the catalog's settings, beside the installation's id: it is there after `kill -9`, in every
//! backup of the database, and for every instance on it.

mod face;
mod overview;
mod routes;

use std::sync::{Arc, PoisonError, RwLock};

use campusdisk_core::Result;
use campusdisk_core::catalog::Catalog;

pub(crate) use self::face::{Face, HallName, Language};
pub(crate) use self::routes::{Hall, routes};
use crate::config::{Config, PageSettings};
use crate::settings;

const NAME: &str = "hall.name";
const LANGUAGE: &str = "hall.language";

/// The face of this hall, kept in memory and written through.
#[derive(Debug)]
pub(crate) struct Site {
    catalog: Arc<dyn Catalog>,
    configured: PageSettings,
    stored: RwLock<Stored>,
    /// Changes go one after the other, so that what is in memory is what was stored last.
    changing: tokio::sync::Mutex<()>,
}

/// What administrators said.
#[derive(Clone, Debug, Default)]
struct Stored {
    name: Option<HallName>,
    language: Option<Language>,
}

/// What is to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaceUpdate {
    pub(crate) name: Option<HallName>,
    pub(crate) language: Option<Option<Language>>,
}

impl Site {
    /// Reads what was stored.
    ///
    /// # Errors
    /// What the catalog says.
    pub(crate) async fn open(catalog: Arc<dyn Catalog>, config: &Config) -> Result<Self> {
        let name = catalog.setting(NAME).await?;
        let language = catalog.setting(LANGUAGE).await?;
        // What an older or newer hall stored and this one does not know is as if nobody had said it.
        let stored = Stored {
            name: name.and_then(|setting| HallName::parse(&setting.value).ok()),
            language: language.and_then(|setting| Language::parse(&setting.value)),
        };
        Ok(Self {
            catalog,
            configured: config.page.clone(),
            stored: RwLock::new(stored),
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// What holds now: the configuration goes before what was stored.
    pub(crate) fn face(&self) -> Face {
        let stored = self.stored();
        let configured = self.configured.name.clone();
        let name = configured.or_else(|| stored.name.map(HallName::into_text));
        Face {
            name: name.unwrap_or_else(|| "CampusDisk".to_owned()),
            language: self.configured.language.or(stored.language),
            fixed: self.fixed(),
        }
    }

    /// The fields that the configuration says, so that nobody can change them here.
    pub(crate) fn fixed(&self) -> Vec<&'static str> {
        let mut fixed = Vec::new();
        fixed.extend(self.configured.name.as_ref().map(|_| "name"));
        fixed.extend(self.configured.language.map(|_| "language"));
        fixed
    }

    /// Stores what is to change, all of it or nothing.
    ///
    /// # Errors
    /// [`Conflict`](campusdisk_core::ErrorKind::Conflict) when somebody else changed it just now, else what the catalog says.
    pub(crate) async fn change(&self, update: FaceUpdate) -> Result<()> {
        let _one = self.changing.lock().await;
        let mut stored = self.stored();
        let mut entries = Vec::new();
        if let Some(name) = update.name {
            entries.push((NAME, Some(name.as_str().to_owned())));
            stored.name = Some(name);
        }
        if let Some(language) = update.language {
            entries.push((LANGUAGE, language.map(|language| language.as_str().to_owned())));
            stored.language = language;
        }
        settings::store(&*self.catalog, &entries).await?;
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = stored;
        Ok(())
    }

    fn stored(&self) -> Stored {
        self.stored.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests;
