//! The suite's footing under a [`MemoryMount`].

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use campusdisk_core::Result;
use campusdisk_core::memory::MemoryMount;
use campusdisk_core::mount::{Mount, ObjectPath};
use campusdisk_core::storage::StoreName;

use super::MountHarness;

/// A mount in memory.
#[derive(Debug)]
pub struct MemoryMountHarness {
    mount: MemoryMount,
}

impl MemoryMountHarness {
    /// An empty mount called `memory`.
    ///
    /// # Panics
    /// Never: the name fits.
    #[expect(clippy::expect_used, reason = "the name is a valid literal")]
    pub fn fresh() -> Self {
        let name = StoreName::parse("memory").expect("`memory` is a name");
        Self {
            mount: MemoryMount::new(name),
        }
    }
}

#[async_trait]
impl MountHarness for MemoryMountHarness {
    fn mount(&self) -> Arc<dyn Mount> {
        Arc::new(self.mount.clone())
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.mount.write(ObjectPath::parse(path)?, bytes);
        Ok(())
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.mount.delete(&ObjectPath::parse(path)?);
        Ok(())
    }

    async fn planted(&self, path: &str) -> Result<Option<Bytes>> {
        Ok(self.mount.object(&ObjectPath::parse(path)?))
    }
}
