//! How the file system under a store is.

use std::io;
use std::path::Path;

use campusdisk_core::storage::HealthFacts;
use campusdisk_core::{Error, Result};
use rustix::fs::{Access, AtFlags, CWD, StatVfs};

use crate::error::Failure;
use crate::store::{Shared, free_bytes};

/// What this is called in errors.
const OPERATION: &str = "ask for health";

impl Shared {
    /// How the file system of the root is. Writes nothing.
    pub(crate) fn health(&self) -> Result<HealthFacts> {
        if self.layout.check_root().is_err() {
            return Err(self.root_gone(OPERATION));
        }
        let root = self.layout.root();
        let system = rustix::fs::statvfs(root).map_err(|cause| Error::from(self.failure(root, cause)))?;
        let total_bytes = system.f_blocks.saturating_mul(system.f_frsize);
        let facts = HealthFacts::well().with_room(Some(free_bytes(&system)), Some(total_bytes));
        Ok(match self.refusal(&system) {
            Some(reason) => facts.refusing(reason),
            None => facts,
        })
    }

    /// Why a new blob would be refused.
    fn refusal(&self, system: &StatVfs) -> Option<String> {
        for folder in [self.layout.root(), &self.layout.temporaries()] {
            let writable = Access::WRITE_OK | Access::EXEC_OK;
            if let Err(cause) = rustix::fs::accessat(CWD, folder, writable, AtFlags::EACCESS) {
                return Some(Error::from(self.failure(folder, cause)).message().to_owned());
            }
        }
        // Without a reserve, not one byte free is too few.
        if free_bytes(system) < self.reserve_bytes.max(1) {
            return Some(self.says_no_room(free_bytes(system)));
        }
        // A file system without a limit on files has 0 of them.
        (system.f_files > 0 && system.f_favail == 0).then(|| {
            format!(
                "the disk of store \"{}\" has room for bytes but for no more files (inodes): free some on it",
                self.info.name
            )
        })
    }

    fn failure(&self, path: &Path, cause: impl Into<io::Error>) -> Failure {
        Failure::new(OPERATION, &self.info.name, &self.info.name, path, cause)
    }
}
