//! What all handlers share.

use std::fmt;
use std::sync::Arc;

use campusdisk_core::{CampusDisk, IdSource, RandomIds};

use crate::actor::SignOn;
use crate::options::HttpOptions;
use crate::probe::Probe;

/// A cheap handle on what all handlers share. Handlers of a host's own get at it by what they extract.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    disk: CampusDisk,
    sign_on: Arc<dyn SignOn>,
    #[cfg(feature = "accounts")]
    accounts: Option<campusdisk_accounts::Accounts>,
    options: HttpOptions,
    probes: Vec<Arc<dyn Probe>>,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").finish_non_exhaustive()
    }
}

impl AppState {
    pub(crate) fn new(
        disk: CampusDisk,
        sign_on: Arc<dyn SignOn>,
        options: HttpOptions,
        probes: Vec<Arc<dyn Probe>>,
    ) -> Self {
        Self(Arc::new(Inner {
            disk,
            sign_on,
            #[cfg(feature = "accounts")]
            accounts: None,
            options,
            probes,
        }))
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn with_accounts(
        disk: CampusDisk,
        accounts: campusdisk_accounts::Accounts,
        options: HttpOptions,
        probes: Vec<Arc<dyn Probe>>,
    ) -> Self {
        let sign_on = Arc::new(crate::accounts::AccountsSignOn::new(accounts.clone()));
        Self(Arc::new(Inner {
            disk,
            sign_on,
            accounts: Some(accounts),
            options,
            probes,
        }))
    }

    pub(crate) fn disk(&self) -> &CampusDisk {
        &self.0.disk
    }

    pub(crate) fn sign_on(&self) -> &dyn SignOn {
        &*self.0.sign_on
    }

    pub(crate) fn options(&self) -> &HttpOptions {
        &self.0.options
    }

    pub(crate) fn probes(&self) -> &[Arc<dyn Probe>] {
        &self.0.probes
    }

    /// Randomness for boundaries and request ids.
    pub(crate) fn ids(&self) -> &dyn IdSource {
        &RandomIds
    }

    /// The accounts; routes that need them are mounted only where there are any.
    #[cfg(feature = "accounts")]
    pub(crate) fn accounts(&self) -> crate::error::Result<&campusdisk_accounts::Accounts> {
        self.0.accounts.as_ref().ok_or_else(crate::Problem::not_found)
    }
}
