//! `hall check`: whether database and stores agree.
//!
//! While a hall runs, both change during the check; so whatever looks wrong is looked at again before it is said.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use campusdisk_axum::AccountsIdentity;
use campusdisk_core::catalog::Catalog;
use campusdisk_core::catalog::record::{Blob, BlobState, Drive};
use campusdisk_core::storage::{BlobKey, BlobStore, ListedBlob, StoreName};
use campusdisk_core::{CampusDisk, Result};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use crate::config::{Config, Overrides};
use crate::failure::{Failure, Outcome};
use crate::parts::{self, Records};

const PAGE_ROWS: u32 = 1000;

/// Looks at what seems wrong before it is said to be, and the pause between them: longer than a commit takes.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// Prints what was counted and what is wrong.
///
/// # Errors
/// How much is wrong, or why it can't be found out.
pub(crate) async fn run(overrides: Overrides) -> Outcome {
    let config = Config::load(overrides)?;
    let records = Records::open(&config).await?;
    let outcome = check(&config, &records).await;
    records.database.close().await;
    match outcome? {
        0 => Ok(()),
        wrong => Err(Failure::new(format!(
            "{wrong} things are wrong; they are listed above"
        ))),
    }
}

async fn check(config: &Config, records: &Records) -> Outcome<u64> {
    let identity = AccountsIdentity::new(records.accounts.clone());
    let stores = parts::open_stores(config).await?;
    let cache = parts::memory(config);
    let disk = parts::open_disk(config, records, &identity, stores.clone(), cache).await?;
    let catalog = &*records.catalog;
    let mut wrong = check_drives(catalog, &disk).await?;
    for store in &stores {
        let mut blobs = BlobCheck::new(catalog, store);
        blobs.run().await?;
        blobs.print();
        wrong += blobs.wrong;
    }
    Ok(wrong)
}

/// Compares each drive's counters with what they count.
async fn check_drives(catalog: &dyn Catalog, disk: &CampusDisk) -> Result<u64> {
    let (mut count, mut used, mut wrong) = (0_u64, 0_u64, 0);
    let mut after = None;
    loop {
        let drives = catalog.drives(after, PAGE_ROWS).await?;
        let Some(last) = drives.last() else { break };
        after = Some(last.id);
        for drive in &drives {
            count += 1;
            used += drive.used_bytes;
            wrong += u64::from(!usage_fits(disk, drive).await?);
        }
    }
    println!("drives: {count}, {used} bytes used");
    Ok(wrong)
}

async fn usage_fits(disk: &CampusDisk, drive: &Drive) -> Result<bool> {
    let mut compared = disk.check_usage(drive.id).await?;
    for _ in 1..LOOKS {
        if compared.iter().all(|(kept, counted)| kept == counted) {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
        compared = disk.check_usage(drive.id).await?;
    }
    let [(used, counted), (reserved, recounted)] = compared;
    println!(
        "WRONG drive {} ({}): {used} bytes used are kept, {counted} counted; {reserved} reserved are kept, {recounted} counted",
        drive.id, drive.name
    );
    Ok(false)
}

/// Walks a store's blobs and their rows side by side; both are ordered by key.
struct BlobCheck<'a> {
    catalog: &'a dyn Catalog,
    store: &'a Arc<dyn BlobStore>,
    name: StoreName,
    live: u64,
    leased: u64,
    condemned: u64,
    bytes: u64,
    wrong: u64,
}

impl<'a> BlobCheck<'a> {
    fn new(catalog: &'a dyn Catalog, store: &'a Arc<dyn BlobStore>) -> Self {
        let name = store.info().name.clone();
        Self {
            catalog,
            store,
            name,
            live: 0,
            leased: 0,
            condemned: 0,
            bytes: 0,
            wrong: 0,
        }
    }

    fn print(&self) {
        println!(
            "store \"{}\": {} live blobs, {} leased, {} condemned; {} bytes",
            self.name, self.live, self.leased, self.condemned, self.bytes
        );
    }

    async fn run(&mut self) -> Result<()> {
        // Rows are there before bytes, so bytes are listed first: of what is listed, every row must be found.
        let mut listed = self.store.list("", None);
        let mut object = listed.next().await.transpose()?;
        let mut after: Option<BlobKey> = None;
        loop {
            let rows = self
                .catalog
                .blobs_of(&self.name, after.as_ref(), PAGE_ROWS)
                .await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key);
            for row in rows {
                object = self.pass_unknown(object, &mut listed, row.key).await?;
                let own = object.filter(|object| object.key == row.key);
                self.compare(&row, own).await?;
                if own.is_some() {
                    object = listed.next().await.transpose()?;
                }
            }
        }
        while let Some(unknown) = object {
            self.unknown(unknown).await?;
            object = listed.next().await.transpose()?;
        }
        Ok(())
    }

    /// Reports objects before `key`; returns the first that is not.
    async fn pass_unknown(
        &mut self,
        mut object: Option<ListedBlob>,
        listed: &mut BoxStream<'static, Result<ListedBlob>>,
        key: BlobKey,
    ) -> Result<Option<ListedBlob>> {
        while let Some(found) = object {
            if found.key.cmp(&key) != Ordering::Less {
                break;
            }
            self.unknown(found).await?;
            object = listed.next().await.transpose()?;
        }
        Ok(object)
    }

    /// An object whose row was not among those read; it may have come since.
    async fn unknown(&mut self, object: ListedBlob) -> Result<()> {
        self.bytes += object.len_bytes;
        let has_row = self.catalog.blob(&self.name, &object.key).await?.is_some();
        if !has_row && self.is_there(object.key).await? {
            self.wrong += 1;
            println!(
                "WRONG store \"{}\": the blob {} has no row; it is left where it is",
                self.name, object.key
            );
        }
        Ok(())
    }

    async fn compare(&mut self, row: &Blob, object: Option<ListedBlob>) -> Result<()> {
        self.bytes += object.map_or(0, |object| object.len_bytes);
        match row.state {
            BlobState::Leased => self.leased += 1,
            BlobState::Condemned => self.condemned += 1,
            BlobState::Live => {
                self.live += 1;
                if object.is_none() && !self.is_there(row.key).await? && self.is_still_live(row).await? {
                    self.wrong += 1;
                    println!(
                        "WRONG store \"{}\": the bytes of the live blob {} are gone",
                        self.name, row.key
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether the store has the blob now.
    async fn is_there(&self, key: BlobKey) -> Result<bool> {
        let mut listed = self.store.list(key.as_str(), None);
        Ok(listed.next().await.transpose()?.is_some())
    }

    async fn is_still_live(&self, row: &Blob) -> Result<bool> {
        let now = self.catalog.blob(&self.name, &row.key).await?;
        Ok(now.is_some_and(|blob| blob.state == BlobState::Live))
    }
}
