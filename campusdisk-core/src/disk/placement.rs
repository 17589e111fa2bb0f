//! Which store takes new bytes.

use std::sync::Arc;

use super::shared::Shared;
use crate::catalog::record::Upload;
use crate::storage::{BlobStore, StoreName};
use crate::{DriveId, Error, ErrorKind, Result};

/// New bytes that a store of their own takes. All conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlacementRule {
    /// The store.
    pub store: StoreName,
    /// For files of these drives; of all drives when there are none.
    pub drives: Vec<DriveId>,
    /// For files of at least so many bytes. What comes without its length is never of this size.
    pub min_bytes: Option<u64>,
    /// For files of at most so many bytes. What comes without its length is never of this size.
    pub max_bytes: Option<u64>,
}

impl PlacementRule {
    /// Everything goes to this store.
    pub fn to(store: StoreName) -> Self {
        Self {
            store,
            drives: Vec::new(),
            min_bytes: None,
            max_bytes: None,
        }
    }

    /// Sets the drives.
    #[must_use]
    pub fn with_drives(mut self, drives: Vec<DriveId>) -> Self {
        self.drives = drives;
        self
    }

    /// Sets the sizes, in bytes, both ends included.
    #[must_use]
    pub fn with_sizes(mut self, min_bytes: Option<u64>, max_bytes: Option<u64>) -> Self {
        self.min_bytes = min_bytes;
        self.max_bytes = max_bytes;
        self
    }

    fn takes(&self, drive: DriveId, len_bytes: Option<u64>) -> bool {
        let of_drive = self.drives.is_empty() || self.drives.contains(&drive);
        let within = |holds: fn(u64, u64) -> bool, bound: Option<u64>| {
            bound.is_none_or(|bound| len_bytes.is_some_and(|len| holds(len, bound)))
        };
        of_drive
            && within(|len, least| len >= least, self.min_bytes)
            && within(|len, most| len <= most, self.max_bytes)
    }
}

/// The rules in their order, and the store for what none of them takes.
pub(super) struct Placement {
    rules: Vec<(PlacementRule, Arc<dyn BlobStore>)>,
    pub(super) primary: Arc<dyn BlobStore>,
}

impl Placement {
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) without a store, or when a rule names one that is not there.
    pub(super) fn new(stores: &[Arc<dyn BlobStore>], rules: Vec<PlacementRule>) -> Result<Self> {
        let primary = stores.first().cloned();
        let primary = primary.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "no store is configured"))?;
        let with_store = |rule: PlacementRule| {
            let store = stores.iter().find(|store| store.info().name == rule.store);
            let missing =
                || Error::invalid("placement", "names a store that is not there").on(rule.store.to_string());
            let store = store.cloned().ok_or_else(missing)?;
            Ok((rule, store))
        };
        let rules = rules.into_iter().map(with_store).collect::<Result<_>>()?;
        Ok(Self { rules, primary })
    }
}

impl Shared {
    /// The store for bytes of a file of this size in this drive.
    pub(super) fn store_for(&self, drive: DriveId, len_bytes: Option<u64>) -> &Arc<dyn BlobStore> {
        let mut rules = self.placement.rules.iter();
        let fits = rules.find(|(rule, _)| rule.takes(drive, len_bytes));
        fits.map_or(&self.placement.primary, |(_, store)| store)
    }

    /// The store for an upload's bytes.
    pub(super) fn store_of(&self, upload: &Upload) -> &Arc<dyn BlobStore> {
        self.store_for(upload.drive, upload.len_bytes)
    }
}
